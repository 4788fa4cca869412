//! `pm-trace arm`

use super::{Outcome, require_root, show};
use crate::capture::arm::{self, Switch};
use crate::cli::ArmArgs;
use crate::kernel::system::Live;
use crate::text::{self, Form, Page};
use anyhow::{Context as _, bail};
use std::io::ErrorKind;

/// Sets what makes a verdict survive, or undoes that.
///
/// # Errors
/// Not root, nothing to undo, or a switch cannot be set.
pub(super) fn run(args: &ArmArgs) -> anyhow::Result<Outcome> {
    require_root("arm", "it sets switches of the kernel")?;
    if args.undo { undo() } else { set() }
}

fn set() -> anyhow::Result<Outcome> {
    let switches = arm::switches(&Live);
    arm::write_down(&switches).with_context(|| {
        format!("cannot write down in {} what to undo later; nothing was changed", arm::STATE)
    })?;
    let mut page = Page::new(text::columns());
    page.paragraph("", "set now, until the next boot or 'pm-trace arm --undo':");
    let mut refused = 0;
    for switch in &switches {
        let result = arm::set(switch);
        refused += u32::from(result.is_err());
        tell(&mut page, switch, result.err().map(|error| error.to_string()).as_deref());
    }
    page.gap();
    let words = arm::words(&Live);
    if words.is_empty() {
        page.paragraph("", "nothing is missing on the kernel command line");
    } else {
        page.paragraph("", "for the kernel command line, from the next boot on:");
        for word in words {
            page.paragraph("  ", word.word);
            page.paragraph("      ", word.why);
        }
    }
    page.gap();
    page.paragraph("", "next: 'pm-trace record' before the suspend; after a reset, 'pm-trace recover'");
    show(&page.into_text(), Form::Plain)?;
    if refused > 0 {
        bail!("{refused} of {} switches could not be set; the others are", switches.len());
    }
    Ok(Outcome::Fine)
}

fn tell(page: &mut Page, switch: &Switch, refused: Option<&str>) {
    let (before, value) = (text::line(&switch.before), text::line(&switch.value));
    let change = match refused {
        Some(why) => format!("{} stays '{before}': {why}", switch.path),
        None if switch.before == switch.value => format!("{} is '{value}' already", switch.path),
        None => format!("{} from '{before}' to '{value}'", switch.path),
    };
    page.paragraph("  ", &change);
    page.paragraph("      ", switch.why);
}

fn undo() -> anyhow::Result<Outcome> {
    let written = match arm::written_down() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("nothing was armed since the last boot ({} is not there): nothing to undo", arm::STATE)
        }
        written => written.with_context(|| format!("cannot read {}", arm::STATE))?,
    };
    let mut page = Page::new(text::columns());
    let mut failed = 0;
    for (path, value) in &written {
        let value = text::line(value);
        match arm::undo(path, &value) {
            Ok(()) => page.paragraph("", &format!("{} put back to '{value}'", text::line(path))),
            Err(error) => {
                failed += 1;
                page.paragraph("", &format!("{} cannot be put back to '{value}': {error}", text::line(path)));
            }
        }
    }
    if written.is_empty() {
        page.paragraph("", "nothing had been changed: all was set already");
    }
    show(&page.into_text(), Form::Plain)?;
    if failed > 0 {
        bail!(
            "{failed} of {} switches could not be put back; {} still lists them",
            written.len(),
            arm::STATE
        );
    }
    arm::forget().with_context(|| format!("cannot remove {}", arm::STATE))?;
    Ok(Outcome::Fine)
}

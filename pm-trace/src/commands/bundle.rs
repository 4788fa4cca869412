//! `pm-trace bundle`

use super::{Outcome, say};
use crate::bundle::{Bundle, gather::gather};
use crate::cli::BundleArgs;
use crate::kernel::kmsg;
use crate::kernel::system::Live;
use crate::text;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Packs a trace and what belongs to it, and says what is in it, what is not, and what was taken out.
///
/// # Errors
/// The trace cannot be read, or the bundle cannot be written.
pub(super) fn run(args: &BundleArgs) -> anyhow::Result<Outcome> {
    let path = args.output.clone().unwrap_or_else(|| {
        let name = args.file.file_stem().unwrap_or(args.file.as_os_str());
        PathBuf::from(&args.file).with_file_name(name).with_extension("tar.zst")
    });
    let log = kmsg::read().map_err(|error| format!("cannot read /dev/kmsg: {error}; try as root"));
    let bundle = gather(&args.file, &Live, log, !args.no_redact)?;
    bundle.write(&path)?;
    say(&told(&bundle, &text::path(&path)));
    Ok(Outcome::Fine)
}

fn told(bundle: &Bundle, path: &str) -> String {
    let mut told = format!("pm-trace: {path} holds {} files\n", bundle.members.len() + 1);
    // Writing to a String cannot fail.
    match &bundle.redacted {
        None => {
            let _ = writeln!(told, "  nothing was taken out (--no-redact): keep it to yourself");
        }
        Some(redacted) if redacted.is_empty() => {
            let _ = writeln!(told, "  nothing that identifies the machine or its owner was found in them");
        }
        Some(redacted) => {
            let parts = redacted.iter().map(|what| {
                let (sort, different, places) = (what.sort.word(), what.different, what.places);
                format!("{sort} ({different} different, at {places} places)")
            });
            let _ = writeln!(told, "  taken out: {}", parts.collect::<Vec<_>>().join(", "));
        }
    }
    for missing in &bundle.missing {
        let _ = writeln!(told, "  without {}: {}", missing.name, missing.reason);
    }
    told
}

//! `pm-trace recover`

use super::{Outcome, say, show};
use crate::cli::RecoverArgs;
use crate::recover::{self, Search};
use crate::text::{self, Form};
use anyhow::{Context as _, bail};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Gathers what survived a reset and reports on it.
///
/// # Errors
/// A path that was given is not there, or the report cannot be written.
pub(super) fn run(args: &RecoverArgs) -> anyhow::Result<Outcome> {
    for path in &args.paths {
        if !path.exists() {
            bail!("there is no {}: give a trace, or a folder with traces", text::path(path));
        }
    }
    let journal = args.root == Path::new("/");
    let search = Search { root: args.root.clone(), paths: args.paths.clone(), journal };
    let recovered = recover::gather(&search);
    let (text, form) = match (args.json, &args.output) {
        (true, _) => (recovered.json()?, Form::Json),
        (false, Some(_)) => (recovered.text_in(text::WIDTH), Form::Plain),
        (false, None) => (recovered.text_in(text::columns()), Form::Plain),
    };
    match &args.output {
        None => show(&text, form)?,
        Some(file) => {
            let mut options = OpenOptions::new();
            let out = options.write(true).create_new(true).mode(0o600).open(file);
            let mut out =
                out.with_context(|| format!("cannot create {}; nothing was written", text::path(file)))?;
            text::Terminal::new(&mut out, form).show(&text)?;
            out.flush()
                .and_then(|()| out.sync_all())
                .with_context(|| format!("cannot write {}", text::path(file)))?;
            say(&format!("pm-trace: the report is in {}\n", text::path(file)));
        }
    }
    Ok(if recovered.tells_fault() { Outcome::Found } else { Outcome::Fine })
}

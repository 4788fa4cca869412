//! Running other programs, with errors that say which one failed and what it said.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// How much of a failed program's output an error repeats.
const TAIL_LINES: usize = 15;

/// `program arg arg ...`, as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        if word.is_empty() || word.contains(|c: char| c.is_whitespace() || "'\"$&|;<>*?()".contains(c)) {
            format!("'{}'", word.replace('\'', r"'\''"))
        } else {
            word.into_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Runs `command` with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs `command` with its output on the terminal; `false` if it failed.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    Ok(command.status().with_context(|| cannot_start(command))?.success())
}

/// Runs `command` with its output in the file `log`; an error repeats the end of it.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let file = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| cannot_start(command))?;
    if !status.success() {
        let text = std::fs::read(log).unwrap_or_default();
        let tail = tail(&String::from_utf8_lossy(&text));
        bail!("`{}` failed: {status}\n{tail}\n(all of it: {})", line(command), log.display());
    }
    Ok(())
}

/// Runs `command` silently and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    String::from_utf8(output_bytes(command)?)
        .with_context(|| format!("`{}` wrote something that is not UTF-8", line(command)))
}

/// [`output`] for programs that write binary data.
pub(crate) fn output_bytes(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        let said = tail(&String::from_utf8_lossy(&output.stderr));
        bail!("`{}` failed: {}\n{said}", line(command), output.status);
    }
    Ok(output.stdout)
}

/// Whether `command` can be started and ends well; its output is dropped.
pub(crate) fn quiet(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether this process may install packages and load BPF programs.
pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn cannot_start(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let missing = crate::paths::find_program(&program).is_none() && !program.contains('/');
    let advice =
        if missing { " (is it installed? `cargo xtask setup` installs what is missing)" } else { "" };
    format!("cannot start `{program}`{advice}")
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..]
        .iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Removes a directory tree; one that is not there is fine.
pub(crate) fn remove_tree(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_reads_as_typed() {
        let mut command = Command::new("cp");
        command.args(["a b", "c", "it's"]);
        assert_eq!(line(&command), r"cp 'a b' c 'it'\''s'");
    }

    #[test]
    fn an_error_repeats_what_the_program_said() {
        let error = output(Command::new("sh").args(["-c", "echo because >&2; exit 3"])).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("because") && text.contains("exit status: 3"), "{text}");
    }
}

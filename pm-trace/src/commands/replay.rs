//! `pm-trace replay` and `pm-trace config`

use super::{Outcome, show};
use crate::cli::{LookArgs, ReplayArgs};
use crate::history::Reading;
use crate::text::Form;
use crate::tui::app::{App, Source};
use crate::tui::config::{self, Config};
use crate::tui::opening::Opening;
use crate::tui::run;
use crate::tui::terminal::Screen;
use crate::tui::theme;
use anyhow::{Context as _, bail};
use std::io::{self, IsTerminal as _};

/// Opens a trace file in the interactive view.
///
/// # Errors
/// No terminal, a wrong configuration, or no readable trace.
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    require_terminal(&format!("'pm-trace report {}' prints the same as text", args.file.display()))?;
    let config = configuration()?;
    let (history, reading) = Reading::begin(&args.file)?;
    let name = args.file.file_name().unwrap_or(args.file.as_os_str());
    let mut app = App::new(history, Source::file(name.to_string_lossy()));
    apply(&mut app, &config, &args.look);
    let stop = run::stop_flag().context("cannot receive signals")?;
    let mut screen =
        Screen::take(Box::new(io::stdout()), config.mouse).context("cannot use this terminal")?;
    let mut opening = Opening::begin(&mut app, reading);
    let ended = run::run(&mut app, &mut screen, &mut opening, &stop);
    drop(screen);
    ended?;
    Ok(Outcome::of(&app.found))
}

/// Prints a configuration file with everything that can be configured.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn config() -> anyhow::Result<Outcome> {
    show(&config::template(), Form::Plain)?;
    Ok(Outcome::Fine)
}

/// Whether there is a terminal to draw on and to read keys from.
pub(super) fn has_terminal() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// Refuses to draw where nobody sees it.
///
/// # Errors
/// Standard input or output is no terminal.
pub(super) fn require_terminal(instead: &str) -> anyhow::Result<()> {
    if !has_terminal() {
        bail!("the interactive view needs a terminal for input and output; {instead}");
    }
    Ok(())
}

/// The user's configuration.
///
/// # Errors
/// The file cannot be read or is wrong.
pub(super) fn configuration() -> anyhow::Result<Config> {
    match config::path(|name| std::env::var(name).ok()) {
        Some(path) => Ok(Config::load(&path)?),
        None => Ok(Config::default()),
    }
}

/// Colours, characters and keys: the command line before the configuration before what the terminal asks for.
pub(super) fn apply(app: &mut App, config: &Config, look: &LookArgs) {
    let (theme, glyphs) = theme::choose(|name| std::env::var(name).ok());
    let no_color = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
    let configured = config.theme.filter(|_| !no_color);
    app.theme = look.theme.map(Into::into).or(configured).unwrap_or(theme);
    app.glyphs = if look.ascii { theme::Glyphs::Ascii } else { config.glyphs.unwrap_or(glyphs) };
    app.keymap = config.keymap.clone();
}

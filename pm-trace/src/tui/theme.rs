//! Colours. What they say is said by a sign or a word as well.

use ratatui::style::{Color, Modifier, Style};

/// What something is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Plain text.
    Text,
    /// What matters less.
    Dim,
    /// Titles and the chosen tab.
    Title,
    /// Lines around things.
    Border,
    /// The selected line.
    Selected,
    /// All is well.
    Good,
    /// Worth a look.
    Warn,
    /// Broken.
    Bad,
    /// The first line of something broken.
    Alarm,
    /// Names.
    Name,
    /// Keys.
    Key,
    /// The moment that is looked at.
    Cursor,
    /// A bar: a phase.
    Phase,
    /// A bar: a step of a device.
    Step,
    /// A bar: a callback.
    Callback,
    /// A bar: somebody waits.
    Wait,
    /// A bar: error handling.
    Handling,
    /// A bar: a work.
    Work,
    /// A bar: a part of the critical path.
    Path,
}

/// Colours for a kind of terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// For dark terminals with 256 colours.
    Dark,
    /// For light terminals with 256 colours.
    Light,
    /// Black, white and few strong colours.
    Contrast,
    /// For a kernel console: eight colours and bold.
    Console,
    /// No colour: bold, underlined, reversed.
    Mono,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Self; 5] = [Self::Dark, Self::Light, Self::Contrast, Self::Console, Self::Mono];

    /// Its name in the configuration file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Contrast => "contrast",
            Self::Console => "console",
            Self::Mono => "mono",
        }
    }

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }

    /// The one after it.
    pub fn next(self) -> Self {
        let place = Self::ALL.iter().position(|&theme| theme == self).unwrap_or_default();
        Self::ALL[(place + 1) % Self::ALL.len()]
    }

    /// How something is drawn.
    pub fn style(self, role: Role) -> Style {
        match self {
            Self::Dark => dark(role),
            Self::Light => light(role),
            Self::Contrast => contrast(role),
            Self::Console => console(role),
            Self::Mono => mono(role),
        }
    }
}

fn fg(color: Color) -> Style {
    Style::new().fg(color)
}

fn dark(role: Role) -> Style {
    let of = |index: u8| fg(Color::Indexed(index));
    match role {
        Role::Text => Style::new(),
        // On a selected line, too, four and a half times as bright as what is behind it.
        Role::Dim => of(248),
        Role::Title => of(81).add_modifier(Modifier::BOLD),
        Role::Border => of(240),
        Role::Selected => Style::new().bg(Color::Indexed(237)).add_modifier(Modifier::BOLD),
        Role::Good | Role::Callback => of(114),
        Role::Warn | Role::Key => of(221),
        Role::Bad => of(203).add_modifier(Modifier::BOLD),
        Role::Alarm => of(231).bg(Color::Indexed(160)).add_modifier(Modifier::BOLD),
        Role::Name => of(153),
        Role::Cursor => of(231).bg(Color::Indexed(60)),
        Role::Phase => of(110),
        Role::Step => of(109),
        Role::Wait => of(203),
        Role::Handling => of(215),
        Role::Work => of(140),
        Role::Path => of(231).add_modifier(Modifier::BOLD),
    }
}

fn light(role: Role) -> Style {
    let of = |index: u8| fg(Color::Indexed(index));
    match role {
        Role::Text => Style::new(),
        Role::Dim => of(240),
        Role::Title => of(25).add_modifier(Modifier::BOLD),
        Role::Border => of(248),
        Role::Selected => Style::new().bg(Color::Indexed(253)).add_modifier(Modifier::BOLD),
        Role::Good | Role::Callback => of(28),
        Role::Warn | Role::Key => of(130),
        Role::Bad => of(160).add_modifier(Modifier::BOLD),
        Role::Alarm => of(231).bg(Color::Indexed(160)).add_modifier(Modifier::BOLD),
        Role::Name => of(24),
        Role::Cursor => of(231).bg(Color::Indexed(25)),
        Role::Phase => of(67),
        Role::Step => of(23),
        Role::Wait => of(160),
        Role::Handling => of(166),
        Role::Work => of(97),
        Role::Path => of(16).add_modifier(Modifier::BOLD),
    }
}

fn contrast(role: Role) -> Style {
    match role {
        Role::Text | Role::Dim | Role::Border | Role::Step => fg(Color::White),
        Role::Title | Role::Name | Role::Phase | Role::Path => fg(Color::White).add_modifier(Modifier::BOLD),
        Role::Selected => fg(Color::Black).bg(Color::White).add_modifier(Modifier::BOLD),
        Role::Good | Role::Callback => fg(Color::LightGreen),
        Role::Warn | Role::Key | Role::Handling => fg(Color::LightYellow),
        Role::Bad | Role::Wait => fg(Color::LightRed).add_modifier(Modifier::BOLD),
        Role::Alarm => fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Cursor => fg(Color::Black).bg(Color::LightYellow),
        Role::Work => fg(Color::LightCyan),
    }
}

/// The first eight colours only, and no faint or italic: what every console shows.
fn console(role: Role) -> Style {
    match role {
        // Bars of steps are dots: they need the brightest that is not bold.
        Role::Text | Role::Dim | Role::Border | Role::Step => Style::new(),
        Role::Title => fg(Color::Cyan).add_modifier(Modifier::BOLD),
        // Reversed colours of words would be patches in the line.
        Role::Selected => {
            let plain = fg(Color::Reset).bg(Color::Reset);
            plain.remove_modifier(Modifier::BOLD).add_modifier(Modifier::REVERSED)
        }
        Role::Good | Role::Callback => fg(Color::Green),
        Role::Warn | Role::Key | Role::Handling => fg(Color::Yellow),
        Role::Bad | Role::Wait => fg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Alarm => fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
        // Blue on black is not to be read on most consoles.
        Role::Name | Role::Phase => fg(Color::Cyan),
        Role::Cursor => fg(Color::Black).bg(Color::Yellow),
        Role::Work => fg(Color::Magenta),
        Role::Path => fg(Color::White).add_modifier(Modifier::BOLD),
    }
}

fn mono(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Title | Role::Bad | Role::Name | Role::Wait | Role::Key | Role::Path => {
            plain.add_modifier(Modifier::BOLD)
        }
        Role::Selected | Role::Alarm | Role::Cursor => plain.add_modifier(Modifier::REVERSED),
        Role::Warn | Role::Handling => plain.add_modifier(Modifier::UNDERLINED),
        _ => plain,
    }
}

/// Which characters the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Lines and blocks, those that a VGA font has too.
    Lines,
    /// Nothing but ASCII.
    Ascii,
}

impl Glyphs {
    /// The ASCII character that stands for one of the others.
    pub fn ascii(symbol: &str) -> &'static str {
        match symbol {
            "─" | "═" => "-",
            "│" | "║" => "|",
            "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" | "√" => "+",
            "█" => "#",
            "▓" => "%",
            "▒" => "=",
            "░" | "·" => ".",
            "▄" => "_",
            "►" => ">",
            "◄" => "<",
            "▲" => "^",
            "▼" => "v",
            "•" | "≡" => "*",
            "…" | "»" => "~",
            _ => "?",
        }
    }
}

/// What the terminal and the user ask for: `TERM`, `NO_COLOR`, the locale.
pub fn choose(env: impl Fn(&str) -> Option<String>) -> (Theme, Glyphs) {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let term = set("TERM").unwrap_or_default();
    let is_console = term == "linux";
    let is_old = term.is_empty() || term.starts_with("vt") || matches!(term.as_str(), "dumb" | "ansi");
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
    let is_utf8 = locale.to_lowercase().replace('-', "").contains("utf8");
    // The kernel's console draws lines in UTF-8 whatever the locale of a rescue shell says.
    let glyphs = if is_old || !(is_utf8 || is_console) { Glyphs::Ascii } else { Glyphs::Lines };
    let theme = if set("NO_COLOR").is_some() || term == "dumb" {
        Theme::Mono
    } else if is_console || is_old {
        Theme::Console
    } else {
        Theme::Dark
    };
    (theme, glyphs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(vars: &[(&str, &str)]) -> (Theme, Glyphs) {
        choose(|name| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn terminals_get_what_they_can_show() {
        assert_eq!(
            chosen(&[("TERM", "xterm-256color"), ("LANG", "de_DE.UTF-8")]),
            (Theme::Dark, Glyphs::Lines)
        );
        assert_eq!(chosen(&[("TERM", "xterm"), ("LANG", "C")]), (Theme::Dark, Glyphs::Ascii));
        assert_eq!(chosen(&[("TERM", "linux")]), (Theme::Console, Glyphs::Lines));
        assert_eq!(chosen(&[("TERM", "vt100"), ("LANG", "C.UTF-8")]), (Theme::Console, Glyphs::Ascii));
        assert_eq!(chosen(&[("TERM", "linux"), ("NO_COLOR", "1")]).0, Theme::Mono);
        assert_eq!(chosen(&[("TERM", "xterm"), ("NO_COLOR", "")]).0, Theme::Dark);
    }

    /// What colours say must be there without them; and a console has eight.
    #[test]
    fn themes_keep_to_their_colours() {
        const ROLES: [Role; 19] = [
            Role::Text,
            Role::Dim,
            Role::Title,
            Role::Border,
            Role::Selected,
            Role::Good,
            Role::Warn,
            Role::Bad,
            Role::Alarm,
            Role::Name,
            Role::Key,
            Role::Cursor,
            Role::Phase,
            Role::Step,
            Role::Callback,
            Role::Wait,
            Role::Handling,
            Role::Work,
            Role::Path,
        ];
        let eight = [
            Color::Reset,
            Color::Black,
            Color::Red,
            Color::Green,
            Color::Yellow,
            Color::Blue,
            Color::Magenta,
            Color::Cyan,
            Color::White,
        ];
        for role in ROLES {
            let mono = Theme::Mono.style(role);
            assert_eq!((mono.fg, mono.bg), (None, None), "{role:?}");
            let console = Theme::Console.style(role);
            for color in [console.fg, console.bg].into_iter().flatten() {
                assert!(eight.contains(&color), "{role:?}: {color:?}");
            }
        }
    }
}

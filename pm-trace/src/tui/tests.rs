//! What each view shows of traces of real kernels: text and styles apart, at the sizes people have.

use super::action::{ACTIONS, Action, View};
use super::app::{App, Popup, Source, Watching};
use super::keys::Key;
use super::theme::{Glyphs, Theme};
use super::update::Effect;
use super::{config, draw};
use crate::event::{Body, Comm, DeviceInfo, Event, ObjId, Power, Step, TaskRef};
use crate::history::History;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

mod moves;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// A trace, read once for all tests.
fn history(name: &str) -> History {
    static READ: Mutex<BTreeMap<String, History>> = Mutex::new(BTreeMap::new());
    let path = format!("{}/tests/data/traces/{name}.pmtrace", env!("CARGO_MANIFEST_DIR"));
    let mut read = READ.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    read.entry(path.clone()).or_insert_with(|| History::read(&PathBuf::from(path)).unwrap()).clone()
}

fn replay(name: &str) -> App {
    App::new(history(name), Source::file(format!("{name}.pmtrace")))
}

fn stuck() -> App {
    replay("6.1-rescan-deadlock")
}

/// Nothing has happened yet on a machine that is watched.
fn waiting() -> App {
    let watching = Watching {
        hooks: 49,
        skipped: 2,
        took: 812_000_000,
        trace: "'pm-trace-2025-01-31-120000.pmtrace'".to_owned(),
        wake: 30,
        arrived: String::new(),
    };
    App::new(History::default(), Source::Watch(watching))
}

fn screen(app: &mut App, size: (u16, u16)) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, size.0, size.1));
    draw::draw(app, &mut buffer);
    buffer
}

fn text(app: &mut App, size: (u16, u16)) -> String {
    let buffer = screen(app, size);
    let lines = buffer.content.chunks(usize::from(size.0)).map(|cells| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

/// Runs of equal style, for each line: `columns fg bg modifiers`.
fn styles(app: &mut App, size: (u16, u16)) -> String {
    let buffer = screen(app, size);
    let mut out = String::new();
    for (y, cells) in buffer.content.chunks(usize::from(size.0)).enumerate() {
        let mut runs: Vec<(usize, usize, String)> = Vec::new();
        for (x, cell) in cells.iter().enumerate() {
            let style = format!("{:?} on {:?} {:?}", cell.fg, cell.bg, cell.modifier);
            match runs.last_mut() {
                Some((_, end, same)) if *same == style => *end = x,
                _ => runs.push((x, x, style)),
            }
        }
        let plain = "Reset on Reset NONE";
        for (from, to, style) in runs.into_iter().filter(|(_, _, style)| style != plain) {
            out += &format!("{y:>2}:{from}-{to} {style}\n");
        }
    }
    out
}

fn press(app: &mut App, keys: &str) -> Option<Effect> {
    let mut effect = None;
    for key in keys.split(' ') {
        effect = app.key(Key::parse(key).unwrap());
    }
    effect
}

fn show(app: &mut App, view: View) {
    app.act(Action::Show(view));
}

#[test]
fn every_view_of_a_stuck_resume_at_every_size() {
    for view in View::ALL {
        for size in SIZES {
            let mut app = stuck();
            show(&mut app, view);
            insta::assert_snapshot!(
                format!("stuck_{}_{}x{}", view.name(), size.0, size.1),
                text(&mut app, size)
            );
        }
    }
}

/// In the middle of a suspend, with devices on their way.
fn middle() -> App {
    let mut app = replay("6.12-healthy");
    app.seek(2500);
    app
}

#[test]
fn every_view_while_waiting_in_the_middle_and_at_the_end() {
    type Open = fn() -> App;
    let states: [(&str, Open); 3] =
        [("empty", waiting), ("middle", middle), ("finished", || replay("6.12-rescan-guarded"))];
    for (name, state) in states {
        for view in View::ALL {
            let mut app = state();
            show(&mut app, view);
            insta::assert_snapshot!(format!("{name}_{}", view.name()), text(&mut app, SIZES[0]));
            for size in &SIZES[1..] {
                let name = format!("{name}_{}_{}x{}", view.name(), size.0, size.1);
                insta::assert_snapshot!(name, text(&mut app, *size));
            }
        }
    }
}

/// Text says what is shown, this says how: each view in one theme, and each theme once below.
#[test]
fn the_styles_of_every_view() {
    for view in View::ALL {
        let mut app = stuck();
        show(&mut app, view);
        insta::assert_snapshot!(format!("styles_of_{}", view.name()), styles(&mut app, SIZES[0]));
    }
}

/// A machine that is watched.
fn watched() -> App {
    App::new(History::default(), waiting().source)
}

/// The events of a trace, as a drain brings them.
fn drain(name: &str) -> Vec<Event> {
    let history = history(name);
    (0..history.log().len()).map(|number| history.log().event(number).unwrap()).collect()
}

#[test]
fn the_cycles_of_a_watched_machine() {
    let mut app = watched();
    assert!(app.drained(drain("6.12-healthy"), false));
    assert_eq!(app.view, View::Overview);
    insta::assert_snapshot!(text(&mut app, SIZES[0]));
}

#[test]
fn every_theme() {
    for theme in Theme::ALL {
        let mut app = stuck();
        app.theme = theme;
        show(&mut app, View::Waits);
        insta::assert_snapshot!(format!("styles_{}", theme.name()), styles(&mut app, SIZES[0]));
    }
}

/// A theme changes colours and nothing else.
#[test]
fn themes_show_the_same_text() {
    for view in View::ALL {
        let texts = Theme::ALL.map(|theme| {
            let mut app = stuck();
            app.theme = theme;
            show(&mut app, view);
            text(&mut app, SIZES[1])
        });
        assert!(texts.iter().all(|text| *text == texts[0]), "{view:?}");
    }
}

#[test]
fn consoles_without_glyphs_get_ascii() {
    for view in View::ALL {
        let mut app = stuck();
        app.glyphs = Glyphs::Ascii;
        show(&mut app, view);
        let shown = text(&mut app, SIZES[0]);
        assert!(shown.is_ascii(), "{shown}");
        insta::assert_snapshot!(format!("ascii_{}", view.name()), shown);
    }
}

/// What is drawn for lines must be in the font of a VGA console, code page 437.
#[test]
fn glyphs_are_those_of_a_kernel_console() {
    const CP437: &str = "─│┌┐└┘├┤┬┴┼█▓▒░▄►◄▲▼•·√═║≡»";
    for view in View::ALL {
        let mut app = stuck();
        show(&mut app, view);
        let shown = text(&mut app, SIZES[2]) + &text(&mut app, (61, 17));
        let strange: String = shown.chars().filter(|c| !c.is_ascii() && !CP437.contains(*c)).collect();
        assert_eq!(strange, "", "{view:?}");
    }
}

#[test]
fn too_small_and_tiny() {
    insta::assert_snapshot!(text(&mut stuck(), (50, 12)));
    let told = text(&mut stuck(), (50, 12));
    for view in View::ALL {
        let mut app = stuck();
        show(&mut app, view);
        assert_eq!(text(&mut app, (50, 12)), told, "{view:?}");
    }
    for size in [(0, 0), (1, 1), (2, 3), (59, 16), (60, 15), (60, 16), (500, 16), (60, 300)] {
        for view in View::ALL {
            let mut app = stuck();
            show(&mut app, view);
            press(&mut app, "?");
            screen(&mut app, size);
        }
    }
}

#[test]
fn popups() {
    let mut app = stuck();
    press(&mut app, "3 down down down");
    press(&mut app, "enter");
    insta::assert_snapshot!("popup_wait", text(&mut app, SIZES[0]));
    press(&mut app, "esc d enter");
    insta::assert_snapshot!("popup_device", text(&mut app, SIZES[1]));
    press(&mut app, "esc 6 / x : y enter");
    insta::assert_snapshot!("popup_filter", text(&mut app, SIZES[0]));
    let mut app = waiting();
    press(&mut app, "s");
    insta::assert_snapshot!("popup_suspend", text(&mut app, SIZES[0]));
}

#[test]
fn help_names_every_action_that_applies() {
    for view in View::ALL {
        let mut app = waiting();
        show(&mut app, view);
        press(&mut app, "?");
        let shown = text(&mut app, (120, 100));
        for spec in ACTIONS.iter().filter(|spec| spec.place.has(view)) {
            assert!(shown.contains(spec.words), "{view:?}: {}", spec.words);
        }
    }
}

/// The footer says what to press next, whatever the width, and always how to get help.
#[test]
fn footers_tell_what_to_press() {
    for view in View::ALL {
        for width in [60, 80, 200] {
            let mut app = stuck();
            show(&mut app, view);
            let shown = text(&mut app, (width, 24));
            let footer = shown.lines().last().unwrap();
            assert!(footer.ends_with("? help  q quit"), "{footer}");
            assert!(footer.contains("enter open"), "{footer}");
        }
    }
}

/// From the first screen to the root cause: it is there at once, and the chain is one key away.
#[test]
fn the_root_cause_is_at_most_five_keys_away() {
    let mut app = stuck();
    let first = text(&mut app, SIZES[0]);
    assert!(first.contains("LOCKUP  resume stuck"), "{first}");
    press(&mut app, "w");
    let chain = text(&mut app, SIZES[0]);
    for part in
        ["device lock of 1:0:0:0", "scsi_rescan_device", "request queue of 1:0:0:0", "closes the cycle"]
    {
        assert!(chain.contains(part), "{part}: {chain}");
    }
    press(&mut app, "down down down enter");
    let stack = text(&mut app, SIZES[1]);
    assert!(stack.contains("blk_queue_enter") && stack.contains("queued by scsi_eh_1"), "{stack}");
}

#[test]
fn docs_list_the_keys_of_the_table() {
    if std::env::var_os("PM_TRACE_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tui.md");
        let docs = std::fs::read_to_string(path).unwrap();
        let (head, rest) = docs.split_once("<!-- keys -->\n").unwrap();
        let (_, tail) = rest.split_once("<!-- end of keys -->").unwrap();
        let keys = config::keys_markdown();
        std::fs::write(path, format!("{head}<!-- keys -->\n{keys}<!-- end of keys -->{tail}")).unwrap();
        return;
    }
    let docs = include_str!("../../../docs/tui.md");
    assert!(docs.contains(&config::keys_markdown()), "docs/tui.md should hold:\n{}", config::keys_markdown());
}

/// What README.md and docs/tui.md show is what the program draws; `cargo xtask pictures` draws it anew.
#[test]
fn pictures_are_what_the_view_draws() {
    for view in [View::Overview, View::Devices, View::Waits, View::Timeline, View::Findings, View::Events] {
        let mut app = stuck();
        show(&mut app, view);
        let drawn = super::picture::svg(&mut app, 120, 32);
        let name = view.name().to_lowercase();
        let path = format!("{}/../docs/pictures/{name}.svg", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("PM_TRACE_BLESS").is_some() {
            std::fs::create_dir_all(PathBuf::from(&path).parent().unwrap()).unwrap();
            std::fs::write(&path, &drawn).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == drawn, "docs/pictures/{name}.svg is not what the view draws: 'cargo xtask pictures'");
    }
}

/// Names come from the kernel or a file: they must neither act on the terminal nor push others out of line.
#[test]
fn hostile_names_stay_in_their_cells() {
    let mut history = History::default();
    let names =
        ["\x1b[2J\x1b]0;x\x07", "日本語のデバイス名前が長い", "e\u{301}\u{202e}abc", "\u{200b}\n\tx", ""];
    let task = TaskRef { tid: 1, comm: Comm::new("\x1b[31m") };
    let mut push = |time, body| history.push(&Event { time, cpu: 0, task, body });
    push(1, Body::Phase { action: "dpm_suspend".to_owned(), value: 2, start: true });
    for (n, name) in (1..).zip(names) {
        let info = DeviceInfo {
            dev: ObjId(n),
            parent: (n > 1).then(|| ObjId(n - 1)),
            name: name.to_owned(),
            bus: name.to_owned(),
            class: String::new(),
            driver: name.to_owned(),
            power: Power(0),
            lock: None,
            completion: None,
            links_left: 0,
        };
        push(u64::from(n) * 10, Body::Device(info));
        let step = Body::StepStart { dev: ObjId(n), step: Step::Suspend, is_async: true, power: Power(0) };
        push(u64::from(n) * 10 + 1, step);
    }
    let mut app = App::new(history, Source::file("\x1b[2J.pmtrace"));
    for view in View::ALL {
        show(&mut app, view);
        press(&mut app, "enter");
        let buffer = screen(&mut app, SIZES[0]);
        for cell in &buffer.content {
            assert!(!cell.symbol().chars().any(crate::text::is_unsafe), "{view:?}: {:?}", cell.symbol());
        }
        press(&mut app, "esc");
    }
    show(&mut app, View::Devices);
    insta::assert_snapshot!(text(&mut app, SIZES[0]));
}

//! What keys, time and the mouse bring about.

use super::*;
use crate::diagnose::{Finding, Severity};
use ratatui::crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// Going back in time shows devices as they were, in every view.
#[test]
fn the_cursor_moves_every_view() {
    let mut app = stuck();
    show(&mut app, View::Devices);
    let at_end = text(&mut app, SIZES[0]);
    press(&mut app, "g");
    assert!(app.scene.findings.is_empty());
    assert_ne!(text(&mut app, SIZES[0]), at_end);
    press(&mut app, "n");
    assert_eq!(app.scene.findings.len(), 1, "{}", app.message.text);
    assert_eq!(app.scene.waits.cycles, 1);
    press(&mut app, ",");
    assert_eq!(app.scene.waits.cycles, 0, "the event before, the cycle was not closed");
    press(&mut app, "G");
    assert_eq!(text(&mut app, SIZES[0]).lines().nth(5), at_end.lines().nth(5));
}

#[test]
fn time_plays_until_the_end() {
    let mut app = stuck();
    press(&mut app, "g space");
    assert!(app.play.is_some());
    let before = app.cursor;
    assert!(app.tick(500_000_000));
    assert!(app.cursor > before && app.play.is_some());
    for _ in 0..100 {
        app.tick(1_000_000_000);
    }
    assert_eq!((app.play, app.is_at_end()), (None, true));
    assert!(!app.tick(1_000_000_000));
}

#[test]
fn jumps_lead_there_and_back() {
    let mut app = stuck();
    press(&mut app, "3 d");
    assert_eq!(app.view, View::Devices);
    assert_eq!(app.selected_device(), app.found[0].devices.first().map(|dev| ObjId(dev.id)));
    press(&mut app, "w");
    assert_eq!(app.view, View::Waits);
    assert_eq!(app.list().selected, 0);
    press(&mut app, "t");
    assert_eq!(app.view, View::Timeline);
    assert!(app.selected_device().is_some());
    press(&mut app, "e");
    assert_eq!((app.view, app.event_filter.as_str()), (View::Events, "dev:1:0:0:0"));
    assert!(app.lines() > 10 && app.lines() < app.history.log().len());
    press(&mut app, "esc");
    assert_eq!(app.lines(), app.history.log().len());
}

#[test]
fn devices_are_filtered_folded_and_ordered() {
    let mut app = stuck();
    press(&mut app, "2 / s t a t e : w a i t e d enter");
    let found: Vec<_> = app.scene.devices.iter().filter(|row| row.waited_on > 0).collect();
    assert_eq!(found.len(), 1);
    assert!(app.scene.devices.len() < 12, "with its ancestors only");
    press(&mut app, "esc");
    let all = app.lines();
    press(&mut app, "z");
    assert!(app.lines() < all && app.scene.devices.iter().all(|row| row.depth == 0));
    press(&mut app, "z");
    assert_eq!(app.lines(), all);
    press(&mut app, "o");
    let times: Vec<u64> = app.scene.devices.iter().map(|row| row.standing.callback).collect();
    assert!(times.is_sorted_by(|a, b| a >= b) && times[0] > 0);
    press(&mut app, "o");
    assert!(app.scene.devices[0].waited_on > 0, "what is stuck comes first");
}

#[test]
fn findings_leave_the_screen() {
    let mut app = stuck();
    let Some(Effect::Copy(copied)) = press(&mut app, "5 y") else { panic!() };
    assert!(copied.starts_with("LOCKUP"));
    let Some(Effect::Save { name, text }) = press(&mut app, "X") else { panic!() };
    assert!(name.ends_with(".json"));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["kind"], "deadlock");
    assert_eq!(press(&mut replay("6.1-healthy"), "5 y"), None);
}

/// Nothing but an explicit yes suspends a machine.
#[test]
fn suspending_asks_first() {
    assert_eq!(press(&mut waiting(), "s y"), Some(Effect::Suspend));
    for no in ["s n", "s esc", "s q", "s s"] {
        assert_eq!(press(&mut waiting(), no), None, "{no}");
    }
    assert_eq!(press(&mut stuck(), "s"), None, "a recorded trace suspends nothing");
    assert!(press(&mut waiting(), "q") == Some(Effect::Quit));
}

fn mouse(kind: MouseEventKind, column: u16, row: u16) -> MouseEvent {
    MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }
}

#[test]
fn the_mouse_selects_scrolls_and_turns_tabs() {
    let mut app = stuck();
    screen(&mut app, SIZES[0]);
    let x = u16::try_from(text(&mut app, SIZES[0]).lines().next().unwrap().find("Events").unwrap()).unwrap();
    app.mouse(mouse(MouseEventKind::Down(MouseButton::Left), x, 0));
    assert_eq!(app.view, View::Events);
    screen(&mut app, SIZES[0]);
    let before = app.cursor;
    app.mouse(mouse(MouseEventKind::ScrollUp, 5, 10));
    assert_eq!(app.cursor, before - 3);
    show(&mut app, View::Devices);
    screen(&mut app, SIZES[0]);
    let list = app.hits.list;
    app.mouse(mouse(MouseEventKind::Down(MouseButton::Left), 5, list.y + 2));
    assert_eq!(app.list().selected, app.list().offset + 2);
    app.mouse(mouse(MouseEventKind::Down(MouseButton::Left), 5, list.y + 2));
    assert!(matches!(app.popups.last(), Some(Popup::Detail { .. })));
}

/// With one finding there is nothing to choose among: arrows and wheel read on, and stop at the end.
#[test]
fn a_long_finding_is_read_with_arrows_and_wheel() {
    let mut app = stuck();
    show(&mut app, View::Findings);
    let first = text(&mut app, SIZES[0]);
    press(&mut app, "down");
    assert_ne!(text(&mut app, SIZES[0]), first);
    press(&mut app, "up");
    assert_eq!(text(&mut app, SIZES[0]), first);
    for _ in 0..100 {
        app.mouse(mouse(MouseEventKind::ScrollDown, 5, 15));
        screen(&mut app, SIZES[0]);
    }
    assert!(text(&mut app, SIZES[0]).contains("times      count"), "{}", text(&mut app, SIZES[0]));
    press(&mut app, "up");
    let almost = text(&mut app, SIZES[0]);
    assert!(!almost.contains("» 1 line more"), "{almost}");
    press(&mut app, "home");
    assert_eq!(text(&mut app, SIZES[0]), first);
}

/// Whoever scrolled beyond the end of a popup is back with one key.
#[test]
fn popups_do_not_scroll_beyond_their_end() {
    let mut app = stuck();
    press(&mut app, "?");
    for _ in 0..50 {
        press(&mut app, "pagedown");
        screen(&mut app, SIZES[0]);
    }
    let end = text(&mut app, SIZES[0]);
    press(&mut app, "up");
    assert_ne!(text(&mut app, SIZES[0]), end);
}

/// The part of the resume that everything waits for stands at the top of the timeline, marked.
#[test]
fn the_critical_path_is_marked_in_the_timeline() {
    let mut app = replay("6.12-rescan-guarded");
    show(&mut app, View::Timeline);
    let shown = text(&mut app, SIZES[1]);
    let lane = shown.lines().find(|line| line.contains("slow_supplier")).unwrap();
    assert!(lane.starts_with('≡') && lane.contains("≡≡≡≡≡≡≡≡"), "{shown}");
    let place = |text: &str| shown.lines().position(|line| line.contains(text)).unwrap();
    assert!(place("slow_supplier") < place(" platform "), "{shown}");
    while !text(&mut app, SIZES[1]).contains("slow_supplier (slow_supplier) at ") {
        press(&mut app, "down");
    }
    let told = text(&mut app, SIZES[1]);
    assert!(told.contains("critical for dpm_resume with 3.0"), "{told}");
}

/// A watched machine is looked at suspend by suspend: an old lockup is no alarm for the last one.
#[test]
fn the_last_suspend_is_what_watching_is_about() {
    let mut app = watched();
    app.drained(drain("6.1-pmlab-abba"), false);
    let number = app.history.head().transition().unwrap().number;
    let bad = |app: &App| app.worst().is_some_and(|worst| worst.severity > Severity::Info);
    let last_is_bad = app.found.iter().any(|found| found.cycle == number && found.severity > Severity::Info);
    assert_eq!(bad(&app), last_is_bad);
    assert_eq!(app.view == View::Findings, last_is_bad);
    // The same recording, opened as a file, is about the worst of all.
    let replayed = replay("6.1-pmlab-abba");
    assert_eq!(replayed.worst().map(Finding::id), replayed.found.first().map(Finding::id));
    assert!(bad(&replayed), "the lockup that was broken is told");
}

/// Somebody else may have written on the screen, whatever stands in front.
#[test]
fn the_screen_can_be_drawn_anew() {
    let mut app = stuck();
    assert_eq!(press(&mut app, "ctrl-l"), Some(Effect::Redraw));
    assert_eq!(press(&mut app, "? ctrl-l"), Some(Effect::Redraw));
    assert!(!app.popups.is_empty(), "what is open stays open");
}

/// After the thaw one drain brings a whole cycle: it is one update, and so one frame, at what is worst in it, wherever
/// somebody was looking. Without news nothing is drawn.
#[test]
fn a_drain_is_one_update_and_shows_the_worst_of_its_cycle() {
    let mut app = watched();
    press(&mut app, "2 ?");
    let events = drain("6.1-pmlab-race");
    assert!(app.drained(events.clone(), false));
    let (whole, worst) = (app.history.log().len(), app.worst().cloned());
    assert_eq!((whole, app.cursor, app.follow, app.shown), (events.len(), events.len(), true, 1));
    assert!(app.popups.is_empty(), "nothing stands in front of it");
    assert!(worst.as_ref().is_some_and(|worst| worst.severity > Severity::Info), "{worst:?}");
    assert_eq!((app.view, app.finding()), (View::Findings, worst.as_ref()));
    assert!(!app.drained([], false), "nothing came");
    // Whoever looks at something else is not torn away by what belongs to no new cycle.
    press(&mut app, "6");
    let task = TaskRef { tid: 5, comm: Comm::new("late") };
    let time = app.history.log().time(whole) + 1;
    let late = Event { time, cpu: 0, task, body: Body::Lost { records: 1, hook: "x".to_owned() } };
    assert!(app.drained([late], false));
    assert_eq!((app.view, app.shown), (View::Events, 1));
}

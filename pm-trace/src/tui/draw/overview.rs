//! Overview: where the transition is, what is waited for, what is wrong; what to do while nothing happens.

use super::Canvas;
use crate::diagnose::{self, Outcome, PhaseSummary, Severity, relative, seconds};
use crate::report;
use crate::tui::app::{App, Source, Watching};
use crate::tui::theme::Role;
use ratatui::layout::Rect;

/// Phases that are shown as parts of the bar, with short names.
const PHASES: [(&str, &str); 8] = [
    ("dpm_prepare", "prepare"),
    ("dpm_suspend", "suspend"),
    ("dpm_suspend_late", "late"),
    ("dpm_suspend_noirq", "noirq"),
    ("dpm_resume_noirq", "noirq"),
    ("dpm_resume_early", "early"),
    ("dpm_resume", "resume"),
    ("dpm_complete", "complete"),
];

pub(super) fn draw(app: &mut App, canvas: &mut Canvas<'_>, area: Rect) {
    let app = &*app;
    if app.history.log().is_empty() {
        match &app.source {
            Source::Watch(watching) => {
                waiting(app, watching, canvas, area);
            }
            _ => {
                canvas.put(area.x + 1, area.y, area.width - 1, "The trace holds no events.", Role::Dim);
            }
        }
        return;
    }
    let mut rest = phases(app, canvas, area);
    if let Source::Watch(watching) = &app.source {
        rest = waiting_line(app, watching, canvas, rest);
    }
    rest = devices(app, canvas, rest);
    // What is wrong and what is waited for share what is left.
    let health = 3;
    let wrong = finding(app, canvas, Rect { height: rest.height.saturating_sub(health), ..rest });
    let rest = Rect { y: rest.y + wrong, height: rest.height - wrong, ..rest };
    let used = waits(app, canvas, Rect { height: rest.height.saturating_sub(health), ..rest });
    let rest = Rect { y: rest.y + used, height: rest.height - used, ..rest };
    let used = slowest(app, canvas, Rect { height: rest.height.saturating_sub(health), ..rest });
    let rest = Rect { y: rest.y + used, height: rest.height - used, ..rest };
    trace(app, canvas, rest);
}

fn below(area: Rect, used: u16) -> Rect {
    let used = used.min(area.height);
    Rect { y: area.y + used, height: area.height - used, ..area }
}

/// The cycle that the cursor is in.
fn cycle(app: &App) -> Option<diagnose::CycleSummary> {
    diagnose::cycles(app.model()).pop()
}

fn phases(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
    let Some(cycle) = cycle(app) else {
        let inner = canvas.title(area, "transition");
        canvas.put(inner.x + 1, inner.y, inner.width - 1, "none has begun at this moment", Role::Dim);
        return below(area, 3);
    };
    let took = seconds(cycle.took);
    let how = match cycle.outcome {
        Outcome::Resumed => format!("resumed, {took} in all"),
        Outcome::Suspending => format!("on its way down for {took}"),
        Outcome::Resuming => format!("on its way up; {took} since it began"),
        Outcome::Aborted => format!("given up after {took}"),
    };
    canvas.title(area, &format!("suspend {}: {how}", cycle.number));
    let known: Vec<(&PhaseSummary, &str)> = cycle
        .phases
        .iter()
        .filter_map(|phase| {
            let name = PHASES.iter().find(|(action, _)| *action == phase.action)?.1;
            Some((phase, name))
        })
        .collect();
    bar(app, canvas, Rect { y: area.y + 1, height: 2, ..area }, &known);
    below(area, 3)
}

/// A block for each phase: its name above, its time below. Widths tell the order, not the time: a bar to
/// scale would be one long phase and seven that nobody sees.
fn bar(app: &App, canvas: &mut Canvas<'_>, area: Rect, phases: &[(&PhaseSummary, &str)]) {
    let count = u16::try_from(PHASES.len()).unwrap_or(8);
    let width = ((area.width - 2) / count).clamp(7, 16);
    let now = app.now();
    for (place, (action, name)) in PHASES.iter().enumerate() {
        let x = area.x + 1 + width * u16::try_from(place).unwrap_or(0);
        let run = phases.iter().rev().find(|(phase, _)| phase.action == *action).map(|(phase, _)| *phase);
        let (sign, role, time) = match run {
            None => ("·", Role::Dim, String::new()),
            Some(PhaseSummary { took: Some(took), .. }) => ("√", Role::Good, seconds(*took)),
            Some(phase) => ("►", Role::Bad, seconds(now.saturating_sub(phase.start))),
        };
        let last = u16::from(place + 1 == PHASES.len());
        canvas.put(x, area.y, width - 1 + last, &format!("{sign}{name}"), role);
        canvas.put(x, area.y + 1, width - 1, &format!(" {time}"), Role::Dim);
    }
}

fn devices(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
    let inner = canvas.title(area, "devices");
    let mut x = inner.x + 1;
    for (state, count) in &app.scene.states {
        let role = match state {
            diagnose::DeviceState::Failed(_) | diagnose::DeviceState::In(_) => Role::Bad,
            state if state.is_down() => Role::Warn,
            _ => Role::Good,
        };
        x = canvas.put(x, inner.y, inner.right().saturating_sub(x), &count.to_string(), role);
        x = canvas.put(x + 1, inner.y, inner.right().saturating_sub(x + 1), state.words(), Role::Text) + 2;
    }
    let waited = app.scene.waits.waited_on.len();
    if waited > 0 {
        canvas.put(x, inner.y, inner.right().saturating_sub(x), &format!("!{waited} waited for"), Role::Bad);
    }
    below(area, 2)
}

/// The worst finding, in the words of the report. Returns how many lines it took.
fn finding(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let Some(finding) = app.worst() else {
        canvas.title(area, "findings");
        let told = match cycle(app).map(|cycle| cycle.outcome) {
            Some(Outcome::Resumed) => ("√ nothing wrong was found", Role::Good),
            _ => ("nothing was found so far", Role::Text),
        };
        canvas.put(area.x + 1, area.y + 1, area.width - 1, told.0, told.1);
        return 2.min(area.height);
    };
    let more = app.scene.findings.len() - 1;
    let more = if more > 0 { format!(", {more} more") } else { String::new() };
    let inner = canvas.title(area, &format!("worst finding{more}"));
    let columns = usize::from(inner.width.saturating_sub(1));
    let text = report::verdict_in(finding, columns);
    let bad = finding.severity > Severity::Info;
    let mut y = inner.y;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if y >= inner.bottom() {
            // There is more: the last line says where.
            let told = format!("  » {} shows all of it", app.keymap.first(crate::tui::action::Action::Open));
            canvas.put(inner.x, inner.bottom() - 1, inner.width, &" ".repeat(columns), Role::Dim);
            canvas.put(inner.x, inner.bottom() - 1, inner.width, &told, Role::Key);
            break;
        }
        let role = super::findings::role_of(line, bad);
        canvas.put(inner.x, y, inner.width, line, role);
        y += 1;
    }
    (y - area.y).min(area.height)
}

fn waits(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let rows = &app.scene.waits.rows;
    let heads: Vec<usize> = (0..rows.len()).filter(|&n| rows[n].relation.is_none()).collect();
    let over = app.model().transition().is_none_or(crate::model::Transition::is_complete);
    if over || area.height < 3 || app.worst().is_some_and(|finding| finding.severity > Severity::Info) {
        return 0;
    }
    let inner = canvas.title(area, &format!("waiting now: {}", heads.len()));
    if heads.is_empty() {
        canvas.put(inner.x + 1, inner.y, inner.width - 1, "nobody", Role::Dim);
        return 2;
    }
    let mut y = inner.y;
    for &head in heads.iter().take(usize::from(inner.height)) {
        let told = rows.get(head + 1).map_or(String::new(), |row| {
            let since =
                row.since.map(|at| format!(" since {}", relative(app.base(), at))).unwrap_or_default();
            format!(" waits for {}{since}", row.party.label)
        });
        canvas.put(inner.x + 1, y, inner.width - 1, &format!("{}{told}", rows[head].party.label), Role::Text);
        y += 1;
    }
    y - area.y
}

fn slowest(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let Some(cycle) = cycle(app).filter(|cycle| !cycle.slowest.is_empty() && area.height > 2) else {
        return 0;
    };
    let inner = canvas.title(area, "slowest callbacks");
    let mut y = inner.y;
    for step in cycle.slowest.iter().take(usize::from(inner.height).min(5)) {
        let told = format!("{:>9}  {} of {}", seconds(step.callback), step.step, step.device.name);
        canvas.put(inner.x + 1, y, inner.width - 1, &told, Role::Text);
        y += 1;
    }
    y - area.y
}

/// Loss, probes, damage of the file.
fn trace(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 2 {
        return;
    }
    let inner = canvas.title(area, "trace");
    let loss = app.model().loss();
    let lost = loss.lost + loss.undecoded;
    let (text, role) = if lost > 0 {
        (
            format!(
                "{} lost, {} unreadable: what is said may be incomplete",
                super::count(usize::try_from(loss.lost).unwrap_or(usize::MAX), "record"),
                loss.undecoded
            ),
            Role::Bad,
        )
    } else {
        ("no record lost".to_owned(), Role::Good)
    };
    let mut x = canvas.put(inner.x + 1, inner.y, inner.width - 1, &text, role) + 2;
    if let Some(session) = app.history.session() {
        let missing = session.probes.iter().filter(|probe| probe.place.is_none()).count();
        let all = session.probes.len();
        let (text, role) = if missing > 0 {
            (format!("{missing} of {all} hooks {} no place on this kernel", have(missing)), Role::Warn)
        } else {
            (format!("all {all} hooks attached"), Role::Good)
        };
        x = canvas.put(x, inner.y, inner.right().saturating_sub(x), &text, role) + 2;
    }
    let notes = app.history.notes();
    if let Some(note) = notes.first() {
        let more = if notes.len() > 1 { format!(" (and {} more)", notes.len() - 1) } else { String::new() };
        let room = usize::from(inner.width.saturating_sub(1)).saturating_sub(more.len());
        let note = in_clauses(note, room);
        if inner.height > 1 {
            canvas.put(inner.x + 1, inner.y + 1, inner.width - 1, &format!("{note}{more}"), Role::Warn);
        } else {
            canvas.put(x, inner.y, inner.right().saturating_sub(x), &format!("{note}{more}"), Role::Warn);
        }
    }
}

/// As many whole clauses of a note as there is room for; the report has the rest.
fn in_clauses(note: &str, room: usize) -> String {
    let mut told = note;
    while told.chars().count() > room
        && let Some((before, _)) = told.rsplit_once("; ")
    {
        told = before;
    }
    told.to_owned()
}

fn have(number: usize) -> &'static str {
    if number == 1 { "has" } else { "have" }
}

fn armed(watching: &Watching) -> String {
    let missing = match watching.skipped {
        0 => String::new(),
        skipped => format!(", {skipped} {} no place on this kernel", have(skipped)),
    };
    format!("armed in {}: {} hooks{missing}", seconds(watching.took), watching.hooks)
}

/// Nothing was recorded yet: how to suspend now.
fn waiting(app: &App, watching: &Watching, canvas: &mut Canvas<'_>, area: Rect) {
    let inner = canvas.title(area, "waiting for a suspend, however it starts");
    let key = app.keymap.first(crate::tui::action::Action::Suspend);
    let lines = [
        (armed(watching), Role::Good),
        (format!("trace in {}", watching.trace), Role::Text),
        (String::new(), Role::Text),
        ("To suspend now:".to_owned(), Role::Title),
        (
            format!("  {key}   suspends to RAM and wakes after {} s by the real-time clock", watching.wake),
            Role::Text,
        ),
        ("  or close the lid, or run 'systemctl suspend' elsewhere".to_owned(), Role::Text),
        (String::new(), Role::Text),
        ("What happens then is shown here when the machine is back.".to_owned(), Role::Text),
        ("If it does not come back: on a kernel console,".to_owned(), Role::Dim),
        ("'pm-trace suspend --live --tui' stays awake and shows why.".to_owned(), Role::Dim),
    ];
    for (place, (text, role)) in lines.iter().enumerate().take(usize::from(inner.height)) {
        canvas.put(inner.x + 1, inner.y + u16::try_from(place).unwrap_or(0), inner.width - 1, text, *role);
    }
}

/// The last cycles with their verdicts, while waiting for the next one.
fn waiting_line(app: &App, watching: &Watching, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
    const SHOWN: usize = 4;
    let cycles = diagnose::cycles(app.history.head());
    let key = app.keymap.first(crate::tui::action::Action::Suspend);
    let inner =
        canvas.title(area, &format!("waiting for the next suspend ({key} starts one); the last ones"));
    let mut y = inner.y;
    for cycle in cycles.iter().rev().take(SHOWN) {
        let found = app.found.iter().find(|finding| finding.cycle == cycle.number);
        let (verdict, role) = match (found, cycle.outcome) {
            (Some(finding), _) if finding.severity > Severity::Info => {
                (report::in_a_line(finding), Role::Bad)
            }
            (Some(finding), _) => (report::in_a_line(finding), Role::Text),
            (None, Outcome::Resumed) => ("√ nothing wrong".to_owned(), Role::Good),
            (None, _) => ("did not get as far as suspending devices".to_owned(), Role::Warn),
        };
        let told = format!("{:>4}  {:>9}  {verdict}", cycle.number, seconds(cycle.took));
        canvas.put(inner.x + 1, y, inner.width - 1, &told, role);
        y += 1;
    }
    if !watching.arrived.is_empty() {
        canvas.put(inner.x + 1, y, inner.width - 1, &watching.arrived, Role::Dim);
        y += 1;
    }
    below(area, y - area.y)
}

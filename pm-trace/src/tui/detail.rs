//! What opening something shows: a task that waits, a device, an event, a lane.

use super::action::{Action, View};
use super::app::App;
use super::theme::Role;
use super::update::lines;
use crate::diagnose::{Node, WaitRow, device_name, narrate, relative, seconds, stack_of, standing};
use crate::event::{ObjId, Step, step_label};
use crate::history::Lane;
use crate::model::{Link, Model};

/// Lines with what they are drawn as.
pub type Lines = Vec<(Role, String)>;

/// Most bars of a lane that are listed.
const BARS: usize = 200;

/// Title and lines about what is selected; `None` if nothing is.
pub fn of(app: &App) -> Option<(String, Lines)> {
    match app.view {
        View::Waits => {
            let row = app.scene.waits.rows.get(app.list().selected)?;
            Some((row.party.label.clone(), wait(app, row)))
        }
        View::Devices => {
            let dev = app.selected_device()?;
            Some((device_name(app.model(), dev), device(app, dev)))
        }
        View::Events => event(app),
        View::Timeline => {
            let lane = *app.scene.lanes.get(app.list().selected)?;
            Some((app.history.lane_name(lane), bars(app, lane)))
        }
        View::Overview | View::Findings => None,
    }
}

/// About a node of the wait-for graph.
pub fn wait(app: &App, row: &WaitRow) -> Lines {
    let mut out = Lines::new();
    if let Some(task) = &row.party.task {
        out.push((Role::Name, format!("task {} (thread {})", task.comm, task.tid)));
    }
    if let Some(device) = &row.party.device {
        out.push((Role::Name, format!("device {} {}", device.name, device.sort())));
    }
    if let (Some(_), Some(since)) = (row.relation, row.since) {
        let lasted = seconds(app.now().saturating_sub(since));
        out.push((
            Role::Text,
            format!("holds up the line above since {}, for {lasted}", relative(app.base(), since)),
        ));
    }
    out.extend(lines(Role::Text, row.notes.iter().cloned()));
    if let Some(origin) = &row.origin {
        out.push((Role::Text, format!("runs {origin}")));
    }
    if let Some(doubt) = &row.doubt {
        out.push((Role::Warn, format!("not beyond doubt: {doubt}")));
    }
    if row.in_cycle {
        out.push((Role::Bad, "part of a cycle: it can never go on".to_owned()));
    }
    if let Node::Step(dev, _) = row.node {
        out.extend(device(app, dev));
    }
    if !row.stack.is_empty() {
        out.push((Role::Title, "kernel stack, innermost first".to_owned()));
        out.extend(lines(Role::Text, row.stack.iter().map(|frame| format!("  {frame}"))));
    }
    if !row.evidence.is_empty() {
        let numbers: Vec<String> = row.evidence.iter().map(|at| at.event.to_string()).collect();
        out.push((Role::Dim, format!("says event {}", numbers.join(", "))));
    }
    out
}

/// About a device: identity, links, steps.
pub fn device(app: &App, dev: ObjId) -> Lines {
    let model = app.model();
    let Some(device) = model.device(dev) else {
        return lines(Role::Dim, ["not known at this moment".to_owned()]);
    };
    let now = standing(model, device);
    let mut out = Lines::new();
    if let Some(info) = &device.info {
        let or = |text: &String| if text.is_empty() { "none".to_owned() } else { text.clone() };
        out.push((
            Role::Text,
            format!("driver {}, bus {}, class {}", or(&info.driver), or(&info.bus), or(&info.class)),
        ));
        let parent = info.parent.map_or("none".to_owned(), |parent| device_name(model, parent));
        out.push((Role::Text, format!("parent {parent}")));
    }
    let since = now.since.map(|since| format!(" since {}", relative(app.base(), since))).unwrap_or_default();
    out.push((Role::Title, format!("{}{since}", now.state.words())));
    if let Some(&count) = app.scene.waits.waited_on.get(&dev) {
        out.push((Role::Bad, format!("{count} waiting for it")));
    }
    out.extend(steps(app, model, dev));
    out.extend(links(model, dev));
    out
}

fn steps(app: &App, model: &Model, dev: ObjId) -> Lines {
    let Some(device) = model.device(dev) else { return Lines::new() };
    let runs = Step::ALL.iter().filter_map(|&step| Some((step, device.step(step)?)));
    let told = runs.map(|(step, run)| {
        let took =
            run.end.map_or("not ended".to_owned(), |end| seconds(end.time.saturating_sub(run.start.time)));
        let callback = match (run.callback, run.callback_end) {
            (Some(start), Some(end)) => {
                format!(", callback {}", seconds(end.time.saturating_sub(start.time)))
            }
            (Some(_), None) => ", in its callback".to_owned(),
            _ => String::new(),
        };
        let how = if run.is_async { "async" } else { "sync" };
        let error = if run.error == 0 { String::new() } else { format!(", failed with {}", run.error) };
        let role = if run.error != 0 || run.end.is_none() { Role::Bad } else { Role::Text };
        let start = relative(app.base(), run.start.time);
        (
            role,
            format!(
                "  {:<14} {start:>10}  {took:>9}{callback}{error}  {how}, {}",
                step_label(step),
                run.task
            ),
        )
    });
    let mut out: Lines = told.collect();
    if !out.is_empty() {
        out.insert(0, (Role::Title, "steps: start, time, who".to_owned()));
    }
    out
}

fn links(model: &Model, dev: ObjId) -> Lines {
    let kind = |link: &Link| {
        let words = [
            (link.is_stateless(), "stateless"),
            (link.is_managed(), "managed"),
            (link.orders_runtime_pm(), "PM runtime"),
            (link.is_dormant(), "dormant: orders nothing"),
        ];
        words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
    };
    let mut out = Lines::new();
    if let Some(device) = model.device(dev) {
        let told = device
            .links
            .iter()
            .map(|link| format!("  supplier {} ({})", device_name(model, link.supplier), kind(link)));
        out.extend(lines(Role::Text, told));
    }
    let consumers = model.devices().flat_map(|(id, device)| device.links.iter().map(move |link| (id, link)));
    let told = consumers
        .filter(|(_, link)| link.supplier == dev)
        .map(|(id, link)| format!("  consumer {} ({})", device_name(model, id), kind(link)));
    out.extend(lines(Role::Text, told));
    if !out.is_empty() {
        out.insert(0, (Role::Title, "device links".to_owned()));
    }
    out
}

fn event(app: &App) -> Option<(String, Lines)> {
    let number = app.selected_event()?;
    let event = app.history.log().event(number)?;
    let mut out = vec![
        (Role::Text, narrate(app.model(), &event)),
        (Role::Text, format!("task {} on CPU {}", event.task, event.cpu)),
        (
            Role::Text,
            format!(
                "{} ({}.{:09} s since boot)",
                relative(app.base(), event.time),
                event.time / 1_000_000_000,
                event.time % 1_000_000_000
            ),
        ),
    ];
    let stack = stack_of(app.model(), &event);
    if !stack.is_empty() {
        out.push((Role::Title, "kernel stack, innermost first".to_owned()));
        out.extend(lines(Role::Text, stack.iter().map(|frame| format!("  {frame}"))));
    }
    Some((format!("event {}", number + 1), out))
}

fn bars(app: &App, lane: Lane) -> Lines {
    let spans = app.history.spans();
    let shown = spans
        .of(lane)
        .filter(|span| span.start <= app.timeline.to && span.end.is_none_or(|end| end >= app.timeline.from));
    let told = shown.take(BARS).map(|span| {
        let took = span.end.map_or("not ended".to_owned(), |end| seconds(end.saturating_sub(span.start)));
        let role = if span.end.is_none() { Role::Bad } else { Role::Text };
        (role, format!("  {:>10}  {took:>9}  {}", relative(app.base(), span.start), spans.label(span)))
    });
    let mut out = vec![(Role::Title, "start, time, what".to_owned())];
    out.extend(told);
    out
}

/// What an empty list says, and what to press where there is something to see.
pub fn nothing(app: &App) -> String {
    let key = |action| app.keymap.first(action);
    if app.history.log().is_empty() {
        return "nothing was recorded yet".to_owned();
    }
    let told = match app.view {
        View::Devices => "no device is described at this moment, or none passes the filter",
        View::Waits => "nobody waits for anything at this moment",
        View::Timeline => "nothing lasted in this stretch of time",
        View::Findings => "nothing was found at this moment",
        View::Events => "no events, or none passes the filter",
        View::Overview => "",
    };
    let elsewhere = match app.view {
        View::Waits | View::Findings if !app.found.is_empty() => {
            let (before, next) = (app.has_finding(false), app.has_finding(true));
            let ways = [(before, Action::PreviousFinding), (next, Action::NextFinding)];
            let keys: Vec<_> = ways.iter().filter(|(is, _)| *is).map(|(_, action)| key(*action)).collect();
            match keys.as_slice() {
                [] => String::new(),
                [one] => format!("; {one} goes to a finding"),
                _ => format!("; {} go to findings", keys.join(" and ")),
            }
        }
        View::Waits => format!("; {} and {} go through time", key(Action::Back), key(Action::Forward)),
        _ if app.filter_of_view().is_some_and(|filter| !filter.is_empty()) => {
            format!("; {} shows all", key(Action::Cancel))
        }
        _ => String::new(),
    };
    format!("{told}{elsewhere}")
}

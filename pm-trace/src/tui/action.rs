//! The one table of what can be done: its keys, its words, where it applies. Help, footer, the configuration
//! file and `docs/tui.md` derive from it.

/// A view of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// Where the transition is, and what is wrong.
    Overview,
    /// The device tree.
    Devices,
    /// Who waits for whom.
    Waits,
    /// Bars over time.
    Timeline,
    /// What was found.
    Findings,
    /// The stream of events.
    Events,
}

impl View {
    /// Every view in the order of their tabs.
    pub const ALL: [Self; 6] =
        [Self::Overview, Self::Devices, Self::Waits, Self::Timeline, Self::Findings, Self::Events];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Devices => "Devices",
            Self::Waits => "Waits",
            Self::Timeline => "Timeline",
            Self::Findings => "Findings",
            Self::Events => "Events",
        }
    }
}

/// Something that can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table below says what each does")]
pub enum Action {
    Quit,
    Help,
    Cancel,
    NextView,
    PreviousView,
    Show(View),
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Left,
    Right,
    Open,
    NextEvent,
    PreviousEvent,
    Forward,
    Back,
    Start,
    End,
    NextFinding,
    PreviousFinding,
    Play,
    Faster,
    Slower,
    Follow,
    Filter,
    Sort,
    Reverse,
    FoldAll,
    ZoomIn,
    ZoomOut,
    ZoomFit,
    ToDevice,
    ToWaits,
    ToTimeline,
    ToEvents,
    Copy,
    ExportText,
    ExportJson,
    Suspend,
    Theme,
    Redraw,
}

/// An action as people know it.
#[derive(Debug)]
pub struct Spec {
    /// What it does.
    pub action: Action,
    /// Its name in the configuration file.
    pub name: &'static str,
    /// Its keys unless they are configured.
    pub keys: &'static [&'static str],
    /// What it does, in a few words.
    pub words: &'static str,
    /// The shorter words for the footer; empty if it is not shown there.
    pub hint: &'static str,
    /// Where it applies.
    pub place: Place,
}

/// Where an action applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    Everywhere,
    /// In these views.
    In(&'static [View]),
    /// While pm-trace waits for a suspend.
    Watching,
}

impl Place {
    /// Whether the action applies in this view.
    pub fn has(self, view: View) -> bool {
        match self {
            Self::Everywhere | Self::Watching => true,
            Self::In(views) => views.contains(&view),
        }
    }

    /// Whether there is a view in which both apply: two actions may not share a key then.
    pub fn meets(self, other: Self) -> bool {
        View::ALL.iter().any(|&view| self.has(view) && other.has(view))
    }
}

const fn spec(
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    words: &'static str,
    hint: &'static str,
    place: Place,
) -> Spec {
    Spec { action, name, keys, words, hint, place }
}

use Action as A;
use Place::{Everywhere, In, Watching};
use View::{Devices, Events, Findings, Overview, Timeline, Waits};

const LISTS: Place = In(&[Devices, Waits, Timeline, Findings, Events]);
const OPENS: Place = In(&[Overview, Devices, Waits, Timeline, Findings, Events]);
const FINDS: Place = In(&[Overview, Findings]);

/// Every action. The order is that of the help; the footer takes those with a hint.
pub const ACTIONS: &[Spec] = &[
    spec(A::Suspend, "suspend", &["s"], "suspend now, with an alarm to wake up", "suspend", Watching),
    spec(A::Open, "open", &["enter"], "open what is selected", "open", OPENS),
    spec(
        A::ToWaits,
        "to-waits",
        &["w"],
        "show who waits for it",
        "waits",
        In(&[Overview, Devices, Timeline, Findings, Events]),
    ),
    spec(
        A::ToDevice,
        "to-device",
        &["d"],
        "show its device in the tree",
        "device",
        In(&[Waits, Timeline, Findings, Events]),
    ),
    spec(
        A::ToTimeline,
        "to-timeline",
        &["t"],
        "show it in the timeline",
        "timeline",
        In(&[Devices, Waits, Findings, Events]),
    ),
    spec(
        A::ToEvents,
        "to-events",
        &["e"],
        "show its events",
        "events",
        In(&[Devices, Waits, Timeline, Findings]),
    ),
    spec(A::Filter, "filter", &["/"], "filter what is listed", "filter", In(&[Devices, Timeline, Events])),
    spec(A::Sort, "sort", &["o"], "order by the next column", "order", In(&[Devices])),
    spec(A::Reverse, "reverse", &["O"], "reverse the order", "", In(&[Devices])),
    spec(A::FoldAll, "fold-all", &["z"], "fold or unfold the whole tree", "fold all", In(&[Devices])),
    spec(A::ZoomIn, "zoom-in", &["+", "="], "zoom in on the cursor", "zoom in", In(&[Timeline])),
    spec(A::ZoomOut, "zoom-out", &["-"], "zoom out", "out", In(&[Timeline])),
    spec(
        A::ZoomFit,
        "zoom-fit",
        &["0"],
        "show the suspend or the resume that the cursor is in, or all",
        "fit",
        In(&[Timeline]),
    ),
    spec(A::Copy, "copy", &["y"], "copy the finding to the clipboard", "copy", FINDS),
    spec(A::ExportText, "export-text", &["x"], "write the finding to a text file", "save text", FINDS),
    spec(A::ExportJson, "export-json", &["X"], "write the finding to a JSON file", "JSON", FINDS),
    spec(
        A::NextFinding,
        "next-finding",
        &["n"],
        "go to when the next finding began",
        "next finding",
        Everywhere,
    ),
    spec(
        A::PreviousFinding,
        "previous-finding",
        &["N"],
        "go to when the finding before began",
        "earlier finding",
        Everywhere,
    ),
    spec(A::Play, "play", &["space"], "play or pause", "play", Everywhere),
    spec(A::Faster, "faster", &[">"], "play twice as fast", "", Everywhere),
    spec(A::Slower, "slower", &["<"], "play half as fast", "", Everywhere),
    spec(A::Follow, "follow", &["f"], "stay at the newest event, or stop", "follow", Everywhere),
    spec(A::NextEvent, "next-event", &["."], "go to the next event", "", Everywhere),
    spec(A::PreviousEvent, "previous-event", &[","], "go to the event before", "", Everywhere),
    spec(
        A::Forward,
        "forward",
        &["]"],
        "go forward in time by a twentieth of what the timeline shows",
        "",
        Everywhere,
    ),
    spec(A::Back, "back", &["["], "go back in time by as much", "", Everywhere),
    spec(A::Start, "start", &["g"], "go to the first event", "", Everywhere),
    spec(A::End, "end", &["G"], "go to the last event", "", Everywhere),
    spec(A::Up, "up", &["up", "k"], "move up", "", OPENS),
    spec(A::Down, "down", &["down", "j"], "move down", "", OPENS),
    spec(A::PageUp, "page-up", &["pageup"], "move up by a page", "", LISTS),
    spec(A::PageDown, "page-down", &["pagedown"], "move down by a page", "", LISTS),
    spec(A::Top, "top", &["home"], "move to the first line", "", LISTS),
    spec(A::Bottom, "bottom", &["end"], "move to the last line", "", LISTS),
    spec(
        A::Left,
        "left",
        &["left", "h"],
        "fold a device; move the cursor of the timeline back",
        "",
        In(&[Devices, Timeline]),
    ),
    spec(
        A::Right,
        "right",
        &["right", "l"],
        "unfold a device; move the cursor of the timeline on",
        "",
        In(&[Devices, Timeline]),
    ),
    spec(A::NextView, "next-view", &["tab"], "next view", "next view", Everywhere),
    spec(A::PreviousView, "previous-view", &["backtab"], "view before", "", Everywhere),
    spec(
        A::Show(Overview),
        "overview",
        &["1"],
        "Overview: where the transition is, what is wrong",
        "",
        Everywhere,
    ),
    spec(A::Show(Devices), "devices", &["2"], "Devices: the tree with the PM state of each", "", Everywhere),
    spec(A::Show(Waits), "waits", &["3"], "Waits: who waits for whom", "", Everywhere),
    spec(A::Show(Timeline), "timeline", &["4"], "Timeline: what lasted how long", "", Everywhere),
    spec(A::Show(Findings), "findings", &["5"], "Findings: what is wrong, and why", "", Everywhere),
    spec(A::Show(Events), "events", &["6"], "Events: everything that was recorded", "", Everywhere),
    spec(A::Theme, "theme", &["T"], "next colours", "", Everywhere),
    spec(A::Redraw, "redraw", &["ctrl-l"], "draw everything anew", "", Everywhere),
    spec(A::Cancel, "cancel", &["esc"], "close what is open, or leave the filter", "show all", Everywhere),
    spec(A::Help, "help", &["?", "f1"], "all keys", "help", Everywhere),
    spec(A::Quit, "quit", &["q", "ctrl-c"], "quit", "quit", Everywhere),
];

/// The row of the table for an action.
pub fn spec_of(action: Action) -> &'static Spec {
    ACTIONS.iter().find(|spec| spec.action == action).unwrap_or(&ACTIONS[ACTIONS.len() - 1])
}

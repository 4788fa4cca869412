//! Devices: the tree with PM state, step, time in callback.

use super::{Canvas, clip};
use crate::diagnose::{DeviceState, relative, seconds};
use crate::history::DeviceRow;
use crate::tui::app::App;
use crate::tui::detail;
use crate::tui::theme::Role;
use ratatui::layout::Rect;

/// From this width on, details stand beside the tree.
const WIDE: u16 = 150;
/// Columns at the right: state, since, callback, async, waited on.
const RIGHT: u16 = 16 + 10 + 10 + 7;

pub(super) fn draw(app: &mut App, canvas: &mut Canvas<'_>, area: Rect) {
    let (main, side) = super::waits::split(area, WIDE);
    let order = app.devices.order.words();
    let filter = match app.devices.filter.trim() {
        "" => String::new(),
        filter => format!(", filter: {filter}"),
    };
    let inner = canvas.title(
        main,
        &format!("{}, ordered by {order}{filter}", super::count(app.scene.devices.len(), "device")),
    );
    let right = inner.right() - RIGHT - 1;
    for (x, width, name) in [(0, 16, "state <waiting"), (16, 9, "since"), (26, 9, "callback"), (37, 5, "how")]
    {
        canvas.put(right + x, inner.y, width, name, Role::Dim);
    }
    canvas.put(inner.x + 3, inner.y, right - inner.x, "device (driver)", Role::Dim);
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    super::list(app, canvas, rows, rows.width, |app, canvas, row, number| {
        if let Some(device) = app.scene.devices.get(number) {
            line(app, canvas, row, device, right);
        }
    });
    if let Some(side) = side
        && let Some((title, lines)) = detail::of(app)
    {
        super::panel(app, canvas, side, &title, &lines);
    }
}

/// Sign and colour of a device: the sign says the same without the colour.
pub(super) fn sign(row: &DeviceRow) -> (&'static str, Role) {
    match row.standing.state {
        state if row.waited_on > 0 && state.is_down() => ("!", Role::Bad),
        DeviceState::Failed(_) => ("x", Role::Bad),
        DeviceState::In(_) => ("~", Role::Warn),
        DeviceState::Resumed => ("+", Role::Good),
        DeviceState::Active | DeviceState::Removed => (" ", Role::Dim),
        _ => ("z", Role::Name),
    }
}

fn line(app: &App, canvas: &mut Canvas<'_>, row: Rect, device: &DeviceRow, right: u16) {
    let (sign, role) = sign(device);
    canvas.put(row.x + 1, row.y, 1, sign, role);
    let fold = match (device.parent, device.folded) {
        (_, 1..) => "►",
        (true, 0) => "▼",
        _ => " ",
    };
    let info = app.model().device(device.dev).and_then(|device| device.info.as_ref());
    let name = info.map_or("", |info| info.name.as_str());
    let sort = info.map_or("", |info| {
        [&info.driver, &info.bus, &info.class]
            .into_iter()
            .find(|text| !text.is_empty())
            .map_or("", String::as_str)
    });
    let depth = usize::from(device.depth).min(usize::from(right.saturating_sub(row.x)) / 3);
    let hidden = if device.folded > 0 { format!(" +{}", device.folded) } else { String::new() };
    let x = row.x + 3 + u16::try_from(depth).unwrap_or(0);
    let room = right.saturating_sub(x + 1);
    let mut at = canvas.put(x, row.y, room, &format!("{fold} "), Role::Dim);
    let name_role =
        if device.waited_on > 0 && device.standing.state.is_down() { Role::Bad } else { Role::Text };
    at = canvas.put(at, row.y, right.saturating_sub(at + 1), name, name_role);
    if !sort.is_empty() {
        canvas.put(at, row.y, right.saturating_sub(at + 1), &format!(" ({sort}){hidden}"), Role::Dim);
    }
    let standing = &device.standing;
    let waited = if device.waited_on > 0 { format!(" <{}", device.waited_on) } else { String::new() };
    canvas.put(right, row.y, 15, &clip(&format!("{}{waited}", standing.state.words()), 15), role);
    if let Some(since) = standing.since {
        canvas.put_right(right + 25, row.y, 9, &relative(app.base(), since), Role::Text);
    }
    if standing.callback > 0 || standing.in_callback {
        let role = if standing.in_callback { Role::Warn } else { Role::Text };
        canvas.put_right(right + 35, row.y, 9, &seconds(standing.callback), role);
    }
    if let Some(is_async) = standing.is_async {
        canvas.put(right + 37, row.y, 5, if is_async { "async" } else { "sync" }, Role::Dim);
    }
}

//! From what is selected in one view to the same in another.

use super::super::action::{Action, View};
use super::super::app::App;
use crate::diagnose::WaitRow;
use crate::event::ObjId;
use crate::history::Lane;

impl App {
    pub(super) fn jump(&mut self, action: Action) {
        let (device, task) = (self.selected_device(), self.selected_task());
        match action {
            Action::ToDevice => match device {
                Some(dev) => self.select_device(dev),
                None => self.tell("this is about no device"),
            },
            Action::ToWaits => self.show_waits(device, task),
            Action::ToTimeline => {
                self.show(View::Timeline);
                let wanted = |lane: &Lane| match lane {
                    Lane::Device(dev) => Some(*dev) == device,
                    Lane::Task(tid) => Some(*tid) == task,
                    Lane::Phases => false,
                };
                match self.scene.lanes.iter().position(wanted) {
                    Some(place) => self.lists[View::Timeline as usize].selected = place,
                    None => self.tell("it has no bar in this stretch of time"),
                }
            }
            _ => self.filter_events(device, task),
        }
    }

    /// Shows who waits for what is selected. A finding whose lockup is over is shown as it was before its end.
    fn show_waits(&mut self, device: Option<ObjId>, task: Option<u32>) {
        let finding = self.finding().filter(|_| matches!(self.view, View::Overview | View::Findings));
        let (from_finding, ended) = (finding.is_some(), finding.and_then(|finding| finding.ended));
        self.show(View::Waits);
        let mut place = self.row_of(device, task, from_finding);
        if let (None, Some(ended)) = (place, ended) {
            self.seek(self.history.until(ended));
            place = self.row_of(device, task, from_finding);
            let end = self.keymap.first(Action::End);
            self.tell(format!("as it was before it ended; {end} goes back to the end"));
        }
        match place {
            Some(place) => self.lists[View::Waits as usize].selected = place,
            None => self.tell("nobody waits for it at this moment"),
        }
    }

    /// The row of the graph that is about this device or task. A finding is told from the device's side.
    fn row_of(&self, device: Option<ObjId>, task: Option<u32>, device_first: bool) -> Option<usize> {
        let rows = &self.scene.waits.rows;
        let of_task = |row: &WaitRow| task.is_some() && row.party.task.as_ref().map(|task| task.tid) == task;
        let of_device = |row: &WaitRow| {
            device.is_some() && row.party.device.as_ref().map(|dev| dev.id) == device.map(|dev| dev.0)
        };
        let (by_device, by_task) = (rows.iter().position(of_device), rows.iter().position(of_task));
        if device_first { by_device.or(by_task) } else { by_task.or(by_device) }
    }

    /// Shows a device in the tree, whatever hid it.
    fn select_device(&mut self, dev: ObjId) {
        let model = self.model();
        let above: Vec<_> = model.ancestors(dev).collect();
        self.devices.folded.retain(|folded| !above.contains(folded));
        self.view = View::Devices;
        self.refresh();
        if !self.scene.devices.iter().any(|row| row.dev == dev) {
            self.devices.filter.clear();
            self.refresh();
        }
        match self.scene.devices.iter().position(|row| row.dev == dev) {
            Some(place) => self.lists[View::Devices as usize].selected = place,
            None => self.tell("this device was never described"),
        }
    }

    fn filter_events(&mut self, device: Option<ObjId>, task: Option<u32>) {
        let model = self.model();
        let name = device.and_then(|dev| model.device(dev)?.info.as_ref().map(|info| info.name.clone()));
        // A name with spaces would be several terms.
        let name = name.filter(|name| !name.contains(char::is_whitespace));
        let filter = match (name, task) {
            (Some(name), _) => format!("dev:{name}"),
            (None, Some(tid)) => format!("task:{tid}"),
            (None, None) => String::new(),
        };
        self.event_filter = filter;
        self.scene.events = None;
        self.show(View::Events);
    }
}

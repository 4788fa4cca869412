//! What is derived from the model at the moment that is looked at, for the view in front.

use super::action::View;
use super::app::App;
use crate::diagnose::{self, DeviceState, Finding, Options, Waits};
use crate::event::ObjId;
use crate::history::{DeviceRow, Filter, Lane};
use crate::model::Model;
use std::collections::{BTreeMap, BTreeSet};

/// What is derived from the model at the moment that is looked at.
#[derive(Debug, Default)]
pub struct Scene {
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What waits for what.
    pub waits: Waits,
    /// How many devices are in each state.
    pub states: BTreeMap<DeviceState, u32>,
    /// The rows of the device tree.
    pub devices: Vec<DeviceRow>,
    /// The lanes of the timeline.
    pub lanes: Vec<Lane>,
    /// Numbers of the events that pass the filter; `None` if there is none.
    pub events: Option<Vec<u32>>,
}

impl App {
    /// Derives what the view in front shows.
    pub fn refresh(&mut self) {
        self.history.at(self.cursor);
        let model = self.history.look(self.cursor);
        self.scene.findings = self.findings_now(model);
        self.scene.waits = diagnose::waits(model);
        match self.view {
            View::Overview => self.scene.states = diagnose::states(model),
            View::Devices => {
                let selected = self.scene.devices.get(self.list().selected).map(|row| row.dev);
                // At first what is worst about devices.
                let worst = || ObjId(self.scene.findings.first()?.devices.first()?.id).into();
                let selected = selected.or_else(worst);
                let rows = self.devices.rows(model, &self.scene.waits);
                if let Some(place) = selected.and_then(|dev| rows.iter().position(|row| row.dev == dev)) {
                    self.lists[View::Devices as usize].selected = place;
                }
                self.scene.devices = rows;
            }
            View::Timeline => {
                let selected = self.scene.lanes.get(self.list().selected).copied();
                let lanes = self.timeline.lanes(&self.history, &self.scene.findings, &self.critical);
                if let Some(place) = selected.and_then(|lane| lanes.iter().position(|&other| other == lane)) {
                    self.lists[View::Timeline as usize].selected = place;
                }
                self.scene.lanes = lanes;
            }
            View::Events => self.pick_events(),
            View::Waits | View::Findings => {}
        }
        self.point_events();
    }

    /// The worst finding; while waiting for suspends, of the last one.
    pub fn worst(&self) -> Option<&Finding> {
        let mut findings = self.scene.findings.iter();
        if !self.is_watching() {
            return findings.next();
        }
        let number = self.model().transition()?.number;
        findings.find(|finding| finding.cycle == number)
    }

    /// What is known at the moment that is looked at. A cycle that had just closed is told if it lasted.
    fn findings_now(&self, model: &Model) -> Vec<Finding> {
        if self.is_at_end() {
            return self.found.clone();
        }
        let now = self.now();
        let lasting: BTreeMap<&str, &Finding> =
            self.found.iter().map(|finding| (finding.id(), finding)).collect();
        let settled = diagnose::findings_with(model, now, Options::LIVE);
        let settled: BTreeSet<&str> = settled.iter().map(Finding::id).collect();
        let mut findings = diagnose::findings_with(model, now, Options::END);
        findings.retain(|found| lasting.contains_key(found.id()) || settled.contains(found.id()));
        for finding in &mut findings {
            // Known issues depend on the kernel, which the whole trace knows.
            if let Some(whole) = lasting.get(finding.id()) {
                finding.known_issue.clone_from(&whole.known_issue);
            }
        }
        findings
    }

    fn pick_events(&mut self) {
        let filter = Filter::parse(&self.event_filter).unwrap_or_default();
        if filter.is_empty() {
            self.scene.events = None;
        } else if self.scene.events.is_none() {
            self.scene.events = Some(filter.events(&self.history, self.base(), 0));
        }
    }

    /// The selected event is the last one that has happened.
    fn point_events(&mut self) {
        if self.view != View::Events {
            return;
        }
        let last = self.cursor.saturating_sub(1);
        let selected = match &self.scene.events {
            Some(picked) => picked.partition_point(|&n| n as usize <= last).saturating_sub(1),
            None => last,
        };
        self.lists[View::Events as usize].selected = selected;
    }
}

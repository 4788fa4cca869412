//! The tables, one in each file. Every row names its trace and its cycle, so that the tables of many traces can be
//! read as one.

mod cycles;
mod device_phases;
mod events;
mod findings;
mod waits;

pub(super) use cycles::Cycles;
pub(super) use device_phases::DevicePhases;
pub(super) use events::Events;
pub(super) use findings::Findings;
pub(super) use waits::WaitsTable;

use super::table::{TableInfo, Visit};
use crate::diagnose::{DeviceRef, TaskName};
use crate::event::Nanos;
use std::borrow::Cow;
use std::convert::Infallible;

/// Does something with every table, in the order of the documentation.
pub(super) fn each<V: Visit>(visitor: &mut V) -> Result<(), V::Error> {
    visitor.table::<Cycles>()?;
    visitor.table::<DevicePhases>()?;
    visitor.table::<WaitsTable>()?;
    visitor.table::<Findings>()?;
    visitor.table::<Events>()
}

/// Every table with its columns.
pub(super) fn described() -> Vec<TableInfo> {
    struct Describe(Vec<TableInfo>);
    impl Visit for Describe {
        type Error = Infallible;

        fn table<T: super::table::Table>(&mut self) -> Result<(), Infallible> {
            self.0.push(TableInfo::of::<T>());
            Ok(())
        }
    }
    let mut describe = Describe(Vec::new());
    let Ok(()) = each(&mut describe);
    describe.0
}

const TRACE: &str = "The trace: joins the tables, and tells it from the traces of other machines and runs.";
const CYCLE: &str = "The suspend, counted from 1 within its trace; 0 for what belongs to none.";

fn text(value: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(value))
}

/// A text that is empty if there is none.
fn filled(value: &str) -> Option<Cow<'_, str>> {
    (!value.is_empty()).then_some(Cow::Borrowed(value))
}

/// Nanoseconds and counts are far below the limit; what is not is a damaged file.
fn int(value: impl TryInto<i64>) -> Option<i64> {
    Some(value.try_into().unwrap_or(i64::MAX))
}

fn nanos(value: Option<Nanos>) -> Option<i64> {
    value.and_then(int)
}

fn name(device: Option<&DeviceRef>) -> Option<Cow<'_, str>> {
    device.and_then(|device| text(&device.name))
}

fn number(device: Option<&DeviceRef>) -> Option<i64> {
    device.and_then(|device| int(device.id))
}

fn comm(task: Option<&TaskName>) -> Option<Cow<'_, str>> {
    task.and_then(|task| text(&task.comm))
}

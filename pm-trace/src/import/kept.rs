//! What is read of an ftrace log, kept from the first reading for the second. Most logs are small, and a line is taken
//! apart once.

use super::ftrace::{Lost, Record};
use super::grammar::EVENTS;
use crate::event::{Nanos, TaskRef};

/// Most bytes kept of all logs of an import; larger ones are read again.
pub(super) const MOST: usize = 16 << 20;

/// Events and bytes of text that there is room for from the start, about those of a cycle: growing to it by doubling would
/// touch as much memory again. What is not used of it is never asked of the kernel.
const FIRST: (usize, usize) = (2048, 96 << 10);

/// The events of a log that are read, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Kept {
    events: Vec<Event>,
    texts: String,
    /// What was lost before an event: its place, and how much. Hardly ever anything is.
    losses: Vec<(usize, u64)>,
    /// What the log lost since the last of them.
    pub(super) lost: Lost,
    is_full: bool,
}

#[derive(Debug)]
struct Event {
    time: Nanos,
    task: TaskRef,
    cpu: u16,
    /// In the grammar.
    place: u8,
    is_bare: bool,
    /// End of its text.
    end: u32,
}

impl Kept {
    /// Keeps an event, unless all of them take more than `room`: then there is no use in any.
    pub(super) fn push(&mut self, record: &Record<'_>, place: usize, room: usize) {
        let lost = self.lost.take().map(|lost| (self.events.len(), lost));
        let end = u32::try_from(self.texts.len() + record.text.len());
        let (Ok(end), Ok(place)) = (end, u8::try_from(place)) else { return self.give_up() };
        if self.is_full || self.size() + size_of::<Event>() + record.text.len() > room {
            return self.give_up();
        }
        if self.events.is_empty() {
            self.events.reserve_exact(FIRST.0);
            self.texts.reserve_exact(FIRST.1);
        }
        self.texts.push_str(record.text);
        let &Record { time, is_bare, cpu, task, .. } = record;
        self.events.push(Event { time, task, cpu, place, is_bare, end });
        self.losses.extend(lost);
    }

    fn give_up(&mut self) {
        *self = Self { is_full: true, ..Self::default() };
    }

    /// Bytes that they take.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.events) + self.texts.len() + size_of_val(&*self.losses)
    }

    /// Each event, its place in the grammar and what was lost before it; `None` if the log has to be read again.
    pub(super) fn events(&self) -> Option<impl Iterator<Item = (Record<'_>, usize, Option<u64>)>> {
        let mut start = 0;
        let mut losses = self.losses.iter().peekable();
        let each = move |(number, event): (usize, &Event)| {
            let end = event.end as usize;
            let text = &self.texts[std::mem::replace(&mut start, end)..end];
            let &Event { time, task, cpu, place, is_bare, .. } = event;
            let place = usize::from(place);
            let lost = losses.next_if(|(before, _)| *before == number).map(|(_, lost)| *lost);
            (Record { time, is_bare, cpu, task, name: EVENTS[place].event, text }, place, lost)
        };
        (!self.is_full).then(|| self.events.iter().enumerate().map(each))
    }
}

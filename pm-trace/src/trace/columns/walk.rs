//! The way through an event, the same for writing and reading: which value comes next, and what is guessed.

use super::item::{Field, Flat, Value};
use super::seen::{Key, Seen};
use super::streams::{Coder, Column, MAX_GUESSES, unzigzag, zigzag};
use super::{Fault, HashMap};

/// Columns of what every event has. Those of a variant `v` are from `(v + 1) << 16` on: its times, the number of its
/// fields, and from `(f + 1) << 8` on field `f` and what is in it.
const TASK: Column = 0;
const KIND: Column = 1;
const CPU: Column = 2;
const WHOLE: Column = 3;
const TID: Column = 4;
const COMM: Column = 5;

/// In place of a task: an event kept whole.
const IS_WHOLE: Value = Value::Simple(0);

/// Fields (variant, field, place in the structure from 1, or 0) that hold the `power` bits of the event's subject:
/// what they were is known from other events about it.
const POWER: &[(u16, usize, usize)] = &[(11, 0, 7), (13, 3, 0), (14, 1, 0), (18, 4, 0)];
/// The step that the subject is in.
const STEP: (u16, usize, usize) = (13, 1, 0);
/// Fields that hold a time before the event's.
const SINCE: &[(u16, usize, usize)] = &[(70, 0, 0), (71, 1, 0), (72, 0, 0)];
/// The field that holds how long it is from the time in field 0 to the event's, or nearly so.
const DURATION: (u16, usize, usize) = (70, 1, 0);

/// What guesses rest on: values that were seen together.
type Context = (Value, Value);

fn key(column: Column, kind: u8, (one, other): Context) -> Key {
    let ((one_kind, one), (other_kind, other)) = (one.parts(), other.parts());
    let kinds = u64::from(kind) << 16 | u64::from(one_kind) << 8 | u64::from(other_kind);
    [u64::from(column) << 32 | kinds, one, other]
}

/// What is known of a task.
#[derive(Clone, Copy, Default)]
struct Task {
    /// Variants of its last two events.
    kinds: [Value; 2],
    /// What its last event was about.
    subject: Value,
    cpu: Value,
}

/// What was seen so far in this block.
pub(super) struct Walk {
    unit: u64,
    /// Time of the last event, in units.
    time: u64,
    tasks: Vec<(u64, Vec<u8>)>,
    numbers: HashMap<(u64, Vec<u8>), u64>,
    known: Vec<Task>,
    /// Number of the last event's task, and its variant.
    last: (Value, Value),
    /// By column, kind of guess and context: the value then.
    seen: Seen,
    /// By column: the last value.
    previous: HashMap<Column, Value>,
    /// By subject: its power bits, and its step.
    power: HashMap<Value, Value>,
    step: HashMap<Value, Value>,
}

/// The values that belong to the event under way.
struct Here {
    variant: u16,
    time: u64,
    /// The task's number, and what was known of it before this event.
    number: Value,
    task: Task,
    /// What the event is about: its first number.
    subject: Value,
    since: u64,
}

impl Walk {
    /// Before the first event of a block. `seen` is memory that may be used.
    pub(super) fn new(unit: u64, mut seen: Seen) -> Self {
        seen.clear();
        Self {
            unit,
            time: 0,
            tasks: Vec::new(),
            numbers: HashMap::default(),
            known: Vec::new(),
            last: Default::default(),
            seen,
            previous: HashMap::default(),
            power: HashMap::default(),
            step: HashMap::default(),
        }
    }

    /// The memory, for another block.
    pub(super) fn into_seen(self) -> Seen {
        self.seen
    }

    /// Codes an event.
    pub(super) fn event<C: Coder>(&mut self, coder: &mut C, event: &mut Flat) -> Result<(), Fault> {
        let Some(number) = self.task(coder, event)? else {
            let whole = event.whole.map_or(Value::Nothing, Value::Item);
            let Value::Item(whole) = coder.value(WHOLE, &[], whole)? else {
                return Err("an event is missing");
            };
            event.whole = Some(whole);
            return Ok(());
        };
        let task = self.known.get(number).copied().ok_or("a task is not there")?;
        self.kind(coder, event, &task)?;
        let kind = Value::Uint(event.variant.into());
        let cpu = coder.value(CPU, &[task.cpu], Value::Uint(event.cpu))?;
        event.cpu = cpu.uint().ok_or("a CPU is no number")?;
        self.time(coder, event)?;
        let mut here = Here {
            variant: event.variant,
            time: event.time,
            number: Value::Uint(number as u64),
            task,
            subject: Value::Nothing,
            since: 0,
        };
        self.fields(coder, event, &mut here)?;
        if let Some(known) = self.known.get_mut(number) {
            known.kinds = [task.kinds[1], kind];
            known.cpu = cpu;
            if here.subject != Value::Nothing {
                known.subject = here.subject;
            }
        }
        self.last = (here.number, kind);
        Ok(())
    }

    /// Number of the event's task; `None` for an event that is kept whole.
    fn task<C: Coder>(&mut self, coder: &mut C, event: &mut Flat) -> Result<Option<usize>, Fault> {
        let new = self.tasks.len() as u64;
        let who = (event.tid, std::mem::take(&mut event.comm));
        let number = match event.whole {
            Some(_) => IS_WHOLE,
            None => Value::Uint(self.numbers.get(&who).copied().unwrap_or(new)),
        };
        let (last, kind) = self.last;
        let before = last.uint().and_then(|last| self.known.get(usize::try_from(last).ok()?));
        // The variant before the last event's tells where in its story the task is.
        let earlier = before.map_or(Value::Nothing, |task| task.kinds[0]);
        let story = Value::Uint(join(&[kind, earlier]));
        let number = self.guess(coder, TASK, &[(last, story), (last, Value::Nothing)], number)?;
        if number == IS_WHOLE {
            return Ok(None);
        }
        let number = number.uint().filter(|&number| number <= new).ok_or("a task is not there")?;
        if number == new {
            let tid = coder.number(TID, who.0)?;
            let comm = coder.bytes(COMM, &who.1)?;
            self.numbers.insert((tid, comm.clone()), new);
            self.tasks.push((tid, comm));
            self.known.push(Task::default());
        }
        let number = usize::try_from(number).map_err(|_| "a task is not there")?;
        (event.tid, event.comm) = self.tasks.get(number).cloned().ok_or("a task is not there")?;
        Ok(Some(number))
    }

    fn kind<C: Coder>(&mut self, coder: &mut C, event: &mut Flat, task: &Task) -> Result<(), Fault> {
        let story = Value::Uint(join(&task.kinds));
        let contexts = [(story, task.subject), (story, Value::Nothing), (task.kinds[1], self.last.1)];
        let kind = self.guess(coder, KIND, &contexts, Value::Uint(event.variant.into()))?;
        let kind = kind.uint().and_then(|kind| u16::try_from(kind).ok()).filter(|&kind| kind < u16::MAX);
        event.variant = kind.ok_or("a variant is too large")?;
        Ok(())
    }

    fn time<C: Coder>(&mut self, coder: &mut C, event: &mut Flat) -> Result<(), Fault> {
        let step = zigzag((event.time / self.unit.max(1)).wrapping_sub(self.time));
        let step = coder.number(of_variant(event.variant), step)?;
        self.time = self.time.wrapping_add(unzigzag(step));
        event.time = self.time.checked_mul(self.unit).ok_or("a time is too large")?;
        Ok(())
    }

    fn fields<C: Coder>(&mut self, coder: &mut C, event: &mut Flat, here: &mut Here) -> Result<(), Fault> {
        let count = Value::Uint(event.fields.len() as u64);
        let count = self.guess(coder, of_variant(here.variant) + 1, &[Default::default()], count)?;
        let count = count.uint().filter(|&count| count <= 255).ok_or("an event has too many fields")?;
        // At most 255.
        event.fields.resize(count as usize, Field::default());
        for (place, field) in event.fields.iter_mut().enumerate() {
            field.head = self.field(coder, here, (place, 0), field.head)?;
            let Value::Array(length) = field.head else { continue };
            field.inner.resize(length.into(), Value::Nothing);
            for (inner, value) in field.inner.iter_mut().enumerate() {
                *value = self.field(coder, here, (place, inner + 1), *value)?;
            }
        }
        Ok(())
    }

    /// A value of the event's own.
    fn field<C: Coder>(
        &mut self,
        coder: &mut C,
        here: &mut Here,
        (field, inner): (usize, usize),
        value: Value,
    ) -> Result<Value, Fault> {
        let path = (here.variant, field, inner);
        // Both are below 256: see `Flat`.
        let column = of_variant(here.variant) + ((field as u32 + 1) << 8) + inner as u32;
        if SINCE.contains(&path) || path == DURATION {
            return self.relative(coder, here, column, path == DURATION, value);
        }
        if here.subject == Value::Nothing {
            let value = self.subject(coder, here, column, value)?;
            if value.uint().is_some() {
                here.subject = value;
            }
            return Ok(value);
        }
        let previous = self.previous.get(&column).copied().unwrap_or_default();
        let subject = here.subject;
        if POWER.contains(&path) {
            let was = self.power.get(&subject).copied().unwrap_or_default();
            let step = self.step.get(&subject).copied().unwrap_or_default();
            let contexts = [(was, step), (was, Value::Nothing), (subject, Value::Nothing)];
            let value = self.guess(coder, column, &contexts, value)?;
            self.power.insert(subject, value);
            return Ok(value);
        }
        let contexts = [
            (subject, here.task.kinds[1]),
            (subject, Value::Nothing),
            (here.task.subject, previous),
            (previous, Value::Nothing),
        ];
        let value = self.guess(coder, column, &contexts, value)?;
        if path == STEP {
            self.step.insert(subject, value);
        }
        Ok(value)
    }

    /// What the event is about: what the task's last event was about, or the neighbour of what the last event of
    /// this kind was about, in the order in which they came before.
    fn subject<C: Coder>(
        &mut self,
        coder: &mut C,
        here: &Here,
        column: Column,
        value: Value,
    ) -> Result<Value, Fault> {
        let previous = self.previous.get(&column).copied().unwrap_or_default();
        let contexts: [(u8, Context); 4] = [
            (1, (previous, Value::Nothing)),
            (2, (previous, Value::Nothing)),
            (3, (here.number, Value::Nothing)),
            (4, (here.task.subject, Value::Nothing)),
        ];
        let mut guesses = [here.task.subject; 5];
        let mut places = [0; 4];
        let keys = contexts.map(|(kind, context)| key(column, kind, context));
        self.seen.places(&keys, &mut places);
        for (guess, place) in guesses[1..].iter_mut().zip(places) {
            *guess = self.seen.get(place);
        }
        let value = coder.value(column, &guesses, value)?;
        for ((kind, _), place) in contexts.into_iter().zip(places) {
            if kind == 2 {
                let place = self.seen.place(key(column, kind, (value, Value::Nothing)));
                self.seen.set(place, previous);
            } else {
                self.seen.set(place, value);
            }
        }
        self.previous.insert(column, value);
        Ok(value)
    }

    /// A time that is near the event's own.
    fn relative<C: Coder>(
        &mut self,
        coder: &mut C,
        here: &mut Here,
        column: Column,
        is_duration: bool,
        value: Value,
    ) -> Result<Value, Fault> {
        let near = if is_duration { here.time.wrapping_sub(here.since) } else { here.time };
        let difference = |number: u64| near.wrapping_sub(number);
        let coded = value.uint().map_or(value, |number| Value::Uint(zigzag(difference(number))));
        let coded = self.guess(coder, column, &[Default::default()], coded)?;
        let value = coded.uint().map_or(coded, |number| Value::Uint(difference(unzigzag(number))));
        if let (Some(since), false) = (value.uint(), is_duration) {
            here.since = since;
        }
        Ok(value)
    }

    /// Codes a value with a guess from each context.
    fn guess<C: Coder>(
        &mut self,
        coder: &mut C,
        column: Column,
        contexts: &[Context],
        value: Value,
    ) -> Result<Value, Fault> {
        let mut guesses = [Value::Nothing; MAX_GUESSES];
        let mut places = [0; MAX_GUESSES];
        let mut keys = [Key::default(); MAX_GUESSES];
        for (kind, context) in contexts.iter().enumerate() {
            keys[kind] = key(column, kind as u8, *context);
        }
        self.seen.places(&keys[..contexts.len()], &mut places);
        for (guess, place) in guesses.iter_mut().zip(places).take(contexts.len()) {
            *guess = self.seen.get(place);
        }
        let value = coder.value(column, guesses.get(..contexts.len()).unwrap_or_default(), value)?;
        for place in places.iter().take(contexts.len()) {
            self.seen.set(*place, value);
        }
        self.previous.insert(column, value);
        Ok(value)
    }
}

/// First column of a variant: its times.
fn of_variant(variant: u16) -> Column {
    (u32::from(variant) + 1) << 16
}

/// Two variants as one number.
fn join(kinds: &[Value; 2]) -> u64 {
    kinds.iter().fold(0, |joined, kind| joined << 20 | kind.uint().map_or(0, |kind| kind + 1))
}

//! The way through an event, the same for writing and reading: which value comes next, and what is guessed.

use super::item::{Field, Flat, Value};
use super::numbers::Numbers;
use super::seen::{Key, Place, Row, Seen};
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

/// What is known of a column of fields.
struct Known {
    /// Its last value.
    previous: Value,
    /// Its number among the columns of its variant.
    number: u32,
}

/// A column of fields.
#[derive(Clone, Copy)]
struct Of {
    column: Column,
    /// Its number among all columns, and among those of its variant.
    place: usize,
    number: u32,
    previous: Value,
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
    /// Columns of fields, and what is known of them.
    places: Numbers,
    columns: Vec<Known>,
    /// By variant: how many columns it has.
    widths: HashMap<u16, u32>,
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
    /// How many columns its variant had before.
    width: u32,
    /// What the contexts of its subject tell about its fields, once the subject is known.
    rows: Option<[Row; 2]>,
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
            places: Numbers::default(),
            columns: Vec::new(),
            widths: HashMap::default(),
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
            width: self.widths.get(&event.variant).copied().unwrap_or_default(),
            rows: None,
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
        let mut who = (event.tid, std::mem::take(&mut event.comm));
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
        let (tid, comm) = self.tasks.get(number).ok_or("a task is not there")?;
        who.1.clone_from(comm);
        (event.tid, event.comm) = (*tid, who.1);
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
            let Value::Array(length) = field.head else {
                field.inner.clear();
                continue;
            };
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
        let of = self.column(here.variant, column);
        let value = if here.subject == Value::Nothing {
            let value = self.subject(coder, here, of, value)?;
            if value.uint().is_some() {
                here.subject = value;
            }
            value
        } else if POWER.contains(&path) {
            self.power(coder, here, of, value)?
        } else {
            let subject = here.subject;
            let contexts = [(subject, here.task.kinds[1]), (subject, Value::Nothing)];
            let rows = *here.rows.get_or_insert_with(|| self.rows(here.variant, here.width, contexts));
            let others = [(here.task.subject, of.previous), (of.previous, Value::Nothing)];
            let value = self.guess_field(coder, of, (contexts, rows), &others, value)?;
            if path == STEP {
                self.step.insert(subject, value);
            }
            value
        };
        self.columns[of.place].previous = value;
        Ok(value)
    }

    /// A column of a field, and what is known of it.
    fn column(&mut self, variant: u16, column: Column) -> Of {
        let place = self.places.of(column);
        if place == self.columns.len() {
            let width = self.widths.entry(variant).or_default();
            self.columns.push(Known { previous: Value::Nothing, number: *width });
            *width += 1;
        }
        let known = &self.columns[place];
        Of { column, place, number: known.number, previous: known.previous }
    }

    /// The rows of the first two contexts.
    fn rows(&mut self, variant: u16, width: u32, [first, second]: [Context; 2]) -> [Row; 2] {
        let mut row = |kind, context| self.seen.row(key(row_of(variant), kind, context), width);
        [row(0, first), row(1, second)]
    }

    /// Where the value of a column in a context is that has a row.
    fn in_row(&mut self, of: Of, row: Row, kind: u8, context: Context) -> Place {
        row.place(of.number).unwrap_or_else(|| self.seen.place(key(of.column, kind, context)))
    }

    /// The power bits of the event's subject.
    fn power<C: Coder>(&mut self, coder: &mut C, here: &Here, of: Of, value: Value) -> Result<Value, Fault> {
        let subject = here.subject;
        let was = self.power.get(&subject).copied().unwrap_or_default();
        let step = self.step.get(&subject).copied().unwrap_or_default();
        let contexts = [(was, step), (was, Value::Nothing)];
        let rows = self.rows(here.variant, here.width, contexts);
        let value = self.guess_field(coder, of, (contexts, rows), &[(subject, Value::Nothing)], value)?;
        self.power.insert(subject, value);
        Ok(value)
    }

    /// What the event is about: what the task's last event was about, or the neighbour of what the last event of
    /// this kind was about, in the order in which they came before.
    fn subject<C: Coder>(
        &mut self,
        coder: &mut C,
        here: &Here,
        of: Of,
        value: Value,
    ) -> Result<Value, Fault> {
        let after = (of.previous, Value::Nothing);
        let row = self.seen.row(key(row_of(here.variant), 1, after), here.width);
        let mut places = [Place::default(); 4];
        places[0] = self.in_row(of, row, 1, after);
        let contexts = [(2, of.previous), (3, here.number), (4, here.task.subject)];
        let keys = contexts.map(|(kind, context)| key(of.column, kind, (context, Value::Nothing)));
        self.seen.places(&keys, &mut places[1..]);
        let mut guesses = [here.task.subject; 5];
        for (guess, place) in guesses[1..].iter_mut().zip(places) {
            *guess = self.seen.get(place);
        }
        let value = coder.value(of.column, &guesses, value)?;
        // Whose neighbour on this side is the last one.
        places[1] = self.seen.place(key(of.column, 2, (value, Value::Nothing)));
        for (number, place) in places.into_iter().enumerate() {
            self.seen.set(place, if number == 1 { of.previous } else { value });
        }
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

    /// Codes a field with guesses from two contexts that have rows, and from others.
    fn guess_field<C: Coder>(
        &mut self,
        coder: &mut C,
        of: Of,
        (first, rows): ([Context; 2], [Row; 2]),
        others: &[Context],
        value: Value,
    ) -> Result<Value, Fault> {
        let mut places = [Place::default(); MAX_GUESSES];
        for (kind, (row, context)) in rows.into_iter().zip(first).enumerate() {
            places[kind] = self.in_row(of, row, kind as u8, context);
        }
        let count = first.len() + others.len();
        self.find(of.column, first.len(), others, &mut places[first.len()..count]);
        self.guess_from(coder, of.column, &places[..count], value)
    }

    /// Codes a value with a guess from each context.
    fn guess<C: Coder>(
        &mut self,
        coder: &mut C,
        column: Column,
        contexts: &[Context],
        value: Value,
    ) -> Result<Value, Fault> {
        let mut places = [Place::default(); MAX_GUESSES];
        let places = &mut places[..contexts.len()];
        self.find(column, 0, contexts, places);
        self.guess_from(coder, column, places, value)
    }

    /// Where the values of contexts are that have no row, their kinds counted from `first`.
    fn find(&mut self, column: Column, first: usize, contexts: &[Context], places: &mut [Place]) {
        let mut keys = [Key::default(); MAX_GUESSES];
        for (number, context) in contexts.iter().enumerate() {
            keys[number] = key(column, (first + number) as u8, *context);
        }
        self.seen.places(&keys[..contexts.len()], places);
    }

    /// Codes a value with the guesses that stand there, and writes down there what it was.
    fn guess_from<C: Coder>(
        &mut self,
        coder: &mut C,
        column: Column,
        places: &[Place],
        value: Value,
    ) -> Result<Value, Fault> {
        let mut guesses = [Value::Nothing; MAX_GUESSES];
        for (guess, place) in guesses.iter_mut().zip(places) {
            *guess = self.seen.get(*place);
        }
        let value = coder.value(column, &guesses[..places.len()], value)?;
        for place in places {
            self.seen.set(*place, value);
        }
        Ok(value)
    }
}

/// First column of a variant: its times.
fn of_variant(variant: u16) -> Column {
    (u32::from(variant) + 1) << 16
}

/// In place of a column: all of a variant's fields.
fn row_of(variant: u16) -> Column {
    of_variant(variant) + 0xffff
}

/// Two variants as one number.
fn join(kinds: &[Value; 2]) -> u64 {
    kinds.iter().fold(0, |joined, kind| joined << 20 | kind.uint().map_or(0, |kind| kind + 1))
}

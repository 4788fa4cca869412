//! One line.

use crate::event::{Nanos, Step};
use crate::text;
use pm_trace_common::watchdog::{STEP_NAMES, TAG, callback};

/// Longest line that is looked at, in bytes; the kernel's own limit is 1024.
const MAX_LINE: usize = 2048;
/// Most fields of a line.
const MAX_FIELDS: usize = 32;

/// A device as a line names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Tells apart devices of equal names; 0 means none.
    pub id: u32,
    /// `dev_name()`
    pub name: String,
}

/// A task as a line names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Thread id; 0 means that it is not known.
    pub tid: u32,
    /// Its name.
    pub comm: String,
}

/// How far a step's callback is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    /// It has not been called.
    NotCalled,
    /// It is running.
    Running,
    /// It has returned.
    Returned,
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A lock; `kind` is `mutex`, `rwsem` or `lock`. `of` is the device whose lock it is, if it is one's.
    Lock {
        /// Sort of lock.
        kind: String,
        /// Whose it is.
        of: Option<Device>,
        /// Who holds it, if the lock says so.
        owner: Option<Task>,
    },
    /// A request queue.
    Queue {
        /// The device whose it is.
        of: Option<Device>,
        /// `q->pm_only`
        pm_only: i32,
        /// `q->mq_freeze_depth`
        frozen: i32,
        /// `power.is_suspended` of the device is set.
        suspended: bool,
    },
    /// The step of a device.
    Step {
        /// Whose.
        of: Device,
    },
    /// A work that `runner` carries out.
    Work {
        /// Its function; empty if unknown.
        function: String,
        /// Who runs it.
        runner: Option<Task>,
    },
    /// A completion.
    Completion,
    /// Asynchronous calls.
    AsyncCalls,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Beginning of a report: a transition makes no progress.
    Stall {
        /// Number of the stall since arming.
        episode: u32,
        /// How often it has been told, this time included.
        times: u32,
        /// When, in nanoseconds of `CLOCK_BOOTTIME`.
        now: Nanos,
        /// How long nothing had moved then, in nanoseconds, time asleep not counted.
        quiet: Nanos,
        /// The last phase that began.
        phase: String,
        /// Who drives the transition.
        driver: Task,
        /// Steps of devices that had not ended.
        open: u32,
    },
    /// A step of a device that has not ended.
    Step {
        /// Which step.
        step: Option<Step>,
        /// Whose.
        device: Device,
        /// The device's bus; empty if none.
        bus: String,
        /// Its driver; empty if none.
        driver: String,
        /// Who carries it out.
        task: Task,
        /// When it began, in nanoseconds of `CLOCK_BOOTTIME`.
        since: Option<Nanos>,
        /// How far its callback is.
        callback: Callback,
    },
    /// The devices above a device.
    Path {
        /// Which device.
        device: Device,
        /// Names, the nearest first.
        up: Vec<String>,
    },
    /// A task waits.
    Wait {
        /// Who.
        task: Task,
        /// For what.
        object: Object,
        /// Since when, in nanoseconds of `CLOCK_BOOTTIME`.
        since: Option<Nanos>,
        /// Function of the work that the task carries out; empty if it is none.
        work: String,
    },
    /// The chain ends at a task of which no wait is known.
    Task {
        /// Who.
        task: Task,
        /// It sleeps uninterruptibly.
        blocked: bool,
        /// Since when, in nanoseconds of `CLOCK_BOOTTIME`.
        since: Option<Nanos>,
        /// Function of the work that the task carries out; empty if it is none.
        work: String,
    },
    /// End of a report.
    End {
        /// Number of the stall.
        episode: u32,
        /// A letter for each link (`pm_trace_common::watchdog::code`).
        code: String,
        /// Number of the line to which the chain leads back; `None` if it does not.
        back: Option<u32>,
    },
    /// The transition moves again.
    Over {
        /// Number of the stall.
        episode: u32,
        /// When that was noticed, in nanoseconds of `CLOCK_BOOTTIME`.
        now: Nanos,
        /// How long nothing had moved, in nanoseconds.
        lasted: Nanos,
    },
}

/// A line of the watchdog's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Number of the report.
    pub report: u32,
    /// Its place in the report.
    pub number: u32,
    /// What it says.
    pub body: Body,
}

/// Reads a line, whatever stands before it; `None` if there is none of the watchdog's, or one of a version that
/// is not known, or one that was cut where it matters.
pub fn parse_line(text: &str) -> Option<Line> {
    let text = text::cut(text, MAX_LINE);
    let (_, rest) = text.split_once(TAG)?;
    let rest = rest.strip_prefix(' ')?;
    let (numbers, rest) = rest.split_once(' ')?;
    let (report, number) = numbers.split_once('.')?;
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let fields = Fields::split(rest)?;
    Some(Line {
        report: report.parse().ok()?,
        number: number.parse().ok()?,
        body: body(word.trim_end(), &fields)?,
    })
}

fn body(word: &str, fields: &Fields<'_>) -> Option<Body> {
    match word {
        "stall" => Some(Body::Stall {
            episode: fields.number("episode")?,
            times: fields.number("times")?,
            now: fields.time("now")?,
            quiet: fields.time("quiet")?,
            phase: fields.text("phase")?,
            driver: fields.task("driver")?,
            open: fields.number("open")?,
        }),
        "step" => step(fields),
        "path" => Some(Body::Path { device: fields.device("dev")?, up: fields.names("up") }),
        "wait" => Some(Body::Wait {
            task: fields.task("task")?,
            object: object(fields)?,
            since: fields.since(),
            work: fields.symbol("work"),
        }),
        "task" => Some(Body::Task {
            task: fields.task("task")?,
            blocked: fields.number::<u32>("blocked")? != 0,
            since: fields.since(),
            work: fields.symbol("work"),
        }),
        "end" => Some(Body::End {
            episode: fields.number("episode")?,
            code: fields.text("code")?,
            back: Some(fields.number("back")?).filter(|&back| back > 0),
        }),
        "over" => Some(Body::Over {
            episode: fields.number("episode")?,
            now: fields.time("now")?,
            lasted: fields.time("lasted")?,
        }),
        _ => None,
    }
}

fn step(fields: &Fields<'_>) -> Option<Body> {
    let kind = fields.plain("kind")?;
    let number = STEP_NAMES.iter().skip(1).position(|&name| name == kind);
    Some(Body::Step {
        step: number.and_then(|number| Step::ALL.get(number).copied()),
        device: fields.device("dev")?,
        bus: fields.text("bus")?,
        driver: fields.text("drv")?,
        task: fields.task("task")?,
        since: fields.since(),
        callback: match fields.number("callback")? {
            callback::RUNNING => Callback::Running,
            callback::RETURNED => Callback::Returned,
            _ => Callback::NotCalled,
        },
    })
}

fn object(fields: &Fields<'_>) -> Option<Object> {
    let of = || fields.device("of").filter(|device| device.id != 0);
    match fields.plain("on")? {
        "queue" => Some(Object::Queue {
            of: of(),
            pm_only: fields.number("pm_only")?,
            frozen: fields.number("frozen")?,
            suspended: fields.number::<u32>("suspended")? != 0,
        }),
        "work" => Some(Object::Work {
            function: fields.symbol("func"),
            runner: fields.task("runner").filter(|task| task.tid != 0),
        }),
        "step" => Some(Object::Step { of: of()? }),
        "completion" => Some(Object::Completion),
        "async" => Some(Object::AsyncCalls),
        kind @ ("mutex" | "rwsem" | "lock") => Some(Object::Lock {
            kind: kind.to_owned(),
            of: of(),
            owner: fields.task("owner").filter(|task| task.tid != 0),
        }),
        _ => None,
    }
}

/// The fields of a line: `key=12`, `key="name"`, `key=12"name"`.
struct Fields<'a>(Vec<Field<'a>>);

struct Field<'a> {
    key: &'a str,
    number: &'a str,
    name: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// Splits a line. A last field that was cut is left out; `None` if there are too many.
    fn split(mut rest: &'a str) -> Option<Self> {
        let mut fields = Vec::new();
        loop {
            rest = rest.trim_start();
            let Some((key, value)) = rest.split_once('=') else { return Some(Self(fields)) };
            if fields.len() == MAX_FIELDS {
                return None;
            }
            let plain = value.find([' ', '"']).unwrap_or(value.len());
            let (number, after) = value.split_at(plain);
            let Some(quoted) = after.strip_prefix('"') else {
                fields.push(Field { key, number: number.trim_end(), name: None });
                rest = after;
                continue;
            };
            // A name may have quotes in it; the last one is followed by a space or nothing.
            let end = quoted.match_indices('"').map(|(at, _)| at).find(|at| {
                let next = quoted[at + 1..].chars().next();
                next.is_none_or(char::is_whitespace)
            });
            let Some(end) = end else { return Some(Self(fields)) };
            fields.push(Field { key, number, name: Some(&quoted[..end]) });
            rest = &quoted[end + 1..];
        }
    }

    fn get(&self, key: &str) -> Option<&Field<'a>> {
        self.0.iter().find(|field| field.key == key)
    }

    fn plain(&self, key: &str) -> Option<&'a str> {
        self.get(key).map(|field| field.number)
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.plain(key)?.parse().ok()
    }

    /// A name, or a plain word, without what acts on a terminal.
    fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(|field| text::line(field.name.unwrap_or(field.number)).into_owned())
    }

    fn names(&self, key: &str) -> Vec<String> {
        let fields = self.0.iter().filter(|field| field.key == key);
        fields
            .filter_map(|field| field.name)
            .filter(|name| !name.is_empty() && *name != "(null)")
            .map(|name| text::line(name).into_owned())
            .collect()
    }

    /// The name of a function; empty if it is none.
    fn symbol(&self, key: &str) -> String {
        let name = self.text(key).unwrap_or_default();
        if name.starts_with("0x") || name.starts_with('(') { String::new() } else { name }
    }

    fn task(&self, key: &str) -> Option<Task> {
        Some(Task { tid: self.number(key)?, comm: self.text(key)? })
    }

    fn device(&self, key: &str) -> Option<Device> {
        Some(Device { id: u32::from_str_radix(self.plain(key)?, 16).ok()?, name: self.text(key)? })
    }

    /// Seconds with three digits after the point.
    fn time(&self, key: &str) -> Option<Nanos> {
        let (seconds, millis) = self.plain(key)?.split_once('.')?;
        let (seconds, millis): (u64, u64) = (seconds.parse().ok()?, millis.parse().ok()?);
        if millis > 999 {
            return None;
        }
        seconds.checked_mul(1000)?.checked_add(millis)?.checked_mul(1_000_000)
    }

    fn since(&self) -> Option<Nanos> {
        self.time("since").filter(|&since| since > 0)
    }
}

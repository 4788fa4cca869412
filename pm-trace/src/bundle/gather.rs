//! The members of a bundle.

use super::redact::Redactor;
use super::{Bundle, BundleError, Member, secrets, trace};
use crate::diagnose::{Analysis, Explained};
use crate::doctor;
use crate::event::Clocks;
use crate::kernel::system::System;
use crate::kernel::{config, kmsg};
use crate::model::Model;
use crate::report::{Report, html};
use crate::trace::{Session, Trace};
use std::fmt::Write as _;
use std::path::Path;

/// Two clocks that are the same boot's differ by less, in nanoseconds: they are not read at the same moment, and
/// the real-time clock may be set.
const SAME_BOOT: u64 = 120_000_000_000;
/// Lines of the kernel log from before the recording, in nanoseconds.
const BEFORE: u64 = 10_000_000_000;

/// Collects everything about the trace, and about the machine if the trace is from it.
///
/// `log` holds the records of the kernel log, or the reason why there are none.
///
/// # Errors
/// The trace cannot be read.
pub fn gather(
    path: &Path,
    system: &dyn System,
    log: Result<Vec<kmsg::Record>, String>,
    redact: bool,
) -> Result<Bundle, BundleError> {
    let explained = Explained::read(path)?;
    let (session, model) = (explained.session.as_ref(), explained.model());
    let mut bundle = Bundle::default();
    bundle.add("devices.txt", "the trace, and sysfs for attributes", Ok(devices(model, system, session)));
    match session {
        Some(session) => from_machine(&mut bundle, session, model, system, log),
        None => {
            let reason = "the trace does not say which machine and kernel it is from: that part is damaged";
            MACHINE.iter().for_each(|name| bundle.add(name, "", Err(reason.to_owned())));
        }
    }
    let mut redactor = redact.then(|| Redactor::new(secrets::known_secrets(system)));
    let trace = trace_member(path, redactor.as_mut())?;
    let mut notes: Vec<String> = explained.notes.iter().map(ToString::to_string).collect();
    if let Some(redactor) = &mut redactor {
        redact_texts(&mut bundle, redactor);
        notes.iter_mut().for_each(|note| *note = redactor.text(note));
    }
    let mut members = reports(path, &trace.content, notes)?;
    members.insert(0, trace);
    members.append(&mut bundle.members);
    Ok(Bundle { members, missing: bundle.missing, redacted: redactor.map(|redactor| redactor.summary()) })
}

/// The trace as it goes out.
fn trace_member(path: &Path, redactor: Option<&mut Redactor>) -> Result<Member, crate::trace::Error> {
    let (content, origin) = match redactor {
        Some(redactor) => {
            let origin = "the recorded events, written anew without what was taken out";
            (trace::redacted(path, redactor)?, origin)
        }
        None => {
            let open = |source| crate::trace::Error::Open { path: path.to_owned(), source };
            (std::fs::read(path).map_err(open)?, "as it was recorded")
        }
    };
    Ok(Member { name: "trace.pmtrace".to_owned(), content, origin: origin.to_owned() })
}

/// What the trace says, in every form that somebody may want to read, made from the bytes that go out: so a report
/// holds no more than they do. Taking secrets out of a page when it is done would take them out of its script, too, and
/// put markup in their place. `notes` say what was wrong with the file that these bytes were made from.
fn reports(path: &Path, trace: &[u8], notes: Vec<String>) -> Result<Vec<Member>, BundleError> {
    let mut page = html::Gather::default();
    let trace = Trace::read(path, trace)?;
    let explained = Explained::of(trace, Analysis::default(), |event| page.apply(event));
    let mut report = Report::of(&explained);
    report.loss.notes = notes;
    let forms = [
        ("report.md", report.markdown()),
        ("report.txt", report.text()),
        ("report.json", report.json()?),
        ("report.html", page.page(&report)?),
    ];
    let member = |(name, text): (&str, String)| Member {
        name: name.to_owned(),
        content: text.into_bytes(),
        origin: "made from the trace".to_owned(),
    };
    Ok(forms.map(member).into())
}

/// Takes secrets out of what the machine says about itself.
fn redact_texts(bundle: &mut Bundle, redactor: &mut Redactor) {
    for member in &mut bundle.members {
        member.content = redactor.text(&String::from_utf8_lossy(&member.content)).into_bytes();
    }
    for missing in &mut bundle.missing {
        missing.reason = redactor.text(&missing.reason);
    }
}

/// Members that only the machine of the trace can give.
const MACHINE: [&str; 5] = ["kernel.txt", "config", "modules.txt", "dmesg.txt", "doctor.txt"];

fn from_machine(
    bundle: &mut Bundle,
    session: &Session,
    model: &Model,
    system: &dyn System,
    log: Result<Vec<kmsg::Record>, String>,
) {
    let kernel = &session.kernel;
    let text =
        format!("Linux {} {} {}\n\n{}\n", kernel.release, kernel.version, kernel.machine, session.cmdline);
    bundle.add("kernel.txt", "the trace: what uname says, and the kernel's command line", Ok(text));
    let config = config::find(system, &kernel.release);
    let origin = config.as_ref().map_or("", |(path, _)| path.as_str()).to_owned();
    let config = config.map(|(_, text)| String::from_utf8_lossy(&text).into_owned());
    bundle.add("config", &origin, config.map_err(|error| error.to_string()));
    let here = system.uname().ok();
    let same_kernel = here
        .as_ref()
        .is_some_and(|here| (&here.release, &here.version) == (&kernel.release, &kernel.version));
    let running = here.map_or_else(|| "an unknown kernel".to_owned(), |here| here.release);
    let other = || format!("the trace is of {}, and this machine runs {running}", kernel.release);
    let modules = if same_kernel {
        system
            .text("/proc/modules")
            .map(|text| text + "\n")
            .ok_or_else(|| "cannot read /proc/modules".to_owned())
    } else {
        Err(other())
    };
    bundle.add("modules.txt", "/proc/modules when the bundle was made", modules);
    let now = crate::kernel::clock::now();
    let log = match log {
        Err(reason) => Err(reason),
        Ok(_) if !same_kernel => Err(other()),
        Ok(_) if !same_boot(session.clocks, now) => {
            Err("the machine was started anew since the trace: its kernel log is gone".to_owned())
        }
        Ok(records) => Ok(dmesg(&records, session, model)),
    };
    bundle.add("dmesg.txt", "the kernel log of the time of the trace", log);
    let doctor = if same_kernel { Ok(doctor::run(system).to_text()) } else { Err(other()) };
    bundle.add("doctor.txt", "pm-trace doctor when the bundle was made", doctor);
}

/// Boot time counts sleep, so real time minus boot time is the moment of the boot.
fn same_boot(then: Clocks, now: Clocks) -> bool {
    let boot = |clocks: Clocks| clocks.realtime.saturating_sub(clocks.boottime);
    then.boottime <= now.boottime && boot(then).abs_diff(boot(now)) < SAME_BOOT
}

/// The log stamps its records with a clock that stands still in sleep; the trace's goes on. So the records of
/// the trace's time lie between its start and its end by either.
fn dmesg(records: &[kmsg::Record], session: &Session, model: &Model) -> String {
    let start = session.clocks.monotonic.saturating_sub(BEFORE);
    let lasted = model.now().saturating_sub(session.clocks.boottime);
    let end = session.clocks.monotonic.saturating_add(lasted).saturating_add(BEFORE);
    let mut text = String::new();
    for record in records.iter().filter(|record| (start..=end).contains(&record.time)) {
        let (seconds, micros) = (record.time / 1_000_000_000, record.time / 1000 % 1_000_000);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "<{}>[{seconds:5}.{micros:06}] {}", record.level, record.text);
    }
    text
}

/// Attributes of `/sys/devices/.../power` that tell how a device sleeps.
const ATTRIBUTES: [&str; 4] = ["control", "async", "wakeup", "runtime_status"];

/// Every device of the trace below its parent, with its links, and its attributes where this machine has it.
fn devices(model: &Model, system: &dyn System, session: Option<&Session>) -> String {
    let mut text = String::from(
        "# name (bus, class, driver) power bits of the trace; <- supplier (DL_FLAG_*, status); attributes of sysfs\n",
    );
    let same = session
        .zip(system.uname().ok())
        .is_some_and(|(session, here)| session.kernel.release == here.release);
    let mut tree: std::collections::BTreeMap<_, Vec<_>> = std::collections::BTreeMap::new();
    let known: std::collections::BTreeSet<_> = model.devices().map(|(id, _)| id).collect();
    for (id, device) in model.devices() {
        let parent =
            device.info.as_ref().and_then(|info| info.parent).filter(|parent| known.contains(parent));
        tree.entry(parent.filter(|parent| *parent != id)).or_default().push(id);
    }
    let mut stack: Vec<_> = tree.get(&None).into_iter().flatten().rev().map(|&id| (id, 0_usize)).collect();
    while let Some((id, depth)) = stack.pop() {
        let Some(device) = model.device(id) else { continue };
        let Some(info) = &device.info else { continue };
        let _ = write!(
            text,
            "{:depth$}{} ({}, {}, {}) {:#x}",
            "", info.name, info.bus, info.class, info.driver, info.power.0
        );
        for link in &device.links {
            let supplier = model.device(link.supplier).and_then(|device| device.info.as_ref());
            let supplier = supplier.map_or("?", |info| info.name.as_str());
            let _ = write!(text, " <- {supplier} ({:#x}, {})", link.flags, link.status);
        }
        if same && !info.bus.is_empty() {
            for attribute in ATTRIBUTES {
                let path = format!("/sys/bus/{}/devices/{}/power/{attribute}", info.bus, info.name);
                if let Some(value) = system.text(&path) {
                    let _ = write!(text, " {attribute}={value}");
                }
            }
        }
        text.push('\n');
        // A tree made of a damaged trace may be as deep as it has devices.
        stack.extend(
            tree.get(&Some(id)).into_iter().flatten().rev().map(|&child| (child, (depth + 1).min(64))),
        );
    }
    text
}

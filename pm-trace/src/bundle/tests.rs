//! What leaves a machine in a bundle.

use super::gather::gather;
use super::{Bundle, BundleError, Redactor, Sort, known_secrets};
use crate::event::{Body, Comm, DeviceInfo, Event, ObjId, Power, TaskRef};
use crate::kernel::kmsg::Record;
use crate::kernel::system::System;
use crate::kernel::testing::machine;
use crate::trace::{Overwrite, Session, Totals, Trace, Writer};
use std::io::Read;
use std::path::Path;

/// What stands in the files of the test's machine, and must not leave it.
const SECRETS: [&str; 12] = [
    "4711-ABC-0815",
    "QM00001",
    "52:54:00:12:34:56",
    "525400123456",
    "4c4c4544-0042-3510-8052-b4c04f564432",
    "0123456789abcdef0123456789abcdef",
    "mybox",
    "eva",
    "Musterfrau",
    "ffff888012345678",
    "5000c500a1b2c3d4",
    "S3RIALBYFORM",
];

/// Files of the test's machine.
const FILES: [(&str, &str); 14] = [
    ("/sys/class/dmi/id/product_serial", "4711-ABC-0815\n"),
    ("/sys/class/dmi/id/board_serial", "Default string\n"),
    ("/sys/class/dmi/id/product_uuid", "4c4c4544-0042-3510-8052-b4c04f564432\n"),
    ("/sys/block/sda/device/wwid", "t10.ATA     QEMU HARDDISK                           QM00001 \n"),
    ("/sys/class/net/eth0/address", "52:54:00:12:34:56\n"),
    ("/sys/class/net/eth0/phys_port_id", "525400123456\n"),
    ("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    ("/proc/sys/kernel/hostname", "mybox.example.org\n"),
    ("/etc/passwd", "root:x:0:0::/root:/bin/sh\neva:x:1000:1000:Eva Musterfrau:/home/eva:/bin/sh\n"),
    ("/proc/sys/kernel/osrelease", "6.1.0-56-amd64\n"),
    ("/proc/sys/kernel/version", "#1 SMP\n"),
    ("/proc/sys/kernel/arch", "x86_64\n"),
    ("/proc/modules", "ahci 49152 2 - Live 0xffff888012345678\n"),
    ("/boot/config-6.1.0-56-amd64", "CONFIG_KPROBES=y\nCONFIG_DEFAULT_HOSTNAME=\"mybox\"\n"),
];

fn session() -> Session {
    let mut session = Session {
        tool: "0.1.0".to_owned(),
        command: vec!["pm-trace".to_owned(), "-o".to_owned(), "/home/eva/x.pmtrace".to_owned()],
        cmdline: "ro root=/dev/disk/by-id/wwn-0x5000c500a1b2c3d4 netconsole=@mybox".to_owned(),
        product: "Vendor Model 4711-abc-0815".to_owned(),
        clocks: crate::kernel::clock::now(),
        ..Session::default()
    };
    session.kernel.release = "6.1.0-56-amd64".to_owned();
    session.kernel.version = "#1 SMP".to_owned();
    session
}

fn write_trace(path: &Path, closed: bool) {
    let session = session();
    let mut writer = Writer::create(path, &session, Overwrite::Refuse).unwrap();
    let names = ["eva-QM00001", "usb-mybox:1", "hci0:52-54-00-12-34-56", "1:0:0:0"];
    for (place, name) in (1..).zip(names) {
        let info = DeviceInfo {
            dev: ObjId(place),
            parent: None,
            name: name.to_owned(),
            bus: "scsi".to_owned(),
            class: String::new(),
            driver: "sd".to_owned(),
            power: Power(0),
            lock: None,
            completion: None,
            links_left: 0,
        };
        let task = TaskRef { tid: 7, comm: Comm::new("backup-eva") };
        let time = session.clocks.boottime + u64::from(place);
        writer.append(&Event { time, cpu: 0, task, body: Body::Device(info) }).unwrap();
    }
    if closed {
        writer.finish(Totals::default()).unwrap();
    } else {
        writer.flush_block().unwrap();
    }
}

fn log() -> Vec<Record> {
    let lines = [
        "PM: suspend entry (deep)",
        "ata1.00: serial number: S3RIALBYFORM",
        "eth0: renamed, MAC 52:54:00:12:34:56",
        "RIP: 0010:ffff888012345678 RSP ffff888012345678",
        "wwn: naa.5000c500a1b2c3d4",
        "EXT4-fs: mounted 4C4C4544-0042-3510-8052-b4c04f564432",
    ];
    let time = session().clocks.monotonic;
    lines.iter().map(|line| Record { level: 6, time, text: (*line).to_owned() }).collect()
}

/// The members as a stranger gets them.
fn unpacked(path: &Path) -> Vec<(String, Vec<u8>)> {
    let file = std::fs::File::open(path).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let mut members = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        members.push((name, content));
    }
    members
}

fn bundle(folder: &Path, redact: bool, closed: bool) -> Bundle {
    let (_root, system) = machine(&FILES);
    let trace = folder.join("t.pmtrace");
    write_trace(&trace, closed);
    gather(&trace, &system, Ok(log()), redact).unwrap()
}

/// The point of redaction: none of what identifies the machine is in any byte of what is sent.
#[test]
fn no_secret_leaves_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(folder.path(), true, true);
    let path = folder.path().join("b.tar.zst");
    bundle.write(&path).unwrap();
    let members = unpacked(&path);
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    let files = ["MANIFEST.json", "trace.pmtrace", "report.md", "report.txt", "report.json", "report.html"];
    let machine = ["devices.txt", "kernel.txt", "config", "modules.txt", "dmesg.txt", "doctor.txt"];
    let expected: Vec<String> = files.iter().chain(&machine).map(|name| format!("b/{name}")).collect();
    assert_eq!(names, expected);
    for (name, content) in &members {
        let text = String::from_utf8_lossy(content).to_lowercase();
        for secret in SECRETS {
            assert!(!text.contains(&secret.to_lowercase()), "{secret} is in {name}");
        }
    }
    let sorts: Vec<Sort> = bundle.redacted.unwrap().iter().map(|redacted| redacted.sort).collect();
    assert_eq!(sorts, [Sort::Serial, Sort::Mac, Sort::Uuid, Sort::Host, Sort::User, Sort::Address]);
}

/// What replaces a secret is a word of the page, not markup that a browser swallows, and the script is not touched:
/// a user whose name is a word of it would break it otherwise.
#[test]
fn the_page_is_whole_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = FILES;
    files[8].1 = "eva:x:1000:1000:Eva Musterfrau:/home/eva:/bin/sh\nvar:x:1001:1001:function:/:/bin/sh\n";
    let (_root, system) = machine(&files);
    let trace = folder.path().join("t.pmtrace");
    write_trace(&trace, true);
    let page = |redact| {
        let bundle = gather(&trace, &system, Ok(log()), redact).unwrap();
        let page = bundle.members.into_iter().find(|member| member.name == "report.html").unwrap();
        String::from_utf8(page.content).unwrap()
    };
    let (redacted, whole) = (page(true), page(false));
    assert!(whole.contains("eva-QM00001"), "the secret would be in it");
    assert!(redacted.contains("usb-&#60;host-1&#62;:1"), "its place is seen");
    for tag in ["<user-", "<serial-", "<mac-", "<host-"] {
        assert!(!redacted.contains(tag), "{tag}");
    }
    let script = |page: &str| page.rsplit_once("<script>").unwrap().1.to_owned();
    assert_eq!(script(&redacted), script(&whole));
}

/// The copy is a trace like any other, with everything in it that is no secret.
#[test]
fn the_redacted_trace_is_a_trace() {
    for closed in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let bundle = bundle(folder.path(), true, closed);
        let copy = folder.path().join("copy.pmtrace");
        std::fs::write(&copy, &bundle.members[0].content).unwrap();
        let mut trace = Trace::open(&copy).unwrap();
        let events: Vec<Event> = trace.by_ref().collect();
        let names: Vec<&str> = events
            .iter()
            .filter_map(|event| match &event.body {
                Body::Device(info) => Some(info.name.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["<user-1>-<serial-3>", "usb-<host-1>:1", "hci0:<mac-1>", "1:0:0:0"]);
        assert_eq!(events[0].task.comm.as_str(), "backup-<user-1>");
        assert_eq!(trace.notes().is_empty(), closed, "{:?}", trace.notes());
    }
}

#[test]
fn everything_stays_in_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(folder.path(), false, true);
    assert_eq!(bundle.redacted, None);
    assert_eq!(bundle.members[0].content, std::fs::read(folder.path().join("t.pmtrace")).unwrap());
    assert!(bundle.members.iter().any(|member| String::from_utf8_lossy(&member.content).contains("QM00001")));
}

/// What cannot be had is told, not left out in silence: another machine's log would mislead.
#[test]
fn another_machine_gives_what_is_in_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = FILES;
    for (path, text) in &mut files {
        if *path == "/proc/sys/kernel/osrelease" {
            *text = "6.12.1\n";
        }
    }
    let (_root, system) = machine(&files);
    let trace = folder.path().join("t.pmtrace");
    write_trace(&trace, true);
    let bundle = gather(&trace, &system, Ok(log()), true).unwrap();
    let missing: Vec<&str> = bundle.missing.iter().map(|missing| missing.name.as_str()).collect();
    assert_eq!(missing, ["modules.txt", "dmesg.txt", "doctor.txt"]);
    assert!(
        bundle.missing[0].reason.contains("the trace is of 6.1.0-56-amd64, and this machine runs 6.12.1")
    );
}

#[test]
fn nothing_is_replaced_and_nothing_half_done_stays() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(folder.path(), true, true);
    let path = folder.path().join("b.tar.zst");
    std::fs::write(&path, "mine").unwrap();
    assert!(matches!(bundle.write(&path), Err(BundleError::Exists(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    let error = bundle.write(&folder.path().join("none/b.tar.zst")).unwrap_err();
    assert!(error.to_string().contains("nothing is left of it"), "{error}");
}

/// Words that only look like secrets keep their meaning.
#[test]
fn what_is_no_secret_stays() {
    let mut redactor = Redactor::new(vec![(Sort::User, "eva".to_owned()), (Sort::Serial, "100".to_owned())]);
    let text = "evaluate 1000 medieval 0000:00:1f.2 12:34:56 1:0:0:0 6aa0365a3c85 Serial: 8250/16550 driver \
                ata2: SATA link up 6.0 Gbps serial8250 ffff";
    assert_eq!(redactor.text(text), text);
    assert!(redactor.summary().is_empty());
    assert_eq!(redactor.text("Eva, eva_x"), "<user-1>, <user-1>_x");
    assert_eq!(redactor.text(&redactor.summary()[0].places.to_string()), "2");
}

/// A machine that gives nothing away has no secrets, and one that lies (placeholders) neither.
#[test]
fn placeholders_are_no_secrets() {
    let (_root, system) = machine(&FILES);
    let secrets = known_secrets(&system);
    assert!(secrets.iter().all(|(_, secret)| secret != "Default string"), "{secrets:?}");
    assert!(secrets.contains(&(Sort::Host, "mybox".to_owned())));
    assert!(system.text("/proc/modules").is_some());
}

/// A stall that was over before the trace ended is in the report that goes out.
#[test]
fn the_report_tells_what_is_over_too() {
    let folder = tempfile::tempdir().unwrap();
    let (_root, system) = machine(&FILES);
    let trace = folder.path().join("t.pmtrace");
    let mut writer = Writer::create(&trace, &session(), Overwrite::Refuse).unwrap();
    for event in crate::diagnose::script::events(include_str!("../../tests/scenarios/stall-that-ended.txt")) {
        writer.append(&event).unwrap();
    }
    writer.finish(Totals::default()).unwrap();
    let bundle = gather(&trace, &system, Ok(log()), false).unwrap();
    let report = bundle.members.iter().find(|member| member.name == "report.txt").unwrap();
    assert!(String::from_utf8_lossy(&report.content).starts_with("STALL"));
}

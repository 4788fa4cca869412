use super::*;
use crate::kernel::system::Live;
use crate::kernel::testing::{Changed, KERNELS, recorded};

fn debian() -> Changed {
    recorded("debian-6.12")
}

fn status(report: &DoctorReport, id: &str) -> Status {
    report.check(id).unwrap().status
}

/// The check with this id, of Debian's kernel with something changed.
fn changed(change: impl FnOnce(Changed) -> Changed, id: &str) -> (Check, DoctorReport) {
    let report = run(&change(debian()));
    (report.check(id).unwrap().clone(), report)
}

#[test]
fn debians_kernels_can_be_traced_live() {
    for kernel in KERNELS {
        let report = run(&recorded(kernel));
        assert!(report.traceable() && report.live_possible(), "{}", report.to_text());
        assert_eq!(report.exit_code(), 0);
        let warned: Vec<&str> =
            report.checks.iter().filter(|check| check.status != Status::Ok).map(|check| check.id).collect();
        // Only the younger one could keep a trace in memory, and was not asked to.
        let kept = Some("persistent-trace").filter(|_| kernel.ends_with("6.12"));
        let expected = ["console", "watchdog-console"].into_iter().chain(kept).chain(["pstore"]);
        assert!(warned.iter().copied().eq(expected), "{warned:?}: {}", report.to_text());
    }
}

#[test]
fn the_text_of_a_healthy_machine() {
    let text = run(&debian()).to_text();
    // The table of members grows.
    let all = pm_trace_common::member::Member::COUNT;
    insta::assert_snapshot!(text.replace(&format!("{all} of {all} known"), "ALL known"));
}

#[test]
fn the_text_of_a_machine_that_lacks_much() {
    let poor = debian()
        .with("/proc/self/status", "CapEff:\t0000000000000000\n")
        .with("/proc/kallsyms", "0000000000000000 T _stext\n")
        .with("/sys/power/state", "freeze\n")
        .with("/sys/power/mem_sleep", "[s2idle]\n")
        .with("/sys/power/disk", "[disabled]\n")
        .with("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n")
        .with("/sys/class/dmi/id/product_name", "A \x1b[2J \u{202e}model\n")
        .without("/sys/kernel/btf")
        .without("/sys/bus")
        .without("/sys/class/rtc")
        .without("/sys/kernel/tracing");
    let report = run(&poor);
    assert!(!report.traceable() && !report.live_possible());
    assert_eq!(report.exit_code(), 4);
    insta::assert_snapshot!(report.to_text());
}

#[test]
fn text_fits_the_terminal_and_cannot_act_on_it() {
    let nasty = debian()
        .with("/sys/class/dmi/id/product_name", "x\x1b]0;title\x07\u{9b}2J")
        .with("/sys/power/state", "mem \x1b[31mfreeze\n")
        .with("/proc/sys/kernel/perf_event_paranoid", "2\x1b[0m\r\n");
    for report in [run(&nasty), run(&Live)] {
        let text = report.to_text();
        assert!(text.chars().all(|c| c == '\n' || !crate::text::is_unsafe(c)), "{text:?}");
        assert!(text.lines().all(|line| line.chars().count() <= 100 && !line.ends_with(' ')), "{text}");
    }
}

#[test]
fn every_problem_says_what_follows_and_what_to_do() {
    let reports = [
        run(&Live),
        run(&debian().without("/sys").without("/proc").without("/boot").without("/dev")),
        run(&debian().without("/sys/kernel/btf/libata").without("/sys/module/pstore")),
    ];
    for report in &reports {
        for check in &report.checks {
            assert!(!check.result.is_empty(), "{}", check.id);
            if check.status != Status::Ok {
                assert!(!check.consequence.is_empty() && !check.remedy.is_empty(), "{}: {check:?}", check.id);
            }
        }
    }
}

#[test]
fn ids_are_unique_and_titles_fit() {
    let mut ids: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), CHECKS.len());
    assert!(CHECKS.iter().all(|check| check.title.chars().count() < 24));
}

#[test]
fn json_has_the_checks() {
    let json = serde_json::to_value(run(&debian())).unwrap();
    assert_eq!(json["format"], 1);
    assert_eq!(json["traceable"], true);
    assert_eq!(json["live_possible"], true);
    assert_eq!(json["checks"][0]["id"], "access");
    assert_eq!(json["checks"][0]["status"], "ok");
}

#[test]
fn capabilities_decide_what_a_process_may_do() {
    let caps = |caps: &str| {
        changed(|debian| debian.with("/proc/self/status", format!("CapEff:\t{caps}\n")), "access").0
    };
    assert_eq!(caps("0000000000000000").status, Status::Fail);
    let few = caps("000000c000000000");
    assert_eq!(few.status, Status::Warn);
    assert_eq!(few.result, "this process has not: CAP_SYS_ADMIN, CAP_SYSLOG");
    assert_eq!(caps("000000c400200000").status, Status::Ok);
}

#[test]
fn lockdown_costs_live_mode_or_everything() {
    let lockdown = |text: &str| changed(|d| d.with("/sys/kernel/security/lockdown", text), "lockdown");
    let (check, report) = lockdown("none [integrity] confidentiality");
    assert_eq!(check.status, Status::Warn);
    assert!(report.traceable() && !report.live_possible());
    assert!(report.check("live").unwrap().result.contains("Secure Boot"));
    let (check, report) = lockdown("none integrity [confidentiality]");
    assert_eq!(check.status, Status::Fail);
    assert!(!report.traceable());
    let secure = b"\x06\0\0\0\x01";
    let variable = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    assert_eq!(changed(|d| d.with(variable, secure), "lockdown").0.result, "none, Secure Boot is on");
}

#[test]
fn kprobes_that_are_switched_off_are_told_from_missing_ones() {
    let (check, _) = changed(|d| d.with("/sys/kernel/debug/kprobes/enabled", "0\n"), "kprobes");
    assert_eq!((check.status, check.remedy.starts_with("echo 1")), (Status::Fail, true));
    let config = "/boot/config-6.12.117+deb12-amd64";
    let (check, _) = changed(|d| d.with(config, "CONFIG_BPF_SYSCALL=y\n"), "kprobes");
    assert_eq!(check.result, "the kernel was built without CONFIG_KPROBES");
    let (check, _) = changed(|d| d.without(config).without("/sys/bus"), "kprobes");
    assert_eq!(check.result, "not there (CONFIG_KPROBE_EVENTS)");
}

#[test]
fn modules_without_types_cost_scsi_and_ata_only() {
    let (check, report) = changed(|d| d.without("/sys/kernel/btf/libata"), "module-btf");
    assert_eq!((check.status, check.result.as_str()), (Status::Warn, "libata has no type information"));
    assert_eq!(status(&report, "members"), Status::Ok);
    assert!(report.traceable());
    let (check, _) =
        changed(|d| d.without("/sys/kernel/btf/libata").without("/sys/module/libata"), "module-btf");
    assert_eq!(check.result, "libata is not loaded");
    assert_eq!(check.remedy, "modprobe libata");
}

#[test]
fn live_mode_says_what_it_misses() {
    let live = |change: fn(Changed) -> Changed| {
        let (check, report) = changed(change, "live");
        assert!(report.traceable() && !report.live_possible());
        assert_eq!(status(&report, "notifiers"), Status::Ok);
        check
    };
    assert!(live(|d| d.without("/dev/snapshot")).result.starts_with("there is no /dev/snapshot"));
    assert!(
        live(|d| d.with("/proc/cmdline", "quiet nohibernate")).remedy.contains("boot without nohibernate")
    );
    assert!(live(|d| d.with("/sys/power/disk", "[disabled]\n")).result.contains("[disabled]"));
    assert!(live(|d| d.with("/sys/power/mem_sleep", "[s2idle]\n")).remedy.contains("firmware set-up"));
}

#[test]
fn the_running_machine_gets_an_answer() {
    let report = run(&Live);
    assert_eq!(report.checks.len(), CHECKS.len());
    assert_eq!(report.exit_code() == 0, report.traceable());
    assert!(!report.live_possible() || report.traceable());
}

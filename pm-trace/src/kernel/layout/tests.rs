use super::*;
use crate::kernel::system::{Live, Recorded};
use crate::kernel::testing::{Changed, KERNELS, recorded};
use pm_trace_common::member::Shape;

const LIBATA: &str = "/sys/kernel/btf/libata";

/// The recording with every string `from` of the image's BTF called `to`.
fn renamed(kernel: &str, names: &[(&str, &str)]) -> Changed {
    let system = recorded(kernel);
    let mut data = system.read(VMLINUX).unwrap();
    let places: Vec<(usize, &str)> = names
        .iter()
        .map(|(from, to)| {
            assert_eq!(from.len(), to.len());
            let whole = [b"\0", from.as_bytes(), b"\0"].concat();
            (data.windows(whole.len()).position(|part| part == whole).unwrap() + 1, *to)
        })
        .collect();
    for (at, to) in places {
        data[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    system.with(VMLINUX, data)
}

fn reason(layout: &Layout, member: Member) -> &MissingReason {
    assert_eq!(layout.offset(member), None);
    &layout.missing.iter().find(|missing| missing.member == member).unwrap().reason
}

/// The members that are missing, by the module they are looked for in.
fn missing_of(layout: &Layout, module: &str) -> usize {
    layout.missing.iter().filter(|missing| missing.member.place().module == module).count()
}

#[test]
fn offsets_are_those_that_pahole_tells() {
    for kernel in KERNELS {
        let system = recorded(kernel);
        let layout = resolve(&system).unwrap();
        assert_eq!(layout.missing, [], "{kernel}");
        assert_eq!(layout.rescan_takes_sdev, Some(true));
        assert_eq!(layout.facts.rescan_takes_sdev, 1);
        // pahole: "size: 272" and "size: 248".
        let request = if kernel == "debian-6.1" { 272 } else { 248 };
        assert_eq!(layout.facts.request_size, request, "{kernel}");
        let table = system.text("/offsets.tsv").unwrap();
        let mut compared = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let (name, offset) = line.split_once('\t').unwrap();
            let named = |member: &&Member| {
                let place = member.place();
                name == format!("{}.{}", place.structure, place.path)
            };
            let Some(&member) = Member::ALL.iter().find(named) else { continue };
            assert_eq!(layout.offset(member), Some(offset.parse().unwrap()), "{kernel}: {name}");
            compared += 1;
        }
        // Neither kernel is an RT kernel, which alone has rwbase_rt and counts softirqs in the task; pcpu_hot is not in
        // the recordings.
        assert_eq!(compared, Member::COUNT - 3, "{kernel}: a member is not in offsets.tsv");
    }
}

#[test]
fn prototypes_are_known() {
    for kernel in KERNELS {
        let layout = resolve(&recorded(kernel)).unwrap();
        assert_eq!(layout.argument_struct("scsi_rescan_device", 0).as_deref(), Some("scsi_device"));
        assert_eq!(layout.argument_struct("dpm_wait_for_superior", 0).as_deref(), Some("device"));
        assert_eq!(layout.argument_struct("device_pm_wait_for_dev", 1).as_deref(), Some("device"));
        assert_eq!(layout.argument_struct("dpm_wait_for_superior", 1), None);
        assert_eq!(layout.argument_struct("dpm_wait_for_superior", 99), None);
        assert_eq!(layout.argument_struct("no_such_function", 0), None);
        assert!(layout.has_function("ata_eh_recover") && !layout.has_function("ata_eh"));
        // In the image, in a module, in neither.
        assert_eq!(layout.count_functions(&["dpm_wait_for_superior", "ata_eh_recover", "ata_eh"]), [1, 1, 0]);
        assert!(layout.has_struct("bpf_ringbuf") && !layout.has_struct("bpf_ring"));
    }
}

#[test]
fn a_module_that_is_not_loaded_is_named() {
    let system = recorded("debian-6.1").without(LIBATA).without("/sys/module/libata");
    let layout = resolve(&system).unwrap();
    assert_eq!(*reason(&layout, Member::PortScanMutex), MissingReason::NotLoaded);
    assert_eq!(missing_of(&layout, "libata"), layout.missing.len());
    assert!(layout.offset(Member::SdevQueue).is_some());
    let text = layout.missing[0].to_string();
    assert!(
        text.starts_with("libata is not loaded: struct ata_") && text.contains("modprobe libata"),
        "{text}"
    );
}

#[test]
fn a_module_without_types_is_told_from_one_that_is_not_loaded() {
    let layout = resolve(&recorded("debian-6.1").without(LIBATA)).unwrap();
    assert_eq!(*reason(&layout, Member::PortScanMutex), MissingReason::NoModuleBtf);
    assert!(layout.missing[0].to_string().contains("CONFIG_DEBUG_INFO_BTF_MODULES"));
}

#[test]
fn modules_that_use_it_stand_in_for_one_without_types() {
    for kernel in KERNELS {
        let whole = recorded(kernel);
        let types = whole.read(LIBATA).unwrap();
        let expected = resolve(&whole).unwrap();
        let layout = resolve(&recorded(kernel).without(LIBATA).with("/sys/kernel/btf/ahci", types)).unwrap();
        assert_eq!(layout.missing, []);
        assert_eq!(layout.facts.members, expected.facts.members);
        assert!(!layout.has_function("ata_eh_recover"));
    }
    // What the rescan function takes, only its own module tells.
    let types = recorded("debian-6.1").read(LIBATA).unwrap();
    let system = recorded("debian-6.1").without("/sys/kernel/btf/scsi_mod").with(LIBATA, types);
    assert_eq!(resolve(&system).unwrap().rescan_takes_sdev, None);
}

#[test]
fn broken_types_of_a_module_cost_only_that_module() {
    let layout = resolve(&recorded("debian-6.12").with(LIBATA, b"\x9f\xeb\x01")).unwrap();
    assert!(matches!(
        reason(&layout, Member::PortHost),
        MissingReason::BadModuleBtf(BtfError::Truncated { .. })
    ));
    assert_eq!(missing_of(&layout, "libata"), layout.missing.len());
}

#[test]
fn a_missing_member_is_named() {
    let layout = resolve(&renamed("debian-6.1", &[("is_suspended", "is_suspendex")])).unwrap();
    assert_eq!(*reason(&layout, Member::DeviceSuspended), MissingReason::NoMember);
    assert_eq!(layout.missing.len(), 1);
    assert_eq!(layout.missing[0].to_string(), "struct device has no member power.is_suspended");
}

#[test]
fn a_member_of_another_shape_is_missing() {
    let layout = resolve(&renamed("debian-6.12", &[("tgid", "comm"), ("comm", "tgid")])).unwrap();
    let MissingReason::WrongShape(tgid) = reason(&layout, Member::TaskTgid) else {
        panic!("{:?}", layout.missing)
    };
    assert_eq!(tgid, "an array of 16 elements");
    let MissingReason::WrongShape(comm) = reason(&layout, Member::TaskComm) else {
        panic!("{:?}", layout.missing)
    };
    assert_eq!(comm, "an integer of 4 bytes");
    assert_eq!(Member::TaskComm.place().shape, Shape::Bytes(16));
}

#[test]
fn a_structure_that_does_not_exist_is_named() {
    let layout = resolve(&renamed("debian-6.1", &[("workqueue_struct", "workqueue_strucx")])).unwrap();
    assert_eq!(*reason(&layout, Member::WorkqueueName), MissingReason::NoStruct);
}

#[test]
fn without_types_of_the_kernel_there_is_no_layout() {
    let error = resolve(&recorded("debian-6.1").without(VMLINUX)).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, KernelError::Read { .. }));
    assert!(text.contains(VMLINUX) && text.contains("CONFIG_DEBUG_INFO_BTF=y"), "{text}");
    let half = recorded("debian-6.1").read(VMLINUX).unwrap()[..20_000].to_vec();
    let error = resolve(&recorded("debian-6.1").with(VMLINUX, half)).unwrap_err();
    assert!(matches!(error, KernelError::Btf { source: BtfError::Truncated { .. }, .. }), "{error}");
}

#[test]
fn the_running_kernel_is_resolved_if_it_has_types() {
    if !Live.exists(VMLINUX) {
        return;
    }
    let layout = resolve(&Live).unwrap();
    assert!(layout.offset(Member::TaskTid).is_some());
    assert_eq!(layout.offset(Member::DeviceName), Some(0));
}

#[test]
#[ignore = "measures; run it with --release -- --ignored --nocapture, KERNEL_ROOT=folder for a recording"]
fn speed() {
    let system: Box<dyn System> = match std::env::var("KERNEL_ROOT") {
        Ok(root) => Box::new(Recorded::new(root)),
        Err(_) => Box::new(Live),
    };
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let length = system.read(VMLINUX).unwrap().len();
        let read = start.elapsed();
        let start = std::time::Instant::now();
        let layout = resolve(system.as_ref()).unwrap();
        let resolved = start.elapsed();
        let start = std::time::Instant::now();
        layout.has_function("no_such_function");
        println!(
            "{length} bytes: read {read:?}; read, resolve {} members {resolved:?}; one function {:?}",
            Member::COUNT - layout.missing.len(),
            start.elapsed()
        );
    }
}

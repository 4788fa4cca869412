use super::*;
use crate::kernel::testing::{KERNELS, recorded};
use proptest::prelude::*;

const TEXT: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000100 t helper
ffffffff81000200 T dpm_resume
ffffffff81000280 t helper
ffffffff81000300 W weak_one
ffffffff81002000 T _etext
ffffffff82000000 D some_data
ffffffffc0001000 t ata_eh_recover\t[libata]
ffffffffc0000000 T scsi_rescan_device\t[scsi_mod]
ffffffffc0002000 t ata_scsi_dev_rescan\t[libata]
";

fn symbols() -> Symbols {
    Symbols::parse(TEXT.as_bytes()).unwrap()
}

#[test]
fn an_address_is_in_the_function_before_it() {
    let symbols = symbols();
    let at = |address| symbols.lookup(address).map(|s| (s.name, s.module, s.offset));
    assert_eq!(at(0xffff_ffff_8100_0210), Some(("dpm_resume", "", 0x10)));
    assert_eq!(at(0xffff_ffff_8100_0200), Some(("dpm_resume", "", 0)));
    assert_eq!(at(0xffff_ffff_8100_0300), Some(("weak_one", "", 0)));
    assert_eq!(at(0xffff_ffff_c000_1fff), Some(("ata_eh_recover", "libata", 0xfff)));
    assert_eq!(at(0xffff_ffff_c000_0008), Some(("scsi_rescan_device", "scsi_mod", 8)));
}

#[test]
fn of_two_names_the_first_is_told() {
    assert_eq!(symbols().lookup(0xffff_ffff_8100_0004).unwrap().name, "_stext");
}

#[test]
fn addresses_outside_of_code_are_in_no_function() {
    let symbols = symbols();
    for address in [0, 1, 0xffff_ffff_80ff_ffff, 0xffff_ffff_8100_2010, 0xffff_ffff_c020_0000, u64::MAX] {
        assert_eq!(symbols.lookup(address), None, "{address:#x}");
    }
}

#[test]
fn names_are_found_and_ambiguity_shows() {
    let symbols = symbols();
    assert_eq!(symbols.find("helper"), [0xffff_ffff_8100_0100, 0xffff_ffff_8100_0280]);
    assert_eq!(symbols.find("dpm_resume").len(), 1);
    assert_eq!(symbols.find("some_data"), [] as [u64; 0]);
    let found = symbols.find_each(&["nothing", "helper", "ata_scsi_dev_rescan", "helper"]);
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [0, 2, 1, 2]);
}

#[test]
fn recorded_kernels_name_their_functions() {
    for kernel in KERNELS {
        let symbols = Symbols::load(&recorded(kernel)).unwrap();
        for (name, module) in [
            ("dpm_resume", ""),
            ("ata_scsi_dev_rescan", "libata"),
            ("scsi_rescan_device", "scsi_mod"),
            ("__mutex_lock.constprop.0", ""),
        ] {
            let [address] = symbols.find(name)[..] else { panic!("{kernel}: {name}") };
            assert_eq!(symbols.lookup(address + 4), Some(Symbol { name, module, offset: 4 }));
        }
    }
    assert!(matches!(Symbols::load(&recorded("debian-6.1").without("/proc")), Err(KernelError::Read { .. })));
}

#[test]
fn hidden_addresses_are_an_error() {
    let hidden = "0000000000000000 T _stext\n0000000000000000 t helper\t[libata]\n";
    assert!(matches!(Symbols::parse(hidden.as_bytes()), Err(KernelError::SymbolsHidden)));
    assert!(matches!(Symbols::parse(b""), Err(KernelError::NoSymbols)));
    assert!(matches!(Symbols::parse(b"ffffffff82000000 D data\n"), Err(KernelError::NoSymbols)));
}

/// A wrong address would have the programs take interrupts for tasks.
#[test]
fn the_preempt_count_is_found_by_itself_or_as_a_member() {
    let code = "ffffffff81000000 T good\n";
    let parse = |data: &str| Symbols::parse(format!("{code}{data}").as_bytes()).unwrap();
    let offsets = "ffffffff82600000 R __per_cpu_offset\n";
    let old = parse(&format!("{offsets}000000000001fb98 A __preempt_count\n"));
    let at = |preempt_count| Some(PerCpu { offsets: 0xffff_ffff_8260_0000, preempt_count });
    assert_eq!(old.preempt_count(None), at(0x1fb98));
    let newer = parse(&format!("{offsets}0000000000034000 A pcpu_hot\n"));
    assert_eq!(newer.preempt_count(Some(8)), at(0x34008));
    assert_eq!(newer.preempt_count(None), None);
    let module = "ffffffffc0000000 d pcpu_hot\t[x]\nffffffffc0000000 d x__preempt_count\n";
    assert_eq!(parse(&format!("{offsets}{module}")).preempt_count(Some(8)), None);
    let twice = format!("{offsets}{offsets}000000000001fb98 A __preempt_count\n");
    assert_eq!(parse(&twice).preempt_count(None), None);
    assert_eq!(parse("000000000001fb98 A __preempt_count\n").preempt_count(None), None);
}

#[test]
fn lines_that_are_none_are_left_out() {
    let text =
        b"nonsense\nffffffff81000000 T\nffffffffffffffffff T x\nxyz T x\n T x\nffffffff81000000 T good\nff";
    assert_eq!(Symbols::parse(text).unwrap().len(), 1);
}

#[test]
#[ignore = "measures; run it with --release -- --ignored --nocapture, KERNEL_ROOT=folder for a recording"]
fn speed() {
    let text = match std::env::var("KERNEL_ROOT") {
        Ok(root) => std::fs::read(format!("{root}{KALLSYMS}")).unwrap(),
        Err(_) => std::fs::read(KALLSYMS).unwrap(),
    };
    let lines = text.iter().filter(|&&byte| byte == b'\n').count();
    let start = std::time::Instant::now();
    let symbols = Symbols::parse(&text).unwrap();
    let parsed = start.elapsed();
    let start = std::time::Instant::now();
    let found = symbols.find("dpm_resume");
    let one = start.elapsed();
    let start = std::time::Instant::now();
    symbols.find_each(&["dpm_resume", "scsi_rescan_device", "ata_scsi_dev_rescan"]);
    let many = start.elapsed();
    let start = std::time::Instant::now();
    let looked: u64 = (0..1000_u64)
        .filter_map(|i| symbols.lookup(0xffff_ffff_8100_0000 + i * 4096))
        .map(|s| s.offset)
        .sum();
    let lookups = start.elapsed();
    let bytes = symbols.names.len() + symbols.entries.len() * size_of::<Entry>();
    println!(
        "{lines} lines, {} functions, {bytes} bytes: parse {parsed:?}, find {one:?} {found:x?}, find 3 {many:?}, \
         1000 lookups {lookups:?} ({looked})",
        symbols.len()
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..400), at: u64) {
        if let Ok(symbols) = Symbols::parse(&text) {
            symbols.lookup(at);
            symbols.find("x");
        }
    }

    #[test]
    fn every_function_is_found_at_its_own_address(
        addresses in proptest::collection::btree_set(1..u64::MAX, 1..40), seed: u64
    ) {
        let mut lines: Vec<String> = addresses.iter().map(|a| format!("{a:016x} t f{a:x}\t[m{}]\n", a % 3)).collect();
        let turn = usize::try_from(seed).unwrap_or(0) % lines.len();
        lines.rotate_left(turn);
        let symbols = Symbols::parse(lines.concat().as_bytes()).unwrap();
        for address in addresses {
            let symbol = symbols.lookup(address).unwrap();
            let (name, module) = (format!("f{address:x}"), format!("m{}", address % 3));
            prop_assert_eq!(symbol, Symbol { name: &name, module: &module, offset: 0 });
        }
    }
}

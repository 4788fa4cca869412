use super::*;
use crate::kernel::system::{Live, Recorded};

#[test]
#[ignore = "measures; run it with --release -- --ignored --nocapture, KERNEL_ROOT=folder for a recording"]
fn speed() {
    let root = std::env::var("KERNEL_ROOT");
    let system: Box<dyn System> = match &root {
        Ok(root) => Box::new(Recorded::new(root)),
        Err(_) => Box::new(Live),
    };
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let read = system.read(VMLINUX).unwrap();
        let read_time = start.elapsed();
        drop(read);
        let start = std::time::Instant::now();
        let layout = resolve(system.as_ref()).unwrap();
        let time = start.elapsed();
        println!("read {read_time:?}, read and resolve {time:?}, missing {}", layout.missing.len());
    }
    let layout = resolve(system.as_ref()).unwrap();
    for missing in &layout.missing {
        println!("{missing}");
    }
    for &member in Member::ALL {
        println!("{member:?} {:?}", layout.offset(member));
    }
    println!("rescan_takes_sdev {:?}", layout.rescan_takes_sdev);
}

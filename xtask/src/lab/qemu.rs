//! A guest: QEMU's command line, its console, its control socket, its end.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::console::{self, Line};
use super::qmp::Qmp;
use super::scenario::FileSystem;
use super::tree::Tree;
use super::typist::{Desk, Typist};

const QEMU: &str = "qemu-system-x86_64";

/// Name of the console's character device.
const CONSOLE: &str = "console";

/// Bytes of the guest's disk and of the disc in its CD-ROM drive; both are blank.
const DISK: u64 = 16 << 20;
const DISC: u64 = 1 << 20;

/// Always on the kernel's command line.
///
/// Markers go through `/dev/kmsg`, so it must not be rate-limited; the console must go on during a
/// suspend; SysRq over the serial line is how the lab looks into a guest that is stuck.
const CMDLINE: &[&str] = &[
    "console=ttyS0",
    "panic=-1",
    "no_console_suspend",
    "ignore_loglevel",
    "printk.devkmsg=on",
    "sysrq_always_enabled=1",
    "suspend.pm_test_delay=1",
];

/// The one address of the guest's network. Nothing else can be reached, nor the guest from outside.
const STREAM: &str = "10.0.2.100:7000";

/// What a guest is started with.
pub(crate) struct Machine<'a> {
    /// Its kernel.
    pub(crate) tree: &'a Tree,
    /// Its root file system.
    pub(crate) initrd: &'a Path,
    /// A directory for its disk images and sockets.
    pub(crate) work: &'a Path,
    /// Where the bytes go that it writes to `ttyS1` and up, in that order.
    pub(crate) traces: &'a [PathBuf],
    /// Added to the kernel's command line.
    pub(crate) cmdline: &'a [String],
    /// What is on its disk.
    pub(crate) disk: Option<FileSystem>,
    /// Where the bytes go that it sends to [`STREAM`]; without, it has no network.
    pub(crate) stream: Option<&'a Path>,
    /// A restart is no end: the guest boots again.
    pub(crate) restarts: bool,
    /// Its clock counts instructions.
    pub(crate) counted: bool,
}

impl Machine<'_> {
    /// QEMU with everything but its console.
    fn command(&self) -> Result<Command> {
        let (disk, disc) = (disk(self.work), self.work.join("disc.img"));
        for (file, size) in [(&disk, DISK), (&disc, DISC)] {
            let image = File::create(file).with_context(|| format!("cannot create {}", file.display()))?;
            image.set_len(size)?;
        }
        match self.disk {
            Some(FileSystem::Ext4) => {
                crate::process::output(Command::new(mkfs()?).args(["-q", "-F"]).arg(&disk))?;
            }
            None => {}
        }
        let asked = self.tree.resolved.kernel.cmdline.iter().chain(self.cmdline);
        let words: Vec<&str> = CMDLINE.iter().copied().chain(asked.map(String::as_str)).collect();
        let mut qemu = Command::new(QEMU);
        // Software emulation everywhere, so that results are comparable; one thread, because
        // multi-threaded TCG now and then breaks a booting guest.
        // Without the features that make kernels copy and clear memory by one instruction for each byte: that is
        // fast on silicon, but an emulator does it byte by byte.
        qemu.args(["-accel", "tcg,thread=single", "-cpu", "max,-erms,-fsrm", "-M", "q35", "-m", "1024"]);
        if self.counted {
            // A second CPU does not come up then: the first gives it no time.
            qemu.args(["-icount", "shift=0,sleep=off", "-smp", "1"]);
        } else {
            qemu.args(["-smp", "2"]);
        }
        qemu.args(["-display", "none"])
            .arg("-drive")
            .arg(format!("file={},format=raw,if=none,id=d0", escaped(&disk)))
            .args(["-device", "ide-hd,drive=d0,bus=ide.0", "-drive"])
            .arg(format!("file={},format=raw,if=none,id=c0,readonly=on,media=cdrom", escaped(&disc)))
            .args(["-device", "ide-cd,drive=c0,bus=ide.1"])
            .arg("-kernel")
            .arg(self.tree.vmlinuz())
            .arg("-initrd")
            .arg(self.initrd)
            .args(["-append", &words.join(" ")]);
        if !self.restarts {
            qemu.arg("-no-reboot");
        }
        match self.stream {
            Some(file) => {
                qemu.arg("-chardev").arg(format!("file,id=stream,path={}", escaped(file)));
                qemu.arg("-netdev")
                    .arg(format!("user,id=net,restrict=on,guestfwd=tcp:{STREAM}-chardev:stream"));
                qemu.args(["-device", "e1000,netdev=net"]);
            }
            None => {
                qemu.args(["-nic", "none"]);
            }
        }
        Ok(qemu)
    }

    fn add_trace_ports(&self, qemu: &mut Command) {
        for (index, file) in self.traces.iter().enumerate() {
            qemu.arg("-chardev").arg(format!("file,id=trace{index},path={}", escaped(file)));
            qemu.arg("-serial").arg(format!("chardev:trace{index}"));
        }
    }

    /// Boots with the console on this terminal, until the person ends QEMU (Ctrl-A X).
    pub(crate) fn interactive(&self) -> Result<()> {
        let mut qemu = self.command()?;
        qemu.args(["-serial", "mon:stdio"]);
        self.add_trace_ports(&mut qemu);
        crate::process::run(&mut qemu)
    }

    /// Boots in the background with its console in the file `log`.
    pub(crate) fn boot(&self, log: &Path, echo: bool) -> Result<Guest> {
        let socket = self.work.join("qmp");
        let mut qemu = self.command()?;
        qemu.arg("-chardev").arg(format!("stdio,id={CONSOLE},signal=off"));
        qemu.arg("-serial").arg(format!("chardev:{CONSOLE}"));
        self.add_trace_ports(&mut qemu);
        qemu.arg("-qmp").arg(format!("unix:{},server=on,wait=off", escaped(&socket)));
        let errors = File::create(self.work.join("qemu.log"))?;
        let start = Instant::now();
        let mut child = qemu
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {QEMU}: `cargo xtask setup` installs it"))?;
        let input = child.stdin.take().expect("stdin is piped");
        let output = child.stdout.take().expect("stdout is piped");
        let lines = console::follow(output, log, start, echo)?;
        let mut guest = Guest { child, input, lines, start, qmp: None, typist: Typist::default() };
        match Qmp::connect(&socket) {
            Ok(qmp) => guest.qmp = Some(qmp),
            Err(error) => {
                let said = std::fs::read_to_string(self.work.join("qemu.log")).unwrap_or_default();
                return Err(error.context(format!("{QEMU} does not run: {}", said.trim())));
            }
        }
        Ok(guest)
    }
}

/// The image of the guest's disk in the directory `work`.
pub(crate) fn disk(work: &Path) -> PathBuf {
    work.join("disk.img")
}

fn mkfs() -> Result<PathBuf> {
    crate::paths::find_program("mkfs.ext4")
        .context("mkfs.ext4 is not installed: `cargo xtask setup` installs it")
}

/// A path within an option of QEMU's, where a comma separates.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// A running guest; dropping it ends QEMU.
pub(crate) struct Guest {
    child: Child,
    input: ChildStdin,
    /// Its console, line by line.
    pub(crate) lines: Receiver<Line>,
    /// When QEMU was started.
    pub(crate) start: Instant,
    qmp: Option<Qmp>,
    /// Who presses keys in it.
    pub(crate) typist: Typist,
}

impl Desk for Guest {
    fn press(&mut self, key: &str) -> Result<()> {
        self.qmp.as_mut().map_or(Ok(()), |qmp| qmp.press_key(key))
    }

    fn send(&mut self, text: &str) -> Result<()> {
        self.input.write_all(text.as_bytes())?;
        self.input.flush().context("cannot write to the guest's console")
    }

    fn picture(&mut self, file: &Path) -> Result<()> {
        self.qmp.as_mut().map_or(Ok(()), |qmp| qmp.screendump(file))
    }
}

impl Guest {
    /// Does what its typist has to do, given what its console has shown.
    pub(crate) fn type_keys(&mut self, console: &str) -> Result<()> {
        let mut typist = std::mem::take(&mut self.typist);
        let typed = typist.step(self.start.elapsed(), console, self);
        self.typist = typist;
        typed
    }

    /// Resets it, as its reset button would: memory and disks stay as they are.
    pub(crate) fn reset(&mut self) -> Result<()> {
        let qmp = self.qmp.as_mut().context("no connection to QEMU")?;
        qmp.execute("system_reset", &json!({})).map(drop)
    }

    /// Writes a line to the guest's console.
    pub(crate) fn answer(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}")?;
        self.input.flush().context("cannot write to the guest's console")
    }

    /// Has the kernel carry out a SysRq command over the serial line.
    pub(crate) fn sysrq(&mut self, key: u8) -> Result<()> {
        if let Some(qmp) = &mut self.qmp {
            qmp.send_break(CONSOLE)?;
        }
        self.input.write_all(&[key])?;
        self.input.flush().context("cannot write to the guest's console")
    }

    /// Ends QEMU: by its own command, so that the trace ports are flushed, else by force.
    ///
    /// Never by ACPI: after a suspend to RAM that does not always work.
    pub(crate) fn quit(mut self) {
        if let Some(mut qmp) = self.qmp.take() {
            // The answer may be lost with the process; what counts is that it ends.
            let _ = qmp.execute("quit", &json!({}));
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

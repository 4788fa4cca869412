//! Commands of bpf(2) that aya does not give, or not with the arguments that [`super::multi`] needs
//! (include/uapi/linux/bpf.h).

use aya_obj::generated::bpf_attach_type::BPF_TRACE_KPROBE_MULTI;
use aya_obj::generated::bpf_cmd::{
    self, BPF_LINK_CREATE, BPF_MAP_CREATE, BPF_MAP_UPDATE_ELEM, BPF_PROG_LOAD,
};
use aya_obj::generated::bpf_insn;
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_PROG_ARRAY;
use aya_obj::generated::bpf_prog_type::BPF_PROG_TYPE_KPROBE;
use nix::libc;
use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

/// What `BPF_MAP_CREATE` takes, up to the last member that is used.
#[repr(C)]
struct CreateMap {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

/// What `BPF_MAP_UPDATE_ELEM` takes.
#[repr(C)]
struct UpdateElement {
    map_fd: RawFd,
    /// Always 0.
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// What `BPF_PROG_LOAD` takes, up to the last member that is used.
#[repr(C)]
struct LoadProgram {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

/// What `BPF_LINK_CREATE` takes for such a program.
#[repr(C)]
struct CreateLink {
    prog_fd: RawFd,
    target_fd: RawFd,
    attach_type: u32,
    flags: u32,
    multi_flags: u32,
    count: u32,
    symbols: u64,
    addresses: u64,
    cookies: u64,
}

/// A map of programs by number, which another program can go on as (`bpf_tail_call`). The kernel empties it when nobody has
/// it open.
///
/// # Errors
/// What the kernel says.
pub(super) fn program_array(entries: usize) -> io::Result<OwnedFd> {
    let attributes = CreateMap {
        map_type: BPF_MAP_TYPE_PROG_ARRAY as u32,
        key_size: 4,
        value_size: 4,
        max_entries: u32::try_from(entries).map_err(io::Error::other)?,
    };
    // SAFETY: they point to nothing.
    let map = unsafe { bpf(BPF_MAP_CREATE, &attributes) }?;
    descriptor(map)
}

/// Puts a program into such a map.
///
/// # Errors
/// What the kernel says: `EINVAL` if it was loaded for something else than those already in there.
pub(super) fn set_program(map: BorrowedFd<'_>, index: u32, program: BorrowedFd<'_>) -> io::Result<()> {
    let value = program.as_raw_fd();
    let attributes = UpdateElement {
        map_fd: map.as_raw_fd(),
        padding: 0,
        key: &raw const index as u64,
        value: &raw const value as u64,
        flags: 0,
    };
    // SAFETY: key and value live until the call is over, and are as large as those of the map.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &attributes) }.map(drop)
}

/// Room for what the verifier has to say of a program that it refuses.
const LOG: u32 = 1 << 20;

/// Loads a kprobe's program for a link to many functions.
///
/// # Errors
/// What the kernel says, and what its verifier says.
pub(super) fn load_for_many(
    name: &str,
    code: &[bpf_insn],
    license: &CStr,
) -> Result<OwnedFd, (io::Error, String)> {
    let mut prog_name = [0; 16];
    // The last byte stays zero.
    for (to, byte) in prog_name[..15].iter_mut().zip(name.bytes()) {
        *to = byte;
    }
    let mut attributes = LoadProgram {
        prog_type: BPF_PROG_TYPE_KPROBE as u32,
        insn_cnt: u32::try_from(code.len()).unwrap_or(u32::MAX),
        insns: code.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
        prog_name,
        prog_ifindex: 0,
        expected_attach_type: BPF_TRACE_KPROBE_MULTI as u32,
    };
    // SAFETY: the attributes point to `code` and `license`, which are borrowed until the call is over.
    let loaded = unsafe { bpf(BPF_PROG_LOAD, &attributes) }.and_then(descriptor);
    loaded.map_err(|error| {
        let mut log = vec![0_u8; LOG as usize];
        (attributes.log_level, attributes.log_size, attributes.log_buf) = (1, LOG, log.as_mut_ptr() as u64);
        // SAFETY: as before, and the log is as large as is said. That it is refused is known.
        drop(unsafe { bpf(BPF_PROG_LOAD, &attributes) }.and_then(descriptor));
        let text = log.split(|&byte| byte == 0).next().unwrap_or_default();
        (error, String::from_utf8_lossy(text).into_owned())
    })
}

/// Attaches a program to functions, each with a number that it can ask for (`bpf_get_attach_cookie`); to all or to none.
/// It stays attached while the descriptor is open.
///
/// # Errors
/// What the kernel says: `ESRCH` if there is no such function.
pub(super) fn link_to_many(program: BorrowedFd<'_>, functions: &[(CString, u64)]) -> io::Result<OwnedFd> {
    let symbols: Vec<*const c_char> = functions.iter().map(|(name, _)| name.as_ptr()).collect();
    let cookies: Vec<u64> = functions.iter().map(|(_, cookie)| *cookie).collect();
    let attributes = CreateLink {
        prog_fd: program.as_raw_fd(),
        target_fd: 0,
        attach_type: BPF_TRACE_KPROBE_MULTI as u32,
        flags: 0,
        multi_flags: 0,
        count: u32::try_from(functions.len()).map_err(io::Error::other)?,
        symbols: symbols.as_ptr() as u64,
        addresses: 0,
        cookies: cookies.as_ptr() as u64,
    };
    // SAFETY: the attributes point to both lists, and those to the names, which all live until the call is over.
    let link = unsafe { bpf(BPF_LINK_CREATE, &attributes) }?;
    descriptor(link)
}

/// A command; what it returns.
///
/// # Safety
/// `attributes` must be those of the command, and what they point to be there.
unsafe fn bpf<T>(command: bpf_cmd, attributes: &T) -> io::Result<i64> {
    // SAFETY: the attributes are as long as is said; the caller answers for the rest.
    let told =
        unsafe { libc::syscall(libc::SYS_bpf, command as c_int, &raw const *attributes, size_of::<T>()) };
    if told < 0 { Err(io::Error::last_os_error()) } else { Ok(told) }
}

/// The descriptor that a command has made.
fn descriptor(told: i64) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(told).map_err(io::Error::other)?;
    // SAFETY: only called with what the kernel has just made, and nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

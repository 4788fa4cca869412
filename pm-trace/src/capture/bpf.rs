//! Commands of bpf(2) that aya does not give, or not with the arguments that [`super::multi`] and [`super::addresses`] need
//! (include/uapi/linux/bpf.h), and instructions for programs that are written here.

use aya_obj::generated::bpf_attach_type::BPF_TRACE_KPROBE_MULTI;
use aya_obj::generated::bpf_cmd::{
    self, BPF_LINK_CREATE, BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_PROG_LOAD,
    BPF_PROG_TEST_RUN,
};
use aya_obj::generated::bpf_map_type::{BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PROG_ARRAY};
use aya_obj::generated::bpf_prog_type::{self, BPF_PROG_TYPE_KPROBE, BPF_PROG_TYPE_SYSCALL};
use aya_obj::generated::{
    BPF_ALU64, BPF_CALL, BPF_DW, BPF_EXIT, BPF_F_SLEEPABLE, BPF_IMM, BPF_JMP, BPF_K, BPF_LD, BPF_MOV, BPF_X,
    bpf_func_id, bpf_insn,
};
use nix::libc;
use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

/// What `BPF_MAP_CREATE` takes, up to the last member that is used.
#[repr(C)]
struct CreateMap {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

/// What `BPF_MAP_UPDATE_ELEM` takes, and but for the flags `BPF_MAP_LOOKUP_ELEM`.
#[repr(C)]
struct Element {
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

/// What `BPF_PROG_TEST_RUN` takes, up to the last member that is used.
#[repr(C)]
struct RunProgram {
    prog_fd: RawFd,
    retval: u32,
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
    create_map(BPF_MAP_TYPE_PROG_ARRAY as u32, size_of::<RawFd>(), entries)
}

/// Puts a program into such a map.
///
/// # Errors
/// What the kernel says: `EINVAL` if it was loaded for something else than those already in there.
pub(super) fn set_program(map: BorrowedFd<'_>, index: u32, program: BorrowedFd<'_>) -> io::Result<()> {
    set_element(map, index, &program.as_raw_fd().to_ne_bytes())
}

/// A map that holds only these bytes, for programs to work on.
///
/// # Errors
/// What the kernel says.
pub(super) fn bytes_map(bytes: &[u8]) -> io::Result<OwnedFd> {
    let map = create_map(BPF_MAP_TYPE_ARRAY as u32, bytes.len(), 1)?;
    set_element(map.as_fd(), 0, bytes)?;
    Ok(map)
}

/// What such a map holds now, which is `length` bytes, as many as it was made of.
///
/// # Errors
/// What the kernel says.
pub(super) fn bytes_of(map: BorrowedFd<'_>, length: usize) -> io::Result<Vec<u8>> {
    let index = 0_u32;
    let mut bytes = vec![0; length];
    let attributes = element(map, &index, bytes.as_mut_ptr());
    // SAFETY: key and value live until the call is over, and are as large as those of the map.
    unsafe { bpf(BPF_MAP_LOOKUP_ELEM, &attributes) }?;
    Ok(bytes)
}

fn create_map(map_type: u32, value: usize, entries: usize) -> io::Result<OwnedFd> {
    let attributes = CreateMap {
        map_type,
        key_size: 4,
        value_size: u32::try_from(value).map_err(io::Error::other)?,
        max_entries: u32::try_from(entries).map_err(io::Error::other)?,
    };
    // SAFETY: they point to nothing.
    let map = unsafe { bpf(BPF_MAP_CREATE, &attributes) }?;
    descriptor(map)
}

fn set_element(map: BorrowedFd<'_>, index: u32, value: &[u8]) -> io::Result<()> {
    let attributes = element(map, &index, value.as_ptr());
    // SAFETY: key and value live until the call is over, and are as large as those of the map.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &attributes) }.map(drop)
}

fn element(map: BorrowedFd<'_>, index: &u32, value: *const u8) -> Element {
    let (map_fd, key) = (map.as_raw_fd(), &raw const *index as u64);
    Element { map_fd, padding: 0, key, value: value as u64, flags: 0 }
}

/// The object's licence, which also the programs have that are not loaded by aya.
const LICENSE: &CStr = c"Dual MIT/GPL";

/// Room for what the verifier has to say of a program that it refuses.
const LOG: u32 = 1 << 20;

/// What a program is loaded for: its type, its flags, and what it is attached to.
type Purpose = (bpf_prog_type, u32, u32);

/// Loads a kprobe's program for a link to many functions.
///
/// # Errors
/// What the kernel says, and what its verifier says.
pub(super) fn load_for_many(name: &str, code: &[bpf_insn]) -> Result<OwnedFd, (io::Error, String)> {
    load((BPF_PROG_TYPE_KPROBE, 0, BPF_TRACE_KPROBE_MULTI as u32), name, code)
}

/// Loads a program that runs when it is told to ([`run`], Linux 5.14).
///
/// # Errors
/// What the kernel says, and what its verifier says.
pub(super) fn load_to_run(name: &str, code: &[bpf_insn]) -> Result<OwnedFd, (io::Error, String)> {
    load((BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE, 0), name, code)
}

/// Runs such a program once.
///
/// # Errors
/// What the kernel says.
pub(super) fn run(program: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = RunProgram { prog_fd: program.as_raw_fd(), retval: 0 };
    // SAFETY: they point to nothing, and the kernel writes into none that it was not given.
    unsafe { bpf(BPF_PROG_TEST_RUN, &attributes) }.map(drop)
}

fn load(
    (kind, flags, attach): Purpose,
    name: &str,
    code: &[bpf_insn],
) -> Result<OwnedFd, (io::Error, String)> {
    let mut prog_name = [0; 16];
    // The last byte stays zero.
    for (to, byte) in prog_name[..15].iter_mut().zip(name.bytes()) {
        *to = byte;
    }
    let mut attributes = LoadProgram {
        prog_type: kind as u32,
        insn_cnt: u32::try_from(code.len()).unwrap_or(u32::MAX),
        insns: code.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: flags,
        prog_name,
        prog_ifindex: 0,
        expected_attach_type: attach,
    };
    // SAFETY: the attributes point to `code`, which is borrowed until the call is over, and to a constant.
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

/// A function that a link attaches to.
pub(super) struct Function {
    /// Its name.
    pub name: CString,
    /// Where it is, if that is known of all functions of the link.
    pub address: Option<u64>,
    /// A number that the program can ask for (`bpf_get_attach_cookie`).
    pub cookie: u64,
}

/// Attaches a program to functions, by their addresses if those are known; to all or to none. It stays attached while the
/// descriptor is open.
///
/// # Errors
/// What the kernel says: `ESRCH` if there is no such function.
pub(super) fn link_to_many(program: BorrowedFd<'_>, functions: &[Function]) -> io::Result<OwnedFd> {
    let names: Vec<*const c_char> = functions.iter().map(|function| function.name.as_ptr()).collect();
    let cookies: Vec<u64> = functions.iter().map(|function| function.cookie).collect();
    let known: Option<Vec<u64>> = functions.iter().map(|function| function.address).collect();
    let attributes = CreateLink {
        prog_fd: program.as_raw_fd(),
        target_fd: 0,
        attach_type: BPF_TRACE_KPROBE_MULTI as u32,
        flags: 0,
        multi_flags: 0,
        count: u32::try_from(functions.len()).map_err(io::Error::other)?,
        symbols: if known.is_some() { 0 } else { names.as_ptr() as u64 },
        addresses: known.as_ref().map_or(0, |addresses| addresses.as_ptr() as u64),
        cookies: cookies.as_ptr() as u64,
    };
    // SAFETY: the attributes point to the lists, and those to the names, which all live until the call is over.
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

/// An instruction of a program (include/uapi/linux/bpf.h).
pub(super) fn instruction(code: u32, to: u8, from: u32, imm: i32) -> bpf_insn {
    bpf_insn {
        code: code as u8,
        _bitfield_align_1: [],
        _bitfield_1: bpf_insn::new_bitfield_1(to, from as u8),
        off: 0,
        imm,
    }
}

/// `to = from`
pub(super) fn copy(to: u8, from: u32) -> bpf_insn {
    instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0)
}

/// `to = number`
pub(super) fn set(to: u8, number: i32) -> bpf_insn {
    instruction(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, number)
}

/// `to =` what `kind` (`BPF_PSEUDO_*`) makes of a descriptor and a number: two instructions.
pub(super) fn load_of(to: u8, kind: u32, descriptor: RawFd, number: i32) -> [bpf_insn; 2] {
    [instruction(BPF_LD | BPF_IMM | BPF_DW, to, kind, descriptor), instruction(0, 0, 0, number)]
}

/// `r0 = helper(r1, ...)`
pub(super) fn call(helper: bpf_func_id) -> bpf_insn {
    instruction(BPF_JMP | BPF_CALL, 0, 0, helper as i32)
}

/// Ends the program, which returns 0.
pub(super) fn end() -> [bpf_insn; 2] {
    [set(0, 0), instruction(BPF_JMP | BPF_EXIT, 0, 0, 0)]
}

//! One link for many functions: `kprobe.multi` (Linux 5.18, `CONFIG_FPROBE`), which aya does not have.
//!
//! For each kprobe that it sets the kernel goes through all of its code that is ever patched; this way it does so once
//! for all functions. Such a link runs one program. So that is a dispatcher, of nine instructions, which asks for the
//! number that the link has for the function, and goes on as the program of the hook with this number. All of them have to
//! be loaded for such a link (the kernel lets only alike programs go on as each other), which aya's loader does not do: it
//! makes the maps, and the programs are taken from the object once more.

use super::arming::refused;
use super::bpf::{link_to_many, load_for_many, program_array, set_program};
use super::hooks::{HOOKS, HookSpec, Place};
use super::loader::OBJECT;
use super::probes::chain;
use crate::kernel::layout::Layout;
use aya::Ebpf;
use aya::maps::Map;
use aya_obj::Object;
use aya_obj::generated::{BPF_DW, BPF_IMM, BPF_LD, BPF_PSEUDO_FUNC, bpf_insn};
use pm_trace_common::hook::Hook;
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

/// The object's licence, which its programs have.
const LICENSE: &CStr = c"Dual MIT/GPL";

/// A function of the kernel that is there only where such links are.
const NEEDED: &str = "register_fprobe_ips";

/// Programs that wait to be attached together.
pub(super) struct Multi {
    programs: HashMap<String, Vec<bpf_insn>>,
    /// Where those are put that wait, by hook.
    places: HashMap<Hook, &'static Place>,
    /// What the dispatcher goes on as.
    by_hook: OwnedFd,
    dispatcher: OwnedFd,
}

impl Multi {
    /// For a kernel that has such links; `None` if it has not, or they cannot be used.
    pub(super) fn on(bpf: &Ebpf, layout: &Layout) -> Option<Self> {
        let places: Vec<(Hook, &Place)> =
            HOOKS.iter().filter_map(|spec| Some((spec.hook, function(spec)?))).collect();
        let names = places.iter().map(|(_, place)| place.name());
        let counts = layout.count_functions(&names.chain([NEEDED]).collect::<Vec<_>>());
        if counts.last() != Some(&1) {
            return None;
        }
        // The kernel would take any of several of one name.
        let there = places.into_iter().zip(&counts).filter(|(_, count)| **count == 1).map(|(place, _)| place);
        Self::new(bpf, there.collect())
            .inspect_err(|reason| log::debug!("functions are attached to one by one: {reason}"))
            .ok()
    }

    /// Takes the programs of functions from the object, for the maps that aya made of it.
    ///
    /// # Errors
    /// The object cannot be used so, or the kernel refuses the dispatcher. The reason.
    fn new(bpf: &Ebpf, mut places: HashMap<Hook, &'static Place>) -> Result<Self, String> {
        let programs = relocated(bpf)?;
        places.retain(|hook, _| programs.contains_key(hook.program()));
        let by_hook = program_array(Hook::COUNT).map_err(|error| format!("BPF_MAP_CREATE: {error}"))?;
        let code = dispatcher(by_hook.as_raw_fd());
        let dispatcher =
            load_for_many("dispatch", &code, LICENSE).map_err(|(error, log)| refused(&error, &log))?;
        Ok(Self { programs, places, by_hook, dispatcher })
    }

    /// Where the program of a hook is put, if it is attached together with others.
    pub(super) fn place(&self, hook: Hook) -> Option<&'static Place> {
        self.places.get(&hook).copied()
    }

    /// Loads the program of a hook.
    ///
    /// # Errors
    /// There is none in the object, or the kernel refuses it.
    pub(super) fn load(&self, hook: Hook) -> Result<OwnedFd, String> {
        let code = self.programs.get(hook.program()).ok_or("the eBPF object has no such program")?;
        load_for_many(hook.program(), code, LICENSE).map_err(|(error, log)| refused(&error, &log))
    }

    /// Attaches loaded programs, each to its function.
    ///
    /// # Errors
    /// What the kernel says; nothing is attached then.
    pub(super) fn attach(self, functions: Vec<(Hook, OwnedFd, &str)>) -> Result<Together, String> {
        let mut names = Vec::new();
        for (hook, program, function) in functions {
            set_program(self.by_hook.as_fd(), hook as u32, program.as_fd())
                .map_err(|error| format!("BPF_MAP_UPDATE_ELEM: {error}"))?;
            names.push((CString::new(function).map_err(|error| error.to_string())?, hook as u64));
        }
        let link = link_to_many(self.dispatcher.as_fd(), &names);
        let link = link.map_err(|error| format!("BPF_LINK_CREATE: {error}"))?;
        Ok(Together { _link: link, _by_hook: self.by_hook })
    }
}

/// Programs that are attached together, until this is dropped.
pub(super) struct Together {
    _link: OwnedFd,
    _by_hook: OwnedFd,
}

/// The function of a hook that is put at one, if it is the first choice: whether another is there instead only shows when the
/// first is tried.
fn function(spec: &HookSpec) -> Option<&'static Place> {
    spec.places.first().filter(|place| matches!(place, Place::Function(_) | Place::Substitute(_)))
}

/// The object's programs, with the descriptors of these maps in their instructions.
fn relocated(bpf: &Ebpf) -> Result<HashMap<String, Vec<bpf_insn>>, String> {
    let mut object = Object::parse(OBJECT).map_err(|error| chain(&error))?;
    let maps = std::mem::take(&mut object.maps);
    let mut made = Vec::new();
    for (name, map) in &maps {
        let there = bpf.map(name).ok_or_else(|| format!("map {name} was not made"))?;
        let fd = descriptor(there).ok_or_else(|| format!("map {name} is of a kind not known here"))?;
        made.push((name.as_str(), fd, map));
    }
    let sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    object.relocate_maps(made.into_iter(), &sections).map_err(|error| chain(&error))?;
    object.relocate_calls(&sections).map_err(|error| chain(&error))?;
    let code = object.programs.iter().filter_map(|(name, program)| {
        let function = object.functions.get(&program.function_key())?;
        Some((name.clone(), function.instructions.clone()))
    });
    Ok(code.filter(|(_, code)| !has_callback(code)).collect())
}

/// Whether a program hands a function of its own to the kernel. Such a one needs its types described, which aya does.
fn has_callback(code: &[bpf_insn]) -> bool {
    code.iter().any(|instruction| {
        u32::from(instruction.code) == BPF_LD | BPF_IMM | BPF_DW
            && u32::from(instruction.src_reg()) == BPF_PSEUDO_FUNC
    })
}

/// The descriptor of a map, of the kinds that the object has.
fn descriptor(map: &Map) -> Option<RawFd> {
    match map {
        Map::Array(map) | Map::LruHashMap(map) | Map::PerCpuArray(map) | Map::RingBuf(map) => {
            Some(map.fd().as_fd().as_raw_fd())
        }
        _ => None,
    }
}

/// The dispatcher: `bpf_tail_call(ctx, programs, bpf_get_attach_cookie(ctx))`.
fn dispatcher(programs: RawFd) -> [bpf_insn; 9] {
    use aya_obj::generated::{
        BPF_ALU64, BPF_CALL, BPF_EXIT, BPF_JMP, BPF_K, BPF_MOV, BPF_PSEUDO_MAP_FD, BPF_X,
        bpf_func_id::{BPF_FUNC_get_attach_cookie, BPF_FUNC_tail_call},
    };
    let instruction = |code: u32, to: u8, from: u32, imm: i32| bpf_insn {
        code: code as u8,
        _bitfield_align_1: [],
        _bitfield_1: bpf_insn::new_bitfield_1(to, from as u8),
        off: 0,
        imm,
    };
    let copy = |to, from| instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0);
    let call = |function: u32| instruction(BPF_JMP | BPF_CALL, 0, 0, function as i32);
    [
        copy(6, 1),
        call(BPF_FUNC_get_attach_cookie as u32),
        copy(1, 6),
        instruction(BPF_LD | BPF_IMM | BPF_DW, 2, BPF_PSEUDO_MAP_FD, programs),
        instruction(0, 0, 0, 0),
        copy(3, 0),
        call(BPF_FUNC_tail_call as u32),
        // Where the array has no program.
        instruction(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0),
        instruction(BPF_JMP | BPF_EXIT, 0, 0, 0),
    ]
}

//! One link for many functions: `kprobe.multi` (Linux 5.18, `CONFIG_FPROBE`), which aya does not have.
//!
//! For each kprobe that it sets the kernel goes through all of its code that is ever patched; this way it does so once
//! for all functions. Such a link runs one program. So that is a dispatcher, of nine instructions, which asks for the
//! number that the link has for the function, and goes on as the program of the hook with this number. All of them have to
//! be loaded for such a link (the kernel lets only alike programs go on as each other), which aya's loader does not do: it
//! makes the maps, and the programs are taken from the object once more.

use super::addresses::addresses;
use super::arming::refused;
use super::bpf::{
    Function, call, copy, end, link_to_many, load_for_many, load_of, program_array, set_program,
};
use super::hooks::{HOOKS, HookSpec, Place};
use super::loader::OBJECT;
use super::probes::chain;
use crate::kernel::layout::Layout;
use aya::Ebpf;
use aya::maps::Map;
use aya_obj::Object;
use aya_obj::generated::bpf_func_id::{BPF_FUNC_get_attach_cookie, BPF_FUNC_tail_call};
use aya_obj::generated::{BPF_DW, BPF_IMM, BPF_LD, BPF_PSEUDO_FUNC, BPF_PSEUDO_MAP_FD, bpf_insn};
use pm_trace_common::hook::Hook;
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

/// A function of the kernel that is there only where such links are.
const NEEDED: &str = "register_fprobe_ips";

/// Programs that wait to be attached together.
pub(super) struct Multi {
    programs: HashMap<String, Vec<bpf_insn>>,
    /// Where those are put that wait, by hook.
    places: HashMap<Hook, Chosen>,
    /// What the dispatcher goes on as.
    by_hook: OwnedFd,
    dispatcher: OwnedFd,
}

impl Multi {
    /// For a kernel that has such links; `None` if it has not, or they cannot be used.
    pub(super) fn on(bpf: &Ebpf, layout: &Layout) -> Option<Self> {
        let has = addresses(&[NEEDED]).map_or_else(|_| layout.has_function(NEEDED), |found| found != [0]);
        if !has {
            return None;
        }
        Self::new(bpf, chosen(layout))
            .inspect_err(|reason| log::debug!("functions are attached to one by one: {reason}"))
            .ok()
    }

    /// Takes the programs of functions from the object, for the maps that aya made of it.
    ///
    /// # Errors
    /// The object cannot be used so, or the kernel refuses the dispatcher. The reason.
    fn new(bpf: &Ebpf, mut places: HashMap<Hook, Chosen>) -> Result<Self, String> {
        let programs = relocated(bpf)?;
        places.retain(|hook, _| programs.contains_key(hook.program()));
        let by_hook = program_array(Hook::COUNT).map_err(|error| format!("BPF_MAP_CREATE: {error}"))?;
        let code = dispatcher(by_hook.as_raw_fd());
        let dispatcher = load_for_many("dispatch", &code).map_err(|(error, log)| refused(&error, &log))?;
        Ok(Self { programs, places, by_hook, dispatcher })
    }

    /// Where the program of a hook is put, if it is attached together with others.
    pub(super) fn place(&self, hook: Hook) -> Option<&'static Place> {
        self.places.get(&hook).map(|chosen| chosen.place)
    }

    /// Loads the program of a hook.
    ///
    /// # Errors
    /// There is none in the object, or the kernel refuses it.
    pub(super) fn load(&self, hook: Hook) -> Result<OwnedFd, String> {
        let code = self.programs.get(hook.program()).ok_or("the eBPF object has no such program")?;
        load_for_many(hook.program(), code).map_err(|(error, log)| refused(&error, &log))
    }

    /// Attaches loaded programs of hooks, each to its function.
    ///
    /// # Errors
    /// What the kernel says; nothing is attached then.
    pub(super) fn attach(self, programs: Vec<(Hook, OwnedFd)>) -> Result<Together, String> {
        let mut functions = Vec::new();
        for (hook, program) in programs {
            let Some(&Chosen { place, address }) = self.places.get(&hook) else { continue };
            set_program(self.by_hook.as_fd(), hook as u32, program.as_fd())
                .map_err(|error| format!("BPF_MAP_UPDATE_ELEM: {error}"))?;
            let name = CString::new(place.name()).map_err(|error| error.to_string())?;
            functions.push(Function { name, address, cookie: hook as u64 });
        }
        let link = link_to_many(self.dispatcher.as_fd(), &functions);
        let link = link.map_err(|error| format!("BPF_LINK_CREATE: {error}"))?;
        Ok(Together { _link: link, _by_hook: self.by_hook })
    }
}

/// Programs that are attached together, until this is dropped.
pub(super) struct Together {
    _link: OwnedFd,
    _by_hook: OwnedFd,
}

/// Where a hook is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chosen {
    place: &'static Place,
    /// Without, the kernel searches all symbols for the name.
    address: Option<u64>,
}

/// Where the hooks are put that can be: at the first of their functions that is there.
fn chosen(layout: &Layout) -> HashMap<Hook, Chosen> {
    let functions = |spec: &'static HookSpec| {
        let functions = spec.places.iter().filter(|place| place.is_function());
        functions.map(|place| (spec.hook, place))
    };
    let places: Vec<(Hook, &Place)> = HOOKS.iter().flat_map(functions).collect();
    let names: Vec<&str> = places.iter().map(|(_, place)| place.name()).collect();
    let found =
        addresses(&names).inspect_err(|reason| log::debug!("functions are searched for by name: {reason}"));
    // Whether a function is there then only shows when it is attached to: so it must be the first.
    let addresses =
        found.map_or_else(|_| vec![None; places.len()], |found| found.into_iter().map(Some).collect());
    choose(&places, &addresses, &layout.count_functions(&names))
}

/// Of `places`, each with its address (0 if there is no such function, `None` if that is not known) and how many functions
/// have its name.
fn choose(
    places: &[(Hook, &'static Place)],
    addresses: &[Option<u64>],
    counts: &[usize],
) -> HashMap<Hook, Chosen> {
    let mut first = HashMap::new();
    for ((&(hook, place), &address), &count) in places.iter().zip(addresses).zip(counts) {
        if address != Some(0) {
            first.entry(hook).or_insert((Chosen { place, address }, count));
        }
    }
    // The kernel would take any of several of one name.
    let only = first.into_iter().filter(|(_, (_, count))| *count == 1);
    only.map(|(hook, (chosen, _))| (hook, chosen)).collect()
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
fn dispatcher(programs: RawFd) -> Vec<bpf_insn> {
    let mut code = vec![copy(6, 1), call(BPF_FUNC_get_attach_cookie), copy(1, 6)];
    code.extend(load_of(2, BPF_PSEUDO_MAP_FD, programs, 0));
    code.extend([copy(3, 0), call(BPF_FUNC_tail_call)]);
    // Where the array has no program.
    code.extend(end());
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Place = Place::Function("old_name");
    const NEW: Place = Place::Function("new_name");
    const OTHER: Place = Place::Function("other");
    const PLACES: [(Hook, &Place); 3] = [(Hook::Resume, &OLD), (Hook::Resume, &NEW), (Hook::AtaEh, &OTHER)];

    /// As where kprobes are tried one after the other: otherwise hooks would be lost on kernels that renamed a function.
    #[test]
    fn a_hook_is_put_at_the_first_of_its_functions_that_is_there() {
        let chosen = choose(&PLACES, &[Some(0), Some(0x1000), Some(0x2000)], &[0, 1, 1]);
        assert_eq!(chosen[&Hook::Resume], Chosen { place: &NEW, address: Some(0x1000) });
        assert_eq!(chosen[&Hook::AtaEh], Chosen { place: &OTHER, address: Some(0x2000) });
    }

    /// One link attaches to all functions or to none: a function that may be missing must not be in it.
    #[test]
    fn a_function_not_known_to_be_there_only_once_is_left_to_a_kprobe() {
        let chosen = choose(&PLACES, &[None; 3], &[0, 1, 2]);
        assert_eq!(chosen, HashMap::new());
        let chosen = choose(&PLACES, &[Some(0x1000); 3], &[2, 1, 1]);
        assert_eq!(chosen.into_keys().collect::<Vec<_>>(), [Hook::AtaEh]);
    }
}

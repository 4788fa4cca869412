//! Where the structure members are on this kernel that the programs read.
//!
//! The table is [`Member`]; the answers come from the BTF of the kernel image and, for what only a module
//! knows, of the module. A member without an answer that is certain is missing, with the reason: whoever
//! needs it does without, and says so.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use pm_trace_common::member::{KernelFacts, MISSING, Member, Place};

use super::KernelError;
use super::btf::{Btf, BtfError, LookupError};
use super::system::System;

/// The BTF of the kernel image.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The function whose first argument [`KernelFacts::rescan_takes_sdev`] tells.
const RESCAN: &str = "scsi_rescan_device";
/// The structure whose size [`KernelFacts::request_size`] tells.
const REQUEST: &str = "request";
const RESCAN_MODULE: &str = "scsi_mod";

/// A member that is not there, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingMember {
    /// The member.
    pub member: Member,
    /// Why.
    pub reason: MissingReason,
}

impl fmt::Display for MissingMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { structure, path, module, .. } = self.member.place();
        match &self.reason {
            MissingReason::NotLoaded => {
                write!(
                    f,
                    "{module} is not loaded: struct {structure} ({path}) is unknown; try: modprobe {module}"
                )
            }
            MissingReason::NoModuleBtf => write!(
                f,
                "{module} was loaded without type information: struct {structure} ({path}) is unknown; the kernel \
                 needs CONFIG_DEBUG_INFO_BTF_MODULES, a module built apart needs pahole and the kernel's BTF"
            ),
            MissingReason::BadModuleBtf(why) => {
                write!(
                    f,
                    "the type information of {module} is not usable: {why}; struct {structure} is unknown"
                )
            }
            MissingReason::NoStruct => write!(f, "this kernel has no struct {structure} (wanted: {path})"),
            MissingReason::NoMember => write!(f, "struct {structure} has no member {path}"),
            MissingReason::WrongShape(found) => {
                write!(f, "{structure}.{path} is {found}, expected is {:?}", self.member.place().shape)
            }
            MissingReason::Ambiguous => {
                write!(f, "struct {structure} is defined more than once, with {path} in different places")
            }
            MissingReason::Broken(why) => {
                write!(f, "the type information of struct {structure} is not usable: {why}")
            }
        }
    }
}

/// Why a member is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingReason {
    /// Its module is not loaded.
    NotLoaded,
    /// Its module is loaded, but neither it nor any module that uses it brought type information.
    NoModuleBtf,
    /// The module's type information is broken.
    BadModuleBtf(BtfError),
    /// There is no such structure.
    NoStruct,
    /// The structure has no such member.
    NoMember,
    /// The member is not what the programs expect; the text says what it is.
    WrongShape(String),
    /// Several definitions disagree.
    Ambiguous,
    /// The structure's types make no sense.
    Broken(BtfError),
}

/// What is known about the structures of this kernel.
#[derive(Clone, Debug)]
pub struct Layout {
    /// To be handed to the programs.
    pub facts: KernelFacts,
    /// Members that are [`MISSING`] in the facts.
    pub missing: Vec<MissingMember>,
    /// Whether `scsi_rescan_device` takes a `struct scsi_device *` (otherwise a `struct device *`); `None` if
    /// unknown, and then [`KernelFacts::rescan_takes_sdev`] means nothing and the function is not to be hooked.
    pub rescan_takes_sdev: Option<bool>,
    image: Arc<Btf>,
    modules: Vec<Arc<Btf>>,
}

impl Layout {
    /// The offset of a member (bytes, or bits for [`pm_trace_common::member::Shape::Bit`]).
    pub fn offset(&self, member: Member) -> Option<u32> {
        let offset = *self.facts.members.get(member as usize)?;
        (offset != MISSING).then_some(offset)
    }

    /// Whether the type information that was read (image and the modules of [`Member`]) has such a function. Goes
    /// through all functions: for several names, [`Self::count_functions`] does it once.
    pub fn has_function(&self, name: &str) -> bool {
        self.count_functions(&[name]) != [0]
    }

    /// How many functions of each of these names the type information that was read has (image and the modules of
    /// [`Member`]): static functions may share one.
    pub fn count_functions(&self, names: &[&str]) -> Vec<usize> {
        let mut counts = vec![0; names.len()];
        for btf in self.sources() {
            btf.count_functions(names, &mut counts);
        }
        counts
    }

    /// Whether it has a structure or union of this name.
    pub fn has_struct(&self, name: &str) -> bool {
        self.sources().any(|btf| !btf.structs(&[name]).is_empty())
    }

    /// The structure that argument `index` (from 0) of a function points to, e.g. `scsi_device`. `None` if it
    /// points to none, there is no such function, or functions of that name disagree.
    pub fn argument_struct(&self, function: &str, index: usize) -> Option<String> {
        let mut answer = None;
        for btf in self.sources() {
            for id in btf.functions(function) {
                let found = btf.argument_struct(id, index).ok().flatten()?;
                if *answer.get_or_insert_with(|| found.clone()) != found {
                    return None;
                }
            }
        }
        answer
    }

    /// The number, in the BTF of the image, of the type that is called `name` by a typedef.
    pub fn typedef(&self, name: &str) -> Option<u32> {
        self.image.typedef(name)
    }

    fn sources(&self) -> impl Iterator<Item = &Arc<Btf>> {
        std::iter::once(&self.image).chain(&self.modules)
    }
}

/// Resolves every [`Member`] on this system.
///
/// # Errors
/// The BTF of the kernel image cannot be read or is broken. Trouble with a module is no error: it makes that
/// module's members missing.
pub fn resolve(system: &dyn System) -> Result<Layout, KernelError> {
    let data = system.read(VMLINUX).map_err(|source| KernelError::Read {
        path: VMLINUX.to_owned(),
        source,
        lost: "no structure of the kernel can be read",
        remedy: "use a kernel with CONFIG_DEBUG_INFO_BTF=y (all large distributions have it)",
    })?;
    let bad = |source| KernelError::Btf { path: VMLINUX.to_owned(), source };
    let image = Arc::new(Btf::parse(data).map_err(bad)?);
    let mut resolver = Resolver { system, known: definitions(&image, ""), image, modules: BTreeMap::new() };
    let mut facts = KernelFacts { members: [MISSING; Member::COUNT], request_size: 0, rescan_takes_sdev: 0 };
    let mut missing = Vec::new();
    for (&member, word) in Member::ALL.iter().zip(&mut facts.members) {
        match resolver.member(&member.place()) {
            Ok(offset) => *word = offset,
            Err(reason) => missing.push(MissingMember { member, reason }),
        }
    }
    facts.request_size = resolver.size(REQUEST);
    resolver.module(RESCAN_MODULE);
    let modules = resolver.modules.into_values().flat_map(|module| module.sources).collect();
    forgive_the_other_flavour(&facts, &mut missing);
    let mut layout = Layout { facts, missing, rescan_takes_sdev: None, image: resolver.image, modules };
    layout.rescan_takes_sdev = match layout.argument_struct(RESCAN, 0).as_deref() {
        Some("scsi_device") => Some(true),
        Some("device") => Some(false),
        _ => None,
    };
    layout.facts.rescan_takes_sdev = u32::from(layout.rescan_takes_sdev == Some(true));
    Ok(layout)
}

/// The definitions of one structure: in which BTF, and their numbers there.
type Definitions = BTreeMap<&'static str, (Arc<Btf>, Vec<u32>)>;

/// Finds the structures of the table in one BTF; with a module, only those it is named for.
fn definitions(btf: &Arc<Btf>, module: &str) -> Definitions {
    let mut names: Vec<&'static str> = Member::ALL
        .iter()
        .map(|member| member.place())
        .filter(|place| module.is_empty() || place.module == module)
        .map(|place| place.structure)
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut found = Definitions::new();
    for (position, id) in btf.structs(&names) {
        if let Some(&name) = names.get(position) {
            found.entry(name).or_insert_with(|| (Arc::clone(btf), Vec::new())).1.push(id);
        }
    }
    found
}

/// What a module brought.
struct Module {
    sources: Vec<Arc<Btf>>,
    known: Definitions,
    /// Why nothing better was found.
    reason: MissingReason,
}

struct Resolver<'a> {
    system: &'a dyn System,
    image: Arc<Btf>,
    known: Definitions,
    modules: BTreeMap<&'static str, Module>,
}

impl Resolver<'_> {
    fn member(&mut self, place: &Place) -> Result<u32, MissingReason> {
        if let Some((btf, ids)) = self.known.get(place.structure) {
            return agreed(btf, ids, place);
        }
        if place.module.is_empty() {
            return Err(MissingReason::NoStruct);
        }
        let module = self.module(place.module);
        match module.known.get(place.structure) {
            Some((btf, ids)) => agreed(btf, ids, place),
            None => Err(module.reason.clone()),
        }
    }

    /// Size of a structure of the image in bytes; 0 if it is unknown or its definitions disagree.
    fn size(&self, structure: &str) -> u32 {
        let Some((btf, ids)) = self.known.get(structure) else { return 0 };
        let mut sizes = ids.iter().filter_map(|&id| Some(btf.ty(id).ok()?.size_or_type));
        let first = sizes.next().unwrap_or(0);
        if sizes.all(|size| size == first) { first } else { 0 }
    }

    /// Reads what a module knows, once.
    fn module(&mut self, name: &'static str) -> &Module {
        let (system, image) = (self.system, &self.image);
        self.modules.entry(name).or_insert_with(|| load_module(system, image, name))
    }
}

/// Reads the BTF of a module. If it has none (built apart from the kernel, as people do who try a patch), the
/// modules that use it were compiled against the same structures and are asked instead.
fn load_module(system: &dyn System, image: &Arc<Btf>, name: &'static str) -> Module {
    let mut module =
        Module { sources: Vec::new(), known: Definitions::new(), reason: MissingReason::NoStruct };
    match read_split(system, image, name) {
        Ok(btf) => {
            let btf = Arc::new(btf);
            module.known = definitions(&btf, name);
            module.sources.push(btf);
            return module;
        }
        Err(Some(why)) => {
            module.reason = MissingReason::BadModuleBtf(why);
            return module;
        }
        Err(None) => {}
    }
    let folder = format!("/sys/module/{name}");
    // Parameters of built-in code have a folder too, but no state.
    if !system.exists(&format!("{folder}/initstate")) {
        module.reason = MissingReason::NotLoaded;
        return module;
    }
    module.reason = MissingReason::NoModuleBtf;
    for user in system.list(&format!("{folder}/holders")).unwrap_or_default() {
        let Ok(btf) = read_split(system, image, &user) else { continue };
        let btf = Arc::new(btf);
        for (structure, found) in definitions(&btf, name) {
            module.known.entry(structure).or_insert(found);
        }
        // Not a source of functions: a static function of the user may share a name.
    }
    module
}

/// Reads and indexes split BTF. `Err(None)`: there is none, or it may not be read.
fn read_split(system: &dyn System, image: &Arc<Btf>, name: &str) -> Result<Btf, Option<BtfError>> {
    let data: io::Result<Vec<u8>> = system.read(&format!("/sys/kernel/btf/{name}"));
    Btf::parse_split(data.map_err(|_| None)?, Arc::clone(image)).map_err(Some)
}

/// The offset on which all definitions agree that have the member at all.
fn agreed(btf: &Btf, ids: &[u32], place: &Place) -> Result<u32, MissingReason> {
    let mut answer: Option<Result<u32, MissingReason>> = None;
    for &id in ids {
        let this = match btf.offset(id, place.path, place.shape) {
            Ok(offset) => Ok(offset),
            Err(LookupError::NoMember) => continue,
            Err(LookupError::WrongShape { found }) => Err(MissingReason::WrongShape(found)),
            Err(LookupError::Btf(why)) => Err(MissingReason::Broken(why)),
        };
        match &answer {
            None => answer = Some(this),
            Some(first) if *first == this => {}
            Some(_) => return Err(MissingReason::Ambiguous),
        }
    }
    answer.unwrap_or(Err(MissingReason::NoMember))
}

#[cfg(test)]
mod tests;

/// Mutexes and rwsems of an RT kernel (`CONFIG_PREEMPT_RT`) are rt_mutexes, and have no owner of their own
/// (include/linux/mutex.h, rwsem.h), and it counts softirqs in the task: what only the other flavour has is not missing.
/// Nor is `pcpu_hot`, which came with Linux 6.2 and went with 6.15; other kernels have a symbol for its member.
fn forgive_the_other_flavour(facts: &KernelFacts, missing: &mut Vec<MissingMember>) {
    let is_rt = facts.members[Member::RwbaseMutex as usize] != MISSING;
    missing.retain(|missing| match missing.member {
        Member::RwbaseMutex | Member::PreemptCount => false,
        Member::TaskSoftirqs => is_rt,
        Member::MutexOwner | Member::RwsemOwner => !is_rt,
        _ => true,
    });
}

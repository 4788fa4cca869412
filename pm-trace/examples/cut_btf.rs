//! Cuts the BTF of a kernel down to what pm-trace asks for, to make test data of it.
//!
//! ```text
//! cargo run -p pm-trace --example cut_btf -- OUT_DIR VMLINUX_BTF [MODULE=MODULE_BTF]...
//! ```
//!
//! Writes `OUT_DIR/vmlinux` and `OUT_DIR/MODULE` with the structures of the member table, what is embedded in
//! them, and the functions whose prototypes are asked for. What a structure only points to becomes a
//! declaration. Types keep their order, so that the split BTF still builds on the image's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use pm_trace::kernel::btf::{Btf, Kind, Type};
use pm_trace_common::member::Member;

/// Structures that are asked for besides those of the table.
const MORE_STRUCTS: [&str; 1] = ["bpf_ringbuf"];
/// Functions whose prototypes are asked for.
const FUNCTIONS: [&str; 4] =
    ["scsi_rescan_device", "dpm_wait_for_superior", "ata_eh_recover", "device_pm_wait_for_dev"];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(out), Some(image)) = (arguments.next(), arguments.next()) else {
        bail!("usage: cut_btf OUT_DIR VMLINUX_BTF [MODULE=MODULE_BTF]...");
    };
    let out = Path::new(&out);
    let data = std::fs::read(&image).with_context(|| format!("cannot read {image}"))?;
    let image = Arc::new(Btf::parse(data).with_context(|| format!("{image} is no BTF"))?);
    let mut modules = Vec::new();
    for argument in arguments {
        let Some((name, path)) = argument.split_once('=') else { bail!("expected MODULE=FILE: {argument}") };
        let data = std::fs::read(path).with_context(|| format!("cannot read {path}"))?;
        modules.push((name.to_owned(), Btf::parse_split(data, Arc::clone(&image))?));
    }
    // What the modules need of the image is kept in the image. Numbers of different modules' types overlap.
    let mut kept = Kept::default();
    kept.roots(&image)?;
    for (_, btf) in &modules {
        let mut own = Kept::default();
        own.roots(btf)?;
        kept.whole.extend(own.whole.range(..btf.first_id()));
        kept.declared.extend(own.declared.range(..btf.first_id()));
    }
    let base = Part::write(&image, &kept, None)?;
    std::fs::create_dir_all(out)?;
    std::fs::write(out.join("vmlinux"), &base.bytes)?;
    for (name, btf) in &modules {
        let mut own = Kept::default();
        own.roots(btf)?;
        std::fs::write(out.join(name), Part::write(btf, &own, Some(&base))?.bytes)?;
    }
    Ok(())
}

/// Numbers of the types that are kept, and of those that are only declared.
#[derive(Default)]
struct Kept {
    whole: BTreeSet<u32>,
    declared: BTreeSet<u32>,
}

impl Kept {
    /// Keeps everything that is asked for and defined in `btf`.
    fn roots(&mut self, btf: &Btf) -> Result<()> {
        let mut names: Vec<&str> = Member::ALL.iter().map(|member| member.place().structure).collect();
        names.extend(MORE_STRUCTS);
        for (_, id) in btf.structs(&names) {
            self.keep(btf, id)?;
        }
        for name in FUNCTIONS {
            for id in btf.functions(name) {
                self.keep(btf, id)?;
            }
        }
        Ok(())
    }

    /// Keeps a type and what it cannot be without.
    fn keep(&mut self, btf: &Btf, id: u32) -> Result<()> {
        if id == 0 || !self.whole.insert(id) {
            return Ok(());
        }
        let ty = btf.ty(id)?;
        match ty.kind {
            Kind::Ptr => self.point(btf, ty.size_or_type)?,
            Kind::Struct | Kind::Union => {
                for member in ty.members() {
                    self.keep(btf, member.ty)?;
                }
            }
            Kind::FuncProto => {
                self.keep(btf, ty.size_or_type)?;
                for (_, parameter) in ty.parameters() {
                    self.keep(btf, parameter)?;
                }
            }
            Kind::Array => {
                for at in [0, 4] {
                    self.keep(btf, word(ty.extra, at))?;
                }
            }
            Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag | Kind::Func => {
                self.keep(btf, ty.size_or_type)?;
            }
            Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Fwd | Kind::Float => {}
            Kind::Var | Kind::Datasec | Kind::DeclTag => bail!("type {id} is of kind {:?}", ty.kind),
        }
        Ok(())
    }

    /// Keeps what a pointer leads to: qualifiers whole, structures as declarations, anything else not at all.
    fn point(&mut self, btf: &Btf, id: u32) -> Result<()> {
        let Some(ty) = (id != 0).then(|| btf.ty(id)).transpose()? else { return Ok(()) };
        match ty.kind {
            Kind::Struct | Kind::Union | Kind::Fwd if ty.name != 0 => {
                self.declared.insert(id);
            }
            Kind::Const | Kind::Volatile | Kind::TypeTag => {
                self.whole.insert(id);
                self.point(btf, ty.size_or_type)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// A written part: the image's, or a module's on top of it.
struct Part {
    bytes: Vec<u8>,
    ids: BTreeMap<u32, u32>,
    strings: BTreeMap<Vec<u8>, u32>,
    end_id: u32,
    end_string: u32,
}

impl Part {
    fn write(btf: &Btf, kept: &Kept, base: Option<&Part>) -> Result<Self> {
        let mut part = Part {
            bytes: Vec::new(),
            ids: base.map_or_else(BTreeMap::new, |base| base.ids.clone()),
            strings: base.map_or_else(|| BTreeMap::from([(Vec::new(), 0)]), |base| base.strings.clone()),
            end_id: base.map_or(1, |base| base.end_id),
            end_string: base.map_or(1, |base| base.end_string),
        };
        let first = btf.first_id();
        let own: BTreeSet<u32> = kept
            .whole
            .union(&kept.declared)
            .copied()
            .filter(|&id| (first..btf.end_id()).contains(&id))
            .collect();
        for &id in &own {
            part.ids.insert(id, part.end_id);
            part.end_id += 1;
        }
        let mut strings = if base.is_some() { Vec::new() } else { vec![0] };
        let mut types = Vec::new();
        for &id in &own {
            part.ty(btf, btf.ty(id)?, kept.whole.contains(&id), &mut types, &mut strings)?;
        }
        // struct btf_header: magic, version, flags, length, then offset and length of types and strings.
        part.bytes.extend(0xeb9f_u16.to_ne_bytes());
        part.bytes.extend([1, 0]);
        for number in [24, 0, types.len(), types.len(), strings.len()] {
            part.bytes.extend(u32::try_from(number)?.to_ne_bytes());
        }
        part.bytes.extend(types);
        part.bytes.extend(strings);
        Ok(part)
    }

    fn ty(
        &mut self,
        btf: &Btf,
        ty: Type<'_>,
        whole: bool,
        out: &mut Vec<u8>,
        strings: &mut Vec<u8>,
    ) -> Result<()> {
        let name = self.string(btf.string(ty.name)?, strings)?;
        if !whole {
            // A declaration's flag tells a union.
            let is_union = ty.kind == Kind::Union || (ty.kind == Kind::Fwd && ty.flag);
            push(out, &[name, (Kind::Fwd as u32) << 24 | u32::from(is_union) << 31, 0]);
            return Ok(());
        }
        let (count, size_or_type) = match ty.kind {
            Kind::Int | Kind::Struct | Kind::Union | Kind::Float => (ty.extra.len() / 12, ty.size_or_type),
            // Values of enums are not needed.
            Kind::Enum | Kind::Enum64 => (0, ty.size_or_type),
            Kind::FuncProto => (ty.extra.len() / 8, self.id(ty.size_or_type)),
            _ => (0, self.id(ty.size_or_type)),
        };
        let count = if ty.kind == Kind::Int { 0 } else { u32::try_from(count)? };
        push(out, &[name, (ty.kind as u32) << 24 | u32::from(ty.flag) << 31 | count, size_or_type]);
        for member in ty.members() {
            let name = self.string(btf.string(member.name)?, strings)?;
            push(out, &[name, self.id(member.ty), member.bits | member.width << 24]);
        }
        for (parameter, id) in ty.parameters() {
            let name = self.string(btf.string(parameter)?, strings)?;
            push(out, &[name, self.id(id)]);
        }
        match ty.kind {
            Kind::Int => push(out, &[word(ty.extra, 0)]),
            Kind::Array => {
                push(out, &[self.id(word(ty.extra, 0)), self.id(word(ty.extra, 4)), word(ty.extra, 8)]);
            }
            _ => {}
        }
        Ok(())
    }

    /// The new number of a type; `void` for what was not kept.
    fn id(&self, id: u32) -> u32 {
        self.ids.get(&id).copied().unwrap_or(0)
    }

    /// The new offset of a string.
    fn string(&mut self, string: &[u8], strings: &mut Vec<u8>) -> Result<u32> {
        if let Some(&offset) = self.strings.get(string) {
            return Ok(offset);
        }
        let offset = self.end_string;
        strings.extend(string);
        strings.push(0);
        self.end_string += u32::try_from(string.len() + 1)?;
        self.strings.insert(string.to_vec(), offset);
        Ok(offset)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

fn push(out: &mut Vec<u8>, words: &[u32]) {
    for word in words {
        out.extend(word.to_ne_bytes());
    }
}

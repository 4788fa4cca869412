//! The ELF kernel inside a bzImage: module builds read the kernel's BTF from it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;

/// How compressed kernels begin, and the program that writes them uncompressed to its output.
const COMPRESSIONS: &[(&[u8], &[&str])] = &[
    (b"\xfd7zXZ\0", &["xz", "-dc"]),
    (b"\x28\xb5\x2f\xfd", &["zstd", "-dcq"]),
    (b"\x1f\x8b", &["gzip", "-dc"]),
];

/// Offsets in the x86 boot protocol's setup header.
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// Writes the uncompressed kernel of `image` to `vmlinux`.
pub(crate) fn extract(image: &Path, vmlinux: &Path) -> Result<()> {
    let data = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let payload =
        payload(&data).with_context(|| format!("{} is no bzImage that can be unpacked", image.display()))?;
    let Some((_, unpack)) = COMPRESSIONS.iter().find(|(magic, _)| payload.starts_with(magic)) else {
        bail!("{}: kernel compressed in a way the lab does not know", image.display());
    };
    let packed = vmlinux.with_extension("packed");
    fs::write(&packed, payload).with_context(|| format!("cannot write {}", packed.display()))?;
    let elf = process::output_bytes(Command::new(unpack[0]).args(&unpack[1..]).arg(&packed))?;
    fs::remove_file(&packed)?;
    ensure!(elf.starts_with(b"\x7fELF"), "{}: what was unpacked is no ELF file", image.display());
    fs::write(vmlinux, elf).with_context(|| format!("cannot write {}", vmlinux.display()))
}

/// The compressed kernel, without the four bytes of uncompressed length that end it.
fn payload(image: &[u8]) -> Result<&[u8]> {
    ensure!(image.get(MAGIC..MAGIC + 4) == Some(b"HdrS"), "no boot protocol header");
    let word = |at: usize| -> Result<usize> {
        let bytes = image.get(at..at + 4).context("header cut off")?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")) as usize)
    };
    let start = (usize::from(image[SETUP_SECTORS]) + 1) * 512 + word(PAYLOAD_OFFSET)?;
    let end = start + word(PAYLOAD_LENGTH)?;
    ensure!(end >= start + 4, "empty payload");
    image.get(start..end - 4).context("payload reaches beyond the end of the file")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[SETUP_SECTORS] = 0;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&16_u32.to_le_bytes());
        image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&12_u32.to_le_bytes());
        image[528..536].copy_from_slice(b"payload!");
        image
    }

    #[test]
    fn the_payload_ends_before_its_length() {
        assert_eq!(payload(&image()).unwrap(), b"payload!");
    }

    #[test]
    fn broken_images_are_errors() {
        assert!(payload(b"short").is_err());
        let mut cut = image();
        cut.truncate(530);
        assert!(payload(&cut).is_err());
    }
}

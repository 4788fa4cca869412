//! What the kernel was built with.

use std::collections::BTreeMap;
use std::io::Read;

use super::KernelError;
use super::system::{MAX_FILE, System};

/// A configuration option that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `=y`
    BuiltIn,
    /// `=m`
    Module,
    /// A number or a string, without its quotes.
    Value(String),
}

/// The kernel's configuration.
#[derive(Clone, Debug)]
pub struct KernelConfig {
    /// File it was read from.
    pub source: String,
    options: BTreeMap<String, Setting>,
}

impl KernelConfig {
    /// Reads the configuration of the running kernel: `/proc/config.gz`, which is the kernel's own, or else
    /// the file that distributions install beside the kernel.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn load(system: &dyn System) -> Result<Self, KernelError> {
        let release = system.uname().map(|uname| uname.release).unwrap_or_default();
        find(system, &release).map(|(path, text)| Self::parse(&path, &text))
    }

    /// Reads lines `CONFIG_NAME=value`; everything else is left out.
    pub fn parse(source: &str, text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut options = BTreeMap::new();
        for line in text.lines() {
            let Some((name, value)) = line.split_once('=') else { continue };
            if !name.starts_with("CONFIG_") {
                continue;
            }
            let setting = match value.trim() {
                "y" => Setting::BuiltIn,
                "m" => Setting::Module,
                "n" => continue,
                other => Setting::Value(other.trim_matches('"').to_owned()),
            };
            options.insert(name.to_owned(), setting);
        }
        Self { source: source.to_owned(), options }
    }

    /// How an option (`CONFIG_KPROBES`) is set; `None` if it is not.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.options.get(name)
    }

    /// Whether an option is built in or a module.
    pub fn enabled(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Setting::BuiltIn | Setting::Module))
    }
}

/// The configuration of the kernel of this release as text, and the file it is in.
///
/// # Errors
/// As [`KernelConfig::load`]. The running kernel's own is taken only if it is of that release.
pub fn find(system: &dyn System, release: &str) -> Result<(String, Vec<u8>), KernelError> {
    let runs = system.uname().is_ok_and(|uname| uname.release == release);
    if runs
        && let Ok(packed) = system.read("/proc/config.gz")
        && let Some(text) = unpack(&packed)
    {
        return Ok(("/proc/config.gz".to_owned(), text));
    }
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    // The second is Fedora's, the third that of image-based systems.
    for path in [
        format!("/boot/config-{release}"),
        format!("/lib/modules/{release}/config"),
        format!("/usr/lib/kernel/config-{release}"),
    ] {
        match system.read(&path) {
            Ok(text) => return Ok((path, text)),
            Err(error) => last = error,
        }
    }
    Err(KernelError::Read {
        path: format!("/proc/config.gz and /boot/config-{release}"),
        source: last,
        lost: "it is unknown what the kernel was built with",
        remedy: "install the file beside the kernel, or: modprobe configs",
    })
}

/// Unpacks gzip data of bounded size.
fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(packed).take(MAX_FILE).read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::system::Recorded;
    use std::io::Write;

    const TEXT: &str = "# a comment\nCONFIG_KPROBES=y\nCONFIG_ATA=m\n# CONFIG_DPM_WATCHDOG is not set\n\
                        CONFIG_HZ=250\nCONFIG_LOCALVERSION=\"-x\"\nCONFIG_N=n\nnonsense=y\n";

    #[test]
    fn options_are_read() {
        let config = KernelConfig::parse("x", TEXT.as_bytes());
        assert!(config.enabled("CONFIG_KPROBES") && config.enabled("CONFIG_ATA"));
        assert!(
            !config.enabled("CONFIG_DPM_WATCHDOG")
                && !config.enabled("CONFIG_N")
                && !config.enabled("CONFIG_HZ")
        );
        assert_eq!(config.get("CONFIG_ATA"), Some(&Setting::Module));
        assert_eq!(config.get("CONFIG_HZ"), Some(&Setting::Value("250".to_owned())));
        assert_eq!(config.get("CONFIG_LOCALVERSION"), Some(&Setting::Value("-x".to_owned())));
        assert_eq!(config.get("nonsense"), None);
    }

    #[test]
    fn the_kernels_own_configuration_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("proc/sys/kernel")).unwrap();
        std::fs::create_dir_all(root.join("boot")).unwrap();
        let system = Recorded::new(root);
        assert!(matches!(KernelConfig::load(&system), Err(KernelError::Read { .. })));

        for (name, text) in [("osrelease", "6.1.0"), ("version", "#1"), ("arch", "x86_64")] {
            std::fs::write(root.join("proc/sys/kernel").join(name), text).unwrap();
        }
        std::fs::write(root.join("boot/config-6.1.0"), TEXT).unwrap();
        assert_eq!(KernelConfig::load(&system).unwrap().source, "/boot/config-6.1.0");

        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(TEXT.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        std::fs::write(root.join("proc/config.gz"), &packed).unwrap();
        assert_eq!(KernelConfig::load(&system).unwrap().source, "/proc/config.gz");

        std::fs::write(root.join("proc/config.gz"), &packed[..packed.len() / 2]).unwrap();
        assert_eq!(KernelConfig::load(&system).unwrap().source, "/boot/config-6.1.0");
    }
}

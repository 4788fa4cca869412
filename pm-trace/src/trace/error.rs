//! What can go wrong with a trace file.

use crate::text;
use std::io;
use std::path::{Path, PathBuf};

/// Result of the trace room.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a trace could not be written or read. The text says what failed, on which file, what is lost by it
/// and what to try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened for reading.
    #[error("cannot open the trace {}: {}", text::path(.path), why_open(.source))]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a directory.
    #[error("{} is a directory, not a trace; name one .pmtrace file in it", text::path(.path))]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// It has no bytes.
    #[error(
        "the trace {} is empty (0 bytes): nothing was written to it. The recording ended before it began, or \
         the file was not copied whole; copy it again or record again",
        text::path(.path)
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It is something else.
    #[error(
        "{} is not a pm-trace trace: it begins with {begins}, and no readable block stands in its first \
         {searched} bytes. Name a file made by 'pm-trace record' or 'pm-trace suspend'",
        text::path(.path)
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its first bytes, printable.
        begins: String,
        /// How far a block was looked for, in bytes.
        searched: u64,
    },
    /// It ends within its header, or before its first block does.
    #[error(
        "the trace {} ends after {length} bytes, before its first whole block: no event can be read. The \
         recording ended while it began, or the file was not copied whole; copy it again or record again",
        text::path(.path)
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
    },
    /// A later version of the program made it.
    #[error(
        "the trace {} has format version {version}, this program reads up to version {supported}: nothing was \
         read. Use a newer pm-trace to read it",
        text::path(.path)
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Version of its format.
        version: u16,
        /// Newest version known here.
        supported: u16,
    },
    /// Reading failed in its first bytes.
    #[error("cannot read the trace {} at byte {offset}: {source}; nothing was read", text::path(.path))]
    Read {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// A new file cannot be made.
    #[error("cannot create the trace {}: {}", text::path(.path), why_create(.source))]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is there already.
    #[error("{} exists already and was left as it is; choose another name with -o, or --force to replace it",
        text::path(.path))]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It exists and is no regular file.
    #[error("{} is no regular file and cannot hold a trace; choose a file name with -o (to send a copy to a \
         device, use --tee)", text::path(.path))]
    NotRegular {
        /// The file.
        path: PathBuf,
    },
    /// A block could not be written.
    #[error("cannot write to the trace {} at byte {offset}: {}", text::path(.path), why_write(.source))]
    Write {
        /// The file or device.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// Written bytes could not be made durable.
    #[error(
        "cannot make the trace {} durable: {source}. It may be incomplete after a reset; try a local disk with -o",
        text::path(.path)
    )]
    Sync {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The second output cannot be opened.
    #[error(
        "cannot open {} for a copy of the trace: {source}. Name a file, a serial port such as /dev/ttyS1, or \
         leave --tee out",
        text::path(.path)
    )]
    Tee {
        /// The file or device.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The trace was closed with part of it not written.
    #[error(
        "the trace {} is incomplete: {blocks} block(s) could not be written ({reason}). What is in the file \
         can be read; free space or choose another disk with -o and record again",
        text::path(.path)
    )]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// How many blocks are missing.
        blocks: u64,
        /// Why, if it is known.
        reason: String,
    },
    /// A block is larger than the format allows.
    #[error("the {what} takes {length} bytes, a block of a trace holds {max}; nothing was written")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size in bytes.
        length: usize,
        /// What a block holds.
        max: usize,
    },
}

impl Error {
    pub(super) fn open(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::IsADirectory {
            Self::Directory { path }
        } else {
            Self::Open { path, source }
        }
    }
}

fn why_open(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => format!("{source}. Check the name; traces end in .pmtrace"),
        io::ErrorKind::PermissionDenied => {
            format!("{source}. Traces are readable by their owner only; read it as that user or as root")
        }
        _ => source.to_string(),
    }
}

fn why_create(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => {
            format!("{source}. Its directory does not exist; create it or choose another with -o")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull => {
            format!("{source}. Nothing was recorded; choose another place with -o")
        }
        _ => format!("{source}. Nothing was recorded"),
    }
}

fn why_write(source: &io::Error) -> String {
    let kept = "What is there is kept and can be read; later events are held in memory as far as they fit";
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("{source}. {kept} and are written when space is freed")
        }
        _ => format!("{source}. {kept} and are tried again"),
    }
}

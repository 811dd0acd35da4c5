//! The binary to put on hosts: its bytes, and what it asks of a host, from its ELF header.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sha2::{Digest as _, Sha256};

use crate::ssh::Packed;

/// A processor architecture, under the name `uname -m` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// 64-bit Intel and AMD.
    X86_64,
    /// 64-bit ARM (Alibaba's g8y, c8y, ...).
    Aarch64,
}

impl Architecture {
    /// Every one there is a release for.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// Reads `uname -m`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "x86_64" => Some(Self::X86_64),
            "aarch64" | "arm64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// Where the loader of its usual C library is, by the ABI.
    pub(super) fn usual_loader(self) -> &'static str {
        match self {
            Self::X86_64 => "/lib64/ld-linux-x86-64.so.2",
            Self::Aarch64 => "/lib/ld-linux-aarch64.so.1",
        }
    }

    /// The compiler's name for a static binary on it.
    pub(super) fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}

/// Why a file cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// It cannot be read.
    #[error("the binary {} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's word on it.
        #[source]
        source: std::io::Error,
    },
    /// It is not a program for Linux.
    #[error("{} is not a 64-bit Linux program", .path.display())]
    NotAProgram {
        /// The file.
        path: PathBuf,
    },
    /// Its name says that it is for another processor than it is for.
    #[error("{} is for {found}, but its name says {named}", .path.display())]
    OtherProcessor {
        /// The file.
        path: PathBuf,
        /// What it is for.
        found: Architecture,
        /// What its name says.
        named: Architecture,
    },
    /// It is for a processor no instance has.
    #[error("{} is for an unknown processor (ELF machine {machine})", .path.display())]
    UnknownProcessor {
        /// The file.
        path: PathBuf,
        /// The number in its header.
        machine: u16,
    },
}

impl ArtifactError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => "`cargo build --release -p chat-node` makes it".to_owned(),
            Self::OtherProcessor { path, named, .. } => {
                format!("remove `{}`, or put one there that is built for {}", path.display(), named.target())
            }
            Self::NotAProgram { .. } | Self::UnknownProcessor { .. } => {
                "`make build` makes one that fits".to_owned()
            }
        })
    }
}

/// A program file that hosts can be given.
#[derive(Clone)]
pub struct Artifact {
    /// Its content.
    pub bytes: Arc<[u8]>,
    /// SHA-256 of the content, in hex.
    pub sha256: String,
    /// The processor it is for.
    pub architecture: Architecture,
    /// The newest glibc version it names; `None` for a static program.
    pub glibc_needed: Option<(u32, u32)>,
    /// The program that loads it and its libraries; `None` for a static program.
    pub loader: Option<String>,
    /// Its compressed form, made when the first host needs it.
    pub(super) packed: Arc<OnceLock<Packed>>,
}

impl Artifact {
    /// Reads a program file.
    ///
    /// # Errors
    /// When it cannot be read or is not a 64-bit Linux program.
    pub fn load(path: &Path) -> Result<Self, ArtifactError> {
        let bytes = std::fs::read(path)
            .map_err(|source| ArtifactError::Unreadable { path: path.to_owned(), source })?;
        Self::from_bytes(path, bytes)
    }

    /// Reads the build of a program for one processor.
    ///
    /// # Errors
    /// When it cannot be read, is not a 64-bit Linux program, or is for another processor.
    pub fn load_for(path: &Path, named: Architecture) -> Result<Self, ArtifactError> {
        let build = Self::load(path)?;
        if build.architecture == named {
            return Ok(build);
        }
        Err(ArtifactError::OtherProcessor { path: path.to_owned(), found: build.architecture, named })
    }

    fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, ArtifactError> {
        let elf = Elf(&bytes);
        let Some(machine) = elf.machine() else {
            return Err(ArtifactError::NotAProgram { path: path.to_owned() });
        };
        let architecture = match machine {
            62 => Architecture::X86_64,
            183 => Architecture::Aarch64,
            _ => {
                return Err(ArtifactError::UnknownProcessor { path: path.to_owned(), machine });
            }
        };
        let (glibc_needed, loader) = (elf.newest_glibc(), elf.loader());
        Ok(Self { loader, ..Self::new(bytes.into(), architecture, glibc_needed) })
    }

    /// A program that needs no loader but the usual one.
    pub fn new(bytes: Arc<[u8]>, architecture: Architecture, glibc_needed: Option<(u32, u32)>) -> Self {
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Self { bytes, sha256, architecture, glibc_needed, loader: None, packed: Arc::default() }
    }

    /// What is sent of it. Compressing takes a moment, which other hosts need not wait for.
    pub(super) async fn packed(&self) -> Packed {
        let (bytes, packed) = (Arc::clone(&self.bytes), Arc::clone(&self.packed));
        let pack = move || packed.get_or_init(|| Packed::of(&bytes)).clone();
        tokio::task::spawn_blocking(pack).await.expect("compressing does not panic")
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Artifact")
            .field("length", &self.bytes.len())
            .field("sha256", &self.sha256)
            .field("architecture", &self.architecture)
            .field("glibc_needed", &self.glibc_needed)
            .field("loader", &self.loader)
            .finish_non_exhaustive()
    }
}

/// Section type of the list of versions a program needs of its libraries.
const VERSION_NEEDS: u32 = 0x6fff_fffe;
/// Segment type of the path of the loader.
const LOADER: u32 = 3;
/// Bounds for loops over a file that may be damaged.
const MOST_ENTRIES: usize = 4096;

/// A little-endian 64-bit ELF file (see elf(5) and the LSB's chapter on symbol versions).
struct Elf<'bytes>(&'bytes [u8]);

impl Elf<'_> {
    fn machine(&self) -> Option<u16> {
        let little_64 = [0x7f, b'E', b'L', b'F', 2, 1];
        if !self.0.starts_with(&little_64) {
            return None;
        }
        // Executables and position-independent ones; not objects, not core files.
        matches!(self.half(16)?, 2 | 3).then(|| self.half(18)).flatten()
    }

    /// The path in the segment that names the loader.
    fn loader(&self) -> Option<String> {
        let table = self.offset(32)?;
        let size = usize::from(self.half(54)?);
        let count = usize::from(self.half(56)?);
        let segment = |index: usize| table.checked_add(index.checked_mul(size)?);
        let named = (0..count).filter_map(segment).find(|at| self.word(*at) == Some(LOADER))?;
        self.text(self.offset(named + 8)?)
    }

    fn newest_glibc(&self) -> Option<(u32, u32)> {
        let table = self.offset(40)?;
        let size = usize::from(self.half(58)?);
        let count = usize::from(self.half(60)?);
        let section = |index: usize| table.checked_add(index.checked_mul(size)?);
        let needs = (0..count).filter_map(section).find(|at| self.word(at + 4) == Some(VERSION_NEEDS))?;
        let names = section(usize::try_from(self.word(needs + 40)?).ok()?)?;
        self.needed_versions(self.offset(needs + 24)?, self.offset(names + 24)?)
            .into_iter()
            .filter_map(|name| version(name.strip_prefix("GLIBC_")?))
            .max()
    }

    /// Walks the chain of libraries and, for each, the chain of versions.
    fn needed_versions(&self, start: usize, names: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut library = start;
        while found.len() < MOST_ENTRIES {
            let (Some(first), Some(next)) = (self.offset_32(library + 8), self.offset_32(library + 12))
            else {
                break;
            };
            let mut entry = library + first;
            while let (Some(name), Some(step)) = (self.offset_32(entry + 8), self.offset_32(entry + 12)) {
                found.extend(self.text(names + name));
                if step == 0 || found.len() >= MOST_ENTRIES {
                    break;
                }
                entry += step;
            }
            if next == 0 {
                break;
            }
            library += next;
        }
        found
    }

    fn half(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    fn word(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    fn offset(&self, at: usize) -> Option<usize> {
        let value = u64::from_le_bytes(*self.0.get(at..)?.first_chunk()?);
        // Anything beyond the file is damage; it also keeps later sums from overflowing.
        usize::try_from(value).ok().filter(|offset| *offset < self.0.len())
    }

    fn offset_32(&self, at: usize) -> Option<usize> {
        usize::try_from(self.word(at)?).ok().filter(|offset| *offset < self.0.len())
    }

    fn text(&self, at: usize) -> Option<String> {
        let rest = self.0.get(at..)?;
        let end = rest.iter().take(200).position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    }
}

/// Reads `2.34` or `2.2.5`.
pub(super) fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_program_of_this_machine_is_read() {
        let artifact = Artifact::load(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(artifact.architecture.to_string(), std::env::consts::ARCH);
        assert_eq!(artifact.sha256.len(), 64);
        if cfg!(target_env = "gnu") {
            let (major, minor) = artifact.glibc_needed.unwrap();
            assert!(major == 2 && (17..100).contains(&minor), "{major}.{minor}");
            assert_eq!(artifact.loader.as_deref(), Some(artifact.architecture.usual_loader()));
        }
    }

    #[test]
    fn what_is_no_program_is_refused_by_name() {
        let path = Path::new("Cargo.toml");
        let error = Artifact::load(path).unwrap_err();
        assert_eq!(error.to_string(), "Cargo.toml is not a 64-bit Linux program");
        let error = Artifact::load(Path::new("no/such")).unwrap_err();
        assert!(error.to_string().contains("cannot be read") && error.hint().is_some());
        let mut header = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        header[18] = 243;
        header[19] = 0;
        let error = Artifact::from_bytes(path, header).unwrap_err();
        assert!(error.to_string().contains("ELF machine 243"), "{error}");
    }

    proptest! {
        #[test]
        fn damage_never_panics(tail in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 62, 0];
            bytes.extend(tail);
            let _ = Artifact::from_bytes(Path::new("x"), bytes);
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("2.34") > version("2.4"));
        assert_eq!(version("2.2.5"), Some((2, 2)));
        assert_eq!(version("PRIVATE"), None);
    }
}

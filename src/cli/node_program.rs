//! The chat node in its builds: the file that is asked for, and beside it one for each other processor, under the same
//! name with the processor's behind it (`chat-node-aarch64`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::cli::{GlobalOptions, programs};
use crate::deploy::{Architecture, Artifact, Program};

/// The file that is asked for, or the one that goes with this program.
///
/// # Errors
/// When there is none.
pub(super) fn path(options: &GlobalOptions) -> Result<PathBuf, Failure> {
    options.chat_node.clone().map_or_else(|| programs::find("chat-node"), Ok)
}

/// Where the build for a processor is, beside a file.
pub(super) fn beside(file: &Path, architecture: Architecture) -> PathBuf {
    let mut name: OsString = file.file_name().unwrap_or_default().to_owned();
    name.push(format!("-{architecture}"));
    file.with_file_name(name)
}

/// Reads every build there is.
///
/// # Errors
/// When there is none, when one cannot be read, or is for another processor than its name says.
pub(super) fn load(options: &GlobalOptions) -> Result<Program, Failure> {
    let file = path(options)?;
    let mut others = Vec::new();
    for architecture in Architecture::ALL {
        let other = beside(&file, architecture);
        if other.exists() {
            others.push(Artifact::load_for(&other, architecture)?);
        }
    }
    Ok(Program::from(Artifact::load(&file)?).with(others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_for_another_processor_is_beside_the_first() {
        assert_eq!(
            beside(Path::new("/opt/bin/chat-node"), Architecture::Aarch64),
            Path::new("/opt/bin/chat-node-aarch64")
        );
        assert_eq!(beside(Path::new("node.v2"), Architecture::X86_64), Path::new("node.v2-x86_64"));
    }
}

//! One program in builds for several processors: each host gets the one it can run.

use sha2::{Digest as _, Sha256};

use super::artifact::{Architecture, Artifact};

/// A program that hosts can be given, whatever their processor.
#[derive(Debug, Clone)]
pub struct Program {
    first: Artifact,
    others: Vec<Artifact>,
}

impl Program {
    /// With builds for other processors. Of two for one processor the earlier counts.
    #[must_use]
    pub fn with(mut self, others: impl IntoIterator<Item = Artifact>) -> Self {
        for build in others {
            if self.of(build.architecture).is_none() {
                self.others.push(build);
            }
        }
        self
    }

    /// The build for a processor.
    pub fn of(&self, architecture: Architecture) -> Option<&Artifact> {
        self.builds().find(|build| build.architecture == architecture)
    }

    /// The build a host is given; where none is for its processor, the one that says best what is wrong.
    pub(super) fn for_host(&self, architecture: Architecture) -> &Artifact {
        self.of(architecture).unwrap_or(&self.first)
    }

    /// Every build, the one that was asked for first.
    pub fn builds(&self) -> impl Iterator<Item = &Artifact> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// What tells this program from another. It stands for all builds, so that a release has one name on all hosts.
    pub fn digest(&self) -> String {
        if self.others.is_empty() {
            return self.first.sha256.clone();
        }
        let mut builds: Vec<String> =
            self.builds().map(|build| format!("{} {}\n", build.architecture, build.sha256)).collect();
        builds.sort_unstable();
        hex::encode(Sha256::digest(builds.concat()))
    }
}

impl From<Artifact> for Program {
    fn from(first: Artifact) -> Self {
        Self { first, others: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(content: &[u8], architecture: Architecture) -> Artifact {
        Artifact::new(content.into(), architecture, None)
    }

    #[test]
    fn a_program_of_one_build_is_that_build() {
        let one = build(b"one", Architecture::X86_64);
        let program = Program::from(one.clone());
        assert_eq!(program.digest(), one.sha256);
        assert_eq!(program.of(Architecture::X86_64).map(|found| &found.sha256), Some(&one.sha256));
        assert!(program.of(Architecture::Aarch64).is_none());
        assert_eq!(program.for_host(Architecture::Aarch64).sha256, one.sha256);
    }

    #[test]
    fn its_digest_stands_for_all_builds_in_any_order() {
        let (intel, arm) = (build(b"one", Architecture::X86_64), build(b"two", Architecture::Aarch64));
        let program = Program::from(intel.clone()).with([arm.clone()]);
        let turned = Program::from(arm.clone()).with([intel.clone()]);
        assert_eq!(program.digest(), turned.digest());
        assert_ne!(program.digest(), Program::from(intel.clone()).digest());
        assert_ne!(
            program.digest(),
            Program::from(intel).with([build(b"three", Architecture::Aarch64)]).digest()
        );
        assert_eq!(program.for_host(Architecture::Aarch64).sha256, arm.sha256);
    }

    #[test]
    fn the_earlier_of_two_for_one_processor_counts() {
        let (asked, beside) = (build(b"one", Architecture::X86_64), build(b"two", Architecture::X86_64));
        let program = Program::from(asked.clone()).with([beside]);
        assert_eq!(program.builds().count(), 1);
        assert_eq!(program.digest(), asked.sha256);
    }
}

//! Exit codes, in one table.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Done.
    Done,
    /// Failed; nothing was changed.
    Failed,
    /// `plan --detailed-exitcode` found changes.
    ChangesPending,
    /// Partly applied; the same command goes on from there.
    PartlyApplied,
    /// Verification failed.
    NotVerified,
    /// Another command is at work on the stack.
    Locked,
    /// A host is back on its earlier release.
    RolledBack,
    /// The command line is wrong.
    Usage,
    /// The topology is invalid.
    Invalid,
    /// A fault of ours.
    Bug,
    /// Somebody said stop.
    Interrupted,
}

impl ExitStatus {
    /// The code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::ChangesPending => 2,
            Self::PartlyApplied => 3,
            Self::NotVerified => 4,
            Self::Locked => 5,
            Self::RolledBack => 6,
            Self::Usage => 64,
            Self::Invalid => 65,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

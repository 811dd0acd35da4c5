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
    /// What a program on a host ended with.
    OfProgram(u8),
}

impl ExitStatus {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Failed,
        Self::ChangesPending,
        Self::PartlyApplied,
        Self::NotVerified,
        Self::Locked,
        Self::RolledBack,
        Self::Usage,
        Self::Invalid,
        Self::Bug,
        Self::Interrupted,
    ];

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
            Self::OfProgram(code) => code,
        }
    }
}

impl ExitStatus {
    /// What it means, in a sentence.
    pub fn means(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed, or the question was answered with no; nothing was changed",
            Self::ChangesPending => "`plan --detailed-exitcode` found changes",
            Self::PartlyApplied => "partly applied; the same command goes on from there",
            Self::NotVerified => "verification failed",
            Self::Locked => "another command is at work on the stack",
            Self::RolledBack => "a host is back on its earlier release",
            Self::Usage => "the command line is wrong",
            Self::Invalid => "the topology is invalid",
            Self::Bug => "a fault of Albatross",
            Self::Interrupted => "interrupted",
            Self::OfProgram(_) => "what `albatross ssh` ran ended with it",
        }
    }

    /// What to do next.
    pub fn next(self) -> &'static str {
        match self {
            Self::Done => "nothing",
            Self::Failed => {
                "follow the line that begins with `help:`; `albatross doctor FILE` checks everything at once"
            }
            Self::ChangesPending => "run `albatross apply FILE` to carry them out",
            Self::PartlyApplied | Self::Interrupted => "run the same command again",
            Self::NotVerified => {
                "see the first check that failed: the ones behind it may only follow from it"
            }
            Self::Locked => "wait until it has ended; the message says who holds the lock and since when",
            Self::RolledBack => {
                "see why the new release did not become ready, mend it, and run `albatross deploy FILE`"
            }
            Self::Usage => "see `albatross COMMAND --help`",
            Self::Invalid => {
                "mend what is shown with its line; `albatross explain CODE` says more about each rule"
            }
            Self::Bug => "report it with your topology and the message",
            Self::OfProgram(_) => "see what the program said",
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

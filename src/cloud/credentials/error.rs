//! Why a place gave no key, and why there is none at all.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::base::address::AddressError;
use crate::cloud::credentials::external::RunFailure;
use crate::cloud::credentials::link::Link;
use crate::cloud::error::CloudError;

/// Why a place gave no key. None of these repeats what a service or a file said, since that may hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nobody set it up.
    #[error("{variable} is not set")]
    NotSet {
        /// The variable that would.
        variable: &'static str,
    },
    /// It is switched off.
    #[error("{variable} switches it off")]
    SwitchedOff {
        /// The variable that does.
        variable: &'static str,
    },
    /// The file is not there.
    #[error("there is no `{}`", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
    },
    /// The system refused to give the file.
    #[error("cannot read `{}`: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file has another form.
    #[error("`{}` is not understood at line {line}, column {column}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1; 0 for the line as a whole.
        column: usize,
    },
    /// The profile or section is not there.
    #[error("`{}` has no {subject}", path.display())]
    NoProfile {
        /// The file.
        path: PathBuf,
        /// The profile or section asked for.
        subject: String,
    },
    /// A profile or section lacks a value.
    #[error("{subject} has no `{field}`")]
    Incomplete {
        /// The profile or section.
        subject: String,
        /// What it lacks.
        field: &'static str,
    },
    /// A value cannot be used.
    #[error("{subject}: `{field}` {why}")]
    Unusable {
        /// The profile, section or environment it stands in.
        subject: String,
        /// The value's name.
        field: &'static str,
        /// Why not.
        why: String,
    },
    /// A mode that is known and not supported.
    #[error("{subject} has mode `{mode}`, {why}")]
    Unsupported {
        /// The profile or section.
        subject: String,
        /// Its mode, a known word.
        mode: String,
        /// Why not, and what to use instead.
        why: &'static str,
    },
    /// A mode that is not known, which may be anything.
    #[error("{subject} has a mode that is not known; {known} are")]
    UnknownMode {
        /// The profile or section.
        subject: String,
        /// Those that are.
        known: &'static str,
    },
    /// Profiles that get their key from each other.
    #[error("profile `{profile}` is its own source")]
    Circle {
        /// Where the circle was noticed.
        profile: String,
    },
    /// An address that may not be asked for keys.
    #[error("{0}")]
    Address(#[from] AddressError),
    /// A program did not give a key.
    #[error("the program `{program}` {failure}")]
    Program {
        /// The program, without its arguments.
        program: String,
        /// What it did instead.
        failure: RunFailure,
    },
    /// Nobody answers.
    #[error("no answer from {service}: {}", cause(error))]
    Unreachable {
        /// Who was asked.
        service: String,
        /// What the network said, without the address.
        error: reqwest::Error,
    },
    /// A service said no.
    #[error("{service} answered with status {status}")]
    Status {
        /// Who was asked.
        service: String,
        /// HTTP status.
        status: u16,
    },
    /// A service said something else.
    #[error("what {service} answered is not a key: {why}")]
    Garbled {
        /// Who was asked.
        service: String,
        /// What is missing or wrong.
        why: &'static str,
    },
    /// The key ended before it was given.
    #[error("{service} gave a key that ended at {end}")]
    Ended {
        /// Who was asked.
        service: String,
        /// When it ended.
        end: Timestamp,
    },
    /// The old key is still good, and the new one was not waited for.
    #[error("there was no new one within {} s", limit.as_secs())]
    Slow {
        /// How long it was waited for.
        limit: Duration,
    },
    /// STS refused the role.
    #[error("{error}{}", network_cause(error))]
    Sts {
        /// Its answer, or that there was none.
        error: Box<CloudError>,
    },
}

/// The innermost reason of a network error: its outer ones name only layers.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

/// Why STS did not answer. What it answered is in the error itself, and may not be repeated otherwise.
fn network_cause(error: &CloudError) -> String {
    if let CloudError::Unreachable { source, .. } = error.innermost() {
        format!(": {}", cause(source))
    } else {
        String::new()
    }
}

impl SourceError {
    /// What to do about it.
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { path, .. } => {
                Some(format!("make `{}` a file that you can read", path.display()))
            }
            Self::Malformed { path, .. } => Some(format!("correct `{}`, or move it away", path.display())),
            Self::Incomplete { .. } | Self::Unsupported { .. } | Self::UnknownMode { .. } => {
                Some("correct it, or run `aliyun configure --mode AK`".to_owned())
            }
            Self::NoProfile { .. } => Some(
                "run `aliyun configure list` to see the profiles; ALIBABA_CLOUD_PROFILE names one".to_owned(),
            ),
            Self::Unusable { field, .. } => Some(format!("correct `{field}`")),
            Self::Circle { .. } => Some("give `source_profile` a profile with a key of its own".to_owned()),
            Self::Address(_) => Some(
                "use https, or a service on this machine: keys do not cross a network in the clear"
                    .to_owned(),
            ),
            Self::Program { .. } => {
                Some("run the program of `process_command` by hand to see what it says".to_owned())
            }
            Self::Ended { .. } => Some("renew the key there, and compare the clocks".to_owned()),
            Self::Sts { error } => error.hint(),
            Self::NotSet { .. }
            | Self::SwitchedOff { .. }
            | Self::NoFile { .. }
            | Self::Slow { .. }
            | Self::Unreachable { .. }
            | Self::Status { .. }
            | Self::Garbled { .. } => None,
        }
    }
}

/// A link of the chain that was tried in vain.
#[derive(Debug)]
pub struct PassedOver {
    /// Which.
    pub link: Link,
    /// Why it gave no key.
    pub why: SourceError,
}

/// There is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// No link of the chain gave one.
    #[error("no access key was found{}", listed(passed_over))]
    NotFound {
        /// All links, in the order they were tried.
        passed_over: Vec<PassedOver>,
    },
    /// The key has ended, and there is no new one.
    #[error("cannot renew the access key from {from}")]
    NotRenewed {
        /// Where the key comes from.
        from: String,
        /// Why there is no new one.
        #[source]
        source: SourceError,
    },
}

/// A line for each link.
fn listed(passed_over: &[PassedOver]) -> String {
    passed_over.iter().fold(String::new(), |mut lines, PassedOver { link, why }| {
        // Writing to a String cannot fail.
        let _ = write!(lines, "\n  {:<18}{why}", format!("{link}:"));
        lines
    })
}

impl CredentialsError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let general = "set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or run \
                       `aliyun configure`; with `--local` no account is needed";
        match self {
            // The service on an instance does not answer elsewhere: that is no reason to speak of.
            Self::NotFound { passed_over } => {
                let mut configured = passed_over.iter().filter(|passed| passed.link != Link::Metadata);
                configured.find_map(|passed| passed.why.hint()).or(Some(general.to_owned()))
            }
            Self::NotRenewed { source, .. } => {
                source.hint().or(Some("run the same command again: it goes on from here".to_owned()))
            }
        }
    }
}

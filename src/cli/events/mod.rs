//! What a command does, as JSON for programs: one event a line, on standard output or in a file.
//!
//! `docs/events.md` is the contract. A process has one stream at most, since it is one command: whoever has something to
//! tell says it with [`tell`], which does nothing where nobody listens.

mod line;
mod stream;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub(super) use self::line::{Line, Timing};
use self::stream::Stream;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::outputs;
use crate::cli::typed;
use crate::resource::ResourceAddress;
use crate::resource::observed::Outputs;
use crate::topology::model::Topology;

/// The version of the contract. It grows when something that a reader may rely on goes or means something else.
const CONTRACT: u32 = 1;

static STREAM: OnceLock<Arc<Stream>> = OnceLock::new();

/// Options of the commands that change something.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct EventArguments {
    /// Print what happens as JSON, one event a line, and nothing else; nobody is asked, so --yes goes with it
    #[arg(long)]
    json: bool,
    /// Write what happens as JSON, one event a line, into this file; what an earlier command wrote there is overwritten
    #[arg(long, value_name = "FILE")]
    json_into: Option<PathBuf>,
}

impl EventArguments {
    /// Opens the stream of a command, if one is wanted.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn open(&self, command: &'static str) -> Result<(), Failure> {
        let mut places: Vec<Box<dyn Write + Send>> = Vec::new();
        if self.json {
            places.push(Box::new(io::stdout()));
        }
        if let Some(path) = &self.json_into {
            places.push(Box::new(create(path).map_err(|error| cannot_write(path, error))?));
        }
        if !places.is_empty() {
            let stream = STREAM.get_or_init(|| Arc::new(Stream::new(places, self.json)));
            stream.tell(&Line::Version { contract: CONTRACT, program: env!("CARGO_PKG_VERSION"), command });
            tokio::spawn(stream::beat(Arc::downgrade(stream)));
        }
        Ok(())
    }
}

/// What a file of events begins with.
const BEGINNING: &[u8] = br#"{"type":"version","#;

/// A file for the owner alone. What is there is overwritten if it is an earlier stream, and kept if it is anything else:
/// a topology that was named by mistake, for example.
fn create(path: &Path) -> io::Result<File> {
    refuse_other(path)?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

fn refuse_other(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(about) if about.is_file() && about.len() > 0 => {}
        Ok(_) | Err(_) => return Ok(()),
    }
    let mut beginning = vec![0; BEGINNING.len()];
    match File::open(path)?.read_exact(&mut beginning) {
        Ok(()) if beginning == BEGINNING => Ok(()),
        Ok(()) | Err(_) => Err(io::Error::other("it is there already, and is no file of events")),
    }
}

fn cannot_write(path: &Path, error: io::Error) -> Failure {
    let error = anyhow::Error::new(error).context(format!("cannot write events into `{}`", path.display()));
    Failure::new(ExitStatus::Usage, error, Some("give --json-into a file that can be written".to_owned()))
}

/// Whether events are what standard output has; then nothing else goes there.
pub(super) fn are_on_stdout() -> bool {
    STREAM.get().is_some_and(|stream| stream.is_on_stdout())
}

/// Whether somebody listens.
pub(super) fn are_wanted() -> bool {
    STREAM.get().is_some()
}

/// Tells an event to whoever listens.
pub(super) fn tell(line: &Line<'_>) {
    if let Some(stream) = STREAM.get() {
        stream.tell(line);
    }
}

/// Tells why a command did not succeed, or why a part of it did not.
pub(super) fn tell_failure(failure: &Failure) {
    let Some(error) = &failure.error else { return };
    let hint = failure.hint.as_deref().map(typed::spelled_out);
    tell(&Line::Error {
        message: &error.to_string(),
        causes: error.chain().skip(1).map(ToString::to_string).collect(),
        code: failure.code.as_deref(),
        resource: failure.resource.as_deref(),
        request_id: failure.request_id.as_deref(),
        hint: hint.as_deref(),
        file: None,
        line: None,
        column: None,
        exit_code: failure.status.code(),
    });
}

/// Tells what others need to know of the stack: the same that `albatross outputs` prints.
pub(super) fn tell_outputs(topology: &Topology, known: &BTreeMap<ResourceAddress, Outputs>) {
    if are_wanted() {
        let outputs = outputs::of(topology, known).into_iter().collect();
        tell(&Line::Outputs { outputs });
    }
}

/// Tells how the command ended; nothing comes after that.
pub(super) fn end(status: ExitStatus) {
    if let Some(stream) = STREAM.get() {
        stream.end(status);
    }
}

/// Tells how the command ended if that can be said at once: the program ends whoever is about to say something.
pub(super) fn end_at_once(status: ExitStatus) {
    if let Some(stream) = STREAM.get() {
        stream.end_at_once(status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_events_is_the_owners_alone_and_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "{\"type\":\"version\",\"contract\":1}\n").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        create(&path).unwrap().write_all(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_file_of_events_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chatroom.yaml");
        for text in ["stack: chatroom\n", "x"] {
            std::fs::write(&path, text).unwrap();
            assert!(create(&path).unwrap_err().to_string().contains("is no file of events"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::write(&path, "").unwrap();
        assert!(create(&path).is_ok(), "an empty one is nobody's");
    }
}

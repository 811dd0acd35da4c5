//! A network namespace that is held by a descriptor alone.
//!
//! 1. `unshare` starts a program in a new namespace; its link in `/proc` is opened, and the program let go.
//! 2. Programs are run in it by `nsenter`, sockets are made in it by a thread that enters it and ends.
//! 3. It has no name anywhere: when its last holder ends, however it ends, the kernel removes it and all in it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::oneshot;

use crate::plane::guest::command::{self, SEARCH_PATH};

/// How long the kernel may take to make one.
const LIMIT: Duration = Duration::from_secs(10);

/// One network namespace; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Namespace(Arc<File>);

impl Namespace {
    /// Makes an empty one.
    pub(crate) async fn new() -> io::Result<Self> {
        let mut holder = Command::new("unshare")
            .args(["--net", "--", "cat"])
            .env("PATH", SEARCH_PATH)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(mut input), Some(mut output), Some(pid)) =
            (holder.stdin.take(), holder.stdout.take(), holder.id())
        else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        // An answer shows that the program runs, so that it is in its new namespace.
        let greeting = async {
            input.write_all(b".").await?;
            output.read_exact(&mut [0]).await
        };
        let answered = tokio::time::timeout(LIMIT, greeting).await.map_err(|_| io::ErrorKind::TimedOut)?;
        answered.map_err(|error| io::Error::new(error.kind(), "a network namespace cannot be made"))?;
        let file = File::open(format!("/proc/{pid}/ns/net"))?;
        drop(input);
        holder.wait().await?;
        Ok(Self(Arc::new(file)))
    }

    /// Where other programs find it while this process holds it.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()))
    }

    /// Runs a program in it.
    pub(crate) async fn run(&self, program: &str, arguments: &[&str], input: &str) -> io::Result<Output> {
        let mut enter = OsString::from("--net=");
        enter.push(self.path());
        let mut all = vec![enter.as_os_str(), OsStr::new("--"), OsStr::new(program)];
        all.extend(arguments.iter().map(OsStr::new));
        command::run("nsenter", &all, input).await
    }

    /// Does something in it: what it makes, such as a socket, stays in there.
    pub(crate) async fn inside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (done, is_done) = oneshot::channel();
        let namespace = Arc::clone(&self.0);
        // A thread of its own, since one that went in never comes back to where the others are.
        std::thread::Builder::new().name("namespace".to_owned()).spawn(move || {
            let entered = move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network));
            let result = entered.map_err(io::Error::from).and_then(|()| work());
            drop(done.send(result));
        })?;
        is_done.await.map_err(|_| io::Error::other("what was done in a network namespace did not end"))?
    }

    /// Sets what the kernel keeps for each network namespace, by its path below `/proc/sys/net`.
    pub(crate) async fn set(&self, settings: Vec<(String, &'static str)>) -> io::Result<()> {
        self.inside(move || {
            for (name, value) in settings {
                let path = format!("/proc/sys/net/{name}");
                let written = File::options().write(true).open(&path);
                written.and_then(|mut file| file.write_all(value.as_bytes())).map_err(|error| {
                    io::Error::new(error.kind(), format!("{path} cannot be set: {error}"))
                })?;
            }
            Ok(())
        })
        .await
    }
}

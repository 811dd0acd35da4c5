//! What deployment needs of a host.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::ssh::{Command, Output, Packed, Sent, Session, SshError};

/// A host to run commands and put files on: an SSH session, or one played in tests.
pub trait Host: Sync {
    /// The host's name in messages.
    fn name(&self) -> &str;

    /// Runs a command, whatever its status.
    fn run(&self, command: Command) -> impl Future<Output = Result<Output, SshError>> + Send;

    /// Runs a command that has to succeed.
    fn check(&self, command: Command) -> impl Future<Output = Result<Output, SshError>> + Send;

    /// Runs commands that change nothing, in one round trip, whatever each ends with.
    fn look(&self, commands: Vec<Command>) -> impl Future<Output = Result<Vec<Output>, SshError>> + Send;

    /// Puts a file in place at once.
    fn upload(
        &self,
        path: &str,
        bytes: Arc<[u8]>,
        mode: u32,
    ) -> impl Future<Output = Result<(), SshError>> + Send;

    /// The same, with another command running those that put the file in place.
    fn upload_by(
        &self,
        wrapper: &[String],
        path: &str,
        bytes: Arc<[u8]>,
        mode: u32,
    ) -> impl Future<Output = Result<(), SshError>> + Send;

    /// Puts a large file in place at once, from where an earlier try was cut, with another command running those that
    /// put it in place.
    fn send(
        &self,
        wrapper: &[String],
        path: &str,
        packed: &Packed,
        mode: u32,
    ) -> impl Future<Output = Result<Sent, SshError>> + Send;

    /// A file's content, or `None`.
    fn read(&self, path: &str) -> impl Future<Output = Result<Option<Vec<u8>>, SshError>> + Send;

    /// Starts a command that repeats its input, and leaves it running: nothing once it does, else how it ended.
    fn hold(&self, command: Command) -> impl Future<Output = Result<Option<Output>, SshError>> + Send;

    /// Lets the command end that is held.
    fn let_go(&self) -> impl Future<Output = Result<(), SshError>> + Send;

    /// Steps of this process take turns on a host.
    fn turn(&self) -> &Mutex<()>;
}

impl Host for Session {
    fn name(&self) -> &str {
        self.host()
    }

    fn run(&self, command: Command) -> impl Future<Output = Result<Output, SshError>> + Send {
        Session::run(self, command)
    }

    fn check(&self, command: Command) -> impl Future<Output = Result<Output, SshError>> + Send {
        Session::check(self, command)
    }

    fn look(&self, commands: Vec<Command>) -> impl Future<Output = Result<Vec<Output>, SshError>> + Send {
        Session::look(self, commands)
    }

    fn upload(
        &self,
        path: &str,
        bytes: Arc<[u8]>,
        mode: u32,
    ) -> impl Future<Output = Result<(), SshError>> + Send {
        Session::upload(self, path, bytes, mode)
    }

    fn upload_by(
        &self,
        wrapper: &[String],
        path: &str,
        bytes: Arc<[u8]>,
        mode: u32,
    ) -> impl Future<Output = Result<(), SshError>> + Send {
        Session::upload_by(self, wrapper, path, bytes, mode)
    }

    fn send(
        &self,
        wrapper: &[String],
        path: &str,
        packed: &Packed,
        mode: u32,
    ) -> impl Future<Output = Result<Sent, SshError>> + Send {
        Session::send(self, wrapper, path, packed, mode)
    }

    fn read(&self, path: &str) -> impl Future<Output = Result<Option<Vec<u8>>, SshError>> + Send {
        Session::read(self, path)
    }

    fn hold(&self, command: Command) -> impl Future<Output = Result<Option<Output>, SshError>> + Send {
        Session::hold(self, command)
    }

    fn let_go(&self) -> impl Future<Output = Result<(), SshError>> + Send {
        Session::let_go(self)
    }

    fn turn(&self) -> &Mutex<()> {
        Session::turn(self)
    }
}

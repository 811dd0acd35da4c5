//! How a session sends a large file: what of it is there already, the rest, and how it gets to its place.

use std::sync::Arc;
use std::time::Duration;

use super::command::Command;
use super::error::SshError;
use super::job::{Reply, Task};
use super::packed::{Packed, Sent, sum, unpack};
use super::session::{SLOWEST_UPLOAD, Session};
use super::transfer::{about, chmod, compare, give_to_root, replace};

impl Session {
    /// Puts a large file in place at once: sent compressed, from where an earlier try was cut, compared by checksum on
    /// the host, then moved over what was there. Another command runs those that put it in place, as `flock FILE` does.
    ///
    /// # Guarantees
    /// Whoever reads `path` sees the old content or the new one, with its mode, never a part of it. What arrived stays
    /// for another try when the connection is lost, and only then.
    ///
    /// # Errors
    /// When the connection fails, the bytes arrive damaged, or the file cannot be written.
    pub async fn send(
        &self,
        wrapper: &[String],
        path: &str,
        packed: &Packed,
        mode: u32,
    ) -> Result<Sent, SshError> {
        let part = format!("{}/{}", self.home().await?.trim_end_matches('/'), packed.part());
        let (unpacked, beside) = packed.beside(path);
        let locked = |command: Command| command.wrapped_by(wrapper.iter().cloned());
        let done = async {
            let sent = self.complete(&part, path, packed).await?;
            self.check(locked(replace(&part, &beside))).await?;
            if self.sudo.is_used() {
                self.check(locked(give_to_root(&beside))).await?;
            }
            self.check(locked(unpack(&beside))).await?;
            let digest = self.check(locked(sum(&unpacked))).await?;
            compare((self.host(), path), packed.sha256(), &digest)?;
            self.check(locked(chmod(mode, &unpacked))).await?;
            self.check(locked(replace(&unpacked, path))).await?;
            Ok(sent)
        };
        let done = done.await;
        if done.is_err() {
            // Where the connection is lost this is not run either, and the part stays. Else the first error is the one
            // worth telling.
            let _ = self.run(locked(Command::new("rm").arg("-f").args([&part, &beside, &unpacked]))).await;
        }
        done
    }

    /// Makes the part whole.
    async fn complete(&self, part: &str, path: &str, packed: &Packed) -> Result<Sent, SshError> {
        let length = self.length(part).await?;
        let is_ours = length > 0 && packed.begins_with(length, &self.run(sum(part)).await?);
        let found = if is_ours { length } else { 0 };
        let rest: Arc<[u8]> = packed.bytes()[found..].into();
        let sent = Sent { found, sent: rest.len(), was_damaged: length > 0 && !is_ours };
        if rest.is_empty() {
            return Ok(sent);
        }
        let extra = Duration::from_secs(rest.len() as u64 / SLOWEST_UPLOAD);
        let task = Task::Append { path: part.to_owned(), behind: found, bytes: rest };
        let what = format!("the upload of {path}");
        self.ask(task, what, self.limits.command + extra).await.map_err(|error| about(path, error))?;
        Ok(sent)
    }

    async fn length(&self, path: &str) -> Result<usize, SshError> {
        let task = Task::Length { path: path.to_owned() };
        match self.ask(task, format!("reading {path}"), self.limits.command).await? {
            Reply::Length(length) => Ok(length),
            Reply::Ran(_)
            | Reply::Stored
            | Reply::Content(_)
            | Reply::Held(_)
            | Reply::LetGo
            | Reply::Home(_) => unreachable!("the question for a length is answered with one"),
        }
    }
}

//! The keys that a running ssh-agent has, asked for in its own protocol (draft-ietf-sshm-ssh-agent).
//!
//! Only the list is asked for here, to choose a key before anything begins; libssh2 lets the agent sign.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::key::{HostKey, Identity, KeyError, take_string};

/// "Which keys have you got?", with its length.
const LIST: [u8; 5] = [0, 0, 0, 1, 11];
/// What the answer begins with.
const LISTED: u8 = 12;
/// More than any agent has to say.
const LONGEST_ANSWER: u32 = 256 * 1024;
/// How long it may take. Nobody is asked anything for a list.
const PATIENCE: Duration = Duration::from_secs(5);

/// The key of an agent: the one with this fingerprint, or the only one it has.
///
/// # Errors
/// When there is no agent, it has not got the key, or has several and none is named.
pub async fn identity(socket: &Path, wanted: Option<&str>) -> Result<Identity, KeyError> {
    let fault = |source| KeyError::Agent { socket: socket.display().to_string(), source };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
    let answer =
        timeout(PATIENCE, ask(socket)).await.map_err(late).and_then(|answer| answer).map_err(fault)?;
    let keys = keys_of(&answer).ok_or_else(|| fault(io::Error::other("it answers with something else")))?;
    choose(keys, wanted).map(|key| Identity::of_agent(socket.to_owned(), &key))
}

async fn ask(socket: &Path) -> io::Result<Vec<u8>> {
    let mut agent = UnixStream::connect(socket).await?;
    agent.write_all(&LIST).await?;
    let length = agent.read_u32().await?;
    if length > LONGEST_ANSWER {
        return Err(io::Error::other("its answer is too long"));
    }
    let mut answer = vec![0; length as usize];
    agent.read_exact(&mut answer).await?;
    Ok(answer)
}

/// The keys of an answer that can be used here; others, such as certificates, are passed over.
fn keys_of(answer: &[u8]) -> Option<Vec<HostKey>> {
    let rest = answer.strip_prefix(&[LISTED])?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let mut keys = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let blob = take_string(&mut rest)?;
        take_string(&mut rest)?;
        keys.extend(HostKey::from_blob(blob.to_vec()).filter(|key| !key.signatures().is_empty()));
    }
    Some(keys)
}

fn choose(keys: Vec<HostKey>, wanted: Option<&str>) -> Result<HostKey, KeyError> {
    let prints: Vec<String> = keys.iter().map(HostKey::fingerprint).collect();
    let has = match prints.as_slice() {
        [] => "no key that can be used".to_owned(),
        prints => prints.join(", "),
    };
    let found = match wanted {
        Some(wanted) => keys.iter().find(|key| key.fingerprint() == wanted),
        None => keys.first().filter(|_| keys.len() == 1),
    };
    found.cloned().ok_or_else(|| KeyError::NotInAgent {
        has,
        wanted: match wanted {
            Some(wanted) => format!("not {wanted}"),
            None if keys.is_empty() => "and one is needed".to_owned(),
            None => "and it is not said which is meant".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::KeyKind;

    fn key() -> HostKey {
        HostKey::parse(&Identity::generate(KeyKind::Ed25519, "").unwrap().1).unwrap()
    }

    #[test]
    fn the_only_key_is_taken_and_of_several_the_one_that_is_named() {
        let (one, other) = (key(), key());
        assert_eq!(choose(vec![one.clone()], None).unwrap(), one);
        let both = vec![one.clone(), other.clone()];
        assert_eq!(choose(both.clone(), Some(&other.fingerprint())).unwrap(), other);
        let error = choose(both, None).unwrap_err();
        assert!(error.to_string().contains("it is not said which is meant"), "{error}");
        assert!(error.hint().unwrap().contains("agent: SHA256:"));
        let error = choose(vec![one], Some("SHA256:x")).unwrap_err();
        assert!(error.to_string().ends_with("not SHA256:x"), "{error}");
        let error = choose(Vec::new(), None).unwrap_err();
        assert_eq!(error.to_string(), "the SSH agent has no key that can be used, and one is needed");
    }

    #[test]
    fn an_answer_that_is_cut_off_is_none() {
        assert!(keys_of(&[LISTED, 0, 0, 0, 1, 0, 0]).is_none());
        assert!(keys_of(&[5]).is_none());
        assert_eq!(keys_of(&[LISTED, 0, 0, 0, 0]).unwrap(), []);
    }
}

//! Keys: the one a host proves itself with, and the one we log in with.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, EcdsaCurve, LineEnding, PrivateKey};

use crate::base::secret::Secret;

/// Why a text is not a usable key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not `TYPE BASE64 [COMMENT]`.
    #[error("`{line}` is not a public key line: {problem}")]
    HostKeyLine {
        /// The text, shortened.
        line: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Not a private key in OpenSSH's format.
    #[error("not a private key in OpenSSH format")]
    NotPrivate(#[source] ssh_key::Error),
    /// The key needs a passphrase and none was given.
    #[error("the private key is protected by a passphrase")]
    Protected,
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the private key")]
    WrongPassphrase(#[source] ssh_key::Error),
    /// There is no agent to talk to, or it does not answer as one.
    #[error("the SSH agent at `{socket}` cannot be used")]
    Agent {
        /// Where it should be.
        socket: String,
        /// What came instead.
        #[source]
        source: std::io::Error,
    },
    /// The agent has not got the key, or it is not said which of several is meant.
    #[error("the SSH agent has {has}, {wanted}")]
    NotInAgent {
        /// What it has.
        has: String,
        /// What is wanted of it.
        wanted: String,
    },
    /// No new key could be made.
    #[error("could not make a key")]
    Make(#[source] ssh_key::Error),
}

impl KeyError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotPrivate(_) => {
                Some("`ssh-keygen -p -f KEYFILE` rewrites an older PEM key in OpenSSH format".to_owned())
            }
            Self::Protected => Some(
                "type its passphrase at a terminal, give it with `--passphrase-fd 3 3<FILE`, or `ssh-add` the key and \
                 write `key: agent`"
                    .to_owned(),
            ),
            Self::Agent { .. } => Some(
                "start one with `eval $(ssh-agent)` and `ssh-add` your key, or write its file under `ssh.key`".to_owned(),
            ),
            Self::NotInAgent { .. } => Some(
                "`ssh-add -l` lists what it has; write `key: { agent: SHA256:... }` with the one that is meant".to_owned(),
            ),
            Self::WrongPassphrase(_) => Some("`ssh-keygen -y -f KEYFILE` asks for it and tells whether it is right".to_owned()),
            Self::HostKeyLine { .. } => {
                Some("a host's line is what `cat /etc/ssh/ssh_host_ed25519_key.pub` prints on it".to_owned())
            }
            Self::Make(_) => None,
        }
    }
}

/// The public key a host proves itself with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostKey {
    algorithm: String,
    blob: Vec<u8>,
}

impl HostKey {
    /// Reads a line such as `ssh-ed25519 AAAA... comment`; a comment is dropped.
    ///
    /// # Errors
    /// [`KeyError::HostKeyLine`] with what is wrong.
    pub fn parse(line: &str) -> Result<Self, KeyError> {
        let fault = |problem| KeyError::HostKeyLine { line: line.chars().take(60).collect(), problem };
        let mut words = line.split_whitespace();
        let (Some(algorithm), Some(text)) = (words.next(), words.next()) else {
            return Err(fault("a type and a base64 text are expected"));
        };
        let blob = STANDARD.decode(text).map_err(|_| fault("the second word is not base64"))?;
        let key = Self::from_blob(blob).ok_or_else(|| fault("the base64 text does not hold a key"))?;
        if key.algorithm != algorithm {
            return Err(fault("the type and the base64 text do not agree"));
        }
        Ok(key)
    }

    /// The key as it goes over the wire: a length-prefixed type name, then the parameters (RFC 4253, 6.6).
    pub(super) fn from_blob(blob: Vec<u8>) -> Option<Self> {
        let mut rest = blob.as_slice();
        let algorithm = String::from_utf8(take_string(&mut rest)?.to_vec()).ok()?;
        let plausible = !algorithm.is_empty() && algorithm.bytes().all(|byte| byte.is_ascii_graphic());
        (plausible && !rest.is_empty()).then_some(Self { algorithm, blob })
    }

    pub(super) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The key's type, such as `ssh-ed25519`.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The fingerprint as `ssh-keygen -lf` prints it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.blob)
    }

    /// The signature algorithms that a host with this key can offer, best first.
    pub(super) fn signatures(&self) -> &[&str] {
        match self.algorithm.as_str() {
            "ssh-ed25519" => &["ssh-ed25519"],
            "ecdsa-sha2-nistp256" => &["ecdsa-sha2-nistp256"],
            "ecdsa-sha2-nistp384" => &["ecdsa-sha2-nistp384"],
            "ecdsa-sha2-nistp521" => &["ecdsa-sha2-nistp521"],
            "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256"],
            _ => &[],
        }
    }
}

/// Takes a length-prefixed string off the front.
pub(super) fn take_string<'bytes>(bytes: &mut &'bytes [u8]) -> Option<&'bytes [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (string, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(string)
}

fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

impl fmt::Display for HostKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.algorithm, STANDARD.encode(&self.blob))
    }
}

impl FromStr for HostKey {
    type Err = KeyError;

    fn from_str(line: &str) -> Result<Self, KeyError> {
        Self::parse(line)
    }
}

impl TryFrom<String> for HostKey {
    type Error = KeyError;

    fn try_from(line: String) -> Result<Self, KeyError> {
        Self::parse(&line)
    }
}

impl From<HostKey> for String {
    fn from(key: HostKey) -> Self {
        key.to_string()
    }
}

/// What kind of key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// What hosts have.
    Ed25519,
    /// What the cloud takes as a key pair: `ImportKeyPair` lists RSA, DSA and ECDSA.
    EcdsaP256,
}

/// The key pair we log in with.
#[derive(Debug, Clone)]
pub struct Identity {
    means: Means,
    public_line: String,
    fingerprint: String,
}

/// What signs.
#[derive(Debug, Clone)]
pub(super) enum Means {
    /// The private key, unlocked, in memory only.
    Key(Secret<String>),
    /// An agent, which has the private key and keeps it.
    Agent { socket: PathBuf, blob: Vec<u8> },
}

impl Identity {
    /// Reads a private key file's text, opening it with the passphrase when it has one.
    ///
    /// # Errors
    /// When the text is not a key, or the passphrase is missing or wrong.
    pub fn from_openssh(
        text: &Secret<String>,
        passphrase: Option<&Secret<String>>,
    ) -> Result<Self, KeyError> {
        let key = match PrivateKey::from_openssh(text.expose()) {
            Ok(key) => key,
            Err(error) => return Self::from_plain_ecdsa(text).ok_or(KeyError::NotPrivate(error)),
        };
        let key = match (key.is_encrypted(), passphrase) {
            (false, _) => key,
            (true, None) => return Err(KeyError::Protected),
            (true, Some(passphrase)) => {
                key.decrypt(passphrase.expose()).map_err(KeyError::WrongPassphrase)?
            }
        };
        let private = key.to_openssh(LineEnding::LF).map_err(KeyError::NotPrivate)?;
        let public_line = key.public_key().to_openssh().map_err(KeyError::NotPrivate)?;
        let blob = key.public_key().to_bytes().map_err(KeyError::NotPrivate)?;
        let means = Means::Key(Secret::new(private.to_string()));
        Ok(Self { means, public_line, fingerprint: fingerprint(&blob) })
    }

    /// A key that an agent has.
    pub(super) fn of_agent(socket: PathBuf, key: &HostKey) -> Self {
        let means = Means::Agent { socket, blob: key.blob.clone() };
        Self { means, public_line: key.to_string(), fingerprint: key.fingerprint() }
    }

    /// Whether a private key file's text wants a passphrase.
    ///
    /// # Errors
    /// When the text is not a key.
    pub fn is_protected(text: &Secret<String>) -> Result<bool, KeyError> {
        match PrivateKey::from_openssh(text.expose()) {
            Ok(key) => Ok(key.is_encrypted()),
            Err(error) => match Self::from_plain_ecdsa(text) {
                Some(_) => Ok(false),
                None => Err(KeyError::NotPrivate(error)),
            },
        }
    }

    /// An unprotected ECDSA key that the reader above refuses: ssh-keygen drops leading zeros of the private number,
    /// which that reader takes for a wrong length. libssh2 reads such keys, so the text is kept as it is and only the
    /// public half is taken from it (openssh-key-v1: magic, cipher, key derivation, its options, count, public key).
    fn from_plain_ecdsa(text: &Secret<String>) -> Option<Self> {
        let inner = text.expose().trim().strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?;
        let inner = inner.strip_suffix("-----END OPENSSH PRIVATE KEY-----")?;
        let packed: String = inner.split_whitespace().collect();
        let bytes = STANDARD.decode(packed).ok()?;
        let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
        let cipher = take_string(&mut rest)?;
        let (_derivation, _options) = (take_string(&mut rest)?, take_string(&mut rest)?);
        rest = rest.get(4..)?;
        let public = HostKey::from_blob(take_string(&mut rest)?.to_vec())?;
        let usable = cipher == b"none" && public.algorithm.starts_with("ecdsa-sha2-");
        usable.then(|| Self {
            means: Means::Key(text.clone()),
            public_line: public.to_string(),
            fingerprint: public.fingerprint(),
        })
    }

    /// Makes a key pair: the private key's file text and the public line.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate(kind: KeyKind, comment: &str) -> Result<(Secret<String>, String), KeyError> {
        let algorithm = match kind {
            KeyKind::Ed25519 => Algorithm::Ed25519,
            KeyKind::EcdsaP256 => Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        };
        let mut key = PrivateKey::random(&mut OsRng, algorithm).map_err(KeyError::Make)?;
        key.set_comment(comment);
        let private = key.to_openssh(LineEnding::LF).map_err(KeyError::Make)?;
        let public = key.public_key().to_openssh().map_err(KeyError::Make)?;
        Ok((Secret::new(private.to_string()), public))
    }

    /// The line for an `authorized_keys` file or a key pair in the cloud.
    pub fn public_line(&self) -> &str {
        &self.public_line
    }

    /// The public key's fingerprint as `ssh-keygen -lf` prints it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) fn means(&self) -> &Means {
        &self.means
    }

    /// Whether the cloud takes the public key as a key pair: it takes RSA and ECDSA.
    pub fn can_be_key_pair(&self) -> bool {
        !self.public_line.starts_with("ssh-ed25519 ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_key_reads_back_what_it_prints() {
        let (_, line) = Identity::generate(KeyKind::Ed25519, "someone@somewhere").unwrap();
        let key = HostKey::parse(&line).unwrap();
        assert_eq!(key.algorithm(), "ssh-ed25519");
        assert_eq!(format!("{key} someone@somewhere"), line);
        assert!(key.fingerprint().starts_with("SHA256:"));
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<HostKey>(&json).unwrap(), key);
    }

    #[test]
    fn a_wrong_line_is_told_apart() {
        let (_, line) = Identity::generate(KeyKind::Ed25519, "x").unwrap();
        let base = line.split(' ').nth(1).unwrap();
        for (line, problem) in [
            (String::new(), "expected"),
            ("ssh-ed25519 ???".to_owned(), "not base64"),
            ("ssh-ed25519 AAAA".to_owned(), "does not hold a key"),
            (format!("ssh-rsa {base}"), "do not agree"),
        ] {
            let error = HostKey::parse(&line).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_protected_key_needs_its_passphrase() {
        let (text, line) = Identity::generate(KeyKind::Ed25519, "me").unwrap();
        let open = Identity::from_openssh(&text, None).unwrap();
        assert_eq!(open.public_line(), line);
        assert!(!format!("{open:?}").contains("PRIVATE"));

        let locked = PrivateKey::from_openssh(text.expose()).unwrap().encrypt(&mut OsRng, "tulip").unwrap();
        let locked = Secret::new(locked.to_openssh(LineEnding::LF).unwrap().to_string());
        assert!(matches!(Identity::from_openssh(&locked, None), Err(KeyError::Protected)));
        let wrong = Identity::from_openssh(&locked, Some(&Secret::new("rose".to_owned())));
        assert!(matches!(wrong, Err(KeyError::WrongPassphrase(_))));
        let right = Identity::from_openssh(&locked, Some(&Secret::new("tulip".to_owned()))).unwrap();
        assert_eq!(right.public_line(), line);
        let junk = Identity::from_openssh(&Secret::new("junk".to_owned()), None).unwrap_err();
        assert!(junk.hint().unwrap().contains("ssh-keygen -p"));
        assert!(Identity::is_protected(&locked).unwrap() && !Identity::is_protected(&text).unwrap());
        assert!(Identity::is_protected(&Secret::new("junk".to_owned())).is_err());
    }
}

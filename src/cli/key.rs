//! The operator's SSH key: the one the topology names, one that an agent has, or one made once in the user's
//! configuration folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::diagnostic::Diagnostic;
use crate::base::durable;
use crate::base::secret::Secret;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::{GlobalOptions, environment, passphrase};
use crate::ssh::{HostKey, Identity, KeyKind, agent};
use crate::topology::model::{HostKeys, Key, Topology};
use crate::topology::references::Resolved;

/// Reads the operator's key, making it when the topology names none and there is none yet.
///
/// # Errors
/// When it cannot be read, unlocked or made.
pub(super) async fn identity(topology: &Topology, options: &GlobalOptions) -> Result<Identity, Failure> {
    match &topology.ssh.key {
        Key::Own => own(),
        Key::File(path) => from_file(&environment::expand_home(path), options),
        Key::Agent(fingerprint) => {
            let socket = environment::agent_socket().ok_or_else(|| {
                Failure::saying(
                    ExitStatus::Failed,
                    "`ssh.key` is the agent's, and no agent is there: SSH_AUTH_SOCK is not set",
                    "start one with `eval $(ssh-agent)` and `ssh-add` your key, or write its file under `ssh.key`",
                )
            })?;
            Ok(agent::identity(&socket, fingerprint.as_deref()).await?)
        }
    }
}

/// The public key of the cloud's key pair, with which machines are made: the operator's, where the cloud takes it.
///
/// # Errors
/// When another one is needed and cannot be made.
pub(super) fn of_key_pair(identity: &Identity) -> Result<String, Failure> {
    if identity.can_be_key_pair() {
        return Ok(identity.public_line().to_owned());
    }
    Ok(own()?.public_line().to_owned())
}

fn from_file(path: &Path, options: &GlobalOptions) -> Result<Identity, Failure> {
    let text = read(path)?;
    let passphrase =
        if Identity::is_protected(&text)? { Some(passphrase::get(options, path)?) } else { None };
    Ok(Identity::from_openssh(&text, passphrase.as_ref())?)
}

fn read(path: &Path) -> Result<Secret<String>, Failure> {
    fs::read_to_string(path).map(Secret::new).map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("cannot read the key `{}`", path.display()));
        Failure::new(ExitStatus::Failed, error, Some("name another key under `ssh.key`".to_owned()))
    })
}

fn own() -> Result<Identity, Failure> {
    let path = own_key()?;
    Ok(Identity::from_openssh(&read(&path)?, None)?)
}

fn own_key() -> Result<PathBuf, Failure> {
    let folder = environment::configuration_folder();
    let path = folder.join("id_ecdsa");
    if path.exists() {
        return Ok(path);
    }
    let refuse = |error: durable::FileError| {
        Failure::new(ExitStatus::Failed, error, Some("name a key of yours under `ssh.key`".to_owned()))
    };
    let (private, public) = Identity::generate(KeyKind::EcdsaP256, "albatross")?;
    durable::create_private_folder(&folder).map_err(refuse)?;
    durable::replace(&folder.join("id_ecdsa.pub"), public.as_bytes()).map_err(refuse)?;
    durable::replace(&path, private.expose().as_bytes()).map_err(refuse)?;
    Ok(path)
}

/// What is wrong with the keys a topology names, at their places.
pub(super) fn check(text: &Resolved, topology: &Topology) -> Vec<Diagnostic> {
    own_problem(text, topology).into_iter().chain(pins(text, topology)).collect()
}

fn own_problem(text: &Resolved, topology: &Topology) -> Option<Diagnostic> {
    let Key::File(written) = &topology.ssh.key else { return None };
    let path = environment::expand_home(written);
    let shown = path.display();
    let open = fs::metadata(&path).map(|found| durable::mode_open_to_others(&found));
    let (code, message, cause, help) = match open {
        Err(error) => (
            "key-missing",
            format!("the key `{shown}` cannot be read"),
            error.to_string(),
            "write the path of a private key, or leave `key` out: one is then made".to_owned(),
        ),
        Ok(Some(mode)) => (
            "key-open",
            format!("the key `{shown}` can be read by others"),
            format!("its mode is {mode:o}"),
            format!("run `chmod 600 {shown}`"),
        ),
        Ok(None) => (
            "not-a-key",
            format!("`{shown}` is not a key that can be used"),
            problem_of(&path)?,
            "write the path of a private key in OpenSSH form".to_owned(),
        ),
    };
    Some(Diagnostic { code, message, place: text.place_of("ssh.key"), cause, help: Some(help) })
}

/// Why a file is no key. One with a passphrase is: nobody is asked for it before it is needed.
fn problem_of(path: &Path) -> Option<String> {
    match fs::read_to_string(path) {
        Err(error) => Some(error.to_string()),
        Ok(text) => Identity::is_protected(&Secret::new(text)).err().map(|error| error.to_string()),
    }
}

fn pins(text: &Resolved, topology: &Topology) -> Vec<Diagnostic> {
    let HostKeys::Pinned(lines) = &topology.ssh.host_keys else { return Vec::new() };
    let wrong = lines.iter().filter_map(|(name, line)| Some((name, HostKey::parse(line).err()?)));
    wrong
        .map(|(name, error)| Diagnostic {
            code: "host-key-line",
            message: format!("what is pinned for `{name}` is no host key"),
            place: text.place_of(&format!("ssh.host_keys.pinned.{name}")),
            cause: error.to_string(),
            help: Some("write what `cat /etc/ssh/ssh_host_ed25519_key.pub` prints on it".to_owned()),
        })
        .collect()
}

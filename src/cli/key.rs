//! The operator's SSH key: the one the topology names, or one made once in the user's configuration folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::base::diagnostic::Diagnostic;
use crate::base::durable;
use crate::base::secret::Secret;
use crate::cli::environment;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::ssh::{Identity, KeyKind};
use crate::topology::model::Topology;
use crate::topology::place_of;

/// Reads the operator's key, making it when the topology names none and there is none yet.
///
/// # Errors
/// When it cannot be read or made.
pub(super) fn identity(topology: &Topology) -> Result<Identity, Failure> {
    let path = match &topology.ssh.key {
        Some(path) => environment::expand_home(path),
        None => own_key()?,
    };
    let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
    Ok(Identity::from_openssh(&Secret::new(text), None)?)
}

fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    let error = anyhow::Error::new(error).context(format!("cannot read the key `{}`", path.display()));
    Failure::new(ExitStatus::Failed, error, Some("name another key under `ssh.key`".to_owned()))
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

/// What is wrong with the key a topology names, at its place.
pub(super) fn check(text: &str, topology: &Topology) -> Option<Diagnostic> {
    let written = topology.ssh.key.as_ref()?;
    let path = environment::expand_home(written);
    let shown = path.display();
    let (code, message, cause, help) = match fs::metadata(&path) {
        Err(error) => (
            "key-missing",
            format!("the key `{shown}` cannot be read"),
            error.to_string(),
            "write the path of a private key, or leave `key` out: one is then made".to_owned(),
        ),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => (
            "key-open",
            format!("the key `{shown}` can be read by others"),
            format!("its mode is {:o}", found.permissions().mode() & 0o777),
            format!("run `chmod 600 {shown}`"),
        ),
        Ok(_) => match read_key(&path) {
            Err(error) => (
                "not-a-key",
                format!("`{shown}` is not a key that can be used"),
                error,
                "write the path of a private key in OpenSSH form without a passphrase".to_owned(),
            ),
            Ok(identity) if identity.public_line().starts_with("ssh-ed25519 ") => (
                "key-kind",
                format!("the cloud does not take `{shown}` as a key pair"),
                "it takes RSA and ECDSA keys, and this is an ed25519 one".to_owned(),
                "leave `key` out: one is then made; or make one with `ssh-keygen -t ecdsa`".to_owned(),
            ),
            Ok(_) => return None,
        },
    };
    Some(Diagnostic { code, message, place: place_of(text, "ssh.key"), cause, help: Some(help) })
}

fn read_key(path: &Path) -> Result<Identity, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    Identity::from_openssh(&Secret::new(text), None).map_err(|error| error.to_string())
}

//! The certificate that a topology brings along: read from its files, and held against the name it is for.

use std::fs;
use std::path::Path;

use crate::base::certificate::{Certificate, CertificateError, Chain};
use crate::base::clock;
use crate::base::diagnostic::Diagnostic;
use crate::base::durable;
use crate::base::secret::Secret;
use crate::cli::app::beside;
use crate::cli::say;
use crate::topology::model::{self, Topology};
use crate::topology::references::Resolved;

/// Days before its end at which a certificate is warned of.
const SOON: i64 = 14;
const CHAIN_FIELD: &str = "load_balancer.listener.certificate.file";
const KEY_FIELD: &str = "load_balancer.listener.certificate.key";

/// What a file or a value is accused of.
struct Fault {
    code: &'static str,
    field: &'static str,
    message: String,
    cause: String,
    help: String,
}

/// Reads the certificate, when the topology brings one along. Paths are relative to the topology's file.
///
/// # Errors
/// What is wrong with it, at its place in the topology.
pub(super) fn load(
    file: &Path,
    text: &Resolved,
    topology: &Topology,
) -> Result<Option<Certificate>, Box<Diagnostic>> {
    let Some(model::Certificate::Files { chain, key }) = &topology.load_balancer.listener.certificate else {
        return Ok(None);
    };
    let [chain, key] = [chain, key].map(|written| beside(file, written));
    read(&chain, &key, &topology.dns.full_name()).map(Some).map_err(|fault| {
        let Fault { code, field, message, cause, help } = fault;
        Box::new(Diagnostic { code, message, place: text.place_of(field), cause, help: Some(help) })
    })
}

fn read(chain: &Path, key: &Path, name: &str) -> Result<Certificate, Fault> {
    let found = read_chain(chain, name)?;
    let private = read_key(key)?;
    let shown = key.display();
    found.with_key(private).map_err(|error| Fault {
        code: "certificate-key",
        field: KEY_FIELD,
        message: format!("`{shown}` is not the private key of `{}`", chain.display()),
        cause: error.to_string(),
        help: "write the key that the certificate was asked for with, in PEM".to_owned(),
    })
}

fn read_chain(path: &Path, name: &str) -> Result<Chain, Fault> {
    let fault = |code, message: String, cause: String, help: String| Fault {
        code,
        field: CHAIN_FIELD,
        message,
        cause,
        help,
    };
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| missing(CHAIN_FIELD, path, &error))?;
    let chain = Chain::read(&text).map_err(|error: CertificateError| {
        fault(
            "not-a-certificate",
            format!("`{shown}` is no certificate"),
            error.to_string(),
            "write the path of a chain in PEM, the certificate of the server first".to_owned(),
        )
    })?;
    let server = &chain.server;
    if !server.covers(name) {
        let names = if server.names.is_empty() { "no name".to_owned() } else { server.names.join(", ") };
        return Err(fault(
            "certificate-name",
            format!("`{shown}` is not for {name}"),
            format!("it is for {names}"),
            format!("bring along a certificate for {name}, or change `dns`"),
        ));
    }
    let now = clock::now();
    let left = server.days_left(now);
    if now < server.begins || now >= server.ends {
        let (word, day) =
            if now < server.begins { ("begins", server.begins) } else { ("ended", server.ends) };
        return Err(fault(
            "certificate-ended",
            format!("`{shown}` is not valid today"),
            format!("it {word} on {}", day.strftime("%Y-%m-%d")),
            format!("get a new certificate for {name}"),
        ));
    }
    if left < SOON {
        let when = match left {
            ..=0 => "within a day".to_owned(),
            1 => "in a day".to_owned(),
            days => format!("in {days} days"),
        };
        say::notice(&format!("warning: the certificate `{shown}` ends {when}: get a new one for {name}"));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<Secret<String>, Fault> {
    let found = fs::metadata(path).map_err(|error| missing(KEY_FIELD, path, &error))?;
    let shown = path.display();
    if let Some(mode) = durable::mode_open_to_others(&found) {
        return Err(Fault {
            code: "certificate-key-open",
            field: KEY_FIELD,
            message: format!("the private key `{shown}` can be read by others"),
            cause: format!("its mode is {mode:o}"),
            help: format!("run `chmod 600 {shown}`"),
        });
    }
    fs::read_to_string(path).map(Secret::new).map_err(|error| missing(KEY_FIELD, path, &error))
}

fn missing(field: &'static str, path: &Path, error: &std::io::Error) -> Fault {
    Fault {
        code: "certificate-missing",
        field,
        message: format!("`{}` cannot be read", path.display()),
        cause: error.to_string(),
        help: "put chain and key there, or write where they are, relative to the topology's file".to_owned(),
    }
}

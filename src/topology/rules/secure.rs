//! Rules of https: its certificate, and the redirect from plain HTTP. What is in files is looked at by the command line.

use crate::topology::findings::{Finding, Findings};
use crate::topology::places::path;
use crate::topology::resolve::default_listener_port;
use crate::topology::rules::service::number;
use crate::topology::schema::{CertificateFields, CertificateForm, Document, Protocol};

/// The port browsers try first.
const PLAIN_PORT: u16 = 80;

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    certificate(document, findings);
    redirect(document, findings);
}

fn protocol(document: &Document) -> Protocol {
    document.load_balancer.listener.protocol.unwrap_or(Protocol::Http)
}

fn certificate(document: &Document, findings: &mut Findings<'_>) {
    let place = path("load_balancer.listener.certificate");
    match (protocol(document), &document.load_balancer.listener.certificate) {
        (Protocol::Https, None) => findings.at_value(
            &path("load_balancer.listener.protocol"),
            Finding {
                code: "https-without-certificate",
                message: "an https listener needs a certificate".to_owned(),
                cause: "`certificate` is not written".to_owned(),
                help: format!(
                    "add `certificate: <number>-{}` with the id from the certificate service, `certificate: {{ file: \
                     chain.pem, key: key.pem }}`, or `certificate: {{ self_signed: true }}` for a test",
                    document.region
                ),
            },
        ),
        (Protocol::Http, Some(_)) => findings.at_value(
            &place,
            Finding {
                code: "certificate-without-https",
                message: "an http listener has no certificate".to_owned(),
                cause: "the protocol is http".to_owned(),
                help: "write `protocol: https`, or remove `certificate`".to_owned(),
            },
        ),
        (Protocol::Https, Some(CertificateForm::Fields(fields))) => {
            if let Some(cause) = misshapen(fields) {
                findings.at_key(
                    &place,
                    Finding {
                        code: "certificate-form",
                        message: "this is no certificate".to_owned(),
                        cause: cause.to_owned(),
                        help: "write `{ file: chain.pem, key: key.pem }`, `{ self_signed: true }`, or an id such as \
                               `12345-cn-hangzhou`"
                            .to_owned(),
                    },
                );
            }
        }
        (Protocol::Https, Some(CertificateForm::Id(_))) | (Protocol::Http, None) => {}
    }
}

/// What is wrong with the fields of a certificate: it is brought along whole, or made.
fn misshapen(fields: &CertificateFields) -> Option<&'static str> {
    match (&fields.file, &fields.key, fields.self_signed) {
        (Some(_), Some(_), false) | (None, None, true) => None,
        (Some(_), None, false) => Some("its private key is not named under `key`"),
        (None, Some(_), false) => Some("its chain is not named under `file`"),
        (None, None, false) => Some("neither `file` and `key` nor `self_signed: true` are written"),
        (_, _, true) => Some("one that is made has no files"),
    }
}

fn redirect(document: &Document, findings: &mut Findings<'_>) {
    let balancer = &document.load_balancer;
    let place = path("load_balancer.redirect_from");
    let Some(written) = balancer.redirect_from else { return };
    if protocol(document) == Protocol::Http {
        findings.at_value(
            &place,
            Finding {
                code: "redirect-without-https",
                message: "there is nothing to redirect to".to_owned(),
                cause: "the listener itself speaks plain HTTP".to_owned(),
                help: "write `protocol: https` and a `certificate`, or remove `redirect_from`".to_owned(),
            },
        );
    }
    let Some(port) = number(&place, Some(written), PLAIN_PORT, findings) else { return };
    let listener = balancer.listener.port.unwrap_or(default_listener_port(Protocol::Https).into());
    if port == listener && protocol(document) == Protocol::Https {
        findings.at_value(
            &place,
            Finding {
                code: "redirect-port",
                message: format!("the listener has port {port} already"),
                cause: "a port of the load balancer speaks plain HTTP or https, not both".to_owned(),
                help: "write another port for one of the two: browsers expect 80 here and 443 there"
                    .to_owned(),
            },
        );
    }
}

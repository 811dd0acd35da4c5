//! Rules of what `verify` expects: two places to look from, and nothing that the kind of service does not have.

use crate::topology::findings::{Finding, Findings, below, nearest, one_of};
use crate::topology::model::{ServiceKind, Vantage};
use crate::topology::places::path;
use crate::topology::schema::{Document, Verify};

/// More than anybody types, and less than a frame may have.
const LONGEST_MESSAGE: usize = 64 * 1024;
/// As many as most servers take.
const LONGEST_PATH: usize = 2048;

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    vantages(document, findings);
    fields(&document.verify, findings);
    asked(&document.verify, findings);
    expected(&document.verify, findings);
}

fn vantages(document: &Document, findings: &mut Findings<'_>) {
    let written = &document.verify.vantages;
    let place = path("verify.vantages");
    if written.is_empty() {
        return;
    }
    for (index, text) in written.iter().enumerate() {
        let (cause, help) = match Vantage::parse(text) {
            None => (
                "it is neither `local` nor `ssh:INSTANCE`".to_owned(),
                "write `local`, or `ssh:ecs01`".to_owned(),
            ),
            Some(Vantage::Ssh(name)) if !document.instances.contains_key(name.as_str()) => {
                let names = document.instances.keys().map(String::as_str);
                let help = match nearest(name.as_str(), names.clone()) {
                    Some(near) => format!("did you mean `ssh:{near}`?"),
                    None => format!("name one of {}", one_of(names)),
                };
                (format!("there is no instance `{name}`"), help)
            }
            Some(Vantage::Local | Vantage::Ssh(_)) => continue,
        };
        let message = format!("nobody can look from `{text}`");
        findings.at_value(&below(&place, index), Finding { code: "verify-vantage", message, cause, help });
    }
    let (message, cause) = match written.as_slice() {
        [one, other] if one == other => {
            ("both clients would come from one place".to_owned(), format!("`{one}` stands here twice"))
        }
        [_, _] => return,
        other => ("two clients need two places".to_owned(), format!("there are {}", other.len())),
    };
    let help = "write for example `vantages: [local, ssh:ecs01]`".to_owned();
    findings.at_value(&place, Finding { code: "verify-vantages", message, cause, help });
}

/// Fields that the kind does not have.
fn fields(verify: &Verify, findings: &mut Findings<'_>) {
    let kind = verify.kind.unwrap_or(ServiceKind::Chat);
    let expect = &verify.expect;
    let (chat, echo, http) = (ServiceKind::Chat, ServiceKind::WebsocketEcho, ServiceKind::Http);
    for (field, is_written, kinds) in [
        ("verify.path", verify.path.is_some(), &[echo, http] as &[_]),
        ("verify.send", verify.send.is_some(), &[echo]),
        ("verify.expect.status", expect.status.is_some(), &[http]),
        ("verify.expect.body", expect.body.is_some(), &[http]),
        ("verify.expect.headers", !expect.headers.is_empty(), &[http]),
        ("verify.expect.message", expect.message.is_some(), &[echo]),
    ] {
        if !is_written || kinds.contains(&kind) {
            continue;
        }
        let name = field.rsplit('.').next().unwrap_or(field);
        let cause = if kind == chat {
            "what a chatroom says is known".to_owned()
        } else {
            format!("it is for {}", one_of(kinds.iter().map(|kind| word(*kind))))
        };
        let help = match kinds {
            [only] if kind == chat => format!("add `kind: {}`, or remove `{name}`", word(*only)),
            _ if kind == chat => format!("add `kind: http` or `kind: websocket-echo`, or remove `{name}`"),
            _ => format!("remove `{name}`"),
        };
        let message = format!("`{name}` has no meaning with `kind: {}`", word(kind));
        findings.at_key(&path(field), Finding { code: "verify-field", message, cause, help });
    }
}

fn word(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::Chat => "chat",
        ServiceKind::WebsocketEcho => "websocket-echo",
        ServiceKind::Http => "http",
    }
}

fn asked(verify: &Verify, findings: &mut Findings<'_>) {
    let Some(written) = &verify.path else { return };
    let is_plain = written.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let cause = if !written.starts_with('/') {
        "it does not begin with `/`"
    } else if !is_plain {
        "it has a character that stands for itself nowhere in an address"
    } else if written.len() > LONGEST_PATH {
        "it is longer than 2048 characters"
    } else {
        return;
    };
    findings.at_value(
        &path("verify.path"),
        Finding {
            code: "verify-path",
            message: "this is not the path of an address".to_owned(),
            cause: cause.to_owned(),
            help: "write for example `path: /status?full=1`; other characters by their `%` codes".to_owned(),
        },
    );
}

fn expected(verify: &Verify, findings: &mut Findings<'_>) {
    let expect = &verify.expect;
    let mut find = |place: &[String], cause: String, help: &str| {
        let message = "this can never come".to_owned();
        findings.at_value(place, Finding { code: "verify-expect", message, cause, help: help.to_owned() });
    };
    if let Some(status) = expect.status.filter(|status| !(200..=599).contains(status)) {
        let cause = format!("{status} is no status that ends an answer");
        find(&path("verify.expect.status"), cause, "write a number from 200 to 599");
    }
    for (field, text) in [
        ("verify.expect.body", &expect.body),
        ("verify.expect.message", &expect.message),
        ("verify.send", &verify.send),
    ] {
        if let Some(text) = text.as_ref().filter(|text| text.is_empty() || text.len() > LONGEST_MESSAGE) {
            let cause = format!("it has {} bytes", text.len());
            find(&path(field), cause, "write a text of 1 to 65536 bytes");
        }
    }
    for (name, value) in &expect.headers {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let cause = if name.is_empty() || !name.bytes().all(is_token) {
            format!("`{name}` is not the name of a header")
        } else if value.is_empty() || value.chars().any(char::is_control) {
            format!("`{name}` cannot have this in it")
        } else {
            continue;
        };
        let place = below(&path("verify.expect.headers"), name);
        find(&place, cause, "write for example `headers: { content-type: text/html }`");
    }
}

//! Rules of `app`: what a unit and an environment file can hold, and what is said in one place only.

use crate::topology::duration::Seconds;
use crate::topology::findings::{Finding, Findings, below};
use crate::topology::places::{Path, path};
use crate::topology::schema::{App, Document, EnvironmentForm};

/// Variables that Albatross sets itself.
const OURS: [&str; 3] = ["HOST", "PORT", "REDIS_URL"];
/// What to do about what does not fit on a line.
const WITHOUT: &str = "leave it out, or let the program read a file";
/// The longest path that the ALB asks for.
const LONGEST_PATH: usize = 80;
/// The longest time until an app answers.
const LONGEST_START: Seconds = Seconds::new(3600);

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    let Some(app) = &document.app else { return };
    settings_of_the_chat_node(document, findings);
    written_twice(document, app, findings);
    arguments(app, findings);
    for (name, form) in &app.env {
        variable(name, findings);
        value(name, form, findings);
    }
    health(app, findings);
}

/// What only the chat node understands, or what an app has a place of its own for.
fn settings_of_the_chat_node(document: &Document, findings: &mut Findings<'_>) {
    let node = &document.node;
    let written = [
        ("port", node.port.is_some(), "its port is `app.port`"),
        ("ping_interval", node.ping_interval.is_some(), "whether it pings is its own affair"),
        ("ping_timeout", node.ping_timeout.is_some(), "whether it pings is its own affair"),
        ("allowed_origins", !node.allowed_origins.is_empty(), "whom it lets in is its own affair"),
    ];
    for (field, _, cause) in written.into_iter().filter(|(_, is_written, _)| *is_written) {
        findings.at_key(
            &below(&path("node"), field),
            Finding {
                code: "app-setting",
                message: format!("an app has no `node.{field}`"),
                cause: cause.to_owned(),
                help: format!("remove `node.{field}`"),
            },
        );
    }
}

fn written_twice(document: &Document, app: &App, findings: &mut Findings<'_>) {
    if app.health.within.is_some() && document.node.rollout.healthy_deadline.is_some() {
        findings.at_key(
            &path("node.rollout.healthy_deadline"),
            Finding {
                code: "app-setting",
                message: "the time until the app answers is written twice".to_owned(),
                cause: "`app.health.within` says it already".to_owned(),
                help: "remove one of the two".to_owned(),
            },
        );
    }
}

/// A unit has its command on one line, and cannot say what has control characters.
fn arguments(app: &App, findings: &mut Findings<'_>) {
    for (index, argument) in app.args.iter().enumerate() {
        if argument.chars().any(char::is_control) {
            let place = below(&path("app.args"), index);
            findings.at_value(
                &place,
                Finding {
                    code: "app-argument",
                    message: "an argument has a line break or another control character".to_owned(),
                    cause: "a unit has one line for all of them".to_owned(),
                    help: WITHOUT.to_owned(),
                },
            );
        }
    }
}

fn of_variable(name: &str) -> Path {
    below(&path("app.env"), name)
}

fn variable(name: &str, findings: &mut Findings<'_>) {
    let begins_well = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    let goes_on_well = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let cause = if !(begins_well && goes_on_well) {
        "names have letters, digits and underscores, and do not begin with a digit".to_owned()
    } else if OURS.contains(&name) {
        format!("Albatross sets {} itself", OURS.join(", "))
    } else {
        return;
    };
    findings.at_key(
        &of_variable(name),
        Finding {
            code: "app-variable",
            message: format!("`{name}` cannot be a variable of the app"),
            cause,
            help: "choose another name".to_owned(),
        },
    );
}

fn value(name: &str, form: &EnvironmentForm, findings: &mut Findings<'_>) {
    let place = of_variable(name);
    match form {
        EnvironmentForm::Text(text) if text.chars().any(char::is_control) => {
            findings.at_value(
                &place,
                Finding {
                    code: "app-value",
                    message: "a value has a line break or another control character".to_owned(),
                    cause: "an environment file has one line for each".to_owned(),
                    help: WITHOUT.to_owned(),
                },
            );
        }
        EnvironmentForm::Secret(fields) if fields.env.is_some() == fields.file.is_some() => findings.at_key(
            &place,
            Finding {
                code: "app-value",
                message: format!("where the value of `{name}` is cannot be told"),
                cause: "it is in a variable of your environment or in a file, in one of the two".to_owned(),
                help: "write `{ env: NAME }` or `{ file: PATH }`".to_owned(),
            },
        ),
        EnvironmentForm::Text(_) | EnvironmentForm::Secret(_) => {}
    }
}

fn health(app: &App, findings: &mut Findings<'_>) {
    if let Some(text) = app.health.path.as_deref().filter(|text| !is_health_path(text)) {
        findings.at_value(
            &path("app.health.path"),
            Finding {
                code: "app-health-path",
                message: format!("`{text}` cannot be asked for"),
                cause: format!("a path begins with `/`, has {LONGEST_PATH} characters at most, and only letters, digits and -_.%/?&="),
                help: "write for example `path: /healthz`".to_owned(),
            },
        );
    }
    if let Some(within) = app.health.within.filter(|within| within.count() == 0 || *within > LONGEST_START) {
        findings.at_value(
            &path("app.health.within"),
            Finding {
                code: "app-health-time",
                message: format!("an app cannot have {within} to answer"),
                cause: format!("it is 1s to {LONGEST_START}"),
                help: "write for example `within: 1m`".to_owned(),
            },
        );
    }
}

fn is_health_path(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.%/?&=".contains(letter);
    text.starts_with('/') && text.len() <= LONGEST_PATH && text.chars().all(is_plain)
}

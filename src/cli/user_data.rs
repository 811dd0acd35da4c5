//! What instances are told at their first start: taken from the topology or rendered from the file that it names.

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::{Environment, UndefinedBehavior, Value};
use sha2::{Digest, Sha256};

use crate::base::diagnostic::Diagnostic;
use crate::base::ids::InstanceName;
use crate::cli::app::beside;
use crate::topology::model::{Topology, UserData};
use crate::topology::references::Resolved;

/// The most that the cloud takes, in bytes.
const LARGEST: usize = 32 * 1024;
/// As many as tell two texts apart.
const DIGITS: usize = 16;

/// What is wrong with one, and where.
struct Fault {
    code: &'static str,
    field: String,
    message: String,
    cause: String,
    help: &'static str,
}

/// What each instance that has some is told.
///
/// # Errors
/// What is wrong with the first one, at its place in the topology.
pub(super) fn texts(
    file: &Path,
    text: &Resolved,
    topology: &Topology,
) -> Result<BTreeMap<InstanceName, String>, Box<Diagnostic>> {
    let told = topology.instances.iter().filter_map(|(name, instance)| {
        let place = format!("instances.{}.user_data", instance.declared);
        Some((name, place, instance.user_data.as_ref()?))
    });
    let texts = told.map(|(name, place, told)| {
        let rendered = match told {
            UserData::Text(text) => text.clone(),
            UserData::Template { file: written, with } => {
                let values = values(topology, name, with);
                render(&beside(file, written), &values, &place)?
            }
        };
        Ok((name.clone(), fitting(rendered, place)?))
    });
    texts.collect::<Result<_, Fault>>().map_err(|fault| {
        let Fault { code, field, message, cause, help } = fault;
        let place = text.place_of(&field);
        Box::new(Diagnostic { code, message, place, cause, help: Some(help.to_owned()) })
    })
}

/// Stands for a text where it is compared.
pub(super) fn digest(text: &str) -> String {
    let mut digest = hex::encode(Sha256::digest(text));
    digest.truncate(DIGITS);
    digest
}

fn values<'a>(
    topology: &'a Topology,
    instance: &'a InstanceName,
    with: &'a BTreeMap<String, String>,
) -> BTreeMap<&'a str, &'a str> {
    let ours = [
        ("instance", instance.as_str()),
        ("stack", topology.stack.as_str()),
        ("region", topology.region.as_str()),
    ];
    ours.into_iter().chain(with.iter().map(|(name, value)| (name.as_str(), value.as_str()))).collect()
}

/// Strictly: a name without a value is a fault, never an empty text.
fn render(path: &Path, values: &BTreeMap<&str, &str>, place: &str) -> Result<String, Fault> {
    let shown = path.display();
    let fault = |message: String, cause: String, help| Fault {
        code: "user-data-file",
        field: format!("{place}.file"),
        message,
        cause,
        help,
    };
    let template = std::fs::read_to_string(path).map_err(|error| {
        let help = "write the path of a text; it is relative to the topology's file";
        fault(format!("`{shown}` cannot be read"), error.to_string(), help)
    })?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let page = environment.template_from_str(&template);
    // The engine drops the end of the last line, which a shell wants.
    let end = if template.ends_with('\n') { "\n" } else { "" };
    page.and_then(|page| page.render(Value::from_pairs(values.clone()))).map(|text| text + end).map_err(|error| {
        let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
        let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        let help =
            "give each `{{ NAME }}` of it a value under `with`; `instance`, `stack` and `region` have one";
        fault(format!("`{shown}` is no template that can be filled in"), format!("{line}{what}"), help)
    })
}

fn fitting(text: String, place: String) -> Result<String, Fault> {
    if text.len() <= LARGEST {
        return Ok(text);
    }
    Err(Fault {
        code: "user-data-size",
        field: place,
        message: "this is too much to tell an instance at its start".to_owned(),
        cause: format!("it has {} bytes, and the cloud takes {LARGEST}", text.len()),
        help: "let the instance fetch the rest from where it can reach it",
    })
}

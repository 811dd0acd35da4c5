//! Outputs that a topology names itself: texts with what is known only when everything is made.
//!
//! Resources are named as the topology has them, `${instances.ecs01.public_address}`; [`told`] knows what `albatross
//! outputs` calls the same.

use crate::topology::findings::{Finding, nearest, one_of};
use crate::topology::model::{Output, OutputPart};
use crate::topology::references::{NoReference, Part, Reference, parts};
use crate::topology::rules::machines::{unknown_instance, unknown_vswitch};
use crate::topology::schema::Document;

/// What is told of a kind of resource.
const OF_INSTANCE: [&str; 4] = ["id", "private_address", "public_address", "host_key"];
const OF_BALANCER: [&str; 2] = ["id", "dns_name"];
const ID: [&str; 1] = ["id"];
/// What is known of the stack as a whole.
pub(super) const OF_STACK: [&str; 3] = ["region", "stack", "url"];

/// One output, by its name and the text it has.
///
/// # Errors
/// When it refers to what there is not.
pub(super) fn output(document: &Document, name: &str, text: &str) -> Result<Output, Finding> {
    let parts = parts(text).map_err(NoReference::finding)?;
    let parts = parts.into_iter().map(|part| match part {
        Part::Literal(literal) => Ok(OutputPart::Text(literal)),
        // Variables were put in before.
        Part::Reference(Reference::Resource(path) | Reference::Variable(path)) => {
            told(document, &path).map(OutputPart::Told)
        }
        Part::Reference(Reference::Environment { name, .. }) => {
            told(document, &format!("env:{name}")).map(OutputPart::Told)
        }
    });
    Ok(Output { name: name.to_owned(), parts: parts.collect::<Result<_, _>>()? })
}

/// What `albatross outputs` calls what a path means; several for a declaration with a count.
fn told(document: &Document, path: &str) -> Result<Vec<String>, Finding> {
    let parts: Vec<&str> = path.split('.').collect();
    let one = |resource: &str, word: &str, words: &[&str]| {
        known(path, word, words).map(|()| vec![format!("{resource}.{word}")])
    };
    match parts.as_slice() {
        [word] => known(path, word, &OF_STACK).map(|()| vec![(*word).to_owned()]),
        ["instances", name, word] => {
            known(path, word, &OF_INSTANCE)?;
            let meant = document.instances.iter().filter(|(own, one)| own == name || one.declared == *name);
            let told: Vec<String> = meant.map(|(name, _)| format!("instance.{name}.{word}")).collect();
            if told.is_empty() { Err(unknown_instance(document, name)) } else { Ok(told) }
        }
        ["network", "vswitches", name, word] if document.network.vswitches.contains_key(*name) => {
            one(&format!("vswitch.{name}"), word, &ID)
        }
        ["network", "vswitches", name, _] => Err(unknown_vswitch(document, name)),
        ["network", "vpc", word] => one("vpc.main", word, &ID),
        ["network", "security_group", word] => one("security_group.main", word, &ID),
        ["load_balancer", word] => one("load_balancer.main", word, &OF_BALANCER),
        _ => Err(unknown(
            path,
            "there is `url`, `instances.NAME.public_address`, `load_balancer.dns_name`, `network.vpc.id` and the like",
            "see the outputs in docs/variables.md",
        )),
    }
}

fn known(path: &str, word: &str, words: &[&str]) -> Result<(), Finding> {
    if words.contains(&word) {
        return Ok(());
    }
    let help = match nearest(word, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("write one of: {}", words.join(", ")),
    };
    Err(unknown(path, &format!("what is told there is {}", one_of(words.iter().copied())), &help))
}

fn unknown(path: &str, cause: &str, help: &str) -> Finding {
    Finding {
        code: "output-reference",
        message: format!("nothing is known as `{path}`"),
        cause: cause.to_owned(),
        help: help.to_owned(),
    }
}

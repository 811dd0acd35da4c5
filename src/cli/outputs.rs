//! `albatross outputs FILE [NAME]`: what others need to know of a stack.
//!
//! Hooks are told the same, as variables: what is one here is one there ([`of`]).

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::apply::refresh::Depth;
use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::{Failure, did_you_mean};
use crate::cli::refresh::get_to_know;
use crate::cli::render::print_pairs;
use crate::cli::session::{self, Session, Use};
use crate::cli::topology_file::{Located, TopologyArgument};
use crate::resource::ResourceAddress;
use crate::resource::observed::{Output, Outputs};
use crate::topology::model::{OutputPart, Topology};

/// Arguments of `outputs`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// The one whose value is printed, and nothing else, behind FILE; default: all with their names
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let session = session::begin(options, session::load(options, file)?, Use::Look).await?;
    get_to_know(&session, Depth::CloudAndHosts).await?;
    let outputs = of(&session.topology, &session.provider.known.all_outputs());
    match &arguments.name {
        Some(name) => print_one(find(&outputs, name, file)?, arguments.json),
        None if arguments.json => anstream::println!("{:#}", to_json(&session, outputs)),
        None => print_pairs(&outputs),
    }
    Ok(ExitStatus::Done)
}

/// What is told of a stack, by name, in the order of its resources: `url`, `instance.ecs01.public_address`. No secret
/// is among it, nor what is deposed.
pub(super) fn of(topology: &Topology, outputs: &BTreeMap<ResourceAddress, Outputs>) -> Vec<(String, String)> {
    let mut told = vec![
        ("stack".to_owned(), topology.stack.to_string()),
        ("region".to_owned(), topology.region.to_string()),
        ("url".to_owned(), topology.url()),
    ];
    for (address, outputs) in outputs.iter().filter(|(address, _)| !address.is_deposed()) {
        let of_resource = outputs.iter().filter_map(|(output, value)| Some((word(*output)?, value)));
        told.extend(of_resource.map(|(word, value)| (format!("{address}.{word}"), value.clone())));
    }
    let own = own(topology, &told);
    told.extend(own);
    told
}

/// The outputs that the topology names, as far as what they are made of is there.
fn own(topology: &Topology, told: &[(String, String)]) -> Vec<(String, String)> {
    let find = |name: &String| told.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let part = |part: &OutputPart| match part {
        OutputPart::Text(text) => Some(text.clone()),
        OutputPart::Told(names) => {
            names.iter().map(find).collect::<Option<Vec<_>>>().map(|all| all.join(","))
        }
    };
    let text = |parts: &[OutputPart]| parts.iter().map(part).collect::<Option<String>>();
    topology.outputs.iter().filter_map(|one| Some((one.name.clone(), text(&one.parts)?))).collect()
}

/// Shows the outputs that the topology names, when it names some.
pub(super) fn print_own(session: &Session) {
    let all = of(&session.topology, &session.provider.known.all_outputs());
    let is_own = |name: &str| session.topology.outputs.iter().any(|one| one.name == name);
    let own: Vec<(String, String)> = all.into_iter().filter(|(name, _)| is_own(name)).collect();
    if !own.is_empty() {
        anstream::println!();
        print_pairs(&own);
    }
}

/// None for what is of use to Albatross alone.
pub(super) fn word(output: Output) -> Option<&'static str> {
    match output {
        Output::Id => Some("id"),
        Output::PrivateAddress => Some("private_address"),
        Output::PublicAddress => Some("public_address"),
        Output::DnsName => Some("dns_name"),
        Output::CertificateId => Some("certificate_id"),
        Output::Memory => Some("memory"),
        Output::HostKey => Some("host_key"),
        Output::ReleaseTime => Some("release_time"),
        Output::Password | Output::Generation => None,
    }
}

fn find<'o>(outputs: &'o [(String, String)], name: &str, file: &Path) -> Result<&'o str, Failure> {
    let found = outputs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    found.ok_or_else(|| {
        let list =
            format!("`albatross outputs {}` lists them; what is not made yet has none", file.display());
        let hint = did_you_mean(name, outputs.iter().map(|(known, _)| known.as_str()), list);
        Failure::saying(ExitStatus::Failed, format!("the stack has no output `{name}`"), hint)
    })
}

fn print_one(value: &str, json: bool) {
    if json { anstream::println!("{}", Value::from(value)) } else { anstream::println!("{value}") }
}

fn to_json(session: &Session, outputs: Vec<(String, String)>) -> Value {
    json!({
        "version": 1,
        "stack": session.topology.stack,
        "region": session.topology.region,
        "outputs": outputs.into_iter().collect::<BTreeMap<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::CloudId;
    use crate::resource::Kind;

    #[test]
    fn secrets_and_what_is_deposed_are_told_to_nobody() {
        let topology = crate::topology::load(include_bytes!("../../examples/chatroom.yaml")).unwrap();
        let all = |id: &str| {
            [Output::Id, Output::PublicAddress, Output::Password, Output::Generation]
                .map(|output| (output, id.to_owned()))
                .into()
        };
        let address = ResourceAddress::new(Kind::Instance, "ecs01");
        let deposed = address.deposed(&CloudId::new("i-old"));
        let told = of(&topology, &[(address, all("i-new")), (deposed, all("i-old"))].into());
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["stack", "region", "url", "instance.ecs01.id", "instance.ecs01.public_address"]);
        assert!(told.iter().all(|(_, value)| value != "i-old"), "{told:?}");
    }
}

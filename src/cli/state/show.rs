//! `albatross state show FILE ADDRESS`

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{OneArguments, find, find_one, words};
use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::outputs;
use crate::cli::render::print_pairs;
use crate::resource::ResourceAddress;
use crate::state::memory::InFlight;
use crate::state::{Memory, Remembered};

/// Arguments of `state show`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    one: OneArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let one = &arguments.one;
    let (_, stack) = find(options, &one.file).await?;
    let journal = stack.read().await?;
    let remembered = find_one(journal.memory(), one)?;
    if arguments.json {
        anstream::println!("{:#}", to_json(&one.address, remembered));
    } else {
        print(journal.memory(), &one.address, remembered);
    }
    Ok(ExitStatus::Done)
}

fn print(memory: &Memory, address: &ResourceAddress, remembered: &Remembered) {
    let id = remembered.phase.id().map_or("none yet".to_owned(), ToString::to_string);
    let mut rows = vec![
        ("address".to_owned(), address.to_string()),
        ("id".to_owned(), id),
        ("phase".to_owned(), words(memory, address, remembered)),
        ("made before".to_owned(), format!("{} times", remembered.generation)),
    ];
    rows.extend(remembered.at.map(|at| ("last written".to_owned(), at.to_string())));
    rows.extend(
        remembered
            .in_flight
            .as_ref()
            .map(|flight| (format!("under way since {}", flight.since), action(flight).unwrap_or_default())),
    );
    rows.extend(told(remembered).into_iter().map(|(name, value)| (format!("output {name}"), value)));
    rows.extend(remembered.fields.iter().map(|(name, value)| (format!("field {name}"), value.clone())));
    print_pairs(&rows);
}

/// The outputs, without what stands for a secret.
fn told(remembered: &Remembered) -> BTreeMap<&'static str, String> {
    let told = remembered.outputs.iter();
    told.filter_map(|(output, value)| Some((outputs::word(*output)?, value.clone()))).collect()
}

/// What is called, without its parameters.
fn action(flight: &InFlight) -> Option<String> {
    Some(format!("{} {}", flight.call["product"].as_str()?, flight.call["action"].as_str()?))
}

fn to_json(address: &ResourceAddress, remembered: &Remembered) -> Value {
    let flight = remembered.in_flight.as_ref();
    json!({
        "version": 1,
        "address": address,
        "id": remembered.phase.id(),
        "phase": remembered.phase.word(),
        "adopted": remembered.adopted,
        "generation": remembered.generation,
        "attempt": remembered.attempt,
        "revision": remembered.revision,
        "at": remembered.at,
        "under_way": flight.map(|flight| json!({
            "call": action(flight),
            "purpose": flight.purpose,
            "since": flight.since,
        })),
        "outputs": told(remembered),
        "fields": remembered.fields,
    })
}

//! `albatross state list FILE`

use serde_json::{Value, json};

use super::{find, known, words};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::render::count;
use crate::cli::topology_file::Located;
use crate::cli::{GlobalOptions, ShowArguments};
use crate::state::Memory;

pub(super) async fn run(options: &GlobalOptions, arguments: &ShowArguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let (_, stack) = find(options, file).await?;
    let journal = stack.read().await?;
    if arguments.json {
        anstream::println!("{:#}", to_json(journal.memory()));
    } else {
        print(journal.memory());
    }
    Ok(ExitStatus::Done)
}

fn print(memory: &Memory) {
    let rows: Vec<[String; 3]> = known(memory)
        .map(|(address, one)| {
            let id = one.phase.id().map(ToString::to_string).unwrap_or_default();
            [address.to_string(), id, words(memory, address, one)]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    for [address, id, words] in &rows {
        anstream::println!("{address:first$}  {id:second$}  {words}");
    }
    anstream::println!(
        "{} in the journal; the cloud was not asked, `albatross status` does",
        count(rows.len(), "resource")
    );
}

fn to_json(memory: &Memory) -> Value {
    let resources = known(memory).map(|(address, one)| {
        json!({
            "address": address,
            "id": one.phase.id(),
            "phase": one.phase.word(),
            "adopted": one.adopted,
            "under_way": memory.is_under_way(address),
        })
    });
    json!({
        "version": 1,
        "stack": memory.identity.stack,
        "region": memory.identity.region,
        "account": memory.identity.account,
        "resources": resources.collect::<Vec<_>>(),
    })
}

//! `albatross status FILE`

use serde_json::{Value, json};

use crate::apply::refresh::Depth;
use crate::base::{clock, expiry};
use crate::cli::apply::local_address;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::refresh::get_to_know;
use crate::cli::render::count;
use crate::cli::session::{self, Session, Use};
use crate::cli::topology_file::Located;
use crate::cli::{GlobalOptions, ShowArguments};
use crate::resource::ResourceAddress;
use crate::resource::observed::{Observation, Observed, Output, Owner};

pub(super) async fn run(options: &GlobalOptions, arguments: &ShowArguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let session = session::begin(options, session::load(options, file)?, Use::Look).await?;
    let observed = get_to_know(&session, Depth::CloudAndHosts).await?;
    let address = local_address(&session).await;
    if arguments.json {
        anstream::println!("{:#}", to_json(&session, &observed, address.as_deref()));
    } else {
        print(&session, &observed, address.as_deref());
    }
    Ok(ExitStatus::Done)
}

fn print(session: &Session, observed: &Observed, address: Option<&str>) {
    let topology = &session.topology;
    anstream::println!("Stack {} in {}", topology.stack, topology.region);
    if let Some(place) = &session.shared_in {
        anstream::println!("Its state is shared in {place}");
    }
    if observed.resources.is_empty() {
        anstream::println!("\nThere is nothing; `albatross apply` makes it.");
        return;
    }
    anstream::println!();
    let width = observed.resources.keys().map(|address| address.to_string().len()).max().unwrap_or(0);
    for (address, found) in &observed.resources {
        let address = address.to_string();
        let line = format!("  {address:width$}  {}  {}", found.id, words(found));
        anstream::println!("{}", line.trim_end());
    }
    for (address, reason) in &observed.unknown {
        anstream::println!("  {address}  unknown: {reason}");
    }
    anstream::println!("\n{}; {}", count(observed.resources.len(), "resource"), topology.url());
    if let Some(address) = address {
        anstream::println!("On this machine open {address}");
    }
}

/// What is worth knowing of a resource beside its id.
fn words(found: &Observation) -> String {
    let outputs = [Output::PrivateAddress, Output::PublicAddress, Output::DnsName];
    let outputs = outputs.iter().filter_map(|output| found.outputs.get(output));
    let fields = ["type", "status", "service", "release"].iter().filter_map(|field| found.fields.get(*field));
    let owner = match found.owner {
        Owner::Stack => None,
        Owner::Adopted => Some("(adopted)".to_owned()),
        Owner::Other | Owner::Claimed => Some("(not ours)".to_owned()),
    };
    let end = found.outputs.get(&Output::ReleaseTime);
    let end = end.and_then(|end| Some(format!("released at {end}, in {}", expiry::left(end, clock::now())?)));
    let words: Vec<String> = fields.chain(outputs).cloned().chain(end).chain(owner).collect();
    words.join(" ")
}

fn to_json(session: &Session, observed: &Observed, address: Option<&str>) -> Value {
    let resource = |(address, found): (&ResourceAddress, &Observation)| {
        json!({
            "address": address,
            "id": found.id,
            "owner": found.owner,
            "fields": found.fields,
            "outputs": found.outputs,
        })
    };
    json!({
        "version": 1,
        "stack": session.topology.stack,
        "region": session.topology.region,
        "state": session.shared_in,
        "url": session.topology.url(),
        "local_address": address,
        "resources": observed.resources.iter().map(resource).collect::<Vec<_>>(),
        "unknown": observed.unknown.iter().map(|(address, reason)| json!({"address": address, "reason": reason})).collect::<Vec<_>>(),
    })
}

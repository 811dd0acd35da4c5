//! What is there already and chosen by a tag or its name: looked up, and known by its id from then on.

use std::path::Path;

use crate::apply::ApplyError;
use crate::base::diagnostic::Diagnostic;
use crate::base::ids::CloudId;
use crate::cli::failure::Failure;
use crate::cli::session::refuse;
use crate::cloud::error::CloudError;
use crate::cloud::transport::Client;
use crate::cloud::vpc::Selection;
use crate::cloud::{alb, ecs, vpc};
use crate::topology::model::{Choice, Chosen, Existing, Topology, Vpc};
use crate::topology::references::Resolved;

/// As many as are told of, of those that could be meant.
const TOLD: usize = 5;

/// One that could be meant.
struct Candidate {
    id: CloudId,
    name: String,
    /// Its VPC; none of a VPC itself.
    vpc: Option<String>,
}

/// Looks up everything that is chosen and gives the topology the ids; each with the words for it.
///
/// # Errors
/// When none or several are as the topology says, at its place there; or the cloud cannot be asked.
pub(super) async fn look_up(
    client: &Client,
    (path, text): (&Path, &Resolved),
    topology: &mut Topology,
) -> Result<Vec<String>, Failure> {
    let mut told = Vec::new();
    for chosen in topology.chosen.clone() {
        let candidates =
            candidates(client, &chosen).await.map_err(|error| Failure::from(ApplyError::from(error)))?;
        let candidates: Vec<Candidate> =
            candidates.into_iter().filter(|one| is_in_network(topology, one)).collect();
        match candidates.as_slice() {
            [only] => {
                let field = chosen.what.field();
                told.push(format!("{field} is {}, by {}", shown(only), chosen.by));
                let id = only.id.clone();
                topology.found(&chosen.what, id);
            }
            several => {
                let diagnostic = not_one(client, (&chosen, topology), several, text).await?;
                return Err(refuse(path, text.written(), &[diagnostic]));
            }
        }
    }
    Ok(told)
}

async fn not_one(
    client: &Client,
    (chosen, topology): (&Chosen, &Topology),
    several: &[Candidate],
    text: &Resolved,
) -> Result<Diagnostic, Failure> {
    let (noun, by) = (chosen.what.noun(), &chosen.by);
    let (message, cause, help) = if several.is_empty() {
        let all = all(client, &chosen.what).await.map_err(|error| Failure::from(ApplyError::from(error)))?;
        let all: Vec<Candidate> = all.into_iter().filter(|one| is_in_network(topology, one)).collect();
        let there = if all.is_empty() {
            "there is none at all".to_owned()
        } else {
            format!("there is {}", list(&all))
        };
        let help = "write the id of one, or another tag or name".to_owned();
        (format!("no {noun} has {by}"), there, help)
    } else {
        let message = format!("{} {noun}s have {by}", several.len());
        let help = format!("write the id of the one that is meant, `id: {}`", several[0].id);
        (message, format!("they are {}", list(several)), help)
    };
    let place = text.place_of(&chosen.what.field());
    Ok(Diagnostic { code: "existing-match", message, place, cause, help: Some(help) })
}

/// vSwitches and groups of another VPC than the topology's cannot be meant.
fn is_in_network(topology: &Topology, one: &Candidate) -> bool {
    match (&topology.vpc, &one.vpc) {
        (Vpc::Existing(id), Some(own)) => id.as_str() == own,
        (Vpc::Existing(_) | Vpc::Create(_), _) => true,
    }
}

fn list(candidates: &[Candidate]) -> String {
    let told: Vec<String> = candidates.iter().take(TOLD).map(shown).collect();
    let more = candidates.len().saturating_sub(TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    told.join(", ") + &more
}

fn shown(candidate: &Candidate) -> String {
    if candidate.name.is_empty() {
        candidate.id.to_string()
    } else {
        format!("{} ({})", candidate.id, candidate.name)
    }
}

/// Those that are as they were chosen.
async fn candidates(client: &Client, chosen: &Chosen) -> Result<Vec<Candidate>, CloudError> {
    match &chosen.by {
        Choice::Tag(key, value) => listed(client, &chosen.what, Selection::Tag(key, value)).await,
        Choice::Name(name) => {
            Ok(all(client, &chosen.what).await?.into_iter().filter(|one| one.name == *name).collect())
        }
    }
}

async fn all(client: &Client, what: &Existing) -> Result<Vec<Candidate>, CloudError> {
    listed(client, what, Selection::All).await
}

async fn listed(
    client: &Client,
    what: &Existing,
    selection: Selection<'_>,
) -> Result<Vec<Candidate>, CloudError> {
    let candidate = |id: &CloudId, name: &str, vpc: Option<&str>| Candidate {
        id: id.clone(),
        name: name.to_owned(),
        vpc: vpc.map(str::to_owned),
    };
    Ok(match what {
        Existing::Vpc => {
            let found = vpc::vpcs(client, selection).await?;
            found.iter().map(|one| candidate(&one.vpc_id, &one.vpc_name, None)).collect()
        }
        Existing::VSwitch(_) => {
            let found = vpc::vswitches(client, selection).await?;
            let one = |one: &vpc::VSwitch| {
                candidate(&one.v_switch_id, &one.v_switch_name, Some(one.vpc_id.as_str()))
            };
            found.iter().map(one).collect()
        }
        Existing::SecurityGroup => {
            let found = ecs::security_groups(client, selection).await?;
            // What another product keeps for itself takes no rules.
            let found = found.iter().filter(|one| !one.service_managed);
            let one = |one: &ecs::SecurityGroup| {
                candidate(&one.security_group_id, &one.security_group_name, Some(&one.vpc_id))
            };
            found.map(one).collect()
        }
        Existing::LoadBalancer => {
            let found = match selection {
                Selection::Tag(key, value) => alb::load_balancers(client, key, value).await?,
                Selection::Id(_) | Selection::All => alb::all_load_balancers(client).await?,
            };
            let one = |one: &alb::LoadBalancer| {
                candidate(&one.load_balancer_id, &one.load_balancer_name, Some(&one.vpc_id))
            };
            found.iter().map(one).collect()
        }
    })
}

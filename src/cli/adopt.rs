//! `albatross adopt FILE [ADDRESS=ID ...]`

use serde_json::json;

use crate::apply::adoption::{Adoption, Binding, Found, Refusal, bind, bind_what_follows, find};
use crate::apply::recover::{self, Unmendable, learn, recover};
use crate::apply::refresh::{Depth, refresh};
use crate::base::ids::CloudId;
use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::plan;
use crate::cli::render::{self, count};
use crate::cli::session::{self, Session, Use};
use crate::cli::topology_file::{Located, TopologyArgument};
use crate::plan::Plan;
use crate::plan::drift::replaces_adopted;
use crate::plan::saved::Options;
use crate::resource::ResourceAddress;

/// Arguments of `adopt`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// What a resource of the topology is in the cloud, behind FILE: instance.ecs01=i-...; the others are found by tag
    /// and name
    #[arg(value_name = "ADDRESS=ID", value_parser = given)]
    bindings: Vec<(ResourceAddress, CloudId)>,
    /// Print what was bound and the plan as JSON
    #[arg(long)]
    json: bool,
}

fn given(text: &str) -> Result<(ResourceAddress, CloudId), String> {
    let (address, id) = text.split_once('=').ok_or("it is written like instance.ecs01=i-...")?;
    if id.is_empty() {
        return Err("the id is missing behind `=`".to_owned());
    }
    let address = address.parse::<ResourceAddress>().map_err(|error| error.to_string())?;
    Ok((address, CloudId::new(id)))
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let session = session::begin(options, session::load(options, file)?, Use::Change).await?;
    let (adoption, plan) = Box::pin(adopt(&session, &arguments.bindings)).await?;
    if arguments.json {
        anstream::println!("{:#}", to_json(&adoption, &plan));
    } else {
        print(&session, &adoption, &plan);
    }
    Ok(ExitStatus::Done)
}

/// Binds, and plans what the next apply would do.
async fn adopt(session: &Session, given: &[(ResourceAddress, CloudId)]) -> Result<(Adoption, Plan), Failure> {
    let (provider, desired) = (&session.provider, &session.desired);
    session.stop.heard(recover(provider)).await?;
    let reading = Box::pin(refresh(provider, desired, Depth::Cloud));
    let observed = session.stop.or(async { Ok(reading.await?) }).await?;
    let mut adoption = find(provider, desired, &observed, given).await.map_err(refused)?;
    bind(provider, &adoption)?;
    let observed = refresh(provider, desired, Depth::Cloud).await?;
    adoption.bindings.extend(bind_what_follows(provider, &observed)?);
    adoption.bindings.sort_by(|one, other| one.address.cmp(&other.address));
    let observed = refresh(provider, desired, Depth::CloudAndHosts).await?;
    recover::adopt(provider, &observed)?;
    let bound = adoption.bindings.iter().map(|binding| &binding.address);
    learn(provider, &observed, bound, Unmendable::Accepted)?;
    Ok((adoption, plan::make(session, &Options::default(), &observed)?))
}

fn refused(refusal: Refusal) -> Failure {
    let hint = match &refusal {
        Refusal::Apply(_) => None,
        Refusal::NotInTopology(_) => Some("`albatross plan` lists the addresses of the topology"),
        Refusal::NoIds(_) => Some("bind the security group, the server group or the instance it belongs to"),
        Refusal::NamedInTopology { .. } => Some("nothing has to be adopted for it"),
        Refusal::Absent { .. } => Some("look for the id in the console, in the region of the topology"),
        Refusal::OfAnotherStack { .. } => {
            Some("destroy that stack first, or take its tags away if it is no more; nothing was bound")
        }
        Refusal::Bound { .. } => Some("destroy the stack first, or keep what is bound; nothing was bound"),
        Refusal::Twice { .. } => Some("give each address an id of its own; nothing was bound"),
    };
    if let Refusal::Apply(error) = refusal {
        return error.into();
    }
    Failure::saying(ExitStatus::Failed, refusal.to_string(), hint.unwrap_or_default())
}

fn print(session: &Session, adoption: &Adoption, plan: &Plan) {
    let width = adoption.bindings.iter().map(|one| one.address.to_string().len()).max().unwrap_or(0);
    for Binding { address, id, found } in &adoption.bindings {
        let address = address.to_string();
        anstream::println!("bound: {address:width$}  {id} ({})", words(*found));
    }
    for (address, candidates) in &adoption.unclear {
        anstream::println!("not bound: {address} could be");
        for candidate in candidates {
            let of = candidate.stack.as_ref().map(|stack| format!("; of stack {stack}, which keeps it"));
            anstream::println!("    {address}={}{}", candidate.id, of.unwrap_or_default());
        }
    }
    if !adoption.unclear.is_empty() {
        anstream::println!("help: run the command again with one of these behind the file");
    }
    anstream::println!(
        "{} bound; the cloud is as it was, the journal of {} has them\n",
        count(adoption.bindings.len(), "resource"),
        session.topology.stack
    );
    render::plan::print(plan, session.topology.state.as_ref());
    if let Some(step) = replaces_adopted(&plan.steps) {
        anstream::println!(
            "\n{} was adopted and is never replaced: `albatross apply` refuses this plan until the topology says \
             what is there.",
            step.address
        );
    }
}

fn words(found: Found) -> &'static str {
    match found {
        Found::ById => "by its id",
        Found::ByTag => "by its tags: the stack has made it",
        Found::ByName => "by its name",
    }
}

fn to_json(adoption: &Adoption, plan: &Plan) -> serde_json::Value {
    let bound = |one: &Binding| {
        let adopted = one.found != Found::ByTag;
        json!({"address": one.address, "id": one.id, "found": words(one.found), "adopted": adopted})
    };
    let unclear = adoption.unclear.iter().map(|(address, candidates)| {
        let ids: Vec<_> = candidates
            .iter()
            .map(|one| json!({"id": one.id, "name": one.name, "stack": one.stack}))
            .collect();
        json!({"address": address, "candidates": ids})
    });
    json!({
        "version": 1,
        "bound": adoption.bindings.iter().map(bound).collect::<Vec<_>>(),
        "unclear": unclear.collect::<Vec<_>>(),
        "plan": render::plan::to_json(plan),
    })
}

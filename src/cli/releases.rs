//! `albatross releases FILE`

use serde_json::{Value, json};

use crate::apply::ApplyError;
use crate::apply::hosts::{Hosts, Place};
use crate::apply::refresh::Depth;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::refresh::get_to_know;
use crate::cli::render::count;
use crate::cli::session::{self, Session, Use};
use crate::cli::topology_file::Located;
use crate::cli::{GlobalOptions, ShowArguments};
use crate::deploy::node::{KeptRelease, Standing};
use crate::resource::spec::{HostSpec, Spec};

/// What a host keeps, or why nobody knows.
pub(super) type OfHost<'s> = (&'s HostSpec, Result<Vec<KeptRelease>, ApplyError>);

pub(super) async fn run(options: &GlobalOptions, arguments: &ShowArguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let session = session::begin(options, session::load(options, file)?, Use::Look).await?;
    get_to_know(&session, Depth::Cloud).await?;
    let hosts = read(&session).await;
    if arguments.json {
        anstream::println!("{:#}", to_json(&session, &hosts));
    } else {
        hosts.iter().for_each(print);
    }
    let unread = hosts.iter().filter(|(_, kept)| kept.is_err()).count();
    if unread > 0 {
        return Err(Failure::saying(
            ExitStatus::Failed,
            format!("{} could not be read", count(unread, "host")),
            "`albatross status FILE` shows how the machines are",
        ));
    }
    Ok(ExitStatus::Done)
}

/// Reads what each host of a node keeps, by what is known of the machines.
pub(super) async fn read(session: &Session) -> Vec<OfHost<'_>> {
    let specs = session.desired.resources.values();
    let nodes =
        specs.filter_map(|one| if let Spec::Release(spec) = &one.spec { Some(&spec.host) } else { None });
    let reads = nodes.map(|host| async move {
        let place = Place { host, known: &session.provider.known };
        (host, session.hosts.releases(place).await)
    });
    futures_util::future::join_all(reads).await
}

fn print((host, kept): &OfHost<'_>) {
    anstream::println!("{}", host.instance());
    match kept {
        Ok(kept) if kept.is_empty() => anstream::println!("  has none"),
        Ok(kept) => kept.iter().for_each(|one| anstream::println!("  {}", words(one))),
        Err(error) => anstream::println!("  unknown: {error}"),
    }
}

fn words(kept: &KeptRelease) -> String {
    let standing = match kept.standing {
        Standing::InForce => "in force",
        Standing::Unfinished => "unfinished",
        Standing::Before => "before",
        Standing::Kept => "kept",
        Standing::NeverReady => "never ready",
    };
    let times = match (&kept.in_force_since, kept.standing) {
        (Some(since), Standing::InForce) => format!("since {since}"),
        (Some(since), _) => format!("was put in force {since}"),
        (None, _) => format!("was brought {}", kept.installed),
    };
    let rest = if kept.is_whole { "" } else { ", its binary alone" };
    format!("{standing:11}  {}  {times}{rest}", kept.release)
}

fn to_json(session: &Session, hosts: &[OfHost<'_>]) -> Value {
    let of = |(host, kept): &OfHost<'_>| {
        json!({
            "host": host.instance().as_str(),
            "releases": kept.as_ref().ok(),
            "unknown": kept.as_ref().err().map(ToString::to_string),
        })
    };
    json!({
        "version": 1,
        "stack": session.topology.stack,
        "region": session.topology.region,
        "hosts": hosts.iter().map(of).collect::<Vec<_>>(),
    })
}

//! `albatross rollback FILE [RELEASE]`
//!
//! Without a name it is the release that was in force before, on the host where another one came in force last: after a
//! roll-out that stopped halfway that is the one which the others still have. All hosts get this one, with the same
//! care as any other.

use crate::apply::provider::Known;
use crate::apply::recover::adopt;
use crate::cli::apply::{agreed, finish, go_on, nothing_to_do};
use crate::cli::events::EventArguments;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::hooks::{self, HookArguments, Phase};
use crate::cli::plan::look;
use crate::cli::releases::{self, OfHost};
use crate::cli::render;
use crate::cli::session::{self, Use};
use crate::cli::topology_file::{Located, TopologyArgument};
use crate::cli::{GlobalOptions, say};
use crate::deploy::node::{KeptRelease, ReleaseId, Standing};
use crate::plan::rollback;
use crate::plan::saved::Options;

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// The release, as `albatross releases` shows it, behind FILE; default: the one before
    release: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    hooks: HookArguments,
    #[command(flatten)]
    events: EventArguments,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    arguments.events.open("rollback")?;
    let Located { file, options } = &arguments.topology.locate(options)?;
    let named = arguments.release.as_deref().map(parse).transpose()?;
    let session = session::begin(options, session::load(options, file)?, Use::Remove).await?;
    let session = session.with_progress().with_hooks(arguments.hooks);
    go_on(&session).await?;
    let (plan, observed) = look(&session, &Options::default()).await?;
    adopt(&session.provider, &observed)?;
    session.provider.known.replace(Known::from_observed(&observed));
    let hosts = session.stop.or(async { Ok(releases::read(&session).await) }).await?;
    let release = choose(named, hosts)?;
    let plan = rollback::make(&plan, release.as_str());
    render::plan::announce(&plan, session.topology.state.as_ref());
    if !plan.has_work() {
        return Ok(nothing_to_do(&session, &plan, &observed));
    }
    if !agreed(arguments.yes.into(), "Put this release in force?", &session.stop).await? {
        return Ok(ExitStatus::Failed);
    }
    let status =
        hooks::around(&session, Phase::Rollback, &observed, finish(&session, &plan, &observed)).await?;
    say::narrate(|| {
        anstream::println!("The topology's own release may be another one: `albatross plan` shows it.");
    });
    Ok(status)
}

fn parse(text: &str) -> Result<ReleaseId, Failure> {
    ReleaseId::parse(text).ok_or_else(|| {
        Failure::saying(
            ExitStatus::Usage,
            format!("`{text}` is not the name of a release: 12 hex digits"),
            "`albatross releases FILE` lists them",
        )
    })
}

/// The release that all hosts go to; each must have it as a whole.
fn choose(named: Option<ReleaseId>, hosts: Vec<OfHost<'_>>) -> Result<ReleaseId, Failure> {
    let mut kept = Vec::new();
    for (host, releases) in hosts {
        kept.push((host.instance(), releases?));
    }
    let release = match named {
        Some(release) => release,
        None => before(kept.iter().map(|(_, releases)| releases.as_slice()))?,
    };
    for (host, releases) in &kept {
        let is_there = releases.iter().any(|one| one.release == release && one.is_whole);
        if !is_there {
            return Err(Failure::saying(
                ExitStatus::Failed,
                format!("{host} does not keep release {release} as a whole"),
                "`albatross releases FILE` lists what each host keeps",
            ));
        }
    }
    Ok(release)
}

/// What was in force before on the host where another release came in force last.
fn before<'k>(hosts: impl Iterator<Item = &'k [KeptRelease]>) -> Result<ReleaseId, Failure> {
    let find = |kept: &'k [KeptRelease], standing| kept.iter().find(move |one| one.standing == standing);
    let changed = hosts.filter_map(|kept| Some((find(kept, Standing::Before)?, kept)));
    let last = changed.max_by_key(|(_, kept)| {
        find(kept, Standing::InForce).and_then(|one| one.in_force_since.as_ref()).cloned()
    });
    last.map(|(before, _)| before.release.clone()).ok_or_else(|| {
        Failure::saying(
            ExitStatus::Failed,
            "no host has had another release in force",
            "`albatross releases FILE` lists what each host keeps",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(release: &str, standing: Standing, since: &str) -> KeptRelease {
        KeptRelease {
            release: ReleaseId::parse(release).unwrap(),
            standing,
            installed: since.to_owned(),
            in_force_since: Some(since.to_owned()),
            is_whole: true,
        }
    }

    /// One host was changed, and the roll-out stopped: the others are not taken further back.
    #[test]
    fn the_release_before_is_that_of_the_host_that_changed_last() {
        let (old, older, new) = ("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc");
        let changed = [kept(new, Standing::InForce, "2026-03"), kept(old, Standing::Before, "2026-02")];
        let unchanged = [kept(old, Standing::InForce, "2026-02"), kept(older, Standing::Before, "2026-01")];
        for hosts in [[&changed[..], &unchanged[..]], [&unchanged[..], &changed[..]]] {
            assert_eq!(before(hosts.into_iter()).unwrap().as_str(), old);
        }
        assert!(before([&changed[..1]].into_iter()).is_err());
    }
}

//! `--diff`: how much a plan says of what is done on machines.

use crate::apply::rehearsal::{Rehearsed, rehearse};
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::{events, render, say};
use crate::plan::Plan;
use crate::resource::observed::Observed;

/// How much is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Diff {
    /// Which fields change.
    #[default]
    Fields,
    /// Every command and file on every host too.
    Full,
}

/// The argument of verbs that show a plan.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct DiffArguments {
    /// What to show of hosts: which `fields` change, or in `full` every command and file: `albatross plan
    /// chatroom.yaml --diff=full`. Hosts are only read
    #[arg(
        long,
        value_name = "HOW",
        default_value = "fields",
        hide_possible_values = true,
        conflicts_with = "refresh_only"
    )]
    diff: Diff,
}

impl DiffArguments {
    /// How much is shown.
    pub(super) fn diff(self) -> Diff {
        self.diff
    }
}

impl Diff {
    /// What a plan would do on machines, where that is to be shown.
    ///
    /// # Errors
    /// When somebody says stop.
    pub(super) async fn rehearse(
        self,
        session: &Session,
        plan: &Plan,
        observed: &Observed,
    ) -> Result<Option<Vec<Rehearsed>>, Failure> {
        if self == Self::Fields {
            return Ok(None);
        }
        let rehearsed =
            session.stop.or(async { Ok(rehearse(&session.provider, plan, observed).await) }).await?;
        Ok(Some(rehearsed))
    }

    /// Prints it.
    ///
    /// # Errors
    /// As [`Diff::rehearse`].
    pub(super) async fn print(
        self,
        session: &Session,
        plan: &Plan,
        observed: &Observed,
    ) -> Result<(), Failure> {
        if let Some(rehearsed) = self.rehearse(session, plan, observed).await? {
            events::tell(&events::Line::Rehearsed { hosts: render::deeds::to_json(&rehearsed) });
            say::narrate(|| render::deeds::print(&rehearsed));
        }
        Ok(())
    }
}

//! Commands as the command line runs them, without its words: each begins from the journal's bytes alone.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use albatross::apply::ledger::Ledger;
use albatross::apply::provider::Known;
use albatross::apply::recover::{adopt, recover};
use albatross::apply::refresh::{Depth, refresh};
use albatross::apply::{self, ApplyError, Outcome, Provider};
use albatross::base::ids::{RegionId, StackName};
use albatross::base::secret::Secret;
use albatross::cloud::credentials::{Credentials, Keys};
use albatross::cloud::endpoint::Endpoint;
use albatross::cloud::transport::Client;
use albatross::deploy::{Architecture, Artifact};
use albatross::plan::desired::{Brought, Desired, desired};
use albatross::plan::{self, Plan};
use albatross::state::Identity;
use albatross::state::journal::Journal;
use albatross::topology::model::Topology;
use tokio_util::sync::CancellationToken;

use crate::faults::Crash;
use crate::machines::Fleet;
use crate::region::{REGION, Region};
use crate::subject::STACK;

/// An operator's public key.
pub(crate) const PUBLIC_KEY: &str =
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAIH9/f39/f39/f39/f39/f39/f39/f39/f39/f39/f38A operator";

/// What a command is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Make the topology true.
    Apply,
    /// Remove everything of it.
    Destroy,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself, with the plan it carried out.
    Done(Plan, Outcome),
    /// With an error before there was a plan.
    Failed(ApplyError),
    /// In the middle.
    Crashed,
}

/// Where commands of one stack run.
#[derive(Debug)]
pub(crate) struct Desk<'d> {
    pub(crate) region: &'d Region,
    pub(crate) state: &'d Path,
}

impl Desk<'_> {
    /// The journal's file.
    pub(crate) fn journal(&self) -> std::path::PathBuf {
        self.state.join("journal")
    }

    /// What a topology asks for.
    pub(crate) fn desired(topology: &Topology) -> Desired {
        desired(topology, PUBLIC_KEY, &Brought::default())
    }

    /// Runs a command until it ends by itself or is ended.
    pub(crate) async fn run(&self, verb: Verb, topology: &Topology, ending: Option<Crash>) -> Ended {
        self.region.begin(&self.journal(), ending);
        let mut awaits = 0;
        let mut command = pin!(self.command(verb, topology));
        let counted = std::future::poll_fn(|context| {
            awaits += 1;
            if ending == Some(Crash::AtAwait(awaits)) {
                return Poll::Ready(Ended::Crashed);
            }
            command.as_mut().poll(context)
        });
        tokio::select! {
            biased;
            () = self.region.crash.notified() => Ended::Crashed,
            ended = counted => ended,
        }
    }

    async fn command(&self, verb: Verb, topology: &Topology) -> Ended {
        let provider = self.provider();
        let begun = async {
            recover(&provider).await?;
            let (plan, observed) = self.look(&provider, verb, topology).await?;
            adopt(&provider, &observed)?;
            provider.known.replace(Known::from_observed(&observed));
            Ok(plan)
        };
        match begun.await {
            Ok(plan) => {
                let outcome = apply::apply(&plan, &provider, &CancellationToken::new()).await;
                Ended::Done(plan, outcome.expect("no steps wait for each other"))
            }
            Err(error) => Ended::Failed(error),
        }
    }

    /// What a plan would say now; nothing is changed.
    pub(crate) async fn plan(&self, verb: Verb, topology: &Topology) -> Result<Plan, ApplyError> {
        let provider = self.provider();
        Ok(self.look(&provider, verb, topology).await?.0)
    }

    async fn look(
        &self,
        provider: &Provider,
        verb: Verb,
        topology: &Topology,
    ) -> Result<(Plan, albatross::resource::observed::Observed), ApplyError> {
        let (desired, depth) = match verb {
            Verb::Apply => (Self::desired(topology), Depth::CloudAndHosts),
            Verb::Destroy => (Self::desired(topology), Depth::Cloud),
        };
        let observed = refresh(provider, &desired, depth).await?;
        let plan = match verb {
            Verb::Apply => plan::make(&topology.stack, &topology.region, &desired, &observed),
            Verb::Destroy => plan::make_destroy(&topology.stack, &topology.region, &observed),
        };
        Ok((plan, observed))
    }

    fn provider(&self) -> Provider {
        let account = self.region.lock().world.account.clone();
        let secret = Secret::new(account.access_key_secret.expose().to_owned());
        let credentials = Credentials::fixed(Keys::new(&account.access_key_id, secret, None), "simulation");
        let endpoint = Endpoint::parse_override("http://127.0.0.1:1").expect("an address");
        let (region, stack) = (RegionId::new(REGION), StackName::new(STACK));
        let identity = Identity::new(&account.id, &endpoint.label(), region.clone(), stack.clone());
        let identity = Identity { lineage: "0123456789abcdef".to_owned(), ..identity };
        let (journal, _) = Journal::open(self.state, identity).expect("a journal that ended anywhere opens");
        let client = Client::over(Box::new(self.region.clone()), credentials, endpoint, region);
        let artifact = Artifact::new(Arc::from([0_u8; 4].as_slice()), Architecture::X86_64, None);
        let fleet = Arc::new(Fleet(self.region.clone()));
        Provider::new(client, stack, fleet, Some(artifact.into()), Ledger::new(journal))
    }
}

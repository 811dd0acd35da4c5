//! Another release on a machine, and where its traffic goes meanwhile.
//!
//! Before a node that serves people stops, its server leaves the group: the load balancer sends nobody there any more.
//! The node is restarted, and its server comes back when it is ready; the operation ends when it has traffic again. Both
//! calls are journalled as any other. A program that ends in between leaves a server out of the group, which the next
//! command puts back behind the release.

use std::sync::atomic::{AtomicBool, Ordering};

use super::balancer::server_id;
use super::host::node_settings;
use super::waits::CONFIGURE;
use super::{Known, Provider};
use crate::apply::error::ApplyError;
use crate::apply::hosts::NewRelease;
use crate::cloud::alb;
use crate::deploy::redis::Password;
use crate::deploy::{Program, node};
use crate::plan::rollout::Traffic;
use crate::resource::observed::{Observation, Output, Outputs};
use crate::resource::spec::{HostSpec, RedisAccess, ReleaseSpec, ServerSpec, Spec};
use crate::resource::{Kind, ResourceAddress};

/// What the node of a host is brought to, and how carefully.
pub(crate) struct Aim<'a> {
    source: Source<'a>,
    pub(crate) settings: node::Settings,
    pub(crate) rollout: node::Rollout,
}

/// Where a release comes from.
enum Source<'a> {
    Kept(node::ReleaseId),
    Built(&'a Program),
}

impl Aim<'_> {
    /// The release.
    pub(crate) fn wanted(&self) -> node::Wanted<'_> {
        match &self.source {
            Source::Kept(release) => node::Wanted::Kept(release),
            Source::Built(program) => node::Wanted::Built(program),
        }
    }
}

impl Provider {
    /// What a release means for the node of its host.
    ///
    /// # Errors
    /// When an address, a secret or the program is not known.
    pub(crate) fn aim(&self, spec: &ReleaseSpec, known: &Known) -> Result<Aim<'_>, ApplyError> {
        let kept = spec.kept.as_deref().and_then(node::ReleaseId::parse);
        let (source, settings) = if let Some(release) = kept {
            // One that is kept has the secrets that its host has.
            (Source::Kept(release), node_settings(spec, known)?)
        } else {
            let settings = self.settings_of_node(spec, known)?;
            let missing =
                || ApplyError::Missing { address: spec.host.address(Kind::Release), what: "binary" };
            (Source::Built(self.program.as_ref().ok_or_else(missing)?), settings)
        };
        let rollout = node::Rollout {
            min_healthy_time: spec.rollout.min_healthy_time,
            healthy_deadline: spec.rollout.healthy_deadline,
            auto_revert: spec.rollout.auto_revert,
        };
        Ok(Aim { source, settings, rollout })
    }

    pub(super) async fn put_release(
        &self,
        address: &ResourceAddress,
        spec: &ReleaseSpec,
        (current, traffic): (Option<&Observation>, Traffic),
    ) -> Result<Outputs, ApplyError> {
        let aim = self.aim(spec, &self.known)?;
        self.let_in(address, &spec.host).await?;
        self.ledger.intend_on_host(address).await?;
        let password = self.password_of(address, spec).await?;
        let is_away = AtomicBool::new(false);
        let lead_away = || -> futures_util::future::BoxFuture<'_, Result<(), ApplyError>> {
            Box::pin(async {
                if traffic == Traffic::LedAway {
                    is_away.store(self.leave_group(address, spec).await?, Ordering::SeqCst);
                }
                Ok(())
            })
        };
        let release = NewRelease {
            wanted: aim.wanted(),
            settings: &aim.settings,
            password: &password,
            rollout: aim.rollout,
            lead_away: &lead_away,
        };
        let installed =
            self.hosts.install_release(self.place(&spec.host), release, &self.notes(address)).await;
        let is_away = is_away.load(Ordering::SeqCst);
        if let Err(error) = installed {
            if is_away && error.rolled_back() {
                self.come_back_all_the_same(address, spec).await;
            }
            return Err(error);
        }
        let ready = self.on_host_ready(address, spec.host.instance())?;
        if is_away {
            self.come_back(address, spec).await?;
        } else if current.is_some() {
            self.node_has_traffic(address, spec).await?;
        }
        Ok(ready)
    }

    async fn password_of(
        &self,
        address: &ResourceAddress,
        spec: &ReleaseSpec,
    ) -> Result<Password, ApplyError> {
        match &spec.redis {
            RedisAccess::OnHost { route, .. } => {
                // The way to Redis' machine is kept beside the machine's pinned key.
                let redis = HostSpec { route: route.clone(), user: spec.host.user.clone(), deposed: None };
                self.let_in(address, &redis).await?;
                self.hosts.redis_password(self.place(&redis)).await
            }
            RedisAccess::Managed(account) => self.account_password(account).await,
            RedisAccess::Absent => Ok(Password::new(String::new())),
        }
    }

    /// The server of a node leaves the group. False where it is in none.
    ///
    /// Until it is back the journal has it as leaving, so that a list that lags is not believed.
    async fn leave_group(&self, address: &ResourceAddress, spec: &ReleaseSpec) -> Result<bool, ApplyError> {
        let server = address.on_same_machine(Kind::Server);
        let group = self.known.only(Kind::ServerGroup)?;
        let instance = self.known.id(&address.on_same_machine(Kind::Instance))?;
        let id = server_id(&group, &instance, spec.port);
        if self.known.output(&server, Output::Id).is_none_or(|known| known != id.as_str()) {
            return Ok(false);
        }
        let _turn = self.one_server_at_a_time.lock().await;
        self.note(address, "its server leaves the group");
        self.remove(&server, &alb::remove_server(&group, alb::INSTANCE, &instance, spec.port), CONFIGURE)
            .await?;
        self.known.forget(&server);
        self.group_settled(&server, &group).await?;
        Ok(true)
    }

    /// The server of a node is in the group again, and has traffic.
    async fn come_back(&self, address: &ResourceAddress, spec: &ReleaseSpec) -> Result<(), ApplyError> {
        let server = address.on_same_machine(Kind::Server);
        let own = ServerSpec { instance: spec.host.instance().clone(), port: spec.port };
        self.note(address, "its server goes back into the group");
        let outputs = self.put_server(&server, &own, None).await?;
        self.known.learn(&server, outputs.clone());
        self.ledger.ready(&server, &outputs, &self.fields_of(&Spec::Server(own)))?;
        Ok(())
    }

    /// Behind a release that was put back: why that was is worth more than a failure here.
    async fn come_back_all_the_same(&self, address: &ResourceAddress, spec: &ReleaseSpec) {
        if let Err(error) = self.come_back(address, spec).await {
            self.note(address, format!("its server is not back in the group: {error}"));
        }
    }

    /// A load balancer that has seen the node away gives it traffic again some checks later. The next node may only go
    /// then, and nobody is told before that it is done. One that is set aside gets none however long it is waited for:
    /// the step that puts its server right comes after its release.
    async fn node_has_traffic(
        &self,
        address: &ResourceAddress,
        spec: &ReleaseSpec,
    ) -> Result<(), ApplyError> {
        if self.known.output(&address.on_same_machine(Kind::Server), Output::Id).is_none() {
            return Ok(());
        }
        let instance = self.known.id(&address.on_same_machine(Kind::Instance))?;
        self.server_healthy(address, |one| one.is(&instance, spec.port) && !one.is_set_aside()).await
    }
}

//! ALB instances, their listeners and the jobs that change them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::Value;

use crate::world::elastic_ip::EipUser;
use crate::world::event::Event;
use crate::world::meta::Meta;
use crate::world::network::InterfaceOwner;
use crate::world::pace::Step;
use crate::world::{Moment, World};

/// Status of an ALB instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum LoadBalancerStatus {
    /// Being made.
    Provisioning,
    /// Ready for changes.
    Active,
    /// A change is under way.
    Configuring,
    /// Being deleted.
    Deleting,
}

/// Status of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ListenerStatus {
    /// Being made.
    Provisioning,
    /// Accepts connections.
    Running,
    /// A change is under way.
    Configuring,
    /// Accepts nothing.
    Stopped,
    /// Being deleted.
    Deleting,
}

/// One ALB instance.
#[derive(Debug, Clone, Serialize)]
pub struct LoadBalancer {
    /// `alb-...`.
    pub id: String,
    /// `LoadBalancerName`.
    pub name: String,
    /// `Basic`, `Standard`, `StandardWithWaf`.
    pub edition: String,
    /// `Internet` or `Intranet`.
    pub address_type: String,
    /// `Fixed` or `Dynamic`.
    pub address_mode: String,
    /// `IPv4`.
    pub ip_version: String,
    /// Its own DNS name.
    pub dns_name: String,
    /// Its VPC.
    pub vpc: String,
    /// State.
    pub status: LoadBalancerStatus,
    /// One a zone.
    pub zones: Vec<ZoneMapping>,
    /// Refuses to be deleted since then.
    pub deletion_protection: Option<Moment>,
    /// `NonProtection` or `ConsoleProtection`.
    pub modification_protection: String,
    /// Why.
    pub modification_reason: String,
    /// Groups joined by calls.
    pub security_groups: Vec<String>,
    /// Where requests are logged.
    pub access_log: Option<AccessLog>,
    /// Region, age, tags.
    pub meta: Meta,
}

/// Where an ALB logs requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessLog {
    /// Project of the log service.
    pub project: String,
    /// Store in the project.
    pub store: String,
}

/// Presence of an ALB in a zone.
#[derive(Debug, Clone, Serialize)]
pub struct ZoneMapping {
    /// Zone.
    pub zone: String,
    /// vSwitch there.
    pub vswitch: String,
    /// Address in the vSwitch.
    pub private_address: Ipv4Addr,
    /// Public address and the id of its EIP.
    pub public: Option<(Ipv4Addr, String)>,
}

/// One listener.
#[derive(Debug, Clone, Serialize)]
pub struct Listener {
    /// `lsn-...`.
    pub id: String,
    /// Its ALB.
    pub load_balancer: String,
    /// 1 to 65535.
    pub port: u16,
    /// `HTTP`, `HTTPS`, `QUIC`.
    pub protocol: String,
    /// Free text.
    pub description: String,
    /// State.
    pub status: ListenerStatus,
    /// State it is on its way to.
    pub next: Option<ListenerStatus>,
    /// Group of the default action.
    pub server_group: String,
    /// Seconds.
    pub idle_timeout: u32,
    /// Seconds.
    pub request_timeout: u32,
    /// Compression.
    pub gzip: bool,
    /// HTTP/2.
    pub http2: bool,
    /// TLS policy, empty for HTTP.
    pub security_policy: String,
    /// Certificates, the default one first.
    pub certificates: Vec<String>,
    /// Certificates for other names.
    pub additional_certificates: Vec<AdditionalCertificate>,
    /// Which headers it adds: the switches of `XForwardedForConfig` by name.
    pub forwarded: BTreeMap<String, Value>,
    /// Clients show certificates.
    pub ca_enabled: bool,
    /// Certificates that sign those of clients.
    pub ca_certificates: Vec<String>,
    /// Region, age, tags.
    pub meta: Meta,
}

/// Status of an additional certificate; the third is spelt as the API spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum CertificateStatus {
    /// Being added.
    Associating,
    /// In use.
    Associated,
    /// Being taken off.
    Diassociating,
}

/// A certificate beside the default one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdditionalCertificate {
    /// `<CertId>-<region>`.
    pub id: String,
    /// State.
    pub status: CertificateStatus,
}

/// An asynchronous ALB call.
#[derive(Debug, Clone, Serialize)]
pub struct Job {
    /// UUID.
    pub id: String,
    /// Action that made it.
    pub action: String,
    /// `loadbalancer`, `listener`, `rule`, `servergroup`.
    pub resource_type: &'static str,
    /// What it changes.
    pub resource: String,
    /// When it began.
    pub created: Moment,
    /// When it succeeded.
    pub finished: Option<Moment>,
}

impl Listener {
    fn settle_certificates(&mut self) {
        self.additional_certificates.retain(|own| own.status != CertificateStatus::Diassociating);
        for certificate in &mut self.additional_certificates {
            certificate.status = CertificateStatus::Associated;
        }
    }
}

impl World {
    /// Puts an ALB into a state that passes by itself.
    pub fn configure_load_balancer(&mut self, id: &str) {
        if let Some(balancer) = self.load_balancers.get_mut(id) {
            balancer.status = LoadBalancerStatus::Configuring;
            self.schedule(Step::LoadBalancerConfigured, Event::LoadBalancerSettled(id.to_owned()));
        }
    }

    pub(super) fn load_balancer_settled(&mut self, id: &str) {
        let Some(balancer) = self.load_balancers.get_mut(id) else {
            return;
        };
        if balancer.status != LoadBalancerStatus::Deleting {
            balancer.status = LoadBalancerStatus::Active;
        }
    }

    /// The load balancer goes first; what it made by itself lingers and blocks its vSwitches until then.
    pub(super) fn load_balancer_gone(&mut self, id: &str) {
        if self.load_balancers.remove(id).is_some() {
            self.listeners.retain(|_, listener| listener.load_balancer != id);
            let listeners = &self.listeners;
            self.rules.retain(|_, rule| listeners.contains_key(&rule.listener));
            self.schedule(Step::LeftoversGone, Event::LeftoversGone(id.to_owned()));
        }
    }

    pub(super) fn leftovers_gone(&mut self, id: &str) {
        let owner = InterfaceOwner::LoadBalancer(id.to_owned());
        let user = EipUser::LoadBalancer(id.to_owned());
        self.eips.retain(|_, eip| !eip.service_managed || eip.user.as_ref() != Some(&user));
        self.free_eips_of(&user);
        self.network_interfaces.retain(|_, interface| interface.owner != owner);
        self.security_groups.retain(|_, group| group.managed_by.as_deref() != Some(id));
    }

    /// Lets a listener pass through one state into another.
    pub fn move_listener(&mut self, id: &str, through: ListenerStatus, to: ListenerStatus) {
        if let Some(listener) = self.listeners.get_mut(id) {
            listener.status = through;
            listener.next = Some(to);
            self.schedule(Step::Listener, Event::ListenerSettled(id.to_owned()));
        }
    }

    pub(super) fn listener_settled(&mut self, id: &str) {
        let Some(listener) = self.listeners.get_mut(id) else {
            return;
        };
        match listener.status {
            ListenerStatus::Deleting => {
                self.listeners.remove(id);
                self.rules.retain(|_, rule| rule.listener != id);
            }
            ListenerStatus::Provisioning
            | ListenerStatus::Running
            | ListenerStatus::Configuring
            | ListenerStatus::Stopped => {
                if let Some(next) = listener.next.take() {
                    listener.status = next;
                    listener.settle_certificates();
                }
            }
        }
    }

    /// Begins a job that ends with its step.
    pub fn begin_job(&mut self, job: Job, step: Step) -> String {
        let id = job.id.clone();
        self.jobs.insert(id.clone(), job);
        self.schedule(step, Event::JobFinished(id.clone()));
        id
    }

    pub(super) fn job_finished(&mut self, id: &str) {
        let now = self.now;
        if let Some(job) = self.jobs.get_mut(id) {
            job.finished = Some(now);
        }
    }
}

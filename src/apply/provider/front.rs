//! The certificate, and the rule that leads plain HTTP to https.
//!
//! A certificate is uploaded with its private key, which is in no other place of ours than the file that keeps a secret
//! of a call under way. One that is made is made with its key right before it is uploaded: when the program ends before
//! the answer, the very same two are sent again.

use super::waits::{CONFIGURE, Goal};
use super::{Provider, id_only};
use crate::apply::error::ApplyError;
use crate::base::certificate::{self, Certificate};
use crate::base::ids::CloudId;
use crate::cloud::alb_rules::{self, Redirect};
use crate::cloud::cas::{self, NewCertificate};
use crate::cloud::wait::Look;
use crate::resource::ResourceAddress;
use crate::resource::observed::{Observation, Output, Outputs};
use crate::resource::ownership::{ORIGIN_TAG, certificate_name, console_name};
use crate::resource::settings::{REDIRECT_CODE, REDIRECT_PATHS, REDIRECT_PRIORITY};
use crate::resource::spec::{CertificateOrigin, CertificateSpec, ListenerRuleSpec};

impl Provider {
    /// There is no change of a certificate: what is there is as it shall be, or another one is uploaded.
    pub(super) async fn put_certificate(
        &self,
        address: &ResourceAddress,
        spec: &CertificateSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let id = match current {
            Some(current) => current.id.clone(),
            None => self.upload_certificate(address, spec).await?,
        };
        self.ready(address, &id).await
    }

    async fn upload_certificate(
        &self,
        address: &ResourceAddress,
        spec: &CertificateSpec,
    ) -> Result<CloudId, ApplyError> {
        let Certificate { chain, key } = self.certificate_for(address, spec)?;
        let marks = self.marks(address);
        let origin = (ORIGIN_TAG, spec.origin.word());
        let tags: Vec<(&str, &str)> = self.tags(&marks).into_iter().chain([origin]).collect();
        let build = |token: &_| {
            let name = certificate_name(&self.stack, address, token);
            cas::upload(&NewCertificate { name: &name, chain: &chain.pem, key: &key, tags: &tags }, token)
        };
        self.create(address, build).await
    }

    fn certificate_for(
        &self,
        address: &ResourceAddress,
        spec: &CertificateSpec,
    ) -> Result<Certificate, ApplyError> {
        match spec.origin {
            CertificateOrigin::SelfSigned => Ok(certificate::self_signed(&spec.name)?),
            CertificateOrigin::Brought(_) => {
                let missing = || ApplyError::Missing { address: address.clone(), what: "chain and key" };
                self.certificate.clone().ok_or_else(missing)
            }
        }
    }

    /// Waits until the service says what ALB calls a certificate.
    pub(crate) async fn certificate_named(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<Outputs, ApplyError> {
        let goal = Goal { address, condition: "its identifier", deadline: CONFIGURE };
        let judge = |found: Option<&cas::Certificate>| match found {
            Some(found) if found.cert_identifier.is_empty() => Look::NotYet("without one".to_owned()),
            Some(found) => Look::Done(certificate_outputs(found)),
            None => Look::Absent,
        };
        self.until_stopped(goal, self.until(&self.poller.certificates, id, goal, judge)).await
    }

    pub(super) async fn delete_certificate(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.remove(address, &cas::delete(id), CONFIGURE).await
    }

    pub(super) async fn put_listener_rule(
        &self,
        address: &ResourceAddress,
        spec: &ListenerRuleSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let name = console_name(&self.stack, address);
        let redirect = Redirect {
            name: &name,
            priority: REDIRECT_PRIORITY,
            paths: REDIRECT_PATHS,
            code: REDIRECT_CODE,
            port: spec.port,
        };
        let id = if let Some(current) = current {
            let build = |token: &_| alb_rules::update_redirect(&current.id, redirect, token);
            self.change(address, build).await?;
            current.id.clone()
        } else {
            let (marks, listener) = (self.marks(address), self.known.id(&spec.listener)?);
            let build =
                |token: &_| alb_rules::create_redirect(&listener, redirect, &self.tags(&marks), token);
            self.create(address, build).await?
        };
        self.ready(address, &id).await?;
        Ok(id_only(&id))
    }

    pub(super) async fn delete_listener_rule(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.remove(address, &alb_rules::delete_rule(id), CONFIGURE).await?;
        self.gone(&self.poller.rules, id, address, CONFIGURE).await
    }
}

/// What others need to know of a certificate.
pub(crate) fn certificate_outputs(found: &cas::Certificate) -> Outputs {
    let mut outputs = id_only(&CloudId::new(found.id.to_string()));
    outputs.insert(Output::CertificateId, found.cert_identifier.clone());
    outputs
}

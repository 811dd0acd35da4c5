//! The DNS record. It has neither token nor tag: it is read before it is written, and its remark says whose it is.

use std::time::Duration;

use super::{Provider, id_only};
use crate::apply::error::ApplyError;
use crate::base::ids::CloudId;
use crate::base::retry::{Backoff, Deadline};
use crate::cloud::codes;
use crate::cloud::dns::{self, NewRecord, Record};
use crate::cloud::wait::LAPSE;
use crate::plan::action::Action;
use crate::resource::observed::{Observation, Output, Outputs};
use crate::resource::settings::RECORD_VALUES;
use crate::resource::spec::RecordSpec;
use crate::resource::{Kind, ResourceAddress};

/// How long another change of the domain may be in the way.
const CHANGE: Duration = Duration::from_mins(1);

impl Provider {
    pub(super) async fn put_record(
        &self,
        address: &ResourceAddress,
        spec: &RecordSpec,
        (current, action): (Option<&Observation>, &Action),
    ) -> Result<Outputs, ApplyError> {
        let balancer = ResourceAddress::only(Kind::LoadBalancer);
        let name = self.known.output(&balancer, Output::DnsName);
        let value = name.ok_or(ApplyError::Missing { address: balancer, what: "DNS name" })?;
        let record = NewRecord { host: &spec.host, value: &value, ttl: spec.ttl };
        let id = match current {
            Some(current) => {
                if action.changes_any(&RECORD_VALUES) {
                    self.update_record(address, current, record).await?;
                }
                if action.changes_field("status") {
                    self.change(address, |_| dns::enable_record(&current.id)).await?;
                }
                if !action.changes_field("remark") {
                    return Ok(id_only(&current.id));
                }
                current.id.clone()
            }
            None => self.add_record(address, spec, record).await?,
        };
        let remark = dns::remark_record(&id, &spec.remark);
        self.mark(address, remark).await?;
        Ok(id_only(&id))
    }

    /// The cloud refuses an update that changes nothing as a duplicate: then it is as it shall be.
    async fn update_record(
        &self,
        address: &ResourceAddress,
        current: &Observation,
        record: NewRecord<'_>,
    ) -> Result<(), ApplyError> {
        match self.change(address, |_| dns::update_record(&current.id, record)).await {
            Err(ApplyError::Cloud(error)) if codes::RECORD_UNCHANGED.have(error.code()) => Ok(()),
            done => done,
        }
    }

    async fn add_record(
        &self,
        address: &ResourceAddress,
        spec: &RecordSpec,
        record: NewRecord<'_>,
    ) -> Result<CloudId, ApplyError> {
        let refused = match self.create(address, |_| dns::add_record(&spec.domain, record)).await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        let ApplyError::Cloud(error) = &refused else {
            return Err(refused);
        };
        if !codes::RECORD_IN_THE_WAY.have(error.code()) {
            return Err(refused);
        }
        let records = self.records_in_the_way(spec).await?;
        if let Some(found) = records.iter().find(|found| is_wanted(found, record.value)) {
            // The reply was lost: the record is the one that was asked for.
            self.ledger.accept(address, &found.record_id)?;
            return Ok(found.record_id.clone());
        }
        self.ledger.refuse(address)?;
        Err(records.into_iter().next().map_or(refused, |found| ApplyError::RecordTaken {
            name: if spec.host == "@" {
                spec.domain.clone()
            } else {
                format!("{}.{}", spec.host, spec.domain)
            },
            kind: found.kind,
            value: found.value,
        }))
    }

    /// There is at least one, since the cloud says so; a list that lags may not have it yet.
    async fn records_in_the_way(&self, spec: &RecordSpec) -> Result<Vec<Record>, ApplyError> {
        let deadline = Deadline::after(LAPSE);
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        loop {
            let records = dns::records(&self.client, &spec.domain, &spec.host).await?;
            if !records.is_empty() || !backoff.wait(&deadline).await {
                return Ok(records);
            }
        }
    }

    pub(super) async fn delete_record(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.remove(address, &dns::delete_record(id), CHANGE).await
    }
}

/// Whether a record is the CNAME to a name; a final dot and the case do not matter.
pub(crate) fn is_wanted(record: &Record, value: &str) -> bool {
    let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    record.kind == "CNAME" && plain(&record.value) == plain(value)
}

//! What is known so far, and how a refusal becomes a finding.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::ids::InstanceName;
use crate::cloud::error::CloudError;
use crate::cloud::explain;
use crate::cloud::sts::CallerIdentity;
use crate::cloud::transport::Client;
use crate::cloud::vpc::VSwitch;
use crate::doctor::Question;
use crate::doctor::report::{CheckId, Finding};
use crate::topology::model::Topology;

/// What is known so far.
pub(super) struct Visit<'a> {
    /// What is examined.
    pub question: &'a Question<'a>,
    /// The cloud.
    pub client: &'a Client,
    /// What the first call said.
    pub identity: Option<Result<CallerIdentity, CloudError>>,
    /// Instances of the stack that are there already.
    pub there: BTreeSet<InstanceName>,
    /// The type each other instance would get.
    pub chosen: BTreeMap<InstanceName, String>,
    /// Architecture of each chosen type, `X86` or `ARM`, and its processors.
    pub types: BTreeMap<String, (String, u32)>,
    /// Why the types of the chosen are not known, when the cloud refused to say.
    pub types_refused: Option<CloudError>,
    /// The region's vSwitches, once they were asked for.
    pub vswitches: Option<Vec<VSwitch>>,
}

impl<'a> Visit<'a> {
    /// Nothing is known yet.
    pub(super) fn new(question: &'a Question<'a>, client: &'a Client) -> Self {
        Self {
            question,
            client,
            identity: None,
            there: BTreeSet::new(),
            chosen: BTreeMap::new(),
            types: BTreeMap::new(),
            types_refused: None,
            vswitches: None,
        }
    }

    /// The topology.
    pub(super) fn topology(&self) -> &'a Topology {
        self.question.topology
    }

    /// Instances of which it is not known whether they are there, or which type they would get.
    pub(super) fn without_type(&self) -> Vec<&'a InstanceName> {
        let is_open = |name: &&InstanceName| !self.there.contains(*name) && !self.chosen.contains_key(*name);
        self.topology().instances.keys().filter(is_open).collect()
    }

    /// The region's vSwitches; asked for once.
    pub(super) async fn vswitches(&mut self) -> Result<Vec<VSwitch>, CloudError> {
        if let Some(known) = &self.vswitches {
            return Ok(known.clone());
        }
        let found = crate::cloud::vpc::all_vswitches(self.client).await?;
        self.vswitches = Some(found.clone());
        Ok(found)
    }
}

/// Codes with which a cloud says that it does not have an action.
const NO_SUCH_ACTION: [&str; 3] = ["InvalidAction.NotFound", "InvalidApi.NotFound", "Mock.NotEmulated"];

/// What a refused question means. Missing permission to ask, which apply may not need, is no failure.
pub(super) fn unanswered(check: CheckId, error: &CloudError) -> Finding {
    let CloudError::Refused { product, action, code, .. } = error else {
        return refused(check, error);
    };
    let call = format!("{} {action}", product.name());
    if NO_SUCH_ACTION.contains(&code.as_str()) {
        return Finding::not_asked(check, format!("this cloud does not offer {call}"));
    }
    if explain::is_missing_permission(code) {
        let finding = Finding::not_asked(check, format!("this user may not call {call} ({code})"));
        return Finding { next: error.hint(), ..finding };
    }
    refused(check, error)
}

/// What a refused call means where apply would be refused the same.
pub(super) fn refused(check: CheckId, error: &CloudError) -> Finding {
    Finding::fail(check, in_words(error), error.hint().unwrap_or_else(|| "see the message".to_owned()))
}

/// An error in a sentence: what it means, then API, code and request id.
pub(super) fn in_words(error: &CloudError) -> String {
    let CloudError::Refused { product, action, code, message, request_id, .. } = error else {
        return error.to_string();
    };
    let means = explain::find(code).map_or(message.as_str(), |entry| entry.means);
    let request = request_id.as_ref().map(|id| format!(", request id {id}")).unwrap_or_default();
    format!("{means} ({} {action}: {code}{request})", product.name())
}

/// `a, b and c`.
pub(super) fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
    match names.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

//! What a refused call was about: the parameters a hint may name, and the permission the cloud said is missing.

use std::collections::BTreeMap;

use crate::base::ids::RegionId;
use crate::cloud::call::Call;

/// Parameters that name a resource or a place. No other is kept, so no secret can get into a hint.
const NAMED: [&str; 19] = [
    "CertificateId",
    "CidrBlock",
    "DomainName",
    "ImageFamily",
    "InstanceId",
    "InstanceId.1",
    "InstanceName",
    "InstanceType",
    "KeyPairName",
    "ListenerId",
    "ListenerPort",
    "LoadBalancerId",
    "RR",
    "RegionId",
    "SecurityGroupId",
    "ServerGroupId",
    "SystemDisk.Category",
    "VSwitchId",
    "VpcId",
];

/// What a refused call was about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    parameters: BTreeMap<String, String>,
    permission: Option<String>,
}

impl Subject {
    /// From a call; products whose calls carry no region are called in `region`.
    pub fn of(call: &Call, region: &RegionId) -> Self {
        let named = call.query.iter().filter(|(name, _)| NAMED.contains(&name.as_str()));
        let mut parameters: BTreeMap<String, String> =
            named.map(|(name, value)| (name.clone(), value.clone())).collect();
        parameters.entry("RegionId".to_owned()).or_insert_with(|| region.to_string());
        if let Some(certificate) = call.query.get("Certificates.1.CertificateId") {
            parameters.insert("CertificateId".to_owned(), certificate.clone());
        }
        Self { parameters, permission: None }
    }

    /// With the permission that the cloud itself named as missing.
    #[must_use]
    pub fn with_permission(self, permission: Option<String>) -> Self {
        Self { permission: permission.filter(|text| !text.is_empty()), ..self }
    }

    /// The permission that the cloud named as missing.
    pub fn permission(&self) -> Option<&str> {
        self.permission.as_deref()
    }

    /// Puts parameters into a text: `{DomainName|the domain}`; `{permission}` is the RAM action.
    pub(super) fn fill(&self, text: &str, permission: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (field, after) = behind.split_once('}').unwrap_or((behind, ""));
            filled += before;
            filled += &self.value(field, permission);
            rest = after;
        }
        filled + rest
    }

    /// What stands for `Name|words`: the parameter of that name, else the words.
    fn value(&self, field: &str, permission: &str) -> String {
        let (name, otherwise) = field.split_once('|').unwrap_or((field, field));
        if name == "permission" {
            // Several words are a description, one is a name to type.
            return if permission.contains(' ') { permission.to_owned() } else { format!("`{permission}`") };
        }
        self.parameters.get(name).map_or_else(|| otherwise.to_owned(), |value| format!("`{value}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Product;

    #[test]
    fn a_hint_names_the_resource_at_hand_and_no_secret() {
        let call = Call::new(Product::Ecs, "RunInstances")
            .with("InstanceType", "ecs.c7.large")
            .with("Password", "hunter2");
        let subject = Subject::of(&call, &RegionId::new("cn-hangzhou"));
        assert!(!format!("{subject:?}").contains("hunter2"));
        let told = subject.fill("{InstanceType|the type} in {RegionId} for {DomainName|the domain}", "");
        assert_eq!(told, "`ecs.c7.large` in `cn-hangzhou` for the domain");
    }
}

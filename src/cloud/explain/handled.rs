//! Codes that Albatross neither shows at once nor answers with the same call again, and what it does instead.

use super::pattern;

/// Codes, with `*` for any text, and what is done.
const HANDLED: [(&[&str], &str); 7] = [
    (
        &[
            "*NoStock*",
            "InvalidResourceType.NotSupported",
            "Zone.NotOnSale",
            "OperationDenied.ZoneSystemCategoryNotMatch",
            "InstanceType.Offline",
            "LackResource",
            "InvalidInstanceType.*",
        ],
        "RunInstances is sent with the next type of the instance's list; shown when that was the last",
    ),
    (
        &["InvalidSecurityToken.Expired", "SecurityTokenExpired"],
        "a key that can be renewed is renewed and the call sent again once; shown for a key that is fixed",
    ),
    (&["DryRunOperation"], "only `albatross doctor` sends dry runs, and takes it as their success"),
    (
        &["KeyPair.AlreadyExist"],
        "ImportKeyPair takes it as done: the name is made from the key, so it is this very key",
    ),
    (
        &["DomainRecordDuplicate", "DomainRecordConflict"],
        "AddDomainRecord reads the records: the wanted one is taken as done, another one is named in the error; \
         UpdateDomainRecord takes DomainRecordDuplicate as done",
    ),
    (&["IncorrectInstanceStatus"], "StartInstances takes it as begun and waits until the instance runs"),
    (
        &["Conflict.BackendServer", "ResourceAlreadyExist.BackendServer"],
        "AddServersToServerGroup takes it as done: the server is in the group",
    ),
];

/// What is done about a code beside sending the same call again.
pub fn instead(code: &str) -> Option<&'static str> {
    let is_meant = |codes: &[&str]| codes.iter().any(|known| pattern::matches(known, code));
    HANDLED.iter().find(|(codes, _)| is_meant(codes)).map(|(_, done)| *done)
}

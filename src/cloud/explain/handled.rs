//! What Albatross does about codes that it neither shows at once nor answers with the same call again.

use crate::cloud::codes::{self, Codes};

/// Codes, and what is done.
const HANDLED: [(&Codes, &str); 7] = [
    (
        &codes::NOT_SOLD_HERE,
        "RunInstances is sent with the next type of the instance's list; shown when that was the last",
    ),
    (
        &codes::ENDED_KEY,
        "a key that can be renewed is renewed and the call sent again once; shown for a key that is fixed",
    ),
    (&codes::DRY_RUN_PASSED, "only `albatross doctor` sends dry runs, and takes it as their success"),
    (
        &codes::KEY_PAIR_IS_THERE,
        "ImportKeyPair takes it as done: the name is made from the key, so it is this very key",
    ),
    (
        &codes::RECORD_IN_THE_WAY,
        "AddDomainRecord reads the records: the wanted one is taken as done, another one is named in the error; \
         UpdateDomainRecord takes DomainRecordDuplicate as done",
    ),
    (&codes::NOT_STOPPED, "StartInstances takes it as begun and waits until the instance runs"),
    (&codes::SERVER_IS_MEMBER, "AddServersToServerGroup takes it as done: the server is in the group"),
];

/// What is done about a code beside sending the same call again.
pub fn instead(code: &str) -> Option<&'static str> {
    HANDLED.iter().find(|(codes, _)| codes.have(Some(code))).map(|(_, done)| *done)
}

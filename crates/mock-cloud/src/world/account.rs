//! The account and what belongs to it as a whole.

use serde::Serialize;

use crate::world::ids::digest;
use crate::world::meta::Meta;

/// The one account of this cloud.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// Sixteen digits.
    pub id: String,
    /// The root account's key id.
    pub access_key_id: String,
    /// The root account's secret.
    #[serde(skip)]
    pub access_key_secret: String,
}

impl Account {
    /// The account of a seed.
    pub fn new(seed: u64) -> Self {
        let bytes = digest(seed, "account", "");
        let digits: String = bytes[..15].iter().map(|byte| char::from(b'0' + byte % 10)).collect();
        Self {
            id: format!("1{digits}"),
            access_key_id: format!("mockAccessKeyId{}", hex::encode(&bytes[16..21])),
            access_key_secret: hex::encode(&digest(seed, "secret", "")[..15]),
        }
    }
}

/// An SSH public key with a name.
#[derive(Debug, Clone, Serialize)]
pub struct KeyPair {
    /// Unique in the account and region.
    pub name: String,
    /// One line in OpenSSH form.
    pub public_key: String,
    /// MD5-like digest with the length of the official one.
    pub fingerprint: String,
    /// Region, age, tags.
    pub meta: Meta,
}

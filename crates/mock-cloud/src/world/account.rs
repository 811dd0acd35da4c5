//! The account: its root key, its RAM user, the roles that can be assumed and the provider whose tokens are trusted.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::secret::Secret;
use crate::world::ids::digest;
use crate::world::meta::Meta;

/// Name of the RAM user, of the role and of the OIDC provider that every account has.
pub const DEFAULT_NAME: &str = "albatross";

/// Seconds that a session of a role may last at least and at most; 3600 unless the role says more.
pub const SESSION_SECONDS: std::ops::RangeInclusive<i64> = 3_600..=43_200;

/// The one account of this cloud.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// Sixteen digits.
    pub id: String,
    /// The root account's key id.
    pub access_key_id: String,
    /// The root account's secret.
    #[serde(skip)]
    pub access_key_secret: Secret,
    /// The RAM user: what may assume roles, since the root account may not.
    pub user: RamUser,
    /// Roles by name.
    pub roles: BTreeMap<String, Role>,
    /// The OIDC provider.
    pub provider: OidcProvider,
    #[serde(skip)]
    seed: u64,
}

/// A RAM user with an access key.
#[derive(Debug, Clone, Serialize)]
pub struct RamUser {
    /// Its name.
    pub name: String,
    /// Eighteen digits.
    pub id: String,
    /// Its key id.
    pub access_key_id: String,
    /// Its secret.
    #[serde(skip)]
    pub access_key_secret: Secret,
}

/// A RAM role that every identity of the account may assume.
#[derive(Debug, Clone, Serialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Eighteen digits.
    pub id: String,
    /// `MaxSessionDuration`.
    pub session_seconds: i64,
}

/// Whose tokens `AssumeRoleWithOIDC` takes.
#[derive(Debug, Clone, Serialize)]
pub struct OidcProvider {
    /// Its name.
    pub name: String,
    /// What `iss` has to be.
    pub issuer: String,
    /// What `aud` has to be one of.
    pub client_ids: Vec<String>,
}

/// Who a call comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The account itself.
    Root,
    /// Its RAM user.
    User,
    /// Somebody who assumed a role.
    Role {
        /// Name of the role.
        role: String,
        /// Name of the session.
        session: String,
    },
    /// Nobody: an action that needs no signature.
    Anonymous,
}

impl Account {
    /// The account of a seed, with one role.
    pub fn new(seed: u64) -> Self {
        let bytes = digest(seed, "account", "");
        let mut account = Self {
            id: format!("1{}", digits(&bytes[..15])),
            access_key_id: format!("mockAccessKeyId{}", hex::encode(&bytes[16..21])),
            access_key_secret: secret(seed, "secret", ""),
            user: RamUser::new(seed),
            roles: BTreeMap::new(),
            provider: OidcProvider {
                name: DEFAULT_NAME.to_owned(),
                issuer: "https://oidc.mock-cloud.example".to_owned(),
                client_ids: vec!["sts.aliyuncs.com".to_owned()],
            },
            seed,
        };
        account.add_role(DEFAULT_NAME, *SESSION_SECONDS.start());
        account
    }

    /// Adds a role, or changes how long its sessions may last.
    pub fn add_role(&mut self, name: &str, session_seconds: i64) {
        let id = format!("3{}", digits(&digest(self.seed, "role", name)[..17]));
        self.roles.insert(name.to_owned(), Role { name: name.to_owned(), id, session_seconds });
    }

    /// `acs:ram::<account>:role/<name>`.
    pub fn role_arn(&self, name: &str) -> String {
        format!("acs:ram::{}:role/{name}", self.id)
    }

    /// `acs:ram::<account>:oidc-provider/<name>`.
    pub fn provider_arn(&self) -> String {
        format!("acs:ram::{}:oidc-provider/{}", self.id, self.provider.name)
    }
}

impl RamUser {
    fn new(seed: u64) -> Self {
        let bytes = digest(seed, "user", DEFAULT_NAME);
        Self {
            name: DEFAULT_NAME.to_owned(),
            id: format!("2{}", digits(&bytes[..17])),
            access_key_id: format!("mockUserKeyId{}", hex::encode(&bytes[20..26])),
            access_key_secret: secret(seed, "user secret", DEFAULT_NAME),
        }
    }
}

fn secret(seed: u64, kind: &str, identity: &str) -> Secret {
    Secret::new(hex::encode(&digest(seed, kind, identity)[..15]))
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(b'0' + byte % 10)).collect()
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

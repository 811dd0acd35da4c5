//! What each account of a managed Redis instance may do, as access rules of the server.
//!
//! A password is given to the server as its digest alone.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::plane::spec::{Privilege, Redis};
use crate::secret::Secret;

/// Who this program is on its servers; the name is none that an account can have.
pub(super) const OWN_USER: &str = "mock-cloud";

/// What an account may do that may write: all but what the product keeps for itself.
const READ_WRITE: &str = "~* &* +@all -@dangerous -@admin +flushall +flushdb +keys +info +sort +sort_ro +restore \
                          +swapdb +role +monitor +slowlog +latency +client +config|get +cluster|info \
                          +cluster|nodes +cluster|slots +cluster|keyslot +acl|whoami +acl|cat";

/// What an account may do that may only read.
const READ_ONLY: &str = "~* &* -@all +@read +@connection +@transaction -@dangerous +keys +info +sort_ro +ping +eval_ro \
                         +evalsha_ro +fcall_ro +subscribe +psubscribe +unsubscribe +punsubscribe +command \
                         +acl|whoami";

/// Rules by user.
pub(super) type Users = BTreeMap<String, Vec<String>>;

/// Every user of an instance's server; `own` is the password of this program.
pub(super) fn users(redis: &Redis, own: &Secret) -> Users {
    let mut users = Users::new();
    users.insert(OWN_USER.to_owned(), rules(&[digest(own.expose())], "~* &* +@all"));
    for (name, account) in &redis.accounts {
        let granted = match account.privilege {
            Privilege::ReadOnly => READ_ONLY,
            Privilege::ReadWrite => READ_WRITE,
        };
        users.insert(name.clone(), rules(&[digest(account.password.expose())], granted));
    }
    if let Some(password) = &redis.password {
        users.insert(redis.id.clone(), rules(&[digest(password.expose())], READ_WRITE));
    }
    users.insert("default".to_owned(), default_user(redis));
    users
}

/// Who logs in with a password alone: with that of the default account, or with `account:password` of one that may
/// do as much.
fn default_user(redis: &Redis) -> Vec<String> {
    let writers = redis.accounts.iter().filter(|(_, account)| account.privilege == Privilege::ReadWrite);
    let writers = writers.map(|(name, account)| (name, &account.password));
    let own = redis.password.as_ref();
    let pairs = writers.chain(own.map(|password| (&redis.id, password)));
    let pairs = pairs.map(|(name, password)| digest(&format!("{name}:{}", password.expose())));
    let alone = own.map(|password| digest(password.expose()));
    rules(&alone.into_iter().chain(pairs).collect::<Vec<_>>(), READ_WRITE)
}

fn digest(password: &str) -> String {
    format!("#{}", hex::encode(Sha256::digest(password.as_bytes())))
}

fn rules(passwords: &[String], granted: &str) -> Vec<String> {
    let granted = granted.split_whitespace().map(str::to_owned);
    ["reset".to_owned(), "on".to_owned()]
        .into_iter()
        .chain(passwords.iter().cloned())
        .chain(granted)
        .collect()
}

/// The users as the file that the server reads at its start.
pub(super) fn file(users: &Users) -> String {
    let line = |(name, rules): (&String, &Vec<String>)| ["user ", name, " ", &rules.join(" "), "\n"].concat();
    users.iter().map(line).collect()
}

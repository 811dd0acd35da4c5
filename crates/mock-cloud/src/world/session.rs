//! Sessions of assumed roles: temporary keys, each with a token and an end.

use std::collections::BTreeMap;

use crate::secret::Secret;
use crate::world::account::Caller;
use crate::world::{Moment, World};

/// How long the end of a session is remembered: until then its key is known, and answered as expired.
const REMEMBERED_MILLISECONDS: i64 = 24 * 3600 * 1000;

/// A temporary key.
#[derive(Debug, Clone)]
pub struct Session {
    /// What it signs with.
    pub secret: Secret,
    /// What has to come with every call.
    pub token: Secret,
    /// Who it stands for.
    pub caller: Caller,
    /// Its end.
    pub expires: Moment,
}

/// Sessions by key id.
#[derive(Debug, Clone, Default)]
pub struct Sessions(BTreeMap<String, Session>);

impl Sessions {
    /// Adds a session; long ended ones are forgotten.
    pub fn add(&mut self, key_id: String, session: Session, now: Moment) {
        self.0.retain(|_, own| own.expires + REMEMBERED_MILLISECONDS > now);
        self.0.insert(key_id, session);
    }

    /// The session of a key.
    pub fn find(&self, key_id: &str) -> Option<&Session> {
        self.0.get(key_id)
    }

    /// Ends a session now.
    pub fn end(&mut self, key_id: &str, now: Moment) {
        if let Some(session) = self.0.get_mut(key_id) {
            session.expires = session.expires.min(now);
        }
    }
}

/// What a caller has to know to be believed.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Who it is then.
    pub caller: Caller,
    /// What it signs with.
    pub secret: Secret,
    /// Token and end, for a temporary key.
    pub token: Option<(Secret, Moment)>,
}

impl World {
    /// The credential of a key id.
    pub fn credential(&self, key_id: &str) -> Option<Credential> {
        let account = &self.account;
        let lasting = |caller, secret: &Secret| Credential { caller, secret: secret.clone(), token: None };
        if key_id == account.access_key_id {
            return Some(lasting(Caller::Root, &account.access_key_secret));
        }
        if key_id == account.user.access_key_id {
            return Some(lasting(Caller::User, &account.user.access_key_secret));
        }
        let session = self.sessions.find(key_id)?;
        Some(Credential {
            caller: session.caller.clone(),
            secret: session.secret.clone(),
            token: Some((session.token.clone(), session.expires)),
        })
    }
}

//! What a client holds: gives the key for the next call, and renews one that ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::base::clock;
use crate::cloud::credentials::error::{CredentialsError, PassedOver, SourceError};
use crate::cloud::credentials::keys::{Keys, Session};
use crate::cloud::credentials::source::{Origin, Source, Tools};

/// How long before its end a key is renewed; Go's library takes the same.
const EARLY: Duration = Duration::from_mins(3);
/// How long after a renewal that failed the next is tried, while the old key is still good.
const PAUSE: Duration = Duration::from_secs(10);
/// How long a renewal may take while the old key is still good: calls wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keys to sign with, kept fresh. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Credentials {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    passed_over: Vec<PassedOver>,
    /// Where new keys come from; none when there are no others.
    renewal: Option<(Source, Tools)>,
    /// Held while a renewal is under way: others wait for its outcome.
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    session: Session,
    /// A renewal failed; none is tried before this.
    paused_until: Option<Instant>,
}

impl Credentials {
    /// Keys that are known and stay as they are.
    pub fn fixed(keys: Keys, name: impl Into<String>) -> Self {
        Self::holding(name.into(), Session::lasting(keys), None, Vec::new())
    }

    /// What the chain found.
    pub(super) fn found(
        origin: Origin,
        session: Session,
        tools: Tools,
        passed_over: Vec<PassedOver>,
    ) -> Self {
        let name = match &session.role {
            Some(role) => format!("{} (role `{role}`)", origin.name),
            None => origin.name,
        };
        let renewal = origin.source.is_renewable().then_some((origin.source, tools));
        Self::holding(name, session, renewal, passed_over)
    }

    fn holding(
        name: String,
        session: Session,
        renewal: Option<(Source, Tools)>,
        passed_over: Vec<PassedOver>,
    ) -> Self {
        let held = Mutex::new(Held { session, paused_until: None });
        Self { shared: Arc::new(Shared { name, passed_over, renewal, held }) }
    }

    /// Where the keys come from, for people: `environment`, ``profile `work` (RamRoleArn acs:ram::1:role/deploy)``.
    pub fn source(&self) -> &str {
        &self.shared.name
    }

    /// The links of the chain that were tried before, with the reason why each gave no key.
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.shared.passed_over
    }

    /// The keys for a call that is made now.
    ///
    /// Keys that end within three minutes are renewed first; one caller does it, the others wait. When that fails
    /// or takes longer than five seconds, the old keys are given for as long as they are good.
    ///
    /// # Errors
    /// When they have ended and there are no new ones.
    pub async fn current(&self) -> Result<Keys, CredentialsError> {
        let mut held = self.shared.held.lock().await;
        let Some((source, tools)) = &self.shared.renewal else {
            return Ok(held.session.keys.clone());
        };
        let still_good = held.session.lasts(clock::now(), Duration::ZERO);
        let paused = still_good && held.paused_until.is_some_and(|end| Instant::now() < end);
        if paused || held.session.lasts(clock::now(), EARLY) {
            return Ok(held.session.keys.clone());
        }
        let mut fetch = source.fetch(tools);
        let renewed = match tokio::time::timeout(PATIENCE, &mut fetch).await {
            Ok(renewed) => renewed,
            Err(_) if held.session.lasts(clock::now(), Duration::ZERO) => {
                Err(SourceError::Slow { limit: PATIENCE })
            }
            Err(_) => fetch.await,
        };
        match renewed {
            Ok(session) => held.take(session),
            Err(error) if held.session.lasts(clock::now(), Duration::ZERO) => {
                tracing::warn!("cannot renew the access key from {} yet: {error}", self.shared.name);
                held.paused_until = Some(Instant::now() + PAUSE);
            }
            Err(source) => return Err(self.not_renewed(source)),
        }
        Ok(held.session.keys.clone())
    }

    /// Other keys in place of some that the cloud refused as ended; none when there are no others.
    ///
    /// # Errors
    /// When there are no new ones.
    pub async fn instead_of(&self, refused: &Keys) -> Result<Option<Keys>, CredentialsError> {
        let Some((source, tools)) = &self.shared.renewal else {
            return Ok(None);
        };
        let mut held = self.shared.held.lock().await;
        // Somebody else's call may have been refused first.
        if held.session.keys == *refused {
            let session = source.fetch(tools).await.map_err(|source| self.not_renewed(source))?;
            held.take(session);
        }
        Ok(Some(held.session.keys.clone()).filter(|keys| keys != refused))
    }

    fn not_renewed(&self, source: SourceError) -> CredentialsError {
        CredentialsError::NotRenewed { from: self.shared.name.clone(), source }
    }
}

impl Held {
    fn take(&mut self, session: Session) {
        *self = Self { session, paused_until: None };
    }
}

//! Client tokens: the same token and parameters give the first answer again.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::wire::ApiError;

/// Where a token counts: an action in a region.
pub type Scope = String;

/// Answers by scope and token.
#[derive(Debug, Clone, Default)]
pub struct Tokens(BTreeMap<(Scope, String), Stored>);

#[derive(Debug, Clone)]
struct Stored {
    fingerprint: String,
    answer: Result<Value, ApiError>,
    /// Whether the first answer is still under way.
    in_progress: bool,
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The first answer.
    Answer(Result<Value, ApiError>),
    /// It was used for another request.
    Mismatch,
    /// The first call is still under way.
    InProgress,
}

impl Tokens {
    /// What is known of a token, when it was used before.
    pub fn find(&self, scope: &Scope, token: &str, fingerprint: &str) -> Option<Found> {
        let stored = self.0.get(&(scope.clone(), token.to_owned()))?;
        Some(if stored.fingerprint != fingerprint {
            Found::Mismatch
        } else if stored.in_progress {
            Found::InProgress
        } else {
            Found::Answer(stored.answer.clone())
        })
    }

    /// Keeps an answer. A 4xx is kept too, unless it speaks of a state that passes: official clients send the
    /// same token again after those. What a token was answered first is never replaced.
    pub fn store(&mut self, scope: Scope, token: &str, fingerprint: &str, answer: &Result<Value, ApiError>) {
        if answer.as_ref().is_err_and(ApiError::passes_by_itself) {
            return;
        }
        let fingerprint = fingerprint.to_owned();
        let stored = Stored { fingerprint, answer: answer.clone(), in_progress: false };
        self.0.entry((scope, token.to_owned())).or_insert(stored);
    }

    /// Whether a token was used before, for whatever request.
    pub fn knows(&self, scope: &Scope, token: &str) -> bool {
        self.0.contains_key(&(scope.clone(), token.to_owned()))
    }

    /// Says whether the first answer to a token is still under way, though its effect has happened.
    pub fn set_in_progress(&mut self, scope: &Scope, token: &str, in_progress: bool) {
        if let Some(stored) = self.0.get_mut(&(scope.clone(), token.to_owned())) {
            stored.in_progress = in_progress;
        }
    }
}

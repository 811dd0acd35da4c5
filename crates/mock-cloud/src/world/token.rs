//! Client tokens: the same token and parameters give the first answer again.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::wire::ApiError;

/// Answers by action and token.
#[derive(Debug, Default)]
pub struct Tokens(BTreeMap<(String, String), Stored>);

#[derive(Debug)]
struct Stored {
    fingerprint: String,
    answer: Result<Value, ApiError>,
}

impl Tokens {
    /// The first answer to this token, when there was one.
    ///
    /// # Errors
    /// `IdempotentParameterMismatch` inside the answer when the parameters differ.
    pub fn find(&self, action: &str, token: &str, fingerprint: &str) -> Option<Result<Value, ApiError>> {
        let stored = self.0.get(&(action.to_owned(), token.to_owned()))?;
        if stored.fingerprint == fingerprint {
            return Some(stored.answer.clone());
        }
        let message = "The request uses the same client token as a previous, but non-identical request.";
        Some(Err(ApiError::bad_request("IdempotentParameterMismatch", message)))
    }

    /// Keeps an answer. A 4xx is kept too, unless it speaks of a state that passes: official clients send the
    /// same token again after those.
    pub fn store(&mut self, action: &str, token: &str, fingerprint: &str, answer: &Result<Value, ApiError>) {
        if answer.as_ref().is_err_and(ApiError::passes_by_itself) {
            return;
        }
        let stored = Stored { fingerprint: fingerprint.to_owned(), answer: answer.clone() };
        self.0.insert((action.to_owned(), token.to_owned()), stored);
    }
}

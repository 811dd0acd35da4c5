//! Asks a service that gives keys; its answers are small, and never repeated in an error.

use reqwest::{RequestBuilder, StatusCode};

use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::issued::garbled;

/// Bytes of an answer that are read at most; a key has about one thousand.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Sends a request and reads its answer, which must have status 200.
pub(super) async fn ask(service: &str, request: RequestBuilder) -> Result<Vec<u8>, SourceError> {
    let unreachable = |error: reqwest::Error| SourceError::Unreachable {
        service: service.to_owned(),
        error: error.without_url(),
    };
    let mut answer = request.send().await.map_err(unreachable)?;
    if answer.status() != StatusCode::OK {
        return Err(SourceError::Status { service: service.to_owned(), status: answer.status().as_u16() });
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(unreachable)? {
        body.extend_from_slice(&part);
        if body.len() > LARGEST_ANSWER {
            return Err(garbled(service, "it is too large"));
        }
    }
    Ok(body)
}

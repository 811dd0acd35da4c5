//! How a request for object storage gets there: signed with version 4 and the key of the moment, over the network that
//! all calls use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream;
use http::request::Parts;
use opendal::{Buffer, HttpBody, HttpTransport};
use reqsign_aliyun_oss::{Credential, RequestSigner, SigningVersion};
use reqsign_core::{Context, SignRequest};
use tokio::time::Instant;

use crate::base::ids::RegionId;
use crate::cloud::credentials::{Credentials, Keys};
use crate::cloud::endpoint::StorageHost;
use crate::cloud::http::{Answer, Carrier, Network, NoAnswer};
use crate::cloud::oss::bucket_url;
use crate::cloud::oss::error::{Attempt, BucketError, element, is_ended_key, is_for_the_reader};
use crate::cloud::request::host_and_port;
use crate::cloud::transport::{CALLS, Client};

/// Signs and sends. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Signing(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    credentials: Option<Credentials>,
    signer: RequestSigner,
    network: Network,
    host: StorageHost,
    bucket: String,
    answered: AtomicBool,
}

impl Signing {
    pub(super) fn new(client: &Client, bucket: &str, region: &RegionId, host: StorageHost) -> Self {
        let signer =
            RequestSigner::new(bucket).with_region(region.as_str()).with_signing_version(SigningVersion::V4);
        Self(Arc::new(Shared {
            credentials: client.credentials().cloned(),
            signer,
            network: Network::default(),
            host,
            bucket: bucket.to_owned(),
            answered: AtomicBool::new(false),
        }))
    }

    /// Whether there ever was an answer.
    pub(super) fn has_answered(&self) -> bool {
        self.0.answered.load(Ordering::Relaxed)
    }

    /// Asks something of the bucket itself, and gives what it answered.
    pub(super) async fn bucket_request(
        &self,
        method: reqwest::Method,
        question: Option<&str>,
    ) -> Result<Vec<u8>, Attempt> {
        let url = bucket_url(&self.0.host, &self.0.bucket, question);
        let built = http::Request::builder().method(method).uri(url.as_str()).body(Vec::new());
        let (parts, body) = built.expect("a URL and a method make a request").into_parts();
        Ok(self.0.send(parts, body).await?.body)
    }
}

impl Shared {
    /// One attempt, and a second one with a new key when that of the first has ended.
    async fn send(&self, parts: Parts, body: Vec<u8>) -> Result<Answer, Attempt> {
        let Some(credentials) = &self.credentials else {
            return self.send_with(parts, body, None).await;
        };
        let unsigned = |source| {
            let (bucket, source) = (self.bucket.clone(), Box::new(source));
            Attempt::final_of(BucketError::Unsigned { bucket, source })
        };
        let keys = credentials.current().await.map_err(unsigned)?;
        match self.send_with(parts.clone(), body.clone(), Some(&keys)).await {
            Err(attempt) if is_ended_key(&attempt.error) => {
                match credentials.instead_of(&keys).await.map_err(unsigned)? {
                    Some(keys) => self.send_with(parts, body, Some(&keys)).await,
                    None => Err(attempt),
                }
            }
            outcome => outcome,
        }
    }

    async fn send_with(
        &self,
        mut parts: Parts,
        body: Vec<u8>,
        keys: Option<&Keys>,
    ) -> Result<Answer, Attempt> {
        self.name_the_bucket(&mut parts);
        let credential = keys.map(credential);
        let context = Context::new();
        let signed = self.signer.sign_request(&context, &mut parts, credential.as_ref(), None).await;
        signed.map_err(|error| Attempt::final_of(self.garbled(&error)))?;
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let request = http::Request::from_parts(parts, body);
        let request =
            reqwest::Request::try_from(request).map_err(|error| Attempt::final_of(self.garbled(&error)))?;
        let host = host_and_port(request.url());
        let began = Instant::now();
        let answer = self.network.carry(request).await;
        let took = format!("{:.1}ms", began.elapsed().as_secs_f64() * 1e3);
        let answer = match answer {
            Ok(answer) => answer,
            Err(source) => {
                tracing::info!(target: CALLS, %took, "oss:{method} {path} without an answer");
                let passes = !matches!(source, NoAnswer::Unsent(_));
                let bucket = self.bucket.clone();
                return Err(Attempt { error: BucketError::Unreachable { bucket, host, source }, passes });
            }
        };
        self.answered.store(true, Ordering::Relaxed);
        let code =
            element(&answer.body, "Code").filter(|_| answer.status >= 300).map(tracing::field::display);
        let request_id = answer.header("x-oss-request-id").map(tracing::field::display);
        tracing::info!(target: CALLS, status = answer.status, code, request_id, %took, "oss:{method} {path}");
        if (200..300).contains(&answer.status) || is_for_the_reader(&answer) {
            return Ok(answer);
        }
        Err(Attempt::refused(&self.bucket, &answer))
    }

    /// What is asked of a bucket in the path style has a slash behind its name: so it is signed.
    fn name_the_bucket(&self, parts: &mut Parts) {
        if matches!(self.host, StorageHost::OneAddress(_)) && parts.uri.path() == format!("/{}", self.bucket)
        {
            let bare = format!("/{}", self.bucket);
            let named = parts.uri.to_string().replacen(&bare, &format!("{bare}/"), 1);
            if let Ok(uri) = named.parse() {
                parts.uri = uri;
            }
        }
    }

    fn garbled(&self, error: &dyn std::fmt::Display) -> BucketError {
        BucketError::Garbled { bucket: self.bucket.clone(), what: error.to_string() }
    }
}

impl HttpTransport for Signing {
    async fn fetch(&self, request: http::Request<Buffer>) -> opendal::Result<http::Response<HttpBody>> {
        let (parts, body) = request.into_parts();
        let answer = self.0.send(parts, body.to_vec()).await.map_err(Attempt::into_opendal)?;
        let size = answer.body.len() as u64;
        let content = stream::iter([Ok(Buffer::from(answer.body))]);
        let mut response = http::Response::new(HttpBody::new(content, Some(size)));
        *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or_default();
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

fn credential(keys: &Keys) -> Credential {
    Credential {
        access_key_id: keys.access_key_id.clone(),
        access_key_secret: keys.access_key_secret.expose().clone(),
        security_token: keys.security_token.as_ref().map(|token| token.expose().clone()),
        expires_in: None,
    }
}

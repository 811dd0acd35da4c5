//! How a request gets to the cloud and its answer back: over the network, or through whatever stands in for it.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use reqwest::{Request, Url};

/// How long one attempt may take: the slowest answers of the real cloud take a few seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Takes a signed request to the cloud and brings its answer back, once: who calls decides what is tried again.
pub trait Carrier: fmt::Debug + Send + Sync {
    /// One attempt. An answer of any status is an answer.
    ///
    /// # Errors
    /// How far the attempt came, when there was no answer.
    fn carry(&self, request: Request) -> BoxFuture<'_, Result<Answer, NoAnswer>>;
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there was none; the cause never holds the address, whose query may hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The request is none: it was not sent and never will be.
    #[error(transparent)]
    Unsent(Box<dyn std::error::Error + Send + Sync>),
    /// There was no connection: it was not sent.
    #[error(transparent)]
    Unconnected(Box<dyn std::error::Error + Send + Sync>),
    /// It may have been sent, and done.
    #[error(transparent)]
    Lost(Box<dyn std::error::Error + Send + Sync>),
}

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> Self {
        let how = if error.is_builder() {
            Self::Unsent
        } else if error.is_connect() {
            Self::Unconnected
        } else {
            Self::Lost
        };
        how(Box::new(error.without_url()))
    }
}

/// The network; connections of each kind are made when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Network {
    secured: OnceLock<reqwest::Client>,
    plain: OnceLock<reqwest::Client>,
}

impl Network {
    /// The connections for an address.
    fn of(&self, url: &Url) -> &reqwest::Client {
        if url.scheme() == "https" {
            self.secured.get_or_init(|| built(reqwest::Client::builder()))
        } else {
            self.plain.get_or_init(|| built(without_tls()))
        }
    }
}

impl Carrier for Network {
    fn carry(&self, request: Request) -> BoxFuture<'_, Result<Answer, NoAnswer>> {
        Box::pin(async move {
            let mut answer = self.of(request.url()).execute(request).await?;
            let status = answer.status().as_u16();
            let headers = std::mem::take(answer.headers_mut());
            let body = answer.bytes().await?.into();
            Ok(Answer { status, headers, body })
        })
    }
}

/// A client for what is plain: it goes through no proxy, since it stays on the loopback, and does not read the
/// certificates of the machine, which takes longer than many calls.
pub fn without_tls() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().tls_certs_only([])
}

fn built(client: reqwest::ClientBuilder) -> reqwest::Client {
    client
        .timeout(ATTEMPT_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("albatross/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("the TLS library starts")
}

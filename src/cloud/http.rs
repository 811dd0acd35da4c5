//! Connections to the cloud.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Url;

/// How long one attempt may take: the slowest answers of the real cloud take a few seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections, each kind made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Http {
    secured: OnceLock<reqwest::Client>,
    plain: OnceLock<reqwest::Client>,
}

impl Http {
    /// Those for an address. What is plain goes through no proxy: it stays on the loopback.
    pub(super) fn of(&self, url: &Url) -> &reqwest::Client {
        if url.scheme() == "https" {
            self.secured.get_or_init(|| built(settings()))
        } else {
            self.plain.get_or_init(|| built(settings().no_proxy()))
        }
    }
}

fn settings() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .timeout(ATTEMPT_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("albatross/", env!("CARGO_PKG_VERSION")))
}

fn built(settings: reqwest::ClientBuilder) -> reqwest::Client {
    settings.build().expect("the TLS library starts")
}

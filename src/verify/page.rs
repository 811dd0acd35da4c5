//! `page.loads`: what a browser gets first.

use std::net::IpAddr;

use super::check::{Finding, Verdict};
use super::connect::connect;
use super::http::get;
use super::scenario::Scenario;

/// Loads the page from the first vantage point.
pub(super) async fn check(scenario: &Scenario, address: IpAddr) -> Verdict {
    let url = scenario.url("/");
    let wanted = format!("expected the page at {url} with status 200");
    let fail = |seen: String| {
        Finding::new(format!("{wanted}, but {seen}")).with("address", address).hint(format!("curl -v {url}"))
    };
    let stream = connect(scenario, &scenario.sources[0], address).await;
    let stream = stream.map_err(|error| fail(error.to_string()))?;
    let response = get(scenario, stream, (&scenario.authority(), "/")).await.map_err(fail)?;
    let server = response.header("x-chat-node").to_owned();
    if response.status != 200 {
        let reason = response.likely();
        let finding = fail(format!("the status is {}{reason}", response.status));
        return Err(finding.with("status", response.status).with("node", server));
    }
    let kind = response.header("content-type");
    if !kind.starts_with("text/html") || response.body.trim().is_empty() {
        return Err(fail(format!("what came is `{kind}` with {} bytes", response.body.len())));
    }
    let sentence = format!("{url} answered 200 with {} bytes of HTML", response.body.len());
    Ok(Finding::new(sentence).with("address", address).with("node", server))
}

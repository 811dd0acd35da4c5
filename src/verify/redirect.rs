//! `http.redirects`: who comes by plain HTTP is led to https, and arrives there.

use std::net::IpAddr;

use super::check::{Finding, Verdict};
use super::connect::{connect, connect_plain};
use super::http::get;
use super::scenario::{Scenario, authority};

/// Statuses that lead elsewhere.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];
/// A query too, to see that it is kept.
const PATH: &str = "/?from=verify";
/// The port of plain HTTP that no address names.
const PLAIN_PORT: u16 = 80;

/// Asks by plain HTTP and follows the answer.
pub(super) async fn check(scenario: &Scenario, address: IpAddr, port: u16) -> Verdict {
    let plain = authority(&scenario.host, port, PLAIN_PORT);
    let wanted = scenario.url(PATH);
    let fail = |seen: String| {
        Finding::new(format!("expected http://{plain}{PATH} to lead to {wanted}, but {seen}"))
            .with("address", address)
            .hint(format!("curl -v 'http://{plain}{PATH}'; `albatross plan FILE` shows what differs"))
    };
    let here = &scenario.sources[0];
    let stream = connect_plain(scenario, here, (address, port)).await;
    let stream = stream.map_err(|error| fail(error.to_string()))?;
    let response = get(scenario, stream, (&plain, PATH)).await.map_err(fail)?;
    let (status, location) = (response.status, response.header("location").to_owned());
    let told = |finding: Finding| finding.with("status", status).with("location", &location);
    if !REDIRECTS.contains(&status) {
        return Err(told(fail(format!("the status is {status}{}", response.likely()))));
    }
    if !is_same(&location, &wanted, &scenario.host) {
        return Err(told(fail(format!("it leads to `{location}`"))));
    }
    let stream = connect(scenario, here, address).await;
    let stream = stream.map_err(|error| told(fail(format!("there {error}"))))?;
    let response = get(scenario, stream, (&scenario.authority(), PATH)).await;
    let response = response.map_err(|why| told(fail(format!("there {why}"))))?;
    if response.status != 200 {
        return Err(told(fail(format!("there the status is {}{}", response.status, response.likely()))));
    }
    Ok(told(Finding::new(format!("http://{plain}/ leads to {} with status {status}", scenario.url("/"))))
        .with("address", address))
}

/// Whether two addresses are the same, the port of https written out or not.
fn is_same(location: &str, wanted: &str, host: &str) -> bool {
    let plain = |url: &str| url.replacen(&format!("https://{host}:443/"), &format!("https://{host}/"), 1);
    plain(location) == plain(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_https_may_be_written_out() {
        let same = |location| is_same(location, "https://example.com/?a", "example.com");
        assert!(same("https://example.com/?a") && same("https://example.com:443/?a"));
        assert!(!same("https://example.com:8443/?a") && !same("http://example.com/?a"));
        assert!(!same("https://example.com.evil.test/?a") && !same("https://example.com/"));
    }
}

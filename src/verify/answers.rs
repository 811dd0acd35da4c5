//! `http.answers`: a page of any service, from both places: status, body and headers as the topology expects them.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::check::{Finding, Verdict};
use super::connect::connect;
use super::http::{Response, get};
use super::scenario::{Page, Scenario, Vantage};

/// How much of a body is shown where another one was expected.
const SHOWN: usize = 120;

/// Asks from the first place, then from the second.
pub(super) async fn check(scenario: &Scenario, page: &Page, addresses: &[IpAddr]) -> Verdict {
    let url = scenario.url(&page.path);
    let mut finding = Finding::default();
    let mut sizes = Vec::new();
    for (index, (vantage, letter)) in scenario.sources.iter().zip(["a", "b"]).enumerate() {
        let address = addresses[index % addresses.len()];
        let seen = ask(scenario, page, vantage, address).await;
        let response = seen.map_err(|(why, response)| {
            let failed = Finding::new(format!("expected {url} from {vantage} {}, but {why}", page.wanted()))
                .with("address", address)
                .with(&format!("source_{letter}"), vantage.told())
                .hint(format!("curl -v '{url}'"));
            let Some(response) = response else { return failed };
            let body: String = response.body.chars().take(SHOWN).collect();
            failed.with("status", response.status).with("body", body)
        })?;
        sizes.push(response.body.len().to_string());
        finding = finding
            .with(&format!("source_{letter}"), vantage.told())
            .with(&format!("address_{letter}"), address)
            .with(&format!("bytes_{letter}"), response.body.len())
            .with("status", response.status);
    }
    let sizes = sizes.join(" and ");
    finding.sentence = format!("{url} answers {} from two places, with {sizes} bytes", page.wanted());
    Ok(finding)
}

async fn ask(
    scenario: &Scenario,
    page: &Page,
    vantage: &Vantage,
    address: IpAddr,
) -> Result<Response, (String, Option<Response>)> {
    let stream = connect(scenario, vantage, address).await.map_err(|error| (error.to_string(), None))?;
    let response = get(scenario, stream, (&scenario.authority(), &page.path)).await;
    let response = response.map_err(|why| (why, None))?;
    match page.objection(&response) {
        Some(why) => Err((why, Some(response))),
        None => Ok(response),
    }
}

impl Page {
    /// What is expected, as part of a sentence.
    fn wanted(&self) -> String {
        let mut words = format!("with status {}", self.status);
        for (name, value) in &self.headers {
            let _ = write!(words, ", `{value}` in {name}");
        }
        if let Some(body) = &self.body {
            let shown: String = body.chars().take(SHOWN).collect();
            let _ = write!(words, ", `{shown}` in its body");
        }
        words
    }

    /// What of an answer is not as expected.
    fn objection(&self, response: &Response) -> Option<String> {
        if response.status != self.status {
            return Some(format!("the status is {}{}", response.status, response.likely()));
        }
        for (name, value) in &self.headers {
            let mut found = response.headers_of(name).peekable();
            if found.peek().is_none() {
                return Some(format!("there is no header {name}"));
            }
            let found: Vec<&str> = found.collect();
            if !found.iter().any(|one| one.contains(value.as_str())) {
                return Some(format!("{name} is `{}`", found.join("`, `")));
            }
        }
        let body = self.body.as_ref().filter(|body| !response.body.contains(body.as_str()))?;
        let bytes = response.body.len();
        Some(format!("its {bytes} bytes do not have `{}`", body.chars().take(SHOWN).collect::<String>()))
    }
}

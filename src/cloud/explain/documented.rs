//! Which actions give which code, and from where that is known.
//!
//! `documented.txt` holds the codes of the official API metadata for every action of ECS, VPC, ALB, Alidns, Redis, CAS
//! and STS that matters here, those of the gateway in front of all products (`*`), and those that official clients
//! are prepared for though no page lists them (`client`). One line a code: the code, then `Product.Action/status`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Where a code was documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An action's own list.
    Action {
        /// `Ecs`, `Vpc`, `Alb`, `Alidns`, `R-kvstore`, `cas`, `Sts`.
        product: &'static str,
        /// Action.
        action: &'static str,
        /// HTTP status codes it comes with.
        statuses: Vec<u16>,
    },
    /// Any action: the gateway gives it.
    Gateway {
        /// HTTP status codes it comes with.
        statuses: Vec<u16>,
    },
    /// Official clients are prepared for it at an action.
    Client {
        /// As above.
        product: &'static str,
        /// As above.
        action: &'static str,
    },
}

const TEXT: &str = include_str!("documented.txt");

/// Every documented code with its sources.
pub fn all() -> &'static BTreeMap<&'static str, Vec<Source>> {
    static CODES: OnceLock<BTreeMap<&'static str, Vec<Source>>> = OnceLock::new();
    CODES.get_or_init(|| TEXT.lines().filter(|line| !line.starts_with('#')).filter_map(read).collect())
}

/// The sources of a code; none when nothing documents it.
pub fn sources(code: &str) -> &'static [Source] {
    all().get(code).map(Vec::as_slice).unwrap_or_default()
}

fn read(line: &'static str) -> Option<(&'static str, Vec<Source>)> {
    let mut words = line.split(' ');
    let code = words.next().filter(|code| !code.is_empty())?;
    Some((code, words.filter_map(source).collect()))
}

fn source(word: &'static str) -> Option<Source> {
    let (place, statuses) = word.split_once('/')?;
    if statuses == "client" {
        let (product, action) = place.split_once('.')?;
        return Some(Source::Client { product, action });
    }
    let statuses = statuses.split(',').filter_map(|status| status.parse().ok()).collect();
    if place == "*" {
        return Some(Source::Gateway { statuses });
    }
    let (product, action) = place.split_once('.')?;
    Some(Source::Action { product, action, statuses })
}

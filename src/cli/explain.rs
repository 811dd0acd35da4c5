//! `albatross explain [CODE]`: codes of the cloud, rules for topologies, exit codes.

use std::collections::BTreeSet;

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::render::explanation::{self, Given, Retried, Told};
use crate::cloud::Product;
use crate::cloud::explain::documented::{self, Source};
use crate::cloud::explain::{self, AREAS, handled};
use crate::cloud::retry;
use crate::state;
use crate::topology::explain as rules;

/// How alike a code must be to be suggested, from 0 to 1.
const ALIKE: f64 = 0.85;
/// How many are suggested.
const SUGGESTED: usize = 3;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A code of the cloud such as `OperationDenied.NoStock`, a rule such as `cidr-overlap`, or an exit code
    code: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.code {
        Some(code) => {
            let told =
                of_rule(code).or_else(|| of_exit(code)).or_else(|| of_state(code)).or_else(|| of_cloud(code));
            explanation::print(&told.ok_or_else(|| unknown(code))?, arguments.json);
        }
        None => explanation::print_list(&list(), arguments.json),
    }
    Ok(ExitStatus::Done)
}

fn of_rule(code: &str) -> Option<Told> {
    let rule = rules::find(code)?;
    Some(Told {
        kind: "rule",
        code: code.to_owned(),
        means: rule.means.to_owned(),
        why: Some(rule.why.to_owned()),
        next: Some(rule.next.to_owned()),
        given: Vec::new(),
        retried: None,
        handled: None,
    })
}

fn of_exit(code: &str) -> Option<Told> {
    let number: u8 = code.parse().ok()?;
    let status = ExitStatus::ALL.into_iter().find(|status| status.code() == number)?;
    Some(Told {
        kind: "exit",
        code: format!("exit code {number}"),
        means: status.means().to_owned(),
        why: None,
        next: Some(status.next().to_owned()),
        given: Vec::new(),
        retried: None,
        handled: None,
    })
}

fn of_state(code: &str) -> Option<Told> {
    let error = state::explain::find(code)?;
    Some(Told {
        kind: "state",
        code: code.to_owned(),
        means: error.means.to_owned(),
        why: Some(error.why.to_owned()),
        next: Some(error.next.to_owned()),
        given: Vec::new(),
        retried: None,
        handled: None,
    })
}

/// A code with words of its own, one that is documented, or one of missing permission.
fn of_cloud(code: &str) -> Option<Told> {
    let sources = documented::sources(code);
    let own = explain::exact(code);
    // A policy's refusal may carry the name of what it refused; the documentation cannot list those.
    if own.is_none() && sources.is_empty() && !explain::is_missing_permission(code) {
        return None;
    }
    let entry = own.or_else(|| explain::family(code));
    Some(Told {
        kind: "cloud",
        code: code.to_owned(),
        means: entry.map_or("the documentation lists it without more", |entry| entry.means).to_owned(),
        why: entry.map(|entry| entry.why.to_owned()),
        next: entry.map(explain::Explanation::next_in_general),
        given: sources.iter().map(given).collect(),
        retried: Some(retried(sources, code)),
        handled: handled(code),
    })
}

fn given(source: &Source) -> Given {
    match source {
        Source::Action { product, action, statuses } => {
            Given { product: shown(product), action: (*action).to_owned(), statuses: statuses.clone() }
        }
        Source::Gateway { statuses } => {
            Given { product: "any product".to_owned(), action: String::new(), statuses: statuses.clone() }
        }
        Source::Client { product, action } => {
            Given { product: shown(product), action: (*action).to_owned(), statuses: Vec::new() }
        }
    }
}

fn shown(name: &str) -> String {
    Product::of_name(name).map_or_else(|| name.to_owned(), |product| product.name().to_owned())
}

/// Which actions are sent again after a code.
fn retried(sources: &[Source], code: &str) -> Retried {
    let of_gateway = sources.iter().any(|source| match source {
        Source::Gateway { statuses } => {
            statuses.first().is_some_and(|status| retry::is_passing(Product::Sts, "", *status, code))
        }
        Source::Action { .. } | Source::Client { .. } => false,
    });
    if of_gateway || retry::is_passing_anywhere(code) {
        return Retried::Every;
    }
    let is_sent_again = |of: Product, name: &str| {
        let documented = sources.iter().filter_map(|source| match source {
            Source::Action { product: own, action, statuses }
                if *action == name && Product::of_name(own) == Some(of) =>
            {
                statuses.first().copied()
            }
            Source::Action { .. } | Source::Gateway { .. } | Source::Client { .. } => None,
        });
        documented.chain([400]).any(|status| retry::is_passing(of, name, status, code))
    };
    let again = retry::ruled().filter(|(product, action)| is_sent_again(*product, action));
    let actions: BTreeSet<&str> = again.map(|(_, action)| action).collect();
    Retried::Some(actions.into_iter().map(ToOwned::to_owned).collect())
}

/// What is done about a code in another way.
fn handled(code: &str) -> Option<String> {
    let absent: Vec<&str> = retry::taken_as_absent(code).into_iter().map(|(_, action)| action).collect();
    let absent = (!absent.is_empty())
        .then(|| format!("{}: taken as a sign that it is not there, so a delete is done", absent.join(", ")));
    let done: Vec<String> = handled::instead(code).map(ToOwned::to_owned).into_iter().chain(absent).collect();
    (!done.is_empty()).then(|| done.join("; "))
}

/// Everything that has words of its own, by area.
fn list() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let cloud = AREAS.iter().map(|area| {
        let rows = area.entries.iter().flat_map(|entry| entry.codes.iter().map(|code| (*code, entry.means)));
        (area.name, rows.collect())
    });
    let states = state::explain::ERRORS.iter().map(|error| (error.code, error.means)).collect();
    let rules = rules::rules().map(|rule| (rule.code, rule.means)).collect();
    cloud.chain([("Shared state", states), ("Rules for topologies", rules)]).collect()
}

fn unknown(code: &str) -> Failure {
    let nearest = nearest(code);
    let mut hint = match nearest.split_last() {
        None => "`albatross explain` lists what is known".to_owned(),
        Some((only, [])) => format!("did you mean `{only}`?"),
        Some((last, rest)) => format!("did you mean `{}` or `{last}`?", rest.join("`, `")),
    };
    if let Some(family) = explain::family(code) {
        let stop = if hint.ends_with('?') { "" } else { "." };
        hint =
            format!("{hint}{stop} Codes of this form mean: {}; {}", family.means, family.next_in_general());
    }
    Failure::saying(ExitStatus::Usage, format!("nothing is known about the code `{code}`"), hint)
}

/// Known codes most like a mistyped one, the nearest first.
fn nearest(typed: &str) -> Vec<&'static str> {
    let typed = typed.to_ascii_lowercase();
    let own = AREAS.iter().flat_map(|area| area.entries).flat_map(|entry| entry.codes.iter().copied());
    let states = state::explain::ERRORS.iter().map(|error| error.code);
    let rules = rules::rules().map(|rule| rule.code);
    let known = documented::all().keys().copied().chain(own).chain(states).chain(rules);
    let likeness = |code: &'static str| (strsim::jaro_winkler(&typed, &code.to_ascii_lowercase()), code);
    let mut alike: Vec<(f64, &'static str)> = known.map(likeness).filter(|(like, _)| *like > ALIKE).collect();
    alike.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    alike.dedup();
    alike.into_iter().take(SUGGESTED).map(|(_, code)| code).collect()
}

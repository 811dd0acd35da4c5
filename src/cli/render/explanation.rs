//! Shows what a code means, or the list of codes.

use anstyle::Style;
use serde_json::{Value, json};

use crate::cli::render::wrapped;

/// Columns a paragraph may have.
const WIDTH: usize = 100;
/// Columns of the words in front of a paragraph.
const MARGIN: usize = 10;

/// What is said about a code.
#[derive(Debug)]
pub(crate) struct Told {
    /// `cloud`, `rule` or `exit`.
    pub kind: &'static str,
    /// The code.
    pub code: String,
    /// One sentence.
    pub means: String,
    /// How one comes to meet it.
    pub why: Option<String>,
    /// What to do.
    pub next: Option<String>,
    /// Which calls give it.
    pub given: Vec<Given>,
    /// Which calls Albatross sends again by itself; none where there is no call.
    pub retried: Option<Retried>,
    /// What Albatross does instead of showing the code or sending the same call again.
    pub handled: Option<String>,
}

/// Which calls are sent again by themselves.
#[derive(Debug)]
pub(crate) enum Retried {
    /// Whichever gave the code.
    Every,
    /// Those of these actions; none when the list is empty.
    Some(Vec<String>),
}

impl Retried {
    fn words(&self) -> String {
        match self {
            Self::Every => "yes, for every action".to_owned(),
            Self::Some(actions) if actions.is_empty() => "no: the same call is not sent again".to_owned(),
            Self::Some(actions) => format!("yes, for {}", actions.join(", ")),
        }
    }

    fn is_any(&self) -> bool {
        matches!(self, Self::Every) || matches!(self, Self::Some(actions) if !actions.is_empty())
    }

    fn actions(&self) -> &[String] {
        match self {
            Self::Every => &[],
            Self::Some(actions) => actions,
        }
    }
}

/// A call that gives a code.
#[derive(Debug)]
pub(crate) struct Given {
    /// Its product as people write it.
    pub product: String,
    /// Its action; empty when all of the product give it.
    pub action: String,
    /// HTTP status codes it comes with, where they are documented.
    pub statuses: Vec<u16>,
}

/// Prints what is said about a code.
pub(crate) fn print(told: &Told, as_json: bool) {
    if as_json {
        anstream::println!("{:#}", to_json(told));
        return;
    }
    let bold = Style::new().bold();
    anstream::println!("{bold}{}{bold:#}: {}\n", told.code, told.means);
    let given = (!told.given.is_empty()).then(|| calls(&told.given));
    let retried = told.retried.as_ref().map(Retried::words);
    for (word, text) in [
        ("why", &told.why),
        ("next", &told.next),
        ("given by", &given),
        ("retried", &retried),
        ("handled", &told.handled),
    ] {
        if let Some(text) = text {
            paragraph(word, text);
        }
    }
}

fn paragraph(word: &str, text: &str) {
    let mut lines = wrapped(text, WIDTH - MARGIN).into_iter();
    anstream::println!("{word:MARGIN$}{}", lines.next().unwrap_or_default());
    for line in lines {
        anstream::println!("{:MARGIN$}{line}", "");
    }
}

/// `ECS RunInstances (403), StartInstances (403); ALB CreateListener (400)`.
fn calls(given: &[Given]) -> String {
    let mut text = String::new();
    let mut product = "";
    for call in given {
        if call.product == product {
            text += ",";
        } else {
            text += if text.is_empty() { "" } else { "; " };
            text += &call.product;
            product = &call.product;
        }
        if !call.action.is_empty() {
            text += " ";
            text += &call.action;
        }
        let statuses: Vec<String> = call.statuses.iter().map(ToString::to_string).collect();
        if !statuses.is_empty() {
            text += " (";
            text += &statuses.join(" or ");
            text.push(')');
        }
    }
    text
}

fn to_json(told: &Told) -> Value {
    let given =
        |call: &Given| json!({"product": call.product, "action": call.action, "statuses": call.statuses});
    json!({
        "version": 1,
        "kind": told.kind,
        "code": told.code,
        "means": told.means,
        "why": told.why,
        "next": told.next,
        "given_by": told.given.iter().map(given).collect::<Vec<_>>(),
        "retried": told.retried.as_ref().map(Retried::is_any),
        "retried_actions": told.retried.as_ref().map(Retried::actions),
        "handled": told.handled,
    })
}

/// Prints all codes, area by area.
pub(crate) fn print_list(areas: &[(&str, Vec<(&str, &str)>)], as_json: bool) {
    if as_json {
        let area = |(name, rows): &(&str, Vec<(&str, &str)>)| {
            let rows = rows.iter().map(|(code, means)| json!({"code": code, "means": means}));
            json!({"area": name, "codes": rows.collect::<Vec<_>>()})
        };
        let areas: Vec<Value> = areas.iter().map(area).collect();
        anstream::println!("{:#}", json!({"version": 1, "areas": areas}));
        return;
    }
    let bold = Style::new().bold();
    for (name, rows) in areas {
        anstream::println!("{bold}{name}{bold:#}");
        let width = rows.iter().map(|(code, _)| code.len()).max().unwrap_or(0);
        for (code, means) in rows {
            anstream::println!("  {code:width$}  {means}");
        }
        anstream::println!();
    }
    anstream::println!("`albatross explain CODE` says more, also about codes that are not listed here.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_wrapped_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 3), ["unbreakable"]);
    }

    #[test]
    fn calls_are_grouped_by_product() {
        let call = |product: &str, action: &str, statuses: &[u16]| Given {
            product: product.to_owned(),
            action: action.to_owned(),
            statuses: statuses.to_vec(),
        };
        let given = [call("ECS", "A", &[400, 403]), call("ECS", "B", &[]), call("ALB", "C", &[404])];
        assert_eq!(calls(&given), "ECS A (400 or 403), B; ALB C (404)");
    }
}

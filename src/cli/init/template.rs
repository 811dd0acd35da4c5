//! Topologies that people begin with: the examples, with the values of somebody's own in their lines.

use std::path::PathBuf;

/// What the examples have where everybody has something else.
const REGION: &str = "cn-hangzhou";
const ZONES: [&str; 2] = ["cn-hangzhou-h", "cn-hangzhou-i"];
const RANGE: &str = "203.0.113.0/24";
const DOMAIN: &str = "example.com";
const BINARY: &str = "../target/release/examples/echo_server";
/// Its file is not beside what is written.
const SCHEMA_LINE: &str = "# yaml-language-server:";

/// What a topology is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Template {
    /// Two nodes, Redis on a third machine, a load balancer and a name: the tutorial
    Chatroom,
    /// The same over https, with a redirect
    Https,
    /// The same with a Tair instance in place of the third machine
    Tair,
    /// The least one can write
    Minimal,
    /// A WebSocket server of your own
    OwnApp,
}

/// Values that everybody has other ones of.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub(super) struct Answers {
    /// Name of the stack
    #[arg(long, value_name = "NAME", conflicts_with = "ci")]
    pub(super) stack: Option<String>,
    /// Its region
    #[arg(long, value_name = "REGION", conflicts_with = "ci", requires = "zones")]
    pub(super) region: Option<String>,
    /// Two zones of the region, for the two addresses of the load balancer
    #[arg(long, value_name = "ZONE,ZONE", value_delimiter = ',', num_args = 1, conflicts_with = "ci")]
    pub(super) zones: Vec<String>,
    /// Addresses that SSH is opened to, such as 198.51.100.7/32
    #[arg(long, value_name = "RANGE", conflicts_with = "ci")]
    pub(super) allow_from: Option<String>,
    /// A domain of your account
    #[arg(long, value_name = "DOMAIN", conflicts_with = "ci")]
    pub(super) domain: Option<String>,
    /// The program of your own server
    #[arg(long, value_name = "FILE", conflicts_with = "ci")]
    pub(super) binary: Option<PathBuf>,
}

impl Answers {
    /// Whether they fit each other, as far as no topology tells.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self.zones.len() {
            0 | 2 => Ok(()),
            _ => Err("two zones are needed, as in cn-hangzhou-h,cn-hangzhou-i"),
        }
    }
}

impl Template {
    fn example(self) -> &'static str {
        match self {
            Self::Chatroom => include_str!("../../../examples/chatroom.yaml"),
            Self::Https => include_str!("../../../examples/chatroom-https.yaml"),
            Self::Tair => include_str!("../../../examples/chatroom-tair.yaml"),
            Self::Minimal => include_str!("../../../examples/minimal.yaml"),
            Self::OwnApp => include_str!("../../../examples/own-app.yaml"),
        }
    }

    /// The name of the stack, when nobody gives it another.
    pub(super) fn stack(self) -> &'static str {
        let line = self.example().lines().find_map(|line| line.strip_prefix("stack: "));
        line.unwrap_or_default()
    }

    /// The topology with these values; what is not given stays as it is in the example.
    pub(super) fn text(self, answers: &Answers) -> String {
        let stack = format!("stack: {}", self.stack());
        let mut changes: Vec<(String, String)> = Vec::new();
        let mut change = |from: &str, to: Option<String>| changes.extend(to.map(|to| (from.to_owned(), to)));
        change(&stack, answers.stack.as_ref().map(|name| format!("stack: {}", quoted(name))));
        // Zones first: the region's name is the beginning of theirs.
        for (own, zone) in ZONES.iter().zip(&answers.zones) {
            change(own, Some(quoted(zone)));
        }
        for before in ["region: ", "12345-"] {
            let region = answers.region.as_deref().map(|own| format!("{before}{}", quoted(own)));
            change(&format!("{before}{REGION}"), region);
        }
        change(RANGE, answers.allow_from.as_deref().map(quoted));
        change(DOMAIN, answers.domain.as_deref().map(quoted));
        change(BINARY, answers.binary.as_ref().map(|path| quoted(&path.to_string_lossy())));
        let lines = self.example().lines().filter(|line| !line.starts_with(SCHEMA_LINE));
        let text = lines.fold(String::new(), |text, line| text + &changed(line, &changes) + "\n");
        text.trim_end().to_owned() + "\n"
    }
}

/// What stays as it is in the examples, and is nobody's.
pub(super) fn still_to_change(answers: &Answers) -> Vec<String> {
    let places = [
        ("ssh.allow_from", RANGE, answers.allow_from.is_none()),
        ("dns.domain", DOMAIN, answers.domain.is_none()),
    ];
    let is = |(field, value, is_open): (&str, &str, bool)| {
        is_open.then(|| format!("change `{field}`, which is {value}, before it becomes real"))
    };
    places.into_iter().filter_map(is).collect()
}

/// Plain where that is the same text in YAML, else quoted as in JSON, which YAML reads too.
fn quoted(value: &str) -> String {
    let is_plain = value
        .starts_with(|letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '/'))
        && value.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter))
        && value.chars().any(|letter| letter.is_ascii_alphabetic() || letter == '/');
    if is_plain { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

/// A line with other values, its comment where it was if there is room.
fn changed(line: &str, changes: &[(String, String)]) -> String {
    let present = changes.iter().filter(|(from, _)| line.contains(from));
    present.fold(line.to_owned(), |line, (from, to)| {
        let Some((value, comment)) = line.split_once("  #") else { return line.replace(from, to) };
        let column = line.len() - comment.len() - 1;
        let (value, comment) = (value.trim_end().replace(from, to), comment.replace(from, to));
        format!("{value:width$} #{comment}", width = column.saturating_sub(1))
    })
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::topology::load;

    fn answers() -> Answers {
        Answers {
            stack: Some("talk".to_owned()),
            region: Some("cn-hongkong".to_owned()),
            zones: vec!["cn-hongkong-b".to_owned(), "cn-hongkong-c".to_owned()],
            allow_from: Some("198.51.100.7/32".to_owned()),
            domain: Some("chat.example.org".to_owned()),
            binary: Some("./server".into()),
        }
    }

    #[test]
    fn every_template_takes_every_answer() {
        for template in Template::value_variants() {
            let text = template.text(&answers());
            let topology =
                load(text.as_bytes()).unwrap_or_else(|found| panic!("{template:?}: {found:?}\n{text}"));
            assert_eq!((topology.stack.as_str(), topology.region.as_str()), ("talk", "cn-hongkong"));
            let zones: Vec<&str> = topology.vswitches.values().map(|own| own.zone.as_str()).collect();
            assert_eq!(zones, ["cn-hongkong-b", "cn-hongkong-c"], "{template:?}");
            assert_eq!(topology.ssh.allow_from, ["198.51.100.7/32".parse().unwrap()]);
            assert!(topology.url().contains("chat.example.org"), "{}", topology.url());
            for own in [REGION, RANGE, "/example.com", " example.com", BINARY, SCHEMA_LINE] {
                assert!(!text.contains(own), "{template:?} still has {own}:\n{text}");
            }
        }
    }

    #[test]
    fn without_answers_it_is_the_example() {
        for template in Template::value_variants() {
            let text = template.text(&Answers::default());
            let example = load(template.example().as_bytes()).unwrap();
            assert_eq!(load(text.as_bytes()).unwrap(), example);
        }
        assert_eq!(still_to_change(&Answers::default()).len(), 2);
        assert!(still_to_change(&answers()).is_empty());
    }

    #[test]
    fn comments_stay_in_their_column() {
        let line = "  allow_from: [203.0.113.0/24]                        # the addresses you log in from";
        let other = changed(line, &[(RANGE.to_owned(), "\"198.51.100.7/32\"".to_owned())]);
        assert_eq!(
            other,
            "  allow_from: [\"198.51.100.7/32\"]                     # the addresses you log in from"
        );
        let long = "x".repeat(60);
        let other = changed(line, &[(RANGE.to_owned(), long.clone())]);
        assert_eq!(other, format!("  allow_from: [{long}] # the addresses you log in from"));
    }

    #[test]
    fn what_yaml_reads_otherwise_is_quoted() {
        for plain in ["chat", "cn-hongkong-b", "chat.example.org", "./server", "198.51.100.0/24"] {
            assert_eq!(quoted(plain), plain);
        }
        for (odd, written) in [("1.5", "\"1.5\""), ("a: b", "\"a: b\""), ("@", "\"@\""), ("", "\"\"")] {
            assert_eq!(quoted(odd), written);
        }
    }
}

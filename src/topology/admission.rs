//! Security rules in words: `5000 from load balancer`, `tcp 8000-8100 from 10.0.0.0/8`.
//!
//! ```text
//! rule  = what "from" whom
//! what  = [ "tcp" | "udp" ] ports | service | "icmp" | "all"
//! ports = number | number "-" number
//! whom  = "anywhere" | address | range | "load balancer" | "nodes" | name of an instance
//! ```

use std::ops::Range;

use ipnet::Ipv4Net;

use crate::base::flow::{Flow, Ports};
use crate::topology::findings::{nearest, one_of};
use crate::topology::resolve::parse_range;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Admission<'t> {
    /// What is let in.
    pub flow: Flow,
    /// Who.
    pub from: Whom<'t>,
}

/// Who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whom<'t> {
    /// Those with an address in a range.
    Range(Ipv4Net),
    /// The load balancer, from its vSwitches.
    LoadBalancer,
    /// The instances that the chat node or the app runs on.
    Nodes,
    /// An instance, or all of one declaration.
    Instance(&'t str),
}

/// What is wrong with a rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The bytes meant.
    pub bytes: Range<usize>,
    /// Why.
    pub cause: String,
    /// What to write instead.
    pub help: String,
}

/// Services by name, with the port that each has.
const SERVICES: [(&str, u16); 4] = [("ssh", 22), ("http", 80), ("https", 443), ("redis", 6379)];
const EXAMPLE: &str = "write for example `5000 from load balancer` or `tcp 8000-8100 from 10.0.0.0/8`";

/// A word and where it is.
type Word<'t> = (&'t str, Range<usize>);

/// Reads a rule; `instances` are the names that may stand in it.
pub(super) fn parse<'t>(text: &'t str, instances: &[&str]) -> Result<Admission<'t>, Wrong> {
    let words: Vec<Word<'t>> = words(text).collect();
    let end = text.len()..text.len();
    let whole = 0..text.len();
    let Some((from, before)) =
        words.iter().position(|(word, _)| *word == "from").map(|at| (at, &words[..at]))
    else {
        return Err(without_from(&words, whole));
    };
    let flow = flow(before, &words[from].1)?;
    let from = match &words[from + 1..] {
        [] => {
            let cause = "nobody is named behind `from`".to_owned();
            return Err(Wrong { bytes: end, cause, help: whom_help(None, instances) });
        }
        [("load", _), ("balancer", _)] => Whom::LoadBalancer,
        [(word, bytes)] => whom(word, bytes, instances)?,
        [first, .., last] => {
            let bytes = first.1.start..last.1.end;
            let cause = format!("`{}` is nobody", &text[bytes.clone()]);
            return Err(Wrong { help: whom_help(Some(&text[bytes.clone()]), instances), bytes, cause });
        }
    };
    Ok(Admission { flow, from })
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    text.split_whitespace().map(move |word| {
        // A word is a part of the text.
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        (word, start..start + word.len())
    })
}

fn without_from(words: &[Word<'_>], whole: Range<usize>) -> Wrong {
    let like = words.iter().skip(1).find(|(word, _)| nearest(word, ["from"]).is_some());
    match like {
        Some((word, bytes)) => Wrong {
            bytes: bytes.clone(),
            cause: format!("`{word}` stands where `from` is expected"),
            help: "did you mean `from`?".to_owned(),
        },
        None => {
            Wrong { bytes: whole, cause: "it does not say `from` whom".to_owned(), help: EXAMPLE.to_owned() }
        }
    }
}

/// What stands before `from`.
fn flow(words: &[Word<'_>], from: &Range<usize>) -> Result<Flow, Wrong> {
    match words {
        [] => {
            let cause = "nothing is named before `from`".to_owned();
            Err(Wrong { bytes: from.clone(), cause, help: EXAMPLE.to_owned() })
        }
        [("icmp", _)] => Ok(Flow::Icmp),
        [("all", _)] => Ok(Flow::All),
        [("tcp" | "udp", bytes)] => {
            let cause = "no ports are named behind it".to_owned();
            Err(Wrong { bytes: bytes.clone(), cause, help: "write for example `tcp 8000-8100`".to_owned() })
        }
        [("tcp", _), ports] => numbers(ports).map(Flow::Tcp),
        [("udp", _), ports] => numbers(ports).map(Flow::Udp),
        [("icmp" | "all", _), (word, bytes), ..] => {
            let cause = format!("`{word}` stands where `from` is expected: it has no ports");
            Err(Wrong { bytes: bytes.clone(), cause, help: "remove it".to_owned() })
        }
        [what] => single(what),
        [_, _, (word, bytes), ..] => {
            let cause = format!("`{word}` stands where `from` is expected");
            Err(Wrong {
                bytes: bytes.clone(),
                cause,
                help: "write a rule for each range of ports".to_owned(),
            })
        }
        [(word, bytes), _] => Err(unknown_what(word, bytes, &["tcp", "udp"])),
    }
}

/// A service, or ports of TCP.
fn single(what: &Word<'_>) -> Result<Flow, Wrong> {
    let (word, bytes) = what;
    if let Some((_, port)) = SERVICES.iter().find(|(name, _)| name == word) {
        return Ok(Flow::tcp(*port));
    }
    if word.starts_with(|letter: char| letter.is_ascii_digit()) {
        return numbers(what).map(Flow::Tcp);
    }
    let services = SERVICES.iter().map(|(name, _)| *name);
    Err(unknown_what(word, bytes, &services.chain(["tcp", "udp", "icmp", "all"]).collect::<Vec<_>>()))
}

fn unknown_what(word: &str, bytes: &Range<usize>, known: &[&str]) -> Wrong {
    let help = match nearest(word, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: a port, a range of ports, {}", one_of(known.iter().copied())),
    };
    Wrong {
        bytes: bytes.clone(),
        cause: format!("`{word}` is neither a protocol nor a service nor a port"),
        help,
    }
}

fn numbers((word, bytes): &Word<'_>) -> Result<Ports, Wrong> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let ports = match word.split_once('-') {
        None => number(word).map(|port| Ports { first: port, last: port }),
        Some((first, last)) => number(first).zip(number(last)).map(|(first, last)| Ports { first, last }),
    };
    let wrong = |cause: String, help: &str| Wrong { bytes: bytes.clone(), cause, help: help.to_owned() };
    match ports {
        Some(ports) if ports.first <= ports.last => Ok(ports),
        Some(_) => Err(wrong(format!("`{word}` goes backwards"), "write the lower port first")),
        None => {
            let cause = format!("`{word}` is neither a port, 1 to 65535, nor a range of them");
            Err(wrong(cause, "write for example `5000` or `8000-8100`"))
        }
    }
}

fn whom<'t>(word: &'t str, bytes: &Range<usize>, instances: &[&str]) -> Result<Whom<'t>, Wrong> {
    if word == "anywhere" {
        return Ok(Whom::Range(Ipv4Net::default()));
    }
    // A name of the topology counts before a word.
    if instances.contains(&word) {
        return Ok(Whom::Instance(word));
    }
    if word == "nodes" {
        return Ok(Whom::Nodes);
    }
    if word.starts_with(|letter: char| letter.is_ascii_digit()) {
        let wrong = || Wrong {
            bytes: bytes.clone(),
            cause: format!("`{word}` is no IPv4 address and no range without bits set after its prefix"),
            help: "write for example `203.0.113.7` or `203.0.113.0/24`".to_owned(),
        };
        return parse_range(word).map(Whom::Range).ok_or_else(wrong);
    }
    let help = whom_help(Some(word), instances);
    Err(Wrong { bytes: bytes.clone(), cause: format!("`{word}` is nobody"), help })
}

fn whom_help(written: Option<&str>, instances: &[&str]) -> String {
    let known = ["anywhere", "load balancer", "nodes"];
    let like = written.and_then(|word| nearest(word, known.into_iter().chain(instances.iter().copied())));
    match like {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!(
            "known here: an address, a range, {}",
            one_of(known.into_iter().chain(instances.iter().copied()))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANCES: [&str; 2] = ["web", "bus"];

    fn read(text: &str) -> Admission<'_> {
        parse(text, &INSTANCES).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
    }

    #[test]
    fn rules_are_read() {
        let range = |text: &str| Whom::Range(text.parse().expect("a range"));
        let ports = |first, last| Ports { first, last };
        let cases = [
            ("5000 from load balancer", Flow::tcp(5000), Whom::LoadBalancer),
            ("ssh from 203.0.113.0/24", Flow::tcp(22), range("203.0.113.0/24")),
            ("6379 from nodes", Flow::tcp(6379), Whom::Nodes),
            ("tcp 8000-8100 from 10.0.0.0/8", Flow::Tcp(ports(8000, 8100)), range("10.0.0.0/8")),
            ("udp 53 from bus", Flow::Udp(ports(53, 53)), Whom::Instance("bus")),
            ("icmp from anywhere", Flow::Icmp, range("0.0.0.0/0")),
            ("  all   from  10.0.0.7 ", Flow::All, range("10.0.0.7/32")),
        ];
        for (text, flow, from) in cases {
            assert_eq!(read(text), Admission { flow, from }, "{text}");
        }
    }

    /// The word that is wrong, and the help.
    #[track_caller]
    fn expect(text: &str, word: &str, help: &str) {
        let wrong = parse(text, &INSTANCES).expect_err(text);
        assert_eq!(&text[wrong.bytes.clone()], word, "{text}: {wrong:?}");
        assert!(wrong.help.contains(help), "{text}: {wrong:?}");
    }

    #[test]
    fn the_word_that_is_wrong_is_told_with_the_nearest_one() {
        expect("5000 form nodes", "form", "`from`");
        expect("5000", "5000", "from load balancer");
        expect("htps from nodes", "htps", "`https`");
        expect("tpc 80 from nodes", "tpc", "`tcp`");
        expect("tcp from nodes", "tcp", "tcp 8000-8100");
        expect("tcp 80 81 from nodes", "81", "each range");
        expect("icmp 8 from nodes", "8", "remove");
        expect("0 from nodes", "0", "8000-8100");
        expect("70000 from nodes", "70000", "8000-8100");
        expect("90-80 from nodes", "90-80", "lower port first");
        expect("80 from noodes", "noodes", "`nodes`");
        expect("80 from loadbalancer", "loadbalancer", "`load balancer`");
        expect("80 from the load balancer", "the load balancer", "`load balancer`");
        expect("80 from 10.0.0.1/8", "10.0.0.1/8", "203.0.113.0/24");
        expect("80 from bsu", "bsu", "`bus`");
        expect("80 from", "", "anywhere");
        expect("from nodes", "from", "5000 from load balancer");
    }
}

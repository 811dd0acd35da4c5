//! The latencies of the many messages: how they are spread, as a table whose rows are bars.

use std::fmt::Write as _;

use super::super::check::CheckId;
use super::super::histogram::Histogram;
use super::super::report::Report;
use super::{escape, section};

/// Quantiles that the evidence has, and how they are called.
const QUANTILES: [(&str, &str); 4] = [
    ("latency_p50", "half within"),
    ("latency_p95", "95 of 100 within"),
    ("latency_p99", "99 of 100 within"),
    ("latency_max", "all within"),
];

/// The section; nothing when no latency was measured.
pub(super) fn section_of(report: &Report) -> Option<String> {
    let check = report.check(CheckId::RedisPath)?;
    let histogram: Histogram = check.evidence.get("latency_histogram")?.parse().ok()?;
    let classes = histogram.classes();
    let most = classes.iter().map(|(_, count)| *count).max().filter(|most| *most > 0)?;
    let mut text = String::from("<dl class=\"figures\">\n");
    for (name, words) in QUANTILES {
        if let Some(value) = check.evidence.get(name) {
            let _ = writeln!(text, "<div><dt>{words}</dt><dd>{}</dd></div>", escape(value));
        }
    }
    text.push_str(
        "</dl>\n<table class=\"bars\">\n<caption>Messages between two nodes by the time they took</caption>\n<thead><tr>\
         <th scope=\"col\">Time</th><th scope=\"col\">Messages</th></tr></thead>\n<tbody>\n",
    );
    for (class, count) in &classes {
        // A hundredth is as fine as a bar can be seen.
        let width = (count * 100).div_ceil(most);
        let name = if class == "more" { "longer".to_owned() } else { format!("to {class} ms") };
        let _ = writeln!(
            text,
            "<tr><th scope=\"row\">{name}</th><td><span class=\"bar\" style=\"width:calc({width}% * .8)\"></span> \
             {count}</td></tr>"
        );
    }
    text.push_str("</tbody>\n</table>\n");
    Some(section("latency", "Latency", &text))
}

#[cfg(test)]
mod tests {
    use super::super::super::check::Status;
    use super::super::super::tests::{check_of, report_of};
    use super::*;

    #[test]
    fn the_longest_bar_belongs_to_the_fullest_class() {
        let mut check = check_of(CheckId::RedisPath, Status::Passed, "all came");
        check.evidence.insert("latency_histogram".to_owned(), "2:5 5:20 10:0 20:1".to_owned());
        check.evidence.insert("latency_p50".to_owned(), "3.0 ms".to_owned());
        let text = section_of(&report_of(vec![check])).unwrap();
        for part in
            ["to 2 ms</th>", "width:calc(25% * .8)", "width:calc(100% * .8)\"></span> 20", "half within"]
        {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }

    #[test]
    fn without_latencies_there_is_no_section() {
        let without = check_of(CheckId::RedisPath, Status::Failed, "nobody came");
        assert_eq!(section_of(&report_of(vec![without])), None);
    }
}

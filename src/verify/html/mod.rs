//! A report as one HTML page that needs nothing else: no script, no network, no other file.

mod latency;
mod picture;

use std::fmt::Write as _;
use std::time::Duration;

use super::check::{Check, CheckId, Status};
use super::report::{Report, Stage, shown};

/// The style of the page, light and dark, on a screen and on paper.
const STYLE: &str = include_str!("../../../templates/report.css");
/// Forbids the page all it does not need, whatever was put into it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

impl Report {
    /// The report as a page for people.
    pub fn to_html(&self) -> String {
        let title = self.title();
        let mut body = String::new();
        body.push_str(&self.head());
        body.push_str("<main>\n");
        if let Some(picture) = &self.picture {
            body.push_str(&picture::section_of(picture, self));
        }
        body.push_str(&latency::section_of(self).unwrap_or_default());
        body.push_str(&self.checks_section());
        body.push_str(&stages_section("phases", "Phases", &self.phases));
        body.push_str(&stages_section("controls", "Broken on purpose", &self.controls));
        body.push_str("</main>\n");
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
             </head>\n<body>\n{body}<footer>Written by albatross {version}.</footer>\n</body>\n</html>\n",
            escape(&title)
        )
    }

    fn title(&self) -> String {
        let subject = self.picture.as_ref().map_or("The chatroom", |picture| &picture.url);
        let word = if self.passed() { "works" } else { "is not proven to work" };
        format!("{subject} {word}")
    }

    fn head(&self) -> String {
        let verdict = if self.passed() { Status::Passed } else { Status::Failed };
        let hosts =
            self.hosts.as_ref().map(|hosts| format!(", on hosts of kind {hosts}")).unwrap_or_default();
        format!(
            "<header>\n<p class=\"verdict {}\">{}</p>\n<h1>{}</h1>\n<p class=\"quiet\">{} passed, {} failed, {} skipped in \
             {}. Begun <time datetime=\"{started}\">{}</time>{}.</p>\n</header>\n",
            class(verdict),
            word(verdict),
            escape(&self.title()),
            checks(self.count(Status::Passed)),
            self.count(Status::Failed),
            self.count(Status::Skipped),
            shown(self.duration),
            self.started.strftime("%Y-%m-%d %H:%M:%S UTC"),
            escape(&hosts),
            started = self.started,
        )
    }

    fn checks_section(&self) -> String {
        let items: String = self.checks.iter().map(check_item).collect();
        section("checks", "Checks", &format!("<ol class=\"rows\">\n{items}</ol>\n"))
    }

    fn check(&self, id: CheckId) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }
}

fn checks(number: usize) -> String {
    if number == 1 { "1 check".to_owned() } else { format!("{number} checks") }
}

/// A part of the page under a heading that names it.
fn section(id: &str, title: &str, content: &str) -> String {
    format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{content}</section>\n")
}

fn check_item(check: &Check) -> String {
    let mut more = String::new();
    if let Some(hint) = check.hint.as_ref().filter(|_| check.status == Status::Failed) {
        let _ =
            writeln!(more, "<p class=\"hint\"><span class=\"quiet\">What to do:</span> {}</p>", escape(hint));
    }
    if !check.evidence.is_empty() {
        more.push_str("<dl>\n");
        for (name, value) in &check.evidence {
            let name = escape(&name.replace('_', " "));
            let _ = writeln!(more, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
        }
        more.push_str("</dl>\n");
    }
    item(check.status, check.id.name(), check.duration, &check.sentence, &more)
}

fn stages_section(id: &str, title: &str, stages: &[Stage]) -> String {
    if stages.is_empty() {
        return String::new();
    }
    let items: String = stages
        .iter()
        .map(|stage| item(stage.status, &stage.name, stage.duration, &stage.sentence, ""))
        .collect();
    section(id, title, &format!("<ol class=\"rows\">\n{items}</ol>\n"))
}

fn item(status: Status, name: &str, duration: Duration, sentence: &str, more: &str) -> String {
    let took = if status == Status::Skipped { String::new() } else { shown(duration) };
    format!(
        "<li class=\"row {class}\">\n<h3>{}</h3>\n<span class=\"chip {class}\">{}</span>\n<span class=\"took\">{took}</span>\n\
         <p>{}</p>\n{more}</li>\n",
        escape(name),
        word(status),
        escape(sentence),
        class = class(status),
    )
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
    }
}

fn class(status: Status) -> &'static str {
    match status {
        Status::Passed => "good",
        Status::Failed => "bad",
        Status::Skipped => "unknown",
    }
}

/// Text in a page: nothing in it is read as HTML, and what HTML has no character for is left out.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(letter),
            control if control.is_control() => {}
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_of, report_of};
    use super::super::{NodePart, Part, Picture};
    use super::*;

    fn part(name: &str, address: &str) -> Part {
        Part { name: name.to_owned(), addresses: vec![address.to_owned()] }
    }

    fn picture() -> Picture {
        let ill = NodePart { part: part("ecs02", "192.168.1.1"), standing: Err("CONNECT_FAILED".to_owned()) };
        Picture {
            url: "http://example.com:5000/".to_owned(),
            clients: vec!["this machine".to_owned()],
            name: part("example.com", "alb-abc.cn-hangzhou.alb.aliyuncsslb.com"),
            balancer: part("load balancer", "198.18.0.9"),
            nodes: vec![NodePart { part: part("ecs01", "192.168.0.1"), standing: Ok(()) }, ill],
            redis: Some(part("Redis", "192.168.0.3:6379")),
            others: Vec::new(),
        }
    }

    #[test]
    fn a_page_needs_nothing_else_and_names_all_there_is() {
        let mut report = report_of(vec![
            check_of(CheckId::DnsCname, Status::Passed, "it is an alias"),
            check_of(CheckId::MessageAToB, Status::Failed, "expected a message"),
        ]);
        report.checks[1].evidence.insert("node_a".to_owned(), "ecs01".to_owned());
        report.checks[1].hint = Some("look at Redis".to_owned());
        report.picture = Some(picture());
        report.controls = vec![Stage::new("redis.stopped", Status::Passed, "verify fails at message.a_to_b")];
        let page = report.to_html();
        for part in [
            "http://example.com:5000/ is not proven to work",
            "dns.cname",
            "look at Redis",
            "<dt>node a</dt><dd>ecs01</dd>",
            "CONNECT_FAILED",
            "redis.stopped",
            "<svg",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        for forbidden in ["<script", "http://cdn", "src=", "url(", "@import", "onload"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn nothing_that_was_seen_is_read_as_html() {
        let nasty = "<script>alert(1)</script>\u{1b}[31m\" onload='x'";
        let mut report = report_of(vec![check_of(CheckId::PageLoads, Status::Failed, nasty)]);
        report.checks[0].evidence.insert(nasty.to_owned(), nasty.to_owned());
        report.checks[0].hint = Some(nasty.to_owned());
        let mut shown = picture();
        shown.name.name = nasty.to_owned();
        shown.nodes[1].standing = Err(nasty.to_owned());
        report.picture = Some(shown);
        report.phases = vec![Stage::new(nasty, Status::Failed, nasty)];
        let page = report.to_html();
        assert!(
            !page.contains("<script") && !page.contains('\u{1b}') && !page.contains("onload='"),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    }
}

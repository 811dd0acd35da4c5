//! Puts the page together from its parts in `templates/page`: one file that needs nothing from anywhere else.
//!
//! Scripts are modules there, so that they can be tested one by one; here they become one script in the order in which
//! they need each other. For that, each `import` is one line, and what is exported is named differently in each file.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// What stands for the value that makes style and script run.
const NONCE: &str = "{{nonce}}";

const PAGE: &str = include_str!("../../templates/page/page.html");
const STYLE: &str = include_str!("../../templates/page/page.css");
const MARK: &str = include_str!("../../templates/page/mark.svg");
const SCRIPTS: [&str; 9] = [
    include_str!("../../templates/page/wire.mjs"),
    include_str!("../../templates/page/transport.mjs"),
    include_str!("../../templates/page/backoff.mjs"),
    include_str!("../../templates/page/connection.mjs"),
    include_str!("../../templates/page/outbox.mjs"),
    include_str!("../../templates/page/wording.mjs"),
    include_str!("../../templates/page/arrivals.mjs"),
    include_str!("../../templates/page/log.mjs"),
    include_str!("../../templates/page/main.mjs"),
];

/// The page as it is served, but for the nonce.
#[derive(Debug)]
pub(super) struct Template {
    /// What stands between two nonces.
    pieces: Vec<String>,
}

impl Template {
    /// Puts the parts together.
    pub(super) fn assemble() -> Self {
        let page = PAGE
            .replace("{{style}}", STYLE)
            .replace("{{script}}", &script())
            .replace("{{icon}}", &format!("data:image/svg+xml;base64,{}", BASE64.encode(icon())))
            .replace("{{mark}}", MARK.trim_end());
        Self { pieces: page.split(NONCE).map(str::to_owned).collect() }
    }

    /// The page with a nonce.
    pub(super) fn with_nonce(&self, nonce: &str) -> String {
        self.pieces.join(nonce)
    }
}

fn script() -> String {
    let mut script = String::new();
    for line in SCRIPTS.iter().flat_map(|module| module.lines()).filter(|line| !line.starts_with("import ")) {
        script.push_str(line.strip_prefix("export ").unwrap_or(line));
        script.push('\n');
    }
    script
}

/// The mark by itself, where no style of the page reaches it: on a ground of its own, for tabs of any colour.
fn icon() -> String {
    let mut icon = String::new();
    // Writing into a string cannot fail.
    write!(
        icon,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='-54 -55 108 108'><style>.wing{{fill:#fff}}.bill{{fill:#f08a53}}\
         </style><rect x='-54' y='-55' width='108' height='108' rx='26' fill='#0a5a70'/>{}</svg>",
        MARK.trim_end()
    )
    .ok();
    icon
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_ids_others_rely_on() {
        for id in ["username", "set-username", "message", "send", "log", "status"] {
            assert_eq!(PAGE.matches(&format!("id=\"{id}\"")).count(), 1, "#{id}");
        }
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere_and_never_sets_markup() {
        let page = Template::assemble().with_nonce("n");
        let forbidden = [
            "http://",
            "https://",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            " src=",
            " style=",
            "javascript:",
            " on=",
        ];
        for forbidden in forbidden {
            assert!(!page.contains(forbidden), "{forbidden:?} in the page");
        }
    }

    #[test]
    fn every_place_is_filled_and_one_style_and_one_script_carry_the_nonce() {
        let template = Template::assemble();
        assert_eq!(template.pieces.len(), 3);
        let page = template.with_nonce("n0nce");
        assert_eq!(page.matches("nonce=\"n0nce\"").count(), 2);
        assert!(!page.contains("{{"), "a place was left open");
    }

    #[test]
    fn what_is_left_of_the_modules_is_one_script() {
        let script = script();
        for word in ["import", "export"] {
            let found = script.lines().find(|line| line.trim_start().split(' ').next() == Some(word));
            assert_eq!(found, None);
        }
        assert!(!script.contains("</script"), "the script would end there");
        let mut names: Vec<&str> = script.lines().filter_map(declared).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert!(all > 40, "{all} names were found");
        assert_eq!(names.len(), all, "two modules use one name");
    }

    /// The name a line without indentation declares.
    fn declared(line: &str) -> Option<&str> {
        let line = line.strip_prefix("async ").unwrap_or(line);
        let (keyword, rest) = line.split_once(' ')?;
        let is_declaration = ["const", "let", "class", "function"].contains(&keyword);
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
        is_declaration.then(|| &rest[..end])
    }
}

//! Where packages come from: the mirror that the outer machine itself uses, read from the sources of its `apt`.
//!
//! Both formats are read: a line an entry (`sources.list`) and a paragraph an entry (`*.sources`).

use std::fs;
use std::path::Path;

/// Where sources are.
const FOLDER: &str = "/etc/apt";
/// What the outer machine says of itself.
const RELEASE: &str = "/etc/os-release";

/// A place of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Its address.
    pub url: String,
    /// `main`, ...
    pub components: Vec<String>,
}

/// The name of the outer machine's own release, when it has one: `bookworm`.
pub fn own_suite() -> Option<String> {
    let text = fs::read_to_string(RELEASE).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(line.trim_matches('"').to_owned())
}

/// The mirror of a release that the outer machine uses.
pub fn of(suite: &str) -> Option<Mirror> {
    in_folder(Path::new(FOLDER), suite)
}

fn in_folder(folder: &Path, suite: &str) -> Option<Mirror> {
    let entries = fs::read_dir(folder.join("sources.list.d")).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files.insert(0, folder.join("sources.list"));
    files.iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        if file.extension().is_some_and(|ending| ending == "sources") {
            text.split("\n\n").find_map(|paragraph| in_paragraph(paragraph, suite))
        } else {
            text.lines().find_map(|line| in_line(line, suite))
        }
    })
}

/// `deb [options] URL SUITE COMPONENT...`
fn in_line(line: &str, suite: &str) -> Option<Mirror> {
    let rest = line.trim().strip_prefix("deb ")?.trim();
    let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
    let mut words = rest.split_whitespace();
    let url = words.next()?.to_owned();
    (words.next()? == suite).then(|| Mirror { url, components: words.map(str::to_owned).collect() })
}

/// `URIs:`, `Suites:` and `Components:`, each with a list.
fn in_paragraph(paragraph: &str, suite: &str) -> Option<Mirror> {
    let field = |name: &str| {
        let lines = paragraph.lines().filter(|line| !line.starts_with('#'));
        let value =
            lines.filter_map(|line| line.split_once(':')).find(|(own, _)| own.eq_ignore_ascii_case(name));
        value.map(|(_, value)| value.split_whitespace().map(str::to_owned).collect::<Vec<String>>())
    };
    let is_binary = field("Types")?.iter().any(|kind| kind == "deb");
    let is_enabled = field("Enabled").is_none_or(|value| value.first().is_none_or(|word| word != "no"));
    let has_suite = field("Suites")?.iter().any(|own| own == suite);
    (is_binary && is_enabled && has_suite)
        .then(|| Some(Mirror { url: field("URIs")?.into_iter().next()?, components: field("Components")? }))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(url: &str, components: &[&str]) -> Mirror {
        let components = components.iter().map(|own| (*own).to_owned()).collect();
        Mirror { url: url.to_owned(), components }
    }

    #[test]
    fn the_mirror_of_a_release_is_found_in_either_format() {
        let cases = [
            (
                "sources.list",
                "deb http://mirror.test/debian bookworm main contrib\n",
                &["main", "contrib"][..],
            ),
            (
                "sources.list",
                "# deb x bookworm\ndeb [arch=amd64 a=b] http://mirror.test/debian bookworm main",
                &["main"],
            ),
            (
                "sources.list.d/debian.sources",
                "Types: deb\n# http://old.test\nURIs: http://other.test/debian\nSuites: bookworm-updates\n\
                 Components: main\n\nTypes: deb\nURIs: http://mirror.test/debian\nSuites: bookworm \
                 bookworm-updates\nComponents: main\n",
                &["main"],
            ),
        ];
        for (file, text, components) in cases {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("sources.list.d")).unwrap();
            std::io::Write::write_all(
                &mut fs::File::create(folder.path().join(file)).unwrap(),
                text.as_bytes(),
            )
            .unwrap();
            let found = in_folder(folder.path(), "bookworm");
            assert_eq!(found, Some(mirror("http://mirror.test/debian", components)), "{text}");
            assert_eq!(in_folder(folder.path(), "trixie"), None);
        }
    }

    #[test]
    fn what_is_switched_off_or_has_sources_only_is_passed_over() {
        for text in [
            "Types: deb-src\nURIs: http://a.test\nSuites: bookworm\nComponents: main",
            "Types: deb\nEnabled: no\nURIs: http://a.test\nSuites: bookworm\nComponents: main",
        ] {
            assert_eq!(in_paragraph(text, "bookworm"), None, "{text}");
        }
    }
}

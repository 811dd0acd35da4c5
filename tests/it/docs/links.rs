//! Every link of the documents leads to a file and a heading that exist, and every page is in the index.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{assert_same, pages, read, regex};
use crate::architecture::all_files;

/// All documents that link to each other.
fn documents() -> BTreeSet<String> {
    let more = ["ARCHITECTURE.md", "BENCHMARKS.md"].map(str::to_owned);
    pages().into_iter().chain(more).collect()
}

/// The text without its code, in which brackets mean something else.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        if !inside && !fence {
            lines.push(line);
        }
        inside ^= fence;
    }
    let code = regex(r"`[^`]*`");
    // What is between brackets may be code: its place stays.
    code.replace_all(&lines.join("\n"), "code").into_owned()
}

/// What the links of a text lead to: `[..](target)` and `[..]: target`.
fn targets(text: &str) -> Vec<String> {
    let link = regex(r"(?m)\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$");
    let prose = prose(text);
    let found = link.captures_iter(&prose);
    found.map(|one| one.get(1).or(one.get(2)).expect("one of the two").as_str().to_owned()).collect()
}

/// The anchors of a text's headings, as GitHub makes them: of two that are alike the second has a number.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut inside = false;
    for line in text.lines() {
        inside ^= line.trim_start().starts_with("```");
        let Some(heading) = line.strip_prefix('#').filter(|_| !inside) else { continue };
        let anchor = anchor(heading.trim_start_matches('#'));
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|one| !anchors.contains(one));
        anchors.insert(free.expect("one of them is free"));
    }
    anchors
}

fn anchor(heading: &str) -> String {
    let kept =
        heading.trim().chars().filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// A path without `..`, from the project's folder on.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            assert!(plain.pop(), "{} leaves the project", path.display());
        } else {
            plain.push(part);
        }
    }
    plain
}

/// What is wrong with a link of a document.
fn fault(document: &str, target: &str) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    let (file, heading) = target.split_once('#').map_or((target, None), |(file, name)| (file, Some(name)));
    let folder = Path::new(document).parent().expect("a document is in a folder");
    let path = if file.is_empty() { PathBuf::from(document) } else { plain(&folder.join(file)) };
    if !path.exists() {
        return Some(format!("{document}: {target}: there is no {}", path.display()));
    }
    let missing = heading.filter(|name| !anchors(&read(&path.display().to_string())).contains(*name))?;
    Some(format!("{document}: {target}: {} has no heading `{missing}`", path.display()))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for document in documents() {
        for target in targets(&read(&document)) {
            seen += 1;
            wrong.extend(fault(&document, &target));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 150, "only {seen} links were seen");
}

#[test]
fn a_link_that_leads_nowhere_is_told() {
    let wrong = |target| fault("docs/README.md", target).is_some();
    assert!(wrong("no-such-page.md") && wrong("topology.md#no-such-heading") && wrong("#no-such-heading"));
    assert!(!wrong("commands.md#saved-plans") && !wrong("../README.md") && !wrong("#reference"));
    let text = "[`one`](one.md#a) and\n`[two](two.md)`\n```\n[three](three.md)\n```\n\n[four]: four.md";
    assert_eq!(targets(text), ["one.md#a", "four.md"]);
    assert_eq!(
        anchors("# A `b`, c\n## D\n## D\n```\n# e\n```"),
        ["a-b-c", "d", "d-1"].map(str::to_owned).into()
    );
}

#[test]
fn every_page_is_in_the_index() {
    let index = "docs/README.md";
    let listed = targets(&read(index)).into_iter().filter(|target| !target.contains('/'));
    let listed = listed.map(|target| format!("docs/{target}"));
    let there = pages().into_iter().filter(|page| page.starts_with("docs/") && page != index);
    assert_same(&listed.collect(), &there.collect());
}

#[test]
fn the_index_has_four_kinds_of_pages() {
    let text = read("docs/README.md");
    let kinds: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(kinds, ["Tutorial", "How-to", "Reference", "Explanation"]);
}

#[test]
fn files_and_folders_named_in_the_documents_are_there() {
    let named = regex(r"`((?:src|crates|tests|examples|templates|docs)/[\w./-]+)`");
    for document in documents() {
        for found in named.captures_iter(&read(&document)) {
            assert!(Path::new(&found[1]).exists(), "{document}: `{}` is not there", &found[1]);
        }
    }
}

#[test]
fn pages_named_by_the_programs_are_there() {
    let named = regex(r"docs/[\w-]+\.md");
    let mut seen = BTreeSet::new();
    for source in all_files() {
        for found in named.find_iter(&read(&source.display().to_string())) {
            assert!(Path::new(found.as_str()).exists(), "{}: {}", source.display(), found.as_str());
            seen.insert(found.as_str().to_owned());
        }
    }
    assert!(seen.contains("docs/topology.md") && seen.contains("docs/credentials.md"), "{seen:?}");
}

/// Two screens, pictures included.
const LONGEST_README: usize = 110;

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= LONGEST_README, "{lines} lines");
}

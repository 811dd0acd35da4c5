//! The address that `apply` prints, opened in a real browser: two people chat, and one leaves.
//!
//! Needs Node.js, npm and Chromium. Where one is missing the test says so and passes; with `CI=true` it fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::parts::{lacks_redis, missing};
use crate::walk::Walk;

const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn on_search_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The browser, when everything that is needed is there.
fn browser() -> Result<PathBuf, String> {
    for program in ["node", "npm"] {
        on_search_path(program).ok_or_else(|| format!("`{program}` is not on the search path"))?;
    }
    let browser = CHROMIUM.into_iter().find_map(on_search_path);
    browser.ok_or_else(|| format!("none of {} is on the search path", CHROMIUM.join(", ")))
}

/// Fetches what the script needs, as pinned, when it is not there yet.
fn fetch_modules() {
    if Path::new("tests/browser/node_modules/playwright-core").is_dir() {
        return;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir("tests/browser");
    let done = npm.output().expect("npm can be started");
    assert!(done.status.success(), "npm ci: {}", String::from_utf8_lossy(&done.stderr));
}

/// The address behind `On this machine open`.
fn printed_address(text: &str) -> &str {
    let line = text.lines().find_map(|line| line.strip_prefix("On this machine open "));
    line.unwrap_or_else(|| panic!("apply printed no address:\n{text}"))
}

#[test]
fn two_people_chat_in_a_real_browser() {
    if lacks_redis("two_people_chat_in_a_real_browser") {
        return;
    }
    let browser = match browser() {
        Ok(browser) => browser,
        Err(reason) => return missing("two_people_chat_in_a_real_browser", &reason),
    };
    fetch_modules();
    let walk = Walk::new();
    let applied = walk.run("albatross --local apply --yes examples/chatroom.yaml");
    assert_eq!(applied.code, Some(0), "{}", applied.text);
    let script = std::fs::canonicalize("tests/browser/chatroom.mjs").expect("the script");
    let mut node = Command::new("node");
    node.arg(script).arg("--browser").arg(browser).arg(printed_address(&applied.text));
    if let Some(folder) = std::env::var_os("ALBATROSS_SCREENSHOTS") {
        node.arg("--screenshots").arg(std::path::absolute(folder).expect("a folder"));
    }
    let said = walk.run_command(node);
    assert_eq!(said.code, Some(0), "{}\n{}", said.text, said.errors);
    let facts = [
        "Ada is in the chatroom: Connected to ecs0",
        "Grace is in the chatroom: Connected to ecs0",
        "Grace sees what Ada wrote",
        "Ada sees what Grace wrote",
        "Ada sees that Grace left",
        "no console message, no failed request, no other origin",
    ];
    for fact in facts {
        assert!(said.text.contains(fact), "the browser did not report `{fact}`:\n{}", said.text);
    }
}

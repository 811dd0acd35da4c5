//! The page of the chatroom: by itself, in a real browser on two nodes, and at the address that `apply` prints; and the
//! page of a local cloud's region, and that of a report.
//!
//! The scripts are in `tests/browser`. They need Node.js and npm, most of them Chromium and Redis too. Where one is
//! missing a test says so and passes; with `CI=true` it fails.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::PublicKeyData;
use sha2::{Digest, Sha256};

use crate::parts::{lacks_redis, missing};
use crate::support::program;
use crate::walk::Walk;

const SCRIPTS: &str = "tests/browser";
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// One browser at a time: each takes a whole core.
static BROWSER: Mutex<()> = Mutex::new(());

fn on_search_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether Node.js and npm are there; else the reason to skip.
fn node() -> Result<(), String> {
    for program in ["node", "npm"] {
        on_search_path(program).ok_or_else(|| format!("`{program}` is not on the search path"))?;
    }
    Ok(())
}

/// The browser, when everything that is needed is there.
fn browser() -> Result<PathBuf, String> {
    node()?;
    let browser = CHROMIUM.into_iter().find_map(on_search_path);
    browser.ok_or_else(|| format!("none of {} is on the search path", CHROMIUM.join(", ")))
}

/// Fetches what the scripts need, as pinned, when it is not there yet.
fn fetch_modules() {
    static FETCHED: OnceLock<()> = OnceLock::new();
    FETCHED.get_or_init(|| {
        let modules = Path::new(SCRIPTS).join("node_modules");
        if ["axe-core", "playwright-core"].iter().all(|module| modules.join(module).is_dir()) {
            return;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(SCRIPTS);
        let done = npm.output().expect("npm can be started");
        assert!(done.status.success(), "npm ci: {}", String::from_utf8_lossy(&done.stderr));
    });
}

/// Runs a file of tests, which must all pass, and at least so many.
#[track_caller]
fn passes(command: &mut Command, files: &[PathBuf], at_least: usize) {
    let done = command.args(["--test", "--test-reporter=tap"]).args(files).output().expect("node starts");
    let said = String::from_utf8_lossy(&done.stdout);
    let count = said.lines().find_map(|line| line.strip_prefix("# pass ")?.parse::<usize>().ok());
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(count.is_some_and(|count| count >= at_least), "fewer than {at_least} tests passed:\n{said}");
}

/// Runs one file in a real browser, on two nodes over one Redis.
#[track_caller]
fn passes_in_a_browser(test: &str, file: &str, at_least: usize) {
    if lacks_redis(test) {
        return;
    }
    let browser = match browser() {
        Ok(browser) => browser,
        Err(reason) => return missing(test, &reason),
    };
    fetch_modules();
    let chat_node = program("chat-node");
    let _alone = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new("node");
    command.env("CHROMIUM", browser).env("CHAT_NODE", chat_node);
    passes(&mut command, &[Path::new(SCRIPTS).join("page").join(file)], at_least);
}

#[test]
fn the_page_s_own_logic() {
    if let Err(reason) = node() {
        return missing("the_page_s_own_logic", &reason);
    }
    let files = std::fs::read_dir(Path::new(SCRIPTS).join("unit")).expect("the folder is there");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("readable").path()).collect();
    files.sort();
    passes(&mut Command::new("node"), &files, 40);
}

#[test]
fn the_page_in_conversation() {
    passes_in_a_browser("the_page_in_conversation", "conversation.test.mjs", 16);
}

#[test]
fn the_page_when_connections_are_lost() {
    passes_in_a_browser("the_page_when_connections_are_lost", "recovery.test.mjs", 9);
}

#[test]
fn the_page_for_everybody() {
    passes_in_a_browser("the_page_for_everybody", "access.test.mjs", 8);
}

/// Runs one file in a real browser, beside a local cloud with the chatroom's topology.
#[track_caller]
fn passes_beside_a_region(test: &str, file: &str, at_least: usize) {
    if lacks_redis(test) {
        return;
    }
    let browser = match browser() {
        Ok(browser) => browser,
        Err(reason) => return missing(test, &reason),
    };
    fetch_modules();
    let _alone = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new("node");
    let topology = std::fs::canonicalize("examples/chatroom.yaml").expect("the example");
    command.env("CHROMIUM", browser).env("ALBATROSS", program("albatross")).env("TOPOLOGY", topology);
    passes(&mut command, &[Path::new(SCRIPTS).join(file)], at_least);
}

#[test]
fn the_page_of_the_region() {
    passes_beside_a_region("the_page_of_the_region", "region/region.test.mjs", 13);
}

#[test]
fn the_page_of_a_report() {
    passes_beside_a_region("the_page_of_a_report", "report/report.test.mjs", 12);
}

/// The address behind `On this machine open`.
fn printed_address(text: &str) -> &str {
    let line = text.lines().find_map(|line| line.strip_prefix("On this machine open "));
    line.unwrap_or_else(|| panic!("apply printed no address:\n{text}"))
}

/// Lets two people chat at an address, in a browser with these flags beside the usual ones.
#[track_caller]
fn two_people_chat(walk: &Walk, browser: &Path, address: &str, flags: &[String]) {
    fetch_modules();
    let script = std::fs::canonicalize("tests/browser/chatroom.mjs").expect("the script");
    let mut node = Command::new("node");
    node.arg(script).arg(address).arg(browser).args(flags);
    let _alone = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
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

#[test]
fn two_people_chat_in_a_real_browser() {
    if lacks_redis("two_people_chat_in_a_real_browser") {
        return;
    }
    let browser = match browser() {
        Ok(browser) => browser,
        Err(reason) => return missing("two_people_chat_in_a_real_browser", &reason),
    };
    let walk = Walk::new();
    let applied = walk.run("albatross --local apply --yes examples/chatroom.yaml");
    assert_eq!(applied.code, Some(0), "{}", applied.text);
    two_people_chat(&walk, &browser, printed_address(&applied.text), &[]);
}

/// The browser opens the name itself and checks the certificate for it; all it is told is where the name leads, and that
/// the key of this certificate needs no authority.
#[test]
fn two_people_chat_over_wss_in_a_real_browser() {
    if lacks_redis("two_people_chat_over_wss_in_a_real_browser") {
        return;
    }
    let browser = match browser() {
        Ok(browser) => browser,
        Err(reason) => return missing("two_people_chat_over_wss_in_a_real_browser", &reason),
    };
    let walk = Walk::new();
    let key = rcgen::KeyPair::generate().expect("a key");
    let wanted = rcgen::CertificateParams::new(vec!["example.com".to_owned()]).expect("a name");
    let chain = wanted.self_signed(&key).expect("a certificate").pem();
    std::fs::write(walk.path().join("chain.pem"), chain).expect("written");
    let key_file = walk.path().join("key.pem");
    std::fs::write(&key_file, key.serialize_pem()).expect("written");
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).expect("its mode set");
    let example = std::fs::read_to_string("examples/chatroom-https.yaml").expect("the example");
    let brought = example.replace("{ self_signed: true }", "{ file: chain.pem, key: key.pem }");
    std::fs::write(walk.path().join("secure.yaml"), brought).expect("written");

    let applied = walk.run("albatross --local apply --yes secure.yaml");
    assert_eq!(applied.code, Some(0), "{}", applied.text);
    let address = printed_address(&applied.text).trim_start_matches("https://").trim_end_matches('/');
    let digest = BASE64.encode(Sha256::digest(key.subject_public_key_info()));
    let flags = [
        format!("--host-resolver-rules=MAP example.com:443 {address}"),
        format!("--ignore-certificate-errors-spki-list={digest}"),
    ];
    two_people_chat(&walk, &browser, "https://example.com/", &flags);
}

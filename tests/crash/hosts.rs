//! What is on the hosts: files with their modes and digests, what runs, and what the nodes say of themselves.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::canonical::{Names, entries, text};
use crate::stage::Stage;

/// What a host has from its image, what differs from host to host by nature, what only runs, and the units of a way back
/// that stay where a roll-out was, stopped and always the same: whether there was one is history, not topology.
const LEFT_OUT: [&str; 11] = [
    "bin",
    "lib",
    "sbin",
    "usr",
    "etc/machine-id",
    "etc/ssh",
    "etc/systemd/system/albatross-revert.service",
    "etc/systemd/system/albatross-revert.timer",
    "run/mock-host",
    "var/lib/mock-host",
    "var/lib/albatross-redis",
];

/// Where a host has its releases.
const RELEASES: &str = "opt/albatross/releases";

/// Where a host has a folder for the step that is at work.
const STEPS: &str = "run/albatross";

/// Where the node of the example listens.
const PORT: u16 = 5000;

/// Names what is secret or random on the hosts: the password of Redis, host keys, the operator's key.
pub(crate) fn add_secrets(world: &Value, hosts: &Path, names: &mut Names) -> anyhow::Result<()> {
    for pair in entries(&world["key_pairs"]) {
        names.add(text(&pair["public_key"]).split(' ').nth(1).unwrap_or_default(), "OPERATOR-KEY".to_owned());
    }
    for instance in entries(&world["instances"]) {
        let root = hosts.join(text(&instance["id"]));
        let password = root.join("etc/albatross/redis.password");
        if password.exists() {
            let password = fs::read_to_string(password)?;
            names.add(password.trim(), "PASSWORD".to_owned());
            // What Redis knows of it.
            names.add(&hex::encode(Sha256::digest(password.trim())), "DIGEST OF PASSWORD".to_owned());
        }
        let key = root.join("etc/ssh/ssh_host_ed25519_key.pub");
        if key.exists() {
            let key = fs::read_to_string(key)?;
            let name = format!("HOST-KEY-OF-{}", text(&instance["name"]));
            names.add(key.split(' ').nth(1).unwrap_or_default(), name);
        }
    }
    Ok(())
}

/// Every file of every host.
pub(crate) fn all(world: &Value, hosts: &Path, names: &Names) -> anyhow::Result<Value> {
    let mut all: BTreeMap<String, Vec<BTreeMap<String, String>>> = BTreeMap::new();
    for instance in entries(&world["instances"]) {
        let mut files = BTreeMap::new();
        let root = hosts.join(text(&instance["id"]));
        if root.exists() {
            collect(&root, &root, names, &mut files)?;
            files.insert("older releases".to_owned(), at_most_one(&root, RELEASES, is_older_release)?);
            files.insert("steps".to_owned(), at_most_one(&root, STEPS, is_step)?);
        }
        all.entry(text(&instance["name"]).to_owned()).or_default().push(files);
    }
    Ok(json!(all))
}

fn collect(
    root: &Path,
    folder: &Path,
    names: &Names,
    files: &mut BTreeMap<String, String>,
) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let relative = path.strip_prefix(root)?.to_string_lossy().into_owned();
        if LEFT_OUT.contains(&relative.as_str()) || is_older_release(root, &path) || is_step(root, &path) {
            continue;
        }
        let about = path.symlink_metadata()?;
        let mode = about.mode() & 0o7777;
        let shown = if about.is_symlink() {
            names.apply(&format!("link to {}", fs::read_link(&path)?.display()))
        } else if about.is_dir() {
            collect(root, &path, names, files)?;
            format!("folder {mode:o}")
        } else {
            format!("file {mode:o} {}", digest(&path, names)?)
        };
        files.insert(names.apply(&relative), shown);
    }
    Ok(())
}

/// Whether this is the folder of a release that is not in force: which ones there are follows from the past.
fn is_older_release(root: &Path, path: &Path) -> bool {
    let current = fs::read_link(root.join("opt/albatross/current"));
    path.parent() == Some(&root.join(RELEASES))
        && current.is_ok_and(|current| current.file_name() != path.file_name())
}

/// Whether this is the folder of a step: the last one stays until the next begins.
fn is_step(root: &Path, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.parent() == Some(&root.join(STEPS)) && name.len() == 32
}

/// Whether a folder has more than one of something; with each run one more would fill the disk.
fn at_most_one(root: &Path, folder: &str, is_one: fn(&Path, &Path) -> bool) -> anyhow::Result<String> {
    let folder = root.join(folder);
    let mut count = 0;
    if folder.exists() {
        for entry in fs::read_dir(folder)? {
            count += usize::from(is_one(root, &entry?.path()));
        }
    }
    Ok(if count <= 1 { "at most one".to_owned() } else { count.to_string() })
}

/// The digest of a file in which nothing differs from run to run.
fn digest(path: &Path, names: &Names) -> anyhow::Result<String> {
    let bytes = fs::read(path)?;
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => names.apply(&text).into_bytes(),
        Err(binary) => binary.into_bytes(),
    };
    Ok(hex::encode(&Sha256::digest(&bytes)[..6]))
}

/// The units of each host and whether they run.
pub(crate) fn processes(status: &Value) -> Value {
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for host in entries(&status["hosts"]) {
        let units = entries(&host["processes"]).map(|unit| {
            format!(
                "{} {} on a host that is {}",
                text(&unit["unit"]),
                text(&unit["state"]),
                text(&host["status"])
            )
        });
        all.entry(text(&host["name"])).or_default().extend(units);
    }
    json!(all)
}

/// What each node that can be reached says: whether it has its Redis, and the settings it runs with.
pub(crate) async fn nodes(stage: &Stage, status: &Value) -> anyhow::Result<Value> {
    let mut all = BTreeMap::new();
    for host in entries(&status["hosts"]) {
        let door = format!("{}:22", text(&host["public_address"]));
        let way = entries(&status["connect_to"]).find(|way| way["from"] == door.as_str());
        let Some(way) = way else { continue };
        let outside = text(&way["to"]).rsplit_once(':').context("an address with a port")?.0;
        let node = format!("http://{outside}:{PORT}");
        let said = match stage.cloud.page(&format!("{node}/readyz")).await {
            Ok((status, _)) => {
                let polling = format!("{node}/socket.io/?EIO=4&transport=polling");
                let (_, greeting) = stage.cloud.page(&polling).await?;
                let greeting = packet(&greeting);
                // Else a node that ends waits for whoever was greeted.
                stage.cloud.tell(&format!("{polling}&sid={}", text(&greeting["sid"])), "1").await?;
                format!("readyz {status}, {}", intervals(&greeting))
            }
            Err(_) => "does not answer".to_owned(),
        };
        all.insert(text(&host["name"]), said);
    }
    Ok(json!(all))
}

/// What a greeting has in it: `0{"sid":"...","pingInterval":10000,...}`.
fn packet(greeting: &str) -> Value {
    let json = greeting.find('{').map_or("", |start| &greeting[start..]);
    serde_json::from_str(json).unwrap_or_default()
}

fn intervals(greeting: &Value) -> String {
    format!("pings every {} ms, waits {} ms", greeting["pingInterval"], greeting["pingTimeout"])
}

//! A cloud that is killed takes its machines with it; what files it leaves, `mock-cloud clean` removes, and no others.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Region, can_have_machines, eventually, names, processes_with};

/// Set for the process that the test below starts.
const BE_THE_CLOUD: &str = "MOCK_CLOUD_TEST_BE_THE_CLOUD";

/// Control groups of a machine, of either version.
fn groups(machine: &str) -> Vec<PathBuf> {
    let mounted = Path::new("/sys/fs/cgroup");
    let trees = names(mounted).into_iter().map(|tree| mounted.join(tree)).chain([mounted.to_owned()]);
    trees.map(|tree| tree.join("mock-cloud").join(machine)).filter(|group| group.exists()).collect()
}

/// This test starts itself anew as the cloud: that one is killed without a chance to clean up.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_cloud_leaves_files_that_clean_removes_and_nothing_else() {
    if !can_have_machines("a_killed_cloud_leaves_files_that_clean_removes_and_nothing_else") {
        return;
    }
    let alive = Region::with_machines(1).await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "death::be_the_cloud", "--nocapture"]).env(BE_THE_CLOUD, "yes");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut cloud = command.spawn().unwrap();
    let mut lines = BufReader::new(cloud.stdout.take().unwrap()).lines().map_while(Result::ok);
    let folder = lines.find_map(|line| line.split_once("machines ").map(|(_, folder)| folder.to_owned()));
    let folder = PathBuf::from(folder.unwrap());
    let plan = std::fs::read(folder.join("i-ecs01/machine.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
    let machine = plan["name"].as_str().unwrap().to_owned();
    let name = folder.display().to_string();
    assert!(!processes_with(&name).is_empty(), "its machine runs");
    cloud.kill().unwrap();
    cloud.wait().unwrap();
    eventually("its machines end with it", async || processes_with(&name).is_empty()).await;
    assert!(!names(&folder).is_empty(), "it had no chance to remove its files");
    let notes = Path::new("/run/systemd/nspawn/propagate").join(&machine);
    assert!(!notes.exists(), "notes of a machine end with it");

    let clean = || Command::new(env!("CARGO_BIN_EXE_mock-cloud")).arg("clean").output().unwrap();
    let cleaned = clean();
    assert!(cleaned.status.success(), "{cleaned:?}");
    let said = String::from_utf8(cleaned.stdout).unwrap();
    assert!(said.contains(&format!("the cloud of process {} is dead: removed {name}", cloud.id())), "{said}");
    assert!(!folder.exists());
    assert_eq!(groups(&machine), Vec::<PathBuf>::new());
    assert!(!String::from_utf8(clean().stdout).unwrap().contains(&name), "the second time it is gone");
    assert_eq!(alive.assist("i-ecs01", "echo alive").await, "alive\n", "a living cloud is left alone");
    alive.plane.shutdown().await;
    std::fs::remove_dir_all(folder.ancestors().nth(2).unwrap()).unwrap();
}

/// The other half of the test above; nothing when it is run by itself.
#[tokio::test(flavor = "multi_thread")]
async fn be_the_cloud() {
    if std::env::var_os(BE_THE_CLOUD).is_none() {
        return;
    }
    let region = Region::with_machines(1).await;
    writeln!(std::io::stdout(), "machines {}", region.path("data/hosts").display()).unwrap();
    // Waits to be killed; ends as well when the test that started it dies.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    region.plane.shutdown().await;
}

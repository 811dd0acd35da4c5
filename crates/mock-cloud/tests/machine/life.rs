//! The life of a machine: stop, start, reboot, delete, its console, its user data, its limits, its scripts.

use std::time::Duration;

use mock_cloud::plane::spec::{HostState, Power};

use crate::support::{Region, can_have_machines, eventually, instance, say};

const ID: &str = "i-ecs01";

async fn boot_id(region: &Region) -> String {
    region.assist(ID, "cut -d' ' -f22 /proc/1/stat").await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_outlive_a_stop_and_a_reboot_and_go_with_the_instance() {
    if !can_have_machines("files_outlive_a_stop_and_a_reboot_and_go_with_the_instance") {
        return;
    }
    let mut region = Region::with_machines(1).await;
    region.assist(ID, "echo kept >/root/file; systemctl --version >/dev/null").await;
    let first = boot_id(&region).await;

    region.instance(ID).power = Power::Off;
    region.apply();
    region.until("it is off", |status| status.hosts[ID].state == HostState::Off).await;
    assert!(region.plane.status().connect_to.is_empty());
    assert!(region.plane.run_command(ID, "true").await.is_err());
    region.instance(ID).power = Power::On;
    region.instance(ID).started = 2;
    region.apply();
    region.all_ready().await;
    assert_eq!(String::from_utf8(region.ssh("cat file").await.stdout).unwrap(), "kept\n");
    let second = boot_id(&region).await;
    assert_ne!(first, second);

    // A reboot that was so quick that nobody saw it off.
    region.instance(ID).started = 3;
    region.apply();
    region.until("it goes down", |status| status.hosts[ID].state != HostState::Ready).await;
    region.all_ready().await;
    assert_ne!(second, boot_id(&region).await);
    assert_eq!(region.assist(ID, "cat /root/file").await, "kept\n");

    // One that the machine itself asks for.
    let third = boot_id(&region).await;
    region.assist(ID, "systemctl reboot").await;
    region.until("it goes down by itself", |status| status.hosts[ID].state != HostState::Ready).await;
    region.all_ready().await;
    assert_ne!(third, boot_id(&region).await);

    assert!(region.files(ID).exists());
    region.desired.instances.clear();
    region.apply();
    region.until("it is gone", |status| status.hosts.is_empty()).await;
    assert!(!region.files(ID).exists());
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_data_runs_once_as_root_and_the_console_shows_the_boot() {
    if !can_have_machines("user_data_runs_once_as_root_and_the_console_shows_the_boot") {
        return;
    }
    let mut own = instance(1);
    own.user_data = Some(b"#!/bin/sh\nid -un >>/root/who\necho hello from user data\n".to_vec());
    let mut region = Region::with(vec![own]).await;
    region.all_ready().await;
    eventually("the user data ran", async || {
        region.plane.run_command(ID, "cat /root/who").await.is_ok_and(|said| said.output == b"root\n")
    })
    .await;
    region
        .until("the console shows it", |status| {
            let console = &status.hosts[ID].console;
            console.contains("hello from user data") && console.contains("ecs01 login:")
        })
        .await;
    let console = region.plane.status().hosts[ID].console.clone();
    assert!(console.contains("Started") && console.contains("ssh.service"), "{console}");
    region.instance(ID).started = 2;
    region.apply();
    region.until("it goes down", |status| status.hosts[ID].state != HostState::Ready).await;
    region.all_ready().await;
    region.assist(ID, "systemctl is-system-running --wait").await;
    assert_eq!(region.assist(ID, "cat /root/who").await, "root\n", "only the first boot runs it");
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_run_inside_as_root_and_end_when_nobody_waits_any_more() {
    if !can_have_machines("scripts_run_inside_as_root_and_end_when_nobody_waits_any_more") {
        return;
    }
    let region = Region::with_machines(1).await;
    let result =
        region.plane.run_command(ID, "pwd; id -un; echo wrong >&2; read line || echo empty; exit 7").await;
    let result = result.unwrap();
    let said = String::from_utf8(result.output).unwrap();
    assert_eq!((result.exit_code, said.as_str()), (7, "/root\nroot\nempty\nwrong\n"));
    let endless = region.plane.run_command(ID, "exec sleep 4242");
    assert!(tokio::time::timeout(Duration::from_secs(2), endless).await.is_err());
    eventually("the script was ended", async || {
        region
            .plane
            .run_command(ID, "! grep -qx sleep /proc/[0-9]*/comm")
            .await
            .is_ok_and(|said| said.exit_code == 0)
    })
    .await;
    assert!(region.plane.run_command("i-none", "true").await.is_err());
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_has_no_more_memory_and_processes_than_it_may() {
    if !can_have_machines("a_machine_has_no_more_memory_and_processes_than_it_may") {
        return;
    }
    let mut small = instance(1);
    small.memory = 192 << 20;
    let region = Region::with(vec![small]).await;
    region.all_ready().await;
    let groups: Vec<_> = ["memory/mock-cloud", "mock-cloud"]
        .into_iter()
        .map(|group| std::path::Path::new("/sys/fs/cgroup").join(group))
        .filter(|group| group.is_dir())
        .collect();
    if groups.is_empty() {
        say(
            "skipped: a_machine_has_no_more_memory_and_processes_than_it_may: no control groups can be written here",
        );
        return region.plane.shutdown().await;
    }
    let hungry = region.plane.run_command(ID, "tail /dev/zero").await.unwrap();
    assert_ne!(hungry.exit_code, 0, "it took more memory than the machine has");
    assert_eq!(region.assist(ID, "echo alive").await, "alive\n");
    let forks = "i=0; while [ $i -lt 5000 ]; do sleep 30 & i=$((i+1)); done; echo all";
    let forked = region.plane.run_command(ID, forks).await.unwrap();
    assert!(!String::from_utf8_lossy(&forked.output).contains("all"), "it had more processes than it may");
    region.plane.shutdown().await;
}

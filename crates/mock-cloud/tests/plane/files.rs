//! SFTP and scp, and every way out of the root that a client may try.

use crate::support::{Region, has, run, text};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn files_go_up_and_come_back() {
    if !has("files_go_up_and_come_back", &["ssh", "sftp", "scp", "ssh-keygen"]) {
        return;
    }
    let region = Region::with_hosts(1).await;
    let local = region.path("big");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| u8::try_from(number * 7 % 251).unwrap()).collect();
    std::fs::write(&local, &bytes).unwrap();
    let back = region.path("back");
    let batch = format!(
        "mkdir /data\nput {0} /data/big\nchmod 750 /data/big\nget /data/big {1}\nrename /data/big /data/other\nls /data\n\
         symlink /data/other /data/link\nls -l /data\nln -s relative /data/second\n",
        local.display(),
        back.display()
    );
    let output = region.sftp(&batch).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(std::fs::read(&back).unwrap(), bytes);
    assert_eq!(region.ok("stat -c %a /data/other").await, "750\n");
    assert_eq!(region.ok("readlink /data/link").await, "/data/other\n");
    assert_eq!(region.ok("readlink /data/second").await, "relative\n");
    let server = region.ssh_server();
    let mut command = Command::new("scp");
    command.arg("-q").args(["-P", &server.port().to_string()]).args(region.options("key"));
    command.arg(&local).arg(format!("root@{}:copied", server.ip()));
    let output = run(command, "").await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(std::fs::read(region.root("i-ecs01").join("root/copied")).unwrap(), bytes);
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_leaves_the_root() {
    if !has("no_client_leaves_the_root", &["ssh", "sftp", "ssh-keygen"]) {
        return;
    }
    let region = Region::with_hosts(2).await;
    let secret = region.path("secret");
    std::fs::write(&secret, "outside").unwrap();
    let other = region.root("i-ecs02").join("etc/hostname");
    let local = region.path("local");
    std::fs::write(&local, "mine").unwrap();
    let outside = secret.display();
    let batch = format!(
        "-symlink {outside} /direct\n-symlink ../../../../../../../..{outside} /climbing\n-symlink / /top\n\
         -symlink ../../.. /up\n-symlink ../i-ecs02/etc/hostname /neighbour\n"
    );
    assert!(region.sftp(&batch).await.status.success());
    for path in [
        "/direct".to_owned(),
        "/climbing".to_owned(),
        format!("/../../../../../../..{outside}"),
        format!("/top/..{outside}"),
        format!("/up/up/up{outside}"),
        "/neighbour".to_owned(),
        "/../i-ecs02/etc/hostname".to_owned(),
    ] {
        for line in ["cat", "sha256sum", "test -e", "chmod 777"] {
            let output = region.ssh(&format!("{line} '{path}'")).await;
            assert!(!output.status.success(), "{line} {path}: {}", text(&output));
        }
        let output = region.sftp(&format!("get {path} {}\n", region.path("stolen").display())).await;
        assert!(!output.status.success(), "{path}: {}", text(&output));
        // Writing is either refused or lands inside.
        let _ =
            region.sftp(&format!("-put {} {path}\n-chmod 777 {path}\n-rm {path}\n", local.display())).await;
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "outside", "{path}");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "ecs02\n", "{path}");
    }
    assert!(!region.ssh("rm -rf /top/../..").await.status.success());
    region.ok("rm -rf /up /top /../../../up/i-ecs02 /top/data").await;
    assert!(region.root("i-ecs02").join("etc").is_dir() && secret.exists());
    region.plane.shutdown().await;
}

//! What is in an image: packages, packages that can be installed without a network, and a few files of ours.

use sha2::{Digest, Sha256};

use crate::plane::guest::errand::RUNNER;
use crate::plane::guest::furnish::USER_DATA;

/// Packages that are installed, beside the smallest Debian there is: what a machine of the cloud comes with.
pub(super) const INSTALLED: &[&str] = &[
    "ca-certificates",
    "curl",
    "dbus",
    "iproute2",
    "iputils-ping",
    "openssh-server",
    "openssl",
    "procps",
    // As images of the cloud have it, whose first start is a program in it.
    "python3",
    "sudo",
    "systemd-sysv",
];
/// Packages that are there to be installed, with all they depend on.
pub(super) const OFFERED: &[&str] = &["redis-server"];
/// Where they are: the only source of `apt` on a machine, which has no network to any other.
pub(super) const REPOSITORY: &str = "/usr/local/lib/mock-cloud/packages";
/// Units that have nothing to do on a machine that lives for minutes.
pub(super) const MASKED: &[&str] = &[
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-network-generator.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
];

/// A file that is put into an image.
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) mode: u32,
    pub(super) text: String,
}

/// Runs the user data of an instance once: a script, as the cloud does it; what else it takes is kept, not run.
const RUN_USER_DATA: &str = r#"#!/bin/sh
data=/var/lib/cloud/instance/user-data.txt
touch /var/lib/cloud/instance/user-data.done
if [ "$(head -c 2 "$data")" = '#!' ]; then
  exec "$data"
fi
echo 'the user data is no script: kept, not run'
"#;

/// Runs the script on its standard input from a file, so that its own input is empty.
const RUN_COMMAND: &str = r#"#!/bin/sh
script=$(mktemp /run/cloud-assistant.XXXXXX) || exit 1
trap 'rm -f "$script"' EXIT
cat >"$script"
/bin/sh "$script" </dev/null
"#;

/// The files.
pub(super) fn files() -> Vec<File> {
    let user_data_unit = format!(
        "[Unit]\nDescription=User data of the instance\nAfter=network.target ssh.service\n\
         ConditionPathExists={USER_DATA}\nConditionPathExists=!/var/lib/cloud/instance/user-data.done\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/local/lib/mock-cloud/run-user-data\n\
         StandardOutput=journal+console\nTimeoutStartSec=infinity\n\n[Install]\nWantedBy=multi-user.target\n"
    );
    let file = |path, mode, text: &str| File { path, mode, text: text.to_owned() };
    vec![
        file("/usr/local/lib/mock-cloud/run-user-data", 0o755, RUN_USER_DATA),
        file(RUNNER, 0o755, RUN_COMMAND),
        file("/etc/systemd/system/user-data.service", 0o644, &user_data_unit),
        file(
            "/etc/apt/sources.list",
            0o644,
            &format!(
                "# A machine reaches no mirror; what is here can be installed.\ndeb [trusted=yes] file:{REPOSITORY} ./\n"
            ),
        ),
        // One host key, made when an instance is: the others would take their time at its first boot.
        file("/etc/ssh/sshd_config.d/host-key.conf", 0o644, "HostKey /etc/ssh/ssh_host_ed25519_key\n"),
        file("/etc/machine-id", 0o444, ""),
        file("/etc/resolv.conf", 0o644, ""),
    ]
}

/// Digest of all of it: an image with another one was built by another version of this program.
pub fn digest() -> String {
    let mut hash = Sha256::new();
    for list in [INSTALLED, OFFERED, MASKED, &[REPOSITORY]] {
        hash.update(list.join(" "));
        hash.update("\n");
    }
    for file in files() {
        hash.update(format!("{} {:o}\n{}", file.path, file.mode, file.text));
    }
    hex::encode(&hash.finalize()[..8])
}

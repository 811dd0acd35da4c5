//! Asks each host itself, by OpenSSH's own client, what is on it; and takes everything off it again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::site::{Host, Site};

/// Hosts that are asked at once.
const AT_ONCE: usize = 8;
/// Between what a host is and the moments at which it became that.
const THEN: &str = "then";

/// Prints what is deployed, the binary that runs first, and behind [`THEN`] when each of it was last written or started.
const LOOK: &str = r#"
set -e
unit=chat-node.service
files="/etc/albatross/chat-node.env /etc/systemd/system/$unit /opt/albatross/current/chat-node"
process=$(systemctl show --property MainPID --value $unit)
sha256sum <"/proc/$process/exe"
sha256sum $files
stat -Lc '%n %a %U:%G' $files
stat -c '%U' "/proc/$process"
getent passwd albatross | cut -d: -f1,6,7
systemctl is-active $unit
systemctl is-enabled $unit
curl --silent --show-error --output /dev/null --write-out '%{http_code}\n' "http://ADDRESS:5000/readyz"
echo then
stat -Lc '%n %i %z' $files /opt/albatross /opt/albatross/releases /etc/albatross /etc/passwd
stat -c '%n %i %z' /opt/albatross/current
systemctl show --property InvocationID --property NRestarts $unit
"#;

/// Takes off a host what was deployed. What is not there is no matter.
const EMPTY: &str = "systemctl disable --now chat-node.service 2>/dev/null
rm -rf /opt/albatross /etc/albatross/chat-node.env /etc/systemd/system/chat-node.service /root/.ansible
userdel albatross 2>/dev/null
systemctl daemon-reload";

/// What a script printed on each host.
pub(crate) struct Seen(BTreeMap<String, Look>);

/// What one host is, and the moments at which it became that.
struct Look {
    is: String,
    moments: String,
}

impl Seen {
    /// All hosts run this binary.
    pub(crate) fn expect_release(&self, node: &Path) -> Result<()> {
        let digest = hex::encode(Sha256::digest(std::fs::read(node)?));
        for (host, look) in &self.0 {
            ensure!(look.is.starts_with(&digest), "{host} does not run {}:\n{}", node.display(), look.is);
            ensure!(look.is.trim_end().ends_with("active\nenabled\n200"), "{host} is not well:\n{}", look.is);
        }
        Ok(())
    }

    /// All hosts are, byte for byte and mode for mode, what they were when these were seen.
    pub(crate) fn expect_same_release(&self, wanted: &Self) -> Result<()> {
        for (host, look) in &self.0 {
            let wanted = &wanted.0.get(host).context("the same hosts")?.is;
            ensure!(look.is == *wanted, "{host} is not deployed:\n{}\nand not as wanted:\n{wanted}", look.is);
        }
        Ok(())
    }

    /// And nothing of it was written or started again since then.
    pub(crate) fn expect_untouched_since(&self, before: &Self) -> Result<()> {
        self.expect_same_release(before)?;
        for (host, look) in &self.0 {
            let before = &before.0.get(host).context("the same hosts")?.moments;
            ensure!(look.moments == *before, "{host} was changed:\n{before}\nbecame\n{}", look.moments);
        }
        Ok(())
    }
}

/// Looks at all hosts.
pub(crate) fn look(site: &Site) -> Result<Seen> {
    let seen = on_all(site, |host| LOOK.replace("ADDRESS", &host.private_address))?;
    let looks = seen.into_iter().map(|(host, said)| {
        let (is, moments) = said.split_once(&format!("\n{THEN}\n")).context("a whole answer")?;
        Ok((host, Look { is: is.to_owned(), moments: moments.to_owned() }))
    });
    Ok(Seen(looks.collect::<Result<_>>()?))
}

/// Takes off all hosts what was deployed.
pub(crate) fn empty(site: &Site) -> Result<()> {
    on_all(site, |_| EMPTY.to_owned()).map(drop)
}

/// Runs a script on all hosts, some at once.
fn on_all(site: &Site, script: impl Fn(&Host) -> String + Sync) -> Result<BTreeMap<String, String>> {
    let (next, said) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(host) = site.hosts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = ask(site, host, &script(host));
                    said.lock().unwrap_or_else(PoisonError::into_inner).push((host.name.clone(), answer));
                }
            });
        }
    });
    let said = said.into_inner().unwrap_or_else(PoisonError::into_inner);
    said.into_iter().map(|(host, answer)| Ok((host, answer?))).collect()
}

/// What a script prints on a host.
pub(crate) fn ask(site: &Site, host: &Host, script: &str) -> Result<String> {
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-p", &host.ssh.port().to_string(), "-i"]).arg(site.key());
    command.arg("-o").arg(format!("UserKnownHostsFile={}", site.path("known_hosts").display()));
    for option in ["StrictHostKeyChecking=yes", "BatchMode=yes", "LogLevel=ERROR"] {
        command.args(["-o", option]);
    }
    command.arg(format!("root@{}", host.ssh.ip())).arg(script).stdin(Stdio::null());
    let output = command.output().context("ssh starts")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: it ended with {}: {complaint}", host.name, output.status);
    Ok(String::from_utf8(output.stdout)?)
}

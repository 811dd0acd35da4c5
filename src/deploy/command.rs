//! Command lines, built and not run, so that tests compare them whole.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::ssh::Command;

/// Held by the operator whose step a host is in.
const HOST_LOCK: &str = "/run/albatross.lock";
/// Held by every command of a step that runs.
const RUNNING_LOCK: &str = "/run/albatross.running";
/// A folder a step, and in it who began it.
pub(super) const STEPS: &str = "/run/albatross";
/// The longest a step may take. Where the other end vanished without a word, its connection would hold the lock for
/// hours.
const LONGEST_STEP: Duration = Duration::from_mins(30);
/// How long a command of an earlier step is waited for.
pub(super) const COMMAND_PATIENCE: Duration = Duration::from_mins(2);
/// A restart waits for the old process to drain.
const RESTART: Duration = Duration::from_mins(2);
/// Packages come over the network.
const INSTALL: Duration = Duration::from_mins(10);

fn command(words: &[&str]) -> Command {
    words[1..].iter().fold(Command::new(words[0]), |command, word| command.arg(*word))
}

/// Holds the lock of the host as long as its input lasts; ends at once when somebody else does.
pub(super) fn hold_host() -> Command {
    command(&["flock", "-n", HOST_LOCK, "timeout", &LONGEST_STEP.as_secs().to_string(), "cat"])
}

/// Waits until no command of a step runs, and ends these steps.
pub(super) fn end_steps(names: &[String]) -> Command {
    let seconds = COMMAND_PATIENCE.as_secs().to_string();
    let waits = COMMAND_PATIENCE + Duration::from_secs(30);
    command(&["flock", "-w", &seconds, RUNNING_LOCK, "rm", "-rf"])
        .args(names.iter().map(|name| format!("{STEPS}/{name}")))
        .deadline(waits)
}

/// What runs each command of a step: together with others, and only while the step's own lock file can be opened.
/// Neither lock is handed on to what the command leaves running.
pub(super) fn within_step(lock: &str) -> Vec<String> {
    ["flock", "-s", "-o", RUNNING_LOCK, "flock", "-s", "-o", lock].map(str::to_owned).to_vec()
}

/// The words of a command without what runs it within a step.
pub(super) fn without_step(argv: &[String]) -> &[String] {
    let begins = within_step("");
    let (lock, begins) = (begins.len() - 1, &begins[..begins.len() - 1]);
    if argv.len() > lock && argv[..lock] == *begins { &argv[lock + 1..] } else { argv }
}

/// Mode, owner and group of a file.
pub(super) fn mode_and_owner(path: &str) -> Command {
    command(&["stat", "-c", "%a %U:%G", path])
}

pub(super) fn machine() -> Command {
    command(&["uname", "-m"])
}

pub(super) fn distribution() -> Command {
    print("/etc/os-release")
}

pub(super) fn libc() -> Command {
    configuration_value("GNU_LIBC_VERSION")
}

/// What the system says of itself by this name.
pub(super) fn configuration_value(name: &str) -> Command {
    command(&["getconf", name])
}

/// Kibibytes that are free where a path is, below a heading.
pub(super) fn free_disk(path: &str) -> Command {
    command(&["df", "-k", "--output=avail", path])
}

/// Seconds since 1970.
pub(super) fn seconds() -> Command {
    command(&["date", "-u", "+%s"])
}

pub(super) fn is_folder(path: &str) -> Command {
    command(&["test", "-d", path])
}

pub(super) fn is_executable(path: &str) -> Command {
    command(&["test", "-x", path])
}

pub(super) fn folder(path: &str, mode: &str) -> Command {
    command(&["install", "-d", "-m", mode, path])
}

pub(super) fn owned_folder(path: &str, mode: &str, owner: &str) -> Command {
    command(&["install", "-d", "-m", mode, "-o", owner, "-g", owner, path])
}

pub(super) fn chown(owner: &str, path: &str) -> Command {
    command(&["chown", owner, path])
}

pub(super) fn user(name: &str) -> Command {
    command(&["getent", "passwd", name])
}

pub(super) fn add_user(name: &str) -> Command {
    command(&["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name])
}

pub(super) fn random_hex(bytes: usize) -> Command {
    command(&["openssl", "rand", "-hex", &bytes.to_string()])
}

pub(super) fn sha256(path: &str) -> Command {
    command(&["sha256sum", path])
}

/// Prints a file.
pub(super) fn print(path: &str) -> Command {
    command(&["cat", path])
}

pub(super) fn link_targets(paths: &[&str]) -> Command {
    command(&["readlink"]).args(paths.iter().copied())
}

pub(super) fn link(target: &str, path: &str) -> Command {
    command(&["ln", "-sfn", target, path])
}

pub(super) fn replace(from: &str, to: &str) -> Command {
    command(&["mv", "-fT", from, to])
}

/// Copies a program. One that is there is replaced, and not written into.
pub(super) fn copy_program(from: &str, to: &str) -> Command {
    command(&["install", "-m", "0755", from, to])
}

pub(super) fn names(folder: &str) -> Command {
    command(&["ls", "-1", folder])
}

pub(super) fn remove_all(path: &str) -> Command {
    command(&["rm", "-rf", path])
}

pub(super) fn now() -> Command {
    command(&["date", "-u", "+%Y-%m-%dT%H:%M:%SZ"])
}

pub(super) fn systemctl(verb: &str, unit: &str) -> Command {
    command(&["systemctl", verb, unit]).deadline(RESTART)
}

pub(super) fn systemctl_disable_now(unit: &str) -> Command {
    command(&["systemctl", "disable", "--now", unit]).deadline(RESTART)
}

pub(super) fn daemon_reload() -> Command {
    command(&["systemctl", "daemon-reload"])
}

pub(super) fn state(unit: &str) -> Command {
    command(&["systemctl", "show", unit, "--property=ActiveState,SubState,Result,ExecMainStatus,NRestarts"])
}

/// Whether units run, and whether they start with their host.
pub(super) fn duties(units: &[&str]) -> Command {
    command(&["systemctl", "show"]).args(units.iter().copied()).arg("--property=ActiveState,UnitFileState")
}

pub(super) fn journal(unit: &str, lines: u32) -> Command {
    command(&["journalctl", "-u", unit, "-n", &lines.to_string(), "--no-pager", "-o", "cat"])
}

pub(super) fn listeners(port: u16) -> Command {
    command(&["ss", "-ltnpH", "sport", "=", &format!(":{port}")])
}

pub(super) fn probe(address: Ipv4Addr, port: u16, path: &str) -> Command {
    command(&["curl", "--silent", "--show-error", "--max-time", "3", "--write-out", "\n%{http_code}"])
        .arg(format!("http://{address}:{port}{path}"))
}

/// A Redis conversation; the password goes in on standard input.
pub(super) fn redis_ping(address: Ipv4Addr, port: u16, password: &str) -> Command {
    command(&["redis-cli", "-h", &address.to_string(), "-p", &port.to_string(), "--no-auth-warning"])
        .stdin(format!("AUTH {password}\nPING\n").into_bytes())
        .deadline(Duration::from_secs(10))
}

/// Which Redis is installed.
pub(super) fn redis_version() -> Command {
    command(&["redis-server", "--version"])
}

/// Gives the kernel the settings of a file.
pub(super) fn set_kernel(path: &str) -> Command {
    // It takes the file by an equals sign only.
    command(&["sysctl", "--quiet"]).arg(format!("--load={path}"))
}

/// Writes into the kernel's own files what a file says.
pub(super) fn write_kernel_files(path: &str) -> Command {
    command(&["systemd-tmpfiles", "--create", path])
}

pub(super) fn apt_update() -> Command {
    command(&["apt-get", "update"]).deadline(INSTALL)
}

pub(super) fn apt_install(packages: &[&str]) -> Command {
    command(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends"])
        .args(packages.iter().copied())
        .deadline(INSTALL)
}

pub(super) fn dnf_install(packages: &[&str]) -> Command {
    command(&["dnf", "install", "-y"]).args(packages.iter().copied()).deadline(INSTALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_from_what_runs_it() {
        let plain = replace("/a", "/b");
        let wrapped = plain.clone().wrapped_by(within_step("/run/albatross/1f/lock"));
        assert_eq!(without_step(wrapped.argv()), plain.argv());
        assert_eq!(without_step(plain.argv()), plain.argv());
        assert_eq!(without_step(hold_host().argv()), hold_host().argv());
    }

    #[test]
    fn the_lines_as_a_host_reads_them() {
        let address = Ipv4Addr::new(10, 0, 0, 5);
        for (command, line) in [
            (
                replace("/opt/albatross/.current.new", "/opt/albatross/current")
                    .wrapped_by(within_step("/run/albatross/1f/lock")),
                "flock -s -o /run/albatross.running flock -s -o /run/albatross/1f/lock \
                 mv -fT /opt/albatross/.current.new /opt/albatross/current",
            ),
            (hold_host(), "flock -n /run/albatross.lock timeout 1800 cat"),
            (
                end_steps(&["1e".to_owned(), "1f".to_owned()]),
                "flock -w 120 /run/albatross.running rm -rf /run/albatross/1e /run/albatross/1f",
            ),
            (listeners(5000), "ss -ltnpH sport = :5000"),
            (
                probe(address, 5000, "/readyz"),
                "curl --silent --show-error --max-time 3 --write-out '\n%{http_code}' http://10.0.0.5:5000/readyz",
            ),
            (redis_ping(address, 6379, "hunter2"), "redis-cli -h 10.0.0.5 -p 6379 --no-auth-warning"),
            (
                apt_install(&["redis-server"]),
                "env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends redis-server",
            ),
            (dnf_install(&["redis", "openssl"]), "dnf install -y redis openssl"),
            (
                owned_folder("/var/lib/albatross-redis", "0750", "redis"),
                "install -d -m 0750 -o redis -g redis /var/lib/albatross-redis",
            ),
            (add_user("albatross"), "useradd --system --no-create-home --shell /usr/sbin/nologin albatross"),
            (journal("chat-node.service", 12), "journalctl -u chat-node.service -n 12 --no-pager -o cat"),
        ] {
            assert_eq!(command.to_string(), line);
        }
    }
}

//! The programs a process host understands, and how a command line becomes a call of one.
//!
//! Nothing here starts a shell. A program that is not in the table is refused by name; an option that is not
//! understood is refused rather than ignored.

mod call;
mod files;
mod gzip;
mod inspect;
mod kernel;
mod network;
mod options;
mod packages;
mod redis;
mod services;
mod sudo;
mod system;
mod text;
mod wrap;

use std::io;

use rustix::fs::OFlags;

pub(crate) use call::{Call, Caller, Live, Stdin};
pub(crate) use system::user;

use crate::plane::host::launch::STAND_IN;
use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, sentence};
use crate::plane::host::packages::Manager;
use crate::plane::host::root::{Last, Root};
use crate::plane::host::words;

/// How a program is run.
#[derive(Clone, Copy)]
enum Kind {
    /// It only looks at files and the machine; the arguments are those after its name.
    Quick(fn(&Machine, &[String]) -> Outcome),
    /// It waits for something.
    Slow(Slow),
}

#[derive(Clone, Copy)]
enum Slow {
    Cat,
    Env,
    Timeout,
    Flock,
    Curl,
    RedisCli,
    Systemctl,
    Journalctl,
    Sudo,
    Install(Manager),
}

/// When a program is on a host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Always,
    With(Manager),
    /// Once its package is installed.
    Packaged,
}

struct Program {
    name: &'static str,
    presence: Presence,
    kind: Kind,
}

const fn quick(name: &'static str, run: fn(&Machine, &[String]) -> Outcome) -> Program {
    Program { name, presence: Presence::Always, kind: Kind::Quick(run) }
}

const fn slow(name: &'static str, run: Slow) -> Program {
    Program { name, presence: Presence::Always, kind: Kind::Slow(run) }
}

/// Every program there is.
const PROGRAMS: &[Program] = &[
    slow("cat", Slow::Cat),
    quick("chmod", files::chmod),
    quick("chown", files::chown),
    quick("gzip", gzip::gzip),
    quick("install", files::install),
    quick("ln", files::ln),
    quick("mkdir", files::mkdir),
    quick("mv", files::mv),
    quick("rm", files::rm),
    quick("touch", files::touch),
    quick("df", inspect::df),
    quick("ls", inspect::ls),
    quick("readlink", inspect::readlink),
    quick("sha256sum", inspect::sha256sum),
    quick("stat", inspect::stat),
    quick("test", inspect::test),
    quick("date", system::date),
    quick("echo", system::echo),
    quick("getconf", system::getconf),
    quick("getent", system::getent),
    quick("hostname", system::hostname),
    quick("id", system::id),
    quick("nproc", system::nproc),
    quick("openssl", system::openssl),
    quick("true", system::true_),
    quick("uname", system::uname),
    quick("useradd", system::useradd),
    quick("grep", text::grep),
    quick("printf", text::printf),
    slow("journalctl", Slow::Journalctl),
    slow("sudo", Slow::Sudo),
    quick("ss", network::ss),
    quick("sysctl", kernel::sysctl),
    quick("systemd-tmpfiles", kernel::tmpfiles),
    slow("curl", Slow::Curl),
    slow("env", Slow::Env),
    slow("flock", Slow::Flock),
    slow("systemctl", Slow::Systemctl),
    slow("timeout", Slow::Timeout),
    Program { name: "redis-server", presence: Presence::Packaged, kind: Kind::Quick(redis::redis_server) },
    Program { name: "redis-cli", presence: Presence::Packaged, kind: Kind::Slow(Slow::RedisCli) },
    Program {
        name: "apt-get",
        presence: Presence::With(Manager::Apt),
        kind: Kind::Slow(Slow::Install(Manager::Apt)),
    },
    Program {
        name: "dpkg-query",
        presence: Presence::With(Manager::Apt),
        kind: Kind::Quick(packages::dpkg_query),
    },
    Program {
        name: "dnf",
        presence: Presence::With(Manager::Dnf),
        kind: Kind::Slow(Slow::Install(Manager::Dnf)),
    },
    Program { name: "rpm", presence: Presence::With(Manager::Dnf), kind: Kind::Quick(packages::rpm) },
];

/// What somebody who is not root may run: programs that change nothing and read no secret. On a real machine more is
/// let through and less succeeds; here it is refused before it does anything.
const FOR_EVERYBODY: [&str; 13] = [
    "sudo", "true", "echo", "printf", "date", "getconf", "getent", "hostname", "id", "ls", "nproc", "uname",
    "env",
];

/// Puts a stand-in for each program that a fresh machine has into its `/usr/bin`.
pub(crate) fn install(root: &Root, manager: Manager) -> io::Result<()> {
    for program in PROGRAMS {
        if program.presence == Presence::Always || program.presence == Presence::With(manager) {
            root.write(
                &format!("/usr/bin/{}", program.name),
                format!("{STAND_IN}{}\n", program.name).as_bytes(),
                0o755,
            )?;
        }
    }
    Ok(())
}

/// The name in the table for how a program was called.
fn plain_name(called: &str) -> &str {
    let folders = ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"];
    folders.iter().find_map(|folder| called.strip_prefix(folder)).unwrap_or(called)
}

impl Machine {
    /// Runs one command.
    pub(crate) async fn run(self: &std::sync::Arc<Self>, mut call: Call) -> Outcome {
        let Some(called) = call.argv.first().cloned() else {
            return Outcome::done();
        };
        let name = plain_name(&called);
        let Some(program) = PROGRAMS.iter().find(|program| program.name == name) else {
            return Outcome::refused(&called);
        };
        if !self.root.exists(&format!("/usr/bin/{name}")) {
            return Outcome::failed(127, format!("bash: line 1: {called}: command not found"));
        }
        if call.caller.user.is_some() && !FOR_EVERYBODY.contains(&name) {
            return Outcome::failed(1, format!("{name}: Permission denied"));
        }
        call.argv.remove(0);
        match program.kind {
            Kind::Quick(run) => {
                let machine = std::sync::Arc::clone(self);
                let result = tokio::task::spawn_blocking(move || run(&machine, &call.argv)).await;
                result.unwrap_or_else(|_| Outcome::failed(1, format!("{called}: internal error")))
            }
            Kind::Slow(slow) => self.run_slow(slow, call).await,
        }
    }

    /// Boxed: some programs run others.
    fn run_slow(
        self: &std::sync::Arc<Self>,
        slow: Slow,
        call: Call,
    ) -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        match slow {
            Slow::Cat => Box::pin(files::cat(self, call)),
            Slow::Env => Box::pin(wrap::env(self, call)),
            Slow::Timeout => Box::pin(wrap::timeout(self, call)),
            Slow::Flock => Box::pin(wrap::flock(self, call)),
            Slow::Curl => Box::pin(network::curl(self, call)),
            Slow::RedisCli => Box::pin(redis::redis_cli(self, call)),
            Slow::Journalctl => Box::pin(services::journalctl(self, call)),
            Slow::Sudo => Box::pin(sudo::sudo(self, call)),
            Slow::Systemctl => Box::pin(services::systemctl(self, call)),
            Slow::Install(manager) => Box::pin(packages::install(self, manager, call)),
        }
    }

    /// Runs a command that reads nothing.
    pub(crate) async fn run_quietly(self: &std::sync::Arc<Self>, argv: &[String]) -> Outcome {
        self.run(Call::new(argv.to_vec(), Stdin::empty())).await
    }

    /// Runs a script line by line, as `sh -e` would run these lines; output and errors together.
    pub(crate) async fn run_script(self: &std::sync::Arc<Self>, script: &str) -> (i32, Vec<u8>) {
        let mut output = Vec::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let outcome = self.run_script_line(line).await;
            output.extend(outcome.stdout);
            output.extend(outcome.stderr);
            if outcome.status != 0 {
                return (outcome.status, output);
            }
        }
        (0, output)
    }

    /// Commands of which each is run when the one before it failed.
    async fn run_script_line(self: &std::sync::Arc<Self>, line: &str) -> Outcome {
        let commands = match words::split_script(line) {
            Ok(commands) => commands,
            Err(words::NotUnderstood(what)) => return Outcome::refused(what),
        };
        let mut outcome = Outcome::done();
        for words::Simple { argv, append_to } in commands {
            outcome = self.run_quietly(&argv).await;
            if let Some(path) = append_to {
                let printed = std::mem::take(&mut outcome.stdout);
                if let Err(error) = self.append(&path, &printed) {
                    outcome = Outcome::failed(2, format!("sh: cannot create {path}: {}", sentence(&error)));
                }
            }
            if outcome.status == 0 {
                break;
            }
        }
        outcome
    }

    fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let place = self.root.place(path, Last::Follow)?;
        let mut file = place.open(OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND, 0o644)?;
        io::Write::write_all(&mut file, bytes)
    }

    /// Runs the one string of an SSH `exec`.
    pub(crate) async fn run_line(
        self: &std::sync::Arc<Self>,
        line: &str,
        stdin: Stdin,
        caller: Caller,
    ) -> Outcome {
        let parts = match words::split_line(line) {
            Ok(parts) => parts,
            Err(words::NotUnderstood(what)) => return Outcome::refused(what),
        };
        let (mut stdin, mut all) = (Some(stdin), Outcome::done());
        for words::Part { mut argv, tells_status } in parts {
            if tells_status {
                argv.push(all.status.to_string());
            }
            // Those behind the first read nothing here, where a shell would let them share.
            let stdin = stdin.take().unwrap_or_else(Stdin::empty);
            let outcome = self.run(Call { caller: caller.clone(), ..Call::new(argv, stdin) }).await;
            all.stdout.extend(outcome.stdout);
            all.stderr.extend(outcome.stderr);
            all.status = outcome.status;
        }
        all
    }
}

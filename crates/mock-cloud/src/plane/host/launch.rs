//! From a command line of a host to a process of the outer machine: programs, paths, addresses and environment.
//!
//! Only binaries for this machine's architecture inside the root are started, and the few real programs that an
//! installed package stands for. Scripts are not: no shell ever runs.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::plane::host::machine::Machine;
use crate::plane::host::process::{Launch, outer_program};
use crate::plane::host::root::Last;
use crate::plane::network::outer_port;

/// First bytes of a file in `/usr/bin` that stands for a real program of the outer machine.
pub(crate) const STAND_IN: &str = "#!mock-host ";
/// The real programs a stand-in may name.
const REAL_PROGRAMS: &[&str] = &["redis-server", "redis-cli"];

impl Machine {
    /// Works out what to start for a command line of this host.
    ///
    /// # Errors
    /// As executing it would fail: no such file, not executable, wrong format.
    pub(crate) fn launch(
        &self,
        argv: &[String],
        environment: &BTreeMap<String, String>,
        directory: &str,
    ) -> io::Result<Launch> {
        let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let (program, real) = self.program(program)?;
        let arguments = if real == Some("redis-server") {
            self.redis_arguments(arguments)?
        } else {
            arguments.iter().map(|argument| self.argument(argument)).collect()
        };
        let mut inherited = BTreeMap::from([
            ("PATH".to_owned(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ]);
        for (name, value) in environment {
            inherited.insert(name.clone(), self.network.rewrite(value, self.address));
        }
        let directory = self.root.outer_path(directory);
        if !directory.is_dir() {
            return Err(Errno::NOENT.into());
        }
        Ok(Launch { program, arguments, environment: inherited, directory })
    }

    /// The file to execute, and the name of the real program when it is a stand-in.
    fn program(&self, path: &str) -> io::Result<(PathBuf, Option<&'static str>)> {
        let place = self.root.place(path, Last::Follow)?;
        let stat = place.stat()?;
        if place.is_directory() || stat.st_mode & 0o111 == 0 {
            return Err(Errno::ACCESS.into());
        }
        let mut head = Vec::new();
        place.open(OFlags::RDONLY, 0)?.take(64).read_to_end(&mut head)?;
        if let Some(name) = head.strip_prefix(STAND_IN.as_bytes()) {
            let name = String::from_utf8_lossy(name);
            let real = REAL_PROGRAMS.iter().find(|real| **real == name.trim()).ok_or(Errno::NOEXEC)?;
            return Ok((outer_program(real).ok_or(Errno::NOENT)?, Some(real)));
        }
        if !is_native(&head) {
            return Err(Errno::NOEXEC.into());
        }
        Ok((self.root.outer(&place), None))
    }

    /// One argument: paths into the root, addresses to where they really are.
    fn argument(&self, argument: &str) -> String {
        if argument.starts_with('/') {
            return self.root.outer_path(argument).to_string_lossy().into_owned();
        }
        if argument.starts_with('-')
            && let Some((option, value)) = argument.split_once('=')
            && value.starts_with('/')
        {
            return format!("{option}={}", self.root.outer_path(value).display());
        }
        self.network.rewrite(argument, self.address)
    }

    /// Arguments of `redis-server`: its file is copied with addresses and paths mapped, and it stays in front.
    fn redis_arguments(&self, arguments: &[String]) -> io::Result<Vec<String>> {
        let mut mapped = Vec::new();
        let mut rest = arguments.iter();
        let mut is_bound = false;
        if let Some(path) = arguments.first().filter(|first| !first.starts_with('-')) {
            let text = redis_configuration(&self.root.read_text(path)?, self);
            let copy = format!("/run/mock-host/{}", path.trim_start_matches('/').replace('/', "-"));
            self.root.write(&copy, text.as_bytes(), 0o600)?;
            mapped.push(self.root.outer_path(&copy).to_string_lossy().into_owned());
            rest.next();
            is_bound = true;
        }
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--daemonize" => drop(rest.next()),
                "--port" => {
                    mapped.push(argument.clone());
                    mapped.extend(rest.next().map(|port| redis_port(port)));
                }
                _ => {
                    is_bound |= argument == "--bind";
                    mapped.push(self.argument(argument));
                }
            }
        }
        if !is_bound {
            mapped.extend(["--bind".to_owned(), self.address.to_string()]);
        }
        mapped.extend(["--daemonize".to_owned(), "no".to_owned()]);
        Ok(mapped)
    }
}

/// Whether these first bytes are an executable for this machine.
fn is_native(start: &[u8]) -> bool {
    let machine: u16 = match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        _ => return start.starts_with(b"\x7fELF"),
    };
    start.starts_with(b"\x7fELF\x02\x01") && start.get(18..20) == Some(&machine.to_le_bytes())
}

fn redis_port(port: &str) -> String {
    match port.parse::<u16>() {
        Ok(number) if number > 0 => outer_port(number).to_string(),
        Ok(_) | Err(_) => port.to_owned(),
    }
}

/// The settings of a redis.conf whose value is a path.
const REDIS_PATHS: &[&str] = &[
    "dir",
    "logfile",
    "pidfile",
    "unixsocket",
    "aclfile",
    "include",
    "tls-cert-file",
    "tls-key-file",
    "tls-ca-cert-file",
];

/// A redis.conf for the process: the host's own stays as it was uploaded.
fn redis_configuration(text: &str, machine: &Machine) -> String {
    let mut written = String::new();
    let mut is_bound = false;
    for line in text.lines() {
        let (key, value) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let (key, value) = (key.to_ascii_lowercase(), value.trim());
        let line = match key.as_str() {
            "bind" => {
                is_bound = true;
                format!("bind {}", bound_addresses(value, machine))
            }
            "port" | "tls-port" => format!("{key} {}", redis_port(value)),
            "daemonize" => continue,
            "replicaof" | "slaveof" | "replica-announce-ip" => {
                format!("{key} {}", machine.network.rewrite(value, machine.address))
            }
            key if REDIS_PATHS.contains(&key) && value.trim_matches('"').starts_with('/') => {
                format!("{key} \"{}\"", machine.root.outer_path(value.trim_matches('"')).display())
            }
            _ => line.to_owned(),
        };
        written.push_str(&line);
        written.push('\n');
    }
    if !is_bound {
        written.extend(["bind ", &machine.address.to_string(), "\n"]);
    }
    written
}

/// The mapped addresses of a `bind` line, each once: several of a host's addresses are one here.
fn bound_addresses(value: &str, machine: &Machine) -> String {
    let mut bound: Vec<String> = Vec::new();
    for address in value.split_whitespace().map(|address| address.trim_matches('"').trim_start_matches('-')) {
        let mapped = match address.parse::<Ipv4Addr>() {
            Ok(parsed) => {
                machine.network.outer_address(parsed, Some(machine.address)).unwrap_or(parsed).to_string()
            }
            Err(_) if address == "*" => machine.address.to_string(),
            Err(_) if address.contains(':') => continue,
            Err(_) => address.to_owned(),
        };
        if !bound.contains(&mapped) {
            bound.push(mapped);
        }
    }
    if bound.is_empty() {
        bound.push(machine.address.to_string());
    }
    bound.join(" ")
}

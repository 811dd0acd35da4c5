//! Programs that tell about the machine and its users: date, echo, getconf, getent, hostname, id, nproc, openssl,
//! true, uname, useradd.

use rand::RngCore;

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, outer, sentence};
use crate::plane::host::programs::options::Options;

pub(crate) fn true_(_machine: &Machine, _arguments: &[String]) -> Outcome {
    Outcome::done()
}

pub(crate) fn echo(_machine: &Machine, arguments: &[String]) -> Outcome {
    match arguments.split_first() {
        Some((first, rest)) if first == "-n" => Outcome::printed(rest.join(" ")),
        _ => Outcome::printed(arguments.join(" ") + "\n"),
    }
}

pub(crate) fn uname(_machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("uname", arguments, &["-s", "-m", "-r"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut parts = Vec::new();
    if options.has("-s") || arguments.is_empty() {
        parts.push("Linux");
    }
    if options.has("-r") {
        parts.push(release.trim());
    }
    if options.has("-m") {
        parts.push(std::env::consts::ARCH);
    }
    Outcome::printed(parts.join(" ") + "\n")
}

pub(crate) fn hostname(machine: &Machine, arguments: &[String]) -> Outcome {
    if !arguments.is_empty() {
        return Outcome::refused("hostname with arguments");
    }
    Outcome::printed(machine.host_name() + "\n")
}

pub(crate) fn nproc(_machine: &Machine, _arguments: &[String]) -> Outcome {
    Outcome::printed(format!("{}\n", std::thread::available_parallelism().map_or(1, std::num::NonZero::get)))
}

pub(crate) fn date(_machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("date", arguments, &["-u"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let now = jiff::Timestamp::now();
    match options.operands.as_slice() {
        [format] if format == "+%s" => Outcome::printed(format!("{}\n", now.as_second())),
        [format] if format == "+%Y-%m-%dT%H:%M:%SZ" => {
            Outcome::printed(format!("{}\n", now.strftime("%Y-%m-%dT%H:%M:%SZ")))
        }
        _ => Outcome::refused(format!("date {}", arguments.join(" "))),
    }
}

/// The C library and the memory are those of the outer machine: its binaries run here.
pub(crate) fn getconf(_machine: &Machine, arguments: &[String]) -> Outcome {
    match arguments {
        [name] if ["GNU_LIBC_VERSION", "_PHYS_PAGES", "PAGE_SIZE"].contains(&name.as_str()) => {
            outer(["getconf", name])
                .unwrap_or_else(|| Outcome::failed(1, format!("getconf: Unrecognized variable `{name}'")))
        }
        _ => Outcome::refused(format!("getconf {}", arguments.join(" "))),
    }
}

pub(crate) fn openssl(_machine: &Machine, arguments: &[String]) -> Outcome {
    let [rand, hex, length] = arguments else {
        return Outcome::refused(format!("openssl {}", arguments.join(" ")));
    };
    match length.parse::<usize>() {
        Ok(length) if rand == "rand" && hex == "-hex" && length <= 4096 => {
            let mut bytes = vec![0; length];
            rand::rng().fill_bytes(&mut bytes);
            Outcome::printed(hex::encode(bytes) + "\n")
        }
        Ok(_) | Err(_) => Outcome::refused(format!("openssl {}", arguments.join(" "))),
    }
}

/// The line of a user in `/etc/passwd`.
pub(crate) fn user(machine: &Machine, name: &str) -> Option<String> {
    let users = machine.root.read_text("/etc/passwd").ok()?;
    users.lines().find(|line| line.split(':').next() == Some(name)).map(str::to_owned)
}

pub(crate) fn id(machine: &Machine, arguments: &[String]) -> Outcome {
    match arguments {
        [flag] if flag == "-u" => Outcome::printed("0\n"),
        [flag, name] if flag == "-u" => match user(machine, name) {
            Some(line) => Outcome::printed(format!("{}\n", line.split(':').nth(2).unwrap_or("0"))),
            None => Outcome::failed(1, format!("id: '{name}': no such user")),
        },
        _ => Outcome::refused(format!("id {}", arguments.join(" "))),
    }
}

pub(crate) fn getent(machine: &Machine, arguments: &[String]) -> Outcome {
    match arguments {
        [database, name] if database == "passwd" => match user(machine, name) {
            Some(line) => Outcome::printed(line + "\n"),
            None => Outcome::status(2),
        },
        _ => Outcome::refused(format!("getent {}", arguments.join(" "))),
    }
}

pub(crate) fn useradd(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read(
        "useradd",
        arguments,
        &["--system", "--no-create-home", "--create-home"],
        &["--shell"],
    ) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let [name] = options.operands.as_slice() else {
        return Outcome::refused("useradd with other than one name");
    };
    let is_valid =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) && !name.is_empty();
    if !is_valid {
        return Outcome::failed(3, format!("useradd: invalid user name '{name}'"));
    }
    if user(machine, name).is_some() {
        return Outcome::failed(9, format!("useradd: user '{name}' already exists"));
    }
    let users = machine.root.read_text("/etc/passwd").unwrap_or_default();
    let number = 999 - users.lines().count().min(800);
    let shell = options.value("--shell").unwrap_or("/bin/sh");
    let line = format!("{users}{name}:x:{number}:{number}::/home/{name}:{shell}\n");
    let home = format!("/home/{name}");
    if options.has("--create-home")
        && let Err(error) = machine.root.make_folders(&home, 0o755)
    {
        return Outcome::failed(12, format!("useradd: cannot create directory {home}: {}", sentence(&error)));
    }
    match machine.root.write("/etc/passwd", line.as_bytes(), 0o644) {
        Ok(()) => Outcome::done(),
        Err(error) => Outcome::failed(1, format!("useradd: cannot open /etc/passwd: {}", sentence(&error))),
    }
}

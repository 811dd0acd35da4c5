//! Programs that change files: cat, chmod, chown, install, ln, mkdir, mv, rm, touch.

use std::io;
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, sentence};
use crate::plane::host::programs::call::Call;
use crate::plane::host::programs::options::{Options, octal};
use crate::plane::host::root::{Last, Root};

/// Does something to each operand; a failure is said and the others still happen, as coreutils do.
fn each(
    paths: &[String],
    what: impl Fn(&str) -> io::Result<()>,
    complaint: impl Fn(&str) -> String,
) -> Outcome {
    let mut outcome = Outcome::done();
    for path in paths {
        if let Err(error) = what(path) {
            outcome.and(Outcome::failed(1, format!("{}: {}", complaint(path), sentence(&error))));
        }
    }
    outcome
}

fn missing_operand(program: &str) -> Outcome {
    Outcome::failed(1, format!("{program}: missing operand\nTry '{program} --help' for more information."))
}

/// Without a file it repeats its input as it comes.
pub(crate) async fn cat(machine: &Arc<Machine>, call: Call) -> Outcome {
    let options = match Options::read("cat", &call.argv, &[], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    if options.operands.is_empty() {
        return repeat(call).await;
    }
    let machine = Arc::clone(machine);
    let read = tokio::task::spawn_blocking(move || read_files(&machine, &options)).await;
    read.unwrap_or_else(|_| Outcome::failed(1, "cat: internal error"))
}

async fn repeat(mut call: Call) -> Outcome {
    let mut outcome = Outcome::done();
    loop {
        match call.stdin.read_some().await {
            Ok(piece) if piece.is_empty() => return outcome,
            Ok(piece) => match &call.caller.live {
                Some(live) if live.send(piece.clone()).is_ok() => {}
                Some(_) | None => outcome.stdout.extend(piece),
            },
            Err(error) => return Outcome::failed(1, format!("cat: -: {}", sentence(&error))),
        }
    }
}

fn read_files(machine: &Machine, options: &Options) -> Outcome {
    let mut outcome = Outcome::done();
    for path in &options.operands {
        match machine.root.read(path) {
            Ok(bytes) => outcome.stdout.extend(bytes),
            Err(error) => outcome.and(Outcome::failed(1, format!("cat: {path}: {}", sentence(&error)))),
        }
    }
    outcome
}

pub(crate) fn mkdir(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("mkdir", arguments, &["-p"], &["-m"]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    if options.operands.is_empty() {
        return missing_operand("mkdir");
    }
    let mode = match options.value("-m").map(|mode| (mode, octal(mode))) {
        Some((mode, None)) => return Outcome::failed(1, format!("mkdir: invalid mode '{mode}'")),
        Some((_, Some(mode))) => mode,
        None => 0o755,
    };
    let make = |path: &str| {
        if options.has("-p") {
            // An existing folder keeps its mode.
            if machine.root.place(path, Last::Follow).is_ok_and(|place| place.is_directory()) {
                return Ok(());
            }
            return machine.root.make_folders(path, mode);
        }
        machine.root.place(path.trim_end_matches('/'), Last::Keep)?.make_folder(mode)
    };
    each(&options.operands, make, |path| format!("mkdir: cannot create directory '{path}'"))
}

pub(crate) fn rm(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("rm", arguments, &["-f", "-r", "-R"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let is_recursive = options.has("-r") || options.has("-R");
    if options.operands.is_empty() && !options.has("-f") {
        return missing_operand("rm");
    }
    let mut outcome = Outcome::done();
    for path in &options.operands {
        if let Err(reason) = remove(machine, path, is_recursive, options.has("-f")) {
            outcome.and(Outcome::failed(1, format!("rm: {reason}")));
        }
    }
    outcome
}

fn remove(machine: &Machine, path: &str, is_recursive: bool, is_forced: bool) -> Result<(), String> {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if last == "." || last == ".." {
        return Err(format!("refusing to remove '.' or '..' directory: skipping '{path}'"));
    }
    if last.is_empty() {
        return Err("it is dangerous to operate recursively on '/'".to_owned());
    }
    let removed = machine.root.place(path.trim_end_matches('/'), Last::Keep).and_then(|place| {
        if !is_recursive && place.is_directory() {
            return Err(rustix::io::Errno::ISDIR.into());
        }
        Root::remove_all(&place)
    });
    match removed {
        Ok(()) => Ok(()),
        Err(error) if is_forced && error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("cannot remove '{path}': {}", sentence(&error))),
    }
}

pub(crate) fn mv(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("mv", arguments, &["-f", "-T"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let [from, to] = options.operands.as_slice() else {
        return Outcome::refused("mv with other than two paths");
    };
    match move_file(machine, from, to, options.has("-T")) {
        Ok(()) => Outcome::done(),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !exists(machine, from) => {
            Outcome::failed(1, format!("mv: cannot stat '{from}': {}", sentence(&error)))
        }
        Err(error) => Outcome::failed(1, format!("mv: cannot move '{from}' to '{to}': {}", sentence(&error))),
    }
}

fn exists(machine: &Machine, path: &str) -> bool {
    machine.root.place(path, Last::Keep).and_then(|place| place.stat()).is_ok()
}

/// Without `-T` a folder (or a link to one) as target means: into it.
fn move_file(machine: &Machine, from: &str, to: &str, is_exact: bool) -> io::Result<()> {
    let source = machine.root.place(from, Last::Keep)?;
    let target = into_folder(machine, from, to, is_exact);
    source.rename(&machine.root.place(&target, Last::Keep)?)
}

fn into_folder(machine: &Machine, from: &str, to: &str, is_exact: bool) -> String {
    let is_folder = machine.root.place(to, Last::Follow).is_ok_and(|place| place.is_directory());
    if is_exact || !is_folder {
        return to.to_owned();
    }
    let name = from.trim_end_matches('/').rsplit('/').next().unwrap_or(from);
    format!("{}/{name}", to.trim_end_matches('/'))
}

pub(crate) fn ln(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("ln", arguments, &["-s", "-f", "-n", "-T"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let ([target, link], true) = (options.operands.as_slice(), options.has("-s")) else {
        return Outcome::refused("ln without -s and two paths");
    };
    // With -n a link to a folder is not a folder.
    let is_link = machine.root.place(link, Last::Keep).is_ok_and(|place| place.link_target().is_ok());
    let path = into_folder(machine, target, link, options.has("-T") || (options.has("-n") && is_link));
    let made = machine.root.place(&path, Last::Keep).and_then(|place| {
        if options.has("-f") && place.stat().is_ok() {
            place.remove_file()?;
        }
        place.link_to(target)
    });
    match made {
        Ok(()) => Outcome::done(),
        Err(error) => {
            Outcome::failed(1, format!("ln: failed to create symbolic link '{path}': {}", sentence(&error)))
        }
    }
}

pub(crate) fn chmod(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("chmod", arguments, &[], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let Some((mode, paths)) = options.operands.split_first().filter(|(_, paths)| !paths.is_empty()) else {
        return missing_operand("chmod");
    };
    let change = |path: &str| {
        let place = machine.root.place(path, Last::Follow)?;
        let old = place.stat()?.st_mode & 0o7777;
        let new = symbolic(mode, old).ok_or(io::ErrorKind::InvalidInput)?;
        place.set_mode(new)
    };
    if symbolic(mode, 0).is_none() {
        return Outcome::failed(1, format!("chmod: invalid mode: '{mode}'"));
    }
    each(paths, change, |path| format!("chmod: cannot access '{path}'"))
}

/// Octal, or `[ugoa]*[+-=][rwx]*`.
fn symbolic(mode: &str, old: u32) -> Option<u32> {
    if let Some(mode) = octal(mode) {
        return Some(mode);
    }
    let split = mode.find(['+', '-', '='])?;
    let (who, rest) = mode.split_at(split);
    let mut mask = 0;
    for letter in if who.is_empty() { "a" } else { who }.chars() {
        mask |= match letter {
            'u' => 0o700,
            'g' => 0o070,
            'o' => 0o007,
            'a' => 0o777,
            _ => return None,
        };
    }
    let mut bits = 0;
    for letter in rest[1..].chars() {
        bits |= match letter {
            'r' => 0o444,
            'w' => 0o222,
            'x' => 0o111,
            _ => return None,
        };
    }
    Some(match &rest[..1] {
        "+" => old | (bits & mask),
        "-" => old & !(bits & mask),
        _ => (old & !mask) | (bits & mask),
    })
}

/// Owners are checked for being known, and otherwise have no effect: everything runs as one user here.
pub(crate) fn chown(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("chown", arguments, &["-R", "-h"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let Some((owner, paths)) = options.operands.split_first().filter(|(_, paths)| !paths.is_empty()) else {
        return missing_operand("chown");
    };
    if let Some(refusal) = unknown_owner(machine, "chown", owner) {
        return refusal;
    }
    let look = |path: &str| machine.root.place(path, Last::Keep)?.stat().map(drop);
    each(paths, look, |path| format!("chown: cannot access '{path}'"))
}

fn unknown_owner(machine: &Machine, program: &str, owner: &str) -> Option<Outcome> {
    let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
    for (what, name) in [("user", user), ("group", group)] {
        // A group is made with its user, and both have one name.
        let is_known = name.is_empty()
            || name.bytes().all(|byte| byte.is_ascii_digit())
            || super::system::user(machine, name).is_some();
        if !is_known {
            return Some(Outcome::failed(1, format!("{program}: invalid {what}: '{owner}'")));
        }
    }
    None
}

pub(crate) fn touch(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("touch", arguments, &[], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let touch = |path: &str| {
        let place = machine.root.place(path, Last::Follow)?;
        if place.is_directory() {
            return Ok(());
        }
        let file = place.open(OFlags::WRONLY | OFlags::CREATE, 0o644)?;
        let now = std::time::SystemTime::now();
        file.set_times(std::fs::FileTimes::new().set_accessed(now).set_modified(now))
    };
    each(&options.operands, touch, |path| format!("touch: cannot touch '{path}'"))
}

pub(crate) fn install(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("install", arguments, &["-d"], &["-m", "-o", "-g"]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    for owner in [options.value("-o"), options.value("-g")].into_iter().flatten() {
        if let Some(refusal) = unknown_owner(machine, "install", owner) {
            return refusal;
        }
    }
    let Some(mode) = octal(options.value("-m").unwrap_or("755")) else {
        return Outcome::failed(1, "install: invalid mode");
    };
    if !options.has("-d") {
        return install_file(&machine.root, &options.operands, mode);
    }
    let make = |path: &str| {
        machine.root.make_folders(path, mode)?;
        machine.root.place(path, Last::Follow)?.set_mode(mode)
    };
    each(&options.operands, make, |path| format!("install: cannot create directory '{path}'"))
}

/// One file, in place of what is there, which is not written into: a program that runs stays as it is.
fn install_file(root: &Root, operands: &[String], mode: u32) -> Outcome {
    let (from, to) = match operands {
        [from, to] => (from, to),
        [] => return Outcome::failed(1, "install: missing file operand"),
        [from] => {
            return Outcome::failed(1, format!("install: missing destination file operand after '{from}'"));
        }
        [..] => return Outcome::refused("install of several files"),
    };
    let bytes = match root.read(from) {
        Ok(bytes) => bytes,
        Err(error) => {
            return Outcome::failed(1, format!("install: cannot stat '{from}': {}", sentence(&error)));
        }
    };
    let write = || {
        let place = root.place(to, Last::Keep)?;
        if place.is_directory() {
            return Err(rustix::io::Errno::EXIST.into());
        }
        if place.stat().is_ok() {
            place.remove_file()?;
        }
        place.fill(&bytes, mode)
    };
    match write() {
        Ok(()) => Outcome::done(),
        Err(error) => {
            Outcome::failed(1, format!("install: cannot create regular file '{to}': {}", sentence(&error)))
        }
    }
}

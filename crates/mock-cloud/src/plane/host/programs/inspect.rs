//! Programs that look at files: df, ls, readlink, sha256sum, stat, test.

use rustix::fs::FileType;
use sha2::Digest;

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, sentence};
use crate::plane::host::programs::options::Options;
use crate::plane::host::root::{Last, Place, Root};

pub(crate) fn sha256sum(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("sha256sum", arguments, &[], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    if options.operands.is_empty() {
        return Outcome::refused("sha256sum without a file");
    }
    let mut outcome = Outcome::done();
    for path in &options.operands {
        outcome.and(match machine.root.read(path) {
            Ok(bytes) => Outcome::printed(format!("{}  {path}\n", hex::encode(sha2::Sha256::digest(&bytes)))),
            Err(error) => Outcome::failed(1, format!("sha256sum: {path}: {}", sentence(&error))),
        });
    }
    outcome
}

pub(crate) fn test(machine: &Machine, arguments: &[String]) -> Outcome {
    let [question, path] = arguments else {
        return Outcome::refused("test with other than a question and a path");
    };
    let last = if question == "-L" || question == "-h" { Last::Keep } else { Last::Follow };
    let stat = machine.root.place(path, last).and_then(|place| place.stat()).ok();
    let kind = stat.as_ref().map(|stat| FileType::from_raw_mode(stat.st_mode));
    let holds = match question.as_str() {
        "-e" => stat.is_some(),
        "-f" => kind == Some(FileType::RegularFile),
        "-d" => kind == Some(FileType::Directory),
        "-L" | "-h" => kind == Some(FileType::Symlink),
        "-x" => stat.is_some_and(|stat| stat.st_mode & 0o111 != 0),
        "-s" => stat.is_some_and(|stat| stat.st_size > 0),
        _ => return Outcome::refused(format!("test {question}")),
    };
    Outcome::status(i32::from(!holds))
}

pub(crate) fn stat(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("stat", arguments, &[], &["-c", "--format"]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let Some(format) = options.value("-c").or(options.value("--format")) else {
        return Outcome::refused("stat without -c");
    };
    let mut outcome = Outcome::done();
    for path in &options.operands {
        outcome.and(match machine.root.place(path, Last::Keep).and_then(|place| place.stat()) {
            Ok(stat) => match formatted(format, path, stat.st_mode & 0o7777, stat.st_size) {
                Ok(line) => Outcome::printed(line + "\n"),
                Err(letter) => return Outcome::refused(format!("stat %{letter}")),
            },
            Err(error) => Outcome::failed(1, format!("stat: cannot statx '{path}': {}", sentence(&error))),
        });
    }
    outcome
}

fn formatted(format: &str, path: &str, mode: u32, size: i64) -> Result<String, char> {
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('a') => text.extend([format!("{mode:o}")]),
            Some('s') => text.push_str(&size.to_string()),
            Some('n') => text.push_str(path),
            // Everything belongs to the one user who logs in.
            Some('U' | 'G') => text.push_str("root"),
            Some('u' | 'g') => text.push('0'),
            Some('%') | None => text.push('%'),
            Some(other) => return Err(other),
        }
    }
    Ok(text)
}

pub(crate) fn readlink(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("readlink", arguments, &["-f"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    if options.operands.is_empty() {
        return Outcome::refused("readlink without a path");
    }
    let found = options.operands.iter().filter_map(|path| {
        if options.has("-f") {
            let place = machine.root.place(path, Last::Follow).ok()?;
            Some(place.path().to_string_lossy().into_owned())
        } else {
            machine.root.place(path, Last::Keep).and_then(|place| place.link_target()).ok()
        }
    });
    let found: Vec<String> = found.map(|target| target + "\n").collect();
    let status = i32::from(found.len() < options.operands.len());
    Outcome { status, ..Outcome::printed(found.concat()) }
}

pub(crate) fn ls(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("ls", arguments, &["-1", "-a", "-A"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let path = options.operands.first().map_or(".", String::as_str);
    if options.operands.len() > 1 {
        return Outcome::refused("ls with more than one folder");
    }
    let shows_all = options.has("-a") || options.has("-A");
    let list = |place: Place| {
        place.stat()?;
        if place.is_directory() { Root::list(&place) } else { Ok(vec![path.to_owned()]) }
    };
    match machine.root.place(path, Last::Follow).and_then(list) {
        Ok(names) => {
            let shown = names.iter().filter(|name| shows_all || !name.starts_with('.'));
            Outcome::printed(shown.flat_map(|name| [name, "\n"]).collect::<String>())
        }
        Err(error) => Outcome::failed(2, format!("ls: cannot access '{path}': {}", sentence(&error))),
    }
}

pub(crate) fn df(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("df", arguments, &["-k"], &["--output"]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let (Some("avail"), [path]) = (options.value("--output"), options.operands.as_slice()) else {
        return Outcome::refused("df without --output=avail and one path");
    };
    if let Err(error) = machine.root.place(path, Last::Follow).and_then(|place| place.stat()) {
        return Outcome::failed(1, format!("df: {path}: {}", sentence(&error)));
    }
    match rustix::fs::statvfs(machine.root.outer_path("/")) {
        Ok(_) if machine.root.is_full() => Outcome::printed(format!("{:>10}\n{:>10}\n", "Avail", 0)),
        Ok(found) => {
            Outcome::printed(format!("{:>10}\n{:>10}\n", "Avail", found.f_bavail * found.f_frsize / 1024))
        }
        Err(error) => Outcome::failed(1, format!("df: {path}: {error}")),
    }
}

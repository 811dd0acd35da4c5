//! What a host would be after all that was written down so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::deploy::command::STEPS;
use crate::deploy::node;
use crate::deploy::rehearsal::NOT_MADE;

/// What a file holds.
#[derive(Clone)]
pub(super) enum Content {
    Text(Arc<[u8]>),
    /// A program, by the digest of its content.
    Program(String),
    /// What a file of the real host holds, by its path.
    SameAs(String),
}

/// What was written down of a file or a link.
#[derive(Clone)]
pub(super) enum Known<T> {
    /// Nothing: it is as on the host.
    Nothing,
    /// That it is there.
    There(T),
    /// That it was removed.
    Gone,
}

impl<T> Known<T> {
    fn is_there(&self) -> bool {
        matches!(self, Self::There(_))
    }
}

/// How a command is answered.
pub(super) enum Answer {
    /// From the memory: status and output. It changes nothing.
    Told(i32, String),
    /// By the real host. It changes nothing.
    OfHost,
    /// By the real host, to another command. It changes nothing either.
    OfHostTo(Vec<String>),
    /// By both: names in a folder.
    Names(String),
    /// By both: where links lead.
    Links,
    /// It would change something: how it would have ended.
    Done(i32, String),
}

#[derive(Default, Clone, Copy)]
struct Unit {
    is_active: Option<bool>,
    is_enabled: Option<bool>,
}

/// All that was written down, in effect. What is not in it is as on the host.
#[derive(Default)]
pub(super) struct Memory {
    files: BTreeMap<String, Known<Content>>,
    links: BTreeMap<String, Known<String>>,
    removed: BTreeSet<String>,
    users: BTreeSet<String>,
    units: BTreeMap<String, Unit>,
    /// Whether packages were installed, and by which tool.
    installed_by: Option<String>,
}

impl Memory {
    /// What was written down of a file.
    pub(super) fn file(&self, path: &str) -> Known<Content> {
        let path = self.followed(path);
        match self.files.get(&path) {
            Some(content) => content.clone(),
            None if self.is_removed(&path) => Known::Gone,
            None => Known::Nothing,
        }
    }

    /// What was written down of a link: where it leads.
    pub(super) fn link(&self, path: &str) -> Known<String> {
        match self.links.get(path) {
            Some(target) => target.clone(),
            None if self.is_removed(path) => Known::Gone,
            None => Known::Nothing,
        }
    }

    pub(super) fn write(&mut self, path: &str, content: Content) {
        self.files.insert(path.to_owned(), Known::There(content));
    }

    /// The names in a folder, given those on the host, and whether it is there by what was written down.
    pub(super) fn names(&self, folder: &str, listed: Vec<String>) -> (BTreeSet<String>, bool) {
        let beginning = format!("{folder}/");
        let is_gone = |name: &String| self.is_removed(&format!("{beginning}{name}"));
        let mut names: BTreeSet<String> = listed.into_iter().filter(|name| !is_gone(name)).collect();
        let files = self.files.iter().filter(|(_, content)| content.is_there()).map(|(path, _)| path);
        let links = self.links.iter().filter(|(_, target)| target.is_there()).map(|(path, _)| path);
        let own = files.chain(links).filter_map(|path| path.strip_prefix(&beginning)?.split('/').next());
        let own: BTreeSet<String> = own.map(str::to_owned).collect();
        let is_there = !own.is_empty();
        names.extend(own);
        (names, is_there)
    }

    /// Answers a command, and remembers what it would do.
    pub(super) fn answer(&mut self, words: &[String]) -> Answer {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words.iter().any(|word| word.starts_with(STEPS)) {
            // The folder of a step is not work.
            return Answer::Told(0, String::new());
        }
        match words.as_slice() {
            ["systemctl", rest @ ..] => self.systemctl(rest),
            ["readlink", ..] => Answer::Links,
            ["ls", "-1", folder] => Answer::Names((*folder).to_owned()),
            ["test", "-x", path] => self.of_program(path).map_or(Answer::OfHost, |is| when(is, "")),
            ["getent", "passwd", name] if self.users.contains(*name) => when(true, ""),
            ["cat", path] => match self.file(path) {
                Known::There(Content::Text(bytes)) => when(true, &String::from_utf8_lossy(&bytes)),
                Known::There(Content::SameAs(other)) => Answer::OfHostTo(vec!["cat".to_owned(), other]),
                Known::There(Content::Program(_)) | Known::Gone => when(false, ""),
                Known::Nothing => Answer::OfHost,
            },
            ["sha256sum", path] => match self.file(path) {
                Known::There(Content::Text(bytes)) => when(true, &hex::encode(Sha256::digest(&bytes))),
                Known::There(Content::Program(sha256)) => when(true, &sha256),
                Known::There(Content::SameAs(other)) => Answer::OfHostTo(vec!["sha256sum".to_owned(), other]),
                Known::Gone => when(false, ""),
                Known::Nothing => Answer::OfHost,
            },
            ["redis-server", "--version"] if self.installed_by.is_some() => when(true, self.redis_version()),
            ["redis-cli", ..] => when(true, "PONG"),
            ["curl", ..] if self.is_up(node::UNIT) => when(true, "ok\n200"),
            ["openssl", "rand", ..] => when(true, NOT_MADE),
            ["test", "-d", _] => Answer::OfHost,
            ["uname" | "df" | "getent" | "getconf" | "date" | "ss" | "curl" | "journalctl" | "stat", ..]
            | ["redis-server", "--version"] => Answer::OfHost,
            words => {
                self.change(words);
                Answer::Done(0, String::new())
            }
        }
    }

    fn change(&mut self, words: &[&str]) {
        match words {
            ["rm", "-rf", path] => {
                let is_inside = |one: &str| one == *path || one.starts_with(&format!("{path}/"));
                self.files.retain(|one, _| !is_inside(one));
                self.links.retain(|one, _| !is_inside(one));
                self.removed.insert((*path).to_owned());
            }
            ["ln", "-sfn", target, path] => {
                self.links.insert((*path).to_owned(), Known::There((*target).to_owned()));
            }
            ["mv", "-fT", from, to] => {
                if let Some(target) = self.links.insert((*from).to_owned(), Known::Gone) {
                    self.links.insert((*to).to_owned(), target);
                }
            }
            ["install", "-m", _, from, to] => {
                let content = match self.file(from) {
                    Known::There(content) => content,
                    Known::Gone | Known::Nothing => Content::SameAs((*from).to_owned()),
                };
                self.write(to, content);
            }
            ["useradd", .., name] => {
                self.users.insert((*name).to_owned());
            }
            ["env", _, rest @ ..] => self.change(rest),
            [tool @ ("apt-get" | "dnf"), "install", ..] => {
                self.installed_by = Some((*tool).to_owned());
                self.users.insert("redis".to_owned());
            }
            _ => {}
        }
    }

    fn systemctl(&mut self, words: &[&str]) -> Answer {
        let [verb, unit, ..] = words else { return Answer::Done(0, String::new()) };
        let known = self.units.get(*unit).copied().unwrap_or_default();
        let told = |state: Option<bool>, yes: &str, no: &str| match state {
            Some(true) => Answer::Told(0, yes.to_owned()),
            Some(false) => Answer::Told(1, no.to_owned()),
            None => Answer::OfHost,
        };
        match *verb {
            "is-active" => return told(known.is_active, "active", "inactive"),
            "is-enabled" => return told(known.is_enabled, "enabled", "disabled"),
            "show" => {
                return told(known.is_active, "ActiveState=active\nNRestarts=0\n", "ActiveState=inactive\n");
            }
            _ => {}
        }
        let unit = self.units.entry((*words.last().unwrap_or(unit)).to_owned()).or_default();
        match *verb {
            "start" | "restart" => unit.is_active = Some(true),
            "stop" => unit.is_active = Some(false),
            "enable" => unit.is_enabled = Some(true),
            "disable" => *unit = Unit { is_active: Some(false), is_enabled: Some(false) },
            _ => {}
        }
        Answer::Done(0, String::new())
    }

    fn is_up(&self, unit: &str) -> bool {
        self.units.get(unit).and_then(|unit| unit.is_active) == Some(true)
    }

    /// Whether a program is there, where that is known.
    fn of_program(&self, path: &str) -> Option<bool> {
        let is_packaged = path.starts_with("/usr/bin/redis") && self.installed_by.is_some();
        match self.file(path) {
            _ if is_packaged => Some(true),
            Known::There(_) => Some(true),
            Known::Gone => Some(false),
            Known::Nothing => None,
        }
    }

    /// That of the packages: Debian 12 and Ubuntu 24.04 have 7.0, Alibaba Cloud Linux 3 and its relatives 6.2.
    fn redis_version(&self) -> &'static str {
        if self.installed_by.as_deref() == Some("apt-get") { "v=7.0.15" } else { "v=6.2.7" }
    }

    fn is_removed(&self, path: &str) -> bool {
        self.removed.iter().any(|removed| path == removed || path.starts_with(&format!("{removed}/")))
            && !self.files.get(path).is_some_and(Known::is_there)
    }

    /// A path that leads through the link of what is in force.
    fn followed(&self, path: &str) -> String {
        let through = path.strip_prefix(node::CURRENT).and_then(|rest| rest.strip_prefix('/'));
        match (through, self.links.get(node::CURRENT)) {
            (Some(rest), Some(Known::There(target))) => format!("{}/{target}/{rest}", node::BASE),
            _ => path.to_owned(),
        }
    }
}

fn when(is_so: bool, text: &str) -> Answer {
    Answer::Told(i32::from(!is_so), text.to_owned())
}

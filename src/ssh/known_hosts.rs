//! What a `known_hosts` file says of a host: its keys, and those that were revoked.
//!
//! Names are compared as OpenSSH does: plain ones, patterns with `*`, `?` and `!`, `[host]:port` for ports other than
//! 22, and hashed ones, which libssh2 compares. Lines that are not understood are passed over, as OpenSSH passes them
//! over. Host certificates are not supported: that there is an authority is told, and no key is taken from it.

use std::fmt::Display;

use ssh2::{CheckResult, KnownHostFileKind};

use super::key::HostKey;

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownHosts {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    marker: Marker,
    names: String,
    key: HostKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    None,
    Revoked,
    Authority,
}

/// What it says of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The keys it may show.
    pub keys: Vec<HostKey>,
    /// Those it must not show.
    pub revoked: Vec<HostKey>,
    /// Whether an authority is named for it.
    pub authority: bool,
}

impl KnownHosts {
    /// Reads a file's text.
    pub fn parse(text: &str) -> Self {
        Self { entries: text.lines().filter_map(Entry::parse).collect() }
    }

    /// What is said of a host that goes by any of these names.
    pub fn of(&self, names: &[String]) -> Known {
        let mut known = Known::default();
        for entry in self.entries.iter().filter(|entry| names.iter().any(|name| entry.is_of(name))) {
            match entry.marker {
                Marker::None => known.keys.push(entry.key.clone()),
                Marker::Revoked => known.revoked.push(entry.key.clone()),
                Marker::Authority => known.authority = true,
            }
        }
        // A key that was given up is good nowhere, whatever another line says.
        known.keys.retain(|key| !known.revoked.contains(key));
        known
    }

    /// How a host is named there.
    pub fn name(host: impl Display, port: u16) -> String {
        if port == 22 { host.to_string() } else { format!("[{host}]:{port}") }
    }
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().peekable();
        let marker = match *words.peek()? {
            "@revoked" => Marker::Revoked,
            "@cert-authority" => Marker::Authority,
            word if word.starts_with('@') || word.starts_with('#') => return None,
            _ => Marker::None,
        };
        if marker != Marker::None {
            words.next();
        }
        let names = words.next()?.to_owned();
        let key = HostKey::parse(&format!("{} {}", words.next()?, words.next()?)).ok()?;
        Some(Self { marker, names, key })
    }

    fn is_of(&self, name: &str) -> bool {
        if self.names.starts_with("|1|") {
            return self.is_hash_of(name);
        }
        let mut found = false;
        for pattern in self.names.split(',') {
            match pattern.strip_prefix('!') {
                Some(pattern) if matches(pattern.as_bytes(), name.as_bytes()) => return false,
                Some(_) => {}
                None => found |= matches(pattern.as_bytes(), name.as_bytes()),
            }
        }
        found
    }

    fn is_hash_of(&self, name: &str) -> bool {
        let checked = ssh2::Session::new().and_then(|session| {
            let mut one = session.known_hosts()?;
            one.read_str(&format!("{} {}\n", self.names, self.key), KnownHostFileKind::OpenSSH)?;
            Ok(one.check(name, self.key.blob()))
        });
        matches!(checked, Ok(CheckResult::Match))
    }
}

/// Whether a name fits a pattern in which `*` stands for anything and `?` for one letter; case does not count.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches(rest, name) || name.split_first().is_some_and(|(_, shorter)| matches(pattern, shorter))
        }
        (Some((b'?', rest)), Some((_, shorter))) => matches(rest, shorter),
        (Some((one, rest)), Some((other, shorter))) => {
            one.eq_ignore_ascii_case(other) && matches(rest, shorter)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::{Identity, KeyKind};

    fn key() -> HostKey {
        HostKey::parse(&Identity::generate(KeyKind::Ed25519, "").unwrap().1).unwrap()
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_host_is_found_by_its_names_ports_and_patterns() {
        let (one, other) = (key(), key());
        let text = format!(
            "# a comment\n\necs01,47.1.2.3 {one} me@here\n[47.1.2.3]:2222 {other}\n*.example.com,!b.example.com {one}\n\
             broken ssh-ed25519\n47.1.2.9 ssh-ed25519 AAAA\n"
        );
        let known = KnownHosts::parse(&text);
        assert_eq!(known.of(&names(&[&KnownHosts::name("47.1.2.3", 22)])).keys, std::slice::from_ref(&one));
        assert_eq!(known.of(&names(&[&KnownHosts::name("47.1.2.3", 2222)])).keys, [other]);
        assert_eq!(known.of(&names(&["A.example.com"])).keys, [one]);
        for absent in ["b.example.com", "47.1.2.33", "47.1.2.9", "broken"] {
            assert_eq!(known.of(&names(&[absent])), Known::default(), "{absent}");
        }
    }

    #[test]
    fn a_revoked_key_is_good_nowhere_and_an_authority_is_only_told() {
        let (one, other) = (key(), key());
        let text = format!("ecs01 {one}\necs01 {other}\n@revoked * {one}\n@cert-authority ecs01 {other}\n");
        let known = KnownHosts::parse(&text).of(&names(&["ecs01"]));
        assert_eq!(known, Known { keys: vec![other], revoked: vec![one], authority: true });
    }

    /// The hashes are made by ssh-keygen itself.
    #[test]
    fn hashed_names_are_compared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        let (one, other) = (key(), key());
        std::fs::write(&path, format!("47.1.2.3 {one}\n[47.1.2.3]:2222 {other}\n")).unwrap();
        let hashed = std::process::Command::new("ssh-keygen").arg("-H").arg("-f").arg(&path).output();
        if !hashed.is_ok_and(|output| output.status.success()) {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "ssh-keygen is missing");
            return;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("|1|") && !text.contains("47.1.2.3"), "{text}");
        let known = KnownHosts::parse(&text);
        assert_eq!(known.of(&names(&["47.1.2.3"])).keys, [one]);
        assert_eq!(known.of(&names(&["[47.1.2.3]:2222"])).keys, [other]);
        assert_eq!(known.of(&names(&["47.1.2.4"])), Known::default());
    }
}

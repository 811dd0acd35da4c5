//! Why Redis cannot be used: a word for metrics and a sentence for people, from what the server or the system said.
//!
//! Nothing here repeats a password, a message or the name of a user, since everybody may read it: of what Redis said
//! that part is left out. A sentence says what to do wherever that is known.

use std::fmt;

use super::resp::Malformed;

/// The kind of trouble, as a label in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The name has no address.
    Name,
    /// Nobody answers there, or the connection broke.
    Connection,
    /// No answer in time.
    Timeout,
    /// The certificate or the handshake is no good.
    Tls,
    /// What answers is not Redis.
    Protocol,
    /// A server that does not know what we need.
    Version,
    /// A missing or wrong user or password.
    Login,
    /// The user may not do what we need.
    Permission,
    /// Reading its data; it will be there soon.
    Loading,
    /// A replica, or a server without enough replicas.
    ReadOnly,
    /// Its memory is full.
    Memory,
    /// It cannot write to its disk.
    Disk,
    /// Its cluster is incomplete.
    ClusterDown,
    /// A cluster that wants to be redirected.
    Moved,
    /// It takes no more clients.
    Clients,
    /// Anything else it may say.
    Other,
}

impl Reason {
    /// All there are.
    pub const ALL: [Self; 16] = [
        Self::Name,
        Self::Connection,
        Self::Timeout,
        Self::Tls,
        Self::Protocol,
        Self::Version,
        Self::Login,
        Self::Permission,
        Self::Loading,
        Self::ReadOnly,
        Self::Memory,
        Self::Disk,
        Self::ClusterDown,
        Self::Moved,
        Self::Clients,
        Self::Other,
    ];

    /// The value of the label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Version => "version",
            Self::Login => "login",
            Self::Permission => "permission",
            Self::Loading => "loading",
            Self::ReadOnly => "read_only",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::ClusterDown => "cluster_down",
            Self::Moved => "moved",
            Self::Clients => "clients",
            Self::Other => "other",
        }
    }

    /// Whether the server is expected to take the same command soon, without anybody's help. What it refused
    /// meanwhile is worth keeping.
    pub(super) fn passes(self) -> bool {
        matches!(self, Self::Loading | Self::ReadOnly | Self::ClusterDown | Self::Login)
    }

    /// Whether another server may be meant by now, so that the connection is made anew.
    pub(super) fn asks_for_another_server(self) -> bool {
        matches!(self, Self::ReadOnly | Self::Login)
    }
}

/// What is wrong, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Of which kind.
    pub reason: Reason,
    /// For people.
    pub sentence: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.sentence)
    }
}

impl Trouble {
    /// Some trouble in our own words.
    pub(super) fn new(reason: Reason, sentence: impl Into<String>) -> Self {
        Self { reason, sentence: sentence.into() }
    }

    /// A connection the other side has ended.
    pub(super) fn closed() -> Self {
        Self::new(Reason::Connection, "Redis closed the connection")
    }

    /// No answer in time.
    pub(super) fn silence(patience: std::time::Duration) -> Self {
        Self::new(Reason::Timeout, format!("Redis has not answered for {:.1} s", patience.as_secs_f64()))
    }

    /// What Redis answered to `command`, which was about `key`.
    pub(super) fn refusal(command: &str, key: &str, said: &str) -> Self {
        let said = &presentable(said)[..];
        let code = said.split(' ').next().unwrap_or_default();
        let (reason, advice) = match code {
            "NOAUTH" => (Reason::Login, "Redis asks for a password: put it into the Redis URL"),
            "WRONGPASS" => (Reason::Login, "the user or the password in the Redis URL is wrong"),
            "NOPERM" => return Self::permission(command, key, said),
            "LOADING" => (Reason::Loading, "Redis is loading its data"),
            "READONLY" => (Reason::ReadOnly, "this Redis is a replica and takes no writes"),
            "NOREPLICAS" => (Reason::ReadOnly, "Redis takes no writes while it lacks replicas"),
            "MASTERDOWN" => (Reason::ReadOnly, "this Redis is a replica that has lost its master"),
            "OOM" => (Reason::Memory, "the memory of Redis is full: raise maxmemory"),
            "MISCONF" => (Reason::Disk, "Redis cannot write to its disk, which may be full"),
            "CLUSTERDOWN" => (Reason::ClusterDown, "the cluster of Redis is down"),
            "TRYAGAIN" => (Reason::ClusterDown, "the cluster of Redis is moving slots"),
            "MOVED" | "ASK" => return Self::moved(said),
            _ => return Self::other(command, said),
        };
        Self::new(reason, format!("{advice} ({said})"))
    }

    fn permission(command: &str, key: &str, said: &str) -> Self {
        let sentence = if said.contains("to access") {
            format!(
                "the Redis user may not use the key `{key}` with {command}: allow it (ACL: ~chat:* ~session:*)"
            )
        } else {
            let rule = command.to_lowercase();
            format!("the Redis user may not run {command}: allow it (ACL: +{rule})")
        };
        Self::new(Reason::Permission, format!("{sentence} ({said})"))
    }

    fn moved(said: &str) -> Self {
        let advice = "this Redis is one node of a cluster and redirects: the chat's stream is one key, so use the \
                      address of the cluster's proxy, or a Redis without cluster mode";
        Self::new(Reason::Moved, format!("{advice} ({said})"))
    }

    fn other(command: &str, said: &str) -> Self {
        if is_full(said) {
            return Self::new(
                Reason::Clients,
                format!("Redis takes no more clients: raise maxclients ({said})"),
            );
        }
        // Before Redis 6 there was no word of its own for this.
        if said.contains("invalid password") {
            return Self::new(Reason::Login, format!("the password in the Redis URL is wrong ({said})"));
        }
        if said.contains("no password is set") || said.contains("without any password configured") {
            let advice = "the Redis URL has a password, but this Redis has none: remove it from the URL";
            return Self::new(Reason::Login, format!("{advice} ({said})"));
        }
        if said.to_lowercase().contains("unknown command") {
            return Self::new(Reason::Version, format!("this Redis does not know {command} ({said})"));
        }
        Self::new(Reason::Other, format!("Redis refused {command}: {said}"))
    }
}

/// Whether Redis turns the connection away, whatever it was asked.
pub(super) fn is_full(said: &str) -> bool {
    said.contains("max number of clients")
}

/// What Redis said, without what others had written: the arguments of a command it does not know, and who wrote it.
fn presentable(said: &str) -> String {
    let said = said.split(", with args").next().unwrap_or_default();
    match (said.split_once("User "), said.split_once(" has no permissions")) {
        (Some((before, _)), Some((_, after))) => format!("{before}this user has no permissions{after}"),
        _ => said.to_owned(),
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::InvalidData {
            // That is how TLS says it.
            return Self::new(Reason::Tls, format!("no safe connection to Redis: {error}"));
        }
        Self::new(Reason::Connection, format!("the connection to Redis broke: {error}"))
    }
}

impl From<Malformed> for Trouble {
    fn from(malformed: Malformed) -> Self {
        Self::new(Reason::Protocol, malformed.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(said: &str) -> Trouble {
        Trouble::refusal("XADD", "chat:messages", said)
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let cases = [
            ("NOAUTH Authentication required.", Reason::Login),
            ("WRONGPASS invalid username-password pair or user is disabled.", Reason::Login),
            ("ERR invalid password", Reason::Login),
            ("ERR Client sent AUTH, but no password is set", Reason::Login),
            ("NOPERM this user has no permissions to run the 'xadd' command", Reason::Permission),
            ("LOADING Redis is loading the dataset in memory", Reason::Loading),
            ("READONLY You can't write against a read only replica.", Reason::ReadOnly),
            ("NOREPLICAS Not enough good replicas to write.", Reason::ReadOnly),
            ("OOM command not allowed when used memory > 'maxmemory'.", Reason::Memory),
            ("MISCONF Errors writing to the AOF file: No space left on device", Reason::Disk),
            ("CLUSTERDOWN Hash slot not served", Reason::ClusterDown),
            ("MOVED 3999 10.0.0.9:6381", Reason::Moved),
            ("ERR unknown command 'XADD'", Reason::Version),
            ("ERR max number of clients reached", Reason::Clients),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Reason::Other),
        ];
        for (said, reason) in cases {
            let trouble = refused(said);
            assert_eq!(trouble.reason, reason, "{said}");
            assert!(trouble.sentence.contains(said), "{trouble}");
        }
    }

    #[test]
    fn a_missing_permission_names_the_command_or_the_key() {
        let command = refused("NOPERM User chat has no permissions to run the 'xadd' command");
        assert!(command.sentence.contains("may not run XADD: allow it (ACL: +xadd)"), "{command}");
        let key = refused("NOPERM No permissions to access a key");
        assert!(key.sentence.contains("may not use the key `chat:messages` with XADD"), "{key}");
        let keys = refused("NOPERM this user has no permissions to access one of the keys used as arguments");
        assert!(keys.sentence.contains("may not use the key `chat:messages`"), "{keys}");
    }

    #[test]
    fn neither_what_was_said_nor_who_said_it_is_repeated() {
        let unknown =
            refused("ERR unknown command 'XADD', with args beginning with: 'chat:messages' 'my secret' ");
        assert_eq!(unknown.sentence, "this Redis does not know XADD (ERR unknown command 'XADD')");
        for name in ["ada", "ada lovelace"] {
            let said = format!("NOPERM User {name} has no permissions to run the 'xadd' command");
            let expected = "the Redis user may not run XADD: allow it (ACL: +xadd) \
                            (NOPERM this user has no permissions to run the 'xadd' command)";
            assert_eq!(refused(&said).sentence, expected);
        }
    }

    #[test]
    fn a_cluster_is_told_what_to_use_instead() {
        assert!(refused("MOVED 3999 10.0.0.9:6381").sentence.contains("the address of the cluster's proxy"));
    }

    #[test]
    fn labels_are_all_different() {
        let mut labels: Vec<&str> = Reason::ALL.into_iter().map(Reason::label).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Reason::ALL.len());
    }
}

//! The configuration of Redis on a host, in two forms: with access rules where its version has them, else with a
//! password and without the commands that nobody should run.

use std::net::Ipv4Addr;

use minijinja::context;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Password;
use crate::deploy::error::DeployError;
use crate::deploy::template::{REDIS_CONFIGURATION, REDIS_UNIT, render};
use crate::deploy::{inspect, kernel};

/// The first version with access rules.
const WITH_ACCESS_RULES: (u32, u32) = (6, 0);
/// The first version with streams.
const WITH_STREAMS: (u32, u32) = (5, 0);
/// The keys of a chat node.
const KEYS: [&str; 2] = ["chat:*", "session:*"];
/// What a chat node runs (`docs/chat-node.md`) and the question whether it answers; nothing else is run by anybody.
const ALLOWED: [&str; 19] = [
    "hello",
    "auth",
    "select",
    "info",
    "time",
    "ping",
    "xadd",
    "xread",
    "xrange",
    "xrevrange",
    "xtrim",
    "xlen",
    "hset",
    "hmget",
    "pexpire",
    "del",
    "zadd",
    "zrem",
    "zrangebyscore",
];
/// Denied to everybody where there are no access rules: they empty, stop, slow down, reconfigure or take over a server.
const DENIED: [&str; 27] = [
    "BGREWRITEAOF",
    "BGSAVE",
    "CLUSTER",
    "CONFIG",
    "DEBUG",
    "DUMP",
    "EVAL",
    "EVALSHA",
    "FLUSHALL",
    "FLUSHDB",
    "KEYS",
    "LATENCY",
    "MIGRATE",
    "MODULE",
    "MONITOR",
    "OBJECT",
    "PSYNC",
    "REPLICAOF",
    "RESTORE",
    "SAVE",
    "SCRIPT",
    "SHUTDOWN",
    "SLAVEOF",
    "SLOWLOG",
    "SORT",
    "SWAPDB",
    "SYNC",
];

/// What survives a restart of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Persistence {
    /// Nothing.
    None,
    /// All but about the last second.
    AppendOnly,
}

/// Redis as the topology wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The private address it listens on, and no other.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// Memory for data, in MiB; full is an error for writers.
    pub max_memory_megabytes: u32,
    /// What survives a restart.
    pub persistence: Persistence,
}

/// How Redis tells who may do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// By rules for each user.
    Rules,
    /// By a password; what nobody may do has lost its name.
    Password,
}

impl Access {
    /// That of a version, if it has the streams that nodes need.
    pub(super) fn of((major, minor): (u32, u32)) -> Option<Self> {
        let own = if (major, minor) >= WITH_ACCESS_RULES { Self::Rules } else { Self::Password };
        ((major, minor) >= WITH_STREAMS).then_some(own)
    }
}

/// What the settings come to on a host, as one short text to compare: 12 hex digits over configuration (without the
/// password), unit and what is asked of the kernel. It is known before the host is, so it stands for both forms of the
/// configuration.
///
/// # Errors
/// When a template cannot be rendered.
pub fn fingerprint(settings: &Settings) -> Result<String, DeployError> {
    let form = |access| configuration(settings, &inspect::stand_in(), access);
    let texts = [form(Access::Rules)?, form(Access::Password)?, unit_file()?, kernel::text()];
    Ok(inspect::digest_of_all(&texts.each_ref().map(String::as_str)))
}

/// The file, with the password or its digest in it.
pub(super) fn configuration(
    settings: &Settings,
    password: &Password,
    access: Access,
) -> Result<String, DeployError> {
    let values = context! {
        address => settings.address.to_string(),
        port => settings.port,
        access_rules => access == Access::Rules,
        password => password.expose(),
        password_digest => password_digest(password),
        keys => KEYS,
        allowed_commands => ALLOWED,
        max_memory_megabytes => settings.max_memory_megabytes,
        append_only => match settings.persistence {
            Persistence::None => "no",
            Persistence::AppendOnly => "yes",
        },
        denied_commands => DENIED,
    };
    render(REDIS_CONFIGURATION, values)
}

/// What Redis keeps of a password.
pub(super) fn password_digest(password: &Password) -> String {
    hex::encode(Sha256::digest(password.expose()))
}

/// The unit.
pub(super) fn unit_file() -> Result<String, DeployError> {
    render(REDIS_UNIT, context! {})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::super::DATA;
    use super::*;
    use crate::base::secret::Secret;

    fn settings() -> Settings {
        Settings {
            address: Ipv4Addr::new(10, 0, 0, 7),
            port: 6379,
            max_memory_megabytes: 256,
            persistence: Persistence::AppendOnly,
        }
    }

    #[test]
    fn the_configuration_binds_one_address_and_denies_what_is_dangerous() {
        const COMMON: [&str; 7] = [
            "bind 10.0.0.7",
            "port 6379",
            "protected-mode yes",
            "maxmemory 256mb",
            "maxmemory-policy noeviction",
            "appendonly yes",
            "daemonize no",
        ];
        const BY_PASSWORD: [&str; 4] = [
            "requirepass abc",
            "rename-command FLUSHALL \"\"",
            "rename-command CONFIG \"\"",
            "rename-command SHUTDOWN \"\"",
        ];
        let password = Secret::new("abc".to_owned());
        let has = |text: &str, line: &str| text.lines().any(|found| found == line);
        let old = configuration(&settings(), &password, Access::Password).unwrap();
        let new = configuration(&settings(), &password, Access::Rules).unwrap();
        for line in COMMON {
            assert!(has(&old, line) && has(&new, line), "{line} is missing in\n{old}\n{new}");
        }
        for line in BY_PASSWORD {
            assert!(has(&old, line) && !has(&new, line), "{line}\n{old}\n{new}");
        }
        assert!(!new.contains("abc"), "the file has no password, only its digest:\n{new}");
        assert!(old.ends_with('\n') && new.ends_with('\n'));
    }

    #[test]
    fn the_rule_is_the_one_that_the_node_documents() {
        let documented = include_str!("../../../docs/chat-node.md");
        let rule = documented.lines().filter(|line| line.starts_with("    ~") || line.starts_with("    +"));
        let rule: BTreeSet<&str> = rule.flat_map(str::split_whitespace).collect();
        let keys = KEYS.map(|pattern| format!("~{pattern}"));
        let commands = ALLOWED.iter().filter(|command| **command != "ping");
        let own: Vec<String> = keys.into_iter().chain(commands.map(|name| format!("+{name}"))).collect();
        assert_eq!(own.iter().map(String::as_str).collect::<BTreeSet<_>>(), rule);
    }

    #[test]
    fn the_version_decides_how_access_is_told() {
        assert_eq!(Access::of((3, 2)), None);
        assert_eq!(Access::of((5, 0)), Some(Access::Password));
        assert_eq!(Access::of((6, 0)), Some(Access::Rules));
        assert_eq!(Access::of((7, 2)), Some(Access::Rules));
    }

    /// Ends a real server with the test.
    struct Server(std::process::Child);

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn ask(port: u16, input: &str) -> String {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let mut client = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "--no-auth-warning"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        client.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        String::from_utf8(client.wait_with_output().unwrap().stdout).unwrap()
    }

    fn lacks_redis(test: &str) -> bool {
        if std::process::Command::new("redis-server").arg("--version").output().is_ok() {
            return false;
        }
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: redis-server is missing");
        eprintln!("skipped {test}: redis-server is missing (`make setup` installs it)");
        true
    }

    /// Starts a real server with the configuration and asks it.
    fn with_server(access: Access, ask_it: impl FnOnce(u16, &dyn Fn(&str) -> String)) {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = Settings { address: Ipv4Addr::LOCALHOST, port, ..settings() };
        let text = configuration(&settings, &Secret::new("abc".to_owned()), access).unwrap();
        let text = text.replace(DATA, folder.path().to_str().unwrap());
        let path = folder.path().join("redis.conf");
        std::fs::write(&path, text).unwrap();
        let mut command = std::process::Command::new("redis-server");
        let _server = Server(command.arg(&path).stdout(std::process::Stdio::null()).spawn().unwrap());
        let answer = |input: &str| {
            for _ in 0..100 {
                let answer = ask(port, input);
                if !answer.is_empty() {
                    return answer;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            panic!("redis-server does not answer");
        };
        // One command first: of two, the server may come up between them, and the password would be lost.
        assert!(answer("PING\n").contains("NOAUTH"));
        assert_eq!(answer("AUTH abc\nPING\n"), "OK\nPONG\n");
        assert!(answer("AUTH abc\nXADD chat:messages * a b\n").contains('-'));
        ask_it(port, &answer);
    }

    #[test]
    fn a_real_server_takes_the_configuration_without_access_rules() {
        if lacks_redis("a_real_server_takes_the_configuration_without_access_rules") {
            return;
        }
        with_server(Access::Password, |port, _| {
            for denied in DENIED {
                let said = ask_plainly(port, &format!("AUTH abc\r\n{denied}\r\n"));
                assert!(said[1].contains("unknown command"), "{denied}: {said:?}");
            }
        });
    }

    #[test]
    fn a_real_server_lets_the_node_do_what_it_does_and_nothing_else() {
        if lacks_redis("a_real_server_lets_the_node_do_what_it_does_and_nothing_else") {
            return;
        }
        with_server(Access::Rules, |port, answer| {
            for denied in DENIED.iter().chain(&["GET", "SET", "ACL", "SUBSCRIBE", "WAIT"]) {
                // How many arguments each takes is looked at first, and which words; one of these is right.
                let arguments = [
                    "",
                    " a",
                    " a 0",
                    " a 0 0",
                    " a 0 0 0 0",
                    " info",
                    " get a",
                    " list",
                    " flush",
                    " latest",
                    " help",
                ];
                let answers = arguments.map(|arguments| {
                    ask_plainly(port, &format!("AUTH abc\r\n{denied}{arguments}\r\n")).swap_remove(1)
                });
                // Some are not there in every version, and some are switched off by Redis itself.
                let is_denied = |answer: &String| {
                    ["NOPERM", "unknown command", "command not allowed"]
                        .iter()
                        .any(|part| answer.contains(part))
                };
                let is_refused = |answer: &String| {
                    let mistaken = ["wrong number of arguments", "unknown subcommand"];
                    is_denied(answer) || mistaken.iter().any(|part| answer.contains(part))
                };
                assert!(answers.iter().all(is_refused), "{denied}: {answers:?}");
                assert!(answers.iter().any(is_denied), "{denied}: {answers:?}");
            }
            let other = answer("AUTH abc\nXADD other:messages * a b\n");
            assert!(other.contains("NOPERM"), "{other}");
            assert_eq!(answer("AUTH abc\nXLEN chat:messages\n"), "OK\n1\n");
        });
    }

    /// The first two lines that Redis answers to these, without `redis-cli`, which means something by some of them.
    fn ask_plainly(port: u16, commands: &str) -> Vec<String> {
        use std::io::{BufRead as _, Write as _};
        let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(commands.as_bytes()).unwrap();
        std::io::BufReader::new(stream).lines().take(2).map(Result::unwrap).collect()
    }

    #[test]
    fn the_fingerprint_follows_the_settings_and_nothing_else() {
        let print = |settings: &Settings| fingerprint(settings).unwrap();
        let one = print(&settings());
        assert_eq!(one.len(), 12);
        assert_eq!(one, print(&settings()));
        assert_ne!(one, print(&Settings { max_memory_megabytes: 512, ..settings() }));
        assert_ne!(one, print(&Settings { persistence: Persistence::None, ..settings() }));
    }
}

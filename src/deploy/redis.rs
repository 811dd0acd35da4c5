//! Redis on a host: the distribution's package under a unit and a configuration of our own.
//!
//! 1. The package, when the program is missing; the distribution's own unit is switched off.
//! 2. A password, made on the host once and kept in a file that only root reads.
//! 3. Configuration and unit from templates; the unit is started and must answer a PING that knows the password.
//! 4. The fingerprint of what is in force, last: an interrupted run leaves the old one or none, and is done again.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use minijinja::context;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Note;
use super::command;
use super::error::DeployError;
use super::facts::{PackageManager, facts};
use super::host::Host;
use super::inspect;
use super::step::Step;
use super::template::{REDIS_CONFIGURATION, REDIS_UNIT, render};
use super::unit;
use crate::base::secret::Secret;

/// Its name to systemd.
pub const UNIT: &str = "albatross-redis.service";
/// Its unit.
pub const UNIT_FILE: &str = "/etc/systemd/system/albatross-redis.service";
/// Its configuration.
pub const CONFIGURATION: &str = "/etc/albatross/redis.conf";
const PASSWORD: &str = "/etc/albatross/redis.password";
const RECORD: &str = "/etc/albatross/redis.json";
const DATA: &str = "/var/lib/albatross-redis";
const USER: &str = "redis";
/// Bytes of randomness in a password.
const PASSWORD_BYTES: usize = 32;
/// How long a started Redis may take to answer; loading its data counts.
const PATIENCE: Duration = Duration::from_secs(30);
/// Denied to everybody: they empty, stop, slow down, reconfigure or take over a server.
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

/// The Redis password of a stack.
pub type Password = Secret<String>;

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

/// Redis as a host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Fingerprint of the settings in force.
    pub fingerprint: Option<String>,
    /// Whether its unit runs.
    pub active: bool,
    /// Whether its unit starts with the host.
    pub enabled: bool,
    /// What somebody has changed by hand.
    pub edited: Edited,
    /// The password it was given.
    pub password: Option<Password>,
}

/// Files that are not as they were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edited {
    /// [`CONFIGURATION`].
    pub configuration: bool,
    /// [`UNIT_FILE`].
    pub unit: bool,
}

#[derive(Serialize, Deserialize)]
struct Record {
    fingerprint: String,
    /// Digest of the configuration, the password left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configuration: Option<String>,
    /// Digest of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

/// What the settings come to on a host, as one short text to compare: 12 hex digits over configuration (without the
/// password) and unit.
///
/// # Errors
/// When a template cannot be rendered.
pub fn fingerprint(settings: &Settings) -> Result<String, DeployError> {
    let mut digest = Sha256::new();
    for text in [configuration(settings, &stand_in())?, unit_file()?] {
        digest.update(text);
        digest.update([0]);
    }
    Ok(hex::encode(digest.finalize())[..12].to_owned())
}

fn stand_in() -> Password {
    Secret::new(inspect::STAND_IN.to_owned())
}

/// Reads what is in force on a host.
///
/// # Errors
/// When the host cannot be asked.
pub async fn observe(host: &impl Host) -> Result<Observed, DeployError> {
    let record = host.read(RECORD).await?;
    // A record that cannot be read counts as none: the steps are then done again.
    let record = record.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
    let active = unit::is_active(host, UNIT).await?;
    let Some(record) = record else {
        return Ok(Observed {
            fingerprint: None,
            active,
            enabled: false,
            edited: Edited::default(),
            password: None,
        });
    };
    let password = stored_password(host).await?;
    let edited = edited(host, &record, password.as_ref()).await?;
    let enabled = inspect::is_enabled(host, UNIT).await?;
    Ok(Observed { fingerprint: Some(record.fingerprint), active, enabled, edited, password })
}

async fn edited(
    host: &impl Host,
    record: &Record,
    password: Option<&Password>,
) -> Result<Edited, DeployError> {
    let configuration = inspect::text(host, CONFIGURATION).await?;
    let configuration = configuration.map(|text| match password {
        Some(password) => text.replace(password.expose(), inspect::STAND_IN),
        None => text,
    });
    let unit = inspect::text(host, UNIT_FILE).await?;
    Ok(Edited {
        configuration: inspect::is_edited(record.configuration.as_ref(), configuration.as_ref()),
        unit: inspect::is_edited(record.unit.as_ref(), unit.as_ref()),
    })
}

/// Reads the password that Redis on this host was given.
///
/// # Errors
/// When there is none, or the host cannot be asked.
pub async fn read_password(host: &impl Host) -> Result<Password, DeployError> {
    stored_password(host)
        .await?
        .ok_or_else(|| DeployError::NoPassword { host: host.name().to_owned(), path: PASSWORD })
}

/// Stops Redis and takes it out of the host's start-up. Its data and password stay: removing them is the host's end.
///
/// # Errors
/// When the host cannot be asked.
pub async fn remove(host: &impl Host, note: &Note) -> Result<(), DeployError> {
    let step = Step::begin(host, note).await?;
    let done = remove_in_step(&step).await;
    step.end(done).await
}

async fn remove_in_step(host: &impl Host) -> Result<(), DeployError> {
    unit::remove(host, UNIT, UNIT_FILE).await?;
    host.check(command::remove_all(RECORD)).await?;
    Ok(())
}

/// Brings Redis on a host to the settings and gives its password.
///
/// # Guarantees
/// Run again after an interruption at any point, it goes on from there; data and password are kept.
///
/// # Errors
/// Told apart by cause, with Redis's own last lines where it does not start.
pub async fn install(host: &impl Host, settings: &Settings, note: &Note) -> Result<Password, DeployError> {
    let step = Step::begin(host, note).await?;
    let done = install_in_step(&step, settings, note).await;
    step.end(done).await
}

async fn install_in_step(
    host: &impl Host,
    settings: &Settings,
    note: &Note,
) -> Result<Password, DeployError> {
    install_package(host, note).await?;
    host.check(command::folder("/etc/albatross", "0755")).await?;
    let password = ensure_password(host, note).await?;
    ensure_user(host, USER).await?;
    host.check(command::owned_folder(DATA, "0750", USER)).await?;
    note(&format!("{}: configuring Redis on {}:{}", host.name(), settings.address, settings.port));
    put_files(host, settings, &password).await?;
    start(host, settings, &password, note).await?;
    let record = Record {
        fingerprint: fingerprint(settings)?,
        configuration: Some(inspect::digest(&configuration(settings, &stand_in())?)),
        unit: Some(inspect::digest(&unit_file()?)),
    };
    let text = serde_json::json!(record).to_string();
    host.upload(RECORD, text.into_bytes().into(), 0o644).await?;
    Ok(password)
}

/// Creates a user without a home or a shell unless there is one.
pub(super) async fn ensure_user(host: &impl Host, name: &str) -> Result<(), DeployError> {
    if host.run(command::user(name)).await?.status != 0 {
        host.check(command::add_user(name)).await?;
    }
    Ok(())
}

async fn install_package(host: &impl Host, note: &Note) -> Result<(), DeployError> {
    let facts = facts(host).await?;
    let (packages, own_unit) = match facts.package_manager {
        PackageManager::Apt => (["redis-server", "openssl"], "redis-server.service"),
        PackageManager::Dnf => (["redis", "openssl"], "redis.service"),
    };
    if host.run(command::is_executable("/usr/bin/redis-server")).await?.status != 0 {
        super::package::install(host, &facts, &packages, note).await?;
    }
    // It may never have been there; if it still runs after this, the start below names it.
    host.run(command::systemctl_disable_now(own_unit)).await?;
    Ok(())
}

async fn stored_password(host: &impl Host) -> Result<Option<Password>, DeployError> {
    let bytes = host.read(PASSWORD).await?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    Ok(is_password(&text).then(|| Secret::new(text)))
}

fn is_password(text: &str) -> bool {
    text.len() == 2 * PASSWORD_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn ensure_password(host: &impl Host, note: &Note) -> Result<Password, DeployError> {
    if let Some(password) = stored_password(host).await? {
        return Ok(password);
    }
    note(&format!("{}: making a Redis password", host.name()));
    let text = host.check(command::random_hex(PASSWORD_BYTES)).await?.text();
    if !is_password(&text) {
        return Err(DeployError::PasswordNotMade { host: host.name().to_owned() });
    }
    host.upload(PASSWORD, text.clone().into_bytes().into(), 0o600).await?;
    Ok(Secret::new(text))
}

async fn put_files(host: &impl Host, settings: &Settings, password: &Password) -> Result<(), DeployError> {
    let configuration: Arc<[u8]> = configuration(settings, password)?.into_bytes().into();
    host.upload(CONFIGURATION, configuration, 0o640).await?;
    host.check(command::chown("root:redis", CONFIGURATION)).await?;
    host.upload(UNIT_FILE, unit_file()?.into_bytes().into(), 0o644).await?;
    host.check(command::daemon_reload()).await?;
    host.check(command::systemctl("enable", UNIT)).await?;
    Ok(())
}

async fn start(
    host: &impl Host,
    settings: &Settings,
    password: &Password,
    note: &Note,
) -> Result<(), DeployError> {
    if !unit::is_active(host, UNIT).await? {
        let holder = unit::holder(host, &settings.address.to_string(), settings.port).await?;
        if let Some(holder) = holder {
            return Err(DeployError::PortInUse { host: host.name().to_owned(), port: settings.port, holder });
        }
    }
    note(&format!("{}: starting Redis", host.name()));
    unit::restart(host, UNIT).await?;
    let started = tokio::time::Instant::now();
    for look in 0.. {
        let ping = host.run(command::redis_ping(settings.address, settings.port, password.expose())).await?;
        if ping.text().lines().any(|line| line.trim() == "PONG") {
            return Ok(());
        }
        let state = unit::state(host, UNIT).await?;
        let is_late = started.elapsed() > PATIENCE;
        if state.is_hopeless() || is_late {
            let why = if state.is_hopeless() {
                state.words()
            } else {
                format!("{} but does not answer PING within {} s", state.words(), PATIENCE.as_secs())
            };
            return Err(not_started(host, settings, password, why).await);
        }
        unit::pause(look).await;
    }
    unreachable!("the loop has no end of its own")
}

async fn not_started(host: &impl Host, settings: &Settings, password: &Password, why: String) -> DeployError {
    let journal = unit::last_words(host, UNIT, password.expose()).await;
    let name = host.name().to_owned();
    if journal.contains("Address already in use") {
        let address = settings.address.to_string();
        let holder = unit::holder(host, &address, settings.port).await.ok().flatten();
        let holder = holder.unwrap_or_else(|| "another process".to_owned());
        return DeployError::PortInUse { host: name, port: settings.port, holder };
    }
    DeployError::RedisNotStarted { host: name, why, journal }
}

fn configuration(settings: &Settings, password: &Password) -> Result<String, DeployError> {
    let values = context! {
        address => settings.address.to_string(),
        port => settings.port,
        password => password.expose(),
        max_memory_megabytes => settings.max_memory_megabytes,
        append_only => match settings.persistence {
            Persistence::None => "no",
            Persistence::AppendOnly => "yes",
        },
        denied_commands => DENIED,
    };
    render(REDIS_CONFIGURATION, values)
}

fn unit_file() -> Result<String, DeployError> {
    render(REDIS_UNIT, context! {})
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let text = configuration(&settings(), &Secret::new("abc".to_owned())).unwrap();
        for line in [
            "bind 10.0.0.7",
            "port 6379",
            "protected-mode yes",
            "requirepass abc",
            "maxmemory 256mb",
            "maxmemory-policy noeviction",
            "appendonly yes",
            "rename-command FLUSHALL \"\"",
            "rename-command CONFIG \"\"",
            "rename-command SHUTDOWN \"\"",
            "daemonize no",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with('\n'));
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

    #[test]
    fn a_real_server_takes_the_configuration() {
        const NAME: &str = "a_real_server_takes_the_configuration";
        if std::process::Command::new("redis-server").arg("--version").output().is_err() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{NAME}: redis-server is missing");
            eprintln!("skipped {NAME}: redis-server is missing (`make setup` installs it)");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = Settings { address: Ipv4Addr::LOCALHOST, port, ..settings() };
        let text = configuration(&settings, &Secret::new("abc".to_owned())).unwrap();
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
        for denied in DENIED {
            let said = ask_plainly(port, &format!("AUTH abc\r\n{denied}\r\n"));
            assert!(said[1].contains("unknown command"), "{denied}: {said:?}");
        }
        assert!(answer("AUTH abc\nXADD chat:messages * a b\n").contains('-'));
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

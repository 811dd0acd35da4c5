//! Whole installations on a host played in memory: what is sent, in which state it ends, and what a failure says.

mod apps;
mod dnf;
mod played;
mod rehearsing;
mod stepping;
mod steps;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::node::{self, Outcome};
use super::redis::{self, Persistence};
use super::{Architecture, Artifact, DeployError, Note, Program, observe};
use crate::base::secret::Secret;
use played::{PASSWORD, Played};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

fn artifact(content: &[u8]) -> Artifact {
    Artifact::new(content.into(), Architecture::X86_64, Some((2, 34)))
}

fn program(content: &[u8]) -> Program {
    artifact(content).into()
}

async fn node_of(host: &Played) -> node::Observed {
    observe(host).await.unwrap().1
}

async fn redis_of(host: &Played) -> redis::Observed {
    observe(host).await.unwrap().0
}

fn node_settings() -> node::Settings {
    node::Settings {
        node_id: "ecs01".to_owned(),
        address: OURS,
        port: 5000,
        redis_user: String::new(),
        redis_host: "10.0.0.7".to_owned(),
        redis_port: 6379,
        ping_interval: Duration::from_secs(10),
        ping_timeout: Duration::from_millis(7500),
        allowed_origins: vec!["http://example.com:5000".to_owned()],
        stream_bytes: 64_000_000,
        trusted_proxies: vec!["10.0.0.0/24".parse().unwrap(), "10.0.1.0/24".parse().unwrap()],
        app: None,
    }
}

fn redis_settings() -> redis::Settings {
    redis::Settings {
        address: OURS,
        port: 6379,
        max_memory_megabytes: 256,
        persistence: Persistence::AppendOnly,
    }
}

fn password() -> Secret<String> {
    Secret::new(PASSWORD.to_owned())
}

fn quiet() -> Note {
    Arc::new(|_: &str| {})
}

/// No time beyond the one in which the node is first seen ready.
const ROLLOUT: node::Rollout = node::Rollout {
    min_healthy_time: Duration::ZERO,
    healthy_deadline: Duration::from_secs(30),
    auto_revert: true,
};

async fn install(host: &Played, content: &[u8]) -> Result<Outcome, DeployError> {
    install_as(host, &program(content), &node_settings(), &password()).await
}

async fn install_as(
    host: &Played,
    program: &Program,
    settings: &node::Settings,
    password: &Secret<String>,
) -> Result<Outcome, DeployError> {
    let wanted = (node::Wanted::Built(program), settings);
    node::prepare(host, wanted, password, ROLLOUT, &quiet()).await?.put_in_force().await
}

fn release(content: &[u8]) -> String {
    node::release_id(&program(content), &node_settings()).unwrap().to_string()
}

#[tokio::test(start_paused = true)]
async fn a_node_is_installed_once_and_then_left_alone() {
    let host = Played::debian("ecs01");
    let outcome = install(&host, b"one").await.unwrap();
    assert_eq!(outcome, Outcome::Installed { previous: None, uploaded: true });
    let environment = host.file("/etc/albatross/chat-node.env");
    assert_eq!(
        environment.text,
        format!(
            "# Written by Albatross. Mode 0600: the Redis URL holds the password.\nCHAT_NODE_LISTEN=10.0.0.5:5000\n\
             CHAT_NODE_REDIS=redis://:{PASSWORD}@10.0.0.7:6379/0\nCHAT_NODE_STREAM_BYTES=64000000\n\
             CHAT_NODE_ID=ecs01\nCHAT_NODE_PING_INTERVAL=10s\nCHAT_NODE_PING_TIMEOUT=7500ms\nCHAT_NODE_ALLOWED_ORIGINS=http://example.com:5000\n\
             CHAT_NODE_TRUSTED_PROXIES=10.0.0.0/24,10.0.1.0/24\n"
        )
    );
    assert_eq!(environment.mode, 0o600);
    assert_eq!(host.file(&format!("/opt/albatross/releases/{}/chat-node", release(b"one"))).mode, 0o755);
    host.forget_log();
    assert_eq!(node_of(&host).await, as_installed(release(b"one")));
    assert_eq!(host.log(), ["look"], "a host is read in one round trip");

    host.forget_log();
    assert_eq!(install(&host, b"one").await.unwrap(), Outcome::Unchanged);
    assert!(host.uploads().is_empty(), "an unchanged host is sent nothing: {:?}", host.log());
    assert!(!host.log().iter().any(|line| line.contains("restart")), "{:?}", host.log());
}

#[tokio::test(start_paused = true)]
async fn a_binary_that_another_release_has_is_not_sent_again() {
    let host = Played::debian("ecs01");
    install(&host, b"one").await.unwrap();
    host.forget_log();
    let other = node::Settings { ping_interval: Duration::from_secs(7), ..node_settings() };
    let outcome = install_as(&host, &program(b"one"), &other, &password()).await.unwrap();
    assert!(matches!(outcome, Outcome::Installed { uploaded: false, .. }), "{outcome:?}");
    let path = format!("/opt/albatross/releases/{}/chat-node", node_of(&host).await.release.unwrap());
    assert_eq!((host.file(&path).text.as_str(), host.file(&path).mode), ("one", 0o755));
    assert!(!host.uploads().contains(&path), "{:?}", host.uploads());

    // One that somebody has changed is not taken for it.
    host.edit(&format!("/opt/albatross/releases/{}/chat-node", release(b"one")));
    host.edit(&path);
    let third = node::Settings { ping_interval: Duration::from_secs(8), ..node_settings() };
    let outcome = install_as(&host, &program(b"one"), &third, &password()).await.unwrap();
    assert!(matches!(outcome, Outcome::Installed { uploaded: true, .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn the_unit_is_what_systemd_and_a_reader_expect() {
    let host = Played::debian("ecs01");
    install(&host, b"one").await.unwrap();
    let unit = host.file("/etc/systemd/system/chat-node.service").text;
    for line in [
        "User=albatross",
        "EnvironmentFile=/etc/albatross/chat-node.env",
        "ExecStart=/opt/albatross/current/chat-node",
        "Restart=on-failure",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "WantedBy=multi-user.target",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line} is missing in\n{unit}");
    }
    assert!(!unit.contains("{{") && !unit.contains("{%"), "{unit}");
    let low = node::Settings { port: 80, ..node_settings() };
    install_as(&host, &program(b"one"), &low, &password()).await.unwrap();
    let unit = host.file("/etc/systemd/system/chat-node.service").text;
    assert!(unit.contains("\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n"), "{unit}");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_does_not_become_ready_is_rolled_back() {
    let host = Played::debian("ecs01");
    install(&host, b"good").await.unwrap();
    host.with(|state| {
        state.broken.insert(release(b"bad"));
    });
    let before = host.file("/etc/albatross/chat-node.env").text;
    let error = install(&host, b"bad").await.unwrap_err();
    assert!(error.rolled_back(), "{error:?}");
    let (bad, good) = (release(b"bad"), release(b"good"));
    assert_eq!(
        error.to_string(),
        format!(
            "ecs01: release {bad} did not become ready: the process ended with status 1; rolled back to {good}, \
             which is ready\n    chat-node: cannot reach redis://:***@10.0.0.7"
        )
    );
    assert!(error.hint().unwrap().contains("journalctl -u chat-node.service"));
    assert_eq!(node_of(&host).await, as_installed(good));
    assert_eq!(host.file("/etc/albatross/chat-node.env").text, before);
}

#[tokio::test(start_paused = true)]
async fn a_first_release_that_does_not_become_ready_is_stopped_and_a_silent_one_too() {
    let host = Played::debian("ecs01");
    host.with(|state| {
        state.broken.insert(release(b"bad"));
    });
    let error = install(&host, b"bad").await.unwrap_err();
    assert!(error.to_string().contains("there is no earlier release to go back to"), "{error}");
    assert!(!node_of(&host).await.active);

    host.with(|state| {
        state.silent.insert(release(b"mute"));
    });
    let error = install(&host, b"mute").await.unwrap_err().to_string();
    assert!(error.contains("/readyz says 503 (redis is away) after 30 s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_binary_that_cannot_run_is_refused_before_anything_is_sent() {
    let host = Played::debian("ecs01");
    let other = Artifact { architecture: Architecture::Aarch64, ..artifact(b"one") };
    let error = install_as(&host, &other.into(), &node_settings(), &password()).await.unwrap_err();
    assert_eq!(error.to_string(), "ecs01: the binary is for aarch64, but the host is x86_64");
    let newer = Artifact { glibc_needed: Some((2, 38)), ..artifact(b"one") };
    let error = install_as(&host, &newer.into(), &node_settings(), &password()).await.unwrap_err();
    assert_eq!(error.to_string(), "ecs01: the binary needs glibc 2.38, but the host has 2.36");
    assert!(host.uploads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_host_is_given_the_build_for_its_processor() {
    let (intel, arm) = (Played::debian("ecs01"), Played::debian("ecs02"));
    arm.with(|state| state.machine = "aarch64");
    let other = Artifact { architecture: Architecture::Aarch64, ..artifact(b"arm") };
    let program = program(b"intel").with([other]);
    for (host, content) in [(&intel, "intel"), (&arm, "arm")] {
        let settings = node_settings();
        let outcome = install_as(host, &program, &settings, &password()).await.unwrap();
        assert_eq!(outcome, Outcome::Installed { previous: None, uploaded: true });
        let release = node::release_id(&program, &settings).unwrap();
        assert_eq!(host.file(&format!("/opt/albatross/releases/{release}/chat-node")).text, content);
        assert_eq!(node_of(host).await.release, Some(release.to_string()), "one name on all hosts");
        assert_eq!(install_as(host, &program, &settings, &password()).await.unwrap(), Outcome::Unchanged);
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_in_use_names_its_holder() {
    let host = Played::debian("ecs01");
    host.with(|state| {
        state.listeners = r#"LISTEN 0 511 0.0.0.0:5000 0.0.0.0:* users:(("nginx",pid=812,fd=6))"#.to_owned();
    });
    let error = install(&host, b"one").await.unwrap_err();
    assert_eq!(error.to_string(), "ecs01: port 5000 is already in use by `nginx` (pid 812)");
    assert!(error.hint().unwrap().contains("ss -ltnp sport = :5000"));
}

/// Nothing of it may begin what it cannot end.
#[tokio::test(start_paused = true)]
async fn a_host_on_which_it_does_not_fit_is_left_as_it_was() {
    let host = Played::debian("ecs01");
    host.with(|state| state.free_kibibytes = 3000);
    let error = install(&host, b"one").await.unwrap_err();
    assert_eq!(error.to_string(), "ecs01: a release needs 65 MiB of /opt, and 2 MiB are free there");
    assert_eq!(
        error.hint().unwrap(),
        "`albatross ssh FILE ecs01 -- df -h` shows what is full; make room there, then run again"
    );
    let large = redis::Settings { max_memory_megabytes: 4096, ..redis_settings() };
    let error = redis::install(&host, &large, &quiet()).await.unwrap_err();
    assert_eq!(error.to_string(), "ecs01: Redis may take 4096 MiB, and the host has 4096 MiB of memory");
    host.with(|state| state.lacks_systemd = true);
    let error = redis::install(&host, &redis_settings(), &quiet()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "ecs01: Debian GNU/Linux 12 (bookworm) is not supported: systemd is not what started it"
    );
    assert!(host.uploads().is_empty(), "{:?}", host.uploads());
}

#[tokio::test(start_paused = true)]
async fn three_releases_stay() {
    let host = Played::debian("ecs01");
    for content in [b"one" as &[u8], b"two", b"three", b"four", b"five"] {
        install(&host, content).await.unwrap();
    }
    let mut expected = [release(b"three"), release(b"four"), release(b"five")];
    expected.sort();
    assert_eq!(host.releases(), expected);
}

#[tokio::test(start_paused = true)]
async fn redis_is_installed_with_a_password_that_no_command_shows() {
    let host = Played::debian("ecs03");
    let notes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&notes);
    let note: Note = Arc::new(move |text: &str| told.lock().unwrap().push(text.to_owned()));
    let password = redis::install(&host, &redis_settings(), &note).await.unwrap();
    assert_eq!(password.expose(), PASSWORD);
    assert_eq!(host.file("/etc/albatross/redis.password").mode, 0o600);
    assert_eq!(host.file("/etc/albatross/redis.conf").mode, 0o640);
    let observed = redis_of(&host).await;
    let fingerprint = redis::fingerprint(&redis_settings()).unwrap();
    let as_installed = redis::Observed {
        fingerprint: Some(fingerprint),
        active: true,
        enabled: true,
        edited: redis::Edited::default(),
        password: Some(password.clone()),
    };
    assert_eq!(observed, as_installed);
    let said = format!("{:?}{:?}", host.log(), notes.lock().unwrap());
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(said.contains("apt-get install -y --no-install-recommends redis-server openssl"), "{said}");
    assert!(said.contains("systemctl disable --now redis-server.service"), "{said}");
    assert_eq!(redis::read_password(&host).await.unwrap(), password);

    host.forget_log();
    redis::install(&host, &redis_settings(), &quiet()).await.unwrap();
    assert!(
        !host.log().iter().any(|line| line.contains("apt-get") || line.contains("openssl")),
        "{:?}",
        host.log()
    );
}

#[tokio::test(start_paused = true)]
async fn redis_on_alibaba_cloud_linux_comes_by_dnf() {
    let host = Played::alinux("ecs03");
    redis::install(&host, &redis_settings(), &quiet()).await.unwrap();
    let log = host.log();
    assert!(log.iter().any(|line| line == "dnf install -y redis openssl"), "{log:?}");
    assert!(log.iter().any(|line| line == "systemctl disable --now redis.service"), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_repository_stops_before_anything_changes() {
    let host = Played::debian("ecs03");
    host.with(|state| state.repository_is_away = true);
    let error = redis::install(&host, &redis_settings(), &quiet()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("ecs03: the package repository cannot be reached, so `redis-server openssl`"),
        "{text}"
    );
    assert!(text.contains("Failed to fetch http://deb.debian.org"), "{text}");
    assert!(error.hint().unwrap().contains("NAT gateway"));
    assert!(host.uploads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn redis_that_does_not_start_shows_its_last_words() {
    let host = Played::debian("ecs03");
    host.with(|state| {
        state.redis_fails = Some(format!("FATAL CONFIG FILE ERROR at 7: requirepass {PASSWORD}"));
    });
    let error = redis::install(&host, &redis_settings(), &quiet()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "ecs03: Redis did not start: the process ended with status 1\n    FATAL CONFIG FILE ERROR at 7: requirepass ***"
    );
    assert!(redis_of(&host).await.fingerprint.is_none(), "the record is written last");

    host.with(|state| {
        state.redis_fails =
            Some("Could not create server TCP listening socket: bind: Address already in use".to_owned());
    });
    let error = redis::install(&host, &redis_settings(), &quiet()).await.unwrap_err();
    assert_eq!(error.to_string(), "ecs03: port 6379 is already in use by another process");
}

#[tokio::test(start_paused = true)]
async fn cut_after_any_step_a_second_run_ends_in_the_same_state() {
    let whole = Played::debian("ecs01");
    redis::install(&whole, &redis_settings(), &quiet()).await.unwrap();
    install(&whole, b"one").await.unwrap();
    // The last one gives the host back, which the end of a connection does as well.
    let steps = whole.log().len() - 1;
    assert!(steps > 30, "{steps}");
    for cut in 0..steps {
        let host = Played::debian("ecs01");
        host.with(|state| state.cut_after = Some(cut));
        let first = async {
            redis::install(&host, &redis_settings(), &quiet()).await?;
            install(&host, b"one").await
        };
        assert!(first.await.is_err(), "cut after {cut}");
        host.with(|state| state.cut_after = None);
        redis::install(&host, &redis_settings(), &quiet()).await.unwrap();
        install(&host, b"one").await.unwrap();
        assert_eq!(host.world(), whole.world(), "cut after {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_was_cut_after_any_step_ends_in_the_same_state_when_it_is_made_again() {
    let whole = Played::debian("ecs01");
    install(&whole, b"one").await.unwrap();
    whole.forget_log();
    install(&whole, b"two").await.unwrap();
    let steps = whole.log().len() - 1;
    assert!(steps > 30, "{steps}");
    for cut in 0..steps {
        let host = Played::debian("ecs01");
        install(&host, b"one").await.unwrap();
        host.forget_log();
        host.with(|state| state.cut_after = Some(cut));
        assert!(install(&host, b"two").await.is_err(), "cut after {cut}");
        host.with(|state| state.cut_after = None);
        install(&host, b"two").await.unwrap();
        assert_eq!(host.world(), whole.world(), "cut after {cut}");
    }
}

/// What nobody has seen ready is nothing to go back to.
#[tokio::test(start_paused = true)]
async fn behind_a_change_that_was_cut_the_release_before_is_still_the_good_one() {
    let host = Played::debian("ecs01");
    install(&host, b"one").await.unwrap();
    host.with(|state| {
        state.broken.insert(release(b"two"));
        state.broken.insert(release(b"three"));
        // In the middle of the change, behind the flip.
        state.cut_at = Some("systemctl restart chat-node.service");
    });
    install(&host, b"two").await.unwrap_err();
    assert!(host.with(|state| state.is_active("albatross-revert.timer")), "nobody would put it back");
    host.with(|state| state.cut_at = None);
    let error = install(&host, b"three").await.unwrap_err();
    let DeployError::RolledBack { previous, .. } = &error else { panic!("{error}") };
    assert_eq!(*previous, release(b"one"));
    assert!(!host.with(|state| state.is_active("albatross-revert.timer")), "the timer goes on");
    assert_eq!(node_of(&host).await, as_installed(release(b"one")));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_kept_comes_back_with_its_settings_and_the_password_of_now() {
    let host = Played::debian("ecs01");
    install(&host, b"one").await.unwrap();
    let other = node::Settings { ping_interval: Duration::from_secs(7), ..node_settings() };
    install_as(&host, &program(b"one"), &other, &password()).await.unwrap();
    let newer = Secret::new("ab".repeat(32));
    let kept = node::ReleaseId::parse(&release(b"one")).unwrap();
    let wanted = (node::Wanted::Kept(&kept), &other);
    let outcome =
        node::prepare(&host, wanted, &newer, ROLLOUT, &quiet()).await.unwrap().put_in_force().await.unwrap();
    assert!(matches!(outcome, Outcome::Installed { uploaded: false, .. }), "{outcome:?}");
    let environment = host.file("/etc/albatross/chat-node.env").text;
    assert!(environment.contains("CHAT_NODE_PING_INTERVAL=10s\n"), "{environment}");
    assert!(environment.contains(&format!("redis://:{}@", newer.expose())), "{environment}");
    let listed = node::releases(&host).await.unwrap();
    let standings: Vec<node::Standing> = listed.iter().map(|one| one.standing).collect();
    assert_eq!(standings, [node::Standing::InForce, node::Standing::Before]);
    assert_eq!(listed[0].release, kept);

    let elsewhere = node::Settings { port: 5001, ..node_settings() };
    let wanted = (node::Wanted::Kept(&kept), &elsewhere);
    let refused = node::prepare(&host, wanted, &newer, ROLLOUT, &quiet()).await.err().unwrap().to_string();
    let told = "listens on 10.0.0.5:5000, and the load balancer asks 10.0.0.5:5001";
    assert!(refused.ends_with(told), "{refused}");
}

/// A node that ends and is started again has not been ready all the time.
#[tokio::test(start_paused = true)]
async fn a_release_counts_when_it_has_been_ready_for_a_while() {
    let host = Played::debian("ecs01");
    install(&host, b"one").await.unwrap();
    let slow = node::Rollout { min_healthy_time: Duration::from_secs(10), ..ROLLOUT };
    let (program, settings) = (program(b"two"), node_settings());
    let wanted = (node::Wanted::Built(&program), &settings);
    let begun = tokio::time::Instant::now();
    node::prepare(&host, wanted, &password(), slow, &quiet()).await.unwrap().put_in_force().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(10), "{:?}", begun.elapsed());

    // Started again before each look, it never has been ready for so long.
    host.with(|state| state.restarts = Some(0));
    install(&host, b"one").await.unwrap();
    host.with(|state| state.restarts_at_each_look = true);
    let prepared = node::prepare(&host, wanted, &password(), slow, &quiet()).await.unwrap();
    let error = prepared.put_in_force().await.unwrap_err().to_string();
    assert!(error.contains("has not been ready for 10 s in a row after 30 s"), "{error}");
}

/// Several hosts are worked on at once, so everything must be able to move between threads.
#[test]
fn installations_over_ssh_can_run_in_parallel() {
    fn movable<T: Send>(_: &T) {}
    fn all(session: &crate::ssh::Session, note: &Note) {
        movable(&redis::install(session, &redis_settings(), note));
        movable(&observe(session));
        let program = program(b"");
        let wanted = (node::Wanted::Built(&program), &node_settings());
        movable(&node::prepare(session, wanted, &password(), ROLLOUT, note));
        movable(&session.upload("", Vec::new().into(), 0));
        movable(&session.tunnel(OURS.into(), 1));
    }
    let _: fn(&crate::ssh::Session, &Note) = all;
}

/// A node as nobody has touched it since.
fn as_installed(release: String) -> node::Observed {
    let password = Some(Secret::new(PASSWORD.to_owned()));
    let edited = node::Edited::default();
    let secrets = BTreeMap::new();
    node::Observed { release: Some(release), active: true, enabled: true, edited, password, secrets }
}

#[tokio::test]
async fn what_was_edited_by_hand_is_seen_and_put_right() {
    type Seen = fn(&node::Edited) -> bool;
    let host = Played::debian("ecs01");
    install(&host, b"one").await.unwrap();
    let program = format!("/opt/albatross/releases/{}/chat-node", release(b"one"));
    let files: [(&str, Seen); 3] = [
        ("/etc/albatross/chat-node.env", |edited| edited.environment),
        ("/etc/systemd/system/chat-node.service", |edited| edited.unit),
        (&program, |edited| edited.program),
    ];
    for (path, seen) in files {
        host.edit(path);
        let observed = node_of(&host).await;
        assert!(seen(&observed.edited), "{path}: {observed:?}");
        install(&host, b"one").await.unwrap();
        assert_eq!(node_of(&host).await, as_installed(release(b"one")), "{path}");
    }
    host.disable("chat-node.service");
    assert!(!node_of(&host).await.enabled);
    assert_eq!(install(&host, b"one").await.unwrap(), Outcome::Unchanged);
    assert!(node_of(&host).await.enabled);
}

#[tokio::test]
async fn a_configuration_of_redis_edited_by_hand_is_seen_and_put_right() {
    let host = Played::debian("ecs03");
    redis::install(&host, &redis_settings(), &quiet()).await.unwrap();
    for path in ["/etc/albatross/redis.conf", "/etc/systemd/system/albatross-redis.service"] {
        host.edit(path);
        let edited = redis_of(&host).await.edited;
        assert_eq!(edited.configuration, path.contains("redis.conf"), "{edited:?}");
        assert_eq!(edited.unit, path.ends_with(".service"), "{edited:?}");
        redis::install(&host, &redis_settings(), &quiet()).await.unwrap();
        assert_eq!(redis_of(&host).await.edited, redis::Edited::default());
    }
}

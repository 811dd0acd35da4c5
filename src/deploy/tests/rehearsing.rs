//! What is said beforehand is what is done: the same commands and files, in the same order.

use super::played::{PASSWORD, Played};
use super::{ROLLOUT, install, install_as, node_settings, password, program, quiet, redis_settings, release};
use crate::deploy::rehearsal::{Deed, Work, rehearse};
use crate::deploy::{DeployError, node, redis};

/// Programs that change nothing; what is said of hosts is held against a list of its own.
const LOOKS: [&str; 17] = [
    "look",
    "read",
    "uname",
    "cat",
    "getconf",
    "getent",
    "test",
    "readlink",
    "sha256sum",
    "ls",
    "date",
    "df",
    "ss",
    "curl",
    "stat",
    "redis-server",
    "redis-cli",
];

/// What was done on a played host, without what only looked, and without the lock and the folder of the step.
fn done(host: &Played) -> Vec<String> {
    let is_look = |line: &str| {
        let mut words = line.split(' ');
        let (program, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        LOOKS.contains(&program)
            || (program == "systemctl" && ["is-active", "is-enabled", "show"].contains(&verb))
    };
    let is_of_step =
        |line: &str| line.starts_with("hold ") || line == "let go" || line.contains("/run/albatross");
    let made_up = |line: &str| line.starts_with("openssl rand");
    let log = host.log().into_iter();
    log.filter(|line| !is_look(line) && !is_of_step(line) && !made_up(line)).collect()
}

fn said(deeds: &[Deed]) -> Vec<String> {
    let line = |deed: &Deed| match deed {
        Deed::Command(words) => words.join(" "),
        Deed::File(file) => format!("upload {}", file.path),
        Deed::Program(program) => format!("upload {}", program.path),
    };
    deeds.iter().map(line).collect()
}

/// Rehearses, and sees that nothing was done.
async fn rehearsed(host: &Played, work: Work<'_>) -> Result<Vec<Deed>, DeployError> {
    let before = host.world();
    host.forget_log();
    let deeds = rehearse(host, work).await;
    assert!(
        !host.log().iter().any(|line| line == "uname -m"),
        "what is looked at together costs one round trip"
    );
    assert!(done(host).is_empty() && host.uploads().is_empty(), "{:?}", host.log());
    assert_eq!(host.world(), before);
    host.forget_log();
    deeds
}

#[tokio::test(start_paused = true)]
async fn a_release_does_on_a_host_what_was_said() {
    let host = Played::debian("ecs01");
    let (password, settings) = (password(), node_settings());
    for content in [b"one" as &[u8], b"two", b"three", b"four", b"four"] {
        let program = program(content);
        let wanted = node::Wanted::Built(&program);
        let work = Work::Release(wanted, &settings, Some(&password), ROLLOUT);
        let deeds = rehearsed(&host, work).await.unwrap();
        install(&host, content).await.unwrap();
        assert_eq!(said(&deeds), done(&host));
        assert!(!format!("{deeds:?}").contains(PASSWORD), "{deeds:?}");
    }
    let kept = node::ReleaseId::parse(&release(b"three")).unwrap();
    let work = Work::Release(node::Wanted::Kept(&kept), &settings, Some(&password), ROLLOUT);
    let deeds = rehearsed(&host, work).await.unwrap();
    let wanted = (node::Wanted::Kept(&kept), &settings);
    node::prepare(&host, wanted, &password, ROLLOUT, &quiet()).await.unwrap().put_in_force().await.unwrap();
    assert_eq!(said(&deeds), done(&host));

    // Other settings make another release of the same binary, which is copied.
    let other = node::Settings { ping_interval: std::time::Duration::from_secs(7), ..settings };
    let program = program(b"three");
    let work = Work::Release(node::Wanted::Built(&program), &other, Some(&password), ROLLOUT);
    let deeds = rehearsed(&host, work).await.unwrap();
    install_as(&host, &program, &other, &password).await.unwrap();
    assert_eq!(said(&deeds), done(&host));
    let copy = format!("install -m 0755 /opt/albatross/releases/{kept}/chat-node ");
    assert!(said(&deeds).iter().any(|deed| deed.starts_with(&copy)), "{deeds:#?}");

    let deeds = rehearsed(&host, Work::RemoveRelease).await.unwrap();
    node::remove(&host, &quiet()).await.unwrap();
    assert_eq!(said(&deeds), done(&host));
}

#[tokio::test(start_paused = true)]
async fn redis_does_on_a_host_what_was_said() {
    for host in [Played::debian("ecs03"), Played::rocky("ecs03")] {
        let first = redis_settings();
        for settings in [first.clone(), redis::Settings { max_memory_megabytes: 128, ..first }] {
            let deeds = rehearsed(&host, Work::Redis(&settings)).await.unwrap();
            redis::install(&host, &settings, &quiet()).await.unwrap();
            assert_eq!(said(&deeds), done(&host));
            let told = format!("{deeds:?}");
            assert!(!told.contains(PASSWORD) && !told.contains(&"0".repeat(64)), "{told}");
        }
        let deeds = rehearsed(&host, Work::RemoveRedis).await.unwrap();
        redis::remove(&host, &quiet()).await.unwrap();
        assert_eq!(said(&deeds), done(&host));
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_in_a_file_is_said_without_what_is_secret() {
    let host = Played::debian("ecs01");
    install(&host, b"one").await.unwrap();
    let settings = node::Settings { redis_host: "10.0.0.8".to_owned(), ..node_settings() };
    let program = program(b"one");
    let work = Work::Release(node::Wanted::Built(&program), &settings, None, ROLLOUT);
    let deeds = rehearsed(&host, work).await.unwrap();
    let environment = deeds.iter().find_map(|deed| match deed {
        Deed::File(file) if file.path == node::ENVIRONMENT => Some(file),
        Deed::Command(_) | Deed::File(_) | Deed::Program(_) => None,
    });
    let environment = environment.unwrap();
    assert_eq!((environment.mode.as_str(), environment.found.as_deref()), ("0600", Some("600 root:root")));
    let before = environment.before.as_deref().unwrap();
    assert!(before.contains("CHAT_NODE_REDIS=redis://:(secret)@10.0.0.7:6379/0\n"), "{before}");
    assert!(environment.after.contains("CHAT_NODE_REDIS=redis://:(secret)@10.0.0.8:6379/0\n"));
}

#[tokio::test(start_paused = true)]
async fn what_would_be_refused_is_said_beforehand() {
    let host = Played::debian("ecs01");
    host.with(|state| {
        state.listeners = r#"LISTEN 0 511 0.0.0.0:5000 0.0.0.0:* users:(("nginx",pid=812,fd=6))"#.to_owned();
    });
    let (program, settings) = (program(b"one"), node_settings());
    let work = Work::Release(node::Wanted::Built(&program), &settings, None, ROLLOUT);
    let error = rehearsed(&host, work).await.unwrap_err();
    assert_eq!(error.to_string(), "ecs01: port 5000 is already in use by `nginx` (pid 812)");
}

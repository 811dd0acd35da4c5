//! A server of anybody's own on a played host.

use std::collections::BTreeMap;

use super::played::{PASSWORD, Played};
use super::{ROLLOUT, artifact, install, install_as, node_of, node_settings, password, program, quiet};
use crate::base::secret::Secret;
use crate::deploy::node::{self, App, ENVIRONMENT, Outcome, UNIT_FILE};
use crate::deploy::rehearsal::{Deed, Work, rehearse};
use crate::deploy::{Architecture, Artifact};

fn settings(token: &str) -> node::Settings {
    let app = App {
        args: vec!["--name".to_owned(), "a \"b\" $HOME 100%".to_owned()],
        env: BTreeMap::from([("MODE".to_owned(), "it's on".to_owned())]),
        secrets: BTreeMap::from([("TOKEN".to_owned(), Secret::new(token.to_owned()))]),
        health_path: "/up".to_owned(),
    };
    node::Settings { app: Some(app), redis_host: String::new(), ..node_settings() }
}

fn nothing() -> Secret<String> {
    Secret::new(String::new())
}

async fn put(host: &Played, content: &[u8], token: &str) -> Outcome {
    install_as(host, &program(content), &settings(token), &nothing()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_app_runs_with_its_arguments_its_environment_and_no_redis() {
    let host = Played::debian("ecs01");
    put(&host, b"one", "tulip \"$x\"").await;
    let environment = host.file(ENVIRONMENT);
    assert_eq!(
        environment.text,
        "# Written by Albatross. Mode 0600: it may hold secrets.\nHOST=10.0.0.5\nPORT=5000\nMODE=\"it's on\"\n\
         TOKEN=\"tulip \\\"\\$x\\\"\"\n"
    );
    assert_eq!(environment.mode, 0o600);
    let unit = host.file(UNIT_FILE).text;
    let start = "ExecStart=/opt/albatross/current/chat-node \"--name\" \"a \\\"b\\\" $$HOME 100%%\"";
    assert!(unit.lines().any(|line| line == start), "{unit}");
    assert!(unit.contains("Type=exec") && !unit.contains("WatchdogSec"), "{unit}");
    assert!(host.log().iter().any(|line| line.ends_with("http://10.0.0.5:5000/up")), "{:?}", host.log());
    // What anybody may read of a release has no secret in it.
    assert_eq!(host.world().matches("tulip").count(), 1, "{}", host.world());
    assert_eq!(put(&host, b"one", "tulip \"$x\"").await, Outcome::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_seen_but_is_no_part_of_the_name_of_a_release() {
    let host = Played::debian("ecs01");
    put(&host, b"one", "tulip").await;
    let before = node_of(&host).await;
    assert_eq!(before.edited, node::Edited::default());
    assert_eq!(before.secrets["TOKEN"].expose(), "tulip");
    assert_ne!(put(&host, b"one", "rose").await, Outcome::Unchanged);
    let after = node_of(&host).await;
    assert_eq!((after.release, after.edited), (before.release, before.edited));
    assert_eq!(after.secrets["TOKEN"].expose(), "rose");
    host.edit(ENVIRONMENT);
    assert!(node_of(&host).await.edited.environment);
}

#[tokio::test(start_paused = true)]
async fn an_app_with_a_redis_is_told_where_it_is() {
    let host = Played::debian("ecs01");
    let with = node::Settings { redis_host: "10.0.0.7".to_owned(), ..settings("tulip") };
    install_as(&host, &program(b"one"), &with, &password()).await.unwrap();
    let environment = host.file(ENVIRONMENT).text;
    assert!(
        environment.contains(&format!("\nREDIS_URL=redis://:{PASSWORD}@10.0.0.7:6379/0\n")),
        "{environment}"
    );
    let seen = node_of(&host).await;
    assert_eq!((seen.edited, seen.password.unwrap().expose().as_str()), (node::Edited::default(), PASSWORD));
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_kept_comes_back_with_the_secrets_of_now() {
    let host = Played::debian("ecs01");
    put(&host, b"one", "tulip").await;
    let first = node::ReleaseId::parse(&node_of(&host).await.release.unwrap()).unwrap();
    put(&host, b"two", "rose").await;
    let settings = settings("");
    let wanted = (node::Wanted::Kept(&first), &settings);
    let prepared = node::prepare(&host, wanted, &nothing(), ROLLOUT, &quiet()).await.unwrap();
    prepared.put_in_force().await.unwrap();
    let seen = node_of(&host).await;
    assert_eq!(
        (seen.release.as_deref(), seen.secrets["TOKEN"].expose().as_str()),
        (Some(first.as_str()), "rose")
    );

    // Behind the chat node nobody knows the secret any more.
    install(&host, b"chat").await.unwrap();
    let error = node::prepare(&host, wanted, &nothing(), ROLLOUT, &quiet()).await.err().unwrap();
    assert!(
        error.to_string().ends_with("needs the secret `TOKEN`, which the one in force does not have"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_said_beforehand_of_an_app_has_no_secret() {
    let host = Played::debian("ecs01");
    put(&host, b"one", "tulip").await;
    let (program, settings) = (program(b"two"), settings("rose"));
    let nothing = nothing();
    let work = Work::Release(node::Wanted::Built(&program), &settings, Some(&nothing), ROLLOUT);
    let deeds = rehearse(&host, work).await.unwrap();
    let told = format!("{deeds:?}");
    assert!(!told.contains("tulip") && !told.contains("rose") && told.contains("TOKEN=(secret)"), "{told}");
    assert!(deeds.iter().any(|deed| matches!(deed, Deed::Program(_))), "{told}");
    // The same release with another secret: that it changes is told, and nothing of it.
    let same = super::program(b"one");
    let work = Work::Release(node::Wanted::Built(&same), &settings, Some(&nothing), ROLLOUT);
    let deeds = rehearse(&host, work).await.unwrap();
    let changed = deeds.iter().filter_map(|deed| match deed {
        Deed::File(file) if file.only_secrets => Some(file.path.as_str()),
        Deed::Command(_) | Deed::File(_) | Deed::Program(_) => None,
    });
    assert_eq!(changed.collect::<Vec<_>>(), [ENVIRONMENT]);
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_a_host_lacks_is_named_before_anything_is_sent() {
    let host = Played::debian("ecs01");
    let loader = "/lib/ld-musl-x86_64.so.1";
    let musl = Artifact { glibc_needed: None, loader: Some(loader.to_owned()), ..artifact(b"one") };
    let error = install_as(&host, &musl.into(), &settings("x"), &nothing()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "ecs01: the binary is started by /lib/ld-musl-x86_64.so.1, which the host does not have"
    );
    assert!(error.hint().unwrap().contains("static") && host.uploads().is_empty());
    let usual = Artifact { loader: Some("/lib64/ld-linux-x86-64.so.2".to_owned()), ..artifact(b"one") };
    assert_eq!(usual.architecture, Architecture::X86_64);
    install_as(&host, &usual.into(), &settings("x"), &nothing()).await.unwrap();
}

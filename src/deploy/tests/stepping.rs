//! Steps on a host: who waits for whom, and what is not done any more.

use std::sync::{Arc, Mutex};

use super::played::Played;
use super::{install, quiet, redis_settings};
use crate::base::operator::operator;
use crate::deploy::step::Step;
use crate::deploy::{DeployError, Host as _, Note, observe, redis};
use crate::ssh::Command;

const OTHER: &str = "0123456789abcdef0123456789abcdef";

/// The step of somebody else has left its folder.
fn somebody_was_there(host: &Played) {
    host.with(|state| state.steps.folders.insert(OTHER.to_owned(), "anna@laptop".to_owned()));
}

fn listening() -> (Note, Arc<Mutex<Vec<String>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let note: Note = {
        let said = Arc::clone(&said);
        Arc::new(move |text: &str| said.lock().unwrap().push(text.to_owned()))
    };
    (note, said)
}

/// The lines that a step costs beside its work.
fn extra(host: &Played) -> Vec<String> {
    let log = host.log();
    log.into_iter().filter(|line| line.contains("/run/albatross") || line == "let go").collect()
}

#[tokio::test(start_paused = true)]
async fn a_step_costs_four_round_trips_and_a_fifth_after_another_one() {
    let host = Played::debian("ecs01");
    install(&host, b"one").await.unwrap();
    let first = extra(&host);
    assert_eq!(first.len(), 4, "{first:?}");
    assert_eq!(first[0], "hold flock -n /run/albatross.lock timeout 1800 cat");
    assert_eq!(first[1], "ls -1 /run/albatross");
    assert!(first[2].ends_with(&format!("/by/{}", operator())), "{first:?}");
    assert_eq!(first[3], "let go");
    host.forget_log();
    install(&host, b"two").await.unwrap();
    assert_eq!(extra(&host).len(), 5, "{:?}", extra(&host));
    assert_eq!(host.with(|state| state.steps.folders.len()), 1, "no more than one folder is ever left");

    host.forget_log();
    observe(&host).await.unwrap();
    assert!(extra(&host).is_empty(), "a look takes no step: {:?}", extra(&host));
}

#[tokio::test(start_paused = true)]
async fn another_operator_is_waited_for_by_name() {
    let host = Played::debian("ecs01");
    somebody_was_there(&host);
    host.with(|state| state.steps.held_elsewhere = 5);
    let (note, said) = listening();
    redis::install(&host, &redis_settings(), &note).await.unwrap();
    let said = said.lock().unwrap().clone();
    let waits: Vec<&String> = said.iter().filter(|line| line.contains("waiting for")).collect();
    assert_eq!(waits, ["ecs01: waiting for anna@laptop, who is at work on it"]);

    host.with(|state| state.steps.held_elsewhere = u32::MAX);
    somebody_was_there(&host);
    let error = redis::remove(&host, &quiet()).await.unwrap_err();
    assert!(error.to_string().starts_with("ecs01: "), "{error}");
    assert!(error.to_string().ends_with(" is at work on it, and was not done after 60 s"), "{error}");
    assert!(error.hint().unwrap().contains("ls /run/albatross/*/by"));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_does_not_end_stops_the_next_step_before_it_begins() {
    let host = Played::debian("ecs01");
    somebody_was_there(&host);
    host.with(|state| state.steps.is_running = true);
    let error = install(&host, b"one").await.unwrap_err();
    assert_eq!(error.to_string(), "ecs01: a command that anna@laptop began still runs after 120 s");
    assert!(error.hint().unwrap().contains("fuser"));
    assert!(host.uploads().is_empty());
    assert!(!host.with(|state| state.steps.is_held), "the host is given back");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_over_changes_nothing_more() {
    let host = Played::debian("ecs01");
    let step = Step::begin(&host, &quiet()).await.unwrap();
    step.check(Command::new("uname").arg("-m")).await.unwrap();
    // Somebody else takes the host: the connection was thought to be dead.
    host.with(|state| state.steps.folders.clear());
    let ran = step.run(Command::new("systemctl").args(["restart", "chat-node.service"])).await;
    let put = step.upload("/etc/albatross/chat-node.env", b"x".to_vec().into(), 0o600).await;
    assert!(ran.is_err() && put.is_err() && host.uploads().is_empty());
    let error = step.end::<()>(Err(put.unwrap_err().into())).await.unwrap_err();
    assert!(matches!(error, DeployError::TakenOver { .. }), "{error:?}");
    assert!(error.to_string().contains("another operator has begun to work on it"), "{error}");

    // Other errors stay what they are.
    let step = Step::begin(&host, &quiet()).await.unwrap();
    let error = step.check(Command::new("test").args(["-x", "/none"])).await.unwrap_err();
    let error = step.end::<()>(Err(error.into())).await.unwrap_err();
    assert!(matches!(error, DeployError::Ssh(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn steps_of_one_process_take_turns() {
    let host = Played::debian("ecs01");
    let (settings, note) = (redis_settings(), quiet());
    let (one, two) = tokio::join!(install(&host, b"one"), redis::install(&host, &settings, &note));
    one.unwrap();
    two.unwrap();
    assert!(!extra(&host).iter().any(|line| line.contains("/by ")), "nobody waits for themselves");
}

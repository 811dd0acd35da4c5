//! What is tried again, how often, and what is said when it never works: against a played API and a real local cloud.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use albatross::cloud::Product;
use albatross::cloud::call::Call;
use albatross::cloud::error::CloudError;
use albatross::cloud::retry::{retried, ruled};
use futures_util::future::join_all;
use serde_json::Value;

use crate::docs::called_actions;
use crate::https::{expect_no_change, write_secure};
use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::played::{Answer, PlayedApi, client_of};

/// Every answer that is retried, for every action: those of the table and those that hold for all.
fn all_retried() -> Vec<(Product, &'static str, u16, &'static str)> {
    let of_all = [
        (400, "Throttling.User"),
        (400, "Rejected.Throttling"),
        (503, "ServiceUnavailable"),
        (500, "InternalError"),
    ];
    let general =
        ruled().flat_map(|(product, action)| of_all.map(|(status, code)| (product, action, status, code)));
    let own = retried().map(|one| (one.product, one.action, 400, one.code));
    general.chain(own).collect()
}

#[test]
fn every_action_that_is_called_has_a_rule() {
    let ruled: BTreeSet<String> = ruled()
        .map(|(product, action)| format!("{}:{action}", format!("{product:?}").to_lowercase()))
        .collect();
    let without: Vec<String> = called_actions().difference(&ruled).cloned().collect();
    assert!(without.is_empty(), "say in src/cloud/retry/table.rs what is retried for {without:?}");
}

#[tokio::test]
async fn every_answer_that_passes_is_outlasted_for_its_action() {
    let cases = all_retried();
    assert!(cases.len() > 200, "only {} cases", cases.len());
    let codes: BTreeMap<String, (u16, &str)> =
        cases.iter().enumerate().map(|(index, case)| (format!("case-{index}-"), (case.2, case.3))).collect();
    let refused = Mutex::new(BTreeSet::new());
    let api = PlayedApi::begin(move |_, asked| {
        let case = codes.iter().find(|(case, _)| asked.parameters.contains(case.as_str())).expect("a case");
        let is_first = refused.lock().expect("no panic").insert(case.0.clone());
        if is_first { Answer::refusal(case.1.0, case.1.1) } else { Answer::success() }
    })
    .await;
    // A client each: a limit that one case's throttling sets is not what the others are about.
    let outcomes =
        join_all(
            cases.iter().enumerate().map(|(index, (product, action, _, code))| {
                let call = Call::new(*product, action).with("ClientToken", format!("case-{index}-"));
                let client = api.client();
                async move {
                    client.call::<Value>(&call).await.map_err(|error| format!("{action} {code}: {error}"))
                }
            }),
        )
        .await;
    let failed: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{failed:#?}");

    let asked = api.asked();
    assert_eq!(asked.len(), cases.len() * 2, "one refused, then one answered");
    let nonces: BTreeSet<&String> = asked.iter().map(|asked| &asked.nonce).collect();
    assert_eq!(nonces.len(), asked.len(), "a nonce was used twice");
    let mut by_call: BTreeMap<(&String, &String), usize> = BTreeMap::new();
    for asked in &asked {
        *by_call.entry((&asked.action, &asked.parameters)).or_default() += 1;
    }
    assert!(by_call.values().all(|times| *times == 2), "a call changed when it was sent again");
}

#[tokio::test]
async fn every_other_answer_is_final() {
    let api = PlayedApi::begin(|_, _| Answer::refusal(400, "DependencyViolation.VSwitch")).await;
    let error = api.client().call::<Value>(&Call::new(Product::Vpc, "CreateVpc")).await.expect_err("refused");
    assert_eq!(error.to_string(), "VPC CreateVpc: DependencyViolation.VSwitch: no");
    assert_eq!(api.asked().len(), 1);
    let api = PlayedApi::begin(|_, _| Answer::refusal(400, "InvalidParameter")).await;
    let client = api.client();
    let actions: BTreeSet<_> = retried().map(|case| (case.product, case.action)).collect();
    for (product, action) in &actions {
        client.call::<Value>(&Call::new(*product, action)).await.expect_err("refused");
    }
    assert_eq!(api.asked().len(), actions.len(), "an action was tried again");
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again() {
    let lost = |number, _: &_| if number < 3 { Answer::Lost } else { Answer::success() };
    let api = PlayedApi::begin(lost).await;
    let call = Call::new(Product::Ecs, "RunInstances").with("ClientToken", "token");
    api.client().call::<Value>(&call).await.expect("it is answered in the end");
    let asked = api.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|one| one.parameters == asked[0].parameters), "{asked:?}");
}

#[tokio::test]
async fn a_gateway_that_refuses_has_not_the_last_word_on_a_call_whose_answer_was_lost() {
    let call = Call::new(Product::Ecs, "RunInstances").with("ClientToken", "token");
    let refused_after = async |lost: usize, code: &'static str| {
        let answer =
            move |number, _: &_| if number <= lost { Answer::Lost } else { Answer::refusal(403, code) };
        let api = PlayedApi::begin(answer).await;
        api.client().call::<Value>(&call).await.expect_err("refused")
    };
    assert!(refused_after(0, "Forbidden.RAM").await.is_final_refusal(), "it was never done");
    assert!(refused_after(1, "OperationDenied.NoStock").await.is_final_refusal(), "the token's own answer");
    let open = refused_after(1, "Forbidden.RAM").await;
    assert!(!open.is_final_refusal(), "{open:?}");
    assert_eq!(open.code(), Some("Forbidden.RAM"));
}

#[tokio::test]
async fn a_deadline_says_how_often_and_how_long_it_was_tried_and_why_in_vain() {
    let api = PlayedApi::begin(|_, _| Answer::refusal(400, "DependencyViolation")).await;
    let call = Call::new(Product::Vpc, "DeleteVSwitch");
    let heard = Mutex::new(Vec::new());
    let notice = |waiting: &albatross::cloud::wait::Waiting<'_>| {
        heard.lock().expect("no panic").push(format!("{} {}", waiting.condition, waiting.state));
    };
    let began = Instant::now();
    let error =
        api.client().delete(&call, Duration::from_secs(2), &notice).await.expect_err("it never works");
    let tries = api.asked().len();
    assert!(tries > 2, "{tries} tries");
    assert!((2..4).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let expected = format!("VPC DeleteVSwitch: DependencyViolation: no (tried {tries} times in 2 s)");
    assert_eq!((error.to_string(), error.code()), (expected, Some("DependencyViolation")));
    assert_eq!(*heard.lock().expect("no panic"), ["removal DependencyViolation"]);
}

#[tokio::test]
async fn the_wait_that_is_asked_for_is_kept_but_not_past_the_deadline() {
    let busy = || Answer::refusal(429, "Throttling");
    let short = PlayedApi::begin(
        move |number, _| if number == 1 { busy().asking_to_wait(700) } else { Answer::success() },
    )
    .await;
    let began = Instant::now();
    short.client().call::<Value>(&Call::new(Product::Vpc, "DescribeVpcs")).await.expect("it passes");
    assert!(began.elapsed() >= Duration::from_millis(700), "{:?}", began.elapsed());

    let long = PlayedApi::begin(move |_, _| busy().asking_to_wait(3_600_000)).await;
    let (began, deadline) = (Instant::now(), Duration::from_secs(1));
    let call = Call::new(Product::Vpc, "DeleteVpc");
    let error = long.client().delete(&call, deadline, &|_| ()).await.expect_err("it never works");
    assert!((1..3).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(error.to_string(), "VPC DeleteVpc: Throttling: no (tried 2 times in 1 s)");
}

/// Twelve at once, eight calls each, of a cloud that allows ten a second.
async fn refusals(limited: bool) -> usize {
    let second = Mutex::new((Instant::now(), 0));
    let api = PlayedApi::begin(move |_, _| {
        let mut second = second.lock().expect("no panic");
        if second.0.elapsed() >= Duration::from_secs(1) {
            *second = (Instant::now(), 0);
        }
        second.1 += 1;
        if second.1 > 10 { Answer::refusal(400, "Throttling.User") } else { Answer::success() }
    })
    .await;
    let shared = api.client();
    join_all((0..12).map(|_| {
        // A client of one's own knows nothing of what the others were refused.
        let client = if limited { shared.clone() } else { api.client() };
        async move {
            for _ in 0..8 {
                client
                    .call::<Value>(&Call::new(Product::Ecs, "DescribeInstances"))
                    .await
                    .expect("it gets through");
            }
        }
    }))
    .await;
    api.asked().len() - 12 * 8
}

#[tokio::test]
async fn callers_who_share_a_limiter_are_refused_less_often() {
    let (alone, together) = tokio::join!(refusals(false), refusals(true));
    assert!(together * 2 < alone, "{together} refusals with one limiter, {alone} without");
}

#[tokio::test]
async fn no_error_shows_an_address_with_its_parameters() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let lost = PlayedApi::begin(|_, _| Answer::Lost).await;
    let garbled = PlayedApi::begin(|_, _| Answer::Reply(200, None, "<html>".to_owned())).await;
    let call = Call::new(Product::Ecs, "DeleteInstances").with("Password", "hunter2 and more");
    let short = Duration::from_millis(300);
    let errors: Vec<CloudError> = vec![
        client_of(&nobody).call::<Value>(&call).await.expect_err("nobody answers"),
        lost.client().delete(&call, short, &|_| ()).await.expect_err("nothing is answered"),
        garbled.client().delete(&call, short, &|_| ()).await.expect_err("it is not understood"),
    ];
    for error in errors {
        let chain = std::iter::successors(Some(&error as &dyn Error), |&outer| outer.source());
        let shown: Vec<String> = chain.map(|one| format!("{one} {one:?} {one:#?}")).collect();
        let shown = shown.join(" ");
        for secret in ["hunter2", "Password", "/?", "played-secret"] {
            assert!(!shown.contains(secret), "`{secret}` in {shown}");
        }
        assert!(shown.contains("127.0.0.1:") || shown.contains("not understood"), "no host in {shown}");
    }
}

/// The first answer that is retried of each action, another one each time that the action comes up.
#[test]
fn an_apply_and_a_destroy_outlast_a_refusal_of_every_action() {
    if lacks_redis("an_apply_and_a_destroy_outlast_a_refusal_of_every_action") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    write_secure(&env, &[]);
    let cloud = env.cloud();
    let mut codes: BTreeMap<String, &str> = BTreeMap::new();
    // Nothing is called of the one yet, and of the other nothing is retried beside what is for all.
    for one in retried().filter(|one| ![Product::RKvstore, Product::Cas].contains(&one.product)) {
        codes.entry(format!("{:?}.{}", one.product, one.action)).or_insert(one.code);
    }
    for (action, code) in &codes {
        cloud.refuse_first(action, 400, code);
    }
    env.local("apply").expect_code(0);
    expect_no_change(&env);
    env.expect_destroyed_to_nothing();

    let log = cloud.call_log();
    let refused: BTreeSet<String> = log
        .iter()
        .filter(|call| call["fault"] == "error")
        .map(|call| call["operation"].as_str().expect("text").to_owned())
        .collect();
    // Nothing of a fresh stack is started or changed.
    let unused = [
        "Ecs.ModifyDiskAttribute",
        "Ecs.ResizeDisk",
        "Alb.UpdateListenerAttribute",
        "Alb.UpdateRuleAttribute",
        "Alb.UpdateServerGroupAttribute",
        "Alidns.UpdateDomainRecord",
        "Ecs.StartInstances",
        "Alb.StartListener",
        "Alb.UpdateLoadBalancerAttribute",
        "Alb.UpdateServerGroupServersAttribute",
        "Alidns.SetDomainRecordStatus",
        "Vpc.ModifyVpcAttribute",
    ];
    let expected: BTreeSet<String> =
        codes.into_keys().filter(|action| !unused.contains(&action.as_str())).collect();
    assert_eq!(refused, expected);
}

//! How a cloud begins and ends.

use crate::support::Cloud;

#[tokio::test]
async fn it_ends_when_its_input_closes() {
    let mut cloud = Cloud::instant();
    drop(cloud.child().stdin.take());
    assert!(cloud.child().wait().unwrap().success());
}

#[tokio::test]
async fn it_ends_when_it_is_told_to() {
    let mut cloud = Cloud::instant();
    cloud.post_admin("/_mock/shutdown", "").await.good();
    assert!(cloud.child().wait().unwrap().success());
}

#[tokio::test]
async fn strangers_see_nothing() {
    let cloud = Cloud::instant();
    for path in ["status", "world", "calls", "console"] {
        let status = reqwest::get(format!("{}/_mock/{path}", cloud.endpoint())).await.unwrap().status();
        assert_eq!(status.as_u16(), 401, "{path}");
    }
    // The page itself is everybody's, since it knows nothing: what it shows it asks for, with the token in its address.
    let browser = reqwest::Client::new().get(cloud.ready["console"].as_str().unwrap());
    let answer = browser.header("accept", "text/html").send().await.unwrap();
    let page = answer.text().await.unwrap();
    assert!(page.contains("<title>Region</title>"), "{page}");
    assert!(!page.contains(cloud.ready["account"]["id"].as_str().unwrap()), "{page}");
}

#[tokio::test]
async fn the_call_log_holds_no_secrets() {
    let cloud = Cloud::start(&["--pace", "instant"]);
    let parameters = [("RegionId", "cn-hangzhou"), ("Password", "hunter2"), ("UserData", "aHVudGVyMg==")];
    cloud.call("Ecs.RunInstances", &parameters).await;
    let mut wrong = cloud.signer();
    wrong.secret = "wrong".to_owned();
    cloud.signed(&wrong, "Ecs.RunInstances", &parameters, &[]).await.unwrap();
    let log = cloud.log().await;
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(!log.contains("hunter2") && !log.contains("aHVudGVyMg"), "{log}");
}

/// A cloud on a machine where no image was built.
fn without_image(hosts: &str) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mock-cloud"));
    command
        .args(["serve", "--hosts", hosts, "--until-stdin-closes"])
        .env("MOCK_CLOUD_IMAGES", "/nonexistent");
    command.stdin(std::process::Stdio::null());
    command
}

#[test]
fn machine_hosts_without_an_image_are_refused_in_one_sentence() {
    let output = without_image("machine").output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("mock-cloud: --hosts machine: "), "{said}");
}

#[test]
fn without_an_image_hosts_are_processes_unless_told_otherwise() {
    let output = without_image("auto").output().unwrap();
    let ready: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(ready["hosts"], "process");
}

//! The files for continuous integrations: what `init` writes, and each of its steps, run as the services run them.
//!
//! What has to be outside is played: the archive is a file, packages are there already, the cloud is a local one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::parts::lacks_redis;
use crate::support::cloud::ServedCloud;
use crate::support::{Run, TestEnv, program};

/// Writes the file for a service and reads it as the service does.
fn written(env: &TestEnv, service: &str, path: &str) -> Value {
    env.run(&["init", "--ci", service, "chatroom.yaml"]).expect_code(0).expect_in_order(&[
        &format!("Wrote {path}: it proves chatroom.yaml"),
        "Next: set the variables that its first lines name, then commit it.",
    ]);
    let mode = fs::metadata(env.file(path)).expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    serde_yaml::from_str(&env.read(path)).expect("YAML")
}

/// An archive of the programs, small, since each is only a call of the one that was built; its address and digest.
fn archive(env: &TestEnv) -> (String, String) {
    let folder = env.file("archive");
    fs::create_dir(&folder).expect("a folder");
    for name in ["albatross", "chat-node", "mock-cloud"] {
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\nexec '{}' \"$@\"\n", program(name).display())).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("its mode set");
    }
    let path = env.file("albatross.tar.gz");
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&path).arg("-C").arg(&folder).args(["albatross", "chat-node", "mock-cloud"]);
    assert!(tar.status().expect("tar starts").success());
    let digest = hex::encode(Sha256::digest(fs::read(&path).expect("the archive")));
    (format!("file://{}", path.display()), digest)
}

/// A folder that is a repository with the topology in it, and a home like that of a service.
fn repository() -> TestEnv {
    let mut env = TestEnv::new();
    let configuration = env.file(".config").display().to_string();
    env.set("XDG_CONFIG_HOME", &configuration);
    env
}

/// What somebody set at the service.
fn settings(env: &TestEnv, cloud: &ServedCloud) -> BTreeMap<String, String> {
    let (address, digest) = archive(env);
    let mut key = Command::new("ssh-keygen");
    key.args(["-q", "-t", "ecdsa", "-N", "", "-f"]).arg(env.file("operator"));
    assert!(key.status().expect("ssh-keygen starts").success());
    [
        ("ALBATROSS_ARCHIVE", address),
        ("ALBATROSS_SHA256", digest),
        ("ALBATROSS_SSH_KEY", env.read("operator")),
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", cloud.access_key_id()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", cloud.access_key_secret()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Runs lines as the services do, with these variables beside those of the test.
fn shell(env: &TestEnv, lines: &str, variables: &BTreeMap<String, String>) -> Run {
    let usual = env.command(&[]);
    let mut bash = Command::new("bash");
    bash.args(["-e", "-o", "pipefail", "-c", lines]).current_dir(env.folder()).env_clear();
    bash.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?)))).envs(variables);
    Run::from(bash.output().expect("bash starts"))
}

/// Sets what `${{ vars.NAME }}` and `${{ secrets.NAME }}` stand for.
fn expanded(value: &str, settings: &BTreeMap<String, String>) -> String {
    let pattern = regex::Regex::new(r"\$\{\{ (?:vars|secrets)\.(\w+) \}\}").expect("a pattern");
    let known =
        |found: &regex::Captures<'_>| settings.get(&found[1]).expect("a setting that is named").clone();
    pattern.replace_all(value, known).into_owned()
}

fn texts(map: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    map.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// One run of a job of the workflow.
struct Job<'a> {
    env: &'a TestEnv,
    workflow: &'a Value,
    settings: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

impl<'a> Job<'a> {
    fn new(env: &'a TestEnv, workflow: &'a Value, settings: &BTreeMap<String, String>) -> Self {
        let mut variables = texts(&workflow["env"]);
        for (name, file) in
            [("GITHUB_PATH", "github-path"), ("GITHUB_STEP_SUMMARY", "summary.md"), ("RUNNER_TEMP", "runner")]
        {
            variables.insert(name.to_owned(), env.file(file).display().to_string());
        }
        Self { env, workflow, settings: settings.clone(), variables }
    }

    /// Every step of a job that is a script, but those that install packages.
    fn run(&mut self, job: &str) -> Vec<(String, Run)> {
        let workflow = self.workflow;
        let steps = workflow["jobs"][job]["steps"].as_array().expect("steps");
        let scripts = steps.iter().filter_map(|step| Some((step, step["run"].as_str()?)));
        let mut runs = Vec::new();
        for (step, script) in scripts.filter(|(_, script)| !script.contains("apt-get")) {
            let own = texts(&step["env"]);
            let own = own.iter().map(|(name, value)| (name.clone(), expanded(value, &self.settings)));
            let mut variables = self.variables.clone();
            variables.extend(own);
            let run = shell(self.env, script, &variables);
            let has_ended_well = run.code == Some(0);
            runs.push((step["name"].as_str().expect("a name").to_owned(), run));
            if !has_ended_well {
                break;
            }
            self.take_in_path();
        }
        runs
    }

    /// What a step added to the search path is there for the next.
    fn take_in_path(&mut self) {
        let added = fs::read_to_string(self.env.file("github-path")).unwrap_or_default();
        let path = std::env::var("PATH").expect("a search path");
        let path = added.lines().map(str::to_owned).chain([path]).collect::<Vec<_>>().join(":");
        self.variables.insert("PATH".to_owned(), path);
    }
}

#[track_caller]
fn expect_all_well(runs: Vec<(String, Run)>, names: &[&str]) -> Vec<Run> {
    assert_eq!(runs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    runs.into_iter().map(|(_, run)| run.expect_code(0)).collect()
}

#[test]
fn the_workflow_of_github_proves_and_plans() {
    if lacks_redis("the_workflow_of_github_proves_and_plans") {
        return;
    }
    let cloud = ServedCloud::start(&[]);
    let mut env = repository();
    let workflow = written(&env, "github", ".github/workflows/albatross.yml");
    let settings = settings(&env, &cloud);
    // The real smoke takes minutes, and has a test of its own.
    let quick = workflow.to_string().replace("albatross smoke ", "albatross smoke --quick ");
    let quick: Value = serde_json::from_str(&quick).expect("JSON");
    let runs = Job::new(&env, &quick, &settings).run("smoke");
    expect_all_well(runs, &["Install Albatross", "Validate", "Smoke"]);
    assert!(env.read("smoke.xml").contains("<testcase name=\"redis.path\""));
    assert!(env.read("smoke.html").contains("http://example.com:5000/ works"));
    let kept = &workflow["jobs"]["smoke"]["steps"][5]["with"]["path"];
    assert_eq!(kept, "smoke.xml\nsmoke.html\n");
    assert!(env.read("summary.md").contains("## The chatroom is proven to work"));

    env.set("ALBATROSS_ENDPOINT", &cloud.endpoint());
    let runs = Job::new(&env, &workflow, &settings).run("plan");
    let planned = expect_all_well(runs, &["Install Albatross", "Plan"]);
    assert!(planned[1].stdout.contains("Plan: 25 to create."), "{planned:?}");
    assert!(env.read("summary.md").contains("## Plan\n\n    Stack chatroom in cn-hangzhou\n"));
    let key = fs::metadata(env.file(".config/albatross/id_ecdsa")).expect("the operator's key");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_archive_that_is_not_the_one_meant_is_not_run() {
    let cloud = ServedCloud::start(&[]);
    let env = TestEnv::new();
    let workflow = written(&env, "github", ".github/workflows/albatross.yml");
    let mut settings = settings(&env, &cloud);
    settings.insert("ALBATROSS_SHA256".to_owned(), "0".repeat(64));
    let runs = Job::new(&env, &workflow, &settings).run("smoke");
    let [(name, run)] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!((name.as_str(), run.code), ("Install Albatross", Some(1)), "{run:?}");
    assert!(!env.file("runner/albatross/albatross").exists(), "it was unpacked");
}

#[test]
fn the_pipeline_of_gitlab_proves_and_plans() {
    if lacks_redis("the_pipeline_of_gitlab_proves_and_plans") {
        return;
    }
    let cloud = ServedCloud::start(&[]);
    let mut env = repository();
    let pipeline = written(&env, "gitlab", ".gitlab-ci.yml");
    let mut variables = settings(&env, &cloud);
    variables.extend(texts(&pipeline["variables"]));
    variables.insert("CI_PROJECT_DIR".to_owned(), env.folder().display().to_string());
    // A variable of type File is the path of one.
    variables.insert("ALBATROSS_SSH_KEY".to_owned(), env.file("operator").display().to_string());
    let lines = |job: &str| {
        assert_eq!(pipeline[job]["extends"], ".albatross");
        let before = pipeline[".albatross"]["before_script"].as_array().expect("lines").iter();
        let all = before.chain(pipeline[job]["script"].as_array().expect("lines"));
        let lines: Vec<&str> = all.map(|line| line.as_str().expect("a line")).collect();
        let outside = |line: &&&str| !line.starts_with("apt-get ");
        lines.iter().filter(outside).copied().collect::<Vec<_>>().join("\n")
    };
    let quick = lines("smoke").replace("albatross smoke ", "albatross smoke --quick ");
    shell(&env, &quick, &variables).expect_code(0).expect_in_order(&["0 resources left"]);
    assert_eq!(pipeline["smoke"]["artifacts"]["reports"]["junit"], "smoke.xml");
    assert!(env.read("smoke.xml").contains("<testcase name=\"redis.path\""));
    env.set("ALBATROSS_ENDPOINT", &cloud.endpoint());
    shell(&env, &lines("plan"), &variables).expect_code(0).expect_in_order(&["Plan: 25 to create."]);
    assert_eq!(pipeline["plan"]["artifacts"]["paths"][0], "plan.txt");
    assert!(env.read("plan.txt").contains("Plan: 25 to create."));
}

#[test]
fn a_file_that_is_there_is_left_alone_unless_forced() {
    let env = TestEnv::new();
    env.write(".gitlab-ci.yml", "ours: {}\n");
    env.run(&["init", "--ci", "gitlab", "chatroom.yaml"]).expect_code(1).expect_in_order(&[
        "error: `.gitlab-ci.yml` is there already, and was left as it is",
        "help: add --force to replace it",
    ]);
    assert_eq!(env.read(".gitlab-ci.yml"), "ours: {}\n");
    env.run(&["init", "--ci", "gitlab", "--force", "chatroom.yaml"]).expect_code(0);
    assert!(env.read(".gitlab-ci.yml").contains("albatross smoke"));
}

#[test]
fn a_topology_that_is_none_is_refused_before_anything_is_written() {
    let env = TestEnv::new();
    env.write("bad.yaml", "stack: chatroom\n");
    env.run(&["init", "--ci", "github", "bad.yaml"]).expect_code(65);
    env.run(&["init", "--ci", "github", "none.yaml"]).expect_code(64);
    env.run(&["init", "--ci", "github", "../chatroom.yaml"])
        .expect_code(64)
        .expect_in_order(&["is no path inside of this folder"]);
    assert!(!env.file(".github").exists());
}

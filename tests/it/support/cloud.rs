//! A running local cloud, asked and told things beside its API.

use std::io::{BufRead, BufReader};
use std::ops::{Deref, RangeInclusive};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use albatross::base::ids::RegionId;
use albatross::base::secret::Secret;
use albatross::cloud::credentials::{Credentials, Keys};
use albatross::cloud::endpoint::Endpoint;
use albatross::cloud::transport::Client;
use serde_json::{Value, json};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Looks until it sees something.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn key_of(row: &Value) -> String {
    row["key"].as_str().expect("a key").to_owned()
}

/// Runs something asynchronous to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// What is known of a cloud from its ready line.
pub(crate) struct LocalCloud {
    ready: Value,
}

impl LocalCloud {
    /// From the text of its ready line, which `cloud.json` holds too.
    pub(crate) fn of(ready: &str) -> Self {
        Self { ready: serde_json::from_str(ready).expect("the cloud describes itself") }
    }

    fn text(&self, pointer: &str) -> String {
        self.ready
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no {pointer}"))
            .to_owned()
    }

    pub(crate) fn endpoint(&self) -> String {
        self.text("/endpoint")
    }

    pub(crate) fn dns(&self) -> String {
        self.text("/dns")
    }

    pub(crate) fn account_id(&self) -> String {
        self.text("/account/id")
    }

    pub(crate) fn admin_token(&self) -> String {
        self.text("/admin_token")
    }

    pub(crate) fn access_key_id(&self) -> String {
        self.text("/account/access_key_id")
    }

    pub(crate) fn access_key_secret(&self) -> String {
        self.text("/account/access_key_secret")
    }

    /// The library's own client of this cloud.
    pub(crate) fn client(&self, region: &str) -> Client {
        let keys = Keys::new(self.access_key_id(), Secret::new(self.access_key_secret()), None);
        let credentials = Credentials::fixed(keys, "test");
        let endpoint = Endpoint::parse_override(&self.endpoint()).expect("an address on the loopback");
        Client::new(credentials, endpoint, RegionId::new(region))
    }

    pub(crate) fn status(&self) -> Value {
        self.administer(reqwest::Method::GET, "status", None)
    }

    pub(crate) fn world(&self) -> Value {
        self.administer(reqwest::Method::GET, "world", None)
    }

    /// What the page of the region shows.
    pub(crate) fn region(&self) -> Value {
        self.administer(reqwest::Method::GET, "region", None)
    }

    /// What is wrong on purpose.
    pub(crate) fn faults(&self) -> Value {
        self.administer(reqwest::Method::GET, "faults", None)
    }

    /// How often each action was called.
    pub(crate) fn calls(&self) -> Value {
        self.status()["calls"].clone()
    }

    pub(crate) fn resources(&self) -> u64 {
        self.status()["resources"].as_u64().expect("a number")
    }

    /// Moves the clock of the cloud on.
    pub(crate) fn pass_time(&self, seconds: u64) {
        self.administer(reqwest::Method::POST, "clock", Some(json!({"advance_seconds": seconds})));
    }

    /// The first call of each action from now on goes wrong in this way.
    pub(crate) fn fail_first(&self, actions: &[&str], fault: &str) {
        self.break_calls(actions.iter().map(|action| (*action, 1)), &json!({fault: {}}));
    }

    /// These calls of an action, counted from now on, go wrong in this way.
    pub(crate) fn fail_calls(&self, action: &str, occurrences: RangeInclusive<u64>, fault: &str) {
        self.break_calls(occurrences.map(|occurrence| (action, occurrence)), &json!({fault: {}}));
    }

    /// The first call of an action from now on is refused with this status and code.
    pub(crate) fn refuse_first(&self, action: &str, status: u16, code: &str) {
        self.refuse(action, 1, status, code);
    }

    /// This call of an action, counted from now on, is refused with this status and code.
    pub(crate) fn refuse(&self, action: &str, occurrence: u64, status: u16, code: &str) {
        let fault = json!({"error": {"status": status, "code": code}});
        self.break_calls([(action, occurrence)].into_iter(), &fault);
    }

    /// `(key, occurrence)` of all that changed something since counting began, in order.
    pub(crate) fn effects(&self) -> Vec<(String, u64)> {
        self.effect_rows().iter().map(|row| (key_of(row), row["occurrence"].as_u64().unwrap_or(0))).collect()
    }

    fn effect_rows(&self) -> Vec<Value> {
        let lines = self.administer_text(reqwest::Method::GET, "effects", None);
        lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// The files that were written on hosts, with the bytes of each.
    pub(crate) fn uploads(&self) -> Vec<(String, u64)> {
        let rows = self.effect_rows();
        let uploads = rows.iter().filter(|row| row["kind"] == "upload");
        uploads.map(|row| (key_of(row), row["bytes"].as_u64().unwrap_or(0))).collect()
    }

    /// Counts effects anew; gates are taken back.
    pub(crate) fn count_effects_anew(&self) {
        self.administer(reqwest::Method::DELETE, "effects", None);
    }

    /// Sets a gate before an effect and gives its number.
    pub(crate) fn gate_before(&self, key: &str, occurrence: u64) -> u64 {
        let place = json!({"key": key, "occurrence": occurrence, "moment": "before"});
        self.administer(reqwest::Method::POST, "gates", Some(place))["gate"].as_u64().expect("a number")
    }

    /// How far a gate is, once something is held there or what was held is over.
    pub(crate) fn gate_state(&self, gate: u64) -> String {
        let path = format!("gates/{gate}?wait={}", PATIENCE.as_secs());
        self.administer(reqwest::Method::GET, &path, None)["state"].as_str().expect("a word").to_owned()
    }

    /// Lets go on what is held at a gate.
    pub(crate) fn open_gate(&self, gate: u64) {
        self.administer(reqwest::Method::POST, &format!("gates/{gate}"), Some(json!({"then": "go"})));
    }

    /// From now on these instance types are sold out in these zones, and no others.
    pub(crate) fn sell_out(&self, rows: &[Value]) {
        self.administer(reqwest::Method::POST, "stock", Some(json!(rows)));
    }

    /// The next call of each action is done, and its answer comes after everybody has lost patience.
    pub(crate) fn withhold_answers(&self, actions: &[&str]) {
        let fault = json!({"slow_reply": {"milliseconds": 600_000}});
        self.break_calls(actions.iter().map(|action| (*action, 1)), &fault);
    }

    /// A host is broken in this way until another one, or `none`, is asked for.
    pub(crate) fn break_host(&self, host: &str, fault: &str) {
        self.ask_for_faults(&[json!({"host": host, "fault": {fault: {}}})]);
    }

    pub(crate) fn break_calls<'a>(&self, calls: impl Iterator<Item = (&'a str, u64)>, fault: &Value) {
        let one = |(action, occurrence)| json!({"action": action, "occurrence": occurrence, "fault": fault});
        self.ask_for_faults(&calls.map(one).collect::<Vec<Value>>());
    }

    fn ask_for_faults(&self, faults: &[Value]) {
        let answer = self.administer(reqwest::Method::POST, "faults", Some(json!(faults)));
        assert_eq!(answer["faults"], faults.len(), "{answer}");
    }

    /// An instance as the cloud itself sees it.
    pub(crate) fn instance(&self, name: &str) -> Value {
        let world = self.world();
        let instances = world["instances"].as_object().expect("by id");
        instances.values().find(|one| one["name"] == name).expect("the instance is there").clone()
    }

    /// What an ALB made by itself goes a little later than the ALB.
    pub(crate) fn wait_until_empty(&self) {
        wait_for("nothing is left in the cloud", || (self.resources() == 0).then_some(()));
    }

    /// Process id of the main process of a unit on a host.
    pub(crate) fn process(&self, host: &str, unit: &str) -> u32 {
        let status = self.status();
        let hosts = status["hosts"].as_array().expect("a list");
        let host = hosts.iter().find(|one| one["name"] == host).expect("the host is there");
        let processes = host["processes"].as_array().expect("a list");
        let process = processes.iter().find(|one| one["unit"] == unit).expect("the unit is there");
        u32::try_from(process["pid"].as_u64().expect("it runs")).expect("a process id")
    }

    /// Every call so far.
    pub(crate) fn call_log(&self) -> Vec<Value> {
        let log = self.administer_text(reqwest::Method::GET, "calls", None);
        log.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    fn administer(&self, method: reqwest::Method, what: &str, body: Option<Value>) -> Value {
        let text = self.administer_text(method, what, body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    fn administer_text(&self, method: reqwest::Method, what: &str, body: Option<Value>) -> String {
        let url = format!("{}/_mock/{what}", self.endpoint());
        let token = self.text("/admin_token");
        block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            let mut request = client.request(method, url).header("x-mock-token", token);
            if let Some(body) = body {
                request = request.body(body.to_string());
            }
            let answer = request.send().await.expect("the cloud answers");
            answer.text().await.expect("the whole answer")
        })
    }
}

/// A cloud of the test's own, without machines, that ends with it.
pub(crate) struct ServedCloud {
    child: Child,
    cloud: LocalCloud,
}

impl ServedCloud {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let pace: &[&str] = if arguments.contains(&"--pace") { &[] } else { &["--pace", "instant"] };
        let mut child = Command::new(super::program("mock-cloud"))
            .args(["serve", "--strict", "--hosts", "none", "--until-stdin-closes"])
            .args(pace)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the cloud starts");
        let mut ready = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut ready).expect("a ready line");
        Self { child, cloud: LocalCloud::of(&ready) }
    }
}

impl Deref for ServedCloud {
    type Target = LocalCloud;

    fn deref(&self) -> &LocalCloud {
        &self.cloud
    }
}

impl Drop for ServedCloud {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends by itself now.
        let _ = self.child.wait();
    }
}

/// Status and body of a page.
pub(crate) fn get(url: &str, host: &str) -> (u16, String) {
    block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(url).header("host", host).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    })
}

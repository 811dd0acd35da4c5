//! A running local cloud, asked and told things beside its API.

use std::time::{Duration, Instant};

use albatross::base::ids::RegionId;
use albatross::base::secret::Secret;
use albatross::cloud::credentials::Credentials;
use albatross::cloud::endpoint::Endpoint;
use albatross::cloud::transport::Client;
use serde_json::{Value, json};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

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

    pub(crate) fn access_key_id(&self) -> String {
        self.text("/account/access_key_id")
    }

    pub(crate) fn access_key_secret(&self) -> String {
        self.text("/account/access_key_secret")
    }

    /// The library's own client of this cloud.
    pub(crate) fn client(&self, region: &str) -> Client {
        let credentials = Credentials {
            access_key_id: self.access_key_id(),
            access_key_secret: Secret::new(self.access_key_secret()),
            security_token: None,
            source: "test".to_owned(),
        };
        let endpoint = Endpoint::parse_override(&self.endpoint()).expect("an address on the loopback");
        Client::new(credentials, endpoint, RegionId::new(region))
    }

    pub(crate) fn status(&self) -> Value {
        self.administer(reqwest::Method::GET, "status", None)
    }

    pub(crate) fn world(&self) -> Value {
        self.administer(reqwest::Method::GET, "world", None)
    }

    /// How often each action was called.
    pub(crate) fn calls(&self) -> Value {
        self.status()["calls"].clone()
    }

    pub(crate) fn resources(&self) -> u64 {
        self.status()["resources"].as_u64().expect("a number")
    }

    /// The first call of each action from now on goes wrong in this way.
    pub(crate) fn fail_first(&self, actions: &[&str], fault: &str) {
        let plans: Vec<Value> = actions
            .iter()
            .map(|action| json!({"action": action, "occurrence": 1, "fault": {fault: {}}}))
            .collect();
        let answer = self.administer(reqwest::Method::POST, "faults", Some(json!(plans)));
        assert_eq!(answer["faults"], actions.len(), "{answer}");
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

    fn administer(&self, method: reqwest::Method, what: &str, body: Option<Value>) -> Value {
        let url = format!("{}/_mock/{what}", self.endpoint());
        let token = self.text("/admin_token");
        block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            let mut request = client.request(method, url).header("x-mock-token", token);
            if let Some(body) = body {
                request = request.body(body.to_string());
            }
            let answer = request.send().await.expect("the cloud answers");
            let text = answer.text().await.expect("the whole answer");
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
        })
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

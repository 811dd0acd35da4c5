//! The server behind an instance follows the API: accounts, passwords, the allow list, class, settings, restart and end.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, RedisError, cmd};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::redis::{PASSWORD, Place, REGION, create, text};
use crate::support::Cloud;

const OTHER_PASSWORD: &str = "Other-Horse-8";

/// Whether there is a server to start. Under CI it must be.
fn lacks_server(test: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join("redis-server").is_file()) {
        return false;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} needs redis-server");
    std::io::stderr().write_all(format!("skipped: {test}: no redis-server\n").as_bytes()).unwrap();
    true
}

/// An instance, and a host beside it.
struct Ground {
    cloud: Cloud,
    id: String,
}

impl Ground {
    async fn make() -> Self {
        let cloud = Cloud::start_with("process", &["--pace", "instant", "--strict"]);
        let place = Place::make(&cloud).await;
        let group = cloud.call("Ecs.CreateSecurityGroup", &[REGION, ("VpcId", &place.vpc)]).await.good();
        let group = text(&group, "SecurityGroupId");
        let run = [
            REGION,
            ("ImageFamily", "acs:debian_12_11_x64"),
            ("InstanceType", "ecs.e-c1m1.large"),
            ("VSwitchId", place.switch.as_str()),
            ("SecurityGroupId", &group),
        ];
        cloud.call("Ecs.RunInstances", &run).await.good();
        let running = |body: &Value| body["Instances"]["Instance"][0]["Status"] == "Running";
        cloud.wait("Ecs.DescribeInstances", &[REGION], running).await;
        let id = text(&create(&cloud, &place, &[("Password", PASSWORD)]).await, "InstanceId");
        let ground = Self { cloud, id };
        ground.normal().await;
        ground
    }

    /// Waits until the instance is as it was told to be.
    async fn normal(&self) {
        let is_normal =
            |body: &Value| body["Instances"]["DBInstanceAttribute"][0]["InstanceStatus"] == "Normal";
        self.cloud.wait("R-kvstore.DescribeInstanceAttribute", &[("InstanceId", &self.id)], is_normal).await;
    }

    async fn change(&self, action: &str, more: &[(&str, &str)]) {
        let parameters = [&[("InstanceId", self.id.as_str())], more].concat();
        self.cloud.call(&format!("R-kvstore.{action}"), &parameters).await.good();
        self.normal().await;
    }

    /// Where the host finds it. Addresses are given in order: that of the instance itself, then the way of the host.
    fn way(&self) -> SocketAddr {
        let dns: SocketAddr = self.cloud.ready["dns"].as_str().unwrap().parse().unwrap();
        let IpAddr::V4(dns) = dns.ip() else { unreachable!() };
        SocketAddr::from((Ipv4Addr::new(127, dns.octets()[1], 201, 2), 6379))
    }

    /// What the first word of the host is answered with, before anybody logs in.
    async fn answer(&self) -> String {
        let mut stream = TcpStream::connect(self.way()).await.unwrap();
        stream.write_all(b"PING\r\n").await.unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.unwrap();
        line
    }

    /// Logs in from the host.
    async fn login(&self, user: &str, password: &str) -> Result<MultiplexedConnection, RedisError> {
        let way = self.way();
        let client = Client::open(format!("redis://{user}:{password}@{way}/")).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await?;
        cmd("PING").query_async::<String>(&mut connection).await?;
        Ok(connection)
    }
}

#[tokio::test]
async fn it_follows_the_api_from_its_making_to_its_end() {
    if lacks_server("it_follows_the_api_from_its_making_to_its_end") {
        return;
    }
    let ground = Ground::make().await;
    let answer = ground.answer().await;
    assert!(answer.starts_with("-ERR illegal address: 10.0.0."), "nobody is let in at first: {answer}");
    assert!(ground.login(&ground.id, PASSWORD).await.is_err());
    ground.change("ModifySecurityIps", &[("SecurityIps", "10.0.0.0/24")]).await;
    let mut owner = ground.login(&ground.id, PASSWORD).await.unwrap();
    let _: () = cmd("SET").arg("key").arg("value").query_async(&mut owner).await.unwrap();

    let account = [("AccountName", "chat"), ("AccountPassword", PASSWORD)];
    ground.change("CreateAccount", &account).await;
    let own = [("InstanceId", ground.id.as_str()), ("AccountName", "chat")];
    let is_available = |body: &Value| body["Accounts"]["Account"][0]["AccountStatus"] == "Available";
    ground.cloud.wait("R-kvstore.DescribeAccounts", &own, is_available).await;
    ground.login("chat", PASSWORD).await.unwrap();
    ground
        .change("ResetAccountPassword", &[("AccountName", "chat"), ("AccountPassword", OTHER_PASSWORD)])
        .await;
    assert!(ground.login("chat", PASSWORD).await.is_err(), "the old password is of no use");
    ground.login("chat", OTHER_PASSWORD).await.unwrap();
    ground.change("ModifyInstanceAttribute", &[("NewPassword", OTHER_PASSWORD)]).await;
    assert!(ground.login(&ground.id, PASSWORD).await.is_err());
    ground.login("", OTHER_PASSWORD).await.unwrap();

    let number = async |name: &str| -> i64 {
        let mut own = ground.login("chat", OTHER_PASSWORD).await.unwrap();
        let told: String = cmd("INFO").query_async(&mut own).await.unwrap();
        let value = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        value.trim().parse().unwrap()
    };
    assert_eq!(number("maxmemory").await, 1024 << 20);
    ground.change("ModifyInstanceSpec", &[("InstanceClass", "redis.master.mid.default")]).await;
    assert_eq!(number("maxmemory").await, 2048 << 20);
    ground.change("ModifyInstanceConfig", &[("Config", r#"{"maxmemory-policy":"noeviction"}"#)]).await;
    let mut own = ground.login("chat", OTHER_PASSWORD).await.unwrap();
    let policy: Vec<String> =
        cmd("CONFIG").arg("GET").arg("maxmemory-policy").query_async(&mut own).await.unwrap();
    assert_eq!(policy, ["maxmemory-policy", "noeviction"]);

    let before = number("process_id").await;
    ground.change("RestartInstance", &[]).await;
    assert_ne!(number("process_id").await, before);
    let mut own = ground.login("chat", OTHER_PASSWORD).await.unwrap();
    assert_eq!(cmd("GET").arg("key").query_async::<String>(&mut own).await.unwrap(), "value");

    ground.cloud.call("R-kvstore.DeleteInstance", &[("InstanceId", &ground.id)]).await.good();
    let gone = |body: &Value| body["Instances"]["KVStoreInstance"].as_array().is_some_and(Vec::is_empty);
    ground.cloud.wait("R-kvstore.DescribeInstances", &[REGION], gone).await;
    assert!(ground.login("chat", OTHER_PASSWORD).await.is_err(), "nothing is left of it");
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    let id = text(&create(&cloud, &place, &[]).await, "InstanceId");
    let own = ("InstanceId", id.as_str());
    for (class, code) in
        [("redis.master.none.default", "InvalidInstancelevel"), ("tair.rdb.2g", "InvalidInstancelevel")]
    {
        cloud.call("R-kvstore.ModifyInstanceSpec", &[own, ("InstanceClass", class)]).await.refused(400, code);
    }
    for config in ["no", r#"{"maxmemory-policy":"never"}"#, r#"{"appendonly":"perhaps"}"#] {
        let config = [own, ("Config", config)];
        cloud.call("R-kvstore.ModifyInstanceConfig", &config).await.refused(400, "IllegalParamError");
    }
    let other = [own, ("Config", r#"{"timeout":"20"}"#)];
    cloud.call("R-kvstore.ModifyInstanceConfig", &other).await.refused(501, "Mock.NotEmulated");
    let shards = [own, ("InstanceClass", "redis.master.mid.default"), ("ShardCount", "2")];
    cloud.call("R-kvstore.ModifyInstanceSpec", &shards).await.refused(501, "Mock.NotEmulated");
    let none = [("InstanceId", "r-none")];
    cloud.call("R-kvstore.RestartInstance", &none).await.refused(404, "InvalidInstanceId.NotFound");
}

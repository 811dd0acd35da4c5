//! Redis instances without a server: calls at chosen moments.

use mock_cloud::plane::HostKind;
use mock_cloud::world::World;
use mock_cloud::world::pace::Pace;
use serde_json::Value;

use crate::model::{REGION, call, text, world};

const PASSWORD: &str = "Sword_fish1";

struct Setup {
    world: World,
    id: String,
}

fn at_real_pace() -> Setup {
    let mut world = world(Pace::Real, HostKind::None);
    let vpc =
        text(&call(&mut world, "Vpc.CreateVpc", &[REGION, ("CidrBlock", "10.0.0.0/8")]).unwrap()["VpcId"]);
    world.advance(world.now + 60_000);
    let new = [REGION, ("VpcId", &vpc), ("ZoneId", "cn-hangzhou-j"), ("CidrBlock", "10.0.0.0/29")];
    let switch = text(&call(&mut world, "Vpc.CreateVSwitch", &new).unwrap()["VSwitchId"]);
    world.advance(world.now + 60_000);
    let new = [
        REGION,
        ("InstanceClass", "redis.master.small.default"),
        ("VpcId", vpc.as_str()),
        ("VSwitchId", switch.as_str()),
        ("Password", PASSWORD),
    ];
    let id = text(&call(&mut world, "R-kvstore.CreateInstance", &new).unwrap()["InstanceId"]);
    Setup { world, id }
}

impl Setup {
    fn wait(&mut self, seconds: i64) {
        self.world.advance(self.world.now + seconds * 1000);
    }

    fn refusal(&mut self, name: &str, parameters: &[(&str, &str)]) -> (u16, String) {
        let error = call(&mut self.world, name, parameters).unwrap_err();
        (error.status, error.code)
    }

    fn attribute(&mut self, name: &str) -> Value {
        let own = [("InstanceId", self.id.as_str())];
        let reply = call(&mut self.world, "R-kvstore.DescribeInstanceAttribute", &own).unwrap();
        reply["Instances"]["DBInstanceAttribute"][0][name].clone()
    }

    fn listed(&mut self) -> u64 {
        let reply = call(&mut self.world, "R-kvstore.DescribeInstances", &[REGION]).unwrap();
        reply["TotalCount"].as_u64().unwrap()
    }

    fn account_status(&mut self, name: &str) -> String {
        let own = [("InstanceId", self.id.as_str()), ("AccountName", name)];
        let reply = call(&mut self.world, "R-kvstore.DescribeAccounts", &own).unwrap();
        text(&reply["Accounts"]["Account"][0]["AccountStatus"])
    }

    fn accepts(&self, credentials: &str) -> bool {
        self.world.redis_instances[&self.id].accepts(credentials)
    }
}

#[test]
fn an_instance_takes_four_minutes_and_can_do_nothing_before() {
    let mut own = at_real_pace();
    let id = own.id.clone();
    assert_eq!(own.attribute("InstanceStatus"), "Creating", "reads by id do not lag");
    assert_eq!(own.attribute("IsOrderCompleted"), false);
    assert_eq!(own.listed(), 0, "lists do");
    own.wait(200);
    assert_eq!((own.attribute("InstanceStatus"), own.listed()), ("Creating".into(), 1));
    let account = [("InstanceId", id.as_str()), ("AccountName", "chat"), ("AccountPassword", PASSWORD)];
    let incorrect = (403, "IncorrectDBInstanceState".to_owned());
    assert_eq!(own.refusal("R-kvstore.CreateAccount", &account), incorrect);
    assert_eq!(own.refusal("R-kvstore.DeleteInstance", &account[..1]), incorrect);
    let ips = [("InstanceId", id.as_str()), ("SecurityIps", "10.0.0.0/24")];
    assert_eq!(own.refusal("R-kvstore.ModifySecurityIps", &ips), incorrect);
    own.wait(40);
    assert_eq!(own.attribute("InstanceStatus"), "Normal");
    assert_eq!(own.attribute("IsOrderCompleted"), true);
    call(&mut own.world, "R-kvstore.CreateAccount", &account).unwrap();
    assert_eq!(own.account_status("chat"), "Unavailable");
    assert!(!own.accepts(&format!("chat:{PASSWORD}")));
    own.wait(10);
    assert_eq!(own.account_status("chat"), "Available");
    assert!(own.accepts(&format!("chat:{PASSWORD}")));
}

#[test]
fn a_change_passes_through_changing_and_refuses_another_one() {
    let mut own = at_real_pace();
    own.wait(240);
    let id = own.id.clone();
    let instance = ("InstanceId", id.as_str());
    call(&mut own.world, "R-kvstore.ModifySecurityIps", &[instance, ("SecurityIps", "10.0.0.0/24")]).unwrap();
    assert_eq!(own.attribute("InstanceStatus"), "Changing");
    let busy = |code: &str| (400, code.to_owned());
    let ips = [instance, ("SecurityIps", "10.0.1.0/24")];
    assert_eq!(own.refusal("R-kvstore.ModifySecurityIps", &ips), busy("LockTimeout"));
    let name = [instance, ("InstanceName", "other")];
    assert_eq!(own.refusal("R-kvstore.ModifyInstanceAttribute", &name), busy("TaskExists"));
    assert_eq!(own.refusal("R-kvstore.DeleteInstance", &[instance]).1, "IncorrectDBInstanceState");
    own.wait(10);
    assert_eq!(own.attribute("InstanceStatus"), "Normal");
    assert_eq!(own.attribute("SecurityIPList"), "10.0.0.0/24", "the refused change left nothing");
    call(&mut own.world, "R-kvstore.ModifyInstanceAttribute", &name).unwrap();
    assert_eq!(own.attribute("InstanceStatus"), "Normal", "a name is no work");
}

#[test]
fn passwords_change_what_logs_in() {
    let mut own = at_real_pace();
    own.wait(240);
    let id = own.id.clone();
    assert!(own.accepts(PASSWORD) && own.accepts(&format!("{id}:{PASSWORD}")));
    assert!(!own.accepts("") && !own.accepts("chat:") && !own.accepts("other"));
    let new = [("InstanceId", id.as_str()), ("NewPassword", "Other_fish2")];
    call(&mut own.world, "R-kvstore.ModifyInstanceAttribute", &new).unwrap();
    assert!(own.accepts("Other_fish2") && !own.accepts(PASSWORD));
    assert_eq!(own.attribute("InstanceStatus"), "Changing");
    own.wait(10);
    let account = [("InstanceId", id.as_str()), ("AccountName", "chat"), ("AccountPassword", PASSWORD)];
    call(&mut own.world, "R-kvstore.CreateAccount", &account).unwrap();
    own.wait(10);
    let reset = [account[0], account[1], ("AccountPassword", "Third_fish3")];
    call(&mut own.world, "R-kvstore.ResetAccountPassword", &reset).unwrap();
    assert!(own.accepts("chat:Third_fish3") && !own.accepts(&format!("chat:{PASSWORD}")));
    own.wait(10);
    let reset = [account[0], ("AccountName", id.as_str()), ("AccountPassword", "Fourth_fish4")];
    call(&mut own.world, "R-kvstore.ResetAccountPassword", &reset).unwrap();
    assert!(own.accepts("Fourth_fish4"), "the default account is named like the instance");
}

#[test]
fn a_deleted_instance_blocks_its_vswitch_until_it_is_gone() {
    let mut own = at_real_pace();
    own.wait(240);
    let id = own.id.clone();
    let switch = text(&own.attribute("VSwitchId"));
    let network = [REGION, ("VSwitchId", switch.as_str())];
    let held = (400, "DependencyViolation".to_owned());
    assert_eq!(own.refusal("Vpc.DeleteVSwitch", &network), held);
    let free = |own: &mut Setup| {
        let shown = call(&mut own.world, "Vpc.DescribeVSwitchAttributes", &network).unwrap();
        shown["AvailableIpAddressCount"].as_u64().unwrap()
    };
    assert_eq!(free(&mut own), 3, "a /29 has four, one is taken");
    call(&mut own.world, "R-kvstore.DeleteInstance", &[("InstanceId", &id)]).unwrap();
    assert_eq!(own.attribute("InstanceStatus"), "Released");
    assert_eq!(own.refusal("Vpc.DeleteVSwitch", &network), held);
    own.wait(30);
    let gone = own.refusal("R-kvstore.DescribeInstanceAttribute", &[("InstanceId", &id)]);
    assert_eq!(gone, (404, "InvalidInstanceId.NotFound".to_owned()));
    assert_eq!((own.listed(), free(&mut own)), (0, 4));
    call(&mut own.world, "Vpc.DeleteVSwitch", &network).unwrap();
}

//! What others have in the account before the stack comes: it must all be there afterwards, to the last field.

use mock_cloud::api::{self, Operation, Strictness};
use mock_cloud::wire::Parameters;
use mock_cloud::world::World;

use crate::likeness::OTHERS;

/// Makes a network with a machine, a key pair, a server group and a record of somebody else's; and a second stack's VPC,
/// whose resources have the same addresses as the first one's.
pub(crate) fn settle_in(world: &mut World) {
    let vpc = make(world, "Vpc.CreateVpc", &[("CidrBlock", "10.0.0.0/8")], "VpcId");
    wait(world);
    let vswitch = make(
        world,
        "Vpc.CreateVSwitch",
        &[("VpcId", &vpc), ("ZoneId", "cn-hangzhou-h"), ("CidrBlock", "10.1.0.0/24")],
        "VSwitchId",
    );
    let group = make(world, "Ecs.CreateSecurityGroup", &[("VpcId", &vpc)], "SecurityGroupId");
    let body = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAIH9/f39/f39/f39/f39/f39/f39/f39/f39/f39/f38B others";
    let pair = [("KeyPairName", "others"), ("PublicKeyBody", body)];
    make(world, "Ecs.ImportKeyPair", &pair, "KeyPairName");
    wait(world);
    let machine = [
        ("InstanceName", "ecs01"),
        ("InstanceType", "ecs.e-c1m1.large"),
        ("ImageFamily", "acs:alibaba_cloud_linux_3_2104_lts_x64"),
        ("SystemDisk.Category", "cloud_essd"),
        ("VSwitchId", &vswitch),
        ("SecurityGroupId", &group),
    ];
    call(world, "Ecs.RunInstances", &machine);
    make(
        world,
        "Alb.CreateServerGroup",
        &[("VpcId", &vpc), ("ServerGroupName", "others"), ("HealthCheckConfig.HealthCheckEnabled", "false")],
        "ServerGroupId",
    );
    let other_stack = [
        ("CidrBlock", "172.16.0.0/12"),
        ("Tag.2.Key", "albatross:stack"),
        ("Tag.2.Value", "chatroom"),
        ("Tag.3.Key", "albatross:resource"),
        ("Tag.3.Value", "vpc.main"),
    ];
    make(world, "Vpc.CreateVpc", &other_stack, "VpcId");
    let record = Parameters::from_iter(
        [("DomainName", "example.com"), ("RR", "mail"), ("Type", "A"), ("Value", "192.0.2.1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    execute(world, "Alidns.AddDomainRecord", &record);
    wait(world);
}

/// Lets everything come to its end, ahead of the clock of the run.
fn wait(world: &mut World) {
    while let Some(due) = world.next_due() {
        world.advance(due);
    }
}

fn make(world: &mut World, action: &str, given: &[(&str, &str)], id: &str) -> String {
    let answer = call(world, action, given);
    answer[id].as_str().unwrap_or_else(|| panic!("{action} answers no {id}: {answer}")).to_owned()
}

fn call(world: &mut World, action: &str, given: &[(&str, &str)]) -> serde_json::Value {
    let tags = [("RegionId", crate::region::REGION), ("Tag.1.Key", OTHERS), ("Tag.1.Value", "yes")];
    let all = given.iter().copied().chain(tags);
    execute(world, action, &all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn execute(world: &mut World, action: &str, parameters: &Parameters) -> serde_json::Value {
    let (product, name) = action.split_once('.').expect("product and action");
    let operation = Operation { product: product.to_owned(), action: name.to_owned() };
    let outcome = api::execute(world, &operation, parameters, Strictness::Strict);
    outcome.answer.unwrap_or_else(|error| panic!("{action}: {error}"))
}

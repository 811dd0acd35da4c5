//! Which resource of the stack a changing call is about, told from what the call says and what the world has.

use albatross::base::ids::StackName;
use albatross::resource::ownership::{HOST_KEY_TAG, RESOURCE_TAG, STACK_TAG, remarked};
use mock_cloud::api::Operation;
use mock_cloud::wire::Parameters;
use mock_cloud::world::World;
use mock_cloud::world::meta::Meta;

/// Name of the stack of every run.
pub(crate) const STACK: &str = "chat";

/// The address of a resource by its tags, when it is the stack's.
pub(crate) fn address(meta: &Meta) -> Option<&str> {
    let ours = meta.tags.get(STACK_TAG).is_some_and(|stack| stack == STACK);
    meta.tags.get(RESOURCE_TAG).filter(|_| ours).map(String::as_str)
}

/// The resource a call is about; none when it is nothing of the stack's.
pub(crate) fn of(world: &World, operation: &Operation, parameters: &Parameters) -> Option<String> {
    let text = |name: &str| parameters.text(name);
    match operation.action.as_str() {
        "TagResources" | "UntagResources" | "UnTagResources" => {
            let pins = parameters.list("Tag").iter().any(|tag| tag.text("Key") == Some(HOST_KEY_TAG));
            if !pins {
                return tagged(world, text("ResourceId.1")?).map(str::to_owned);
            }
            Some(format!("host_key.{}", instance_name(world, text("ResourceId.1")?)?))
        }
        "ResizeDisk" | "ModifyDiskAttribute" => {
            let instance = world.disks.get(text("DiskId")?)?.instance.as_ref()?;
            Some(format!("instance.{}", instance_name(world, instance)?))
        }
        "RunCommand" => Some(format!("host_key.{}", instance_name(world, text("InstanceId.1")?)?)),
        "AuthorizeSecurityGroup" => remark(text("Permissions.1.Description")?),
        "ModifySecurityGroupRule" => remark(text("Description")?),
        "RevokeSecurityGroup" => {
            let group = world.security_groups.get(text("SecurityGroupId")?)?;
            let id = text("SecurityGroupRuleId.1")?;
            remark(&group.rules.iter().find(|rule| rule.id == id)?.description)
        }
        "AddServersToServerGroup" | "RemoveServersFromServerGroup" | "UpdateServerGroupServersAttribute" => {
            Some(format!("server.{}", instance_name(world, text("Servers.1.ServerId")?)?))
        }
        "AddDomainRecord"
        | "UpdateDomainRecord"
        | "UpdateDomainRecordRemark"
        | "SetDomainRecordStatus"
        | "DeleteDomainRecord" => Some("record.main".to_owned()),
        "DeleteKeyPairs" => {
            let names: Vec<String> = serde_json::from_str(text("KeyPairNames")?).ok()?;
            let pair = world.key_pairs.get(&(super::region::REGION.to_owned(), names.first()?.clone()));
            address(&pair?.meta).map(str::to_owned)
        }
        _ => by_tag(parameters).or_else(|| by_id(world, parameters)),
    }
}

/// All resources that a call is about, where it may be several.
pub(crate) fn all(world: &World, operation: &Operation, parameters: &Parameters) -> Option<Vec<String>> {
    let machine = |id: &str, kind: &str| Some(format!("{kind}.{}", instance_name(world, id)?));
    match operation.action.as_str() {
        "AuthorizeSecurityGroup" => {
            parameters.list("Permissions").iter().map(|rule| remark(rule.text("Description")?)).collect()
        }
        "RevokeSecurityGroup" => {
            let rules = &world.security_groups.get(parameters.text("SecurityGroupId")?)?.rules;
            let of = |id: &String| remark(&rules.iter().find(|rule| rule.id == *id)?.description);
            parameters.texts("SecurityGroupRuleId").iter().map(of).collect()
        }
        "AddServersToServerGroup" | "RemoveServersFromServerGroup" => {
            parameters.list("Servers").iter().map(|one| machine(one.text("ServerId")?, "server")).collect()
        }
        "DeleteInstances" => {
            parameters.texts("InstanceId").iter().map(|id| machine(id, "instance")).collect()
        }
        _ => None,
    }
}

/// Certificates have their tags under another name.
fn by_tag(parameters: &Parameters) -> Option<String> {
    let tags = [parameters.list("Tag"), parameters.list("Tags")].concat();
    let value = |key: &str| {
        let tag = tags.iter().find(|tag| tag.text("Key") == Some(key))?;
        tag.text("Value").map(str::to_owned)
    };
    value(STACK_TAG).filter(|stack| stack == STACK)?;
    value(RESOURCE_TAG)
}

/// The innermost resource that is named comes first.
fn by_id(world: &World, parameters: &Parameters) -> Option<String> {
    let found = |name: &str| {
        let id = parameters.text(name)?;
        let certificate = || world.certificates.get(&id.parse::<i64>().ok()?);
        let meta = world
            .listeners
            .get(id)
            .map(|own| &own.meta)
            .or_else(|| world.rules.get(id).map(|own| &own.meta))
            .or_else(|| certificate().map(|own| &own.meta))
            .or_else(|| world.server_groups.get(id).map(|own| &own.meta))
            .or_else(|| world.load_balancers.get(id).map(|own| &own.meta))
            .or_else(|| world.instances.get(id).map(|own| &own.meta))
            .or_else(|| world.security_groups.get(id).map(|own| &own.meta))
            .or_else(|| world.vswitches.get(id).map(|own| &own.meta))
            .or_else(|| world.vpcs.get(id).map(|own| &own.meta))?;
        address(meta).map(str::to_owned)
    };
    let names = [
        "RuleId",
        "CertId",
        "ListenerId",
        "ServerGroupId",
        "LoadBalancerId",
        "InstanceId.1",
        "InstanceId",
        "SecurityGroupId",
        "VSwitchId",
        "VpcId",
    ];
    names.into_iter().find_map(found)
}

/// The address of what is tagged again.
fn tagged<'w>(world: &'w World, id: &str) -> Option<&'w str> {
    let key = (super::region::REGION.to_owned(), id.to_owned());
    let meta = world
        .instances
        .get(id)
        .map(|own| &own.meta)
        .or_else(|| world.vpcs.get(id).map(|own| &own.meta))
        .or_else(|| world.vswitches.get(id).map(|own| &own.meta))
        .or_else(|| world.security_groups.get(id).map(|own| &own.meta))
        .or_else(|| world.key_pairs.get(&key).map(|own| &own.meta))
        .or_else(|| world.load_balancers.get(id).map(|own| &own.meta))
        .or_else(|| world.server_groups.get(id).map(|own| &own.meta))?;
    address(meta)
}

fn instance_name(world: &World, id: &str) -> Option<String> {
    address(&world.instances.get(id)?.meta)?.strip_prefix("instance.").map(str::to_owned)
}

fn remark(text: &str) -> Option<String> {
    remarked(&StackName::new(STACK), text).map(|address| address.to_string())
}

//! Elastic addresses, NAT gateways and their entries, and the addresses instances have by themselves.

use mock_cloud::world::pace::Pace;
use serde_json::{Value, json};

use crate::ground::{Ground, REGION, refusal, text};

fn eip(ground: &mut Ground, more: &[(&str, &str)]) -> (String, String) {
    let mut new = vec![REGION];
    new.extend(more);
    let made = ground.good("Vpc.AllocateEipAddress", &new);
    ground.wait(5);
    (text(&made["AllocationId"]), text(&made["EipAddress"]))
}

fn shown(ground: &mut Ground, id: &str) -> Value {
    let listed = ground.good("Vpc.DescribeEipAddresses", &[REGION, ("AllocationId", id)]);
    listed["EipAddresses"]["EipAddress"][0].clone()
}

fn gateway(ground: &mut Ground, vpc: &str, vswitch: &str, more: &[(&str, &str)]) -> (String, String) {
    let mut new = vec![REGION, ("VpcId", vpc), ("VSwitchId", vswitch), ("NatType", "Enhanced")];
    new.extend(more);
    let made = ground.good("Vpc.CreateNatGateway", &new);
    (text(&made["NatGatewayId"]), text(&made["SnatTableIds"]["SnatTableId"][0]))
}

#[test]
fn an_address_is_bound_to_an_instance_and_freed() {
    let mut ground = Ground::new(Pace::Real);
    let instance = ground.instance(&[]);
    let (id, address) =
        eip(&mut ground, &[("Name", "front"), ("Tag.1.Key", "stack"), ("Tag.1.Value", "chat")]);
    let own = shown(&mut ground, &id);
    assert_eq!((&own["Status"], &own["InternetChargeType"]), (&"Available".into(), &"PayByBandwidth".into()));
    assert_eq!((&own["Bandwidth"], &own["Name"]), (&"5".into(), &"front".into()));
    let bind = [REGION, ("AllocationId", id.as_str()), ("InstanceId", &instance)];
    ground.good("Vpc.AssociateEipAddress", &bind);
    assert_eq!(shown(&mut ground, &id)["Status"], "Associating");
    assert_eq!(ground.refused("Vpc.AssociateEipAddress", &bind), refusal(400, "IncorrectEipStatus"));
    ground.wait(10);
    let own = shown(&mut ground, &id);
    assert_eq!((&own["Status"], &own["InstanceId"]), (&"InUse".into(), &instance.as_str().into()));
    assert_eq!((&own["InstanceType"], &own["PrivateIpAddress"]), (&"EcsInstance".into(), &"10.0.0.1".into()));
    assert_eq!(ground.world.desired().instances[&instance].public_address.unwrap().to_string(), address);
    let listed = ground.good("Ecs.DescribeInstances", &[REGION]);
    assert_eq!(listed["Instances"]["Instance"][0]["EipAddress"]["IpAddress"], address.as_str());
    let release = [REGION, ("AllocationId", id.as_str())];
    assert_eq!(ground.refused("Vpc.ReleaseEipAddress", &release), refusal(400, "IncorrectEipStatus"));
    let wrong = [REGION, ("AllocationId", id.as_str()), ("InstanceId", "i-other")];
    assert_eq!(
        ground.refused("Vpc.UnassociateEipAddress", &wrong),
        refusal(404, "InvalidBindInstance.NotFound")
    );
    ground.good("Vpc.UnassociateEipAddress", &release);
    assert_eq!(shown(&mut ground, &id)["Status"], "Unassociating");
    ground.wait(10);
    assert_eq!(shown(&mut ground, &id)["Status"], "Available");
    ground.good("Vpc.ReleaseEipAddress", &release);
    assert_eq!(shown(&mut ground, &id)["Status"], "Releasing");
    ground.wait(10);
    assert_eq!(shown(&mut ground, &id), Value::Null);
    assert_eq!(
        ground.refused("Vpc.ReleaseEipAddress", &release),
        refusal(404, "InvalidAllocationId.NotFound")
    );
}

#[test]
fn a_deleted_instance_leaves_its_address_to_the_account() {
    let mut ground = Ground::instant();
    let instance = ground.instance(&[]);
    let (id, _) = eip(&mut ground, &[]);
    let (second, _) = eip(&mut ground, &[]);
    ground.good("Vpc.AssociateEipAddress", &[REGION, ("AllocationId", &id), ("InstanceId", &instance)]);
    let again = [REGION, ("AllocationId", second.as_str()), ("InstanceId", &instance)];
    assert_eq!(
        ground.refused("Vpc.AssociateEipAddress", &again),
        refusal(400, "InvalidAssociation.Duplicated")
    );
    ground.good("Ecs.DeleteInstance", &[("InstanceId", &instance), ("Force", "true")]);
    let own = shown(&mut ground, &id);
    assert_eq!((&own["Status"], &own["InstanceId"]), (&"Available".into(), &"".into()));
}

#[test]
fn what_an_address_is_made_of_is_checked() {
    let mut ground = Ground::instant();
    let mut refused = |more: &[(&str, &str)]| {
        let mut new = vec![REGION];
        new.extend(more);
        ground.refused("Vpc.AllocateEipAddress", &new)
    };
    assert_eq!(refused(&[("Bandwidth", "501")]), refusal(400, "IllegalParam.Bandwidth"));
    assert_eq!(
        refused(&[("Bandwidth", "201"), ("InternetChargeType", "PayByTraffic")]),
        refusal(400, "IllegalParam.Bandwidth")
    );
    assert_eq!(refused(&[("Bandwidth", "wide")]), refusal(400, "IllegalParam.Bandwidth"));
    assert_eq!(refused(&[("ISP", "BGP_PRO")]), refusal(400, "UnsupportedFeature.Isp"));
    assert_eq!(refused(&[("ISP", "Pigeon")]), refusal(400, "IllegalParam.Isp"));
    assert_eq!(refused(&[("InstanceChargeType", "PrePaid")]), refusal(400, "InvalidParameter"));
    assert_eq!(refused(&[("IpAddress", "192.0.2.1")]), refusal(400, "ResourceNotFound.Ip"));
    let (_, address) = eip(&mut ground, &[("IpAddress", "198.18.7.7")]);
    assert_eq!(address, "198.18.7.7");
    assert_eq!(
        ground.refused("Vpc.AllocateEipAddress", &[REGION, ("IpAddress", "198.18.7.7")]),
        refusal(400, "Ip.Allocated")
    );
}

#[test]
fn an_account_has_twenty_addresses_and_pages_through_them() {
    let mut ground = Ground::instant();
    let token = [REGION, ("ClientToken", "same")];
    let one = ground.good("Vpc.AllocateEipAddress", &token);
    assert_eq!(one, ground.good("Vpc.AllocateEipAddress", &token), "a token makes one address");
    for _ in 0..19 {
        eip(&mut ground, &[]);
    }
    assert_eq!(ground.refused("Vpc.AllocateEipAddress", &[REGION]), refusal(400, "QuotaExceeded.Eip"));
    let mut sizes = Vec::new();
    for number in ["1", "2", "3", "4"] {
        let page = [REGION, ("PageSize", "9"), ("PageNumber", number)];
        let page = ground.good("Vpc.DescribeEipAddresses", &page);
        assert_eq!(page["TotalCount"], 20);
        sizes.push(page["EipAddresses"]["EipAddress"].as_array().unwrap().len());
    }
    assert_eq!(sizes, [9, 9, 2, 0]);
    let outside = [REGION, ("PageSize", "101")];
    assert_eq!(ground.refused("Vpc.DescribeEipAddresses", &outside), refusal(400, "InvalidParameter"));
}

#[test]
fn addresses_of_a_balancer_are_not_ours_to_change() {
    let mut ground = Ground::instant();
    ground.balancer("Basic");
    let managed = [REGION, ("ServiceManaged", "true")];
    let listed = ground.good("Vpc.DescribeEipAddresses", &managed);
    assert_eq!(listed["TotalCount"], 2);
    let own = &listed["EipAddresses"]["EipAddress"][0];
    assert_eq!((&own["ServiceManaged"], &own["InstanceType"]), (&1.into(), &"SlbInstance".into()));
    let id = text(&own["AllocationId"]);
    for action in ["Vpc.UnassociateEipAddress", "Vpc.ReleaseEipAddress"] {
        assert_eq!(ground.refused(action, &[REGION, ("AllocationId", &id)]), refusal(400, "Forbidden"));
    }
    assert_eq!(
        ground.good("Vpc.DescribeEipAddresses", &[REGION, ("ServiceManaged", "false")])["TotalCount"],
        0
    );
}

#[test]
fn a_gateway_takes_an_address_and_goes_last() {
    let mut ground = Ground::new(Pace::Real);
    let (vpc, [one, two]) = ground.network();
    let (id, table) = gateway(&mut ground, &vpc, &one, &[("Name", "way-out")]);
    ground.wait(3);
    let listed = |ground: &mut Ground| {
        let listed = ground.good("Vpc.DescribeNatGateways", &[REGION, ("NatGatewayId", &id)]);
        listed["NatGateways"]["NatGateway"][0].clone()
    };
    assert_eq!(listed(&mut ground)["Status"], "Creating");
    let (eip_id, address) = eip(&mut ground, &[]);
    let bind = [REGION, ("AllocationId", eip_id.as_str()), ("InstanceId", &id), ("InstanceType", "Nat")];
    assert_eq!(ground.refused("Vpc.AssociateEipAddress", &bind), refusal(400, "IncorrectStatus.NatGateway"));
    ground.wait(90);
    let own = listed(&mut ground);
    assert_eq!((&own["Status"], &own["Name"]), (&"Available".into(), &"way-out".into()));
    assert_eq!(own["NatGatewayPrivateInfo"]["PrivateIpAddress"], "10.0.0.1");
    let entry = [REGION, ("SnatTableId", table.as_str()), ("SourceVSwitchId", &two), ("SnatIp", &address)];
    assert_eq!(ground.refused("Vpc.CreateSnatEntry", &entry), refusal(400, "EIP_NOT_IN_GATEWAY"));
    ground.good("Vpc.AssociateEipAddress", &bind);
    assert_eq!(
        ground.refused("Vpc.CreateSnatEntry", &entry),
        refusal(400, "OperationUnsupported.EipInBinding")
    );
    ground.wait(10);
    assert_eq!(listed(&mut ground)["IpLists"]["IpList"][0]["UsingStatus"], "Idle");
    let made = text(&ground.good("Vpc.CreateSnatEntry", &entry)["SnatEntryId"]);
    ground.wait(3);
    let table_of = [REGION, ("SnatTableId", table.as_str())];
    let entries = ground.good("Vpc.DescribeSnatTableEntries", &table_of);
    let row = &entries["SnatTableEntries"]["SnatTableEntry"][0];
    assert_eq!((&row["Status"], &row["SourceCIDR"]), (&"Pending".into(), &"10.0.1.0/24".into()));
    let delete_entry = [REGION, ("SnatTableId", table.as_str()), ("SnatEntryId", &made)];
    assert_eq!(ground.refused("Vpc.DeleteSnatEntry", &delete_entry), refusal(400, "IncorretSnatEntryStatus"));
    ground.wait(10);
    assert_eq!(listed(&mut ground)["IpLists"]["IpList"][0]["UsingStatus"], "UsedBySnatTable");
    let delete = [REGION, ("NatGatewayId", id.as_str())];
    assert_eq!(
        ground.refused("Vpc.DeleteNatGateway", &delete),
        refusal(400, "DependencyViolation.SnatEntry")
    );
    let unbind = [REGION, ("AllocationId", eip_id.as_str()), ("InstanceType", "Nat")];
    assert_eq!(
        ground.refused("Vpc.UnassociateEipAddress", &unbind),
        refusal(400, "InvalidIpStatus.HasBeenUsedBySnatTable")
    );
    assert_eq!(
        ground.refused("Vpc.DeleteVSwitch", &[REGION, ("VSwitchId", &one)]),
        refusal(400, "DependencyViolation")
    );
    ground.good("Vpc.DeleteSnatEntry", &delete_entry);
    ground.wait(10);
    assert_eq!(
        ground.refused("Vpc.DeleteSnatEntry", &delete_entry),
        refusal(404, "InvalidSnatEntryId.NotFound")
    );
    assert_eq!(ground.refused("Vpc.DeleteNatGateway", &delete), refusal(400, "DependencyViolation.EIPS"));
    ground.good("Vpc.UnassociateEipAddress", &unbind);
    ground.wait(10);
    ground.good("Vpc.DeleteNatGateway", &delete);
    assert_eq!(listed(&mut ground)["Status"], "Deleting");
    ground.wait(90);
    assert_eq!(listed(&mut ground), Value::Null);
    ground.good("Vpc.DeleteVSwitch", &[REGION, ("VSwitchId", &one)]);
}

#[test]
fn force_takes_entries_and_addresses_along() {
    let mut ground = Ground::instant();
    let (vpc, [one, two]) = ground.network();
    let (id, table) = gateway(&mut ground, &vpc, &one, &[]);
    let (eip_id, address) = eip(&mut ground, &[]);
    let bind = [REGION, ("AllocationId", eip_id.as_str()), ("InstanceId", &id), ("InstanceType", "Nat")];
    ground.good("Vpc.AssociateEipAddress", &bind);
    for source in [("SourceVSwitchId", two.as_str()), ("SourceCIDR", "10.0.7.0/24")] {
        let entry = [REGION, ("SnatTableId", table.as_str()), source, ("SnatIp", &address)];
        ground.good("Vpc.CreateSnatEntry", &entry);
    }
    ground.good("Vpc.DeleteNatGateway", &[REGION, ("NatGatewayId", &id), ("Force", "true")]);
    assert_eq!(shown(&mut ground, &eip_id)["Status"], "Available");
    assert!(ground.world.snat_entries.is_empty());
}

#[test]
fn entries_are_checked() {
    let mut ground = Ground::instant();
    let (vpc, [one, two]) = ground.network();
    let (id, table) = gateway(&mut ground, &vpc, &one, &[]);
    let (eip_id, address) = eip(&mut ground, &[]);
    let bind = [REGION, ("AllocationId", eip_id.as_str()), ("InstanceId", &id), ("InstanceType", "Nat")];
    ground.good("Vpc.AssociateEipAddress", &bind);
    let (vswitch, cidr, ip) = ("SourceVSwitchId", "SourceCIDR", "SnatIp");
    let mut refused = |more: &[(&str, &str)]| {
        let mut new = vec![REGION, ("SnatTableId", table.as_str())];
        new.extend(more);
        ground.refused("Vpc.CreateSnatEntry", &new)
    };
    let both = "CreateSnatEntry.ParamExclusive.sourceVSwitchIdAndsourceCIDR";
    assert_eq!(refused(&[(vswitch, &two), (cidr, "10.0.0.0/24"), (ip, &address)]), refusal(400, both));
    assert_eq!(refused(&[(ip, &address)]), refusal(400, "INVALID_PARAMETER"));
    assert_eq!(refused(&[(vswitch, "vsw-none"), (ip, &address)]), refusal(404, "InvalidVSwitchId.NotFound"));
    assert_eq!(
        refused(&[(cidr, "10.0.0.1/24"), (ip, &address)]),
        refusal(400, "InvalidSourceCIDR.Malformed")
    );
    assert_eq!(refused(&[(vswitch, &two)]), refusal(400, "InvalidParameter.SnatIp"));
    assert_eq!(refused(&[(vswitch, &two), (ip, "front")]), refusal(400, "InvalidSnatIp.Malformed"));
    assert_eq!(refused(&[(vswitch, &two), (ip, "198.18.9.9")]), refusal(404, "InvalidSnatIp.NotFound"));
    assert_eq!(
        ground.refused("Vpc.CreateSnatEntry", &[REGION, ("SnatTableId", "stb-none"), (vswitch, &two)]),
        refusal(404, "InvalidSnatTableId.NotFound")
    );
    let new = [REGION, ("SnatTableId", table.as_str()), (vswitch, &two), (ip, &address)];
    ground.good("Vpc.CreateSnatEntry", &new);
    assert_eq!(
        ground.refused("Vpc.CreateSnatEntry", &new),
        refusal(400, "Forbidden.SourceVSwitchId.Duplicated")
    );
}

#[test]
fn what_a_gateway_is_made_of_is_checked() {
    let mut ground = Ground::instant();
    let (vpc, [one, _]) = ground.network();
    let (_, [far, _]) = ground.network();
    let mut refused = |more: &[(&str, &str)]| {
        let mut new = vec![REGION, ("VpcId", vpc.as_str()), ("VSwitchId", &one)];
        new.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        new.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        ground.refused("Vpc.CreateNatGateway", &new)
    };
    assert_eq!(refused(&[("VSwitchId", "")]), refusal(400, "MissingParameter"));
    assert_eq!(refused(&[("VSwitchId", &far)]), refusal(400, "OperationFailed.VswNotBelongToVpc"));
    assert_eq!(refused(&[("VpcId", "vpc-none")]), refusal(404, "InvalidVpcId.NotFound"));
    assert_eq!(refused(&[("NatType", "Normal")]), refusal(400, "ParameterIllegal"));
    assert_eq!(refused(&[("InternetChargeType", "PayBySpec")]), refusal(400, "Forbidden.NatPayBySpec"));
    assert_eq!(refused(&[("Name", "1st")]), refusal(400, "InvalidNatGatewayName.MalFormed"));
    assert_eq!(refused(&[("NatIp", "10.0.0.254")]), refusal(400, "AllocateIpFailed"));
    for _ in 0..5 {
        gateway(&mut ground, &vpc, &one, &[]);
    }
    let new = [REGION, ("VpcId", vpc.as_str()), ("VSwitchId", &one)];
    assert_eq!(
        ground.refused("Vpc.CreateNatGateway", &new),
        refusal(400, "OperationFailed.EnhancedQuotaExceed")
    );
    let listed = ground.good("Vpc.DescribeVpcs", &[REGION, ("VpcId", &vpc)]);
    assert_eq!(listed["Vpcs"]["Vpc"][0]["NatGatewayIds"]["NatGatewayIds"].as_array().unwrap().len(), 5);
}

#[test]
fn an_instance_has_its_own_address_when_it_has_bandwidth() {
    let mut ground = Ground::instant();
    let plain = ground.instance(&[]);
    let wide = ground.instance(&[("InternetMaxBandwidthOut", "20")]);
    assert_eq!(
        ground.refused("Ecs.AllocatePublicIpAddress", &[("InstanceId", &plain)]),
        refusal(400, "AllocateIpInvalidInstanceBandwidth")
    );
    let own = ground.good("Ecs.AllocatePublicIpAddress", &[("InstanceId", &wide)]);
    let listed = ground.good("Ecs.DescribeInstances", &[REGION, ("InstanceIds", &json!([wide]).to_string())]);
    let row = &listed["Instances"]["Instance"][0];
    assert_eq!(row["PublicIpAddress"]["IpAddress"], json!([own["IpAddress"]]));
    assert_eq!((&row["InternetMaxBandwidthIn"], &row["InternetMaxBandwidthOut"]), (&20.into(), &20.into()));
    let (id, _) = eip(&mut ground, &[]);
    let bind = [REGION, ("AllocationId", id.as_str()), ("InstanceId", &wide)];
    assert_eq!(
        ground.refused("Vpc.AssociateEipAddress", &bind),
        refusal(400, "EIP_CAN_NOT_ASSOCIATE_WITH_PUBLIC_IP")
    );
    ground.good("Vpc.AssociateEipAddress", &[REGION, ("AllocationId", &id), ("InstanceId", &plain)]);
    assert_eq!(
        ground.refused("Ecs.AllocatePublicIpAddress", &[("InstanceId", &plain)]),
        refusal(403, "AllocatedAlready")
    );
}

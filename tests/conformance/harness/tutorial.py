"""The chatroom of the tutorial, built and removed with the official SDKs alone, as its readers would write it.

Three instances behind a load balancer and a name; the shape, the names and the marks of `examples/chatroom.yaml`, so
that the result can be held against what our own program makes and finds.
"""

import base64
from dataclasses import dataclass, field

from alibabacloud_alb20200616 import models as alb_models
from alibabacloud_alidns20150109 import models as dns_models
from alibabacloud_ecs20140526 import models as ecs_models
from alibabacloud_vpc20160428 import models as vpc_models

from harness.build import public_key
from harness.process import REGION
from harness.waiting import wait_for, wait_until_accepted

STACK = "chatroom"
DOMAIN = "example.com"
PORT = 5000
REDIS_PORT = 6379
ZONES = {"a": "cn-hangzhou-h", "b": "cn-hangzhou-i"}
RANGES = {"a": "192.168.0.0/24", "b": "192.168.1.0/24"}
#: Instance to vSwitch and bandwidth.
INSTANCES = {"ecs01": ("a", 10), "ecs02": ("b", 10), "ecs03": ("a", 0)}
NODES = ("ecs01", "ecs02")
INSTANCE_TYPE = "ecs.e-c1m2.large"
IMAGE_FAMILY = "acs:alibaba_cloud_linux_3_2104_lts_x64"
HOST_KEY_COMMAND = "cat /etc/ssh/ssh_host_ed25519_key.pub"


@dataclass
class Tutorial:
    """What was built so far. `cloud` is where; nothing in it is used but the SDK's own clients."""

    cloud: object
    vpc: str = ""
    vswitches: dict = field(default_factory=dict)
    group: str = ""
    key_pair: str = "albatross-chatroom-conformance"
    instances: dict = field(default_factory=dict)
    balancer: str = ""
    server_group: str = ""
    listener: str = ""
    record: str = ""

    def __post_init__(self):
        self.ecs = self.cloud.product("Ecs").sdk
        self.net = self.cloud.product("Vpc").sdk
        self.alb = self.cloud.product("Alb").sdk
        self.dns = self.cloud.product("Alidns").sdk

    def build(self):
        """Every step of the tutorial, in its order."""
        self.make_network()
        self.make_group()
        self.make_key_pair()
        self.make_instances()
        self.open_ports_to_instances()
        self.pin_host_keys()
        self.make_balancer()
        self.make_server_group()
        self.add_servers()
        self.make_listener()
        self.wait_for_health()
        self.make_record()

    def make_network(self):
        """A VPC and two vSwitches, one after another: a VPC takes one change at a time."""
        request = vpc_models.CreateVpcRequest(
            region_id=REGION,
            vpc_name=name("vpc", "main"),
            cidr_block="192.168.0.0/16",
            tag=tags(vpc_models.CreateVpcRequestTag, "vpc.main"),
        )
        self.vpc = self.net.create_vpc(request).body.vpc_id
        look = vpc_models.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=self.vpc)
        wait_for("the VPC is Available", lambda: self.net.describe_vpc_attribute(look).body.status == "Available")
        for letter, zone in ZONES.items():
            self.vswitches[letter] = self.make_vswitch(letter, zone)

    def make_vswitch(self, letter, zone):
        """One vSwitch, until it is available."""
        request = vpc_models.CreateVSwitchRequest(
            region_id=REGION,
            vpc_id=self.vpc,
            zone_id=zone,
            cidr_block=RANGES[letter],
            v_switch_name=name("vswitch", letter),
            tag=tags(vpc_models.CreateVSwitchRequestTag, f"vswitch.{letter}"),
        )
        vswitch = self.net.create_vswitch(request).body.v_switch_id
        look = vpc_models.DescribeVSwitchAttributesRequest(region_id=REGION, v_switch_id=vswitch)
        available = lambda: self.net.describe_vswitch_attributes(look).body.status == "Available"
        wait_for(f"vSwitch {letter} is Available", available)
        return vswitch

    def make_group(self):
        """A security group: SSH from one range, the chat's port from the vSwitches of the load balancer."""
        request = ecs_models.CreateSecurityGroupRequest(
            region_id=REGION,
            vpc_id=self.vpc,
            security_group_name=name("security-group", "main"),
            security_group_type="normal",
            tag=tags(ecs_models.CreateSecurityGroupRequestTag, "security_group.main"),
        )
        self.group = self.ecs.create_security_group(request).body.security_group_id
        self.open_port(22, "203.0.113.0/24", "ssh-203.0.113.0-24")
        for letter, block in RANGES.items():
            self.open_port(PORT, block, f"node-{letter}")

    def open_port(self, port, source, rule):
        """One rule."""
        permission = ecs_models.AuthorizeSecurityGroupRequestPermissions(
            ip_protocol="tcp",
            port_range=f"{port}/{port}",
            source_cidr_ip=source,
            policy="accept",
            priority="1",
            description=f"albatross.{STACK}.security_rule.{rule}",
        )
        request = ecs_models.AuthorizeSecurityGroupRequest(
            region_id=REGION, security_group_id=self.group, permissions=[permission]
        )
        self.ecs.authorize_security_group(request)

    def make_key_pair(self):
        """The operator's key."""
        request = ecs_models.ImportKeyPairRequest(
            region_id=REGION,
            key_pair_name=self.key_pair,
            public_key_body=public_key(),
            tag=tags(ecs_models.ImportKeyPairRequestTag, "key_pair.main"),
        )
        self.ecs.import_key_pair(request)

    def make_instances(self):
        """Three instances, the third without a public address."""
        for instance, (letter, bandwidth) in INSTANCES.items():
            request = ecs_models.RunInstancesRequest(
                region_id=REGION,
                instance_name=instance,
                host_name=instance,
                instance_type=INSTANCE_TYPE,
                image_family=IMAGE_FAMILY,
                v_switch_id=self.vswitches[letter],
                security_group_id=self.group,
                key_pair_name=self.key_pair,
                internet_max_bandwidth_out=bandwidth,
                internet_charge_type="PayByTraffic",
                system_disk=ecs_models.RunInstancesRequestSystemDisk(category="cloud_essd_entry", size="40"),
                http_tokens="required",
                tag=tags(ecs_models.RunInstancesRequestTag, f"instance.{instance}"),
            )
            (self.instances[instance],) = self.ecs.run_instances(request).body.instance_id_sets.instance_id_set
        ids = list(self.instances.values())
        look = ecs_models.DescribeInstanceStatusRequest(region_id=REGION, instance_id=ids)

        def running():
            statuses = self.ecs.describe_instance_status(look).body.instance_statuses.instance_status
            return [status.status for status in statuses] == ["Running"] * len(ids)

        wait_for("all instances are Running", running)

    def private_address(self, instance):
        """Where an instance is in its VPC."""
        request = ecs_models.DescribeInstancesRequest(region_id=REGION, instance_ids=f'["{self.instances[instance]}"]')
        (found,) = self.ecs.describe_instances(request).body.instances.instance
        (address,) = found.vpc_attributes.private_ip_address.ip_address
        return address

    def open_ports_to_instances(self):
        """Redis from the two nodes, each by its address."""
        for node in NODES:
            self.open_port(REDIS_PORT, f"{self.private_address(node)}/32", f"redis-{node}")

    def pin_host_keys(self):
        """Each host key, read through the Cloud Assistant, as a tag of its instance."""
        for instance in self.instances.values():
            tag = ecs_models.TagResourcesRequestTag(key="albatross:host-key", value=self.host_key(instance))
            request = ecs_models.TagResourcesRequest(
                region_id=REGION, resource_type="instance", resource_id=[instance], tag=[tag]
            )
            self.ecs.tag_resources(request)

    def host_key(self, instance):
        """The host key of an instance: algorithm and key."""
        request = ecs_models.RunCommandRequest(
            region_id=REGION,
            type="RunShellScript",
            command_content=base64.b64encode(HOST_KEY_COMMAND.encode()).decode(),
            content_encoding="Base64",
            instance_id=[instance],
        )
        look = ecs_models.DescribeCloudAssistantStatusRequest(region_id=REGION, instance_id=[instance])

        def ready():
            answer = self.ecs.describe_cloud_assistant_status(look).body.instance_cloud_assistant_status_set
            return [one.cloud_assistant_status for one in answer.instance_cloud_assistant_status] == ["true"]

        wait_for("the agent is ready", ready)
        invocation = self.ecs.run_command(request).body.invoke_id
        look_again = ecs_models.DescribeInvocationResultsRequest(region_id=REGION, invoke_id=invocation)

        def ended():
            body = self.ecs.describe_invocation_results(look_again).body
            (result,) = body.invocation.invocation_results.invocation_result
            return result if result.invoke_record_status == "Finished" else None

        output = base64.b64decode(wait_for("the host key is read", ended).output).decode()
        return " ".join(output.split()[:2])

    def make_balancer(self):
        """A load balancer in both zones, until it is active."""
        mappings = [
            alb_models.CreateLoadBalancerRequestZoneMappings(zone_id=zone, v_switch_id=self.vswitches[letter])
            for letter, zone in ZONES.items()
        ]
        request = alb_models.CreateLoadBalancerRequest(
            load_balancer_name=name("load-balancer", "main"),
            vpc_id=self.vpc,
            address_type="Internet",
            load_balancer_edition="Basic",
            load_balancer_billing_config=alb_models.CreateLoadBalancerRequestLoadBalancerBillingConfig(pay_type="PostPay"),
            zone_mappings=mappings,
            tag=tags(alb_models.CreateLoadBalancerRequestTag, "load_balancer.main"),
        )
        self.balancer = self.alb.create_load_balancer(request).body.load_balancer_id
        wait_for("the load balancer is Active", lambda: self.read_balancer().load_balancer_status == "Active")

    def read_balancer(self):
        """The load balancer as it is."""
        request = alb_models.GetLoadBalancerAttributeRequest(load_balancer_id=self.balancer)
        return self.alb.get_load_balancer_attribute(request).body

    def make_server_group(self):
        """A server group that asks each server for its health."""
        check = alb_models.CreateServerGroupRequestHealthCheckConfig(
            health_check_enabled=True,
            health_check_protocol="HTTP",
            health_check_method="HEAD",
            health_check_path="/healthz",
            health_check_interval=1,
            health_check_timeout=2,
            healthy_threshold=2,
            unhealthy_threshold=2,
            health_check_codes=["http_2xx"],
        )
        sticky = alb_models.CreateServerGroupRequestStickySessionConfig(
            sticky_session_enabled=True, sticky_session_type="Insert", cookie_timeout=1000
        )
        request = alb_models.CreateServerGroupRequest(
            server_group_name=name("server-group", "main"),
            vpc_id=self.vpc,
            protocol="HTTP",
            scheduler="Wrr",
            health_check_config=check,
            sticky_session_config=sticky,
            tag=tags(alb_models.CreateServerGroupRequestTag, "server_group.main"),
        )
        self.server_group = self.alb.create_server_group(request).body.server_group_id
        self.wait_for_group()

    def wait_for_group(self):
        """Until the group takes changes."""
        request = alb_models.ListServerGroupsRequest(server_group_ids=[self.server_group])
        status = lambda: [one.server_group_status for one in self.alb.list_server_groups(request).body.server_groups]
        wait_for("the server group is Available", lambda: status() == ["Available"])

    def add_servers(self):
        """Both nodes."""
        servers = [
            alb_models.AddServersToServerGroupRequestServers(
                server_type="Ecs", server_id=self.instances[node], port=PORT, weight=100
            )
            for node in NODES
        ]
        request = alb_models.AddServersToServerGroupRequest(server_group_id=self.server_group, servers=servers)
        self.alb.add_servers_to_server_group(request)
        self.wait_for_group()

    def make_listener(self):
        """A listener that forwards everything to the group."""
        target = alb_models.CreateListenerRequestDefaultActionsForwardGroupConfigServerGroupTuples(
            server_group_id=self.server_group
        )
        action = alb_models.CreateListenerRequestDefaultActions(
            type="ForwardGroup",
            forward_group_config=alb_models.CreateListenerRequestDefaultActionsForwardGroupConfig(
                server_group_tuples=[target]
            ),
        )
        request = alb_models.CreateListenerRequest(
            load_balancer_id=self.balancer,
            listener_protocol="HTTP",
            listener_port=PORT,
            idle_timeout=60,
            request_timeout=60,
            listener_description=name("listener", "main"),
            default_actions=[action],
            tag=tags(alb_models.CreateListenerRequestTag, "listener.main"),
        )
        self.listener = self.alb.create_listener(request).body.listener_id
        look = alb_models.GetListenerAttributeRequest(listener_id=self.listener)
        running = lambda: self.alb.get_listener_attribute(look).body.listener_status == "Running"
        wait_for("the listener is Running", running)

    def wait_for_health(self):
        """Until no server is listed as anything but healthy."""
        request = alb_models.GetListenerHealthStatusRequest(listener_id=self.listener)

        def healthy():
            (status,) = self.alb.get_listener_health_status(request).body.listener_health_status
            return not any(info.non_normal_servers for info in status.server_group_infos)

        wait_for("all servers are healthy", healthy)

    def make_record(self):
        """The domain itself is another name of the load balancer."""
        request = dns_models.AddDomainRecordRequest(
            domain_name=DOMAIN, rr="@", type="CNAME", value=self.read_balancer().dnsname, ttl=600
        )
        self.record = self.dns.add_domain_record(request).body.record_id
        remark = dns_models.UpdateDomainRecordRemarkRequest(record_id=self.record, remark=f"albatross.{STACK}")
        self.dns.update_domain_record_remark(remark)

    def remove(self):
        """Everything, users before what they use; what lets go a little later is asked again."""
        self.dns.delete_domain_record(dns_models.DeleteDomainRecordRequest(record_id=self.record))
        self.alb.delete_listener(alb_models.DeleteListenerRequest(listener_id=self.listener))
        group = alb_models.DeleteServerGroupRequest(server_group_id=self.server_group)
        self.until_free("the server group", lambda: self.alb.delete_server_group(group))
        balancer = alb_models.DeleteLoadBalancerRequest(load_balancer_id=self.balancer)
        self.until_free("the load balancer", lambda: self.alb.delete_load_balancer(balancer))
        ids = list(self.instances.values())
        self.ecs.delete_instances(ecs_models.DeleteInstancesRequest(region_id=REGION, instance_id=ids, force=True))
        look = ecs_models.DescribeInstanceStatusRequest(region_id=REGION, instance_id=ids)
        left = lambda: self.ecs.describe_instance_status(look).body.instance_statuses.instance_status
        wait_for("the instances are gone", lambda: not left())
        security = ecs_models.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=self.group)
        self.until_free("the security group", lambda: self.ecs.delete_security_group(security))
        self.ecs.delete_key_pairs(
            ecs_models.DeleteKeyPairsRequest(region_id=REGION, key_pair_names=f'["{self.key_pair}"]')
        )
        for letter, vswitch in self.vswitches.items():
            request = vpc_models.DeleteVSwitchRequest(region_id=REGION, v_switch_id=vswitch)
            self.until_free(f"vSwitch {letter}", lambda request=request: self.net.delete_vswitch(request))
        network = vpc_models.DeleteVpcRequest(region_id=REGION, vpc_id=self.vpc)
        self.until_free("the VPC", lambda: self.net.delete_vpc(network))
        gone = vpc_models.DescribeVpcsRequest(region_id=REGION, vpc_id=self.vpc)
        wait_for("the VPC is gone", lambda: not self.net.describe_vpcs(gone).body.vpcs.vpc)

    def until_free(self, what, call):
        """Deletes what may still be in use for a moment."""
        passing = ("DependencyViolation", "DependencyViolation.VSwitch", "DependencyViolation.SecurityGroup")
        passing += ("ResourceInUse.ServerGroup", "IncorrectStatus.ServerGroup", "IncorrectStatus.LoadBalancer")
        passing += ("TaskConflict", "IncorrectVpcStatus", "IncorrectVSwitchStatus")
        wait_until_accepted(f"deleting {what}", call, *passing)


def name(kind, own):
    """A name as our own program gives it."""
    return f"{STACK}-{kind}-{own}"


def tags(model, address):
    """The two tags that say whose a resource is."""
    pairs = {"albatross:stack": STACK, "albatross:resource": address}
    return [model(key=key, value=value) for key, value in pairs.items()]

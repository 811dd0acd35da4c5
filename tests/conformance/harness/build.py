"""Makes what many cases need, each time anew unless it says `shared`, and waits until it is usable."""

import base64
import functools
import itertools

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness.waiting import wait_for

ZONES = ("cn-hangzhou-h", "cn-hangzhou-i")
IMAGE_FAMILY = "acs:alibaba_cloud_linux_3_2104_lts_x64"
INSTANCE_TYPE = "ecs.c7.large"
VPC_RANGE = "172.16.0.0/16"
PASSWORD = "Correct-Horse-7"


class Builder:
    """Makes resources in one cloud."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.numbers = itertools.count(1)

    def name(self, what):
        """A name nobody else has."""
        return f"conformance-{what}-{next(self.numbers)}"

    def vpc(self, **more):
        """An available VPC."""
        vpc = self.cloud("Vpc.CreateVpc", CidrBlock=VPC_RANGE, **more)["VpcId"]
        look = lambda: self.cloud("Vpc.DescribeVpcAttribute", VpcId=vpc)["Status"] == "Available"
        wait_for(f"{vpc} is Available", look)
        return vpc

    def vswitch(self, vpc, number=0, zone=ZONES[0], **more):
        """An available vSwitch, the `number`th of its VPC."""
        new = {"VpcId": vpc, "ZoneId": zone, "CidrBlock": f"172.16.{number}.0/24"} | more
        vswitch = self.cloud("Vpc.CreateVSwitch", **new)["VSwitchId"]
        look = lambda: self.cloud("Vpc.DescribeVSwitchAttributes", VSwitchId=vswitch)["Status"] == "Available"
        wait_for(f"{vswitch} is Available", look)
        return vswitch

    def group(self, vpc, **more):
        """A security group."""
        return self.cloud("Ecs.CreateSecurityGroup", VpcId=vpc, **more)["SecurityGroupId"]

    @functools.cached_property
    def shared(self):
        """A VPC with a vSwitch in each of two zones and a security group, made once: nobody changes it."""
        vpc = self.vpc()
        vswitches = [self.vswitch(vpc, number, zone) for number, zone in enumerate(ZONES)]
        return {"vpc": vpc, "vswitches": vswitches, "group": self.group(vpc)}

    def instances(self, amount=1, **more):
        """Running instances in the shared network."""
        new = {
            "InstanceType": INSTANCE_TYPE,
            "ImageFamily": IMAGE_FAMILY,
            "VSwitchId": self.shared["vswitches"][0],
            "SecurityGroupId": self.shared["group"],
            "Amount": amount,
        }
        ids = self.cloud("Ecs.RunInstances", **(new | more))["InstanceIdSets"]["InstanceIdSet"]
        for instance in ids:
            self.instance_is(instance, "Running")
        return ids

    def instance(self, **more):
        """One running instance in the shared network."""
        return self.instances(1, **more)[0]

    def instance_is(self, instance, status):
        """Waits for a status of an instance."""
        look = lambda: self.cloud("Ecs.DescribeInstanceAttribute", InstanceId=instance)["Status"] == status
        wait_for(f"{instance} is {status}", look)

    def stopped_instance(self, **more):
        """One stopped instance."""
        instance = self.instance(**more)
        self.cloud("Ecs.StopInstance", InstanceId=instance)
        self.instance_is(instance, "Stopped")
        return instance

    def balancer(self, **more):
        """An active load balancer in the shared network."""
        shared = self.shared
        new = {
            "LoadBalancerName": self.name("alb"),
            "VpcId": shared["vpc"],
            "AddressType": "Internet",
            "LoadBalancerEdition": "Standard",
            "LoadBalancerBillingConfig": {"PayType": "PostPay"},
            "ZoneMappings": [
                {"ZoneId": zone, "VSwitchId": vswitch} for zone, vswitch in zip(ZONES, shared["vswitches"])
            ],
        }
        balancer = self.cloud("Alb.CreateLoadBalancer", **(new | more))["LoadBalancerId"]
        self.balancer_is(balancer, "Active")
        return balancer

    def balancer_is(self, balancer, status):
        """Waits for a status of a load balancer."""
        look = lambda: self.cloud("Alb.GetLoadBalancerAttribute", LoadBalancerId=balancer)
        wait_for(f"{balancer} is {status}", lambda: look()["LoadBalancerStatus"] == status)

    @functools.cached_property
    def shared_balancer(self):
        """A load balancer nobody changes; each case takes listener ports of its own."""
        return self.balancer()

    def server_group(self, **more):
        """An available server group in the shared VPC, without health checks."""
        new = {
            "ServerGroupName": self.name("group"),
            "VpcId": self.shared["vpc"],
            "Protocol": "HTTP",
            "HealthCheckConfig": {"HealthCheckEnabled": False},
        }
        group = self.cloud("Alb.CreateServerGroup", **(new | more))["ServerGroupId"]
        self.server_group_is_available(group)
        return group

    def server_group_is_available(self, group):
        """Waits until a server group takes changes."""
        look = lambda: self.cloud("Alb.ListServerGroups", ServerGroupIds=[group])["ServerGroups"]
        wait_for(f"{group} is Available", lambda: [one["ServerGroupStatus"] for one in look()] == ["Available"])

    def port(self):
        """A port no other case listens on."""
        return 10_000 + next(self.numbers)

    def listener(self, group=None, balancer=None, **more):
        """A running HTTP listener; of the shared load balancer and a group of its own unless given."""
        new = {
            "LoadBalancerId": balancer or self.shared_balancer,
            "ListenerProtocol": "HTTP",
            "ListenerPort": self.port(),
            "DefaultActions": forward(group or self.server_group()),
        }
        listener = self.cloud("Alb.CreateListener", **(new | more))["ListenerId"]
        self.listener_is(listener, "Running")
        return listener

    def listener_is(self, listener, status):
        """Waits for a status of a listener."""
        look = lambda: self.cloud("Alb.GetListenerAttribute", ListenerId=listener)["ListenerStatus"] == status
        wait_for(f"{listener} is {status}", look)

    def redis(self, **more):
        """A normal pay-as-you-go Redis in the shared network."""
        new = {
            "InstanceClass": "redis.master.small.default",
            "ChargeType": "PostPaid",
            "EngineVersion": "5.0",
            "VpcId": self.shared["vpc"],
            "VSwitchId": self.shared["vswitches"][0],
            "ZoneId": ZONES[0],
            "InstanceName": self.name("redis"),
            "Password": PASSWORD,
        }
        redis = self.cloud("R-kvstore.CreateInstance", **(new | more))["InstanceId"]
        self.redis_is(redis, "Normal")
        return redis

    def redis_is(self, redis, status):
        """Waits for a status of a Redis."""

        def look():
            found = self.cloud("R-kvstore.DescribeInstanceAttribute", InstanceId=redis)
            return [one["InstanceStatus"] for one in found["Instances"]["DBInstanceAttribute"]] == [status]

        wait_for(f"{redis} is {status}", look)


def forward(group):
    """The default action of a listener that forwards to a group."""
    return [{"Type": "ForwardGroup", "ForwardGroupConfig": {"ServerGroupTuples": [{"ServerGroupId": group}]}}]


def base64_of(text):
    """Base64 of a text, as a text."""
    return base64.b64encode(text.encode()).decode()


def public_key():
    """A public key in OpenSSH form whose private half nobody keeps."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return f"{key.public_bytes(*form).decode()} conformance"

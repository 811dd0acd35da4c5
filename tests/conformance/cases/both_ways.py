"""What the SDKs build our own program takes as it is, and what it builds the SDKs find as the topology says."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from harness.check import contains, equal, one
from harness.process import Address
from harness.registry import case
from harness.stage import Cloud
from harness.tutorial import INSTANCES, NODES, PORT, RANGES, STACK, ZONES, Tutorial
from harness.waiting import wait_for

TOPOLOGY = Path(__file__).parents[3] / "examples" / "chatroom.yaml"
#: Seconds a command may take; the longest takes two.
LIMIT = 100


def run(program, folder, *words, **variables):
    """Runs our own program with a home of its own; its standard output when it succeeds."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    kept |= {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "NO_COLOR": "1"} | variables
    command = [str(program), "--state-dir", str(folder / "state"), *words]
    ended = subprocess.run(command, env=kept, cwd=folder, capture_output=True, text=True, timeout=LIMIT)
    shown = (ended.stdout + ended.stderr).strip()[-1500:]
    assert ended.returncode == 0, f"albatross {' '.join(words)} ends with {ended.returncode}: {shown}"
    return ended.stdout


class Home:
    """A folder in which our own program keeps its state, with a cloud of its own."""

    def __init__(self, stage):
        self.program = stage.programs["albatross"]
        self.folder = Path(tempfile.mkdtemp(prefix="home-", dir=stage.folder))
        self.stage = stage

    def __enter__(self):
        self.run("cloud", "up", "--hosts", "none", "--pace", "brisk")
        self.cloud = Cloud(Address.from_ready(json.loads(self.file.read_text())), self.stage.shapes)
        return self

    def __exit__(self, *_):
        address = self.cloud.address
        self.stage.logs.append(address.calls())
        # Whatever was in between is gone by now.
        self.go_through(address.host)
        self.run("cloud", "down")
        process = Path(f"/proc/{address.ready['pid']}")
        wait_for("the cloud of this home has ended", lambda: not process.exists())

    @property
    def file(self):
        """Where our program keeps how its cloud is reached."""
        return self.folder / "state" / "local" / "cloud.json"

    def go_through(self, host):
        """Has our program reach its cloud through another address."""
        known = json.loads(self.file.read_text())
        self.file.write_text(json.dumps(known | {"endpoint": f"http://{host}"}))

    def run(self, *words):
        """Runs a command in this folder."""
        return run(self.program, self.folder, *words)

    def plan(self):
        """The plan for the topology."""
        return json.loads(self.run("--local", "plan", str(TOPOLOGY), "--json"))

    def resources(self):
        """How many resources the cloud has."""
        return json.loads(self.cloud.address.admin("status"))["resources"]


@case
def what_the_sdks_build_our_plan_takes_as_it_is(stage):
    with Home(stage) as home:
        Tutorial(home.cloud).build()
        plan = home.plan()
        pending = {step["address"]: (step["action"], step["changes"]) for step in plan["steps"] if step["action"] != "keep"}
        equal("steps of the plan", pending, {})
        equal("has_changes", plan["has_changes"], False)
        # Every resource of the topology was found, none is missing from the plan.
        equal("resources", len(plan["steps"]), 22)
        home.run("--local", "plan", str(TOPOLOGY), "--detailed-exitcode")
        home.run("--local", "destroy", "--yes", str(TOPOLOGY))
        equal("resources left", home.resources(), 0)


@case
def what_we_build_the_sdks_find_as_the_topology_says(stage):
    with Home(stage) as home:
        home.run("--local", "apply", "--yes", str(TOPOLOGY))
        found = Found(home.cloud)
        found.network()
        found.instances()
        found.rules()
        found.balancer()
        found.name()


class Found:
    """What the SDKs find of the stack, compared attribute by attribute."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.ids = {}

    def ours(self):
        """The tag by which everything is found."""
        return [{"Key": "albatross:stack", "Value": STACK}]

    def network(self):
        """One VPC, two vSwitches, one security group, one key pair."""
        vpc = one("VPCs", self.cloud("Vpc.DescribeVpcs", Tag=self.ours())["Vpcs"]["Vpc"])
        contains("the VPC", vpc, {"CidrBlock": "192.168.0.0/16", "VpcName": "chatroom-vpc-main", "Status": "Available"})
        self.ids["vpc"] = vpc["VpcId"]
        vswitches = self.cloud("Vpc.DescribeVSwitches", Tag=self.ours())["VSwitches"]["VSwitch"]
        equal("vSwitches", len(vswitches), len(ZONES))
        for letter, zone in ZONES.items():
            vswitch = one(f"vSwitch {letter}", [one for one in vswitches if resource_of(one) == f"vswitch.{letter}"])
            wanted = {"ZoneId": zone, "CidrBlock": RANGES[letter], "VpcId": vpc["VpcId"], "Status": "Available"}
            contains(f"vSwitch {letter}", vswitch, wanted | {"VSwitchName": f"chatroom-vswitch-{letter}"})
            self.ids[letter] = vswitch["VSwitchId"]
        groups = self.cloud("Ecs.DescribeSecurityGroups", Tag=self.ours())["SecurityGroups"]["SecurityGroup"]
        group = one("security groups", groups)
        wanted = {"VpcId": vpc["VpcId"], "SecurityGroupName": "chatroom-security-group-main"}
        contains("the security group", group, wanted | {"SecurityGroupType": "normal"})
        self.ids["group"] = group["SecurityGroupId"]
        pair = one("key pairs", self.cloud("Ecs.DescribeKeyPairs", Tag=self.ours())["KeyPairs"]["KeyPair"])
        equal("the key pair's resource", resource_of(pair, "TagKey", "TagValue"), "key_pair.main")
        self.ids["key"] = pair["KeyPairName"]

    def instances(self):
        """Three instances, two with public addresses, each with its pinned host key."""
        instances = self.cloud("Ecs.DescribeInstances", Tag=self.ours())["Instances"]["Instance"]
        equal("instances", sorted(one["InstanceName"] for one in instances), sorted(INSTANCES))
        for instance in instances:
            name = instance["InstanceName"]
            letter, bandwidth = INSTANCES[name]
            wanted = {"HostName": name, "Status": "Running", "ZoneId": ZONES[letter], "KeyPairName": self.ids["key"]}
            wanted |= {"InternetMaxBandwidthOut": bandwidth, "InstanceChargeType": "PostPaid"}
            contains(name, instance, wanted | {"InternetChargeType": "PayByTraffic"})
            equal(f"{name}'s groups", instance["SecurityGroupIds"]["SecurityGroupId"], [self.ids["group"]])
            contains(f"{name}'s place", instance["VpcAttributes"], {"VSwitchId": self.ids[letter], "VpcId": self.ids["vpc"]})
            equal(f"{name}'s public addresses", len(instance["PublicIpAddress"]["IpAddress"]), int(bandwidth > 0))
            equal(f"{name}'s HttpTokens", instance["MetadataOptions"]["HttpTokens"], "required")
            tags = {tag["TagKey"]: tag["TagValue"] for tag in instance["Tags"]["Tag"]}
            equal(f"{name}'s resource", tags["albatross:resource"], f"instance.{name}")
            assert tags["albatross:host-key"].startswith("ssh-ed25519 "), f"{name} has no pinned host key: {tags}"
            self.ids[name] = instance["InstanceId"]
            (self.ids[f"{name} address"],) = instance["VpcAttributes"]["PrivateIpAddress"]["IpAddress"]

    def rules(self):
        """SSH from one range, the chat from the vSwitches, Redis from the nodes; nothing else."""
        answer = self.cloud("Ecs.DescribeSecurityGroupAttribute", SecurityGroupId=self.ids["group"], Direction="ingress")
        seen = {
            (rule["Description"].removeprefix(f"albatross.{STACK}.security_rule."), rule["PortRange"], network(rule["SourceCidrIp"]))
            for rule in answer["Permissions"]["Permission"]
        }
        wanted = {("ssh-203.0.113.0-24", "22/22", "203.0.113.0/24")}
        wanted |= {(f"node-{letter}", f"{PORT}/{PORT}", block) for letter, block in RANGES.items()}
        wanted |= {(f"redis-{node}", "6379/6379", f"{self.ids[f'{node} address']}/32") for node in NODES}
        equal("rules", seen, wanted)

    def balancer(self):
        """A load balancer, its listener, its group, two healthy servers."""
        listed = one("load balancers", self.cloud("Alb.ListLoadBalancers", Tag=self.ours())["LoadBalancers"])
        balancer = self.cloud("Alb.GetLoadBalancerAttribute", LoadBalancerId=listed["LoadBalancerId"])
        wanted = {"AddressType": "Internet", "LoadBalancerEdition": "Basic", "LoadBalancerStatus": "Active"}
        contains("the load balancer", balancer, wanted | {"VpcId": self.ids["vpc"]})
        zones = {mapping["ZoneId"]: mapping["VSwitchId"] for mapping in balancer["ZoneMappings"]}
        equal("zones", zones, {zone: self.ids[letter] for letter, zone in ZONES.items()})
        self.ids["dns"] = balancer["DNSName"]
        group = one("server groups", self.cloud("Alb.ListServerGroups", Tag=self.ours())["ServerGroups"])
        check = {"HealthCheckEnabled": True, "HealthCheckProtocol": "HTTP", "HealthCheckMethod": "HEAD"}
        check |= {"HealthCheckPath": "/healthz", "HealthCheckCodes": ["http_2xx"]}
        sticky = {"StickySessionEnabled": True, "StickySessionType": "Insert", "CookieTimeout": 1000}
        wanted = {"VpcId": self.ids["vpc"], "Protocol": "HTTP", "Scheduler": "Wrr", "ServerGroupStatus": "Available"}
        contains("the group", group, wanted | {"HealthCheckConfig": check, "StickySessionConfig": sticky})
        servers = self.cloud("Alb.ListServerGroupServers", ServerGroupId=group["ServerGroupId"])["Servers"]
        seen = {(server["ServerId"], server["Port"], server["Weight"], server["Status"]) for server in servers}
        equal("servers", seen, {(self.ids[node], PORT, 100, "Available") for node in NODES})
        self.listener(balancer["LoadBalancerId"], group["ServerGroupId"])

    def listener(self, balancer, group):
        """One listener that forwards to the group."""
        listed = one("listeners", self.cloud("Alb.ListListeners", LoadBalancerIds=[balancer])["Listeners"])
        listener = self.cloud("Alb.GetListenerAttribute", ListenerId=listed["ListenerId"])
        wanted = {"ListenerPort": PORT, "ListenerProtocol": "HTTP", "IdleTimeout": 60, "RequestTimeout": 60}
        contains("the listener", listener, wanted | {"ListenerStatus": "Running", "LoadBalancerId": balancer})
        action = one("default actions", listener["DefaultActions"])
        equal("forwards to", one("groups", action["ForwardGroupConfig"]["ServerGroupTuples"])["ServerGroupId"], group)
        status = self.cloud("Alb.GetListenerHealthStatus", ListenerId=listed["ListenerId"])["ListenerHealthStatus"]
        unhealthy = [server for one in status for info in one["ServerGroupInfos"] for server in info["NonNormalServers"]]
        equal("servers that are not healthy", unhealthy, [])

    def name(self):
        """The domain itself is the load balancer's name."""
        records = self.cloud("Alidns.DescribeSubDomainRecords", SubDomain="@.example.com", Type="CNAME")
        record = one("records", records["DomainRecords"]["Record"])
        wanted = {"RR": "@", "Type": "CNAME", "Value": self.ids["dns"], "TTL": 600, "Remark": f"albatross.{STACK}"}
        contains("the record", record, wanted)


def network(source):
    """A source as a range: the cloud may leave out the length of a single address."""
    return source if "/" in source else f"{source}/32"


def resource_of(item, key="Key", value="Value"):
    """What a resource's tag says it is."""
    return {tag[key]: tag[value] for tag in item["Tags"]["Tag"]}.get("albatross:resource")

"""The old core with signature V1, as the CLI and Terraform use it: GET and POST, JSON and XML."""

import json
import warnings
import xml.etree.ElementTree as ElementTree

from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest, RpcRequest

from harness.build import IMAGE_FAMILY, INSTANCE_TYPE, VPC_RANGE, ZONES
from harness.check import contains, equal, has
from harness.process import REGION
from harness.registry import case

VERSIONS = {
    "Ecs": "2014-05-26",
    "Vpc": "2016-04-28",
    "Alb": "2020-06-16",
    "Alidns": "2015-01-09",
    "R-kvstore": "2015-01-01",
    "cas": "2020-04-07",
    "Sts": "2015-04-01",
}


def client(stage, secret=None):
    """The old core's client."""
    address = stage.instant.address
    return AcsClient(address.access_key_id, secret or address.access_key_secret, REGION, auto_retry=False)


def request(stage, operation, method, parameters):
    """A call as the old core knows it."""
    product, action = operation.rsplit(".", 1)
    made = CommonRequest(domain=stage.instant.address.host, version=VERSIONS[product], action_name=action)
    made.set_protocol_type("http")
    made.set_method(method)
    for name, value in parameters.items():
        if method == "POST":
            made.add_body_params(name, value)
        else:
            made.add_query_param(name, value)
    return made


def call(stage, operation, method, **parameters):
    """Sends a call as the old core does and answers the text of the reply."""
    return client(stage).do_action_with_exception(request(stage, operation, method, parameters)).decode()


def shape_is_known(stage, operation, reply):
    """Holds a reply of V1 against the model of V3: both versions answer alike."""
    product, action = operation.rsplit(".", 1)
    stage.instant.product(product).judge(action, reply)
    return reply


def both(stage, operation, **parameters):
    """The reply to GET, after POST has answered with the same fields."""
    replies = [json.loads(call(stage, operation, method, **parameters)) for method in ("POST", "GET")]
    equal(f"fields of {operation} by POST", sorted(replies[0]), sorted(replies[1]))
    return shape_is_known(stage, operation, replies[1])


READS = {
    "Sts.GetCallerIdentity": {},
    "Vpc.DescribeVpcs": {},
    "Vpc.DescribeVSwitches": {},
    "Vpc.DescribeZones": {},
    "Ecs.DescribeInstances": {},
    "Ecs.DescribeSecurityGroups": {},
    "Ecs.DescribeKeyPairs": {},
    "Ecs.DescribeImages": {"ImageFamily": IMAGE_FAMILY},
    "Ecs.DescribeAvailableResource": {"DestinationResource": "InstanceType", "InstanceType": INSTANCE_TYPE},
    "Alb.ListLoadBalancers": {},
    "Alb.ListServerGroups": {},
    "Alb.ListListeners": {},
    "Alidns.DescribeDomains": {},
    "Alidns.DescribeDomainRecords": {"DomainName": "example.com"},
    "R-kvstore.DescribeInstances": {},
    "R-kvstore.DescribeRegions": {},
    "cas.ListUserCertificateOrder": {"OrderType": "UPLOAD"},
}


def read_case(operation, parameters):
    """A case of one read with GET and POST."""

    def read(stage):
        assert both(stage, operation, **parameters)["RequestId"], "no RequestId"

    read.__module__ = __name__
    read.__name__ = f"{operation}_by_get_and_post"
    case(read)


for name, given in READS.items():
    read_case(name, given)


@case
def a_vpc_with_vswitch_is_made_by_post_and_read_by_get(stage):
    vpc = json.loads(call(stage, "Vpc.CreateVpc", "POST", CidrBlock=VPC_RANGE, VpcName="old hand + sons"))["VpcId"]
    read = json.loads(call(stage, "Vpc.DescribeVpcAttribute", "GET", VpcId=vpc))
    contains("the VPC", read, {"VpcId": vpc, "VpcName": "old hand + sons", "Status": "Available"})
    new = {"VpcId": vpc, "ZoneId": ZONES[0], "CidrBlock": "172.16.1.0/24"}
    vswitch = json.loads(call(stage, "Vpc.CreateVSwitch", "GET", **new))["VSwitchId"]
    equal("seen by the new SDK", stage("Vpc.DescribeVSwitchAttributes", VSwitchId=vswitch)["VpcId"], vpc)


@case
def a_list_of_objects_travels_flattened(stage):
    group = stage.build.server_group()
    instance = stage.build.instance()
    servers = {"Servers.1.ServerId": instance, "Servers.1.ServerType": "Ecs", "Servers.1.Port": 80}
    call(stage, "Alb.AddServersToServerGroup", "POST", ServerGroupId=group, **servers)
    stage.build.server_group_is_available(group)
    listed = json.loads(call(stage, "Alb.ListServerGroupServers", "GET", ServerGroupId=group))["Servers"]
    equal("servers", [(one["ServerId"], one["Port"]) for one in listed], [(instance, 80)])


@case
def xml_is_the_answer_when_it_is_asked_for(stage):
    wanted = request(stage, "Vpc.DescribeRegions", "GET", {})
    wanted.set_accept_format("XML")
    # Only this way of calling leaves the format as it is.
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        root = ElementTree.fromstring(client(stage).do_action(wanted))
    equal("root", root.tag, "DescribeRegionsResponse")
    has("regions", [one.text for one in root.findall("./Regions/Region/RegionId")], REGION)


@case
def a_wrong_secret_is_told_with_the_text_to_sign(stage):
    wanted = RpcRequest("Vpc", VERSIONS["Vpc"], "DescribeRegions")
    wanted.set_endpoint(stage.instant.address.host)
    wanted.set_protocol_type("http")
    try:
        client(stage, secret="wrong").do_action_with_exception(wanted)
    except ServerException as error:
        # The core holds the server's text to sign against its own; when both are equal it blames the secret.
        equal("code", error.get_error_code(), "InvalidAccessKeySecret")
    else:
        raise AssertionError("a wrong secret is good enough")


@case
def a_refusal_has_the_code_the_old_core_reads(stage):
    try:
        call(stage, "Ecs.StartInstance", "POST", InstanceId="i-bp1nobody")
    except ServerException as error:
        equal("code and status", (error.get_error_code(), error.get_http_status()), ("InvalidInstanceId.NotFound", 404))
        assert error.get_request_id(), "no RequestId"
    else:
        raise AssertionError("the call did not fail")

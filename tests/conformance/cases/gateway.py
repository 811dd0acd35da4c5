"""What the gateway refuses before any action is reached, and how errors look to the SDKs."""

import uuid

from alibabacloud_tea_openapi import utils_models
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException, ThrottlingException
from darabonba.runtime import RuntimeOptions

from harness.check import equal
from harness.registry import case, refused

OLD = "2020-01-01T00:00:00Z"


def with_key(stage, **settings):
    """DescribeRegions with other keys."""
    return stage.instant.client("Vpc", **settings)("DescribeRegions")


def twice_one_nonce(stage):
    """The same nonce in two calls."""
    headers = {"x-acs-signature-nonce": uuid.uuid4().hex}
    vpc = stage.instant.product("Vpc")
    vpc("DescribeRegions", headers=headers)
    return vpc("DescribeRegions", headers=headers)


def any_call(stage, action, version):
    """A call of whatever action and version."""
    params = utils_models.Params(
        action=action, version=version, protocol="HTTP", pathname="/", method="POST", auth_type="AK", style="RPC",
        req_body_type="formData", body_type="json",
    )
    return stage.instant.product("Vpc").sdk.do_request(params, utils_models.OpenApiRequest(), RuntimeOptions())


def throttled_once(stage):
    """The next DescribeZones is one too many."""
    fault = {"action": "Vpc.DescribeZones", "occurrence": 1, "fault": {"throttle": {}}}
    stage.instant.address.admin("faults", [fault])
    return stage("Vpc.DescribeZones")


refused("Vpc.DescribeRegions", "SignatureDoesNotMatch", lambda stage: with_key(stage, access_key_secret="wrong"))
refused("Vpc.DescribeRegions", "InvalidAccessKeyId.NotFound", lambda stage: with_key(stage, access_key_id="LTAInobody"))
refused(
    "Vpc.DescribeRegions",
    "InvalidTimeStamp.Expired",
    lambda stage: stage.instant.product("Vpc")("DescribeRegions", headers={"x-acs-date": OLD}),
)
refused("Vpc.DescribeRegions", "SignatureNonceUsed", twice_one_nonce)
refused("Vpc.NoSuchAction", "InvalidAction.NotFound", lambda stage: any_call(stage, "NoSuchAction", "2016-04-28"))
refused("Vpc.DescribeRegions", "InvalidVersion", lambda stage: any_call(stage, "DescribeVpcs", "1999-12-31"))
refused("Vpc.DescribeZones", "Throttling.User", throttled_once)


@case
def a_throttled_call_says_when_to_come_back(stage):
    try:
        throttled_once(stage)
    except ThrottlingException as error:
        assert error.retry_after > 0, f"retry_after is {error.retry_after}"
    else:
        raise AssertionError("the call was not throttled")
    stage("Vpc.DescribeZones")


@case
def a_server_error_is_one_for_the_sdk(stage):
    fault = {"action": "Vpc.DescribeZones", "occurrence": 1, "fault": {"server_error": {}}}
    stage.instant.address.admin("faults", [fault])
    try:
        stage("Vpc.DescribeZones")
    except ServerException as error:
        assert error.status_code >= 500, f"status {error.status_code}"
    else:
        raise AssertionError("the call did not fail")


@case
def an_error_has_what_the_sdk_reads_of_it(stage):
    try:
        stage("Ecs.StartInstance", InstanceId="i-bp1nobody")
    except ClientException as error:
        assert error.request_id and error.request_id != "None", "no RequestId"
        equal("Code", error.data["Code"], "InvalidInstanceId.NotFound")
        equal("HostId", error.data["HostId"], stage.instant.address.host)
        assert error.data["Message"], "no Message"
    else:
        raise AssertionError("the call did not fail")


@case
def a_required_parameter_that_is_missing_is_named(stage):
    try:
        stage("Vpc.CreateVSwitch", VpcId="vpc-x", ZoneId="cn-hangzhou-h")
    except ClientException as error:
        equal("status", error.status_code, 400)
        assert "CidrBlock" in error.code + error.message, f"CidrBlock is not named: {error.code} {error.message}"
    else:
        raise AssertionError("the call did not fail")


@case
def the_reply_of_the_sdk_has_a_request_id_in_capitals(stage):
    request_id = stage("Vpc.DescribeRegions")["RequestId"]
    equal("RequestId", request_id, str(uuid.UUID(request_id)).upper())

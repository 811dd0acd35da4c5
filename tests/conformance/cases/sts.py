"""STS: who is calling, and keys for a while."""

import base64
import json
import time

from harness.check import contains, equal
from harness.refusals import code_of
from harness.registry import case, refused

SESSION = "conformance"


def user(stage):
    """STS as a RAM user: an account itself may not assume roles."""
    keys = stage.instant.address.ready["ram_user"]
    key = {name: keys[name] for name in ("access_key_id", "access_key_secret")}
    return stage.instant.client("Sts", **key)


def role(stage):
    """A role there is."""
    return stage.instant.address.ready["roles"][0]


def assume(stage, **more):
    """AssumeRole with something different."""
    return user(stage)("AssumeRole", **({"RoleArn": role(stage), "RoleSessionName": SESSION} | more))


def with_session(stage, credentials, product="Sts", token=None):
    """A client that signs with temporary keys."""
    settings = {"access_key_id": credentials["AccessKeyId"], "access_key_secret": credentials["AccessKeySecret"]}
    return stage.instant.client(product, security_token=token or credentials["SecurityToken"], **settings)


def id_token(stage, **claims):
    """A token of the provider that is registered; nobody has the keys to verify it with."""
    provider = stage.instant.address.ready["oidc_provider"]
    known = {"iss": provider["issuer"], "aud": provider["client_ids"][0], "exp": int(time.time()) + 600}
    known |= {"iat": int(time.time()), "sub": "repository:conformance"} | claims
    parts = [json.dumps({"alg": "RS256", "typ": "JWT"}), json.dumps(known), "signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def assume_with_token(stage, token):
    """AssumeRoleWithOIDC, which nobody signs."""
    provider = stage.instant.address.ready["oidc_provider"]["arn"]
    new = {"RoleArn": role(stage), "OIDCProviderArn": provider, "OIDCToken": token, "RoleSessionName": SESSION}
    return stage("Sts.AssumeRoleWithOIDC", **new)


@case
def the_caller_is_the_account(stage):
    account = stage.instant.address.account_id
    identity = stage("Sts.GetCallerIdentity")
    contains("the caller", identity, {"AccountId": account, "IdentityType": "Account"})
    equal("Arn", identity["Arn"], f"acs:ram::{account}:root")


@case
def the_caller_is_a_user(stage):
    identity = user(stage)("GetCallerIdentity")
    name = stage.instant.address.ready["ram_user"]["name"]
    wanted = {"IdentityType": "RAMUser", "Arn": f"acs:ram::{stage.instant.address.account_id}:user/{name}"}
    contains("the caller", identity, wanted)


@case
def a_role_is_assumed_and_its_keys_work(stage):
    answer = assume(stage, DurationSeconds=900)
    credentials = answer["Credentials"]
    assert credentials["AccessKeyId"].startswith("STS."), f"an odd key: {credentials['AccessKeyId']}"
    identity = with_session(stage, credentials)("GetCallerIdentity")
    equal("IdentityType", identity["IdentityType"], "AssumedRoleUser")
    equal("PrincipalId", identity["PrincipalId"], answer["AssumedRoleUser"]["AssumedRoleId"])
    regions = with_session(stage, credentials, "Vpc")("DescribeRegions")["Regions"]["Region"]
    assert regions, "the session sees no region"


@case
def a_role_is_assumed_with_a_token_of_somebody_else(stage):
    answer = assume_with_token(stage, id_token(stage))
    contains("what was read of the token", answer["OIDCTokenInfo"], {"Subject": "repository:conformance"})
    identity = with_session(stage, answer["Credentials"])("GetCallerIdentity")
    equal("PrincipalId", identity["PrincipalId"], answer["AssumedRoleUser"]["AssumedRoleId"])


@case
def a_session_ends_when_it_says(stage):
    # The clock of the cloud is not ours: what can be held is how far off the end is.
    ends = assume(stage, DurationSeconds=1800)["Credentials"]["Expiration"]
    left = time.mktime(time.strptime(ends, "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime())
    assert abs(left - 1800) < 60, f"the session ends in {left:.0f} s, asked for 1800"


@case
def another_sessions_token_is_refused(stage):
    first, second = assume(stage)["Credentials"], assume(stage)["Credentials"]
    mixed = with_session(stage, first, token=second["SecurityToken"])
    equal("code", code_of(lambda: mixed("GetCallerIdentity")), "InvalidSecurityToken.MismatchWithAccessKey")


@case
def an_ended_token_of_the_provider_is_refused(stage):
    ended = id_token(stage, exp=int(time.time()) - 600)
    equal("code", code_of(lambda: assume_with_token(stage, ended)), "AuthenticationFail.OIDCToken.Expired")


refused("Sts.AssumeRole", "NoPermission", lambda stage: stage("Sts.AssumeRole", RoleArn=role(stage), RoleSessionName=SESSION))
refused(
    "Sts.AssumeRole",
    "EntityNotExist.Role",
    lambda stage: assume(stage, RoleArn=f"acs:ram::{stage.instant.address.account_id}:role/nobody"),
)
refused("Sts.AssumeRole", "InvalidParameter.RoleArn", lambda stage: assume(stage, RoleArn="nobody"))
refused("Sts.AssumeRole", "InvalidParameter.RoleSessionName", lambda stage: assume(stage, RoleSessionName="a b"))
refused("Sts.AssumeRole", "InvalidParameter.DurationSeconds", lambda stage: assume(stage, DurationSeconds=60))

"""STS: who is calling, and keys for a while."""

from harness.check import contains, equal
from harness.registry import case


@case
def the_caller_is_the_account(stage):
    account = stage.instant.address.account_id
    identity = stage("Sts.GetCallerIdentity")
    contains("the caller", identity, {"AccountId": account, "IdentityType": "Account"})
    equal("Arn", identity["Arn"], f"acs:ram::{account}:root")

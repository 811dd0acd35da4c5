// ECS: security groups and their rules, key pairs, tags.

import assert from "node:assert/strict";

import { publicKey } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { contains, one, sameSet } from "../harness/compare.js";
import { build, instant } from "../harness/stage.js";
import { waitFor } from "../harness/waiting.js";

const check = cases("ecs-groups");
const call = (action, fields) => instant.call(`Ecs.${action}`, fields);

async function rules(securityGroupId, direction) {
  return (await call("DescribeSecurityGroupAttribute", { securityGroupId, direction })).permissions.permission;
}

check("a group is made, listed, read and deleted", async () => {
  const { vpc: vpcId } = await build.shared();
  const more = { securityGroupName: build.name("sg"), description: "a test's", securityGroupType: "enterprise" };
  const securityGroupId = await build.group(vpcId, more);
  const list = async () => (await call("DescribeSecurityGroups", { securityGroupIds: JSON.stringify([securityGroupId]) })).securityGroups.securityGroup;
  contains("the group", one("groups", await list()), { securityGroupId, vpcId, ...more });
  const read = await call("DescribeSecurityGroupAttribute", { securityGroupId });
  contains("the group alone", read, { securityGroupId, securityGroupName: more.securityGroupName, vpcId });
  await call("DeleteSecurityGroup", { securityGroupId });
  assert.deepEqual(await list(), []);
});

check("rules are added once and removed, inwards", async () => {
  const securityGroupId = await build.group((await build.shared()).vpc);
  const rule = { ipProtocol: "TCP", portRange: "22/22", sourceCidrIp: "203.0.113.0/24", policy: "accept", priority: "7" };
  const permissions = [{ ...rule, description: "who may log in" }];
  await call("AuthorizeSecurityGroup", { securityGroupId, permissions });
  await call("AuthorizeSecurityGroup", { securityGroupId, permissions });
  const seen = one("rules", await rules(securityGroupId, "ingress"));
  const wanted = { portRange: "22/22", sourceCidrIp: "203.0.113.0/24", priority: "7", description: "who may log in", direction: "ingress" };
  contains("the rule", seen, wanted);
  await call("ModifySecurityGroupRule", { securityGroupId, securityGroupRuleId: seen.securityGroupRuleId, description: "who logs in" });
  const renamed = one("rules", await rules(securityGroupId, "ingress"));
  contains("the rule afterwards", renamed, { ...wanted, description: "who logs in", securityGroupRuleId: seen.securityGroupRuleId });
  assert.deepEqual([seen.policy.toLowerCase(), seen.ipProtocol.toLowerCase()], ["accept", "tcp"]);
  await call("RevokeSecurityGroup", { securityGroupId, permissions: [rule] });
  assert.deepEqual(await rules(securityGroupId, "ingress"), []);
});

check("a key pair is imported, listed by tag, used and deleted", async () => {
  const keyPairName = build.name("key");
  const tag = [{ key: "who", value: keyPairName }];
  const { keyPairFingerPrint } = await call("ImportKeyPair", { keyPairName, publicKeyBody: publicKey(), tag });
  assert.match(keyPairFingerPrint, /^[0-9a-f]{32}$/);
  const listed = one("key pairs", (await call("DescribeKeyPairs", { tag })).keyPairs.keyPair);
  contains("the key pair", listed, { keyPairName, keyPairFingerPrint });
  assert.deepEqual(listed.tags.tag.map((one) => ({ ...one })), [{ tagKey: "who", tagValue: keyPairName }]);
  const instanceId = await build.instance({ keyPairName });
  const users = (await call("DescribeInstances", { keyPairName })).instances.instance;
  assert.deepEqual(users.map((user) => user.instanceId), [instanceId]);
  await call("DeleteInstance", { instanceId, force: true });
  await waitFor("nobody has the key", async () => (await call("DescribeInstances", { keyPairName })).totalCount === 0);
  await call("DeleteKeyPairs", { keyPairNames: JSON.stringify([keyPairName]) });
  assert.equal((await call("DescribeKeyPairs", { keyPairName })).totalCount, 0);
});

check("tags are added, listed, selected by and removed", async () => {
  const instanceId = await build.instance();
  const target = { resourceType: "instance", resourceId: [instanceId] };
  await call("TagResources", { ...target, tag: [{ key: "stage", value: "test" }, { key: "owner", value: "nobody" }] });
  const tags = async () => (await call("ListTagResources", target)).tagResources.tagResource;
  sameSet("tags", (await tags()).map((one) => `${one.resourceId} ${one.tagKey}=${one.tagValue}`), [
    `${instanceId} owner=nobody`,
    `${instanceId} stage=test`,
  ]);
  await call("UntagResources", { ...target, all: true });
  assert.deepEqual(await tags(), []);
});

check("a group is found by its tag", async () => {
  const securityGroupId = await build.group((await build.shared()).vpc);
  const tag = [{ key: "found-by", value: "node & co" }];
  await call("TagResources", { resourceType: "securitygroup", resourceId: [securityGroupId], tag });
  const found = (await call("DescribeSecurityGroups", { tag })).securityGroups.securityGroup;
  assert.deepEqual(found.map((group) => group.securityGroupId), [securityGroupId]);
});

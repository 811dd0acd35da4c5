// STS: who is calling, and keys for a while.

import assert from "node:assert/strict";

import Core from "@alicloud/pop-core";

import { cases } from "../harness/cases.js";
import { contains } from "../harness/compare.js";
import { idToken } from "../harness/id-token.js";
import { errorOf } from "../harness/refusals.js";
import { instant } from "../harness/stage.js";

const check = cases("sts");
const { account, ready } = instant.address;
const roleArn = `acs:ram::${account.id}:role/albatross`;
const { access_key_id: accessKeyId, access_key_secret: accessKeySecret } = ready.ram_user;
const user = instant.with({ accessKeyId, accessKeySecret });

/** A cloud that is called with temporary keys. */
function as(credentials, settings = {}) {
  const { accessKeyId: id, accessKeySecret: secret, securityToken } = credentials;
  return instant.with({ accessKeyId: id, accessKeySecret: secret, securityToken, ...settings });
}

check("the caller is the account", async () => {
  const identity = await instant.call("Sts.GetCallerIdentity");
  contains("the caller", identity, { accountId: account.id, identityType: "Account", arn: `acs:ram::${account.id}:root` });
});

check("the account itself may assume no role", async () => {
  const error = await errorOf(() => instant.call("Sts.AssumeRole", { roleArn, roleSessionName: "node" }));
  contains("the error", error, { code: "NoPermission", statusCode: 403 });
});

check("a user assumes a role, and its keys work with either signature", async () => {
  contains("the user", await user.call("Sts.GetCallerIdentity"), { accountId: account.id, identityType: "RAMUser" });
  const before = Date.now();
  const answer = await user.call("Sts.AssumeRole", { roleArn, roleSessionName: "node-session", durationSeconds: 900 });
  const { credentials } = answer;
  assert.match(credentials.accessKeyId, /^STS\./);
  const life = (Date.parse(credentials.expiration) - before) / 1000;
  assert.ok(life > 890 && life <= 901, `the keys live for ${life} s`);
  assert.match(answer.assumedRoleUser.assumedRoleId, /:node-session$/);
  for (const settings of [{}, { signatureAlgorithm: "v2" }]) {
    const identity = await as(credentials, settings).call("Sts.GetCallerIdentity");
    contains("the caller", identity, { identityType: "AssumedRoleUser", accountId: account.id });
    assert.ok(identity.arn.endsWith(":assumed-role/albatross/node-session"), identity.arn);
  }
  await as(credentials).call("Ecs.DescribeInstances");
  const old = new Core.RPCClient({ endpoint: instant.address.endpoint, apiVersion: "2015-04-01", ...credentials });
  assert.equal((await old.request("GetCallerIdentity", {}, { method: "POST" })).IdentityType, "AssumedRoleUser");
});

check("temporary keys need their own token", async () => {
  const sessions = [];
  for (const roleSessionName of ["first", "second"]) sessions.push((await user.call("Sts.AssumeRole", { roleArn, roleSessionName })).credentials);
  const [{ accessKeyId: id, accessKeySecret: secret }, { securityToken }] = sessions;
  const mixed = await errorOf(() => instant.with({ accessKeyId: id, accessKeySecret: secret, securityToken }).call("Vpc.DescribeRegions"));
  assert.equal(mixed.code, "InvalidSecurityToken.MismatchWithAccessKey");
  const malformed = await errorOf(() => instant.with({ accessKeyId: id, accessKeySecret: secret, securityToken: "x" }).call("Vpc.DescribeRegions"));
  assert.equal(malformed.code, "InvalidSecurityToken.Malformed");
  await errorOf(() => instant.with({ accessKeyId: id, accessKeySecret: secret }).call("Vpc.DescribeRegions"));
});

check("roles that do not exist and odd durations are refused", async () => {
  const nobody = await errorOf(() => user.call("Sts.AssumeRole", { roleArn: `acs:ram::${account.id}:role/nobody`, roleSessionName: "node" }));
  contains("the error", nobody, { code: "EntityNotExist.Role", statusCode: 404 });
  for (const durationSeconds of [899, 1_000_000]) {
    const error = await errorOf(() => user.call("Sts.AssumeRole", { roleArn, roleSessionName: "node", durationSeconds }));
    assert.equal(error.statusCode, 400, error.message);
    assert.match(error.code, /DurationSeconds/);
  }
});

check("a token of an identity provider is good for a role", async () => {
  const fields = { roleArn, OIDCProviderArn: ready.oidc_provider.arn, roleSessionName: "federated" };
  // The SDK sends this action without a key and without a signature, and needs none itself.
  const { credentials } = await instant.call("Sts.AssumeRoleWithOIDC", { ...fields, OIDCToken: idToken(ready.oidc_provider) });
  const identity = await as(credentials).call("Sts.GetCallerIdentity");
  assert.ok(identity.arn.endsWith(":assumed-role/albatross/federated"), identity.arn);
  for (const claims of [{ exp: 1 }, { iss: "https://elsewhere.example" }, { aud: "somebody-else" }]) {
    const error = await errorOf(() => instant.call("Sts.AssumeRoleWithOIDC", { ...fields, OIDCToken: idToken(ready.oidc_provider, claims) }));
    assert.match(error.code, /^AuthenticationFail\./, `${JSON.stringify(claims)}: ${error.message}`);
  }
});

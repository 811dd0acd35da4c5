// ALB: forwarding rules, further certificates, access logs, security groups, policies.

import assert from "node:assert/strict";

import { forward } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { certificateFor } from "../harness/certificate.js";
import { contains, has, one } from "../harness/compare.js";
import { build, instant } from "../harness/stage.js";
import { waitFor } from "../harness/waiting.js";

const check = cases("alb-rules");
const call = (action, fields) => instant.call(`Alb.${action}`, fields);
const balancer = (loadBalancerId) => call("GetLoadBalancerAttribute", { loadBalancerId });

async function rules(search) {
  return (await call("ListRules", search)).rules;
}

async function settledRule(ruleId) {
  const look = async () => one("rules", await rules({ ruleIds: [ruleId] }));
  await waitFor(`${ruleId} is Available`, async () => (await look()).ruleStatus === "Available");
  return look();
}

check("a rule is made, read, changed and deleted", async () => {
  const [listenerId, serverGroupId] = [await build.listener(), await build.serverGroup()];
  const tuples = [{ serverGroupId, weight: 50 }];
  const made = {
    priority: 20,
    ruleName: "first",
    ruleConditions: [
      { type: "Path", pathConfig: { values: ["/a/*", "/b"] } },
      { type: "Header", headerConfig: { key: "x-tenant", values: ["blue & green"] } },
    ],
    ruleActions: [{ order: 1, type: "ForwardGroup", forwardGroupConfig: { serverGroupTuples: tuples } }],
  };
  const { ruleId } = await call("CreateRule", { listenerId, ...made });
  const seen = await settledRule(ruleId);
  contains("the rule", seen, { ruleId, listenerId, priority: 20, ruleName: "first", loadBalancerId: await build.sharedBalancer() });
  const condition = (type) => seen.ruleConditions.find((one) => one.type === type);
  contains("the path", condition("Path"), { pathConfig: { values: ["/a/*", "/b"] } });
  contains("the header", condition("Header"), { headerConfig: { key: "x-tenant", values: ["blue & green"] } });
  const action = one("actions", seen.ruleActions);
  contains("the action", action, { type: "ForwardGroup", order: 1 });
  assert.equal(one("groups", action.forwardGroupConfig.serverGroupTuples).serverGroupId, serverGroupId);
  const redirectConfig = { host: "elsewhere.example.com", httpCode: "302" };
  const change = { priority: 30, ruleName: "second", ruleActions: [{ order: 1, type: "Redirect", redirectConfig }] };
  await call("UpdateRuleAttribute", { ruleId, ...change });
  const changed = await settledRule(ruleId);
  contains("the changed rule", changed, { priority: 30, ruleName: "second" });
  contains("its action", one("actions", changed.ruleActions), { type: "Redirect", redirectConfig });
  await call("DeleteRule", { ruleId });
  await waitFor(`${ruleId} is gone`, async () => (await rules({ listenerIds: [listenerId] })).length === 0);
});

check("more certificates join a listener and leave it", async () => {
  const ids = [];
  for (const name of ["one.node.example.com", "two.node.example.com"]) {
    const { certificate, key } = certificateFor(name);
    const { certId } = await instant.call("cas.UploadUserCertificate", { name: build.name("cert"), cert: certificate, key });
    ids.push(`${certId}-cn-hangzhou`);
  }
  const [first, second] = ids;
  const listenerId = await build.listener({ listenerProtocol: "HTTPS", certificates: [{ certificateId: first }] });
  const listed = async () => {
    const { certificates } = await call("ListListenerCertificates", { listenerId });
    return Object.fromEntries(certificates.map((one) => [one.certificateId, `${one.isDefault} ${one.status}`]));
  };
  const certificates = [{ certificateId: second }];
  await call("AssociateAdditionalCertificatesWithListener", { listenerId, certificates });
  await waitFor("both are Associated", async () => (await listed())[second] === "false Associated");
  assert.equal((await listed())[first], "true Associated");
  await build.listenerIs(listenerId, "Running");
  await call("DissociateAdditionalCertificatesFromListener", { listenerId, certificates });
  await waitFor("one is left", async () => Object.keys(await listed()).join() === first);
});

check("an access log is kept", async () => {
  const loadBalancerId = await build.balancer();
  const log = { logProject: "node-project", logStore: "node-store" };
  await call("EnableLoadBalancerAccessLog", { loadBalancerId, ...log });
  await waitFor("the log is on", async () => (await balancer(loadBalancerId)).accessLogConfig?.logProject);
  contains("the log", (await balancer(loadBalancerId)).accessLogConfig, log);
});

check("a balancer joins a security group", async () => {
  const loadBalancerId = await build.balancer();
  const group = await build.group((await build.shared()).vpc);
  await call("LoadBalancerJoinSecurityGroup", { loadBalancerId, securityGroupIds: [group] });
  await waitFor("the group is shown", async () => (await balancer(loadBalancerId)).securityGroupIds?.includes(group));
});

check("policies of TLS are listed", async () => {
  const { securityPolicies } = await call("ListSystemSecurityPolicies");
  const policy = securityPolicies.find((one) => one.securityPolicyId === "tls_cipher_policy_1_2");
  assert.deepEqual(policy.TLSVersions, ["TLSv1.2"]);
  has("ciphers", policy.ciphers, "ECDHE-RSA-AES128-GCM-SHA256");
});

check("a rule's priority is taken once", async () => {
  const listenerId = await build.listener({ defaultActions: forward(await build.serverGroup()) });
  const ruleActions = [{ order: 1, type: "FixedResponse", fixedResponseConfig: { content: "gone", contentType: "text/plain", httpCode: "410" } }];
  const fields = { listenerId, priority: 5, ruleName: "taken", ruleActions, ruleConditions: [{ type: "Path", pathConfig: { values: ["/"] } }] };
  const { ruleId } = await call("CreateRule", fields);
  contains("the answer", one("actions", (await settledRule(ruleId)).ruleActions), { fixedResponseConfig: { content: "gone", httpCode: "410" } });
  await assert.rejects(call("CreateRule", fields), { code: "Conflict.Priority", statusCode: 400 });
});

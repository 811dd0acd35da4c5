// Asks the official credential chain for a key, in the environment this is started in, and prints what it found.
//
//   node chain-probe.js SERVICE         the key's id, and whether a token goes with it
//   node chain-probe.js SERVICE CLOUD   who the caller is, asked by the STS client at CLOUD with the chain's keys
//
// What the library asks metadata services and STS goes to SERVICE.

import Credential from "@alicloud/credentials";

import { redirectTo } from "./redirect.js";

const [service, cloud] = process.argv.slice(2);
redirectTo(service);

async function found() {
  const credential = new Credential.default();
  if (cloud === undefined) {
    const { accessKeyId, securityToken, providerName } = await credential.getCredential();
    return { signs: accessKeyId, token: Boolean(securityToken), place: providerName };
  }
  // Most callers want the key alone, and are there sooner without the clients.
  const { default: core } = await import("@alicloud/openapi-core");
  const { default: sts } = await import("@alicloud/sts20150401");
  const config = new core.$OpenApiUtil.Config({ credential, endpoint: new URL(cloud).host, protocol: "http" });
  const { body } = await new sts.default(config).getCallerIdentity();
  return { identityType: body.identityType, arn: body.arn };
}

try {
  console.log(JSON.stringify(await found()));
} catch (error) {
  console.log(JSON.stringify({ signs: null, token: false, why: error.message }));
}

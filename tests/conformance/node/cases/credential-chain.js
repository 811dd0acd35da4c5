// The official credential chain for JavaScript, case by case as the table has it; albatross is held against the same.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { cases } from "../harness/cases.js";
import { contains } from "../harness/compare.js";
import { idToken } from "../harness/id-token.js";
import { KeyServer } from "../harness/key-server.js";
import { folder, instant } from "../harness/stage.js";

const check = cases("credential-chain");
const run = promisify(execFile);
const PROBE = fileURLToPath(new URL("../harness/chain-probe.js", import.meta.url));
const table = JSON.parse(await readFile(new URL("../../credential_chain.json", import.meta.url), "utf8"));

for (const one of table.cases) {
  check(one.name, async () => {
    const server = await KeyServer.start(one.metadata);
    try {
      const wanted = { signs: one.signs, token: one.token ?? false, ...one.javascript };
      const { signs, token, ...more } = await probe(one, server.address);
      assert.deepEqual({ signs, token }, wanted, JSON.stringify(more));
    } finally {
      await server.end();
    }
  });
}

const { account, endpoint, ready } = instant.address;
const user = { access_key_id: ready.ram_user.access_key_id, access_key_secret: ready.ram_user.access_key_secret };
const role = { ram_role_arn: ready.roles[0], ram_session_name: "chain" };

/** A configuration of the aliyun program whose current profile is the last one. */
function configuration(...profiles) {
  return { files: { ".aliyun/config.json": { current: profiles.at(-1).name, profiles } } };
}

const CALLERS = {
  "a key of the environment": [
    { variables: { ALIBABA_CLOUD_ACCESS_KEY_ID: account.access_key_id, ALIBABA_CLOUD_ACCESS_KEY_SECRET: account.access_key_secret } },
    { identityType: "Account", arn: `acs:ram::${account.id}:root` },
  ],
  "a profile's key": [configuration({ name: "work", mode: "AK", ...user }), { identityType: "RAMUser" }],
  "a profile's role": [
    configuration({ name: "work", mode: "RamRoleArn", ...user, ...role }),
    { identityType: "AssumedRoleUser", arn: `acs:ram::${account.id}:assumed-role/albatross/chain` },
  ],
  "the role of a profile that stands on another": [
    configuration({ name: "base", mode: "AK", ...user }, { name: "work", mode: "ChainableRamRoleArn", source_profile: "base", ...role }),
    { identityType: "AssumedRoleUser", arn: `acs:ram::${account.id}:assumed-role/albatross/chain` },
  ],
};

for (const [what, [setting, caller]] of Object.entries(CALLERS)) {
  check(`mock-cloud knows the caller by ${what}`, async () => {
    contains("the caller", await probe(setting, endpoint, endpoint), caller);
  });
}

check("a workload's token opens a role of mock-cloud", async () => {
  const setting = {
    files: { "id-token": [idToken(ready.oidc_provider)] },
    variables: {
      ALIBABA_CLOUD_ROLE_ARN: ready.roles[0],
      ALIBABA_CLOUD_ROLE_SESSION_NAME: "pod",
      ALIBABA_CLOUD_OIDC_PROVIDER_ARN: ready.oidc_provider.arn,
      ALIBABA_CLOUD_OIDC_TOKEN_FILE: "{home}/id-token",
    },
  };
  contains("the caller", await probe(setting, endpoint, endpoint), { arn: `acs:ram::${account.id}:assumed-role/albatross/pod` });
});

check("the chain says what is wrong when mock-cloud refuses the role", async () => {
  const setting = configuration({ name: "work", mode: "RamRoleArn", ...user, ...role, access_key_secret: "wrong" });
  // The library compares the string to sign that the cloud tells with its own, and so knows that the secret is to blame.
  const { why } = await probe(setting, endpoint, endpoint);
  assert.match(why, /the access key secret is invalid/);
});

/** What the library finds in a home folder and an environment of this case alone. */
async function probe({ files = {}, variables = {} }, server, ...cloud) {
  const home = await mkdtemp(join(folder, "home-"));
  const filled = (text) => text.replaceAll("{home}", home).replaceAll("{server}", server);
  for (const [name, content] of Object.entries(files)) {
    const text = Array.isArray(content) ? content.map((line) => `${line}\n`).join("") : JSON.stringify(content);
    await mkdir(dirname(join(home, name)), { recursive: true });
    await writeFile(join(home, name), filled(text), { mode: 0o600 });
  }
  const own = Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, filled(value)]));
  const env = { PATH: process.env.PATH, HOME: home, ...own };
  const { stdout } = await run(process.execPath, [PROBE, server, ...cloud], { env });
  return JSON.parse(stdout);
}

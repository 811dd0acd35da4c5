// Alidns: records from their making to their end, the domain they belong to.

import assert from "node:assert/strict";

import { cases } from "../harness/cases.js";
import { contains, has, one, sameSet } from "../harness/compare.js";
import { instant } from "../harness/stage.js";

const check = cases("alidns");
const DOMAIN = "example.com";
const call = (action, fields) => instant.call(`Alidns.${action}`, fields);

async function add(RR, type, value, more = {}) {
  return (await call("AddDomainRecord", { domainName: DOMAIN, RR, type, value, ...more })).recordId;
}

async function records(RR) {
  return (await call("DescribeSubDomainRecords", { subDomain: `${RR}.${DOMAIN}` })).domainRecords.record;
}

check("a record is added, read, changed, annotated and deleted", async () => {
  const recordId = await add("node-one", "A", "192.0.2.1", { TTL: 600 });
  assert.match(recordId, /^\d+$/);
  const wanted = { recordId, RR: "node-one", type: "A", value: "192.0.2.1", TTL: 600, line: "default", locked: false };
  contains("the record", await call("DescribeDomainRecordInfo", { recordId }), { ...wanted, domainName: DOMAIN, status: "ENABLE" });
  contains("in the list", one("records", await records("node-one")), wanted);
  await call("UpdateDomainRecord", { recordId, RR: "node-one", type: "A", value: "192.0.2.2", TTL: 1200 });
  contains("the changed record", await call("DescribeDomainRecordInfo", { recordId }), { value: "192.0.2.2", TTL: 1200 });
  await call("UpdateDomainRecordRemark", { recordId, remark: "a test's" });
  assert.equal(one("records", await records("node-one")).remark, "a test's");
  await call("DeleteDomainRecord", { recordId });
  assert.deepEqual(await records("node-one"), []);
});

check("texts travel as they are", async () => {
  const value = 'v=spf1 include:_spf.example.net ~all; "quoted" & (more) *~!\'';
  const recordId = await add("node-text", "TXT", value);
  assert.equal((await call("DescribeDomainRecordInfo", { recordId })).value, value);
});

check("a record is paused and resumed", async () => {
  const recordId = await add("node-two", "A", "192.0.2.1");
  for (const status of ["Disable", "Enable"]) {
    const answer = await call("SetDomainRecordStatus", { recordId, status });
    contains("the answer", answer, { recordId });
    assert.equal(answer.status.toLowerCase(), status.toLowerCase());
    assert.equal((await call("DescribeDomainRecordInfo", { recordId })).status.toLowerCase(), status.toLowerCase());
  }
});

check("records are searched by page and deleted by name", async () => {
  const values = ["192.0.2.3", "192.0.2.4", "192.0.2.5"];
  for (const value of values) await add("node-three", "A", value);
  await add("node-thirty", "TXT", "hello");
  const seen = [];
  for (const pageNumber of [1, 2]) {
    const search = { domainName: DOMAIN, RRKeyWord: "node-thre", typeKeyWord: "A", pageSize: 2, pageNumber };
    const page = await call("DescribeDomainRecords", search);
    contains("the page", page, { pageNumber, pageSize: 2, totalCount: 3 });
    seen.push(...page.domainRecords.record.map((one) => one.value));
  }
  sameSet("values of both pages", seen, values);
  contains("the answer", await call("DeleteSubDomainRecords", { domainName: DOMAIN, RR: "node-three", type: "A" }), { RR: "node-three", totalCount: "3" });
  assert.deepEqual(await records("node-three"), []);
  assert.equal((await records("node-thirty")).length, 1);
});

check("the domain is described", async () => {
  const domains = (await call("DescribeDomains")).domains.domain;
  has("domains", domains.map((one) => one.domainName), DOMAIN);
  const info = await call("DescribeDomainInfo", { domainName: DOMAIN });
  contains("the domain", info, { domainName: DOMAIN, domainId: domains.find((one) => one.domainName === DOMAIN).domainId });
  assert.ok(info.minTtl > 0 && info.minTtl <= 600, `minTtl is ${info.minTtl}`);
  const { dnsServers, allAliDns } = await call("DescribeDomainNs", { domainName: DOMAIN });
  sameSet("name servers", dnsServers.dnsServer, info.dnsServers.dnsServer);
  assert.equal(allAliDns, true);
});

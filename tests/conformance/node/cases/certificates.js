// CAS: certificates; and the HTTPS listener that serves one. The SDK's newest release knows four of the six actions.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";

import { cases } from "../harness/cases.js";
import { certificateFor } from "../harness/certificate.js";
import { contains, one } from "../harness/compare.js";
import { build, instant } from "../harness/stage.js";

const check = cases("certificates");
const call = (action, fields) => instant.call(`cas.${action}`, fields);

check("a certificate is uploaded, read, listed and deleted", async () => {
  const { certificate, key } = certificateFor("shop.node.example.com");
  const name = build.name("cert");
  const { certId } = await call("UploadUserCertificate", { name, cert: certificate, key });
  const read = await call("GetUserCertificateDetail", { certId });
  const wanted = { id: certId, name, common: "shop.node.example.com", expired: false, certIdentifier: `${certId}-cn-hangzhou` };
  contains("the certificate", read, wanted);
  assert.equal(read.cert.trim(), certificate.trim());
  assert.equal(read.key.trim(), key.trim());
  const { fingerprint, serialNumber } = new X509Certificate(certificate);
  const plain = (text) => text.replaceAll(":", "").toLowerCase();
  assert.equal(plain(read.fingerprint), plain(fingerprint));
  assert.equal(plain(read.serialNo), plain(serialNumber));
  const hidden = await call("GetUserCertificateDetail", { certId, certFilter: true });
  assert.ok(!hidden.key && !hidden.cert, "certFilter hides nothing");
  const search = { orderType: "UPLOAD", keyword: "shop.node.example.com" };
  const page = await call("ListUserCertificateOrder", { ...search, currentPage: 1, showSize: 10 });
  contains("the page", page, { currentPage: 1, showSize: 10, totalCount: 1 });
  contains("in the list", one("orders", page.certificateOrderList), { certificateId: certId, name, upload: true });
  await call("DeleteUserCertificate", { certId });
  assert.equal((await call("ListUserCertificateOrder", search)).totalCount, 0);
});

check("an HTTPS listener serves a certificate", async () => {
  const { certificate, key } = certificateFor("tls.node.example.com");
  const { certId } = await call("UploadUserCertificate", { name: build.name("cert"), cert: certificate, key });
  const certificateId = `${certId}-cn-hangzhou`;
  const listenerId = await build.listener({ listenerProtocol: "HTTPS", certificates: [{ certificateId }] });
  const listener = await instant.call("Alb.GetListenerAttribute", { listenerId });
  contains("the listener", listener, { listenerProtocol: "HTTPS", securityPolicyId: "tls_cipher_policy_1_0", http2Enabled: true });
  assert.deepEqual(listener.certificates.map((one) => one.certificateId), [certificateId]);
});

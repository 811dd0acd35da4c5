// Has the official credential library send to a service of ours what it would send to addresses it knows by heart.

import http from "@alicloud/credentials/dist/src/providers/http.js";

/** The metadata service, STS, and the host that is asked when no address of a service that gives keys is set. */
const KNOWN = /^(100\.100\.100\.200|sts[-.a-z0-9]*\.aliyuncs\.com|undefined)$/;

/** From now on. */
export function redirectTo(service) {
  const send = http.doRequest;
  http.doRequest = (request) => {
    const url = new URL(request.toRequestURL());
    if (KNOWN.test(url.hostname)) request.url = `${service}${url.pathname}${url.search}`;
    return send(request);
  };
}

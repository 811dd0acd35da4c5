// An OIDC token as a cluster gives it to its workloads; nobody checks its signature here.

/** A token that a provider of the cloud would have issued, but for these claims. */
export function idToken({ issuer, client_ids: [audience] }, claims = {}) {
  const now = Math.floor(Date.now() / 1000);
  const body = { iss: issuer, aud: audience, sub: "system:serviceaccount:node", iat: now, exp: now + 600, ...claims };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return [part({ alg: "RS256", typ: "JWT", kid: "1" }), part(body), Buffer.from("signature").toString("base64url")].join(".");
}

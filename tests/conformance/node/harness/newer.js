// Fields that official SDKs for other languages know and the newest ones for TypeScript do not yet.
//
// They are expected, each by name: should an SDK learn one, or the cloud lose one, its case fails until it leaves here.

export const NEWER = {
  "Alb.GetListenerHealthStatus": ["ListenerHealthStatus[].ServerGroupInfos[].ServerCount is not a field the SDK knows"],
  "cas.GetUserCertificateDetail": ["CertSha2 is not a field the SDK knows", "Tags is not a field the SDK knows"],
};

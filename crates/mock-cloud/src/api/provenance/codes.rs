//! Codes of refusals that neither the metadata of any action nor the table of the gateway has. A test reads the source
//! and finds every code that is missing here, and every one that is here without need.

use super::Source;
use Source::{ClientCode, Documented, Guessed};

/// Code, why we think it is right, and what answers it.
pub const UNDOCUMENTED_CODES: &[(&str, Source, &str)] = &[
    ("AuthenticationFail.NoPermission", Documented, "AssumeRoleWithOIDC with an unknown provider"),
    ("AuthenticationFail.OIDCToken.AudienceNotMatch", Documented, "AssumeRoleWithOIDC"),
    ("AuthenticationFail.OIDCToken.Expired", Documented, "AssumeRoleWithOIDC"),
    ("AuthenticationFail.OIDCToken.Invalid", ClientCode, "AssumeRoleWithOIDC"),
    ("AuthenticationFail.OIDCToken.IssuerNotMatch", Documented, "AssumeRoleWithOIDC"),
    ("CertificateExpired", Guessed, "UploadUserCertificate"),
    ("DomainRecordValueInvalid", Guessed, "a value that does not fit its type"),
    ("IdempotenceProcessing", ClientCode, "ALB, for a token whose first call is under way,"),
    ("IncorrectDBInstanceState", Documented, "a change of a Redis instance that is not Normal"),
    ("IncorrectStatus.Eip", Guessed, "CreateLoadBalancer with an elastic IP address that is in use"),
    ("InvalidAccessKeyId", Documented, "object storage, for an unknown key,"),
    ("InvalidAccountName.NotFound", Guessed, "ResetAccountPassword of an unknown account"),
    ("InvalidDomainName.NoExist", ClientCode, "DescribeDomainInfo of an unknown domain"),
    ("InvalidNextToken", Guessed, "a list with a token it did not give"),
    ("InvalidPrivateIpAddress.AlreadyUsed", Documented, "a Redis instance on an address that is taken"),
    ("InvalidSecurityIPList.Format", Documented, "an allow list with what is no address"),
    ("InvalidSecurityIPList.QuotaExceeded", Documented, "an allow list with more than a thousand addresses"),
    ("InvalidVSwitchId.IpNotEnough", Guessed, "RunInstances in a vSwitch without addresses"),
    ("LastTokenProcessing", ClientCode, "VPC, for a token whose first call is under way,"),
    ("NameRepeat", Documented, "UploadUserCertificate with a name that is taken"),
    ("NotFound", Documented, "a certificate that is not in the store"),
    ("OperationDenied.ChargeType", Guessed, "DeleteInstance of a Redis subscription"),
    ("ParseCertificateFailed", Documented, "UploadUserCertificate with what is no certificate or key"),
    ("QuotaExceeded.TTL", Guessed, "a TTL that the edition does not have"),
    ("ResourceNotFound.Eip", Guessed, "CreateLoadBalancer with an elastic IP address that does not exist"),
];

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
    ("DomainRecordValueInvalid", Guessed, "a value that does not fit its type"),
    ("IdempotenceProcessing", ClientCode, "ALB, for a token whose first call is under way,"),
    ("InvalidDomainName.NoExist", ClientCode, "DescribeDomainInfo of an unknown domain"),
    ("InvalidNextToken", Guessed, "a list with a token it did not give"),
    ("InvalidVSwitchId.IpNotEnough", Guessed, "RunInstances in a vSwitch without addresses"),
    ("LastTokenProcessing", ClientCode, "VPC, for a token whose first call is under way,"),
    ("QuotaExceeded.TTL", Guessed, "a TTL that the edition does not have"),
];

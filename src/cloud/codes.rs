//! Codes that whoever calls takes for something else than a failure. Said once: what is done about them asks here, and
//! so does what is said about them.

pub(in crate::cloud) mod pattern;

/// Codes that mean the same; `*` stands for any text.
#[derive(Debug)]
pub struct Codes(&'static [&'static str]);

impl Codes {
    /// Whether a code is one of them; an error without a code is none.
    pub fn have(&self, code: Option<&str>) -> bool {
        code.is_some_and(|code| self.0.iter().any(|known| pattern::matches(known, code)))
    }
}

/// Whether what was asked for is there: whoever asked finds out whose it is.
pub fn is_there(code: Option<&str>) -> bool {
    [&KEY_PAIR_IS_THERE, &RECORD_IN_THE_WAY, &SERVER_IS_MEMBER, &ACCOUNT_IS_THERE]
        .iter()
        .any(|codes| codes.have(code))
}

/// An instance type cannot be had in this zone, with this disk, or any more.
pub const NOT_SOLD_HERE: Codes = Codes(&[
    "*NoStock*",
    "InvalidResourceType.NotSupported",
    "Zone.NotOnSale",
    "OperationDenied.ZoneSystemCategoryNotMatch",
    "InstanceType.Offline",
    "LackResource",
    "InvalidInstanceType.*",
]);
/// The market asks more for a spot instance of a type than its limit.
pub const SPOT_TOO_DEAR: Codes =
    Codes(&["InvalidSpotPriceLimit.LowerThanPublicPrice", "OperationDenied.SpotPriceLowerThanPublicPrice"]);
/// The temporary key has ended. Central services write it in another way than most.
pub const ENDED_KEY: Codes = Codes(&["InvalidSecurityToken.Expired", "SecurityTokenExpired"]);
/// A dry run passed.
pub const DRY_RUN_PASSED: Codes = Codes(&["DryRunOperation"]);
/// A key pair of this name is there.
pub const KEY_PAIR_IS_THERE: Codes = Codes(&["KeyPair.AlreadyExist"]);
/// A record is as it shall be.
pub const RECORD_UNCHANGED: Codes = Codes(&["DomainRecordDuplicate"]);
/// A record of this name is there: this very one, or one that cannot stand beside it.
pub const RECORD_IN_THE_WAY: Codes = Codes(&["DomainRecordDuplicate", "DomainRecordConflict"]);
/// An instance is not stopped, so that it cannot be started.
pub const NOT_STOPPED: Codes = Codes(&["IncorrectInstanceStatus"]);
/// A managed Redis has an account of this name.
pub const ACCOUNT_IS_THERE: Codes = Codes(&["InvalidAccountName.Duplicate"]);
/// A server is in its group.
pub const SERVER_IS_MEMBER: Codes = Codes(&["Conflict.BackendServer", "ResourceAlreadyExist.BackendServer"]);

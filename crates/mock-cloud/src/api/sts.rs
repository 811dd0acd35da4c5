//! STS: who calls.

use serde_json::{Value, json};

use crate::api::{Call, Handler};
use crate::wire::ApiError;

pub(super) const ACTIONS: &[(&str, Handler)] = &[("GetCallerIdentity", get_caller_identity)];

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn get_caller_identity(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = &call.world.account.id;
    Ok(json!({
        "AccountId": id,
        "UserId": id,
        "PrincipalId": id,
        "Arn": format!("acs:ram::{id}:root"),
        "IdentityType": "Account",
    }))
}

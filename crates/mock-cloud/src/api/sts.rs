//! STS: who calls, and temporary keys for who may assume a role.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::oidc::{self, IdToken};
use crate::api::{Call, Handler};
use crate::auth::TOKEN_MARK;
use crate::secret::Secret;
use crate::wire::{ApiError, Parameters};
use crate::world::account::{Account, Caller, Role};
use crate::world::meta::timestamp;
use crate::world::session::Session;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("GetCallerIdentity", get_caller_identity),
    ("AssumeRole", assume_role),
    ("AssumeRoleWithOIDC", assume_role_with_oidc),
];

/// Seconds a session lasts at least, and unless told.
const SHORTEST: i64 = 900;
const USUAL: i64 = 3_600;

/// Characters a session policy may have.
const LONGEST_POLICY: usize = 2_048;

fn get_caller_identity(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let account = &call.world.account;
    let id = &account.id;
    match call.caller {
        Caller::Root => Ok(json!({
            "AccountId": id,
            "UserId": id,
            "PrincipalId": id,
            "Arn": format!("acs:ram::{id}:root"),
            "IdentityType": "Account",
        })),
        Caller::User => Ok(json!({
            "AccountId": id,
            "UserId": account.user.id,
            "PrincipalId": account.user.id,
            "Arn": format!("acs:ram::{id}:user/{}", account.user.name),
            "IdentityType": "RAMUser",
        })),
        Caller::Role { role, session } => {
            let role_id = account.roles.get(role).map(|role| role.id.clone()).unwrap_or_default();
            Ok(json!({
                "AccountId": id,
                "PrincipalId": format!("{role_id}:{session}"),
                "RoleId": role_id,
                "Arn": format!("acs:ram::{id}:assumed-role/{role}/{session}"),
                "IdentityType": "AssumedRoleUser",
            }))
        }
        Caller::Anonymous => Err(ApiError::missing("AccessKeyId")),
    }
}

fn assume_role(call: &mut Call<'_>) -> Result<Value, ApiError> {
    if *call.caller == Caller::Root {
        return Err(ApiError::forbidden("NoPermission", "Roles may not be assumed by root accounts."));
    }
    let parameters = call.parameters;
    check_external_id(parameters)?;
    let role = named_role(&call.world.account, parameters.required("RoleArn")?)?;
    open_session(call, &role)
}

fn assume_role_with_oidc(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (parameters, now) = (call.parameters, call.world.now);
    let account = &call.world.account;
    let provider = parameters.required("OIDCProviderArn")?;
    let (role_arn, token) = (parameters.required("RoleArn")?, parameters.required("OIDCToken")?);
    if provider != account.provider_arn() {
        return Err(ApiError::forbidden(
            "AuthenticationFail.NoPermission",
            "No such OIDC Provider registered.",
        ));
    }
    let token = IdToken::read(token)?;
    token.check(&account.provider, now)?;
    let role = named_role(account, role_arn)?;
    let mut reply = open_session(call, &role)?;
    reply["OIDCTokenInfo"] = oidc::describe(&token);
    Ok(reply)
}

/// The role of an ARN, `acs:ram::<account>:role/<name>`.
fn named_role(account: &Account, arn: &str) -> Result<Role, ApiError> {
    let malformed =
        || ApiError::bad_request("InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed.");
    let rest = arn.strip_prefix("acs:ram::").ok_or_else(malformed)?;
    let (owner, name) = rest.split_once(":role/").ok_or_else(malformed)?;
    let digits = !owner.is_empty() && owner.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || name.is_empty() {
        return Err(malformed());
    }
    let role = account.roles.get(name).filter(|_| owner == account.id).cloned();
    let message = format!("The role not exists: {arn}.");
    role.ok_or_else(|| ApiError::not_found("EntityNotExist.Role", message))
}

fn open_session(call: &mut Call<'_>, role: &Role) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let session = session_name(parameters)?;
    check_policy(parameters)?;
    let seconds = duration(parameters, role)?;
    let expires = call.world.now + seconds * 1_000;
    let material = call.fresh_material("session");
    let key_id = format!("STS.{}", hex::encode(&material[..12]));
    let secret = hex::encode(&call.fresh_material("session secret")[..22]);
    let token = security_token(call);
    let caller = Caller::Role { role: role.name.clone(), session: session.clone() };
    let opened = Session { secret: Secret::new(&secret), token: Secret::new(&token), caller, expires };
    let now = call.world.now;
    call.world.sessions.add(key_id.clone(), opened, now);
    let mut reply = json!({
        "Credentials": {
            "AccessKeyId": key_id,
            "AccessKeySecret": secret,
            "SecurityToken": token,
            "Expiration": timestamp(expires),
        },
        "AssumedRoleUser": {
            "Arn": format!("{}/{session}", call.world.account.role_arn(&role.name)),
            "AssumedRoleId": format!("{}:{session}", role.id),
        },
    });
    if let Some(identity) = parameters.text("SourceIdentity") {
        reply["SourceIdentity"] = json!(identity);
    }
    Ok(reply)
}

/// Opaque, and about as long as a real one is at least.
fn security_token(call: &mut Call<'_>) -> String {
    let bytes: Vec<u8> = (0..6).flat_map(|_| call.fresh_material("session token")).collect();
    format!("{TOKEN_MARK}{}", STANDARD.encode(bytes))
}

fn session_name(parameters: &Parameters) -> Result<String, ApiError> {
    let name = parameters.required("RoleSessionName")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || ".@-_".contains(c);
    if (2..=64).contains(&name.len()) && name.chars().all(fits) {
        return Ok(name.to_owned());
    }
    let message =
        "The parameter RoleSessionName is wrongly formed: 2 to 64 letters, digits and .@-_ are taken.";
    Err(ApiError::bad_request("InvalidParameter.RoleSessionName", message))
}

fn check_external_id(parameters: &Parameters) -> Result<(), ApiError> {
    match parameters.text("ExternalId") {
        Some(id) if !(2..=1_224).contains(&id.chars().count()) => {
            let message = "The parameter ExternalId has 2 to 1224 characters.";
            Err(ApiError::bad_request("InvalidParameter.ExternalId", message))
        }
        _ => Ok(()),
    }
}

fn check_policy(parameters: &Parameters) -> Result<(), ApiError> {
    let Some(policy) = parameters.text("Policy") else {
        return Ok(());
    };
    if policy.chars().count() > LONGEST_POLICY {
        let message = format!("The parameter Policy has more than {LONGEST_POLICY} characters.");
        return Err(ApiError::bad_request("InvalidParameter.PolicySize", message));
    }
    let parsed: Option<Value> = serde_json::from_str(policy).ok();
    if parsed.is_some_and(|policy| policy["Version"].is_string() && policy["Statement"].is_array()) {
        return Ok(());
    }
    let message = "The parameter Policy has not passed grammar check.";
    Err(ApiError::bad_request("InvalidParameter.PolicyGrammar", message))
}

fn duration(parameters: &Parameters, role: &Role) -> Result<i64, ApiError> {
    let seconds = parameters.integer("DurationSeconds").unwrap_or(USUAL);
    if (SHORTEST..=role.session_seconds).contains(&seconds) {
        return Ok(seconds);
    }
    let message =
        format!("The parameter DurationSeconds is {SHORTEST} to {} for this role.", role.session_seconds);
    Err(ApiError::bad_request("InvalidParameter.DurationSeconds", message))
}

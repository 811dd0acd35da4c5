//! Accounts of Redis instances. The default one is named like the instance.

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::redis_instances::{find, require_idle, require_normal};
use crate::api::{Call, Handler, redis_rules};
use crate::secret::Secret;
use crate::wire::ApiError;
use crate::world::event::Event;
use crate::world::pace::Step;
use crate::world::redis::{RedisAccount, RedisStatus};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("CreateAccount", create_account),
    ("DescribeAccounts", describe_accounts),
    ("ResetAccountPassword", reset_account_password),
];

/// Accounts beside the default one.
const LIMIT: usize = 18;

fn create_account(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let own = find(call.world, parameters.required("InstanceId")?)?;
    let name = parameters.required("AccountName")?;
    redis_rules::check_account_name(name)?;
    let password = parameters.required("AccountPassword")?;
    redis_rules::check_password(password, "InvalidAccountPassword.Format")?;
    if let Some(text) = parameters.text("AccountDescription") {
        redis_rules::check_account_description(text)?;
    }
    let privilege = parameters.text_or("AccountPrivilege", "RoleReadWrite");
    if !["RoleReadOnly", "RoleReadWrite"].contains(&privilege.as_str()) {
        let message = format!("The privilege {privilege} is neither RoleReadOnly nor RoleReadWrite.");
        return Err(ApiError::bad_request("InvalidAccountPrivilege.Malformed", message));
    }
    if own.engine_version == "2.8" {
        let message = "Accounts need version 4.0 or later.";
        return Err(ApiError::bad_request("InvalidEngineVersion.Format", message));
    }
    require_normal(own)?;
    if own.accounts.contains_key(name) {
        let message = format!("The account {name} exists already.");
        return Err(ApiError::bad_request("InvalidAccountName.Duplicate", message));
    }
    if own.accounts.len() >= LIMIT {
        let message = "An instance has at most 18 accounts.";
        return Err(ApiError::forbidden("AccountLimitExceeded", message));
    }
    let account = RedisAccount {
        available: false,
        awaits_server: false,
        privilege,
        description: parameters.owned("AccountDescription"),
        password: Secret::new(password),
    };
    let (instance, account_name) = (own.id.clone(), name.to_owned());
    if let Some(own) = call.world.redis_instances.get_mut(&instance) {
        own.accounts.insert(account_name.clone(), account);
        own.revision += 1;
    }
    let reply = json!({"InstanceId": instance, "AccountName": name, "AcountName": name});
    let event = Event::RedisAccountReady { instance, account: account_name };
    call.world.schedule(Step::RedisAccount, event);
    Ok(reply)
}

fn describe_accounts(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let own = find(call.world, parameters.required("InstanceId")?)?;
    let row = |name: &str, kind: &str, available: bool, privilege: &str, description: &str| {
        json!({
            "InstanceId": own.id,
            "AccountName": name,
            "AccountType": kind,
            "AccountStatus": if available { "Available" } else { "Unavailable" },
            "AccountDescription": description,
            "DatabasePrivileges": {"DatabasePrivilege": [{"AccountPrivilege": privilege}]},
        })
    };
    let ready = own.status != RedisStatus::Creating;
    let default = row(&own.id, "Super", ready, "RoleReadWrite", "");
    let named = own.accounts.iter().map(|(name, account)| {
        row(name, "Normal", account.available, &account.privilege, &account.description)
    });
    let all: Vec<Value> = std::iter::once(default)
        .chain(named)
        .filter(|row| {
            let name = row["AccountName"].as_str().unwrap_or_default();
            parameters.text("AccountName").is_none_or(|wanted| wanted == name)
                && parameters.text("SearchAccountName").is_none_or(|part| name.contains(part))
        })
        .collect();
    let size = Size { default: 30, minimum: 1, maximum: 100 };
    Ok(page::by_number(all, parameters, size).reply("Accounts", "Account"))
}

fn reset_account_password(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let own = find(call.world, parameters.required("InstanceId")?)?;
    let name = parameters.required("AccountName")?;
    let password = parameters.required("AccountPassword")?;
    redis_rules::check_password(password, "InvalidAccountPassword.Format")?;
    if name != own.id && !own.accounts.contains_key(name) {
        let message = format!("The account {name} does not exist.");
        return Err(ApiError::not_found("InvalidAccountName.NotFound", message));
    }
    require_idle(own, "TaskExists")?;
    let (id, password) = (own.id.clone(), Secret::new(password));
    if let Some(own) = call.world.redis_instances.get_mut(&id) {
        match own.accounts.get_mut(name) {
            Some(account) => account.password = password,
            None => own.password = Some(password),
        }
    }
    call.world.change_redis(&id);
    Ok(json!({}))
}

//! Client tokens around a handler: the same token and parameters are one call, however often they are sent.

use std::borrow::Cow;

use serde_json::Value;

use crate::api::{Call, Context, Handler, Operation, region_of_call};
use crate::facts::{Effect, errors, facts};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::token::{Found, Scope};

/// A call that passed all checks which are the same for every action.
pub(super) struct Asked<'a> {
    pub(super) operation: &'a Operation,
    pub(super) parameters: &'a Parameters,
    /// Name of the client token.
    pub(super) token: Option<&'a str>,
    pub(super) handler: Handler,
    pub(super) region: String,
}

/// Runs the handler, unless the client token was seen before.
pub(super) fn answer(world: &mut World, asked: &Asked<'_>, context: &Context<'_>) -> Result<Value, ApiError> {
    let parameters = asked.parameters;
    let token = asked.token.and_then(|name| parameters.text(name));
    let fingerprint = parameters.fingerprint(asked.token);
    let scope = scope(asked.operation, &asked.region);
    if let Some(token) = token {
        if token.len() > 64 || !token.is_ascii() {
            let message = "The client token must be at most 64 ASCII characters.";
            return Err(ApiError::bad_request("InvalidClientToken.Malformed", message));
        }
        match world.tokens.find(&scope, token, &fingerprint) {
            Some(Found::Answer(first)) => return first,
            Some(Found::Mismatch) => return Err(mismatch()),
            Some(Found::InProgress) => return Err(in_progress(asked.operation)),
            None => {}
        }
    }
    let answer = within_stock(parameters, context.stock).and_then(|parameters| {
        let identity = format!("{} {}", asked.operation, token.unwrap_or(&fingerprint));
        let region = asked.region.clone();
        let (operation, caller) = (asked.operation, context.caller);
        (asked.handler)(&mut Call { world, parameters: &parameters, region, operation, caller, identity })
    });
    let effect = facts().effect(&asked.operation.product, &asked.operation.action);
    if answer.is_ok() && effect == Some(Effect::Change) {
        world.touch();
    }
    if let Some(token) = token {
        world.tokens.store(scope, token, &fingerprint, &answer);
    }
    answer
}

fn scope(operation: &Operation, region: &str) -> Scope {
    format!("{operation} {region}")
}

/// As many instances as there is stock for, when the caller takes fewer.
fn within_stock(parameters: &Parameters, stock: Option<u32>) -> Result<Cow<'_, Parameters>, ApiError> {
    let asked = parameters.unsigned::<u32>("Amount").unwrap_or(1);
    let Some(stock) = stock.filter(|stock| *stock < asked) else {
        return Ok(Cow::Borrowed(parameters));
    };
    if parameters.unsigned::<u32>("MinAmount").is_some_and(|least| least <= stock) {
        return Ok(Cow::Owned(parameters.with("Amount", &stock.to_string())));
    }
    let message = "The requested resource is sold out in the specified zone; try other types or zones.";
    Err(ApiError::forbidden("OperationDenied.NoStock", message))
}

fn mismatch() -> ApiError {
    let message = "The request uses the same client token as a previous, but non-identical request.";
    ApiError::bad_request("IdempotentParameterMismatch", message)
}

/// What products say while the first call of a token is under way: the code that is documented for the action, else
/// the one other people's clients wait for.
fn in_progress(operation: &Operation) -> ApiError {
    const CODES: &[&str] = &[
        "IdempotentProcessing",
        "OperationFailed.IdempotentTokenProcessing",
        "RequestTokenConflict",
        "TOKEN_PROCESSING",
    ];
    let usual = match operation.product.as_str() {
        "Alb" => "IdempotenceProcessing",
        "Vpc" => "LastTokenProcessing",
        "R-kvstore" => "RequestTokenConflict",
        _ => "IdempotentProcessing",
    };
    let documented = CODES.iter().find(|code| errors().knows(operation, code));
    let status = if operation.product == "Ecs" { 403 } else { 400 };
    let message = "The previous request with this client token is still being processed.";
    ApiError::new(status, *documented.unwrap_or(&usual), message)
}

/// Keeps a refusal for the client token of a call that never reached its handler.
pub fn remember(
    world: &mut World,
    operation: &Operation,
    parameters: &Parameters,
    (region, refusal): (&str, &ApiError),
) {
    if let Some((name, token)) = client_token(operation, parameters) {
        let fingerprint = parameters.fingerprint(Some(name));
        let scope = scope(operation, &region_of_call(world, parameters, region));
        world.tokens.store(scope, token, &fingerprint, &Err(refusal.clone()));
    }
}

/// Whether the client token of a call was used before.
pub fn knows(world: &World, operation: &Operation, parameters: &Parameters, region: &str) -> bool {
    client_token(operation, parameters).is_some_and(|(_, token)| {
        let scope = scope(operation, &region_of_call(world, parameters, region));
        world.tokens.knows(&scope, token)
    })
}

/// Lets a call that had its effect be under way for whoever sends its client token again, and answers which token that
/// is, until [`answered`] is told.
pub fn delay(
    world: &mut World,
    operation: &Operation,
    parameters: &Parameters,
    region: &str,
) -> Option<(Scope, String)> {
    let (_, token) = client_token(operation, parameters)?;
    let scope = scope(operation, region);
    world.tokens.set_in_progress(&scope, token, true);
    Some((scope, token.to_owned()))
}

/// The answer of a delayed call has left, or nobody waits for it any more.
pub fn answered(world: &mut World, (scope, token): &(Scope, String)) {
    world.tokens.set_in_progress(scope, token, false);
}

/// Name and value of the client token.
fn client_token<'a>(operation: &Operation, parameters: &'a Parameters) -> Option<(&'static str, &'a str)> {
    let name = facts().action(&operation.product, &operation.action)?.token.as_deref()?;
    Some((name, parameters.text(name)?))
}

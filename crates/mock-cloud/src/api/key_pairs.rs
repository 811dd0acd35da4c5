//! Key pairs: public keys that were imported.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::page::{self, Size};
use crate::api::vpc::accepts;
use crate::api::{Call, Handler, quotas, tags};
use crate::wire::ApiError;
use crate::world::account::KeyPair;
use crate::world::meta::timestamp_to_the_minute;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("ImportKeyPair", import_key_pair),
    ("DescribeKeyPairs", describe_key_pairs),
    ("DeleteKeyPairs", delete_key_pairs),
];

fn import_key_pair(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = call.parameters.required("KeyPairName")?.to_owned();
    let good = name.chars().all(|c| c.is_alphanumeric() || "-_:.".contains(c));
    if !(2..=128).contains(&name.chars().count()) || !good || name.starts_with("http") {
        return Err(ApiError::bad_request("InvalidKeyPairName.Malformed", "The KeyPairName is not valid."));
    }
    let public_key = call.parameters.required("PublicKeyBody")?.trim().to_owned();
    let Some(blob) = key_blob(&public_key) else {
        return Err(ApiError::bad_request(
            "InvalidPublicKeyBody.Malformed",
            "The PublicKeyBody is not a public key.",
        ));
    };
    let key = (call.region.clone(), name.clone());
    if call.world.key_pairs.contains_key(&key) {
        let message = format!("The key pair {name} already exists.");
        return Err(ApiError::bad_request("KeyPair.AlreadyExist", message));
    }
    let own = call.world.key_pairs.keys().filter(|(region, _)| *region == call.region);
    if own.count() >= quotas::KEY_PAIRS {
        let message = format!("The account has {} key pairs already.", quotas::KEY_PAIRS);
        return Err(ApiError::forbidden("QuotaExceed.KeyPair", message));
    }
    let fingerprint = hex::encode(&Sha256::digest(blob)[..16]);
    let tags = tags::read(call.parameters)?;
    let meta = call.world.meta(&call.region, tags);
    let pair = KeyPair { name: name.clone(), public_key, fingerprint: fingerprint.clone(), meta };
    call.world.key_pairs.insert(key, pair);
    call.ids().know(&name);
    Ok(json!({"KeyPairName": name, "KeyPairFingerPrint": fingerprint}))
}

/// The binary part of `ssh-rsa AAAA... comment`. The documentation lists RSA, DSA and ECDSA; ed25519 is not among them.
fn key_blob(line: &str) -> Option<Vec<u8>> {
    let mut words = line.split_whitespace();
    let kind = words.next()?;
    let blob = STANDARD.decode(words.next()?).ok()?;
    let known = ["ssh-rsa", "ssh-dss"].contains(&kind) || kind.starts_with("ecdsa-sha2-");
    (known && blob.get(4..4 + kind.len()) == Some(kind.as_bytes())).then_some(blob)
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn describe_key_pairs(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let with_key = parameters.flag("IncludePublicKey");
    let pairs = call.world.key_pairs.values();
    let all = pairs
        .filter(|pair| call.world.shows(&pair.meta, &call.region))
        .filter(|pair| parameters.text("KeyPairName").is_none_or(|pattern| is_like(pattern, &pair.name)))
        .filter(|pair| accepts(parameters, "KeyPairFingerPrint", &pair.fingerprint))
        .filter(|pair| tags::matches(&pair.meta, parameters))
        .map(|pair| {
            let mut row = json!({
                "KeyPairName": pair.name,
                "KeyPairFingerPrint": pair.fingerprint,
                "CreationTime": timestamp_to_the_minute(pair.meta.created),
                "ResourceGroupId": "",
                "Tags": tags::ecs_tags(&pair.meta),
            });
            if with_key {
                row["PublicKey"] = json!(pair.public_key);
            }
            row
        })
        .collect();
    let size = Size { default: 10, minimum: 1, maximum: 50 };
    Ok(page::by_number(all, parameters, size).reply("KeyPairs", "KeyPair"))
}

fn delete_key_pairs(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let names = call.parameters.json_texts("KeyPairNames")?.unwrap_or_default();
    for name in &names {
        let mut users = call.world.instances.values().filter(|own| own.meta.region == call.region);
        if let Some(user) = users.find(|own| own.key_pair.as_ref() == Some(name)) {
            let message = format!("The key pair {name} is attached to the instance {}.", user.id);
            return Err(ApiError::bad_request("InvalidParameter.KeypairAlreadyAttachedInstance", message));
        }
    }
    for name in names {
        call.world.key_pairs.remove(&(call.region.clone(), name));
    }
    Ok(json!({}))
}

/// ECS name filters take `*` at either end.
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    let inner = pattern.trim_matches('*');
    match (pattern.starts_with('*'), pattern.len() > 1 && pattern.ends_with('*')) {
        (true, true) => text.contains(inner),
        (true, false) => text.ends_with(inner),
        (false, true) => text.starts_with(inner),
        (false, false) => text == inner,
    }
}

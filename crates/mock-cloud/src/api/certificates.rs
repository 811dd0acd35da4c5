//! The certificate service: uploading and deleting.

use serde_json::{Value, json};

use crate::api::{Call, Handler, certificate_chain, tags};
use crate::secret::Secret;
use crate::wire::{ApiError, Parameters};
use crate::world::certificate::{Certificate, store_of};

pub(super) const ACTIONS: &[(&str, Handler)] =
    &[("UploadUserCertificate", upload_user_certificate), ("DeleteUserCertificate", delete_user_certificate)];

/// Characters of a name.
const NAME_LENGTH: usize = 63;

fn upload_user_certificate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let name = read_name(call)?;
    let (chain, key) = read_texts(parameters)?;
    let parsed = certificate_chain::read(chain, key, call.world.now)?;
    let tags = tags::read_list(parameters, "Tags")?;
    let id = free_id(call);
    let identity = call.identity.clone();
    let certificate = Certificate {
        id,
        resource: call.ids().make("cas-upload-", &identity, 6),
        name,
        resource_group: parameters.owned("ResourceGroupId"),
        chain: chain.to_owned(),
        key: Secret::new(key),
        leaf: parsed.leaf,
        issuers: parsed.issuers,
        deleted: false,
        meta: call.world.meta(store_of(&call.region), tags),
    };
    let reply = json!({"CertId": id, "ResourceId": certificate.resource});
    call.world.certificates.insert(id, certificate);
    Ok(reply)
}

fn read_name(call: &Call<'_>) -> Result<String, ApiError> {
    let name = call.parameters.required("Name")?;
    if name.chars().count() > NAME_LENGTH {
        return Err(ApiError::invalid("Name", "it has more than 63 characters"));
    }
    if call.world.certificates.values().any(|own| !own.deleted && own.name == name) {
        return Err(ApiError::bad_request("NameRepeat", "The certificate name already exists."));
    }
    Ok(name.to_owned())
}

/// `Cert` and `Key`; the certificates of the Chinese algorithms count only without them.
fn read_texts(parameters: &Parameters) -> Result<(&str, &str), ApiError> {
    if let (Some(chain), Some(key)) = (parameters.text("Cert"), parameters.text("Key")) {
        return Ok((chain, key));
    }
    if parameters.has("SignCert") || parameters.has("EncryptCert") {
        let message = "Certificates of the SM2 algorithm are not emulated by mock-cloud.";
        return Err(ApiError::new(501, "Mock.NotEmulated", message));
    }
    Err(ApiError::bad_request("MissingParameter", "Cert and Key are mandatory for this action."))
}

fn free_id(call: &mut Call<'_>) -> i64 {
    let identity = call.identity.clone();
    loop {
        // Eight digits always fit.
        let id = call.ids().make_decimal("certificate", &identity, 8).parse().unwrap_or_default();
        if !call.world.certificates.contains_key(&id) {
            return id;
        }
    }
}

fn delete_user_certificate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = find(call, "CertId")?.id;
    call.world.delete_certificate(id);
    Ok(json!({}))
}

/// The certificate that a parameter names, in the store that serves the caller.
pub(super) fn find<'a>(call: &'a Call<'_>, parameter: &str) -> Result<&'a Certificate, ApiError> {
    let text = call.parameters.required(parameter)?;
    let store = store_of(&call.region);
    let found = text.parse().ok().and_then(|id: i64| call.world.certificates.get(&id));
    found.filter(|own| !own.deleted && own.meta.region == store).ok_or_else(|| {
        let message = format!("The certificate {text} is not found. Check the input parameters.");
        ApiError::bad_request("NotFound", message)
    })
}

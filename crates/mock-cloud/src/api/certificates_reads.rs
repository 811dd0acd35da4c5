//! The certificate service: lists and details.

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::vpc::accepts;
use crate::api::{Call, Handler, certificates};
use crate::wire::{ApiError, Parameters};
use crate::world::certificate::{Certificate, Validity, store_of};
use crate::world::meta::{Meta, timestamp};
use crate::world::{Moment, World};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("ListUserCertificateOrder", list_user_certificate_order),
    ("ListCertificates", list_certificates),
    ("GetUserCertificateDetail", get_user_certificate_detail),
    ("GetCertificateDetail", get_certificate_detail),
];

/// Names of the numbers of a page in this service.
const PAGE: (&str, &str) = ("CurrentPage", "ShowSize");

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn list_user_certificate_order(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    // The other kinds are orders. Nothing can be bought here, so there are none.
    let kind = parameters.text_or("OrderType", "CPACK").to_ascii_uppercase();
    let uploads = kind == "UPLOAD" || kind == "CERT";
    let rows = listed(call).into_iter().filter(|own| uploads && has_status(call.world, own, parameters));
    let rows = rows.filter(|own| has_keyword(own, parameters.text("Keyword"), false));
    let rows = rows.map(|own| describe_order(call.world, own)).collect();
    let page = page::numbered(rows, parameters, PAGE, Size { default: 50, minimum: 1, maximum: 1000 });
    Ok(json!({
        "CertificateOrderList": page.items,
        "CurrentPage": page.number,
        "ShowSize": page.size,
        "TotalCount": page.total,
    }))
}

/// Without a status the valid ones.
fn has_status(world: &World, own: &Certificate, parameters: &Parameters) -> bool {
    let status = match own.validity(world.now) {
        Validity::Issued => "ISSUED",
        Validity::WillExpire => "WILLEXPIRED",
        Validity::Expired => "EXPIRED",
    };
    match parameters.text("Status") {
        Some(wanted) => wanted.eq_ignore_ascii_case(status),
        None => status != "EXPIRED",
    }
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn list_certificates(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let now = call.world.now;
    let uploads = parameters.text("CertificateSource").is_none_or(|own| own.eq_ignore_ascii_case("UPLOAD"));
    let status = parameters.text("CertificateStatus");
    let rows = listed(call)
        .into_iter()
        .filter(|_| uploads)
        .filter(|own| status.is_none_or(|wanted| wanted.eq_ignore_ascii_case(status_word(own, now))))
        .filter(|own| accepts(parameters, "InstanceId", &own.resource))
        .filter(|own| has_keyword(own, parameters.text("Keyword"), true))
        .map(|own| describe(call.world, own))
        .collect();
    let page = page::numbered(rows, parameters, PAGE, Size { default: 10, minimum: 1, maximum: 100 });
    Ok(json!({
        "CertificateList": page.items,
        "CurrentPage": page.number,
        "ShowSize": page.size,
        "TotalCount": page.total,
    }))
}

/// What the store shows the caller, the newest first.
fn listed<'a>(call: &'a Call<'_>) -> Vec<&'a Certificate> {
    let (world, store) = (&*call.world, store_of(&call.region));
    let all = world.certificates.values().filter(|own| !own.deleted && world.shows(&own.meta, store));
    let mut all: Vec<_> =
        all.filter(|own| accepts(call.parameters, "ResourceGroupId", &own.resource_group)).collect();
    all.sort_by_key(|own| (std::cmp::Reverse(own.meta.created), own.id));
    all
}

/// A part of a domain or of the resource id; in one of the lists of the name, too.
fn has_keyword(own: &Certificate, keyword: Option<&str>, in_name: bool) -> bool {
    keyword.is_none_or(|word| {
        own.leaf.domains().contains(word)
            || own.leaf.subject.common.contains(word)
            || own.resource.contains(word)
            || (in_name && own.name.contains(word))
    })
}

fn status_word(own: &Certificate, now: Moment) -> &'static str {
    match own.validity(now) {
        Validity::Issued => "issued",
        Validity::WillExpire => "willExpire",
        Validity::Expired => "expired",
    }
}

fn describe_order(world: &World, own: &Certificate) -> Value {
    json!({
        "CertificateId": own.id,
        "InstanceId": own.resource,
        "Name": own.name,
        "CommonName": own.leaf.subject.common,
        "Sans": own.leaf.domains(),
        "Issuer": own.leaf.issuer,
        "Country": own.leaf.subject.country,
        "Province": own.leaf.subject.province,
        "City": own.leaf.subject.city,
        "OrgName": own.leaf.subject.organization,
        "StartDate": date(own.leaf.not_before),
        "EndDate": date(own.leaf.not_after),
        "Expired": own.validity(world.now) == Validity::Expired,
        "SerialNo": own.leaf.serial,
        "Fingerprint": own.leaf.sha1,
        "Sha2": own.leaf.sha256,
        "Upload": true,
        "ResourceGroupId": own.resource_group,
    })
}

/// What one row of `ListCertificates` and `GetCertificateDetail` have in common.
fn describe(world: &World, own: &Certificate) -> Value {
    let used = world.serves(&own.identifier());
    json!({
        "CertificateId": own.id.to_string(),
        "CertIdentifier": own.identifier(),
        "CertificateName": own.name,
        "CertificateSource": "UPLOAD",
        "CertificateStatus": status_word(own, world.now),
        "InstanceId": own.resource,
        "CommonName": own.leaf.subject.common,
        "Domain": own.leaf.domains(),
        "SubjectAlternativeNames": own.leaf.alternative_names,
        "Issuer": own.leaf.issuer,
        "Serial": own.leaf.serial,
        "FingerPrint": own.leaf.sha1,
        "Algorithm": own.leaf.algorithm,
        "KeySize": own.leaf.key_size,
        "NotBefore": own.leaf.not_before,
        "NotAfter": own.leaf.not_after,
        "ExistPrivateKey": true,
        "DeploymentDesc": "",
        "UsingProductList": if used { vec!["ALB"] } else { Vec::new() },
    })
}

fn get_certificate_detail(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = certificates::find(call, "CertificateId")?;
    let now = call.world.now;
    let chain = own.links().map(|link| {
        json!({
            "Subject": link.subject.common,
            "Issuer": link.issuer,
            "NotBefore": link.not_before,
            "NotAfter": link.not_after,
            "RemainDay": link.remaining_days(now),
        })
    });
    let mut reply = describe(call.world, own);
    // A number here, a text in the list.
    reply["CertificateId"] = json!(own.id);
    reply["CertificateChainList"] = chain.collect();
    reply["Csr"] = json!("");
    reply["Tags"] = tag_rows(&own.meta);
    Ok(reply)
}

fn get_user_certificate_detail(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = certificates::find(call, "CertId")?;
    let now = call.world.now;
    let chain = own.links().map(|link| {
        json!({
            "CommonName": link.subject.common,
            "IssuerCommonName": link.issuer,
            "NotBefore": link.not_before,
            "NotAfter": link.not_after,
            "RemainDay": link.remaining_days(now),
        })
    });
    let mut reply = json!({
        "Id": own.id,
        "CertIdentifier": own.identifier(),
        "InstanceId": own.resource,
        "Name": own.name,
        "Common": own.leaf.subject.common,
        "Sans": own.leaf.domains(),
        "Issuer": own.leaf.issuer,
        "Country": own.leaf.subject.country,
        "Province": own.leaf.subject.province,
        "City": own.leaf.subject.city,
        "OrgName": own.leaf.subject.organization,
        "Algorithm": own.leaf.algorithm,
        "SerialNo": own.leaf.serial,
        "Fingerprint": own.leaf.sha1,
        "Sha2": own.leaf.sha256,
        "CertSha2": own.leaf.sha256,
        "NotBefore": own.leaf.not_before,
        "NotAfter": own.leaf.not_after,
        "StartDate": date(own.leaf.not_before),
        "EndDate": date(own.leaf.not_after),
        "Expired": own.validity(now) == Validity::Expired,
        "BuyInAliyun": false,
        "ResourceGroupId": own.resource_group,
        "CertChain": chain.collect::<Vec<_>>(),
        "Tags": tag_rows(&own.meta),
    });
    if !call.parameters.flag("CertFilter") {
        reply["Cert"] = json!(own.chain);
        reply["Key"] = json!(own.key.expose());
    }
    Ok(reply)
}

fn tag_rows(meta: &Meta) -> Value {
    meta.tags.iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect()
}

/// `2026-11-23`.
fn date(moment: Moment) -> String {
    let full = timestamp(moment);
    full.get(..10).unwrap_or(&full).to_owned()
}

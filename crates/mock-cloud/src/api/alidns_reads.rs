//! Reading domains and DNS records.

use serde_json::{Value, json};

use crate::api::alidns::{find, own_domain};
use crate::api::page::{self, Size};
use crate::api::{Call, Handler};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::dns::{Domain, DomainRecord};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("DescribeDomainRecords", describe_domain_records),
    ("DescribeSubDomainRecords", describe_sub_domain_records),
    ("DescribeDomainRecordInfo", describe_domain_record_info),
    ("DescribeDomains", describe_domains),
    ("DescribeDomainInfo", describe_domain_info),
    ("DescribeDomainNs", describe_domain_ns),
];

fn describe_domain_records(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let domain = own_domain(call.world, call.parameters.required("DomainName")?)?;
    let mut records: Vec<&DomainRecord> =
        call.world.records_of(&domain).filter(|own| chosen(own, call.parameters)).collect();
    records.sort_by_key(|own| (std::cmp::Reverse(own.created), &own.id));
    if call.parameters.text("Direction") == Some("ASC") {
        records.reverse();
    }
    let all = records.into_iter().map(|own| describe(own, Times::With)).collect();
    let size = Size { default: 20, minimum: 1, maximum: 500 };
    Ok(page::by_number(all, call.parameters, size).reply("DomainRecords", "Record"))
}

/// `RRKeyWord` and `ValueKeyWord` are fuzzy, `TypeKeyWord` and `Type` are not.
fn chosen(own: &DomainRecord, parameters: &Parameters) -> bool {
    let fuzzy = |name: &str, text: &str| parameters.text(name).is_none_or(|word| text.contains(word));
    let equal =
        |name: &str, text: &str| parameters.text(name).is_none_or(|word| word.eq_ignore_ascii_case(text));
    let word = parameters.text("KeyWord");
    let exact = parameters.text("SearchMode") == Some("EXACT");
    let any = word.is_none_or(|word| {
        if exact { own.host == word } else { own.host.contains(word) || own.value.contains(word) }
    });
    any && fuzzy("RRKeyWord", &own.host)
        && fuzzy("ValueKeyWord", &own.value)
        && equal("TypeKeyWord", &own.kind)
        && equal("Type", &own.kind)
        && equal("Line", &own.line)
        && equal("Status", status(own))
}

fn describe_sub_domain_records(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = call.parameters.required("SubDomain")?.to_ascii_lowercase();
    let name = name.strip_prefix("@.").unwrap_or(&name).to_owned();
    let given = call.parameters.text("DomainName").map(str::to_ascii_lowercase);
    let domains =
        call.world.domains.keys().filter(|domain| given.as_ref().is_none_or(|given| given == *domain));
    let mut fitting = domains.filter(|domain| name == **domain || name.ends_with(&format!(".{domain}")));
    let domain = fitting.next().cloned().ok_or_else(|| {
        ApiError::bad_request("IncorrectDomainUser", format!("No domain of this account holds {name}."))
    })?;
    let kind = call.parameters.text("Type");
    let line = call.parameters.text("Line");
    let all = call
        .world
        .records_of(&domain)
        .filter(|own| own.full_name() == name)
        .filter(|own| kind.is_none_or(|kind| kind.eq_ignore_ascii_case(&own.kind)))
        .filter(|own| line.is_none_or(|line| line == own.line))
        .map(|own| describe(own, Times::Without))
        .collect();
    let size = Size { default: 20, minimum: 1, maximum: 100 };
    Ok(page::by_number(all, call.parameters, size).reply("DomainRecords", "Record"))
}

fn describe_domain_record_info(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = find(call.world, call.parameters.required("RecordId")?)?;
    let mut reply = describe(own, Times::Without);
    let id = call.world.domains.get(&own.domain).map(|domain| domain.id.clone());
    reply["DomainId"] = json!(id.unwrap_or_default());
    reply["PunyCode"] = json!(own.domain);
    reply["GroupId"] = json!("");
    reply["GroupName"] = json!("");
    Ok(reply)
}

fn status(own: &DomainRecord) -> &'static str {
    if own.enabled { "ENABLE" } else { "DISABLE" }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    With,
    Without,
}

fn describe(own: &DomainRecord, times: Times) -> Value {
    let mut row = json!({
        "RecordId": own.id,
        "DomainName": own.domain,
        "RR": own.host,
        "Type": own.kind,
        "Value": own.value,
        "TTL": own.ttl,
        "Line": own.line,
        "Status": status(own),
        "Locked": false,
        "Remark": own.remark,
    });
    if let Some(priority) = own.priority {
        row["Priority"] = json!(priority);
    }
    if times == Times::With {
        row["CreateTimestamp"] = json!(own.created);
        row["UpdateTimestamp"] = json!(own.updated);
    }
    row
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn describe_domains(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let word = call.parameters.text("KeyWord");
    let exact = call.parameters.text("SearchMode") == Some("EXACT");
    let all = call
        .world
        .domains
        .values()
        .filter(|own| word.is_none_or(|word| if exact { own.name == word } else { own.name.contains(word) }))
        .map(|own| {
            let mut row = describe_domain(own);
            row["RecordCount"] = json!(call.world.records_of(&own.name).count());
            row["CreateTimestamp"] = json!(own.created);
            row
        })
        .collect();
    let size = Size { default: 20, minimum: 1, maximum: 100 };
    Ok(page::by_number(all, call.parameters, size).reply("Domains", "Domain"))
}

fn describe_domain(own: &Domain) -> Value {
    json!({
        "DomainId": own.id,
        "DomainName": own.name,
        "PunyCode": own.name,
        "AliDomain": true,
        "DnsServers": {"DnsServer": own.name_servers},
        "VersionCode": "mianfei",
        "VersionName": "Alibaba Cloud DNS",
        "GroupId": "",
        "GroupName": "",
        "InstanceId": "",
        "Remark": "",
        "ResourceGroupId": "",
    })
}

fn domain_of_call<'a>(call: &'a Call<'_>) -> Result<&'a Domain, ApiError> {
    let world: &World = call.world;
    let name = call.parameters.required("DomainName")?.to_ascii_lowercase();
    let message = format!("The domain {name} is not in this account.");
    world.domains.get(&name).ok_or_else(|| ApiError::bad_request("InvalidDomainName.NoExist", message))
}

fn describe_domain_info(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = domain_of_call(call)?;
    let mut reply = describe_domain(own);
    reply["MinTtl"] = json!(600);
    reply["AvailableTtls"] = json!({"AvailableTtl": ["600", "1800", "3600", "43200", "86400"]});
    reply["InBlackHole"] = json!(false);
    reply["InClean"] = json!(false);
    reply["SubDomain"] = json!(false);
    reply["RecordLines"] = json!({"RecordLine": [
        {"LineCode": "default", "LineName": "Default", "LineDisplayName": "Default", "FatherCode": ""},
    ]});
    Ok(reply)
}

fn describe_domain_ns(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = domain_of_call(call)?;
    Ok(json!({
        "AllAliDns": true,
        "IncludeAliDns": true,
        "DnsServers": {"DnsServer": own.name_servers},
        "ExpectDnsServers": {"ExpectDnsServer": own.name_servers},
    }))
}

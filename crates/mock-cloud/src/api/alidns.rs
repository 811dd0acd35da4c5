//! DNS records: changes, and the rules on which records may stand beside each other.

use serde_json::{Value, json};

use crate::api::{Call, Handler};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::dns::DomainRecord;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("AddDomainRecord", add_domain_record),
    ("UpdateDomainRecord", update_domain_record),
    ("UpdateDomainRecordRemark", update_domain_record_remark),
    ("SetDomainRecordStatus", set_domain_record_status),
    ("DeleteDomainRecord", delete_domain_record),
    ("DeleteSubDomainRecords", delete_sub_domain_records),
];

const TYPES: &[&str] = &[
    "A",
    "AAAA",
    "CNAME",
    "TXT",
    "MX",
    "NS",
    "SRV",
    "CAA",
    "REDIRECT_URL",
    "FORWARD_URL",
    "SVCB",
    "HTTPS",
    "PTR",
];
/// Types that cannot stand beside a CNAME anywhere.
const AGAINST_CNAME: &[&str] = &["A", "AAAA", "SRV", "CAA", "REDIRECT_URL", "FORWARD_URL", "SVCB", "HTTPS"];
/// The free edition takes no shorter time.
const SHORTEST_TTL: i64 = 600;

/// What a call says of a record.
struct Wanted {
    host: String,
    kind: String,
    value: String,
    ttl: i64,
    priority: Option<i64>,
    line: String,
}

fn add_domain_record(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let domain = own_domain(call.world, call.parameters.required("DomainName")?)?;
    let wanted = read(call.parameters)?;
    check_beside(call.world, &domain, &wanted, None)?;
    let identity = call.identity.clone();
    let id = call.ids().make_decimal("record", &identity, 19);
    let record = DomainRecord {
        id: id.clone(),
        domain,
        host: wanted.host,
        kind: wanted.kind,
        value: wanted.value,
        ttl: wanted.ttl,
        priority: wanted.priority,
        line: wanted.line,
        enabled: true,
        remark: String::new(),
        created: call.world.now,
        updated: call.world.now,
    };
    call.world.records.insert(id.clone(), record);
    Ok(json!({"RecordId": id}))
}

fn update_domain_record(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("RecordId")?.to_owned();
    let own = find(call.world, &id)?.clone();
    let wanted = read(call.parameters)?;
    let same = own.host == wanted.host
        && own.kind == wanted.kind
        && own.value == wanted.value
        && own.line == wanted.line;
    if same && own.ttl == wanted.ttl && own.priority == wanted.priority {
        return Err(duplicate());
    }
    check_beside(call.world, &own.domain, &wanted, Some(&id))?;
    let now = call.world.now;
    if let Some(record) = call.world.records.get_mut(&id) {
        record.host = wanted.host;
        record.kind = wanted.kind;
        record.value = wanted.value;
        record.ttl = wanted.ttl;
        record.priority = wanted.priority;
        record.line = wanted.line;
        record.updated = now;
    }
    Ok(json!({"RecordId": id}))
}

fn update_domain_record_remark(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("RecordId")?;
    find(call.world, id)?;
    let remark = call.parameters.owned("Remark");
    if let Some(record) = call.world.records.get_mut(id) {
        record.remark = remark;
    }
    Ok(json!({}))
}

fn set_domain_record_status(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("RecordId")?.to_owned();
    find(call.world, &id)?;
    let status = call.parameters.required("Status")?;
    let enabled = status.eq_ignore_ascii_case("enable");
    if !enabled && !status.eq_ignore_ascii_case("disable") {
        return Err(ApiError::invalid("Status", "it must be Enable or Disable"));
    }
    if let Some(record) = call.world.records.get_mut(&id) {
        record.enabled = enabled;
    }
    Ok(json!({"RecordId": id, "Status": if enabled { "Enable" } else { "Disable" }}))
}

fn delete_domain_record(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("RecordId")?.to_owned();
    find(call.world, &id)?;
    call.world.records.remove(&id);
    Ok(json!({"RecordId": id}))
}

fn delete_sub_domain_records(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let domain = own_domain(call.world, call.parameters.required("DomainName")?)?;
    let host = call.parameters.required("RR")?.to_ascii_lowercase();
    let kind = call.parameters.text("Type").map(str::to_ascii_uppercase);
    let before = call.world.records.len();
    call.world.records.retain(|_, own| {
        own.domain != domain || own.host != host || kind.as_ref().is_some_and(|kind| *kind != own.kind)
    });
    Ok(json!({"RR": host, "TotalCount": (before - call.world.records.len()).to_string()}))
}

fn read(parameters: &Parameters) -> Result<Wanted, ApiError> {
    let kind = parameters.required("Type")?.to_ascii_uppercase();
    if !TYPES.contains(&kind.as_str()) {
        return Err(ApiError::invalid("Type", format!("{kind} is not a record type")));
    }
    let value = parameters.required("Value")?.to_owned();
    check_value(&kind, &value)?;
    let ttl = parameters.integer("TTL").unwrap_or(SHORTEST_TTL);
    if ttl < SHORTEST_TTL {
        let message = format!("The TTL {ttl} is shorter than the {SHORTEST_TTL} seconds of this edition.");
        return Err(ApiError::bad_request("QuotaExceeded.TTL", message));
    }
    let priority = parameters.integer("Priority");
    if kind == "MX" && priority.is_none() {
        return Err(ApiError::missing("Priority"));
    }
    let host = parameters.required("RR")?.to_ascii_lowercase();
    Ok(Wanted {
        host,
        value: if kind == "CNAME" { value.trim_end_matches('.').to_ascii_lowercase() } else { value },
        kind,
        ttl,
        priority,
        line: parameters.text_or("Line", "default"),
    })
}

fn check_value(kind: &str, value: &str) -> Result<(), ApiError> {
    let good = match kind {
        "A" => value.parse::<std::net::Ipv4Addr>().is_ok(),
        "AAAA" => value.parse::<std::net::Ipv6Addr>().is_ok(),
        "CNAME" | "NS" | "MX" => {
            let name = value.trim_end_matches('.');
            let labels = name.split('.').all(|label| !label.is_empty() && label.len() <= 63);
            labels && name.contains('.') && name.parse::<std::net::Ipv4Addr>().is_err()
        }
        _ => true,
    };
    if good {
        Ok(())
    } else {
        Err(ApiError::bad_request("DomainRecordValueInvalid", format!("{value} is no {kind} value.")))
    }
}

/// Conflicts are judged per host and line.
fn check_beside(world: &World, domain: &str, wanted: &Wanted, except: Option<&str>) -> Result<(), ApiError> {
    let others = world
        .records_of(domain)
        .filter(|own| own.host == wanted.host && own.line == wanted.line && Some(own.id.as_str()) != except);
    for other in others {
        if other.kind == wanted.kind && other.value == wanted.value {
            return Err(duplicate());
        }
        if conflict(&wanted.host, &wanted.kind, &other.kind) {
            let message = format!(
                "The {} record conflicts with the {} record {} of {}.",
                wanted.kind,
                other.kind,
                other.id,
                other.full_name()
            );
            return Err(ApiError::bad_request("DomainRecordConflict", message));
        }
    }
    Ok(())
}

/// Whether two types exclude each other at a host.
fn conflict(host: &str, one: &str, two: &str) -> bool {
    let other = match (one, two) {
        ("CNAME", "CNAME") => return true,
        ("CNAME", other) | (other, "CNAME") => other,
        _ => return false,
    };
    AGAINST_CNAME.contains(&other) || (host != "@" && ["MX", "TXT", "NS"].contains(&other))
}

fn duplicate() -> ApiError {
    ApiError::bad_request("DomainRecordDuplicate", "The DNS record already exists.")
}

/// The domain's name when the account owns it.
pub(super) fn own_domain(world: &World, name: &str) -> Result<String, ApiError> {
    let name = name.to_ascii_lowercase();
    let message = format!("The domain {name} does not belong to this account.");
    if world.domains.contains_key(&name) {
        Ok(name)
    } else {
        Err(ApiError::bad_request("IncorrectDomainUser", message))
    }
}

/// The record with this id; one that does not exist is said to belong to somebody else.
pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a DomainRecord, ApiError> {
    let message = "The domain record does not belong to this account.";
    world.records.get(id).ok_or_else(|| ApiError::bad_request("DomainRecordNotBelongToUser", message))
}

#[cfg(test)]
mod tests {
    use super::conflict;

    #[test]
    fn a_cname_at_the_apex_may_stand_beside_mail_and_text_but_not_beside_an_address() {
        assert!(conflict("@", "CNAME", "A"));
        assert!(conflict("@", "AAAA", "CNAME"));
        assert!(!conflict("@", "CNAME", "MX"));
        assert!(!conflict("@", "TXT", "CNAME"));
        assert!(conflict("www", "CNAME", "MX"));
        assert!(!conflict("www", "A", "MX"));
    }
}

//! Alidns: records. API version 2015-01-09. It has no client tokens: what is there is read before it is written.

use serde::Deserialize;

use crate::base::ids::CloudId;
use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::error::{CloudError, absent_as_none};
use crate::cloud::transport::Client;

/// A record.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Record {
    /// A decimal number, as text.
    pub record_id: CloudId,
    /// Host record, `@` for the domain itself.
    #[serde(rename = "RR")]
    pub host: String,
    /// `CNAME`, `A`, ...
    #[serde(rename = "Type")]
    pub kind: String,
    /// What it says.
    pub value: String,
    /// Seconds.
    #[serde(rename = "TTL", default)]
    pub ttl: u32,
    /// `ENABLE` or `DISABLE`; the cloud does not keep the case.
    #[serde(default)]
    pub status: String,
    /// Line it is answered on, `default` for everybody.
    #[serde(default)]
    pub line: String,
    /// Says whose record it is.
    #[serde(default)]
    pub remark: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordsReply {
    domain_records: RecordList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordList {
    #[serde(default)]
    record: Vec<Record>,
}

/// `DescribeSubDomainRecords`: the records of exactly one name.
///
/// # Errors
/// What the cloud says.
pub async fn records(client: &Client, domain: &str, host: &str) -> Result<Vec<Record>, CloudError> {
    let full = if host == "@" { format!("@.{domain}") } else { format!("{host}.{domain}") };
    let call = Call::new(Product::Alidns, "DescribeSubDomainRecords")
        .with("SubDomain", full)
        .with("DomainName", domain)
        .with("PageSize", 100);
    Ok(client.call::<RecordsReply>(&call).await?.domain_records.record)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordInfo {
    domain_name: String,
    #[serde(flatten)]
    record: Record,
}

/// `DescribeDomainRecordInfo`: a record and its domain, wherever it is; none when it is not there.
///
/// # Errors
/// What the cloud says.
pub async fn record(client: &Client, id: &CloudId) -> Result<Option<(String, Record)>, CloudError> {
    let call = Call::new(Product::Alidns, "DescribeDomainRecordInfo").with("RecordId", id);
    let found: Option<RecordInfo> = absent_as_none(client.call(&call).await)?;
    Ok(found.map(|found| (found.domain_name, found.record)))
}

/// A domain of the account.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Domain {
    /// The shortest TTL its edition takes, seconds.
    #[serde(default)]
    pub min_ttl: Option<u32>,
    /// Name of its edition.
    #[serde(default)]
    pub version_name: String,
    /// Whether it is cut off because it is under attack.
    #[serde(default)]
    pub in_black_hole: bool,
}

/// `DescribeDomainInfo`: a domain of the account.
///
/// # Errors
/// When the account does not have it, and what else the cloud says.
pub async fn domain(client: &Client, name: &str) -> Result<Domain, CloudError> {
    client.call(&Call::new(Product::Alidns, "DescribeDomainInfo").with("DomainName", name)).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameServersReply {
    expect_dns_servers: ExpectedServers,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExpectedServers {
    #[serde(default)]
    expect_dns_server: Vec<String>,
}

/// `DescribeDomainNs`: the name servers that the domain has to be delegated to.
///
/// # Errors
/// What the cloud says.
pub async fn name_servers(client: &Client, domain: &str) -> Result<Vec<String>, CloudError> {
    let call = Call::new(Product::Alidns, "DescribeDomainNs").with("DomainName", domain);
    Ok(client.call::<NameServersReply>(&call).await?.expect_dns_servers.expect_dns_server)
}

/// A record to write.
#[derive(Debug, Clone, Copy)]
pub struct NewRecord<'a> {
    /// Host record.
    pub host: &'a str,
    /// What it says.
    pub value: &'a str,
    /// Seconds.
    pub ttl: u32,
}

/// `AddDomainRecord` of a CNAME; answers `RecordId`.
pub fn add_record(domain: &str, record: NewRecord<'_>) -> Call {
    with_record(Call::new(Product::Alidns, "AddDomainRecord").with("DomainName", domain), record)
}

/// `UpdateDomainRecord`. It refuses an update that changes nothing.
pub fn update_record(id: &CloudId, record: NewRecord<'_>) -> Call {
    with_record(Call::new(Product::Alidns, "UpdateDomainRecord").with("RecordId", id), record)
}

fn with_record(call: Call, record: NewRecord<'_>) -> Call {
    call.with("RR", record.host)
        .with("Type", "CNAME")
        .with("Value", record.value)
        .with("TTL", record.ttl)
        .with("Line", "default")
}

/// `UpdateDomainRecordRemark`: where ownership is written down.
pub fn remark_record(id: &CloudId, remark: &str) -> Call {
    Call::new(Product::Alidns, "UpdateDomainRecordRemark").with("RecordId", id).with("Remark", remark)
}

/// `SetDomainRecordStatus`: has a record answered again.
pub fn enable_record(id: &CloudId) -> Call {
    Call::new(Product::Alidns, "SetDomainRecordStatus").with("RecordId", id).with("Status", "Enable")
}

/// `DeleteDomainRecord`.
pub fn delete_record(id: &CloudId) -> Call {
    Call::new(Product::Alidns, "DeleteDomainRecord").with("RecordId", id)
}

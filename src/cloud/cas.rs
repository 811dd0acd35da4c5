//! CAS: server certificates. API version 2020-04-07. Private keys are sent and never asked for.
//!
//! There is no change of a certificate: another one is uploaded. Lists tell no tags, and nothing can be listed by them.

use serde::Deserialize;

use crate::base::certificate::covers;
use crate::base::ids::{ClientToken, CloudId};
use crate::base::secret::Secret;
use crate::cloud::call::Call;
use crate::cloud::error::{CloudError, absent_as_none};
use crate::cloud::transport::Client;
use crate::cloud::{Product, Tag};

/// The largest page of `ListCertificates`.
const PAGE: usize = 100;

/// A certificate.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Certificate {
    /// Its number; what ALB calls it is made of this and more.
    #[serde(default)]
    pub id: i64,
    /// What ALB calls it: `<number>-<region of the store>`. Taken as it comes, never put together.
    #[serde(default)]
    pub cert_identifier: String,
    /// Its common name.
    #[serde(default)]
    pub common: String,
    /// Names it is for, joined by commas.
    #[serde(default)]
    pub sans: String,
    /// Its last day, `2027-03-31`.
    #[serde(default)]
    pub end_date: String,
    /// When it ends, milliseconds since 1970.
    #[serde(default)]
    pub not_after: Option<i64>,
    /// Whether it has ended.
    #[serde(default)]
    pub expired: bool,
    /// Digests of it in hex.
    #[serde(default)]
    pub sha2: String,
    /// The same where the service tells it.
    #[serde(default)]
    pub cert_sha2: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// `GetUserCertificateDetail` without the certificate's text and key.
///
/// # Errors
/// When there is no such certificate, and what else the cloud says.
pub async fn certificate(client: &Client, number: &str) -> Result<Certificate, CloudError> {
    let call =
        Call::new(Product::Cas, "GetUserCertificateDetail").with("CertId", number).with("CertFilter", true);
    client.call(&call).await
}

/// The same; none when it is not there.
///
/// # Errors
/// What the cloud says.
pub async fn certificate_if_there(client: &Client, id: &CloudId) -> Result<Option<Certificate>, CloudError> {
    absent_as_none(certificate(client, id.as_str()).await)
}

/// The number in what ALB calls a certificate.
pub fn number_of(identifier: &str) -> &str {
    identifier.split_once('-').map_or(identifier, |(number, _)| number)
}

/// A row of the list of uploaded certificates.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Listed {
    /// Its number.
    pub certificate_id: CloudId,
    /// Its name.
    #[serde(default)]
    pub certificate_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rows {
    #[serde(default)]
    certificate_list: Vec<Listed>,
    #[serde(default)]
    total_count: usize,
}

/// `ListCertificates`: all that were uploaded, those that have ended too.
///
/// # Errors
/// What the cloud says.
pub async fn uploaded(client: &Client) -> Result<Vec<Listed>, CloudError> {
    let call = Call::new(Product::Cas, "ListCertificates")
        .with("CertificateSource", "UPLOAD")
        .with("ShowSize", PAGE);
    let mut found: Vec<Listed> = Vec::new();
    for page in 1.. {
        let rows: Rows = client.call(&call.clone().with("CurrentPage", page)).await?;
        let is_last = rows.certificate_list.len() < PAGE;
        found.extend(rows.certificate_list);
        if is_last || found.len() >= rows.total_count {
            break;
        }
    }
    Ok(found)
}

/// What is uploaded.
#[derive(Debug)]
pub struct NewCertificate<'a> {
    /// No other certificate of the account may have it.
    pub name: &'a str,
    /// The chain in PEM.
    pub chain: &'a str,
    /// Its private key in PEM.
    pub key: &'a Secret<String>,
    /// Its tags.
    pub tags: &'a [(&'a str, &'a str)],
}

/// `UploadUserCertificate`; answers `CertId`, a number. Chain and key travel in the form body.
pub fn upload(new: &NewCertificate<'_>, token: &ClientToken) -> Call {
    let call = Call::new(Product::Cas, "UploadUserCertificate")
        .with("Name", new.name)
        .with_form("Cert", new.chain)
        .with_secret("Key", new.key.clone())
        .with_token(token);
    (1..).zip(new.tags).fold(call, |call, (number, (key, value))| {
        call.with(&format!("Tags.{number}.Key"), key).with(&format!("Tags.{number}.Value"), value)
    })
}

/// `DeleteUserCertificate`.
pub fn delete(id: &CloudId) -> Call {
    Call::new(Product::Cas, "DeleteUserCertificate").with("CertId", id)
}

impl Certificate {
    /// Every name it is for.
    pub fn names(&self) -> Vec<&str> {
        let names = self.sans.split(',').chain([self.common.as_str()]).map(str::trim);
        let mut names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether a browser takes it for a name.
    pub fn covers(&self, name: &str) -> bool {
        covers(self.names(), name)
    }

    /// Its digests, upper-case hex, without colons.
    pub fn digests(&self) -> Vec<String> {
        let digests = [&self.sha2, &self.cert_sha2].into_iter().filter(|digest| !digest.is_empty());
        digests.map(|digest| digest.replace(':', "").to_ascii_uppercase()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_counts_once() {
        let text = r#"{"Common": "example.com", "Sans": "example.com,*.chat.example.com"}"#;
        let certificate: Certificate = serde_json::from_str(text).unwrap();
        assert_eq!(certificate.names(), ["*.chat.example.com", "example.com"]);
        assert!(certificate.covers("eu.chat.example.com") && !certificate.covers("www.example.com"));
    }

    #[test]
    fn no_key_is_in_what_is_shown_or_written_of_an_upload() {
        let key = Secret::new("hunter2".to_owned());
        let new = NewCertificate { name: "chat", chain: "CHAIN", key: &key, tags: &[("k", "v")] };
        let call = upload(&new, &ClientToken::new("0f"));
        let shown = format!("{call:?} {}", serde_json::to_string(&call).unwrap());
        assert!(
            shown.contains("CHAIN") && shown.contains("Tags.1.Key") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}

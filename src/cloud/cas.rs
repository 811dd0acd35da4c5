//! CAS: server certificates. API version 2020-04-07. Only read, and never with their keys.

use serde::Deserialize;

use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::error::CloudError;
use crate::cloud::transport::Client;

/// A certificate.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Certificate {
    /// What ALB calls it: `<number>-<region of the store>`.
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

impl Certificate {
    /// Every name it is for.
    pub fn names(&self) -> Vec<&str> {
        let names = self.sans.split(',').chain([self.common.as_str()]).map(str::trim);
        let mut names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        names.dedup();
        names
    }

    /// Whether a browser takes it for a name: `*` stands for exactly one label.
    pub fn covers(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.names().into_iter().any(|own| {
            let own = own.to_ascii_lowercase();
            let wild = own.strip_prefix("*.").zip(name.split_once('.'));
            own == name || wild.is_some_and(|(parent, (_, rest))| parent == rest)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_covers_one_label_and_not_the_domain_itself() {
        let certificate: Certificate =
            serde_json::from_str(r#"{"Common": "example.com", "Sans": "example.com,*.chat.example.com"}"#)
                .unwrap();
        assert!(certificate.covers("example.com") && certificate.covers("EU.chat.example.com"));
        assert!(!certificate.covers("chat.example.com") && !certificate.covers("a.b.chat.example.com"));
        assert!(!certificate.covers("www.example.com"));
    }
}

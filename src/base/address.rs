//! An address a service answers at, as people write it, under the one rule that keeps keys off the wire: plain HTTP
//! is taken on the loopback only.

use std::net::IpAddr;

use reqwest::Url;

/// Scheme, host and port of a service; nothing after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAddress(Url);

/// A text that cannot be the address of a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be an endpoint: {why}")]
pub struct AddressError {
    /// What was given, without a password that may have been in it.
    pub text: String,
    /// Why not.
    pub why: &'static str,
}

impl ServiceAddress {
    /// Reads `http://127.0.0.1:8080`, `https://proxy.example.com` or `ecs.cn-hangzhou.aliyuncs.com`.
    ///
    /// A name without a scheme means HTTPS, as other clients of this cloud take it.
    ///
    /// # Errors
    /// When it is not an address, has more than host and port, or would send keys in the clear to another machine.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.contains("://") || !is_bare_host(text) {
            return Self::check(text);
        }
        if is_loopback(text.rsplit_once(':').map_or(text, |(host, _)| host)) {
            return Err(refuse(
                text,
                "write the scheme of an address on the loopback, such as http://127.0.0.1:8080",
            ));
        }
        Self::check(&format!("https://{text}"))
    }

    fn check(text: &str) -> Result<Self, AddressError> {
        let url: Url = text.parse().map_err(|_| refuse(text, "write it like http://127.0.0.1:8080"))?;
        let host = url.host_str().ok_or_else(|| refuse(text, "it has no host"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse(text, "it must not hold a user or a password"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return Err(refuse(text, "plain http is taken on the loopback only")),
            _ => return Err(refuse(text, "its scheme must be http or https")),
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refuse(text, "it must end after the port"));
        }
        Ok(Self(url))
    }

    /// As a URL that ends in `/`.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

/// Whether a URL may be asked for secrets: HTTPS anywhere, plain HTTP on the loopback.
pub fn keeps_secrets(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && url.host_str().is_some_and(is_loopback))
}

fn refuse(text: &str, why: &'static str) -> AddressError {
    let text = text.rsplit_once('@').map_or(text.to_owned(), |(_, rest)| format!("...@{rest}"));
    AddressError { text, why }
}

/// A name or address, perhaps with a port, and nothing else.
fn is_bare_host(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter))
        && text.contains(['.', ':'])
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_the_loopback() {
        for good in [
            "http://127.0.0.1:8080",
            "http://127.77.0.1:80",
            "http://[::1]:80/",
            "http://localhost:8080",
            "https://proxy.example.com",
            "ecs-vpc.cn-hangzhou.aliyuncs.com",
            "proxy.example.com:8443",
        ] {
            let address = ServiceAddress::parse(good);
            assert!(address.is_ok_and(|address| keeps_secrets(address.url())), "{good}");
        }
        for bad in [
            "http://example.com",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "127.0.0.1:80",
            "localhost:80",
            "nonsense",
            "",
            "http://127.0.0.1/x",
            "https://example.com/?x=1",
            "https://example.com/#x",
            "https://u@example.com/",
        ] {
            assert!(ServiceAddress::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_alone_means_https() {
        let address = ServiceAddress::parse("ecs.example.com").unwrap();
        assert_eq!(address.url().as_str(), "https://ecs.example.com/");
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        let error = ServiceAddress::parse("https://me:hunter2@example.com").unwrap_err();
        assert!(!error.to_string().contains("hunter2") && !format!("{error:?}").contains("hunter2"));
    }
}

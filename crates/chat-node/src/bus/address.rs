//! Where Redis is and how to log in, as one URL says it. User and password are secret: nothing here shows them.
//!
//! `redis[s]://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE][?protocol=resp2|resp3]`, with percent-encoding in user and
//! password. The form is the one Redis' own tools and libraries read.

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;
use url::Url;

use super::tls;

const PORT: u16 = 6379;

/// Which version of the protocol is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RESP3, or RESP2 when the server does not know it.
    #[default]
    Newest,
    /// RESP2, without asking for more.
    Resp2,
    /// RESP3 or nothing.
    Resp3,
}

/// Where Redis is and how to log in; shows scheme, host and port only.
#[derive(Clone)]
pub struct RedisAddress {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: u32,
    pub(super) protocol: Protocol,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// A Redis URL that cannot be used. The URL itself is a secret and left out.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// Not of the form it must have.
    #[error(
        "the Redis URL is not usable: write redis://HOST:PORT/0, redis://USER:PASSWORD@HOST:PORT/0 or \
         rediss:// for TLS, with a percent-encoded password"
    )]
    Url,
    /// A database that is not a number.
    #[error("the Redis URL is not usable: after the host comes the number of a database, such as /0")]
    Database,
    /// Something after the question mark that is not known.
    #[error("the Redis URL is not usable: after `?` it takes protocol=resp2 or protocol=resp3 only")]
    Parameter,
    /// A file without certificates.
    #[error("the file of Redis' certificate authority has no certificate in PEM form")]
    Authority,
    /// No authority to judge a server by.
    #[error("this system has no certificate authorities to judge Redis by: {0}; give --redis-ca FILE")]
    NoAuthorities(String),
}

impl RedisAddress {
    /// Reads a `redis://` or `rediss://` URL. Nothing is connected yet.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        Self::parse_with_authority(url, None)
    }

    /// The same; `authority` is a PEM file's content with whom a server's certificate must come from, instead of
    /// the system's authorities.
    pub fn parse_with_authority(url: &str, authority: Option<&[u8]>) -> Result<Self, AddressError> {
        let url = Url::parse(url).map_err(|_| AddressError::Url)?;
        let is_safe = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(AddressError::Url),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(AddressError::Url)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let authority = authority.map(certificates).transpose()?;
        Ok(Self {
            host,
            port: url.port().unwrap_or(PORT),
            user: decoded(url.username())?,
            password: url.password().map(decoded).transpose()?.flatten(),
            database: database(url.path())?,
            protocol: protocol(&url)?,
            tls: is_safe.then(|| tls::configuration(authority)).transpose()?,
        })
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, AddressError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(AddressError::Authority)
}

fn decoded(text: &str) -> Result<Option<String>, AddressError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| AddressError::Url)?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

fn database(path: &str) -> Result<u32, AddressError> {
    match path.trim_matches('/') {
        "" => Ok(0),
        number => number.parse().map_err(|_| AddressError::Database),
    }
}

fn protocol(url: &Url) -> Result<Protocol, AddressError> {
    let mut protocol = Protocol::default();
    for (name, value) in url.query_pairs() {
        protocol = match (&*name, &*value) {
            ("protocol", "2" | "resp2") => Protocol::Resp2,
            ("protocol", "3" | "resp3") => Protocol::Resp3,
            _ => return Err(AddressError::Parameter),
        };
    }
    Ok(protocol)
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tls.is_some() {
            formatter.write_str("rediss://")?;
        }
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RedisAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> RedisAddress {
        RedisAddress::parse(url).unwrap()
    }

    #[test]
    fn every_part_of_the_url_is_read() {
        let address = parse("redis://chat:p%40ss%2Fw%3Ard%25%20%C3%A9@redis.internal:6380/3?protocol=resp2");
        assert_eq!((address.host.as_str(), address.port, address.database), ("redis.internal", 6380, 3));
        assert_eq!(address.user.as_deref(), Some("chat"));
        assert_eq!(address.password.as_deref(), Some("p@ss/w:rd% é"));
        assert_eq!(address.protocol, Protocol::Resp2);
    }

    #[test]
    fn what_is_left_out_has_the_usual_value() {
        let address = parse("redis://10.0.0.3");
        assert_eq!((address.port, address.database, address.protocol), (6379, 0, Protocol::Newest));
        assert_eq!((address.user, address.password), (None, None));
        let address = parse("redis://:secret@[::1]:6379/?protocol=3");
        assert_eq!((address.host.as_str(), address.protocol), ("::1", Protocol::Resp3));
        assert_eq!((address.user, address.password.as_deref()), (None, Some("secret")));
    }

    #[test]
    fn user_and_password_are_never_shown() {
        let address = parse("redis://operator:hunter2@10.0.0.3:6379/0");
        let shown = format!("{address} {address:?}");
        assert!(shown.contains("10.0.0.3:6379"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("operator"), "{shown}");
        assert_eq!(parse("redis://[::1]:1").to_string(), "[::1]:1");
    }

    #[test]
    fn a_url_that_is_not_of_redis_is_refused_without_repeating_it() {
        let cases = [
            ("http://:hunter2@10.0.0.3", AddressError::Url),
            ("hunter2", AddressError::Url),
            ("", AddressError::Url),
            ("redis://", AddressError::Url),
            ("redis:hunter2", AddressError::Url),
            ("redis://:hunter2%ff@10.0.0.3", AddressError::Url),
            ("redis+unix:///hunter2", AddressError::Url),
            ("redis://:hunter2@10.0.0.3:99999", AddressError::Url),
            ("redis://10.0.0.3/hunter2", AddressError::Database),
            ("redis://10.0.0.3/-1", AddressError::Database),
            ("redis://10.0.0.3/?protocol=hunter2", AddressError::Parameter),
            ("redis://10.0.0.3/?pass=hunter2", AddressError::Parameter),
        ];
        for (given, expected) in cases {
            let error = RedisAddress::parse(given).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert_eq!(error, expected, "{given}");
        }
    }

    #[test]
    fn a_file_of_an_authority_must_have_a_certificate() {
        for pem in [&b""[..], b"no certificate", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"]
        {
            let error = RedisAddress::parse_with_authority("rediss://redis.internal", Some(pem)).unwrap_err();
            assert_eq!(error, AddressError::Authority);
        }
    }
}

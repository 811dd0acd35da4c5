//! Questions to a DNS server: the system's, or one that is named. Nothing is cached: each look is a look.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

/// A resolver that asks `server`, or the system's servers when none is given.
///
/// # Errors
/// When the system's configuration cannot be read.
pub fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = Duration::from_secs(2);
    options.attempts = 2;
    builder.build()
}

/// The records of a name and how long each may be kept, in seconds; none when there are none.
///
/// # Errors
/// Why no answer came.
pub async fn records(
    resolver: &TokioResolver,
    name: &str,
    kind: RecordType,
) -> Result<Vec<(RData, u32)>, String> {
    match resolver.lookup(name, kind).await {
        Ok(found) => Ok(found.answers().iter().map(|record| (record.data.clone(), record.ttl)).collect()),
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}

/// The name servers that the world asks for a domain; none when it is not delegated.
///
/// # Errors
/// Why no answer came.
pub async fn name_servers(resolver: &TokioResolver, domain: &str) -> Result<BTreeSet<String>, String> {
    let found = records(resolver, &format!("{}.", plain(domain)), RecordType::NS).await?;
    let name = |(data, _): (RData, u32)| {
        let RData::NS(server) = data else { return None };
        Some(plain(&server.0.to_string()))
    };
    Ok(found.into_iter().filter_map(name).collect())
}

/// Names compare without case and without the last dot.
pub fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

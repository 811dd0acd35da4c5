//! Servers of a group: put in and taken out, several by one call. Part of ALB.

use crate::base::ids::{ClientToken, CloudId};
use crate::cloud::Product;
use crate::cloud::alb::INSTANCE;
use crate::cloud::call::Call;

/// `AddServersToServerGroup`: an instance on a port.
pub fn add_server(group: &CloudId, instance: &CloudId, port: u16, token: &ClientToken) -> Call {
    add_servers(group, &[(instance, port)], token)
}

/// `AddServersToServerGroup`: instances, each on a port. The cloud takes all of them or none.
pub fn add_servers(group: &CloudId, servers: &[(&CloudId, u16)], token: &ClientToken) -> Call {
    let call = Call::new(Product::Alb, "AddServersToServerGroup").with("ServerGroupId", group);
    let call = (1..).zip(servers).fold(call, |call, (number, (instance, port))| {
        let field = |name: &str| format!("Servers.{number}.{name}");
        call.with_form(&field("ServerType"), INSTANCE)
            .with_form(&field("ServerId"), instance)
            .with_form(&field("Port"), port)
            .with_form(&field("Weight"), 100)
    });
    call.with_token(token)
}

/// `RemoveServersFromServerGroup`: this is what makes an ALB close the server's connections. `kind` is
/// [`INSTANCE`] for ours.
pub fn remove_server(group: &CloudId, kind: &str, server: &CloudId, port: u16) -> Call {
    remove_servers(group, kind, &[(server, port)])
}

/// `RemoveServersFromServerGroup` of several of one kind: all of them or none.
pub fn remove_servers(group: &CloudId, kind: &str, servers: &[(&CloudId, u16)]) -> Call {
    let call = Call::new(Product::Alb, "RemoveServersFromServerGroup").with("ServerGroupId", group);
    (1..).zip(servers).fold(call, |call, (number, (server, port))| {
        let field = |name: &str| format!("Servers.{number}.{name}");
        call.with(&field("ServerType"), kind).with(&field("ServerId"), server).with(&field("Port"), port)
    })
}

//! Which fields of a resource cannot be changed in place, and why, in the words a plan prints.
//!
//! A field that is not here is changed in place.

use crate::resource::settings::VALIDITY;
use crate::resource::{Kind, disks};

/// Stands for the state of a resource that is there and never became ready.
pub const STATE: &str = "state";
/// Stands for the machine of something that lives on one.
pub const MACHINE: &str = "instance";

/// Why a change of a field from one value to another makes the resource anew; none when it is changed in place.
pub fn reason(kind: Kind, field: &str, values: (&str, &str)) -> Option<&'static str> {
    if field == STATE {
        return Some("it never became ready");
    }
    match kind {
        Kind::Vpc => (field == "cidr").then_some("a VPC cannot change its range"),
        Kind::VSwitch => of_vswitch(field),
        Kind::SecurityGroup => (field == "vpc").then_some("a security group cannot change its VPC"),
        Kind::SecurityRule => of_rule(field),
        Kind::Instance if disks::is_of_disk(field) => disks::reason(field, values),
        Kind::Instance => of_instance(field),
        Kind::HostKey => (field == MACHINE).then_some("another instance has another host key"),
        Kind::Redis => (field == MACHINE).then_some("its instance is made anew"),
        Kind::RedisInstance => of_redis_instance(field),
        Kind::RedisAccount => (field == "instance").then_some("another instance has accounts of its own"),
        Kind::LoadBalancer => of_load_balancer(field),
        Kind::ServerGroup => (field == "vpc").then_some("a server group cannot change its VPC"),
        Kind::Release => (field == MACHINE).then_some("its instance is made anew"),
        Kind::Server => of_server(field),
        Kind::Certificate => Some(of_certificate(field)),
        Kind::Listener => of_listener(field),
        Kind::ListenerRule => (field == "listener").then_some("a rule cannot change its listener"),
        Kind::Record => (field == "name").then_some("a record cannot move to another name"),
        Kind::KeyPair => None,
    }
}

fn of_vswitch(field: &str) -> Option<&'static str> {
    Some(match field {
        "vpc" => "a vSwitch cannot change its VPC",
        "zone" => "a vSwitch cannot change its zone",
        "cidr" => "a vSwitch cannot change its range",
        _ => return None,
    })
}

fn of_rule(field: &str) -> Option<&'static str> {
    Some(match field {
        "group" => "a rule cannot change its security group",
        "port" => "a rule cannot change its port",
        "from" => "a rule cannot change whom it lets in",
        _ => return None,
    })
}

fn of_instance(field: &str) -> Option<&'static str> {
    Some(match field {
        "vswitch" => "an instance cannot change its vSwitch",
        "type" => "an instance cannot change its type while it runs",
        "image" => "another image is another system disk",
        "user_data" => "an instance is told it at its first start only",
        "spot" => "an instance is made as a spot instance, or not",
        "exposure" => "an instance is made with its public address, or without",
        _ => return None,
    })
}

fn of_redis_instance(field: &str) -> Option<&'static str> {
    Some(match field {
        "series" => "a managed Redis cannot change its product line",
        "engine" => "a managed Redis is made with its version",
        "vswitch" => "a managed Redis cannot change its vSwitch",
        "port" => "a managed Redis is made with its port",
        _ => return None,
    })
}

fn of_load_balancer(field: &str) -> Option<&'static str> {
    Some(match field {
        "vswitches" => "a load balancer cannot change its vSwitches",
        "address_type" => "a load balancer is made with its kind of address",
        "edition" => "a load balancer is made with its edition",
        _ => return None,
    })
}

fn of_server(field: &str) -> Option<&'static str> {
    Some(match field {
        "group" => "a server cannot change its group",
        "instance" => "another instance is another server",
        "port" => "a server cannot change its port",
        _ => return None,
    })
}

fn of_listener(field: &str) -> Option<&'static str> {
    Some(match field {
        "load_balancer" => "a listener cannot change its load balancer",
        "protocol" => "a listener cannot change its protocol",
        "port" => "a listener cannot change its port",
        _ => return None,
    })
}

/// A certificate is never changed: another one is uploaded.
fn of_certificate(field: &str) -> &'static str {
    match field {
        VALIDITY => "it ends soon, and a certificate cannot be made longer",
        _ => "a certificate cannot be changed",
    }
}

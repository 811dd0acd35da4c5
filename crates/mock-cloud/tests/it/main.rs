//! The cloud from outside: a real process, real HTTP, and a signer that shares no code with the one under test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod addresses;
mod balancer_options;
mod balancer_table;
mod balancer_traffic;
mod call_log;
mod certificates;
mod errors;
mod every_action;
mod faults;
mod faults_table;
mod gates;
mod ground;
mod http;
mod lifetime;
mod limits;
mod lists;
mod machines;
mod model;
mod names;
mod old_client;
mod oss;
mod plane_faults;
mod provenance;
mod redis;
mod redis_access;
mod redis_server;
mod redis_time;
mod regions;
mod replies;
mod road;
mod rules;
mod security_rules;
mod signatures;
mod sts;
mod support;
mod tls;
mod tokens;
mod xml;

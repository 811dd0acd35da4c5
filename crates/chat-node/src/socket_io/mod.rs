//! Socket.IO 5 on top of Engine.IO: namespaces, events, acknowledgements, binary attachments.
//!
//! An application implements [`Namespace`] and [`Participant`]. Everything a client sends is handled in the order it was
//! sent, one after the other, by calls that do not wait: what must wait is left to tasks of the application.

mod connection;
pub mod namespace;
pub mod packet;
pub mod socket;

use std::collections::HashMap;
use std::sync::Arc;

pub use namespace::{Accepted, Admission, JoinRequest, LeaveReason, Namespace, Participant};
pub use packet::{Arguments, Event};
pub use socket::{Acknowledgement, NoAnswer, Socket};

use crate::engine_io::{Application, Receiver, Session};
use connection::Connection;

/// A Socket.IO server without its transports.
#[derive(Debug)]
pub struct SocketIo {
    namespaces: Arc<Namespaces>,
}

/// What clients may join.
#[derive(Debug)]
struct Namespaces(HashMap<Arc<str>, Arc<dyn Namespace>>);

impl Namespaces {
    fn get(&self, name: &str) -> Option<(&Arc<str>, &Arc<dyn Namespace>)> {
        self.0.get_key_value(name)
    }
}

impl SocketIo {
    /// A server with these namespaces, by name.
    pub fn new<'a>(namespaces: impl IntoIterator<Item = (&'a str, Arc<dyn Namespace>)>) -> Self {
        let namespaces = namespaces.into_iter().map(|(name, namespace)| (Arc::from(name), namespace));
        Self { namespaces: Arc::new(Namespaces(namespaces.collect())) }
    }
}

impl Application for SocketIo {
    fn open(&self, _: &Arc<Session>) -> Arc<dyn Receiver> {
        Connection::new(self.namespaces.clone())
    }
}

//! The tutorial's events: `connect`, `set_username`, `message`, `disconnect`, and `node` for our own page.
//!
//! The engine runs each handler as a task of its own, so two quick messages of one client could overtake each other.
//! It calls the closure itself in the reader's order, though: all work is done there, and the future it returns is
//! ready. That is why nothing here awaits; what must wait is queued in [`Bus`].
//!
//! Handlers are registered in a middleware, which runs before the client is told that it is connected: one registered
//! later could miss the first event of a quick client.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::Sid;

use crate::bus::{Audience, Bus, Say};
use crate::config::NodeId;
use crate::metrics::Metrics;
use crate::room::Room;
use crate::wording::{self, Username};

/// The rules of the chatroom.
#[derive(Debug)]
pub struct Chat {
    /// Who is here.
    pub room: Arc<Room>,
    /// The way to everybody.
    pub bus: Bus,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Told to whoever asks with a `node` event.
    pub node_id: NodeId,
    /// Longest text, in characters.
    pub text_characters: usize,
}

/// Serves the namespace `/`.
pub fn attach(io: &SocketIo, chat: &Arc<Chat>) {
    let welcoming = chat.clone();
    let listening = chat.clone();
    let welcome = move |socket: SocketRef| {
        welcoming.welcome(&socket);
        ready(())
    };
    let listen = move |socket: SocketRef| {
        listen(&listening, &socket);
        ready(Ok::<(), Infallible>(()))
    };
    io.ns("/", welcome.with(listen));
}

fn listen(chat: &Arc<Chat>, socket: &SocketRef) {
    let naming = chat.clone();
    socket.on("set_username", move |socket: SocketRef, TryData(name): TryData<String>| {
        naming.set_username(&socket, name.ok().as_deref());
        ready(())
    });
    let saying = chat.clone();
    socket.on("message", move |socket: SocketRef, TryData(text): TryData<String>| {
        saying.say(&socket, text.ok().as_deref());
        ready(())
    });
    let telling = chat.clone();
    socket.on("node", move |reply: AckSender| {
        // A client that is gone needs no answer.
        reply.send(telling.node_id.as_str()).ok();
        ready(())
    });
    let leaving = chat.clone();
    socket.on_disconnect(move |socket: SocketRef| {
        leaving.leave(socket.id);
        ready(())
    });
}

impl Chat {
    fn welcome(&self, socket: &SocketRef) {
        self.room.seat(socket);
        self.metrics.connections.increment();
        self.room.tell(socket.id, wording::WELCOME);
    }

    fn set_username(&self, socket: &SocketRef, name: Option<&str>) {
        let Some(Ok(username)) = name.map(Username::parse) else {
            self.room.tell(socket.id, wording::BAD_USERNAME);
            return;
        };
        let seat = self.room.seat(socket);
        seat.name(username.clone());
        self.room.tell(socket.id, &wording::username_set(&username));
        self.bus.remember(seat.session());
    }

    fn say(&self, socket: &SocketRef, text: Option<&str>) {
        self.metrics.received.increment();
        match self.sayable(socket, text) {
            Ok(text) => {
                let say = Say { session: socket.id, text, once: None, receipt: None };
                if self.bus.say(say).is_err() {
                    self.room.tell(socket.id, wording::NOT_SENT);
                }
            }
            Err(refusal) => {
                self.metrics.refused.increment();
                self.room.tell(socket.id, &refusal);
            }
        }
    }

    /// The line everybody will see, or the sentence that says why there is none.
    fn sayable(&self, socket: &SocketRef, text: Option<&str>) -> Result<String, String> {
        let username = self.room.seat(socket).username().ok_or(wording::USERNAME_FIRST)?;
        let text = text.ok_or(wording::NOT_TEXT)?;
        if text.chars().count() > self.text_characters {
            return Err(wording::too_long(self.text_characters));
        }
        Ok(wording::said(&username, text))
    }

    fn leave(&self, sid: Sid) {
        let session = self.room.leave(sid).map(|seat| seat.session());
        if let Some(session) = session.filter(|session| session.username.is_some()) {
            self.bus.leave(session);
        }
    }

    /// Says farewell for every client that is still here.
    pub fn everybody_leaves(&self) {
        self.room.everybody().into_iter().for_each(|sid| self.leave(sid));
    }

    /// Drops clients the engine has forgotten. Never returns.
    pub async fn keep_sessions(self: Arc<Self>, lifetime: Duration) {
        let mut tick = tokio::time::interval(lifetime / 3);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.room.forgotten().into_iter().for_each(|sid| self.leave(sid));
        }
    }
}

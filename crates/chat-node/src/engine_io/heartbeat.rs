//! The clocks of one session: when to ping its client, by when the answer must be there, by when it must have joined.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::close::CloseReason;
use super::session::Settings;

/// A timer may be this late without giving the client more time for it.
const LATE: Duration = Duration::from_millis(20);
/// Who looks at a clock this late was not running itself: what its client said meanwhile still lies unread.
const FROZEN: Duration = Duration::from_secs(1);
/// How long it then takes to read that.
const EXCUSE: Duration = Duration::from_secs(1);

/// The clocks, from the beginning of a session on one transport.
#[derive(Debug)]
pub(super) struct Heartbeat {
    settings: Arc<Settings>,
    next_ping: Instant,
    pong_by: Option<Instant>,
    join_by: Instant,
    is_excused: bool,
}

/// What the time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    End(CloseReason),
}

impl Heartbeat {
    pub(super) fn begin(settings: Arc<Settings>) -> Self {
        let now = Instant::now();
        let (next_ping, join_by) = (now + settings.ping_interval, now + settings.join_timeout);
        Self { settings, next_ping, pong_by: None, join_by, is_excused: false }
    }

    /// When to look next.
    pub(super) fn deadline(&self, has_joined: bool) -> Instant {
        let heartbeat = self.pong_by.unwrap_or(self.next_ping);
        if has_joined { heartbeat } else { heartbeat.min(self.join_by) }
    }

    /// The client has answered.
    pub(super) fn ponged(&mut self) {
        self.pong_by = None;
        self.is_excused = false;
        self.next_ping = Instant::now() + self.settings.ping_interval;
    }

    /// What the time asks for now.
    pub(super) fn look(&mut self, has_joined: bool) -> Due {
        let now = Instant::now();
        let end = match self.pong_by {
            Some(pong_by) if pong_by <= now => Some((pong_by, CloseReason::PingTimeout)),
            _ if self.join_by <= now && !has_joined => Some((self.join_by, CloseReason::NotJoined)),
            _ => None,
        };
        match end {
            Some((by, _)) if now - by > FROZEN && !self.is_excused => self.excuse(now),
            Some((_, reason)) => Due::End(reason),
            None if self.pong_by.is_none() && self.next_ping <= now => {
                // A timer that is very late takes no time from the client.
                let sent_at = self.next_ping.max(now.checked_sub(LATE).unwrap_or(now));
                self.pong_by = Some(sent_at + self.settings.ping_timeout);
                Due::Ping
            }
            None => Due::Nothing,
        }
    }

    /// Nobody is ended for what nobody has looked at.
    fn excuse(&mut self, now: Instant) -> Due {
        self.is_excused = true;
        self.pong_by = self.pong_by.map(|pong_by| pong_by.max(now + EXCUSE));
        self.join_by = self.join_by.max(now + EXCUSE);
        Due::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine_io::Session;
    use tokio::time::advance;

    /// Ping every 10 s, 10 s for the answer, 10 s to join.
    fn heartbeat() -> Heartbeat {
        Heartbeat::begin(Session::idle().settings.clone())
    }

    async fn pass(milliseconds: u64) {
        advance(Duration::from_millis(milliseconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_answers_lives_and_who_does_not_is_ended() {
        let mut heartbeat = heartbeat();
        pass(9_999).await;
        assert_eq!(heartbeat.look(true), Due::Nothing);
        pass(1).await;
        assert_eq!((heartbeat.look(true), heartbeat.look(true)), (Due::Ping, Due::Nothing));
        pass(9_000).await;
        heartbeat.ponged();
        pass(10_000).await;
        assert_eq!(heartbeat.look(true), Due::Ping);
        let asked_at = Instant::now();
        assert_eq!(heartbeat.deadline(true), asked_at + Duration::from_secs(10));
        pass(10_000).await;
        assert_eq!(heartbeat.look(true), Due::End(CloseReason::PingTimeout));
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_join_is_ended() {
        let mut heartbeat = heartbeat();
        pass(10_000).await;
        assert_eq!(heartbeat.look(false), Due::End(CloseReason::NotJoined));
        assert_eq!(heartbeat.look(true), Due::Ping);
    }

    #[tokio::test(start_paused = true)]
    async fn who_looks_too_late_reads_first_and_only_once() {
        let mut heartbeat = heartbeat();
        pass(10_000).await;
        assert_eq!(heartbeat.look(true), Due::Ping);
        pass(30_000).await;
        assert_eq!(heartbeat.look(true), Due::Nothing);
        pass(EXCUSE.as_millis().try_into().unwrap()).await;
        assert_eq!(heartbeat.look(true), Due::End(CloseReason::PingTimeout));

        let mut heartbeat = self::heartbeat();
        pass(60_000).await;
        assert_eq!(heartbeat.look(false), Due::Nothing);
        pass(3_000).await;
        assert_eq!(heartbeat.look(false), Due::End(CloseReason::NotJoined));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_ping_takes_no_time_from_the_client() {
        let mut heartbeat = heartbeat();
        pass(15_000).await;
        assert_eq!(heartbeat.look(true), Due::Ping);
        assert_eq!(heartbeat.deadline(true), Instant::now() - LATE + Duration::from_secs(10));
    }
}

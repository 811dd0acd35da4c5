//! The requests of the writing side, and its first look over a new connection: whether Redis takes messages, and which of
//! those in doubt it has.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use super::connection::Connection;
use super::dial::Dialer;
use super::entry::{EPOCH, NODE, ONCE, Origin, Position, SEQUENCE, TEXT, records};
use super::ledger::Draft;
use super::past::{PAGE, newest};
use super::resp::{Request, Value};
use super::trouble::{Reason, Trouble};
use super::{PATIENCE, STREAM, Shared};

/// What a new connection shows at first.
pub(super) struct Look {
    pub(super) connection: Connection,
    /// What we write comes behind this one.
    pub(super) floor: Position,
    /// What of that in doubt is in the stream.
    pub(super) written: HashMap<u64, Position>,
    /// Why Redis takes no messages although it answers.
    pub(super) refusing: Option<Trouble>,
}

/// Connects and looks.
pub(super) async fn look<A>(
    shared: &Shared<A>,
    dialer: &Dialer,
    floor: Position,
    doubts: HashSet<u64>,
) -> Result<Look, Trouble> {
    let (mut connection, server) = dialer.dial().await?;
    tracing::debug!(?server, "connected for writing");
    let time = connection.call(Request::new("TIME"), "", PATIENCE).await?;
    shared.measures.set_clock(milliseconds(time).unwrap_or_default());
    let refusing = match judge_probe(&connection.ask(&probe(), PATIENCE).await?) {
        Err(trouble) if trouble.reason.passes() => return Err(trouble),
        outcome => outcome.err(),
    };
    let written = written_of(&mut connection, shared.epoch, floor, doubts).await?;
    let newest = newest(&mut connection).await?;
    Ok(Look { connection, floor: newest, written, refusing })
}

/// Which of our numbers the stream has behind `floor`.
async fn written_of(
    connection: &mut Connection,
    epoch: u64,
    floor: Position,
    doubts: HashSet<u64>,
) -> Result<HashMap<u64, Position>, Trouble> {
    let mut written = HashMap::new();
    let mut from = floor;
    while !doubts.is_empty() {
        let page = Request::new("XRANGE").arg(STREAM).show(from).arg("+").arg("COUNT").show(PAGE);
        let page = records(connection.call(page, STREAM, PATIENCE).await?);
        for record in &page {
            let is_ours = |origin: &Origin| origin.epoch == epoch && doubts.contains(&origin.sequence);
            if let Some(origin) = record.origin.filter(is_ours) {
                // A late copy may stand behind the first.
                written.entry(origin.sequence).or_insert(record.position);
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE && written.len() < doubts.len() => from = last.position.next(),
            _ => break,
        }
    }
    Ok(written)
}

/// The request that appends a draft.
pub(super) fn append<A>(shared: &Shared<A>, draft: &Draft) -> Request {
    let request = Request::new("XADD").arg(STREAM).arg("MAXLEN").arg("~").show(length(shared));
    let request = request.arg("*").arg(TEXT).arg(&draft.text).arg(NODE).arg(&shared.settings.node_id);
    let request = request.arg(EPOCH).show(format_args!("{:016x}", shared.epoch));
    let request = request.arg(SEQUENCE).show(draft.number);
    match &draft.once {
        Some(once) => request.arg(ONCE).arg(once),
        None => request,
    }
}

/// How many entries the stream may keep: Redis bounds them by number only, so the bound on bytes follows from what an
/// entry takes in the mean lately. Behind an outage that is not known before all of it is read.
fn length<A>(shared: &Shared<A>) -> usize {
    const LEAST: usize = 100;
    /// What an entry takes in Redis beside its text.
    const OVERHEAD: usize = 192;
    let settings = &shared.settings;
    if !shared.is_caught_up.load(Ordering::Relaxed) {
        return settings.stream_length;
    }
    let fitting = settings.stream_bytes / (shared.history.mean_text() + OVERHEAD);
    settings.stream_length.min(fitting.max(LEAST))
}

/// An XADD that must fail, and fails last of all for this reason.
pub(super) fn probe() -> Request {
    Request::new("XADD").arg(STREAM).arg("0-0").arg(TEXT).arg("")
}

/// What the answer to it says.
pub(super) fn judge_probe(reply: &Value) -> Result<(), Trouble> {
    match reply.refusal() {
        Some(said) if said.contains("The ID specified in XADD") => Ok(()),
        Some(said) => Err(Trouble::refusal("XADD", STREAM, said)),
        None => Err(Trouble::new(Reason::Protocol, "what answers took an entry that no Redis takes")),
    }
}

/// Milliseconds since 1970 in a reply to TIME.
pub(super) fn milliseconds(time: Value) -> Option<u64> {
    let parts = time.into_array();
    let number = |index: usize| u64::try_from(parts.get(index)?.as_integer()?).ok();
    Some(number(0)? * 1000 + number(1)? / 1000)
}

//! One control from beginning to end: break, let verify notice, take back, let verify pass.
//!
//! Whatever happens in between, an error or somebody who says stop, what was broken is taken back.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::control::Control;
use crate::base::retry::{Backoff, Deadline};
use crate::cli::failure::Failure;
use crate::topology::model::Topology;
use crate::verify::{Check, CheckId, Stage, Status};

/// How long everything may take to be well again.
const RECOVERY: Duration = Duration::from_mins(1);

/// Who breaks things, takes them back, and asks verify.
pub(super) trait Stagehand {
    /// Takes away what the control is about and waits until that is so; what was done, in words.
    async fn take_away(&mut self, control: Control) -> Result<String, Failure>;
    /// Puts back all that was taken away; nothing when that is done already.
    async fn put_back(&mut self) -> Result<(), Failure>;
    /// The first check of a verification that fails, as soon as it has.
    async fn first_failure(&self, is_quick: bool) -> Result<Option<Check>, Failure>;
}

/// Tries one control. None when somebody said stop.
pub(super) async fn attempt(
    control: Control,
    topology: &Topology,
    hand: &mut impl Stagehand,
    stop: &CancellationToken,
) -> Result<Option<Stage>, Failure> {
    let begun = Instant::now();
    let noticed = notice(control, hand, stop).await;
    let back = hand.put_back().await;
    let Some((done, first)) = noticed? else { return back.map(|()| None) };
    back?;
    let seen = begun.elapsed();
    let verdict = match judge(control.check(topology), first.as_ref(), &done) {
        Ok(words) => {
            let Some(recovered) = unless_stopped(stop, recovered(hand)).await? else { return Ok(None) };
            recovered.map(|()| {
                let after = begun.elapsed().saturating_sub(seen).as_secs_f64();
                format!("{words}; passes again after {after:.1} s")
            })
        }
        Err(words) => Err(words),
    };
    let (status, sentence) = match verdict {
        Ok(sentence) => (Status::Passed, sentence),
        Err(sentence) => (Status::Failed, sentence),
    };
    Ok(Some(Stage { duration: begun.elapsed(), ..Stage::new(control.name(), status, sentence) }))
}

/// What was done, and the first check that failed then.
async fn notice(
    control: Control,
    hand: &mut impl Stagehand,
    stop: &CancellationToken,
) -> Result<Option<(String, Option<Check>)>, Failure> {
    let done = hand.take_away(control).await?;
    let first = unless_stopped(stop, hand.first_failure(control.is_quick())).await?;
    Ok(first.map(|first| (done, first)))
}

/// Verify has to fail, and nowhere else before.
fn judge(expected: CheckId, first: Option<&Check>, done: &str) -> Result<String, String> {
    match first {
        None => Err(format!("verify did not notice: {done}, and no check failed, not even {expected}")),
        Some(check) if check.id == expected => {
            Ok(format!("{done}: verify fails at {expected}, {}", check.sentence))
        }
        Some(check) => Err(format!(
            "verify did not notice the right thing: {done}, and {} failed, not {expected}: {}",
            check.id, check.sentence
        )),
    }
}

/// Whether a quick verification passes within some time; the last failure in words where it does not.
async fn recovered(hand: &impl Stagehand) -> Result<Result<(), String>, Failure> {
    let deadline = Deadline::after(RECOVERY);
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let Some(failed) = hand.first_failure(true).await? else { return Ok(Ok(())) };
        if !backoff.wait(&deadline).await {
            let (after, id) = (RECOVERY.as_secs(), failed.id);
            let why = failed.sentence;
            return Ok(Err(format!("verify still fails {after} s after all is as it was, at {id}: {why}")));
        }
    }
}

async fn unless_stopped<T>(
    stop: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, Failure> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(None),
        done = work => done.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;
    use crate::cli::exit::ExitStatus;

    /// Plays a stack in which one check fails while something is away.
    struct Played {
        /// What verify says while something is away.
        away: Option<CheckId>,
        /// How often it still says so when that is back.
        lag: Mutex<u32>,
        /// Whether taking away fails halfway.
        breaks_down: bool,
        is_away: bool,
        stop_at_proof: Option<CancellationToken>,
        has_put_back: bool,
    }

    fn played(away: Option<CheckId>) -> Played {
        Played {
            away,
            lag: Mutex::new(0),
            breaks_down: false,
            is_away: false,
            stop_at_proof: None,
            has_put_back: false,
        }
    }

    fn failed(id: CheckId) -> Check {
        Check {
            id,
            status: Status::Failed,
            sentence: "expected more".to_owned(),
            duration: Duration::ZERO,
            evidence: BTreeMap::new(),
            hint: None,
        }
    }

    impl Stagehand for Played {
        async fn take_away(&mut self, _: Control) -> Result<String, Failure> {
            self.is_away = true;
            if self.breaks_down {
                return Err(Failure::saying(ExitStatus::Failed, "the cloud says no", "wait"));
            }
            Ok("Redis is stopped".to_owned())
        }

        async fn put_back(&mut self) -> Result<(), Failure> {
            self.is_away = false;
            self.has_put_back = true;
            Ok(())
        }

        async fn first_failure(&self, _: bool) -> Result<Option<Check>, Failure> {
            if let Some(stop) = &self.stop_at_proof {
                stop.cancel();
                std::future::pending::<()>().await;
            }
            let mut lag = self.lag.lock().unwrap();
            let lags = !self.is_away && *lag > 0;
            *lag = lag.saturating_sub(u32::from(lags));
            Ok(self.away.filter(|_| self.is_away || lags).map(failed))
        }
    }

    async fn tried(hand: &mut Played) -> Result<Option<Stage>, Failure> {
        let topology = crate::topology::load(include_bytes!("../../../examples/chatroom.yaml")).unwrap();
        let stop = hand.stop_at_proof.clone().unwrap_or_default();
        let stage = attempt(Control::RedisStopped, &topology, hand, &stop).await;
        assert!(hand.has_put_back && !hand.is_away, "something is still away");
        stage
    }

    #[tokio::test(start_paused = true)]
    async fn a_control_passes_when_verify_fails_at_its_check_and_then_passes() {
        let mut hand = played(Some(CheckId::MessageAToB));
        hand.lag = Mutex::new(3);
        let stage = tried(&mut hand).await.unwrap().unwrap();
        assert_eq!((stage.name.as_str(), stage.status), ("redis.stopped", Status::Passed), "{stage:?}");
        assert!(stage.sentence.contains("verify fails at message.a_to_b"), "{}", stage.sentence);
        assert!(stage.sentence.contains("passes again after"), "{}", stage.sentence);
    }

    #[tokio::test(start_paused = true)]
    async fn a_verify_that_does_not_notice_is_a_failure() {
        let stage = tried(&mut played(None)).await.unwrap().unwrap();
        assert_eq!(stage.status, Status::Failed);
        assert!(stage.sentence.starts_with("verify did not notice: Redis is stopped"), "{}", stage.sentence);
    }

    #[tokio::test(start_paused = true)]
    async fn a_verify_that_fails_somewhere_else_is_a_failure() {
        let stage = tried(&mut played(Some(CheckId::PageLoads))).await.unwrap().unwrap();
        assert_eq!(stage.status, Status::Failed);
        assert!(stage.sentence.contains("page.loads failed, not message.a_to_b"), "{}", stage.sentence);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_that_stays_ill_is_a_failure() {
        let mut hand = played(Some(CheckId::MessageAToB));
        hand.lag = Mutex::new(u32::MAX);
        let stage = tried(&mut hand).await.unwrap().unwrap();
        assert_eq!(stage.status, Status::Failed);
        assert!(stage.sentence.contains("still fails 60 s after all is as it was"), "{}", stage.sentence);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_away_comes_back_after_an_error_and_when_somebody_says_stop() {
        let mut hand = played(None);
        hand.breaks_down = true;
        assert_eq!(tried(&mut hand).await.unwrap_err().status, ExitStatus::Failed);
        let mut hand = played(None);
        hand.stop_at_proof = Some(CancellationToken::new());
        assert_eq!(tried(&mut hand).await.unwrap(), None);
    }
}

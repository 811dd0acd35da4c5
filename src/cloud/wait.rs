//! Waiting for a named condition: early first look, growing gaps, a deadline, and a word of what was seen.

use std::time::Duration;

use crate::base::retry::{Backoff, Deadline};
use crate::cloud::error::CloudError;

/// What a look found.
#[derive(Debug)]
pub enum Look<T> {
    /// The condition holds.
    Done(T),
    /// Not yet; the state, for messages.
    NotYet(String),
    /// It is not there. Right after a write a list may not have it yet; for longer than that it is gone.
    Absent,
    /// It will never hold; the state it is stuck in.
    Never(String),
}

/// How long a list may lag behind a write before what it does not show counts as gone.
const LAG: Duration = Duration::from_secs(30);

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Condition<'a> {
    /// Resource, as people know it.
    pub subject: &'a str,
    /// What it shall be: `running`, `available`.
    pub name: &'static str,
    /// How long that may take.
    pub deadline: Duration,
}

/// Looks until the condition holds.
///
/// # Errors
/// When it never will, when the resource is gone, when the deadline passes, or when a look fails.
pub async fn until<T, L, F>(condition: Condition<'_>, mut look: L) -> Result<T, CloudError>
where
    L: FnMut() -> F,
    F: Future<Output = Result<Look<T>, CloudError>>,
{
    let deadline = Deadline::after(condition.deadline);
    let lag = Deadline::after(LAG.min(condition.deadline));
    let mut seen = false;
    let mut backoff = Backoff::new(Duration::from_millis(80), Duration::from_secs(5));
    loop {
        let found = look().await?;
        seen |= !matches!(found, Look::Absent);
        let last = match found {
            Look::Absent if seen || lag.passed() => {
                return Err(CloudError::Vanished { subject: condition.subject.to_owned() });
            }
            Look::Absent => "not listed yet".to_owned(),
            Look::Done(value) => return Ok(value),
            Look::Never(state) => {
                return Err(CloudError::Broken { subject: condition.subject.to_owned(), state });
            }
            Look::NotYet(state) => state,
        };
        if !backoff.wait(&deadline).await {
            return Err(CloudError::TimedOut {
                subject: condition.subject.to_owned(),
                condition: condition.name,
                last,
                waited: deadline.total(),
            });
        }
    }
}

/// Looks until a resource has a status; `look` gives the one it has, or none when it is not there.
///
/// # Errors
/// As [`until`].
pub async fn until_status<L>(condition: Condition<'_>, wanted: &str, look: L) -> Result<(), CloudError>
where
    L: AsyncFn() -> Result<Option<String>, CloudError>,
{
    let look = || async {
        Ok(match look().await? {
            Some(status) if status == wanted => Look::Done(()),
            Some(status) => Look::NotYet(status),
            None => Look::Absent,
        })
    };
    until(condition, look).await
}

/// Looks until a resource is not there any more; `look` gives the status it still has.
///
/// # Errors
/// As [`until`].
pub async fn until_gone<L>(subject: &str, deadline: Duration, look: L) -> Result<(), CloudError>
where
    L: AsyncFn() -> Result<Option<String>, CloudError>,
{
    let condition = Condition { subject, name: "gone", deadline };
    until(condition, || async { Ok(look().await?.map_or(Look::Done(()), Look::NotYet)) }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONDITION: Condition<'_> =
        Condition { subject: "vpc.main", name: "available", deadline: Duration::from_secs(30) };

    #[tokio::test(start_paused = true)]
    async fn looks_until_it_is_done() {
        let mut looks = 0;
        let found = until(CONDITION, || {
            looks += 1;
            let done = looks == 4;
            async move { Ok(if done { Look::Done(7) } else { Look::NotYet("Pending".to_owned()) }) }
        });
        assert_eq!(found.await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_listed_late_is_waited_for_and_what_goes_away_is_gone() {
        let mut looks = 0;
        let late = until(CONDITION, || {
            looks += 1;
            let listed = looks == 3;
            async move { Ok(if listed { Look::Done(()) } else { Look::Absent }) }
        });
        assert!(late.await.is_ok());
        let mut looks = 0;
        let gone = until::<(), _, _>(CONDITION, || {
            looks += 1;
            let listed = looks == 1;
            async move { Ok(if listed { Look::NotYet("Pending".to_owned()) } else { Look::Absent }) }
        });
        assert_eq!(gone.await.unwrap_err().to_string(), "vpc.main is not there any more");
    }

    #[tokio::test(start_paused = true)]
    async fn says_what_it_saw_last() {
        let error = until::<(), _, _>(CONDITION, || async { Ok(Look::NotYet("Pending".to_owned())) })
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "vpc.main is not available after 30 s; it is Pending");
    }
}

//! What the keeper of sessions has put off until Redis takes it: bounded, the oldest go first.

use std::collections::VecDeque;

use super::sessions::Task;

/// Most tasks.
const MOST: usize = 10_000;

/// Tasks that wait.
#[derive(Debug, Default)]
pub(super) struct Backlog(VecDeque<Task>);

impl Backlog {
    /// Puts a task off.
    pub(super) fn push(&mut self, task: Task) {
        // The refresh that comes first writes all who are here.
        if matches!(task, Task::Remember(_)) || is_pointless(&task) {
            return;
        }
        if self.0.len() == MOST {
            // While clients ask again and again who they were, no farewell is left out for their old questions.
            self.0.retain(|task| !is_pointless(task));
        }
        if self.0.len() == MOST {
            tracing::warn!("too much is to be done when redis is back; the oldest is left out");
            self.0.pop_front();
        }
        self.0.push_back(task);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes the oldest, at most so many.
    pub(super) fn take(&mut self, most: usize) -> Vec<Task> {
        self.0.drain(..most.min(self.0.len())).collect()
    }
}

/// Whether nobody waits for the answer any more.
fn is_pointless(task: &Task) -> bool {
    matches!(task, Task::Recall { reply, .. } if reply.is_closed())
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::super::sessions::Session;
    use super::super::some_id;
    use super::super::stay::{Presence, Stay};
    use super::*;

    fn leave() -> Task {
        let session = Session { sid: some_id(), pid: some_id(), username: None };
        Task::Leave(Presence { session, stay: Stay::begin() })
    }

    fn recall() -> (Task, oneshot::Receiver<Option<Session>>) {
        let (reply, answer) = oneshot::channel();
        (Task::Recall { pid: some_id(), reply }, answer)
    }

    #[test]
    fn questions_nobody_waits_for_push_out_no_farewell() {
        let mut backlog = Backlog::default();
        backlog.push(leave());
        let (waiting, _answer) = recall();
        backlog.push(waiting);
        let mut asked = Vec::new();
        for _ in 2..MOST {
            let (task, answer) = recall();
            asked.push(answer);
            backlog.push(task);
        }
        assert_eq!(backlog.len(), MOST);
        drop(asked);
        backlog.push(leave());
        let left = backlog.take(MOST);
        assert!(matches!(left[..], [Task::Leave(_), Task::Recall { .. }, Task::Leave(_)]), "{}", left.len());
    }

    #[test]
    fn when_all_of_it_counts_the_oldest_goes() {
        let mut backlog = Backlog::default();
        for _ in 0..=MOST {
            backlog.push(leave());
        }
        backlog.push(Task::Remember(Presence {
            session: Session { sid: some_id(), pid: some_id(), username: None },
            stay: Stay::begin(),
        }));
        assert_eq!((backlog.take(3).len(), backlog.len()), (3, MOST - 3));
    }
}

//! A thread that wakes another one at a rate: what polls sleeps whole milliseconds, which is too coarse for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Waker;

/// No faster than that; more is then due at once.
const SHORTEST: Duration = Duration::from_micros(250);

/// Wakes until it is dropped.
#[derive(Debug)]
pub(super) struct Pace {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pace {
    /// Begins.
    pub(super) fn begin(waker: Arc<Waker>, interval: Duration) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ending = is_over.clone();
        let thread = std::thread::spawn(move || {
            while !ending.load(Ordering::Relaxed) {
                pause(interval.max(SHORTEST));
                // The other side is gone at the end.
                waker.wake().ok();
            }
        });
        Self { is_over, thread: Some(thread) }
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread that does nothing else may sleep")]
fn pause(interval: Duration) {
    std::thread::sleep(interval);
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there is told by itself.
            thread.join().ok();
        }
    }
}

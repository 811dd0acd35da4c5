//! Where the time of the harness goes, added up over all who are at work.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

static TIMES: Mutex<BTreeMap<&str, (u32, Duration)>> = Mutex::new(BTreeMap::new());

/// Does something, and notes how long it took.
pub(crate) async fn timed<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = work.await;
    let mut times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, sum) = times.entry(what).or_default();
    *count += 1;
    *sum += begun.elapsed();
    done
}

/// A line for each: how often, and how long on the whole and at a time.
pub(crate) fn table() -> String {
    let times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
    let row = |(what, (count, sum)): (&&str, &(u32, Duration))| {
        format!(
            "{what:<34}{count:>6} times {:>8.0} s {:>8.2} s each\n",
            sum.as_secs_f64(),
            (*sum / *count).as_secs_f64()
        )
    };
    times.iter().map(row).collect()
}

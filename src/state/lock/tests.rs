//! The lock against holders that end, stop, come back, and others that want it at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::base::clock;

/// As the program's, but thirty times as fast.
fn claim(command: &str) -> Claim {
    let [lease, renewal] = [1000, 300].map(Duration::from_millis);
    Claim { lease, renewal, ..Claim::new(command, Duration::ZERO) }
}

fn patient(command: &str) -> Claim {
    Claim { wait: Duration::from_secs(20), ..claim(command) }
}

async fn take(folder: &Path, claim: &Claim) -> Result<Lock, StateError> {
    Lock::take(folder, claim, &|_| ()).await
}

/// A lock of a machine that is not this one.
fn foreign(renewed: jiff::Timestamp) -> Record {
    let process = Process { boot: Some("elsewhere".to_owned()), ..Process::this() };
    Record {
        process,
        host: "elsewhere".to_owned(),
        renewed,
        ..Record::new("albatross apply", Duration::from_secs(1))
    }
}

fn write(folder: &Path, text: &str) {
    std::fs::write(folder.join("lock"), text).unwrap();
}

fn left(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_second_is_told_who_is_first_and_the_lock_ends_with_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let first = take(folder.path(), &claim("albatross apply a.yaml")).await.unwrap();
    let error = take(folder.path(), &claim("albatross destroy a.yaml")).await.unwrap_err().to_string();
    assert!(error.contains(&format!("process {}, since ", std::process::id())), "{error}");
    assert!(error.ends_with(": albatross apply a.yaml"), "{error}");
    drop(first);
    assert_eq!(left(folder.path()), ["lock.gate"]);
    assert!(take(folder.path(), &claim("albatross destroy a.yaml")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_at_once_exactly_one_wins_each_time() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    for round in 0..20 {
        // Every other time a lock lies there whose holder has ended.
        if round % 2 == 1 {
            let gone = Process { id: u32::MAX, ..Process::this() };
            write(folder.path(), &Record { process: gone, ..foreign(clock::now()) }.to_text());
        }
        let all: Vec<_> = (0..20)
            .map(|_| {
                let folder = folder.clone();
                tokio::spawn(async move { take(folder.path(), &claim("apply")).await })
            })
            .collect();
        let mut won = Vec::new();
        for one in all {
            match one.await.unwrap() {
                Ok(lock) => won.push(lock),
                Err(error) => assert!(matches!(error, StateError::Locked { .. }), "{error}"),
            }
        }
        assert_eq!(won.len(), 1, "round {round}");
        won[0].standing().check().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_wait_come_in_one_after_the_other() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let inside = Arc::new(AtomicUsize::new(0));
    let all: Vec<_> = (0..4)
        .map(|_| {
            let (folder, inside) = (folder.clone(), inside.clone());
            tokio::spawn(async move {
                let lock = take(folder.path(), &patient("apply")).await.unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                tokio::time::sleep(Duration::from_millis(50)).await;
                lock.standing().check().unwrap();
                inside.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
}

#[tokio::test]
async fn whoever_waits_is_told_for_whom_and_gives_up_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let _first = take(folder.path(), &claim("albatross apply a.yaml")).await.unwrap();
    let heard = Mutex::new(Vec::new());
    let listener = |notice: &Notice<'_>| heard.lock().unwrap().push(format!("{notice:?}"));
    let begun = Instant::now();
    let short = Claim { wait: Duration::from_secs(2), ..claim("second") };
    let error = Lock::take(folder.path(), &short, &listener).await.unwrap_err();
    assert!(matches!(error, StateError::Locked { .. }), "{error}");
    assert!((2.0..4.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    let heard = heard.into_inner().unwrap();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].starts_with("Waiting") && heard[0].contains("albatross apply a.yaml"), "{heard:?}");
}

#[tokio::test]
async fn a_heartbeat_that_moves_keeps_the_lock_however_wrong_its_clock_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let moving = tokio::spawn(async move {
        let mut record = foreign(clock::now() - Duration::from_hours(5));
        loop {
            write(&path, &record.to_text());
            tokio::time::sleep(Duration::from_millis(200)).await;
            record = Record { heartbeat: record.heartbeat + 1, ..record };
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let wait = Claim { wait: Duration::from_secs(3), ..claim("second") };
    for claim in [claim("second"), wait] {
        let refused = take(folder.path(), &claim).await;
        // What is being written may be seen half: that is no entry, and moves too.
        assert!(matches!(refused, Err(StateError::Locked { .. })), "{refused:?}");
    }
    moving.abort();
}

#[tokio::test]
async fn a_lock_from_elsewhere_that_does_not_move_is_taken_over_after_its_lease() {
    for age in [Duration::from_hours(5), Duration::ZERO] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &foreign(clock::now() - age).to_text());
        let begun = Instant::now();
        // One that looks fresh is only taken over by somebody who waits.
        let claim = if age.is_zero() { patient("second") } else { claim("second") };
        take(folder.path(), &claim).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &foreign(clock::now()).to_text());
    assert!(matches!(take(folder.path(), &claim("second")).await, Err(StateError::Locked { .. })));
}

#[tokio::test(start_paused = true)]
async fn garbage_is_watched_for_a_lease_and_then_taken_over() {
    for garbage in ["", "process 12 (apply, since today)", "{\"id\": 5", "\0\0\0\0"] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), garbage);
        let begun = Instant::now();
        let lock = take(folder.path(), &claim("second")).await.unwrap();
        assert!(begun.elapsed() >= LEASE, "{:?}", begun.elapsed());
        lock.standing().check().unwrap();
    }
}

#[tokio::test]
async fn a_holder_that_was_overtaken_learns_it_and_leaves_the_lock_to_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let first =
        take(folder.path(), &Claim { renewal: Duration::from_hours(1), ..claim("first") }).await.unwrap();
    let (standing, lost) = (first.standing(), first.standing());
    let waiting = tokio::spawn(async move { lost.lost().await });
    standing.check().unwrap();
    let second = take(folder.path(), &patient("second")).await.unwrap();
    let error = standing.check().unwrap_err();
    assert!(error.to_string().ends_with(": second"), "{error}");
    assert!(matches!(waiting.await.unwrap(), StateError::LockLost { .. }));
    drop(first);
    second.standing().check().unwrap();
    // It stays lost, also when nobody has the lock any more.
    drop(second);
    assert!(standing.check().is_err());
}

#[tokio::test]
async fn a_heartbeat_finds_out_that_the_lock_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = take(folder.path(), &claim("first")).await.unwrap();
    std::fs::remove_file(folder.path().join("lock")).unwrap();
    let lost = tokio::time::timeout(Duration::from_secs(10), first.standing().lost()).await.unwrap();
    assert!(lost.to_string().ends_with("nobody holds it now"), "{lost}");
}

#[tokio::test]
async fn a_lock_is_held_for_much_longer_than_its_lease() {
    let folder = tempfile::tempdir().unwrap();
    let first = take(folder.path(), &claim("first")).await.unwrap();
    let wait = Claim { wait: Duration::from_secs(4), ..claim("second") };
    assert!(matches!(take(folder.path(), &wait).await, Err(StateError::Locked { .. })));
    first.standing().check().unwrap();
}

#[tokio::test]
async fn unlock_removes_what_is_abandoned_and_nothing_else_unless_forced() {
    let listener: Listener<'_> = &|_| ();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(unlock(folder.path(), false, listener).await.unwrap(), Unlocked::WasFree);
    assert_eq!(unlock(&folder.path().join("none"), false, listener).await.unwrap(), Unlocked::WasFree);
    let gone = Process { id: u32::MAX, ..Process::this() };
    write(folder.path(), &Record { process: gone, ..foreign(clock::now()) }.to_text());
    assert!(matches!(unlock(folder.path(), false, listener).await.unwrap(), Unlocked::WasAbandoned(_)));
    write(folder.path(), &foreign(clock::now() - Duration::from_hours(1)).to_text());
    assert!(matches!(unlock(folder.path(), false, listener).await.unwrap(), Unlocked::WasAbandoned(_)));
    let lock = take(folder.path(), &claim("first")).await.unwrap();
    let refused = unlock(folder.path(), false, listener).await;
    assert!(matches!(refused, Err(StateError::Locked { .. })), "{refused:?}");
    lock.standing().check().unwrap();
    assert!(matches!(unlock(folder.path(), true, listener).await.unwrap(), Unlocked::WasForced(_)));
    assert!(lock.standing().check().is_err());
}

#[tokio::test]
async fn what_a_killed_change_left_is_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".lock-new-0f"), "half").unwrap();
    let lock = take(folder.path(), &claim("first")).await.unwrap();
    assert_eq!(left(folder.path()), ["lock", "lock.gate"]);
    drop(lock);
}

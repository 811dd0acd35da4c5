//! Gates as the parts of the cloud and a test meet there.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;

const LONG: Duration = Duration::from_mins(1);

fn place(moment: Moment, occurrence: u64) -> Place {
    Place { key: "api Vpc.CreateVpc".to_owned(), occurrence, moment }
}

fn arrive(gates: &Gates) -> Passage {
    gates.arrive(Kind::Api, "Vpc.CreateVpc")
}

fn states(gates: &Gates) -> Vec<(u64, u64, String)> {
    let lines = gates.effects();
    let rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| {
        let number = |name: &str| row[name].as_u64().unwrap();
        (number("sequence"), number("occurrence"), row["state"].as_str().unwrap().to_owned())
    })
    .collect()
}

async fn state(gates: &Gates, id: u64) -> String {
    gates.watch(id, LONG).await.unwrap()["state"].as_str().unwrap().to_owned()
}

/// Goes through both gates, and says whether it was done and whether it may be answered.
async fn pass(mut passage: Passage, is_alone: bool) -> (bool, bool) {
    let gone = CancellationToken::new();
    if is_alone {
        gone.cancel();
    }
    if passage.begin(&gone).await == Verdict::Drop {
        return (false, false);
    }
    (true, passage.end(&gone).await == Verdict::Go)
}

#[tokio::test(start_paused = true)]
async fn only_the_occurrence_of_a_gate_is_held() {
    let gates = Gates::default();
    let id = gates.set(place(Moment::Before, 2)).unwrap();
    assert_eq!(pass(arrive(&gates), false).await, (true, true));
    assert_eq!(gates.watch(id, Duration::from_secs(1)).await.unwrap()["state"], "armed");
    let second = tokio::spawn(pass(arrive(&gates), true));
    assert_eq!(pass(arrive(&gates), false).await, (true, true), "nobody else is held up");
    assert_eq!(state(&gates, id).await, "held");
    let told = [(1, 1, "done"), (2, 2, "held"), (3, 3, "done")];
    assert_eq!(states(&gates), told.map(|(a, b, word)| (a, b, word.to_owned())));
    gates.tell(id, Verdict::Go).unwrap();
    assert_eq!(second.await.unwrap(), (true, true));
    assert_eq!(state(&gates, id).await, "late");
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_before_is_not_done_and_after_not_answered() {
    let gates = Gates::default();
    for (moment, expected, word) in
        [(Moment::Before, (false, false), "dropped"), (Moment::After, (true, false), "done")]
    {
        gates.forget();
        let id = gates.set(place(moment, 1)).unwrap();
        let held = tokio::spawn(pass(arrive(&gates), false));
        assert_eq!(state(&gates, id).await, "held");
        gates.tell(id, Verdict::Drop).unwrap();
        assert_eq!(held.await.unwrap(), expected);
        assert_eq!(state(&gates, id).await, word);
        assert_eq!(states(&gates), [(1, 1, word.to_owned())]);
    }
}

#[tokio::test(start_paused = true)]
async fn counting_anew_lets_go_and_no_old_effect_meets_a_new_gate() {
    let gates = Gates::default();
    let id = gates.set(place(Moment::Before, 1)).unwrap();
    let mut old = arrive(&gates);
    let waits = tokio::spawn(async move {
        let verdict = old.begin(&CancellationToken::new()).await;
        (verdict, old)
    });
    assert_eq!(state(&gates, id).await, "held");
    gates.forget();
    let (verdict, mut old) = waits.await.unwrap();
    assert_eq!(verdict, Verdict::Go);
    gates.set(place(Moment::After, 1)).unwrap();
    assert_eq!(old.end(&CancellationToken::new()).await, Verdict::Go);
    drop(old);
    assert_eq!(gates.effects(), "");
    assert_eq!(gates.watch(id, LONG).await.unwrap_err(), GateError::Unknown(id));
}

#[tokio::test(start_paused = true)]
async fn a_gate_nothing_can_come_to_is_refused() {
    let gates = Gates::default();
    pass(arrive(&gates), false).await;
    let error = gates.set(place(Moment::Before, 1)).unwrap_err();
    assert_eq!(error.to_string(), "occurrence 1 of `api Vpc.CreateVpc` has been already; the next one is 2");
    let id = gates.set(place(Moment::Before, 2)).unwrap();
    assert_eq!(gates.set(place(Moment::Before, 2)), Err(GateError::Taken(id)));
    assert!(gates.set(place(Moment::After, 2)).is_ok(), "the other side is another gate");
    assert_eq!(gates.tell(id, Verdict::Go), Err(GateError::NothingHeld(id, "armed")));
    assert_eq!(gates.tell(9, Verdict::Go), Err(GateError::Unknown(9)));
}

#[tokio::test(start_paused = true)]
async fn who_is_taken_away_while_held_was_never_there() {
    let gates = Gates::default();
    let id = gates.set(place(Moment::Before, 1)).unwrap();
    let held = tokio::spawn(pass(arrive(&gates), false));
    assert_eq!(state(&gates, id).await, "held");
    held.abort();
    let _ = held.await;
    assert_eq!(states(&gates), [(1, 1, "dropped".to_owned())]);
    assert_eq!(gates.tell(id, Verdict::Go), Err(GateError::NothingHeld(id, "dropped")));
}

#[test]
fn old_effects_are_forgotten_and_stay_counted() {
    let gates = Gates::default();
    for _ in 0..MOST_EFFECTS + 2 {
        drop(arrive(&gates));
    }
    let all = states(&gates);
    assert_eq!(all.len(), MOST_EFFECTS);
    assert_eq!((all[0].0, all[0].1), (3, 3));
}

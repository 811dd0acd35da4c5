//! The judge, on records that are not good.

use super::{Heard, Name, Record, Verdict, judge};

fn message(sender: u32, count: u32) -> Heard {
    Heard::Message(Name { sender, count })
}

/// Two clients that say two messages each, and hear all of it; the second comes later.
fn good() -> Vec<Record> {
    let heard = vec![
        ((1, 0), message(0, 1)),
        ((2, 0), message(1, 1)),
        ((2, 1), message(0, 2)),
        ((5, 0), message(1, 2)),
    ];
    let later = heard[1..].to_vec();
    let joined = Some((1, 0));
    let record = Record { heard, said: 2, acknowledged: vec![1, 2], ..Record::default() };
    vec![record.clone(), Record { joined, heard: later, ..record }]
}

fn judged(change: impl FnOnce(&mut Vec<Record>)) -> Verdict {
    let mut records = good();
    change(&mut records);
    judge(&records)
}

#[test]
fn a_good_run_is_good() {
    let verdict = judged(|_| ());
    assert!(verdict.is_good(), "{verdict:?}");
    assert_eq!((verdict.sent, verdict.delivered), (4, 7));
}

#[test]
fn a_run_without_messages_is_not() {
    assert!(!judge(&[]).is_good());
    assert!(!judge(&[Record::default()]).is_good());
}

#[test]
fn what_one_client_misses_is_lost_in_the_middle_and_at_the_end() {
    for index in [0, 1, 2] {
        let verdict = judged(|records| {
            records[1].heard.remove(index);
        });
        assert_eq!((verdict.lost, verdict.is_good()), (1, false), "{verdict:?}");
    }
    let verdict = judged(|records| records[1].heard.clear());
    assert_eq!((verdict.lost, verdict.is_good()), (3, false), "{verdict:?}");
}

#[test]
fn what_was_acknowledged_and_heard_by_nobody_is_lost() {
    let verdict = judged(|records| {
        records[0].heard.remove(2);
        records[1].heard.remove(1);
    });
    assert_eq!((verdict.lost, verdict.is_good()), (1, false), "{verdict:?}");
}

#[test]
fn what_comes_twice_is_doubled() {
    let again = judged(|records| {
        let entry = records[0].heard[3];
        records[0].heard.push(entry);
    });
    assert_eq!((again.doubled, again.is_good()), (1, false), "{again:?}");
    let elsewhere = judged(|records| {
        for record in records {
            record.heard.push(((6, 0), message(1, 2)));
        }
    });
    assert_eq!((elsewhere.doubled, elsewhere.is_good()), (1, false), "{elsewhere:?}");
}

#[test]
fn another_order_is_noticed_of_one_client_and_of_one_sender() {
    let swapped = judged(|records| records[0].heard.swap(1, 2));
    assert!(swapped.out_of_order >= 1 && !swapped.is_good(), "{swapped:?}");
    let sender = judged(|records| {
        for record in records.iter_mut() {
            for (_, heard) in &mut record.heard {
                if let Heard::Message(name) = heard {
                    name.count = 3 - name.count;
                }
            }
        }
    });
    assert_eq!((sender.out_of_order, sender.is_good()), (2, false), "{sender:?}");
}

#[test]
fn a_place_that_says_two_things_is_noticed() {
    let verdict = judged(|records| records[1].heard[0].1 = Heard::Farewell);
    assert_eq!((verdict.out_of_order, verdict.is_good()), (1, false), "{verdict:?}");
}

#[test]
fn refusals_forgotten_clients_farewells_and_missing_answers_are_not_good() {
    let verdicts = [
        judged(|records| records[0].refused = 1),
        judged(|records| records[0].forgotten = 1),
        judged(|records| records[0].acknowledged.truncate(1)),
        judged(|records| {
            for record in records {
                record.heard.push(((6, 0), Heard::Farewell));
            }
        }),
    ];
    for verdict in verdicts {
        assert!(!verdict.is_good(), "{verdict:?}");
    }
}

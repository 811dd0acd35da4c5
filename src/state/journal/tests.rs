//! The journal against everything that can happen to a file.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::base::ids::{ClientToken, CloudId, RegionId, StackName};
use crate::resource::Kind;
use crate::resource::observed::Output;
use crate::resource::phase::Phase;

fn identity() -> Identity {
    Identity::new("1234", "http://127.0.0.1:1", RegionId::new("cn-hangzhou"), StackName::new("chat"))
}

fn address() -> ResourceAddress {
    ResourceAddress::only(Kind::Vpc)
}

fn open(folder: &Path) -> Journal {
    Journal::open(folder, identity()).unwrap().0
}

fn happened(happening: Happening, call: Option<serde_json::Value>) -> Event {
    Event::Happened { address: address(), happening, call }
}

fn write_life(folder: &Path) -> Memory {
    let mut journal = open(folder);
    let token = journal.memory().next_token(&address());
    journal.append(happened(Happening::Intend(token), Some(json!({"action": "CreateVpc"})))).unwrap();
    journal.append(happened(Happening::Accept(CloudId::new("vpc-1")), None)).unwrap();
    journal.append(happened(Happening::Ready, None)).unwrap();
    journal.memory().clone()
}

#[test]
fn what_was_written_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let memory = write_life(folder.path());
    assert_eq!(memory.phase(&address()), Phase::Ready(CloudId::new("vpc-1")));
    let (journal, tail) = Journal::open(folder.path(), identity()).unwrap();
    assert_eq!((journal.memory(), tail), (&memory, Tail::Whole));
}

#[test]
fn a_torn_line_is_told_with_its_file_and_what_was_dropped() {
    let folder = tempfile::tempdir().unwrap();
    write_life(folder.path());
    let path = folder.path().join("journal");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let (_, Tail::Torn(line)) = Journal::open(folder.path(), identity()).unwrap() else { panic!("not torn") };
    let told = line.to_string();
    assert!(told.starts_with(&format!("line 4 of the journal `{}` was torn", path.display())), "{told}");
    assert!(told.contains("bytes have been dropped: ") && told.contains(r#"{\"sequence\":4"#), "{told}");
}

#[test]
fn what_a_power_cut_leaves_unwritten_within_the_last_line_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    write_life(folder.path());
    let path = folder.path().join("journal");
    let mut text = std::fs::read(&path).unwrap();
    let end = text.len();
    text[end - 60..end - 20].fill(0);
    std::fs::write(&path, &text).unwrap();
    assert!(matches!(Journal::open(folder.path(), identity()).unwrap().1, Tail::Torn(_)));
}

#[test]
fn damage_in_the_middle_is_an_error_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    write_life(folder.path());
    let path = folder.path().join("journal");
    let damaged = std::fs::read_to_string(&path).unwrap().replacen("CreateVpc", "DeleteVpc", 1);
    std::fs::write(&path, damaged).unwrap();
    let error = Journal::open(folder.path(), identity()).unwrap_err();
    assert!(matches!(error, StateError::Damaged { line: 2, .. }), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains(&path.display().to_string()) && hint.contains("albatross plan"), "{hint}");
}

#[test]
fn a_line_that_is_missing_or_there_twice_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    write_life(folder.path());
    let path = folder.path().join("journal");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let others = [vec![lines[0], lines[2], lines[3]], vec![lines[0], lines[1], lines[1], lines[2]]];
    for (lines, line) in others.into_iter().zip([2, 3]) {
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let error = Journal::open(folder.path(), identity()).unwrap_err();
        assert!(matches!(&error, StateError::Damaged { line: found, .. } if *found == line), "{error}");
    }
}

#[test]
fn what_a_newer_version_wrote_is_not_called_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let entry = |event: &str| {
        line::sealed(&format!(r#"{{"sequence":5,"at":"2026-11-23T14:00:00Z","event":{event}}}"#))
    };
    let cases = [
        (entry(r#"{"imagined":{"address":"vpc.main"}}"#), "unknown variant `imagined`"),
        (entry(r#"{"answered":{"address":"vpc.main","by":"owl"}}"#), "unknown field"),
        (entry(r#"{"answered":{"address":"moon.main"}}"#), "`moon.main` is not a resource address"),
    ];
    for (added, what) in cases {
        std::fs::remove_file(&path).ok();
        write_life(folder.path());
        let text = std::fs::read_to_string(&path).unwrap() + &added;
        std::fs::write(&path, &text).unwrap();
        let error = Journal::open(folder.path(), identity()).unwrap_err();
        assert!(matches!(error, StateError::Newer { line: 5, .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.hint().unwrap().starts_with("upgrade"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "it must be left as it is");
    }
    let newer = Identity { version: FORMAT + 1, ..identity() };
    let first = Entry { sequence: 1, at: clock::now(), event: Event::Opened(newer) };
    std::fs::write(&path, line::encode(&first)).unwrap();
    let error = Journal::open(folder.path(), identity()).unwrap_err();
    assert!(matches!(error, StateError::Newer { line: 1, .. }), "{error}");
}

#[test]
fn what_cannot_follow_is_refused_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    assert!(matches!(journal.append(happened(Happening::Ready, None)), Err(StateError::Impossible { .. })));
    drop(journal);
    assert!(Journal::open(folder.path(), identity()).is_ok());
}

#[test]
fn another_clouds_journal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_life(folder.path());
    let other = Identity { account: "9999".to_owned(), ..identity() };
    assert!(matches!(Journal::open(folder.path(), other), Err(StateError::OtherCloud { .. })));
}

#[test]
fn a_journal_that_gets_long_is_rewritten_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mut journal = open(folder.path());
    let mut longest = 0;
    for _ in 0..COMPACT_ABOVE {
        let token = journal.memory().next_token(&address());
        journal.append(happened(Happening::Intend(token), Some(json!({"action": "CreateVpc"})))).unwrap();
        longest = longest.max(journal.lines);
        journal.append(happened(Happening::Refuse, None)).unwrap();
    }
    assert!(longest <= COMPACT_ABOVE && journal.lines < COMPACT_ABOVE, "{longest}, {}", journal.lines);
    let lines = std::fs::read_to_string(&path).unwrap().lines().count();
    assert_eq!(lines, journal.lines);
    assert_eq!(open(folder.path()).memory(), journal.memory());
    assert_eq!(journal.memory().resources[&address()].attempt, u32::try_from(COMPACT_ABOVE).unwrap());
}

/// What a crash leaves of a rewriting: some of the new file under another name, and then all of it under its own.
#[test]
fn no_crash_while_it_is_rewritten_loses_anything() {
    let folder = tempfile::tempdir().unwrap();
    let memory = write_life(folder.path());
    let path = folder.path().join("journal");
    let old = std::fs::read(&path).unwrap();
    rewrite(&path, &memory).unwrap();
    let new = std::fs::read(&path).unwrap();
    assert_ne!(old, new);
    for length in 0..=new.len() {
        std::fs::write(&path, &old).unwrap();
        let unfinished = folder.path().join(".albatross-x1y2z3");
        std::fs::write(&unfinished, &new[..length]).unwrap();
        let (journal, tail) = Journal::open(folder.path(), identity()).unwrap();
        assert_eq!((journal.memory(), tail), (&memory, Tail::Whole), "cut at {length}");
        assert!(!unfinished.exists(), "it must be swept away");
    }
    std::fs::write(&path, &new).unwrap();
    assert_eq!(open(folder.path()).memory(), &memory);
}

#[test]
fn removed_resources_keep_what_their_next_token_is_made_of() {
    let folder = tempfile::tempdir().unwrap();
    write_life(folder.path());
    let mut journal = open(folder.path());
    let first = journal.memory().next_token(&address());
    journal.append(happened(Happening::Remove, None)).unwrap();
    let second = journal.memory().next_token(&address());
    rewrite(&journal.path, &journal.memory).unwrap();
    assert_eq!(open(folder.path()).memory().next_token(&address()), second);
    assert_ne!(first, second);
}

#[test]
fn an_announced_removal_is_known_until_its_outcome_is() {
    let folder = tempfile::tempdir().unwrap();
    write_life(folder.path());
    let mut journal = open(folder.path());
    let token = journal.memory().next_token(&address());
    let call = Some(json!({"action": "DeleteVpc"}));
    journal.append(Event::Announced { address: address(), purpose: Purpose::Remove, call }).unwrap();
    let journal = open(folder.path());
    assert!(journal.memory().is_leaving(&address()));
    assert_eq!(journal.memory().phase(&address()), Phase::Ready(CloudId::new("vpc-1")));
    assert_ne!(journal.memory().next_token(&address()), token, "it may have carried that one");
    for ends in [Event::Answered { address: address() }, happened(Happening::Remove, None)] {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(folder.path().join("journal"), copy.path().join("journal")).unwrap();
        let mut journal = open(copy.path());
        journal.append(ends).unwrap();
        assert!(!journal.memory().is_leaving(&address()));
    }
}

#[test]
fn what_is_forgotten_leaves_its_address_free_and_its_tokens_counting() {
    let folder = tempfile::tempdir().unwrap();
    write_life(folder.path());
    let mut journal = open(folder.path());
    let first = journal.memory().next_token(&address());
    let outputs = [(Output::DnsName, "a.b".to_owned())].into();
    journal.append(Event::Learned { address: address(), outputs, fields: Fields::new() }).unwrap();
    journal.append(Event::Adopted { address: address(), id: CloudId::new("vpc-1") }).unwrap();
    journal.append(Event::Forgotten { address: address() }).unwrap();
    let journal = open(folder.path());
    let left = &journal.memory().resources[&address()];
    assert_eq!((&left.phase, left.generation, left.adopted), (&Phase::Absent, 1, false));
    assert!(left.outputs.is_empty());
    assert_ne!(journal.memory().next_token(&address()), first);
}

#[test]
fn a_deposed_resource_is_forgotten_without_a_trace_and_its_successor_is_not() {
    let folder = tempfile::tempdir().unwrap();
    write_life(folder.path());
    let mut journal = open(folder.path());
    let old = CloudId::new("vpc-1");
    journal.append(Event::Deposed { address: address(), id: old.clone() }).unwrap();
    journal.append(happened(Happening::Accept(CloudId::new("vpc-2")), None)).unwrap();
    journal.append(Event::Forgotten { address: address().deposed(&old) }).unwrap();
    let memory = open(folder.path()).memory().clone();
    assert_eq!(memory.resources.keys().collect::<Vec<_>>(), [&address()]);
    assert_eq!(memory.id(&address()), Some(CloudId::new("vpc-2")));
}

#[test]
fn what_is_under_way_or_not_known_cannot_be_forgotten() {
    let forgotten = || Event::Forgotten { address: address() };
    let token = || ClientToken::new("0f");
    let call = || Some(json!({"action": "CreateVpc"}));
    let id = CloudId::new("vpc-1");
    let lives: [(&str, Vec<Event>, [bool; 2]); 7] = [
        ("nothing", vec![], [false, false]),
        ("to be made", vec![happened(Happening::Intend(token()), call())], [true, false]),
        ("to be done on a host", vec![happened(Happening::Intend(token()), None)], [true, false]),
        ("made", vec![happened(Happening::Accept(id.clone()), None)], [false, true]),
        (
            "to be changed",
            vec![happened(Happening::Accept(id.clone()), None), happened(Happening::Intend(token()), call())],
            [true, false],
        ),
        (
            "to be removed",
            vec![
                happened(Happening::Accept(id.clone()), None),
                Event::Announced { address: address(), purpose: Purpose::Remove, call: call() },
            ],
            [true, false],
        ),
        (
            "removed",
            vec![happened(Happening::Accept(id), None), happened(Happening::Remove, None)],
            [false, false],
        ),
    ];
    for (life, events, [is_under_way, may]) in lives {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = open(folder.path());
        for event in events {
            journal.append(event).unwrap();
        }
        assert_eq!(journal.memory().is_under_way(&address()), is_under_way, "{life}");
        let before = std::fs::read(&journal.path).unwrap();
        let outcome = journal.append(forgotten());
        assert_eq!(outcome.is_ok(), may, "{life}: {outcome:?}");
        assert_eq!(std::fs::read(&journal.path).unwrap() == before, !may, "{life}");
    }
}

#[test]
fn all_files_are_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("state");
    write_life(&folder);
    open(&folder).keep_secret(&Secret::new("hunter2".to_owned())).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let secrets = folder.join("secrets");
    let secret = std::fs::read_dir(&secrets).unwrap().next().unwrap().unwrap().path();
    assert_eq!([&folder, &secrets].map(|path| mode(path)), [0o700; 2]);
    assert_eq!([&folder.join("journal"), &secret].map(|path| mode(path)), [0o600; 2]);
}

#[tokio::test]
async fn nothing_is_written_once_the_lock_is_anothers() {
    use crate::state::lock::{Claim, Lock};
    let folder = tempfile::tempdir().unwrap();
    let claim = Claim::new("albatross apply", std::time::Duration::ZERO);
    let lock = Lock::take(folder.path(), &claim, &|_| ()).await.unwrap();
    let mut journal = open(folder.path()).guarded_by(lock.standing());
    journal.append(Event::Answered { address: address() }).unwrap();
    std::fs::write(folder.path().join("lock"), "{}").unwrap();
    let before = std::fs::read(&journal.path).unwrap();
    for _ in 0..2 {
        let refused = journal.append(Event::Answered { address: address() });
        assert!(matches!(refused, Err(StateError::LockLost { .. })), "{refused:?}");
    }
    let secret = journal.keep_secret(&Secret::new("hunter2".to_owned()));
    assert!(matches!(secret, Err(StateError::LockLost { .. })), "{secret:?}");
    assert!(!folder.path().join("secrets").exists());
    assert_eq!(std::fs::read(&journal.path).unwrap(), before);
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Opened(_) => "opened",
        Event::Happened { happening, .. } => match happening {
            Happening::Intend(_) => "happened intend",
            Happening::Refuse => "happened refuse",
            Happening::Accept(_) => "happened accept",
            Happening::Ready => "happened ready",
            Happening::Taint => "happened taint",
            Happening::Remove => "happened remove",
        },
        Event::Announced { purpose: Purpose::Mark, .. } => "announced mark",
        Event::Announced { purpose: Purpose::Remove, .. } => "announced remove",
        Event::Answered { .. } => "answered",
        Event::Adopted { .. } => "adopted",
        Event::Forgotten { .. } => "forgotten",
        Event::Deposed { .. } => "deposed",
        Event::Learned { .. } => "learned",
        Event::Restored { .. } => "restored",
    }
}

/// Every name that [`name`] gives.
const NAMES: [&str; 15] = [
    "adopted",
    "announced mark",
    "announced remove",
    "answered",
    "deposed",
    "forgotten",
    "happened accept",
    "happened intend",
    "happened ready",
    "happened refuse",
    "happened remove",
    "happened taint",
    "learned",
    "opened",
    "restored",
];

#[test]
fn the_documented_journals_are_read_and_have_every_event() {
    let document = std::fs::read_to_string("docs/journal.md").unwrap();
    let examples: Vec<&str> =
        document.split("```journal\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mut shown = BTreeSet::new();
    let memories: Vec<Memory> = examples
        .into_iter()
        .map(|example| {
            std::fs::write(&path, example).unwrap();
            let (entries, tail) = read(&path).unwrap();
            assert_eq!(tail, Tail::Whole);
            shown.extend(entries.iter().map(|entry| name(&entry.event)));
            let Event::Opened(whose) = entries[0].event.clone() else { panic!("{:?}", entries[0]) };
            fold(&path, entries, &whose).unwrap()
        })
        .collect();
    assert_eq!(shown, BTreeSet::from(NAMES));
    for memory in &memories {
        assert_eq!(memory.phase(&address()), Phase::Ready(CloudId::new("vpc-bp1aevy8sofi8mh1q7kvz")));
        assert_eq!(memory.phase(&"instance.ecs01".parse().unwrap()), Phase::Absent);
        assert_eq!(memory.resources[&address()].attempt, 1);
    }
    assert_eq!(memories[0].kept(&"redis.ecs03".parse().unwrap()).len(), 1);
    for name in NAMES.iter().flat_map(|name| name.split(' ')) {
        assert!(
            document.contains(&format!("`{name}`")) || document.contains(&format!("\"{name}\"")),
            "{name}"
        );
    }
}

const ADDRESSES: [&str; 3] = ["vpc.main", "instance.ecs01", "record.main"];

/// Any event; whether it is legal is for the memory to say.
fn any_event() -> impl Strategy<Value = Event> {
    let address = prop::sample::select(ADDRESSES.to_vec()).prop_map(|text| text.parse().unwrap());
    let call = prop_oneof![
        Just(None),
        "[a-zA-Z\"\\\\ \u{00e9}\n]{0,12}"
            .prop_map(|text| Some(json!({"action": "CreateVpc", "query": {"Name": text}}))),
    ];
    (address, call, 0..11_u8).prop_map(|(address, call, which): (ResourceAddress, _, u8)| {
        let happened = |happening, call| Event::Happened { address: address.clone(), happening, call };
        match which {
            0 | 1 => happened(Happening::Intend(ClientToken::new("0f")), call),
            2 => happened(Happening::Refuse, None),
            3 => happened(Happening::Accept(CloudId::new("vpc-1")), None),
            4 => happened(Happening::Ready, None),
            5 => happened(Happening::Taint, None),
            6 => happened(Happening::Remove, None),
            7 => Event::Announced { address, purpose: Purpose::Remove, call },
            8 => Event::Answered { address },
            9 => Event::Forgotten { address },
            _ => Event::Learned {
                address,
                outputs: [(Output::DnsName, "a.b".to_owned())].into(),
                fields: Fields::new(),
            },
        }
    })
}

/// Writes the legal ones among some events.
fn write_legal(folder: &Path, events: Vec<Event>) -> Memory {
    let mut journal = open(folder);
    for event in events {
        if journal.memory().accepts(&event) {
            journal.append(event).unwrap();
        }
    }
    journal.memory().clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_life_folds_to_the_same_when_opened_again_and_when_rewritten(
        events in prop::collection::vec(any_event(), 0..30),
        more in prop::collection::vec(any_event(), 0..10),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let memory = write_legal(folder.path(), events);
        prop_assert_eq!(open(folder.path()).memory().clone(), memory.clone());
        rewrite(&folder.path().join("journal"), &memory).unwrap();
        prop_assert_eq!(open(folder.path()).memory().clone(), memory.clone());
        let memory = write_legal(folder.path(), more);
        prop_assert_eq!(open(folder.path()).memory().clone(), memory.clone());
    }

    #[test]
    fn no_two_announced_calls_have_the_same_token(events in prop::collection::vec(any_event(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = open(folder.path());
        let mut sent = BTreeSet::new();
        for event in events.into_iter().filter(|event| event.address().is_some()) {
            let address = event.address().unwrap().clone();
            let before = journal.memory().next_token(&address);
            let sends = matches!(&event, Event::Announced { .. })
                || matches!(&event, Event::Happened { happening: Happening::Intend(_), .. });
            let was_open = matches!(journal.memory().phase(&address), Phase::Intended(_));
            if !journal.memory().accepts(&event) {
                continue;
            }
            journal.append(event).unwrap();
            // A call whose outcome is not known is sent again with the token it had.
            prop_assert!(!sends || was_open || sent.insert(before), "a token of {address} was there before");
        }
    }

    #[test]
    fn any_byte_that_went_wrong_is_found(
        events in prop::collection::vec(any_event(), 0..8),
        place in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let folder = tempfile::tempdir().unwrap();
        write_legal(folder.path(), events);
        let path = folder.path().join("journal");
        let mut text = std::fs::read(&path).unwrap();
        let place = place.index(text.len());
        text[place] ^= flip;
        std::fs::write(&path, text).unwrap();
        let opened = Journal::open(folder.path(), identity());
        prop_assert!(matches!(opened, Err(StateError::Damaged { .. })), "byte {place}: {opened:?}");
    }

    #[test]
    fn any_cut_at_the_end_is_dropped_and_leaves_what_was_before(
        events in prop::collection::vec(any_event(), 0..8),
        place in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        write_legal(folder.path(), events);
        let path = folder.path().join("journal");
        let text = std::fs::read(&path).unwrap();
        let cut = &text[..place.index(text.len())];
        let whole_lines = cut.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).count();
        std::fs::write(&path, cut).unwrap();
        let (entries, _) = read(&path).unwrap();
        prop_assert_eq!(entries.len(), whole_lines);
        let (journal, tail) = Journal::open(folder.path(), identity()).unwrap();
        prop_assert_eq!(tail != Tail::Whole, cut.last().is_some_and(|byte| *byte != b'\n'));
        if whole_lines > 0 {
            prop_assert_eq!(journal.memory(), &fold(&path, entries, &identity()).unwrap());
        }
        let (_, tail) = Journal::open(folder.path(), identity()).unwrap();
        prop_assert_eq!(tail, Tail::Whole, "the torn line must be gone from the file");
    }
}

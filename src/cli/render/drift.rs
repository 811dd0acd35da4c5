//! Shows what others have changed since a stack was last applied, and what they have put into it.

use anstyle::{AnsiColor, Style};

use crate::plan::drift::{Drift, Drifted, Fate, NotOurs, Then};

/// Prints drift under a heading of its own, or nothing when there is none.
pub(crate) fn print(drift: &Drift) {
    if !drift.resources.is_empty() {
        anstream::println!("\nChanged outside of Albatross:");
        let style: Style = AnsiColor::Magenta.on_default();
        for one in &drift.resources {
            let sign = if one.gone { "-" } else { "~" };
            anstream::println!("{style}{sign:>3} {}  {}{style:#}", one.address, words(one));
            for change in &one.changes {
                let why = if change.shown_only { "  # shown only: no call changes it back" } else { "" };
                let shown = |text: &str| if text.is_empty() { "(none)".to_owned() } else { text.to_owned() };
                anstream::println!(
                    "      {}: {} -> {}{why}",
                    change.field,
                    shown(&change.applied),
                    shown(&change.now)
                );
            }
        }
    }
    if !drift.foreign.is_empty() {
        anstream::println!();
        for one in &drift.foreign {
            let fate = match one.fate {
                Fate::Kept => "kept".to_owned(),
                Fate::GoesWith => format!("goes with {}", one.container),
                Fate::InTheWay => format!("stands in the way: {} stays", one.container),
            };
            anstream::println!("    not ours: {}; {fate}", foreign(one));
        }
    }
}

fn words(drifted: &Drifted) -> String {
    let Drifted { id, gone, expired, then, .. } = drifted;
    let what = match (gone, expired) {
        (true, Some(at)) => format!("{id} is gone: its time was over at {at}"),
        (true, None) => format!("{id} is gone"),
        (false, _) => id.to_string(),
    };
    let then = match (then, gone) {
        (Then::Recreated, true) => "it is made again",
        (Then::Recreated, false) => "it is made anew",
        (Then::Updated, _) => "it is changed to what the topology says",
        (Then::Removed, _) => "it is removed",
        (Then::Kept, true) => "the topology does not have it",
        (Then::Kept, false) => "it stays",
    };
    format!("{what}; {then}")
}

/// `server i-... on port 5000, weight 100 in server_group.main`.
pub(crate) fn foreign(one: &NotOurs) -> String {
    let NotOurs { container, kind, id, words, stack, .. } = one;
    let stack = stack.as_ref().map(|stack| format!(", of stack {stack}")).unwrap_or_default();
    format!("{} {id} in {container}: {words}{stack}", kind.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::CloudId;
    use crate::resource::{Kind, ResourceAddress};

    #[test]
    fn what_has_gone_by_itself_is_told_with_its_time() {
        let gone = Drifted {
            address: ResourceAddress::new(Kind::Instance, "ecs01"),
            id: CloudId::new("i-1"),
            gone: true,
            expired: Some("2026-12-01T08:00Z".to_owned()),
            changes: Vec::new(),
            then: Then::Recreated,
        };
        assert_eq!(words(&gone), "i-1 is gone: its time was over at 2026-12-01T08:00Z; it is made again");
        let by_others = Drifted { expired: None, ..gone };
        assert_eq!(words(&by_others), "i-1 is gone; it is made again");
    }
}

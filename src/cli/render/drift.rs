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
    let Drifted { id, gone, then, .. } = drifted;
    let what = if *gone { format!("{id} is gone") } else { id.to_string() };
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

//! When each operation begins, if everything takes as long as usual: a walk of the graph as apply walks it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Expected;
use crate::plan::graph::Operation;
use crate::plan::walk::Walk;
use crate::resource::Kind;

/// How many operations apply has under way at once. The cloud throttles callers that ask for more than about ten a
/// second.
pub const AT_ONCE: usize = 10;

/// What takes only one operation at a time: a VPC makes no two vSwitches at once, and a server group takes no two
/// changes.
fn turn(kind: Kind) -> Option<Kind> {
    matches!(kind, Kind::VSwitch | Kind::Server).then_some(kind)
}

/// Writes down when each begins, and behind which other one.
pub(super) fn lay_out(order: &[Operation], expected: &mut [Expected]) {
    let mut walk = Walk::over(order);
    let mut under_way: Vec<usize> = Vec::new();
    let mut turns = Turns::new();
    let (mut now, mut ended) = (Duration::ZERO, None);
    loop {
        while under_way.len() < AT_ONCE {
            let Some(members) = walk.begin_next() else { break };
            let first = members.start;
            begin(first, order, expected, (now, ended), &mut turns);
            under_way.push(first);
            let (begins, takes, behind) = {
                let first = &expected[first];
                (first.begins, first.takes, first.behind)
            };
            for one in &mut expected[members] {
                (one.begins, one.takes, one.behind) = (begins, takes, behind);
            }
        }
        let ends = |index: &usize| expected[*index].ends();
        let Some(first) = under_way.iter().copied().min_by_key(ends) else { break };
        (now, ended) = (ends(&first), Some(first));
        under_way.retain(|index| *index != first);
        walk.done(first);
    }
}

/// Who had the turn last.
type Turns = BTreeMap<Kind, usize>;

/// Begins at the moment when an operation has ended, which is what it has waited for unless it waits for a turn; then it
/// is under way all the same.
fn begin(
    index: usize,
    order: &[Operation],
    expected: &mut [Expected],
    (now, ended): (Duration, Option<usize>),
    turns: &mut Turns,
) {
    let (mut begins, mut behind) = (now, ended);
    if let Some(turn) = turn(order[index].address.kind)
        && let Some(last) = turns.insert(turn, index)
        && expected[last].ends() > now
    {
        (begins, behind) = (expected[last].ends(), Some(last));
    }
    expected[index].begins = begins;
    expected[index].behind = behind;
}

/// From the operation that ends last back to one that waits for none.
pub(super) fn critical_path(expected: &[Expected]) -> Vec<usize> {
    let own = (0..expected.len()).filter(|index| expected[*index].with.is_none());
    let last = own.max_by_key(|index| expected[*index].ends());
    let mut path: Vec<usize> = std::iter::successors(last, |index| expected[*index].behind).collect();
    path.reverse();
    path
}

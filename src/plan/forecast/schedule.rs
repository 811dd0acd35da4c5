//! When each operation begins, if everything takes as long as usual: a walk of the graph as apply walks it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Expected;
use crate::plan::graph::Operation;
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
    let mut walk =
        Walk { waiting: (0..order.len()).collect(), turns: BTreeMap::new(), under_way: Vec::new() };
    let (mut now, mut ended) = (Duration::ZERO, None);
    loop {
        while walk.under_way.len() < AT_ONCE {
            let Some(index) = walk.next_ready(order) else { break };
            walk.begin(index, order, expected, (now, ended));
        }
        let ends = |index: &usize| expected[*index].ends();
        let Some(first) = walk.under_way.iter().copied().min_by_key(ends) else { break };
        (now, ended) = (ends(&first), Some(first));
        walk.under_way.retain(|index| *index != first);
    }
}

struct Walk {
    waiting: BTreeSet<usize>,
    /// Who had the turn last.
    turns: BTreeMap<Kind, usize>,
    under_way: Vec<usize>,
}

impl Walk {
    fn next_ready(&self, order: &[Operation]) -> Option<usize> {
        let is_done = |index: &usize| !self.waiting.contains(index) && !self.under_way.contains(index);
        self.waiting.iter().copied().find(|index| order[*index].after.iter().all(is_done))
    }

    /// Begins at the moment when an operation has ended, which is what it has waited for unless it waits for a turn;
    /// then it is under way all the same.
    fn begin(
        &mut self,
        index: usize,
        order: &[Operation],
        expected: &mut [Expected],
        (now, ended): (Duration, Option<usize>),
    ) {
        let (mut begins, mut behind) = (now, ended);
        if let Some(turn) = turn(order[index].address.kind)
            && let Some(last) = self.turns.insert(turn, index)
            && expected[last].ends() > now
        {
            (begins, behind) = (expected[last].ends(), Some(last));
        }
        expected[index].begins = begins;
        expected[index].behind = behind;
        self.waiting.remove(&index);
        self.under_way.push(index);
    }
}

/// From the operation that ends last back to one that waits for none.
pub(super) fn critical_path(expected: &[Expected]) -> Vec<usize> {
    let last = (0..expected.len()).max_by_key(|index| expected[*index].ends());
    let mut path: Vec<usize> = std::iter::successors(last, |index| expected[*index].behind).collect();
    path.reverse();
    path
}

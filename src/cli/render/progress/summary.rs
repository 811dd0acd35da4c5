//! Where the time went, in a few lines.

use std::time::Duration;

use super::glyphs::Glyphs;
use super::line::seconds;
use crate::cli::events::Timing;
use crate::cli::render::{about, wrapped};

/// Columns of the block.
const WIDTH: usize = 80;
/// Columns before the names of operations.
const MARGIN: usize = 17;
/// A blank at which no line ends.
const KEPT: &str = "\u{a0}";
/// So many operations are seen at a glance; nothing is said of them.
const FEW: usize = 5;

/// How long a plan took, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Times {
    /// All of it.
    pub(crate) took: Duration,
    /// What was expected.
    pub(super) expected: Duration,
    /// How many operations ended well.
    pub(super) operations: usize,
    /// Those that took longest, the longest first.
    pub(crate) longest: Vec<Timing>,
    /// Those that decided when all was done, in their order.
    pub(crate) critical_path: Vec<Timing>,
}

/// The lines; none where there is little to tell.
pub(super) fn block(times: &Times, glyphs: &Glyphs) -> Vec<String> {
    if times.operations <= FEW {
        return Vec::new();
    }
    let heading =
        format!("Where the time went: {} in all, {} expected", seconds(times.took), about(times.expected));
    let longest = words(&times.longest).join(", ");
    let path = words(&times.critical_path).join(&format!("{KEPT}{} ", glyphs.then));
    let mut lines = vec![String::new(), heading];
    lines.extend(paragraph("longest", &longest));
    lines.extend(paragraph("critical path", &path));
    lines
}

/// `instance.ecs01 4.1 s`; the two are not torn apart.
fn words(timings: &[Timing]) -> Vec<String> {
    let words = |one: &Timing| format!("{} {}", one.address, seconds(one.seconds)).replace(' ', KEPT);
    timings.iter().map(words).collect()
}

fn paragraph(word: &str, text: &str) -> Vec<String> {
    let lines = wrapped(text, WIDTH - MARGIN).into_iter();
    lines
        .enumerate()
        .map(|(index, line)| {
            let word = if index == 0 { word } else { "" };
            format!("  {word:width$}{}", line.replace(KEPT, " "), width = MARGIN - 2)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::progress::glyphs::{ASCII, UNICODE};
    use crate::plan::graph::Verb;
    use crate::resource::{Kind, ResourceAddress};

    fn times(operations: usize, path: usize) -> Times {
        let timing = |number: usize| Timing {
            address: ResourceAddress::new(Kind::Instance, format!("machine-{number}")),
            verb: Verb::Put,
            seconds: Duration::from_millis(1234),
            expected_seconds: None,
        };
        Times {
            took: Duration::from_millis(8400),
            expected: Duration::from_secs(121),
            operations,
            longest: (0..3).map(timing).collect(),
            critical_path: (0..path).map(timing).collect(),
        }
    }

    #[test]
    fn a_run_of_a_few_operations_has_no_summary_of_times() {
        assert_eq!(block(&times(FEW, FEW), &ASCII), Vec::<String>::new());
        assert!(!block(&times(FEW + 1, FEW), &ASCII).is_empty());
    }

    #[test]
    fn the_summary_of_times_fits_eighty_columns_and_tears_no_operation_from_its_time() {
        let lines = block(&times(25, 12), &ASCII);
        assert_eq!(
            lines[..4],
            [
                "",
                "Where the time went: 8.4 s in all, 2 minutes expected",
                "  longest        instance.machine-0 1.2 s, instance.machine-1 1.2 s,",
                "                 instance.machine-2 1.2 s",
            ]
        );
        assert_eq!(lines[4], "  critical path  instance.machine-0 1.2 s > instance.machine-1 1.2 s >");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:#?}");
        assert!(lines.iter().all(|line| line.is_ascii()), "{lines:#?}");
        assert!(block(&times(25, 12), &UNICODE)[4].ends_with("1.2 s →"));
    }
}

//! What is in a build and what is not.

use std::fs;

use crate::support::ALBATROSS;

/// The variable by which the crash harness reaches the program.
const MARK: &[u8] = b"ALBATROSS_CRASH_POINT";

#[test]
fn only_the_crash_harness_has_a_program_that_ends_itself() {
    let program = fs::read(ALBATROSS).expect("the program is there");
    let has_crash_points = program.windows(MARK.len()).any(|window| window == MARK);
    assert_eq!(has_crash_points, cfg!(feature = "crash-points"));

    let makefile = fs::read_to_string("Makefile").expect("the Makefile is there");
    let build = makefile.split("\nbuild:").nth(1).and_then(|rest| rest.split("\n\n").next());
    let build = build.expect("a target that builds");
    assert!(build.contains("cargo build --release") && !build.contains("features"), "{build}");
}

//! Programs that look for text and print some: grep, printf.

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, sentence};
use crate::plane::host::programs::options::Options;

/// Fixed texts only: what a pattern means is not worked out here.
pub(crate) fn grep(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("grep", arguments, &["-q", "-F", "-x"], &["-e"]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let (Some(wanted), true) = (options.value("-e"), options.has("-F")) else {
        return Outcome::refused("grep without -F and -e");
    };
    let [path] = options.operands.as_slice() else {
        return Outcome::refused("grep with other than one file");
    };
    let text = match machine.root.read_text(path) {
        Ok(text) => text,
        Err(error) => return Outcome::failed(2, format!("grep: {path}: {}", sentence(&error))),
    };
    let is_match = |line: &&str| if options.has("-x") { *line == wanted } else { line.contains(wanted) };
    let found: String = text.lines().filter(is_match).flat_map(|line| [line, "\n"]).collect();
    if found.is_empty() {
        Outcome::status(1)
    } else if options.has("-q") {
        Outcome::done()
    } else {
        Outcome::printed(found)
    }
}

/// `%s` and `\n`, and nothing else.
pub(crate) fn printf(_machine: &Machine, arguments: &[String]) -> Outcome {
    let Some((format, values)) = arguments.split_first() else {
        return Outcome::failed(2, "printf: missing operand");
    };
    let plain = format.replace("%s", "").replace("\\n", "");
    if plain.contains(['%', '\\']) {
        return Outcome::refused(format!("printf {format}"));
    }
    let mut values = values.iter();
    let text = format.replace("\\n", "\n");
    let pieces: Vec<&str> = text.split("%s").collect();
    let mut printed = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        printed.push_str(piece);
        if index + 1 < pieces.len() {
            printed.push_str(values.next().map_or("", String::as_str));
        }
    }
    Outcome::printed(printed)
}

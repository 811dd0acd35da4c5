//! Shows why a command did not succeed: what, on which resource, caused by what, and what to do next.

use crate::cli::events;
use crate::cli::failure::Failure;
use crate::cli::typed;

const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
const CYAN: anstyle::Style = anstyle::AnsiColor::Cyan.on_default().bold();

/// Shows a failure; one that has been shown already is silent.
pub(crate) fn print(failure: &Failure) {
    let Some(error) = &failure.error else { return };
    events::tell_failure(failure);
    anstream::eprintln!("{RED}error{RED:#}: {error}");
    if let Some(resource) = &failure.resource {
        anstream::eprintln!("  resource: {resource}");
    }
    for cause in error.chain().skip(1) {
        anstream::eprintln!("  caused by: {cause}");
    }
    if let Some(request_id) = &failure.request_id {
        anstream::eprintln!("  request id: {request_id}");
    }
    if let Some(hint) = &failure.hint {
        anstream::eprintln!("{CYAN}help{CYAN:#}: {}", typed::spelled_out(hint));
    }
}

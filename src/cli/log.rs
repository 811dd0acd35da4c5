//! What the program notes while it works, on standard error: warnings, each call of the API with `--verbose`, and what
//! `RUST_LOG` asks for.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::EnvFilter;

use crate::cli::{GlobalOptions, say};
use crate::cloud::transport::CALLS;

/// `RUST_LOG=albatross=debug` shows calls that are tried again and the like, with their times and places.
pub(super) fn start(options: &GlobalOptions) {
    let has_colors = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    let log = tracing_subscriber::fmt().with_writer(|| AboveLiveLines).with_ansi(has_colors);
    let asked = EnvFilter::try_from_default_env().ok();
    let is_plain = asked.is_none();
    let filter = asked.unwrap_or_else(|| EnvFilter::new(if options.quiet { "error" } else { "warn" }));
    if options.verbose {
        let calls = format!("{CALLS}=info").parse().expect("a directive");
        log.with_env_filter(filter.add_directive(calls)).with_target(!is_plain).init();
    } else if is_plain {
        log.with_env_filter(filter).without_time().with_target(false).init();
    } else {
        log.with_env_filter(filter).init();
    }
}

/// Standard error, above the lines that change. Each note is one write.
struct AboveLiveLines;

impl Write for AboveLiveLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        say::above_live_lines(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

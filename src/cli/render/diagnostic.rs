//! Shows findings about a topology the way rustc shows errors: file, line, column, the text, cause and help.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::base::diagnostic::Diagnostic;
use crate::cli::events::{self, Line};
use crate::cli::exit::ExitStatus;
use crate::cli::render::count;

/// Shows all findings and how many they are.
pub(crate) fn print_all(path: &str, text: &str, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        tell(path, diagnostic);
        anstream::eprintln!("{}\n", render(path, text, diagnostic));
    }
    anstream::eprintln!("{path}: {}", count(diagnostics.len(), "error"));
}

/// One finding for programs.
fn tell(path: &str, diagnostic: &Diagnostic) {
    events::tell(&Line::Error {
        message: &diagnostic.message,
        causes: vec![diagnostic.cause.clone()],
        code: Some(diagnostic.code),
        resource: None,
        request_id: None,
        hint: diagnostic.help.as_deref(),
        file: Some(path),
        line: diagnostic.place.as_ref().map(|place| place.line),
        column: diagnostic.place.as_ref().map(|place| place.column),
        exit_code: ExitStatus::Invalid.code(),
    });
}

/// One finding as text with colours.
fn render(path: &str, text: &str, diagnostic: &Diagnostic) -> String {
    let title = Level::ERROR.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let mut group = match &diagnostic.place {
        Some(place) => {
            let end = place.bytes.end.min(text.len()).max(place.bytes.start);
            let annotation =
                AnnotationKind::Primary.span(place.bytes.start..end).label(diagnostic.cause.as_str());
            title.element(Snippet::source(text).path(path).annotation(annotation))
        }
        None => title.element(Level::NOTE.message(format!("{path}: {}", diagnostic.cause))),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    Renderer::styled().render(&[group])
}

//! The page at `/` of each endpoint, whole in this program: it needs nothing from anywhere else, and is allowed nothing.
//!
//! It has no secret: whoever opens it brings the token of the cloud behind `#`, which browsers do not send. What it
//! shows it asks `/_mock/` for.

use crate::server::connection::HttpReply;
use crate::wire::http::Request;

/// Files by the name behind `/_mock/page/`, with their kinds.
const FILES: [(&str, &str, &str); 8] = [
    ("page.css", CSS, include_str!("page/page.css")),
    ("main.mjs", SCRIPT, include_str!("page/main.mjs")),
    ("dom.mjs", SCRIPT, include_str!("page/dom.mjs")),
    ("faults.mjs", SCRIPT, include_str!("page/faults.mjs")),
    ("picture.mjs", SCRIPT, include_str!("page/picture.mjs")),
    ("region.mjs", SCRIPT, include_str!("page/region.mjs")),
    ("words.mjs", SCRIPT, include_str!("page/words.mjs")),
    ("page.html", HTML, include_str!("page/page.html")),
];
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
/// What the page may do: load its own files, ask its own cloud, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";
const FOLDER: &str = "/_mock/page/";

/// Whether somebody opens the page in a browser: calls of the API have an action.
pub(super) fn is_wanted(request: &Request) -> bool {
    let head = &request.head;
    let reads_pages = head.header("accept").is_some_and(|accept| accept.contains("text/html"));
    head.path == "/"
        && head.method == "GET"
        && head.query.is_empty()
        && reads_pages
        && head.header("x-acs-action").is_none()
}

/// The page.
pub(super) fn page() -> HttpReply {
    file("page.html").unwrap_or_else(missing)
}

/// A file of the page, for requests below its folder.
pub(super) fn file_for(request: &Request) -> Option<HttpReply> {
    let name = request.head.path.strip_prefix(FOLDER)?;
    (request.head.method == "GET").then(|| file(name).unwrap_or_else(missing))
}

fn file(name: &str) -> Option<HttpReply> {
    let (_, content_type, text) = FILES.iter().find(|(own, ..)| *own == name)?;
    Some(reply(200, content_type, (*text).to_owned()))
}

fn missing() -> HttpReply {
    reply(404, "text/plain; charset=utf-8", "The page has no such file.\n".to_owned())
}

fn reply(status: u16, content_type: &'static str, body: String) -> HttpReply {
    let headers = [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ];
    let headers = headers.map(|(name, value)| (name, value.to_owned())).to_vec();
    HttpReply { status, content_type, headers, body: body.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_only_files_that_are_there() {
        for (name, _, text) in FILES {
            for part in text.split(['"', '\'']) {
                let named = part.strip_prefix(FOLDER).or(part.strip_prefix("./"));
                if let Some(file) = named.filter(|file| file.contains('.')) {
                    assert!(FILES.iter().any(|(own, ..)| *own == file), "{name} names {file}");
                }
            }
            assert!(!text.contains("http://www.") || name == "dom.mjs", "{name} leads elsewhere");
            assert!(!text.contains("https://"), "{name} leads elsewhere");
        }
    }
}

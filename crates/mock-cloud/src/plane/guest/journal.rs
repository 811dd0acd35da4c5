//! What a machine says: its journal while it runs, else what is left of its console.

use std::io;

use crate::plane::guest::errand;
use crate::plane::spec::Said;

/// What `journalctl` puts before the place up to which it has told.
const CURSOR: &str = "-- cursor: ";

/// The journal after a place that it gave before, or the end of it.
pub(crate) async fn read(leader: u32, after: Option<&str>) -> io::Result<Said> {
    let place = after.map(|after| format!("--after-cursor={after}"));
    let mut arguments = vec!["journalctl", "--no-pager", "--quiet", "--output=short", "--show-cursor"];
    match &place {
        Some(place) => arguments.push(place),
        None => arguments.push("--lines=1000"),
    }
    let text = String::from_utf8_lossy(&errand::output(leader, &arguments).await?).into_owned();
    let (lines, place): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| !line.starts_with(CURSOR));
    let place = place.last().and_then(|line| line.strip_prefix(CURSOR)).or(after).unwrap_or_default();
    let text = lines.iter().flat_map(|line| [*line, "\n"]).collect();
    Ok(Said { text, place: place.to_owned() })
}

//! Lists of objects, in the order of their keys, a page at a time. A list shows what is there: OSS is consistent.

use std::fmt::Write as _;
use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_xml::escape::escape;

use crate::oss::buckets::find;
use crate::oss::{Asked, Reply};
use crate::wire::ApiError;
use crate::wire::encoding::encode;
use crate::world::World;
use crate::world::bucket::Object;
use crate::world::meta::timestamp_with_milliseconds;

/// Rows of a page that nobody has said more about.
const USUAL_ROWS: usize = 100;

/// Rows that a page may have.
const MOST_ROWS: usize = 1000;

/// A row of a list.
enum Row<'a> {
    Object(&'a str, &'a Object),
    /// What several keys have in common, up to the delimiter.
    Prefix(String),
}

/// A page of a list.
struct Page<'a> {
    rows: Vec<Row<'a>>,
    /// The last key it took in, when there are more.
    next: Option<String>,
}

/// `ListObjectsV2`.
pub(super) fn list(world: &mut World, asked: &Asked, region: &str) -> Result<Reply, ApiError> {
    let rows = match asked.parameter("max-keys").map(str::parse::<usize>) {
        None => USUAL_ROWS,
        Some(Ok(rows)) if (1..=MOST_ROWS).contains(&rows) => rows,
        Some(_) => {
            let message = "The max-keys is invalid: it is a number from 1 to 1000.";
            return Err(ApiError::bad_request("InvalidArgument", message));
        }
    };
    // The official SDK for Python sends an empty one with the first page.
    let start = match asked.parameter("continuation-token").filter(|token| !token.is_empty()) {
        Some(token) => key_of(token)?,
        None => asked.parameter("start-after").unwrap_or_default().to_owned(),
    };
    let bucket = find(world, asked, region)?;
    let after = bucket.objects.range((Bound::Excluded(start), Bound::Unbounded));
    let page = page(after, asked, rows);
    Ok(Reply::xml("ListBucketResult", &written(asked, rows, &page)))
}

fn page<'a>(objects: impl Iterator<Item = (&'a String, &'a Object)>, asked: &Asked, most: usize) -> Page<'a> {
    let prefix = asked.parameter("prefix").unwrap_or_default();
    let delimiter = asked.parameter("delimiter").filter(|delimiter| !delimiter.is_empty());
    let mut page = Page { rows: Vec::new(), next: None };
    let mut last = String::new();
    for (key, object) in objects.filter(|(key, _)| key.starts_with(prefix)) {
        let rest = &key[prefix.len()..];
        let end = delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
        let common = end.map(|end| format!("{prefix}{}", &rest[..end]));
        let is_known =
            matches!((&common, page.rows.last()), (Some(new), Some(Row::Prefix(old))) if new == old);
        if !is_known && page.rows.len() == most {
            page.next = Some(last);
            return page;
        }
        if !is_known {
            page.rows.push(common.map_or(Row::Object(key, object), Row::Prefix));
        }
        last.clone_from(key);
    }
    page
}

fn written(asked: &Asked, rows: usize, page: &Page<'_>) -> String {
    let is_encoded = asked.parameter("encoding-type") == Some("url");
    let text = |text: &str| if is_encoded { encode(text) } else { escape(text).into_owned() };
    let mut xml = String::new();
    let mut element = |name: &str, value: &str| {
        write!(xml, "<{name}>{value}</{name}>").expect("writing to a string cannot fail");
    };
    element("Name", &asked.bucket);
    element("Prefix", &text(asked.parameter("prefix").unwrap_or_default()));
    element("MaxKeys", &rows.to_string());
    for (parameter, name) in [("delimiter", "Delimiter"), ("start-after", "StartAfter")] {
        if let Some(value) = asked.parameter(parameter) {
            element(name, &text(value));
        }
    }
    if is_encoded {
        element("EncodingType", "url");
    }
    element("IsTruncated", if page.next.is_some() { "true" } else { "false" });
    element("KeyCount", &page.rows.len().to_string());
    if let Some(next) = &page.next {
        element("NextContinuationToken", &text(&STANDARD.encode(next)));
    }
    for row in &page.rows {
        match row {
            Row::Object(key, object) => element(
                "Contents",
                &format!(
                    "<Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Type>Normal</Type>\
                     <Size>{}</Size><StorageClass>Standard</StorageClass>",
                    text(key),
                    timestamp_with_milliseconds(object.modified),
                    object.etag,
                    object.size
                ),
            ),
            Row::Prefix(prefix) => {
                element("CommonPrefixes", &format!("<Prefix>{}</Prefix>", text(prefix)));
            }
        }
    }
    xml
}

fn key_of(token: &str) -> Result<String, ApiError> {
    let key = STANDARD.decode(token).ok().and_then(|key| String::from_utf8(key).ok());
    key.ok_or_else(|| ApiError::bad_request("InvalidArgument", "The continuation-token is invalid."))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn asked(query: &[(&str, &str)]) -> Asked {
        Asked {
            action: "ListObjectsV2",
            bucket: "team".to_owned(),
            key: String::new(),
            query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    fn objects(keys: &[&str]) -> BTreeMap<String, Object> {
        keys.iter().map(|key| ((*key).to_owned(), Object::new(Vec::new(), 0, None))).collect()
    }

    fn names(page: &Page<'_>) -> Vec<String> {
        let name = |row: &Row<'_>| match row {
            Row::Object(key, _) => (*key).to_owned(),
            Row::Prefix(prefix) => prefix.clone(),
        };
        page.rows.iter().map(name).collect()
    }

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let all = objects(&["a/1", "a/2", "b/1", "c"]);
        let first = page(all.iter(), &asked(&[]), 3);
        assert_eq!(
            (names(&first), first.next.as_deref()),
            (vec!["a/1".into(), "a/2".into(), "b/1".into()], Some("b/1"))
        );
        let whole = page(all.iter(), &asked(&[]), 4);
        assert_eq!((whole.rows.len(), whole.next), (4, None));
    }

    #[test]
    fn what_keys_have_in_common_is_one_row() {
        let all = objects(&["a/1", "a/2", "b", "c/1"]);
        let shown = page(all.iter(), &asked(&[("delimiter", "/")]), 2);
        assert_eq!(
            (names(&shown), shown.next.as_deref()),
            (vec!["a/".to_owned(), "b".to_owned()], Some("b"))
        );
        let below = page(all.iter(), &asked(&[("delimiter", "/"), ("prefix", "a/")]), 9);
        assert_eq!(names(&below), ["a/1", "a/2"]);
    }
}

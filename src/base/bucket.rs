//! Where state is that several people share: a bucket, a prefix in it, and perhaps another region than the stack's.

use std::fmt;

use crate::base::ids::RegionId;

/// `oss://BUCKET/PREFIX`, or `oss://BUCKET/PREFIX?region=REGION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketLocation {
    /// The bucket.
    pub bucket: String,
    /// Begins the key of every object; without a slash at either end, and perhaps empty.
    pub prefix: String,
    /// Where the bucket is, when that is not where the stack is.
    pub region: Option<RegionId>,
}

/// A text that is no place for shared state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be the place of a state: {why}")]
pub struct BucketLocationError {
    /// What was given.
    pub text: String,
    /// Why not.
    pub why: &'static str,
}

/// What became of an object that was to be made where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It is there now, with this content.
    New,
    /// It was there; it is as it was.
    WasThere,
}

/// Characters that a prefix may have: far below what a key may, since stack and account follow.
const LONGEST_PREFIX: usize = 200;

impl BucketLocation {
    /// Reads it as people write it.
    ///
    /// # Errors
    /// When it is not of this form, or no bucket can have such a name.
    pub fn parse(text: &str) -> Result<Self, BucketLocationError> {
        let refuse = |why| BucketLocationError { text: text.to_owned(), why };
        let rest = text.strip_prefix("oss://").ok_or_else(|| refuse("it does not begin with `oss://`"))?;
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if !is_bucket(bucket) {
            return Err(refuse(
                "a bucket has 3 to 63 lower-case letters, digits and hyphens, and no hyphen at either end",
            ));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !is_prefix(prefix) {
            return Err(refuse(
                "a prefix has letters, digits, `-`, `_` and `.` between single slashes, 200 characters at most",
            ));
        }
        let region = match query.map(|query| query.strip_prefix("region=")) {
            None => None,
            Some(Some(region)) if is_region(region) => Some(RegionId::new(region)),
            Some(_) => return Err(refuse("behind `?` stands `region=` and the region of the bucket")),
        };
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned(), region })
    }
}

impl fmt::Display for BucketLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "oss://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(formatter, "/{}", self.prefix)?;
        }
        match &self.region {
            Some(region) => write!(formatter, "?region={region}"),
            None => Ok(()),
        }
    }
}

fn is_bucket(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|letter| is_plain(letter) || letter == '-')
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
}

fn is_prefix(prefix: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let is_segment = |segment: &str| {
        !segment.is_empty() && segment.chars().all(is_plain) && !segment.trim_matches('.').is_empty()
    };
    prefix.is_empty() || (prefix.len() <= LONGEST_PREFIX && prefix.split('/').all(is_segment))
}

fn is_region(region: &str) -> bool {
    region.contains('-')
        && region
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_and_written_the_same() {
        for text in [
            "oss://team-state",
            "oss://team-state/albatross",
            "oss://team/a/b_c/d.e?region=ap-southeast-1",
            "oss://team?region=cn-hangzhou",
        ] {
            assert_eq!(BucketLocation::parse(text).unwrap().to_string(), text);
        }
        let slashed = BucketLocation::parse("oss://team/albatross/").unwrap();
        assert_eq!(slashed.to_string(), "oss://team/albatross");
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for (text, why) in [
            ("s3://team/x", "`oss://`"),
            ("team/x", "`oss://`"),
            ("oss://", "a bucket has"),
            ("oss://Team", "a bucket has"),
            ("oss://team-/x", "a bucket has"),
            ("oss://team//x", "a prefix has"),
            ("oss://team/../x", "a prefix has"),
            ("oss://team/a b", "a prefix has"),
            ("oss://team/x?endpoint=y", "`region=`"),
            ("oss://team/x?region=", "`region=`"),
        ] {
            let error = BucketLocation::parse(text).unwrap_err();
            assert!(error.why.contains(why), "{text}: {error}");
        }
    }
}

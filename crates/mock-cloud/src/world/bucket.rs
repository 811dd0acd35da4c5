//! Buckets of OSS, and the objects in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest as _, Md5};
use serde::Serialize;

use crate::world::Moment;

/// A bucket; its name is unique among all accounts.
#[derive(Debug, Clone, Serialize)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Where it is; it answers there and nowhere else.
    pub region: String,
    /// When it was made.
    pub created: Moment,
    /// Whether it keeps versions; none when it never did.
    pub versioning: Option<Versioning>,
    /// By key.
    pub objects: BTreeMap<String, Object>,
}

/// What a bucket does with versions, once somebody has said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Versioning {
    /// Each write is a version of its own.
    Enabled,
    /// It kept versions before.
    Suspended,
}

/// An object as it is now.
#[derive(Debug, Clone, Serialize)]
pub struct Object {
    /// What is in it.
    #[serde(skip)]
    pub content: Arc<Vec<u8>>,
    /// How much that is.
    pub size: usize,
    /// The MD5 of what is in it, in upper-case hexadecimal digits.
    pub etag: String,
    /// When it was written.
    pub modified: Moment,
    /// Its version, in a bucket that keeps or kept them.
    pub version: Option<String>,
}

impl Bucket {
    /// A bucket with nothing in it.
    pub fn new(name: &str, region: &str, created: Moment) -> Self {
        Self {
            name: name.to_owned(),
            region: region.to_owned(),
            created,
            versioning: None,
            objects: BTreeMap::new(),
        }
    }
}

impl Object {
    /// With this content.
    pub fn new(content: Vec<u8>, modified: Moment, version: Option<String>) -> Self {
        let etag = hex::encode_upper(Md5::digest(&content));
        Self { size: content.len(), content: Arc::new(content), etag, modified, version }
    }
}

impl Versioning {
    /// The word of the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Suspended => "Suspended",
        }
    }

    /// What a word of the API means.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Enabled, Self::Suspended].into_iter().find(|one| one.word() == word)
    }
}

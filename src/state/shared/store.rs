//! What a bucket can do that is of use here, whatever is behind it.

use std::fmt;

use futures_util::future::BoxFuture;

pub use crate::base::bucket::Made;

/// Objects below a prefix of a bucket that keeps no versions.
pub trait ObjectStore: fmt::Debug + Send + Sync {
    /// Where it is, for people: `oss://team/albatross/1234/cn-hangzhou/chatroom`.
    fn place(&self) -> &str;

    /// Makes an object where there is none. Of several who try, one is told that it did.
    fn create<'a>(&'a self, key: &'a str, content: &'a [u8]) -> BoxFuture<'a, Result<Made, StoreError>>;

    /// Writes an object, over one that is there.
    fn write<'a>(&'a self, key: &'a str, content: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// What is in an object; none when it is not there.
    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>>;

    /// The names in a folder, `lock/`, that come after one of them, in order. It shows all that was written before.
    fn list<'a>(&'a self, folder: &'a str, after: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;
}

/// Why the bucket did not do it, with what to do about it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{sentence}")]
pub struct StoreError {
    /// What it said, with its causes.
    pub sentence: String,
    /// Its word for it.
    pub code: Option<String>,
    /// Id of its answer.
    pub request_id: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The code under which `albatross explain` has more.
    pub explained_as: Option<&'static str>,
}

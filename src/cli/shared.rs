//! The state that several people share: a bucket as the state sees it, and what is said of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use crate::base::bucket::BucketLocation;
use crate::cli::failure::Failure;
use crate::cli::render::count;
use crate::cli::{say, typed};
use crate::cloud::oss::{Bucket, BucketError};
use crate::cloud::transport::Client;
use crate::state::explain;
use crate::state::shared::{Held, Made, ObjectStore, Opened, Store, StoreError};
use crate::state::{Identity, StateError};

/// Whether something of a command is on this machine only.
static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);

/// Whether a command that has done all of its own has left something behind on this machine.
pub(super) fn has_left_something_behind() -> bool {
    LEFT_BEHIND.load(Ordering::SeqCst)
}

/// A bucket that holds the state of a stack.
#[derive(Debug)]
struct InBucket {
    bucket: Bucket,
    place: String,
}

impl InBucket {
    async fn done<T>(work: impl Future<Output = Result<T, BucketError>>) -> Result<T, StoreError> {
        work.await.map_err(refused)
    }
}

impl ObjectStore for InBucket {
    fn place(&self) -> &str {
        &self.place
    }

    fn create<'a>(&'a self, key: &'a str, content: &'a [u8]) -> BoxFuture<'a, Result<Made, StoreError>> {
        Self::done(self.bucket.create(key, content)).boxed()
    }

    fn write<'a>(&'a self, key: &'a str, content: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Self::done(self.bucket.write(key, content)).boxed()
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Self::done(self.bucket.read(key)).boxed()
    }

    fn list<'a>(&'a self, folder: &'a str, after: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Self::done(self.bucket.list(folder, after)).boxed()
    }
}

fn refused(error: BucketError) -> StoreError {
    let (code, request_id) = (error.code().map(str::to_owned), error.request_id().map(str::to_owned));
    let hint = error.hint();
    let explained_as = match &error {
        BucketError::NoBucket { .. } => Some(explain::NO_BUCKET),
        BucketError::Elsewhere { .. } => Some(explain::ELSEWHERE),
        BucketError::Denied { .. } => Some(explain::DENIED),
        BucketError::Refused { .. }
        | BucketError::Unreachable { .. }
        | BucketError::Unsigned { .. }
        | BucketError::Garbled { .. } => None,
    };
    StoreError { sentence: format!("{:#}", anyhow::Error::new(error)), code, request_id, hint, explained_as }
}

/// Where the state of a stack is that is shared at a location.
fn of_stack(location: &BucketLocation, identity: &Identity) -> BucketLocation {
    let Identity { account, region, stack, .. } = identity;
    let own = format!("{account}/{region}/{stack}");
    let prefix = if location.prefix.is_empty() { own } else { format!("{}/{own}", location.prefix) };
    BucketLocation { prefix, ..location.clone() }
}

/// The shared state of a stack, once its bucket is known to be one that can hold it. A local cloud has none yet: there it
/// is made.
///
/// # Errors
/// When there is no such bucket, it may not be used, or it keeps versions.
pub(super) async fn open(
    client: &Client,
    location: &BucketLocation,
    identity: &Identity,
    is_local: bool,
) -> Result<Store, Failure> {
    let location = of_stack(location, identity);
    let bucket = Bucket::new(client, &location);
    let place = location.to_string();
    let unusable = |error| Failure::from(StateError::of_store(&place)(refused(error)));
    let versioning = match bucket.versioning().await {
        Err(BucketError::NoBucket { .. }) if is_local => {
            bucket.make().await.map_err(unusable)?;
            say::notice(&format!("made the bucket `{}` in the local cloud", location.bucket));
            None
        }
        versioning => versioning.map_err(unusable)?,
    };
    match versioning {
        Some(versioning) => Err(StateError::Versioned { place, versioning }.into()),
        None => Ok(Arc::new(InBucket { bucket, place })),
    }
}

/// A held stack; dropping it puts what is left into the bucket and lets the next one in.
#[derive(Debug)]
pub(super) struct SharedLock {
    held: Held,
}

impl SharedLock {
    /// Of what was taken.
    pub(super) fn new(held: Held) -> Self {
        Self { held }
    }
}

impl Drop for SharedLock {
    fn drop(&mut self) {
        let finished = tokio::task::block_in_place(|| Handle::current().block_on(self.held.finish()));
        if let Err(error) = finished {
            LEFT_BEHIND.store(true, Ordering::SeqCst);
            let help = "the next command of this machine puts it into the bucket, and so does `albatross state push FILE`";
            say::alert(&format!(
                "the end of this command is in the journal here only: {error}\nhelp: {}",
                typed::spelled_out(help)
            ));
        }
    }
}

/// Says what was found when a shared journal was opened, where that is news.
pub(super) fn show(opened: &Opened, place: &str) {
    let Opened { pulled, pushed, merged } = opened;
    if *pushed > 0 {
        say::notice(&format!("put {} that only this machine had into {place}", count(*pushed, "line")));
    }
    if *pulled > 0 {
        say::notice(&format!("took {} of others from {place}", count(*pulled, "line")));
    }
    if let Some(merged) = merged {
        say::notice(&format!(
            "others had gone on without {}: {} taken over, {} left out; the journal as it was is `{}`",
            count(merged.taken + merged.left, "line"),
            merged.taken,
            merged.left,
            merged.aside.display()
        ));
    }
}

//! Object storage: one bucket, as a place for small objects that are written once.
//!
//! OpenDAL builds the requests for objects, goes through lists and reads the answers ([`Operator`]). What it cannot do
//! stands in [`carrier`]: requests are signed with version 4, which every new bucket asks for, with the key of the
//! moment, and go the way all calls go. Whether a bucket keeps versions OpenDAL does not ask: [`Bucket::versioning`].
//!
//! It is no [`super::Product`]: its API is another one, and so are its codes.

mod carrier;
mod error;
#[cfg(test)]
mod tests;

use std::time::Duration;

use opendal::services::Oss;
use opendal::{HttpTransporter, OperationContext, Operator};
use reqwest::Url;

pub use error::BucketError;

use self::carrier::Signing;
use self::error::Attempt;
use crate::base::bucket::{BucketLocation, Made};
use crate::base::retry::{Backoff, Deadline};
use crate::cloud::endpoint::StorageHost;
use crate::cloud::transport::Client;

/// How long a request is tried: an outage of that length passes without anybody noticing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a refused connection is tried again before there was an answer: a wrong address does not get better.
const RECONNECT: Duration = Duration::from_secs(2);
const FIRST_GAP: Duration = Duration::from_millis(100);
const LONGEST_GAP: Duration = Duration::from_secs(4);

/// A bucket, seen below a prefix. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    operator: Operator,
    carrier: Signing,
    location: BucketLocation,
}

impl Bucket {
    /// The bucket of a location, for the account and at the endpoint of a client.
    pub fn new(client: &Client, location: &BucketLocation) -> Self {
        let region = location.region.as_ref().unwrap_or(client.region());
        let host = client.endpoint().storage(region);
        let carrier = Signing::new(client, &location.bucket, region, host.clone());
        let (url, style) = match &host {
            StorageHost::OfBuckets(url) => (url, "virtual"),
            StorageHost::OneAddress(url) => (url, "path"),
        };
        // It finds no keys of its own: a request is signed where it is sent.
        let service = Oss::default()
            .bucket(&location.bucket)
            .root(&format!("/{}", location.prefix))
            .endpoint(url.as_str())
            .addressing_style(style)
            .skip_signature();
        let transport = HttpTransporter::new(carrier.clone());
        let operator = Operator::new(service)
            .expect("name and address of a bucket were checked when they were read")
            .with_context(OperationContext::new().with_http_transport(transport));
        Self { operator, carrier, location: location.clone() }
    }

    /// Where it is.
    pub fn location(&self) -> &BucketLocation {
        &self.location
    }

    /// What it does with versions: `Enabled`, `Suspended`, or nothing when it never kept any.
    ///
    /// # Errors
    /// When there is no such bucket, or it may not be asked.
    pub async fn versioning(&self) -> Result<Option<String>, BucketError> {
        let answer =
            self.patiently(|| self.carrier.bucket_request(reqwest::Method::GET, Some("versioning"))).await?;
        Ok(error::element(&answer, "Status").map(str::to_owned))
    }

    /// Makes it; one that is there and is one's own stays as it is.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn make(&self) -> Result<(), BucketError> {
        self.patiently(|| self.carrier.bucket_request(reqwest::Method::PUT, None)).await.map(drop)
    }

    /// Makes an object that is not there.
    ///
    /// # Guarantees
    /// [`Made::New`] is said to one caller at most, unless two of them write the same content: an answer that was lost is
    /// told from somebody else's object by what is in it.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub async fn create(&self, key: &str, content: &[u8]) -> Result<Made, BucketError> {
        let write = || async {
            let write = self.operator.write_with(key, content.to_vec()).if_not_exists(true);
            match write.await {
                Ok(_) => Ok(Made::New),
                Err(error) if error.kind() == opendal::ErrorKind::ConditionNotMatch => Ok(Made::WasThere),
                Err(error) => Err(Attempt::from(error)),
            }
        };
        match self.patiently(write).await? {
            Made::WasThere if self.read(key).await?.as_deref() == Some(content) => Ok(Made::New),
            made @ (Made::New | Made::WasThere) => Ok(made),
        }
    }

    /// Writes an object, over one that is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn write(&self, key: &str, content: &[u8]) -> Result<(), BucketError> {
        let write =
            || async { self.operator.write(key, content.to_vec()).await.map(drop).map_err(Attempt::from) };
        self.patiently(write).await
    }

    /// What is in an object; none when it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, BucketError> {
        let read = || async {
            match self.operator.read(key).await {
                Ok(content) => Ok(Some(content.to_vec())),
                Err(error) if error::is_absent(&error) => Ok(None),
                Err(error) => Err(Attempt::from(error)),
            }
        };
        self.patiently(read).await
    }

    /// The names of the objects in a folder that come after one of them, in order.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub async fn list(&self, folder: &str, after: &str) -> Result<Vec<String>, BucketError> {
        let list = || async {
            let list = self.operator.list_with(folder).start_after(&format!("{folder}{after}"));
            let entries = list.await.map_err(Attempt::from)?;
            let names = entries.iter().map(|entry| entry.name().to_owned());
            Ok(names.filter(|name| !name.is_empty() && name.as_str() > after).collect())
        };
        let mut names: Vec<String> = self.patiently(list).await?;
        names.sort();
        Ok(names)
    }

    /// Tries until it works, fails for good, or takes too long.
    async fn patiently<T, F: Future<Output = Result<T, Attempt>>>(
        &self,
        work: impl Fn() -> F,
    ) -> Result<T, BucketError> {
        let mut deadline = Deadline::after(PATIENCE);
        let mut backoff = Backoff::new(FIRST_GAP, LONGEST_GAP);
        loop {
            let error = match work().await {
                Ok(done) => return Ok(done),
                Err(Attempt { error, passes: true }) => error,
                Err(Attempt { error, passes: false }) => return Err(error),
            };
            if error.is_unconnected() && !self.carrier.has_answered() && deadline.total() > RECONNECT {
                deadline = Deadline::after(RECONNECT);
            }
            tracing::debug!("{}: trying again", error);
            if !backoff.wait(&deadline).await {
                return Err(error);
            }
        }
    }
}

/// The address of a bucket itself, and of what it is asked.
fn bucket_url(host: &StorageHost, bucket: &str, question: Option<&str>) -> Url {
    let mut url = match host {
        StorageHost::OneAddress(url) => {
            let mut url = url.clone();
            url.set_path(&format!("/{bucket}/"));
            url
        }
        StorageHost::OfBuckets(url) => {
            let mut own = url.clone();
            let host = format!("{bucket}.{}", url.host_str().unwrap_or_default());
            own.set_host(Some(&host)).expect("names of buckets are made of what names of hosts are made of");
            own
        }
    };
    url.set_query(question);
    url
}

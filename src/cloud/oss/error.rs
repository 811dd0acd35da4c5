//! What object storage refuses, and how that finds its way through OpenDAL.

use std::error::Error as _;
use std::fmt;

use crate::cloud::credentials::CredentialsError;
use crate::cloud::http::{Answer, NoAnswer};

/// What can go wrong with a bucket.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// There is none of this name.
    #[error("there is no bucket `{bucket}`")]
    NoBucket {
        /// The bucket.
        bucket: String,
        /// Id of the answer.
        request_id: String,
    },
    /// It is in another region than it was asked for in.
    #[error("the bucket `{bucket}` is in another region")]
    Elsewhere {
        /// The bucket.
        bucket: String,
        /// Id of the answer.
        request_id: String,
    },
    /// The key may not do this, or is none.
    #[error("OSS: {code}: {message}")]
    Denied {
        /// The bucket.
        bucket: String,
        /// OSS's code, such as `AccessDenied`.
        code: String,
        /// OSS's sentence.
        message: String,
        /// Id of the answer.
        request_id: String,
    },
    /// Any other refusal.
    #[error("OSS: {code}: {message}")]
    Refused {
        /// The bucket.
        bucket: String,
        /// HTTP status.
        status: u16,
        /// OSS's code; empty when it gave none.
        code: String,
        /// OSS's sentence.
        message: String,
        /// Id of the answer.
        request_id: String,
    },
    /// No answer came.
    #[error("OSS: no answer from {host}")]
    Unreachable {
        /// The bucket.
        bucket: String,
        /// Host and port.
        host: String,
        /// What the network said.
        #[source]
        source: NoAnswer,
    },
    /// There is no key to sign with.
    #[error("OSS: there is no key to sign with")]
    Unsigned {
        /// The bucket.
        bucket: String,
        /// Why there is none.
        source: Box<CredentialsError>,
    },
    /// What was sent or came back is not of this API.
    #[error("OSS: the answer is not understood: {what}")]
    Garbled {
        /// The bucket.
        bucket: String,
        /// What is wrong.
        what: String,
    },
}

impl BucketError {
    /// Whether no connection could be made.
    pub(super) fn is_unconnected(&self) -> bool {
        matches!(self, Self::Unreachable { source: NoAnswer::Unconnected(_), .. })
    }

    /// OSS's code, when it answered with one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::NoBucket { .. } => Some("NoSuchBucket"),
            Self::Elsewhere { .. } => Some("AccessDenied"),
            Self::Denied { code, .. } | Self::Refused { code, .. } => Some(code),
            Self::Unreachable { .. } | Self::Unsigned { .. } | Self::Garbled { .. } => None,
        }
    }

    /// Id of the answer, when there was one.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::NoBucket { request_id, .. }
            | Self::Elsewhere { request_id, .. }
            | Self::Denied { request_id, .. }
            | Self::Refused { request_id, .. } => Some(request_id),
            Self::Unreachable { .. } | Self::Unsigned { .. } | Self::Garbled { .. } => None,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoBucket { bucket, .. } => Some(format!(
                "make the bucket `{bucket}` in the OSS console, private and without versioning, or mend `state` in the \
                 topology"
            )),
            Self::Elsewhere { bucket, .. } => Some(format!(
                "write its region behind the place of the state: `state: oss://{bucket}/PREFIX?region=REGION`"
            )),
            Self::Denied { bucket, .. } => Some(format!(
                "allow oss:GetBucketVersioning, oss:ListObjects, oss:GetObject and oss:PutObject on `{bucket}`: \
                 `albatross policy FILE` prints the statement"
            )),
            Self::Refused { .. } => Some("run the same command again later".to_owned()),
            Self::Unreachable { host, .. } => {
                Some(format!("check that {host} can be reached from here, then run the same command again"))
            }
            Self::Unsigned { source, .. } => source.hint(),
            Self::Garbled { .. } => Some(
                "something between here and the bucket answered: check --endpoint and any proxy".to_owned(),
            ),
        }
    }
}

/// One attempt that failed.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) error: BucketError,
    /// Whether another one may succeed.
    pub(super) passes: bool,
}

impl Attempt {
    pub(super) fn final_of(error: BucketError) -> Self {
        Self { error, passes: false }
    }

    /// What a refusal says.
    pub(super) fn refused(bucket: &str, answer: &Answer) -> Self {
        let text = |name| element(&answer.body, name).unwrap_or_default().to_owned();
        let (bucket, status) = (bucket.to_owned(), answer.status);
        let (code, message) = (text("Code"), text("Message"));
        let request_id = answer.header("x-oss-request-id").unwrap_or_default().to_owned();
        let error = match (status, code.as_str()) {
            (_, "NoSuchBucket") => BucketError::NoBucket { bucket, request_id },
            (403, "AccessDenied") if message.contains("addressed using the specified endpoint") => {
                BucketError::Elsewhere { bucket, request_id }
            }
            (403, _) => BucketError::Denied { bucket, code, message, request_id },
            _ => BucketError::Refused { bucket, status, code, message, request_id },
        };
        Self { passes: status >= 500 || status == 429, error }
    }

    /// As OpenDAL hands it on.
    pub(super) fn into_opendal(self) -> opendal::Error {
        opendal::Error::new(opendal::ErrorKind::Unexpected, "the request was not answered as it should be")
            .set_source(Carried(std::sync::Mutex::new(Some(self))))
    }
}

/// An attempt on its way through OpenDAL, which only lends out what it carries.
#[derive(Debug)]
struct Carried(std::sync::Mutex<Option<Attempt>>);

impl fmt::Display for Carried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("see the attempt")
    }
}

impl std::error::Error for Carried {}

impl From<opendal::Error> for Attempt {
    fn from(error: opendal::Error) -> Self {
        let carried = error.source().and_then(|source| source.downcast_ref::<Carried>());
        let taken = carried
            .and_then(|carried| carried.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        taken.unwrap_or_else(|| {
            let passes = error.is_temporary();
            let error = BucketError::Garbled { bucket: String::new(), what: error.to_string() };
            Self { error, passes }
        })
    }
}

/// Whether an answer is one that OpenDAL makes sense of: an object that is not there, or that is there.
pub(super) fn is_for_the_reader(answer: &Answer) -> bool {
    match answer.status {
        // The answer to HEAD has no body to say which of the two is missing.
        404 => answer.body.is_empty() || element(&answer.body, "Code") == Some("NoSuchKey"),
        409 => element(&answer.body, "Code") == Some("FileAlreadyExists"),
        _ => false,
    }
}

/// Whether an object is not there.
pub(super) fn is_absent(error: &opendal::Error) -> bool {
    error.kind() == opendal::ErrorKind::NotFound
}

/// Whether the temporary key that signed a request has ended.
pub(super) fn is_ended_key(error: &BucketError) -> bool {
    error.code().is_some_and(|code| code == "SecurityTokenExpired" || code == "InvalidSecurityToken")
}

/// The text of the first element of a name in an answer; ours have no attributes there.
pub(super) fn element<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(body).ok()?;
    let begin = text.split_once(&format!("<{name}>"))?.1;
    Some(begin.split_once(&format!("</{name}>"))?.0)
}

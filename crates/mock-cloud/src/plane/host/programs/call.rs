//! One command to run: its arguments, environment and input.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most bytes a command reads from its input.
const MOST_INPUT: u64 = 4 * 1024 * 1024;

/// Bytes read at once.
const PIECE: usize = 16 * 1024;

/// Standard input of a command; read only by those that want it.
pub(crate) struct Stdin(Option<Pin<Box<dyn AsyncRead + Send>>>);

impl Stdin {
    pub(crate) fn empty() -> Self {
        Self(None)
    }

    pub(crate) fn from_reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self(Some(Box::pin(reader)))
    }

    /// The next piece; empty at the end.
    pub(crate) async fn read_some(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(PIECE);
        if let Some(reader) = &mut self.0 {
            reader.read_buf(&mut bytes).await?;
        }
        Ok(bytes)
    }

    /// Everything up to its end.
    pub(crate) async fn read_all(self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(reader) = self.0 {
            reader.take(MOST_INPUT).read_to_end(&mut bytes).await?;
        }
        Ok(bytes)
    }
}

/// Where a command writes what has to be read before it ends.
pub(crate) type Live = mpsc::UnboundedSender<Vec<u8>>;

/// Who runs a command.
#[derive(Clone, Default)]
pub(crate) struct Caller {
    /// A user without root's rights; root where there is none.
    pub(crate) user: Option<String>,
    /// Absent where only its end is waited for.
    pub(crate) live: Option<Live>,
    /// Cancelled when nobody is there any more to hear of it.
    pub(crate) gone: CancellationToken,
}

/// One command.
pub(crate) struct Call {
    pub(crate) argv: Vec<String>,
    /// Set by `env` on top of what every command has.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) stdin: Stdin,
    pub(crate) caller: Caller,
}

impl Call {
    pub(crate) fn new(argv: Vec<String>, stdin: Stdin) -> Self {
        Self { argv, environment: BTreeMap::new(), stdin, caller: Caller::default() }
    }
}

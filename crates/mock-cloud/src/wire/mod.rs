//! The RPC wire format: flat parameters in, JSON or XML out.

pub mod encoding;
pub mod error;
pub mod http;
pub mod parameters;
pub mod reply;

pub use error::ApiError;
pub use parameters::Parameters;

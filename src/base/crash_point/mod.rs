//! Where a crash can be asked for: before, within and after each durable write.
//!
//! Builds with the feature `crash-points` have `armed`, in all others a point is nothing.

#[cfg(not(feature = "crash-points"))]
mod absent;
#[cfg(feature = "crash-points")]
pub mod armed;

#[cfg(not(feature = "crash-points"))]
pub use absent::Point;
#[cfg(feature = "crash-points")]
pub use armed::Point;

/// A place within a durable write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing is written yet.
    Before,
    /// The first half of the bytes is in the file.
    Half,
    /// All bytes are in the file, which is not synced.
    Written,
    /// The file is synced.
    Synced,
    /// The synced file has replaced the old one; the folder is not synced.
    Renamed,
}

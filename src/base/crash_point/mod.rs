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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Nothing is written yet.
    Before,
    /// The first half of the bytes is in the file.
    Half,
    /// All bytes are in the file, which is not synced.
    Written,
    /// The file is synced.
    Synced,
    /// The new file is under its name, or the old one is not any more; the folder is not synced.
    Renamed,
}

impl Moment {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 5] = [Self::Before, Self::Half, Self::Written, Self::Synced, Self::Renamed];

    /// The word for it, with which a point's name ends.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Half => "half",
            Self::Written => "written",
            Self::Synced => "synced",
            Self::Renamed => "renamed",
        }
    }
}

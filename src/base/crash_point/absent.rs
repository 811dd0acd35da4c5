//! Points at which nothing ever happens: the form that releases have.

use std::fs::File;
use std::path::Path;

use crate::base::crash_point::Moment;

/// One durable write.
#[derive(Debug)]
pub struct Point;

impl Point {
    /// Adding to the end of a file.
    pub fn append(_: &Path, _: &[u8]) -> Self {
        Self
    }

    /// Replacing a file.
    pub fn replace(_: &Path) -> Self {
        Self
    }

    /// Removing a file.
    pub fn remove(_: &Path) -> Self {
        Self
    }

    /// The content is about to be written to the file.
    pub fn begin(&self, _: &mut File, _: &[u8]) {}

    /// A moment of the write has come.
    pub fn reach(&self, _: Moment) {}
}

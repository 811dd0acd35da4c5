//! Whole installations on a host played in memory.

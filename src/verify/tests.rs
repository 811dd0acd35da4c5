//! Whole scenarios against two nodes played in memory.

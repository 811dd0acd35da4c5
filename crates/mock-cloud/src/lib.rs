//! An emulated Alibaba Cloud region.

pub mod plane;

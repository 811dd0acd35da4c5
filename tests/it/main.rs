//! The program from outside, and the house it is built as.

mod architecture;

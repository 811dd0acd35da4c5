//! The memory into which the connections of one thread are read, one after the other.

use std::cell::RefCell;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// Lends it to a call, which must look at what it has read before it returns.
pub(super) fn lend<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| use_it(scratch))
}

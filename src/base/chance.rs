//! Chance, in one place: drawn from the system, or from a seed where a run has to repeat itself.

use std::cell::RefCell;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

thread_local! {
    static SEEDED: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// A share from zero to one, both included.
pub fn share() -> f64 {
    let seeded =
        SEEDED.with_borrow_mut(|seeded| seeded.as_mut().map(|source| source.random_range(0.0..=1.0)));
    seeded.unwrap_or_else(|| rand::rng().random_range(0.0..=1.0))
}

/// From now on what this thread draws follows from a seed: the same calls draw the same shares. For simulations.
pub fn follow(seed: u64) {
    SEEDED.set(Some(StdRng::seed_from_u64(seed)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_again_and_another_thread_does_not_follow_it() {
        let drawn = |seed| {
            follow(seed);
            [share(), share(), share()].map(f64::to_bits)
        };
        let first = drawn(1);
        assert_eq!(drawn(1), first);
        assert_ne!(drawn(2), first);
        follow(1);
        let elsewhere = std::thread::spawn(|| [share(), share(), share()].map(f64::to_bits));
        assert_ne!(elsewhere.join().unwrap(), first);
    }
}

//! How many may be here at once, in all and from one address.
//!
//! An address is what one party can be expected to have: a whole one of IPv4, the first 64 bits of one of IPv6.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine_io::Place;

/// Counts places taken.
#[derive(Debug)]
pub struct Occupancy {
    in_all: usize,
    an_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// No place is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// For nobody.
    InAll,
    /// For this address.
    Address,
}

/// A place; given back when it is dropped.
#[derive(Debug)]
pub struct Taking {
    occupancy: Arc<Occupancy>,
    /// `None` when it does not count for its address.
    address: Option<IpAddr>,
}

impl Occupancy {
    /// Room for so many in all, and so many from one address.
    pub fn new(in_all: usize, an_address: usize) -> Self {
        Self { in_all, an_address, taken: Mutex::default() }
    }

    /// Takes a place for somebody at an address.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Taking, Full> {
        self.take(Some(prefix(address)))
    }

    /// Takes a place for somebody whose address stands for many.
    pub fn enter_for_many(self: &Arc<Self>) -> Result<Taking, Full> {
        self.take(None)
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.lock().in_all
    }

    fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Taking, Full> {
        let mut taken = self.lock();
        if taken.in_all >= self.in_all {
            return Err(Full::InAll);
        }
        if let Some(address) = address {
            let here = taken.by_address.get(&address).copied().unwrap_or(0);
            if here >= self.an_address {
                return Err(Full::Address);
            }
            taken.by_address.insert(address, here + 1);
        }
        taken.in_all += 1;
        Ok(Taking { occupancy: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place for Taking {}

impl Drop for Taking {
    fn drop(&mut self) {
        let mut taken = self.occupancy.lock();
        taken.in_all -= 1;
        let Some(address) = self.address else {
            return;
        };
        let left = taken.by_address.get(&address).copied().unwrap_or(1) - 1;
        if left == 0 {
            taken.by_address.remove(&address);
        } else {
            taken.by_address.insert(address, left);
        }
    }
}

fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_counted_in_all_and_by_address_and_given_back() {
        let occupancy = Arc::new(Occupancy::new(3, 2));
        let one = occupancy.enter(address("192.0.2.1")).unwrap();
        let two = occupancy.enter(address("192.0.2.1")).unwrap();
        assert_eq!(occupancy.enter(address("192.0.2.1")).unwrap_err(), Full::Address);
        let three = occupancy.enter(address("192.0.2.2")).unwrap();
        assert_eq!(occupancy.enter(address("192.0.2.3")).unwrap_err(), Full::InAll);
        assert_eq!(occupancy.enter_for_many().unwrap_err(), Full::InAll);
        drop(one);
        let many = occupancy.enter_for_many().unwrap();
        assert_eq!(occupancy.taken(), 3);
        drop((two, three, many));
        assert_eq!((occupancy.taken(), occupancy.lock().by_address.len()), (0, 0));
    }

    #[test]
    fn neighbours_in_a_network_of_ipv6_are_one_address() {
        assert_eq!(prefix(address("2001:db8:1:2:3:4:5:6")), prefix(address("2001:db8:1:2:ffff::1")));
        assert_ne!(prefix(address("2001:db8:1:2::1")), prefix(address("2001:db8:1:3::1")));
        assert_eq!(prefix(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }
}

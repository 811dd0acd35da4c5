//! Faults of the data plane drawn from a seed: the same hosts meet the same faults, one after the other.
//!
//! Only those are drawn that pass by themselves, and only for a few seconds; two seldom overlap.

use std::time::Duration;

use crate::plane::HostKind;
use crate::server::faults::PlaneFault;
use crate::server::faults::standing::PlaneWish;
use crate::world::ids::digest;

/// A seed with how much time there is between two faults, on average.
#[derive(Debug, Clone, Copy)]
pub struct SeededPlane {
    /// Decides which faults, of which hosts, and for how long.
    pub seed: u64,
    /// From half of it to half as much again.
    pub every: Duration,
}

impl SeededPlane {
    /// The time before the fault of this number, counted from 1.
    pub(super) fn pause(self, number: u64) -> Duration {
        let share = u32::try_from(self.draw(number, "pause", 1_000)).unwrap_or(0);
        self.every / 2 + self.every * share / 1_000
    }

    /// The fault of this number, among hosts of this kind; none when there are no hosts.
    pub(super) fn fault(self, number: u64, kind: HostKind, hosts: &[String]) -> Option<PlaneWish> {
        let target = hosts.get(self.place(number, "host", hosts.len())?)?;
        let other = hosts
            .iter()
            .filter(|host| *host != target)
            .nth(self.place(number, "other", hosts.len().saturating_sub(1)).unwrap_or_default());
        let mut faults = vec![
            PlaneFault::Reboot {},
            PlaneFault::Freeze {},
            PlaneFault::DiskFull {},
            PlaneFault::SshCut { after: self.draw(number, "after", 64 * 1024) },
            PlaneFault::SshSlow { rate: 1_024 + self.draw(number, "rate", 64 * 1024) },
            PlaneFault::RedisStop {},
            PlaneFault::NodeKill {},
            PlaneFault::Unhealthy {},
        ];
        faults.extend(other.map(|other| PlaneFault::NetworkCut { to: other.clone() }));
        if kind == HostKind::Machine {
            faults.push(PlaneFault::NetworkLoss { percent: 5 });
        }
        let fault = faults.swap_remove(self.place(number, "fault", faults.len())?);
        let lasts = Duration::from_millis(1_000 + self.draw(number, "lasts", 4_000));
        Some(PlaneWish { target: target.clone(), fault, begins_in: Duration::ZERO, lasts: Some(lasts) })
    }

    fn place(self, number: u64, what: &str, count: usize) -> Option<usize> {
        let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
        usize::try_from(self.draw(number, what, count)).ok()
    }

    /// A number below another one.
    fn draw(self, number: u64, what: &str, below: u64) -> u64 {
        let bytes = digest(self.seed, "plane fault", &format!("{number} {what}"));
        bytes[..8].iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte)) % below
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_draws_every_kind_that_hosts_can_have_and_the_same_again() {
        let hosts: Vec<String> = ["ecs01", "ecs02", "ecs03"].map(str::to_owned).to_vec();
        let seeded = SeededPlane { seed: 3, every: Duration::from_secs(10) };
        let drawn = |kind| -> Vec<(String, &'static str, Option<Duration>)> {
            let faults = (1..300).filter_map(|number| seeded.fault(number, kind, &hosts));
            faults.map(|wish| (wish.target, wish.fault.word(), wish.lasts)).collect()
        };
        let (process, machine) = (drawn(HostKind::Process), drawn(HostKind::Machine));
        let words = |all: &[(String, &'static str, Option<Duration>)]| {
            all.iter().map(|one| one.1).collect::<BTreeSet<_>>()
        };
        assert_eq!((words(&process).len(), words(&machine).len()), (9, 10));
        assert_eq!(process, drawn(HostKind::Process));
        assert!(process.iter().all(|one| one.2.is_some_and(|lasts| lasts <= Duration::from_secs(5))));
        let pause = seeded.pause(7);
        assert!((Duration::from_secs(5)..Duration::from_secs(15)).contains(&pause), "{pause:?}");
        assert!(seeded.fault(1, HostKind::Process, &[]).is_none());
    }
}

//! Disks of machines that are there: grown while the machine runs, and told whether they go with it.

use std::time::Duration;

use super::Provider;
use crate::apply::error::ApplyError;
use crate::base::ids::CloudId;
use crate::base::retry::{Backoff, Deadline};
use crate::cloud::disks::{self, Disk};
use crate::plan::Step;
use crate::plan::action::Change;
use crate::resource::disks::{DELETE_WITH_INSTANCE, is_of_disk, of_data};

/// How long the cloud may take to show what a disk has become.
const SHOWN: Duration = Duration::from_mins(2);

impl Provider {
    /// Changes what a step changes of the disks of a machine, and waits until the cloud shows it.
    pub(super) async fn settle_disks(&self, step: &Step, instance: &CloudId) -> Result<(), ApplyError> {
        let changes: Vec<&Change> =
            step.action.changes().iter().filter(|change| is_of_disk(change.field)).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let address = &step.address;
        let there = disks::disks_of(&self.client, instance).await?;
        for change in &changes {
            let missing = || ApplyError::Missing { address: address.clone(), what: "disk" };
            let disk = disk_of(&there, change).ok_or_else(missing)?;
            if is_of_end(change) {
                let region = self.client.region();
                self.change(address, |_| disks::keep(region, &disk.disk_id, &change.to)).await?;
            } else {
                self.change(address, |token| disks::resize(&disk.disk_id, &change.to, token)).await?;
            }
        }
        self.disks_shown(step, instance, &changes).await?;
        for change in changes.iter().filter(|change| !is_of_end(change)) {
            let name = of_data(change.field)
                .map_or("its system disk".to_owned(), |(name, _)| format!("disk {name}"));
            self.note(address, format!("{name} has {} GiB now; its file system is yours to grow", change.to));
        }
        Ok(())
    }

    async fn disks_shown(
        &self,
        step: &Step,
        instance: &CloudId,
        changes: &[&Change],
    ) -> Result<(), ApplyError> {
        let deadline = Deadline::after(SHOWN);
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));
        loop {
            let there = disks::disks_of(&self.client, instance).await?;
            let is_shown = |change: &&Change| disk_of(&there, change).is_some_and(|disk| is_so(disk, change));
            if changes.iter().all(is_shown) {
                return Ok(());
            }
            if !backoff.wait(&deadline).await {
                let what = "disk as it was changed";
                return Err(ApplyError::Missing { address: step.address.clone(), what });
            }
        }
    }
}

/// Whether a change is about what becomes of a disk when its machine goes; else it is about its size.
fn is_of_end(change: &Change) -> bool {
    of_data(change.field).is_some_and(|(_, what)| what == DELETE_WITH_INSTANCE)
}

fn disk_of<'d>(there: &'d [Disk], change: &Change) -> Option<&'d Disk> {
    there.iter().find(|disk| match of_data(change.field) {
        Some((name, _)) => !disk.is_system() && disk.disk_name == name,
        None => disk.is_system(),
    })
}

fn is_so(disk: &Disk, change: &Change) -> bool {
    if is_of_end(change) {
        disk.delete_with_instance.to_string() == change.to
    } else {
        disk.size.to_string() == change.to
    }
}

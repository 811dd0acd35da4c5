//! The fields of a machine's disks: of the system's `disk`, `disk.category` and so on, of another `data_disks.NAME.size`
//! and so on.
//!
//! A disk grows in place, and one that is to go or to stay with its machine is told so; all else is made with the
//! machine.

use crate::base::disk::{DataDisk, DiskOptions};
use crate::base::word::{Word, word};
use crate::resource::observed::Fields;
use crate::resource::spec::{InstanceSpec, Wanted};

/// How the fields of data disks begin.
const DATA: &str = "data_disks.";
/// GiB of the system disk.
pub const SYSTEM_SIZE: Word = "disk";
/// GiB of a data disk.
pub const SIZE: &str = "size";
/// Whether a data disk goes with its machine.
pub const DELETE_WITH_INSTANCE: &str = "delete_with_instance";
/// Stands for the size of a disk that is not there.
pub const NO_DISK: &str = "";

/// A field of a data disk.
pub fn data_field(name: &str, what: &str) -> Word {
    word(format!("{DATA}{name}.{what}"))
}

/// The data disk that a field is about, and what of it.
pub fn of_data(field: &str) -> Option<(&str, &str)> {
    field.strip_prefix(DATA)?.rsplit_once('.')
}

/// Whether a field is one of any disk.
pub fn is_of_disk(field: &str) -> bool {
    field == SYSTEM_SIZE || field.starts_with("disk.") || field.starts_with(DATA)
}

/// Data disks that are there and that the spec does not have.
pub fn not_wanted<'f>(fields: &'f Fields, spec: &InstanceSpec) -> Vec<(Word, &'f str)> {
    let there = fields.iter().filter(|(_, value)| *value != NO_DISK);
    let extra = there.filter_map(|(field, value)| {
        let (name, what) = of_data(field)?;
        let is_wanted = spec.data_disks.iter().any(|disk| disk.name == name);
        (what == SIZE && !is_wanted).then(|| (data_field(name, SIZE), value.as_str()))
    });
    extra.collect()
}

/// What the disks of a machine shall be. What is not said of one is not compared: the cloud has chosen it.
pub(super) fn wanted(spec: &InstanceSpec) -> Vec<(Word, Wanted)> {
    let mut wanted = vec![(SYSTEM_SIZE, Wanted::Exactly(spec.disk.to_string()))];
    wanted.extend(options(&spec.disk_options, |what| word(format!("disk.{what}"))));
    for disk in &spec.data_disks {
        wanted.push((data_field(&disk.name, SIZE), Wanted::Exactly(disk.size.to_string())));
        wanted.extend(options(&disk.options, |what| data_field(&disk.name, what)));
        wanted.push((data_field(&disk.name, DELETE_WITH_INSTANCE), goes_with(disk)));
    }
    wanted
}

fn goes_with(disk: &DataDisk) -> Wanted {
    Wanted::Exactly(disk.delete_with_instance.to_string())
}

fn options(options: &DiskOptions, field: impl Fn(&str) -> Word) -> Vec<(Word, Wanted)> {
    let said = [("category", &options.category), ("performance_level", &options.performance_level)];
    let said = said.into_iter().filter_map(|(what, value)| Some((what, value.clone()?)));
    let encrypted = ("encrypted", options.encrypted.to_string());
    said.chain([encrypted]).map(|(what, value)| (field(what), Wanted::Exactly(value))).collect()
}

/// Why a change of a disk makes its machine anew; none when it is made in place.
pub(super) fn reason(field: &str, (from, to): (&str, &str)) -> Option<&'static str> {
    let (is_data, what) = match of_data(field) {
        Some((_, what)) => (true, what),
        None => (false, field.strip_prefix("disk.").unwrap_or(SIZE)),
    };
    match what {
        SIZE if is_data && to == NO_DISK => {
            Some("a data disk goes with its instance, and what is on it is lost")
        }
        SIZE if is_data && from == NO_DISK => Some("a data disk is made with its instance"),
        SIZE => {
            let sizes = (from.parse::<u32>().ok(), to.parse::<u32>().ok());
            let grows = matches!(sizes, (Some(from), Some(to)) if to > from);
            (!grows).then_some("a disk cannot be made smaller")
        }
        DELETE_WITH_INSTANCE => None,
        "encrypted" => Some("a disk is encrypted when it is made, or not"),
        _ => Some("a disk is made with its category and its level"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_grows_stays() {
        for field in ["disk", "data_disks.logs.size"] {
            assert_eq!(reason(field, ("40", "60")), None);
            assert_eq!(reason(field, ("60", "40")), Some("a disk cannot be made smaller"));
        }
        assert!(reason("data_disks.logs.size", ("", "40")).is_some_and(|why| why.contains("made with")));
        assert!(reason("data_disks.logs.size", ("40", "")).is_some_and(|why| why.contains("is lost")));
        assert_eq!(reason("data_disks.logs.delete_with_instance", ("true", "false")), None);
        assert!(reason("disk.encrypted", ("false", "true")).is_some());
        assert_eq!(of_data("data_disks.logs.size"), Some(("logs", "size")));
        assert_eq!(of_data("disk.size"), None);
    }
}

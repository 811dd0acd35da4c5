//! Rules of the disks of machines: sizes, levels and names.

use std::collections::BTreeSet;

use crate::topology::disk::{DiskCategory, DiskForm, Gibibytes, PerformanceLevel};
use crate::topology::findings::{Finding, Findings, below};
use crate::topology::places::Path;
use crate::topology::schema::{DataDiskFields, Instance};

/// The least and the most GiB of a system disk.
const SYSTEM: (u32, u32) = (20, 2048);
/// The most disks beside it that an instance is made with.
const MOST: usize = 16;

/// Runs the rules of this file.
pub(super) fn check(instance: &Instance, place: &Path, findings: &mut Findings<'_>) {
    if let Some(disk) = &instance.disk {
        system_disk(disk, &below(place, "disk"), findings);
    }
    let place = below(place, "data_disks");
    if instance.data_disks.len() > MOST {
        findings.at_key(
            &place,
            Finding {
                code: "disk-count",
                message: format!("{} data disks are too many", instance.data_disks.len()),
                cause: format!("an instance is made with {MOST} at most"),
                help: "make fewer and larger ones".to_owned(),
            },
        );
    }
    let mut names = BTreeSet::new();
    for (index, disk) in instance.data_disks.iter().enumerate() {
        let place = below(&place, index);
        name(&disk.name, &below(&place, "name"), findings);
        if !names.insert(&disk.name) {
            findings.at_value(&below(&place, "name"), twice(&disk.name));
        }
        data_disk(disk, &place, findings);
    }
}

fn system_disk(disk: &DiskForm, place: &Path, findings: &mut Findings<'_>) {
    let fields = disk.fields();
    let place_of_size = match disk {
        DiskForm::Size(_) => place.clone(),
        DiskForm::Fields(_) => below(place, "size"),
    };
    let (least, most) = SYSTEM;
    let least = least.max(fields.category.map_or(0, |category| category.sizes(fields.performance_level).0));
    if let Some(size) = disk.size().map(Gibibytes::count).filter(|size| !(least..=most).contains(size)) {
        let kind = match fields.performance_level {
            Some(level) if least > SYSTEM.0 => format!("a system disk of {}", level.word()),
            Some(_) | None => "a system disk".to_owned(),
        };
        findings.at_value(&place_of_size, wrong_size(&kind, size, (least, most)));
    }
    level((fields.category, fields.performance_level), place, findings);
}

fn data_disk(disk: &DataDiskFields, place: &Path, findings: &mut Findings<'_>) {
    let (least, most) = disk.category.unwrap_or(DiskCategory::Essd).sizes(disk.performance_level);
    // Which category goes with the type of the machine is the cloud's matter: any of them may take it.
    let (least, most) = if disk.category.is_some() || disk.performance_level.is_some() {
        (least, most)
    } else {
        (least.min(10), most)
    };
    let size = disk.size.count();
    if !(least..=most).contains(&size) {
        let kind = match (disk.category, disk.performance_level) {
            (_, Some(level)) => format!("a data disk of {}", level.word()),
            (Some(category), None) => format!("a data disk of {}", category.word()),
            (None, None) => "a data disk".to_owned(),
        };
        findings.at_value(&below(place, "size"), wrong_size(&kind, size, (least, most)));
    }
    level((disk.category, disk.performance_level), place, findings);
}

fn wrong_size(kind: &str, size: u32, (least, most): (u32, u32)) -> Finding {
    Finding {
        code: "disk-size",
        message: format!("{kind} cannot have {size} GiB"),
        cause: format!("{least} to {most} GiB"),
        help: format!("write for example `{}`", least.max(40).min(most)),
    }
}

/// Only ESSDs have levels.
fn level(
    (category, level): (Option<DiskCategory>, Option<PerformanceLevel>),
    place: &Path,
    findings: &mut Findings<'_>,
) {
    let Some(level) = level.filter(|_| category != Some(DiskCategory::Essd)) else { return };
    let cause = match category {
        Some(category) => format!("a disk of {} has none", category.word()),
        None => "only a `cloud_essd` has one, and no `category` is written".to_owned(),
    };
    findings.at_value(
        &below(place, "performance_level"),
        Finding {
            code: "disk-level",
            message: format!("this disk cannot have the performance level {}", level.word()),
            cause,
            help: "add `category: cloud_essd`, or remove `performance_level`".to_owned(),
        },
    );
}

fn name(name: &str, place: &Path, findings: &mut Findings<'_>) {
    let good = (2..=40).contains(&name.len())
        && name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    if !good {
        findings.at_value(
            place,
            Finding {
                code: "disk-name",
                message: format!("`{name}` cannot be the name of a data disk"),
                cause: "2 to 40 lower-case letters, digits and hyphens, beginning with a letter".to_owned(),
                help: "write for example `name: logs`".to_owned(),
            },
        );
    }
}

fn twice(name: &str) -> Finding {
    Finding {
        code: "disk-twice",
        message: format!("two data disks are called `{name}`"),
        cause: "a disk is known by its name".to_owned(),
        help: "give one of them another name".to_owned(),
    }
}

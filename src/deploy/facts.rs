//! What a host is, found out in one round trip, before anything is done there.

use super::Note;
use super::artifact::{Architecture, Artifact, version};
use super::command;
use super::error::DeployError;
use super::host::Host;
use crate::base::clock;
use crate::ssh::Output;

/// What stays free of a disk beside a release, so that the host can go on.
const SPARE_DISK_KIBIBYTES: u64 = 64 * 1024;
/// A clock that is off by less is left out: looking takes time, too.
const CLOCK_TOLERANCE_SECONDS: u64 = 30;

/// The tool that installs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageManager {
    /// Debian and Ubuntu.
    Apt,
    /// Alibaba Cloud Linux and its relatives.
    Dnf,
}

/// A host as far as deployment cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its processor.
    pub architecture: Architecture,
    /// Its package tool.
    pub package_manager: PackageManager,
    /// Its C library's version; `None` where it is not glibc.
    pub glibc: Option<(u32, u32)>,
    /// Its name for itself, such as `Debian GNU/Linux 12 (bookworm)`.
    pub distribution: String,
    /// Its memory, in mebibytes, where it says so.
    pub memory_mebibytes: Option<u64>,
    /// What is free on the disk of releases, in kibibytes, where it says so.
    pub free_kibibytes: Option<u64>,
    /// Seconds its clock is ahead of ours; negative when it is behind.
    pub clock_ahead_seconds: Option<i64>,
}

/// Asks a host what it is.
///
/// # Errors
/// When it cannot be asked, or is a system that cannot be deployed to.
pub async fn facts(host: &impl Host) -> Result<Facts, DeployError> {
    let questions = [
        command::machine(),
        command::distribution(),
        command::libc(),
        command::is_folder("/run/systemd/system"),
        command::configuration_value("_PHYS_PAGES"),
        command::configuration_value("PAGE_SIZE"),
        command::free_disk("/opt"),
        command::seconds(),
    ];
    let answers = host.look(questions.into()).await?;
    let [machine, release, libc, systemd, pages, page_size, disk, clock]: [Output; 8] =
        answers.try_into().unwrap_or_else(|_| unreachable!("each question has an answer"));
    let (machine, release) = (machine.text(), release.text());
    let distribution = field(&release, "PRETTY_NAME").unwrap_or_else(|| "an unknown system".to_owned());
    let unsupported = |found: &str, why| DeployError::UnsupportedSystem {
        host: host.name().to_owned(),
        found: found.to_owned(),
        why,
    };
    let architecture = Architecture::parse(&machine)
        .ok_or_else(|| unsupported(&machine, "there is no release for this processor"))?;
    let package_manager = package_manager(&release).map_err(|why| unsupported(&distribution, why))?;
    if systemd.status != 0 {
        return Err(unsupported(&distribution, "systemd is not what started it"));
    }
    let ours = clock::now().as_second();
    Ok(Facts {
        architecture,
        package_manager,
        glibc: libc.text().strip_prefix("glibc ").and_then(version),
        distribution,
        memory_mebibytes: number(&pages)
            .zip(number(&page_size))
            .map(|(pages, size)| pages * size / 1024 / 1024),
        free_kibibytes: number(&disk),
        clock_ahead_seconds: number(&clock)
            .and_then(|theirs| i64::try_from(theirs).ok())
            .map(|theirs| theirs - ours),
    })
}

/// The number that an answer ends with; none when there is no such answer.
fn number(answer: &Output) -> Option<u64> {
    let text = answer.text();
    (answer.status == 0).then(|| text.split_whitespace().next_back()?.parse().ok()).flatten()
}

impl Facts {
    /// Says that the clock of the host is off, if it is: its log and the time of its releases are then, too.
    pub(super) fn note_clock(&self, host: &str, note: &Note) {
        let ahead = self.clock_ahead_seconds.unwrap_or_default();
        let off = ahead.unsigned_abs();
        if off > CLOCK_TOLERANCE_SECONDS {
            let side = if ahead > 0 { "ahead of" } else { "behind" };
            note(&format!("{host}: its clock is {off} s {side} the one here; look at its time service"));
        }
    }

    /// Whether the host has as much memory as Redis may take.
    ///
    /// # Errors
    /// When it has less, naming both.
    pub(super) fn accept_memory(&self, host: &str, wanted_mebibytes: u64) -> Result<(), DeployError> {
        match self.memory_mebibytes {
            Some(found) if found <= wanted_mebibytes => {
                Err(DeployError::MemoryTooSmall { host: host.to_owned(), wanted: wanted_mebibytes, found })
            }
            _ => Ok(()),
        }
    }

    /// Whether there is room for a release, packed and unpacked.
    ///
    /// # Errors
    /// When there is not, naming how much is missing.
    pub(super) fn accept_size(&self, host: &str, artifact: &Artifact) -> Result<(), DeployError> {
        // Packed it is never larger than a little more than it is unpacked.
        let needed = 2 * (artifact.bytes.len() as u64).div_ceil(1024) + SPARE_DISK_KIBIBYTES;
        match self.free_kibibytes {
            Some(found) if found < needed => Err(DeployError::DiskFull {
                host: host.to_owned(),
                needed: needed.div_ceil(1024),
                found: found / 1024,
            }),
            _ => Ok(()),
        }
    }

    /// Whether a binary can run on the host.
    ///
    /// # Errors
    /// When its processor or its C library is another, naming both.
    pub fn accept(&self, host: &str, artifact: &Artifact) -> Result<(), DeployError> {
        if artifact.architecture != self.architecture {
            return Err(DeployError::WrongArchitecture {
                host: host.to_owned(),
                binary: artifact.architecture,
                machine: self.architecture,
            });
        }
        match artifact.glibc_needed {
            Some(needed) if self.glibc.is_none_or(|found| found < needed) => Err(DeployError::GlibcTooOld {
                host: host.to_owned(),
                needed,
                found: self.glibc.map_or("no glibc".to_owned(), |(major, minor)| format!("{major}.{minor}")),
            }),
            _ => Ok(()),
        }
    }
}

fn package_manager(release: &str) -> Result<PackageManager, &'static str> {
    let id = field(release, "ID").unwrap_or_default();
    let like = field(release, "ID_LIKE").unwrap_or_default();
    let number = field(release, "VERSION_ID").unwrap_or_default();
    let family = |names: &[&str]| {
        std::iter::once(id.as_str()).chain(like.split_whitespace()).any(|name| names.contains(&name))
    };
    if family(&["debian", "ubuntu"]) {
        return Ok(PackageManager::Apt);
    }
    if !family(&["alinux", "anolis", "centos", "rhel", "fedora", "rocky", "almalinux"]) {
        return Err("neither apt nor dnf is known to be its package tool");
    }
    let is_old = (id == "centos" || id == "rhel")
        && version(&format!("{number}.0")).is_some_and(|(major, _)| major < 8);
    if is_old || (id == "alinux" && number.starts_with('2')) {
        return Err("its packages are past their end, and its Redis (3.2) has no streams");
    }
    Ok(PackageManager::Dnf)
}

/// A value of `/etc/os-release`, without its quotes.
fn field(release: &str, name: &str) -> Option<String> {
    let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_package_tool_follows_the_family() {
        // As each of them has it in /etc/os-release.
        for (release, expected) in [
            ("ID=debian\nVERSION_ID=\"12\"", PackageManager::Apt),
            ("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"", PackageManager::Apt),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"", PackageManager::Apt),
            ("ID=\"alinux\"\nID_LIKE=\"rhel fedora centos anolis\"\nVERSION_ID=\"3\"", PackageManager::Dnf),
            ("ID=\"anolis\"\nID_LIKE=\"rhel fedora centos\"\nVERSION_ID=\"8.8\"", PackageManager::Dnf),
            ("ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"9\"", PackageManager::Dnf),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"", PackageManager::Dnf),
        ] {
            assert_eq!(package_manager(release), Ok(expected), "{release}");
        }
        for old in [
            "ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"",
            "ID=\"alinux\"\nID_LIKE=\"rhel fedora centos anolis\"\nVERSION_ID=\"2.1903\"",
        ] {
            assert!(package_manager(old).unwrap_err().contains("no streams"), "{old}");
        }
        assert!(package_manager("ID=arch").is_err());
    }

    #[test]
    fn a_binary_that_cannot_run_is_refused_naming_both_sides() {
        let facts = small();
        let artifact = |architecture, glibc_needed| Artifact::new(Arc::from([]), architecture, glibc_needed);
        assert!(facts.accept("ecs01", &artifact(Architecture::X86_64, None)).is_ok());
        assert!(facts.accept("ecs01", &artifact(Architecture::X86_64, Some((2, 32)))).is_ok());
        let error = facts.accept("ecs01", &artifact(Architecture::Aarch64, None)).unwrap_err();
        assert_eq!(error.to_string(), "ecs01: the binary is for aarch64, but the host is x86_64");
        assert!(error.hint().unwrap().contains("x86_64-unknown-linux-gnu"));
        let error = facts.accept("ecs01", &artifact(Architecture::X86_64, Some((2, 36)))).unwrap_err();
        assert_eq!(error.to_string(), "ecs01: the binary needs glibc 2.36, but the host has 2.32");
    }

    /// A host that can be deployed to, and barely so.
    fn small() -> Facts {
        Facts {
            architecture: Architecture::X86_64,
            package_manager: PackageManager::Dnf,
            glibc: Some((2, 32)),
            distribution: "Alibaba Cloud Linux 3".to_owned(),
            memory_mebibytes: Some(4096),
            free_kibibytes: Some(64 * 1024 + 2),
            clock_ahead_seconds: Some(-31),
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_naming_both_numbers() {
        let artifact = |length: usize| Artifact::new(vec![0; length].into(), Architecture::X86_64, None);
        assert!(small().accept_size("ecs01", &artifact(1024)).is_ok());
        let error = small().accept_size("ecs01", &artifact(1025)).unwrap_err();
        assert_eq!(error.to_string(), "ecs01: a release needs 65 MiB of /opt, and 64 MiB are free there");
        assert!(small().accept_memory("ecs03", 4095).is_ok());
        let error = small().accept_memory("ecs03", 4096).unwrap_err();
        assert_eq!(error.to_string(), "ecs03: Redis may take 4096 MiB, and the host has 4096 MiB of memory");
        let silent = Facts { memory_mebibytes: None, free_kibibytes: None, ..small() };
        assert!(silent.accept_memory("ecs03", 1 << 30).is_ok(), "who does not say is not refused");
        assert!(silent.accept_size("ecs01", &artifact(1025)).is_ok());
    }

    #[test]
    fn a_clock_that_is_off_is_told() {
        for (ahead, told) in [
            (Some(-31), vec!["ecs01: its clock is 31 s behind the one here; look at its time service"]),
            (Some(90), vec!["ecs01: its clock is 90 s ahead of the one here; look at its time service"]),
            (Some(30), vec![]),
            (None, vec![]),
        ] {
            let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
            let heard_there = Arc::clone(&heard);
            let note: Note = Arc::new(move |text: &str| heard_there.lock().unwrap().push(text.to_owned()));
            Facts { clock_ahead_seconds: ahead, ..small() }.note_clock("ecs01", &note);
            assert_eq!(*heard.lock().unwrap(), told);
        }
    }
}

//! What a host is, found out in three commands.

use super::artifact::{Architecture, Artifact, version};
use super::command;
use super::error::DeployError;
use super::host::Host;

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
}

/// Asks a host what it is.
///
/// # Errors
/// When it cannot be asked, or is a system that cannot be deployed to.
pub async fn facts(host: &impl Host) -> Result<Facts, DeployError> {
    let machine = host.check(command::machine()).await?.text();
    let release = host.check(command::distribution()).await?.text();
    let libc = host.run(command::libc()).await?.text();
    let distribution = field(&release, "PRETTY_NAME").unwrap_or_else(|| "an unknown system".to_owned());
    let unsupported = |found: &str, why| DeployError::UnsupportedSystem {
        host: host.name().to_owned(),
        found: found.to_owned(),
        why,
    };
    let architecture = Architecture::parse(&machine)
        .ok_or_else(|| unsupported(&machine, "there is no release for this processor"))?;
    let package_manager = package_manager(&release).map_err(|why| unsupported(&distribution, why))?;
    let glibc = libc.strip_prefix("glibc ").and_then(version);
    Ok(Facts { architecture, package_manager, glibc, distribution })
}

impl Facts {
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
        let facts = Facts {
            architecture: Architecture::X86_64,
            package_manager: PackageManager::Dnf,
            glibc: Some((2, 32)),
            distribution: "Alibaba Cloud Linux 3".to_owned(),
        };
        let artifact = |architecture, glibc_needed| Artifact::new(Arc::from([]), architecture, glibc_needed);
        assert!(facts.accept("ecs01", &artifact(Architecture::X86_64, None)).is_ok());
        assert!(facts.accept("ecs01", &artifact(Architecture::X86_64, Some((2, 32)))).is_ok());
        let error = facts.accept("ecs01", &artifact(Architecture::Aarch64, None)).unwrap_err();
        assert_eq!(error.to_string(), "ecs01: the binary is for aarch64, but the host is x86_64");
        assert!(error.hint().unwrap().contains("x86_64-unknown-linux-gnu"));
        let error = facts.accept("ecs01", &artifact(Architecture::X86_64, Some((2, 36)))).unwrap_err();
        assert_eq!(error.to_string(), "ecs01: the binary needs glibc 2.36, but the host has 2.32");
    }
}

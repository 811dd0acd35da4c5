//! What the package managers of a host know, and what installing it changes.

use std::io;

use crate::plane::host::launch::STAND_IN;
use crate::plane::host::process::outer_program;
use crate::plane::host::root::Root;

/// Which package manager a distribution has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    Apt,
    Dnf,
}

/// One package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// Real programs that become usable.
    programs: &'static [&'static str],
    /// The unit it brings.
    pub(crate) unit: Option<&'static str>,
    is_preinstalled: bool,
}

const fn preinstalled(name: &'static str, version: &'static str) -> Package {
    Package { name, version, programs: &[], unit: None, is_preinstalled: true }
}

const REDIS: &[&str] = &["redis-server", "redis-cli"];

const APT: &[Package] = &[
    preinstalled("ca-certificates", "20230311"),
    preinstalled("curl", "7.88.1-10+deb12u12"),
    preinstalled("openssl", "3.0.15-1~deb12u1"),
    Package {
        name: "redis-server",
        version: "5:7.0.15-1~deb12u2",
        programs: REDIS,
        unit: Some("redis-server.service"),
        is_preinstalled: false,
    },
    Package {
        name: "redis-tools",
        version: "5:7.0.15-1~deb12u2",
        programs: &["redis-cli"],
        unit: None,
        is_preinstalled: false,
    },
];

const DNF: &[Package] = &[
    preinstalled("ca-certificates", "2021.2.50-80.0.al8"),
    preinstalled("curl", "7.61.1-34.al8"),
    preinstalled("openssl", "1.1.1k-12.al8"),
    Package {
        name: "redis",
        version: "6.2.7-1.al8",
        programs: REDIS,
        unit: Some("redis.service"),
        is_preinstalled: false,
    },
];

/// Where installed packages are remembered, inside the root.
const INSTALLED: &str = "/var/lib/mock-host/packages";

impl Manager {
    /// A package by any name it has.
    pub(crate) fn package(self, name: &str) -> Option<Package> {
        let (packages, name) = match self {
            Self::Apt => (APT, if name == "redis" { "redis-server" } else { name }),
            Self::Dnf => (DNF, name),
        };
        packages.iter().find(|package| package.name == name).copied()
    }

    /// The configuration file that the distribution's own unit uses.
    fn configuration(self) -> &'static str {
        match self {
            Self::Apt => "/etc/redis/redis.conf",
            Self::Dnf => "/etc/redis.conf",
        }
    }
}

impl Package {
    pub(crate) fn is_installed(&self, root: &Root) -> bool {
        let installed = root.read_text(INSTALLED).unwrap_or_default();
        self.is_preinstalled || installed.lines().any(|name| name == self.name)
    }

    /// The real program it needs that the outer machine lacks.
    pub(crate) fn lacks(&self) -> Option<&'static str> {
        self.programs.iter().find(|program| outer_program(program).is_none()).copied()
    }

    /// Puts its programs and its unit into place.
    pub(crate) fn install(&self, root: &Root, manager: Manager) -> io::Result<()> {
        for program in self.programs {
            root.write(&format!("/usr/bin/{program}"), format!("{STAND_IN}{program}\n").as_bytes(), 0o755)?;
        }
        if let Some(unit) = self.unit {
            let configuration = manager.configuration();
            // Not `Type=notify` as a distribution has it: the outer machine's Redis may have been built without that.
            let text = format!(
                "[Unit]\nDescription=Advanced key-value store\n\n[Service]\n\
                 ExecStart=/usr/bin/redis-server {configuration} --daemonize no\n\
                 Restart=always\nUser=redis\n\n[Install]\nWantedBy=multi-user.target\n"
            );
            root.write(&format!("/usr/lib/systemd/system/{unit}"), text.as_bytes(), 0o644)?;
            root.make_folders("/var/lib/redis", 0o750)?;
            let settings = "bind 127.0.0.1 -::1\nprotected-mode yes\nport 6379\ndir /var/lib/redis\n";
            root.write(configuration, settings.as_bytes(), 0o640)?;
        }
        let installed = root.read_text(INSTALLED).unwrap_or_default();
        root.write(INSTALLED, format!("{installed}{}\n", self.name).as_bytes(), 0o644)
    }
}

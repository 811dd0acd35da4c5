//! Programs of the package managers: apt-get, dnf, dpkg-query, rpm.

use std::sync::Arc;

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, sentence};
use crate::plane::host::packages::{Manager, Package};
use crate::plane::host::programs::call::Call;
use crate::plane::host::programs::options::Options;

/// `apt-get` and `dnf`.
pub(crate) async fn install(machine: &Arc<Machine>, manager: Manager, call: Call) -> Outcome {
    let program = match manager {
        Manager::Apt => "apt-get",
        Manager::Dnf => "dnf",
    };
    let flags = ["-y", "-q", "--quiet", "--no-install-recommends", "--assumeyes"];
    let options = match Options::read(program, &call.argv, &flags, &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    match options.operands.split_first() {
        Some((verb, [])) if verb == "update" && manager == Manager::Apt => {
            Outcome::printed("Reading package lists...\n")
        }
        Some((verb, [])) if verb == "makecache" && manager == Manager::Dnf => {
            Outcome::printed("Metadata cache created.\n")
        }
        Some((verb, names)) if verb == "install" && !names.is_empty() => {
            if !options.has("-y") && !options.has("--assumeyes") {
                return Outcome::failed(1, "Do you want to continue? [Y/n] Abort.");
            }
            install_all(machine, manager, names).await
        }
        Some((verb, _)) => Outcome::refused(format!("{program} {verb}")),
        None => Outcome::refused(format!("{program} without a verb")),
    }
}

async fn install_all(machine: &Arc<Machine>, manager: Manager, names: &[String]) -> Outcome {
    let mut wanted: Vec<Package> = Vec::new();
    for name in names {
        match manager.package(name) {
            Some(package) => wanted.push(package),
            None if manager == Manager::Apt => {
                return Outcome::failed(100, format!("E: Unable to locate package {name}"));
            }
            None => return Outcome::failed(1, format!("Error: Unable to find a match: {name}")),
        }
    }
    wanted.retain(|package| !package.is_installed(&machine.root));
    if let Some((package, program)) =
        wanted.iter().find_map(|package| package.lacks().map(|lacks| (package, lacks)))
    {
        let reason = format!("{program} is not installed on the machine that runs the mock cloud");
        return match manager {
            Manager::Apt => Outcome::failed(100, format!("E: Failed to fetch {}: {reason}", package.name)),
            Manager::Dnf => Outcome::failed(
                1,
                format!("Error: Error downloading packages:\n  {}: {reason}", package.name),
            ),
        };
    }
    let mut outcome = Outcome::done();
    for package in &wanted {
        if let Err(error) = package.install(&machine.root, manager) {
            return Outcome::failed(100, format!("E: {}: {}", package.name, sentence(&error)));
        }
        outcome.stdout.extend(format!("Setting up {} ({}) ...\n", package.name, package.version).bytes());
        // A Debian package enables and starts what it brings; others leave that to the administrator.
        if let (Some(unit), Manager::Apt) = (package.unit, manager) {
            for verb in ["enable", "start"] {
                let argv = ["systemctl", verb, unit].map(str::to_owned);
                outcome.stderr.extend(machine.run_quietly(&argv).await.stderr);
            }
        }
    }
    if wanted.is_empty() {
        outcome.stdout.extend(b"Nothing to do.\n");
    }
    outcome
}

pub(crate) fn dpkg_query(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("dpkg-query", arguments, &["-W", "--show"], &["-f", "--showformat"]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let format = options
        .value("-f")
        .or(options.value("--showformat"))
        .unwrap_or("${Package}\t${Version}\\n")
        .to_owned();
    let mut outcome = Outcome::done();
    for name in &options.operands {
        let package = Manager::Apt.package(name).filter(|package| package.is_installed(&machine.root));
        outcome.and(match package {
            Some(package) => Outcome::printed(
                format
                    .replace("${Package}", package.name)
                    .replace("${Version}", package.version)
                    .replace("${Status}", "install ok installed")
                    .replace("${db:Status-Status}", "installed")
                    .replace("\\n", "\n")
                    .replace("\\t", "\t"),
            ),
            None => Outcome::failed(1, format!("dpkg-query: no packages found matching {name}")),
        });
    }
    outcome
}

pub(crate) fn rpm(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("rpm", arguments, &["-q"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    if !options.has("-q") {
        return Outcome::refused("rpm without -q");
    }
    let mut outcome = Outcome::done();
    for name in &options.operands {
        let package = Manager::Dnf.package(name).filter(|package| package.is_installed(&machine.root));
        outcome.and(match package {
            Some(package) => {
                Outcome::printed(format!("{}-{}.{}\n", package.name, package.version, std::env::consts::ARCH))
            }
            None => Outcome { status: 1, ..Outcome::printed(format!("package {name} is not installed\n")) },
        });
    }
    outcome
}

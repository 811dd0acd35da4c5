//! Redis on the relatives of Red Hat, with a real dnf: its packages go into a folder, its words are the tool's own.
//!
//! Everything else of the host is played. The package is made here, from this machine's `redis-server`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::played::Played;
use super::{quiet, redis, redis_settings};
use crate::base::parts::missing;
use crate::deploy::DeployError;

/// Makes `redis` and `openssl` of one program; dnf only looks at what a package says of itself.
const SPECIFICATION: &str = "\
Name: redis
Version: 6.2.7
Release: 1
Summary: A package to be installed
License: BSD
AutoReqProv: no
Provides: openssl
%description
A package to be installed.
%install
install -D -m 0755 /usr/bin/redis-server %{buildroot}/usr/bin/redis-server
%files
/usr/bin/redis-server
";

/// A dnf that installs into a folder, from the repositories that are written there.
pub(super) struct Dnf(tempfile::TempDir);

impl Dnf {
    /// Nothing, with a visible reason, where there is no dnf or nobody may use it. Under CI that is a failure.
    fn new(test: &str) -> Option<Self> {
        for tool in ["dnf", "rpmbuild", "createrepo_c"] {
            if !Path::new("/usr/bin").join(tool).exists() {
                missing(test, &format!("{tool} is missing"));
                return None;
            }
        }
        if !rustix::process::geteuid().is_root() {
            missing(test, "dnf installs for root only");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("repositories")).unwrap();
        Some(Self(folder))
    }

    /// Adds a repository by a line that says where it is.
    fn add(&self, name: &str, line: &str) {
        let text = format!("[{name}]\nname={name}\n{line}\nenabled=1\ngpgcheck=0\n");
        fs::write(self.0.path().join(format!("repositories/{name}.repo")), text).unwrap();
    }

    /// Makes a package and a repository with it. Where that is.
    fn packages(&self) -> String {
        let (folder, made) = (self.0.path(), self.0.path().join("packages"));
        fs::write(folder.join("redis.spec"), SPECIFICATION).unwrap();
        let defined = |name: &str, path: &Path| format!("--define={name} {}", path.display());
        let build = [defined("_topdir", &folder.join("build")), defined("_rpmdir", &made)];
        ran(Command::new("rpmbuild").arg("-bb").args(build).arg(folder.join("redis.spec")));
        ran(Command::new("createrepo_c").arg("--quiet").arg(&made));
        format!("baseurl=file://{}", made.display())
    }

    pub(super) fn run(&self, words: &[&str]) -> (i32, String) {
        let folder = self.0.path();
        let mut command = Command::new("dnf");
        for (option, name) in [
            ("--installroot=", "root"),
            ("--setopt=reposdir=", "repositories"),
            ("--setopt=cachedir=", "cache"),
        ] {
            command.arg(format!("{option}{}", folder.join(name).display()));
        }
        let Output { status, stdout, stderr } =
            command.arg("--releasever=9").args(words).env("LC_ALL", "C.UTF-8").output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        (status.code().unwrap(), text)
    }

    fn has_redis(&self) -> bool {
        self.0.path().join("root/usr/bin/redis-server").exists()
    }
}

fn ran(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A port at which nobody answers.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

/// Installs Redis on a host with that dnf; gives the host, too, and whether dnf has installed anything.
async fn install(dnf: Dnf) -> (Result<(), DeployError>, Played, bool) {
    let host = Played::rocky("ecs03");
    host.with(|state| state.dnf = Some(dnf));
    let outcome = redis::install(&host, &redis_settings(), &quiet()).await.map(drop);
    let has_redis = host.with(|state| state.dnf.as_ref().unwrap().has_redis());
    (outcome, host, has_redis)
}

#[tokio::test(start_paused = true)]
async fn a_real_dnf_installs_redis_though_another_repository_is_away() {
    let Some(dnf) = Dnf::new("a_real_dnf_installs_redis_though_another_repository_is_away") else { return };
    dnf.add("packages", &dnf.packages());
    dnf.add("other", &format!("baseurl={}\nskip_if_unavailable=1", nowhere()));
    let (outcome, host, has_redis) = install(dnf).await;
    outcome.unwrap();
    assert!(has_redis && host.with(|state| state.is_active("albatross-redis.service")));
}

#[tokio::test(start_paused = true)]
async fn a_real_dnf_that_reaches_no_repository_is_understood() {
    for line in [
        format!("baseurl={}", nowhere()),
        "baseurl=http://mirrors.nowhere.invalid/".to_owned(),
        format!("mirrorlist={}", nowhere()),
    ] {
        let Some(dnf) = Dnf::new("a_real_dnf_that_reaches_no_repository_is_understood") else { return };
        dnf.add("packages", &line);
        let (outcome, host, _) = install(dnf).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, DeployError::RepositoryUnreachable { .. }), "{line}: {error}");
        let told = "ecs03: the package repository cannot be reached, so `redis openssl`";
        assert!(error.to_string().starts_with(told), "{error}");
        assert!(host.uploads().is_empty(), "{:?}", host.uploads());
    }
}

/// As with those that have Valkey in its place.
#[tokio::test(start_paused = true)]
async fn a_real_dnf_that_knows_no_such_package_is_understood() {
    let Some(dnf) = Dnf::new("a_real_dnf_that_knows_no_such_package_is_understood") else { return };
    let empty = dnf.0.path().join("empty");
    fs::create_dir(&empty).unwrap();
    ran(Command::new("createrepo_c").arg("--quiet").arg(&empty));
    dnf.add("packages", &format!("baseurl=file://{}", empty.display()));
    let (outcome, host, has_redis) = install(dnf).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, DeployError::PackageFailed { .. }), "{error}");
    assert!(error.to_string().contains("Unable to find a match: redis"), "{error}");
    assert!(!has_redis && host.uploads().is_empty(), "{:?}", host.uploads());
}

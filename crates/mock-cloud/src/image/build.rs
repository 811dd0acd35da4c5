//! `mock-cloud image build`: a Debian by `debootstrap`, with a repository of its own inside.
//!
//! 1. One build at a time; what an earlier one left unfinished is removed.
//! 2. `debootstrap` installs the packages of the recipe from the mirror.
//! 3. In there `apt-get` downloads what is offered, and an index makes a repository of it.
//! 4. The files of the recipe replace what pointed to the outer world, and the folder gets its name.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};

use crate::image::ability::{self, check_programs};
use crate::image::mirror::{self, Mirror};
use crate::image::recipe::{self, INSTALLED, MASKED, OFFERED, REPOSITORY};
use crate::image::{Image, ImageError, MANIFEST, Manifest, ROOT, Store, checked};
use crate::plane::guest::command::SEARCH_PATH;

/// Beginning of the name of a folder in which an image is being built.
const UNFINISHED: &str = ".building-";
const BUILD_PROGRAMS: &[(&str, &str)] = &[("debootstrap", "debootstrap"), ("dpkg-deb", "dpkg")];
/// Lines of a failed program that are shown.
const TAIL: usize = 15;
/// What to build.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Name of the image.
    pub name: String,
    /// Release; that of the outer machine when it is not given.
    pub suite: Option<String>,
    /// Where packages come from; as the outer machine's `apt` when it is not given.
    pub mirror: Option<String>,
}

/// Whether an image was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Built {
    /// It was built now.
    Now,
    /// It was there, by the same recipe.
    Before,
}

impl Store {
    /// Builds an image unless it is there; `note` is told what is being done.
    ///
    /// # Errors
    /// It cannot be built, with the reason.
    pub fn build(&self, wanted: &Wanted, note: &dyn Fn(&str)) -> Result<(Image, Built), ImageError> {
        let name = checked(&wanted.name)?;
        let is_there = || self.find(name).ok().filter(Image::is_current);
        if let Some(image) = is_there() {
            return Ok((image, Built::Before));
        }
        ability::check().and_then(|()| check_programs(BUILD_PROGRAMS)).map_err(ImageError::Unable)?;
        let suite = wanted.suite.clone().or_else(mirror::own_suite).unwrap_or_else(|| "bookworm".to_owned());
        let mirror = match &wanted.mirror {
            Some(url) => Mirror { url: url.clone(), components: vec!["main".to_owned()] },
            None => mirror::of(&suite).ok_or_else(|| ImageError::NoMirror(suite.clone()))?,
        };
        fs::create_dir_all(&self.folder).map_err(ImageError::file(&self.folder))?;
        let _lock = self.lock()?;
        // Whoever had the lock may have built it.
        if let Some(image) = is_there() {
            return Ok((image, Built::Before));
        }
        self.remove_unfinished()?;
        let folder = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.folder);
        let folder = folder.map_err(ImageError::file(&self.folder))?;
        let build =
            Build { root: folder.path().join(ROOT), log: folder.path().join("build.log"), suite, mirror };
        build.run(note)?;
        let manifest = Manifest { suite: build.suite, built: Timestamp::now(), recipe: recipe::digest() };
        write(
            &folder.path().join(MANIFEST),
            serde_json::to_vec_pretty(&manifest).unwrap_or_default(),
            0o644,
        )?;
        if self.find(name).is_ok() {
            self.remove(name)?;
        }
        let folder = folder.keep();
        let readable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&folder, readable).map_err(ImageError::file(&folder))?;
        fs::rename(&folder, self.folder.join(name)).map_err(ImageError::file(&folder))?;
        Ok((self.find(name)?, Built::Now))
    }

    /// Held by whoever builds.
    fn lock(&self) -> Result<File, ImageError> {
        let path = self.folder.join(".lock");
        let held = File::create(&path).and_then(|file| {
            rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
            Ok(file)
        });
        held.map_err(ImageError::file(&path))
    }

    fn remove_unfinished(&self) -> Result<(), ImageError> {
        for entry in fs::read_dir(&self.folder).map_err(ImageError::file(&self.folder))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path()).map_err(ImageError::file(&entry.path()))?;
            }
        }
        Ok(())
    }
}

/// One image being built.
struct Build {
    root: PathBuf,
    log: PathBuf,
    suite: String,
    mirror: Mirror,
}

impl Build {
    fn run(&self, note: &dyn Fn(&str)) -> Result<(), ImageError> {
        note(&format!("installing {} from {}", self.suite, self.mirror.url));
        self.debootstrap()?;
        note(&format!("downloading {} with what it needs", OFFERED.join(" ")));
        self.download()?;
        self.index()?;
        self.finish()
    }

    fn debootstrap(&self) -> Result<(), ImageError> {
        let mut command = Command::new("debootstrap");
        command.arg("--variant=minbase").arg(format!("--include={}", INSTALLED.join(",")));
        command.arg(format!("--components={}", self.mirror.components.join(",")));
        command.arg(&self.suite).arg(&self.root).arg(&self.mirror.url);
        self.execute("debootstrap", command)
    }

    /// Downloads what is offered, by the `apt` of the image.
    fn download(&self) -> Result<(), ImageError> {
        let source = format!("deb {} {} {}\n", self.mirror.url, self.suite, self.mirror.components.join(" "));
        self.put("/etc/apt/sources.list", source, 0o644)?;
        self.inside(&["apt-get", "clean"])?;
        self.inside(&["apt-get", "update"])?;
        let install = ["apt-get", "install", "--download-only", "--yes", "--no-install-recommends"];
        self.inside(&[&install[..], OFFERED].concat())
    }

    /// Runs a program in the image, with the network and the proxies of the outer machine.
    fn inside(&self, arguments: &[&str]) -> Result<(), ImageError> {
        let mut command = Command::new("chroot");
        command.arg(&self.root).args(arguments);
        self.execute(arguments[0], command)
    }

    /// Makes a repository of what was downloaded: the packages and an index of their descriptions.
    fn index(&self) -> Result<(), ImageError> {
        let downloaded = self.root.join("var/cache/apt/archives");
        let repository = self.inner(REPOSITORY);
        fs::create_dir_all(&repository).map_err(ImageError::file(&repository))?;
        let entries = fs::read_dir(&downloaded).map_err(ImageError::file(&downloaded))?.flatten();
        let packages =
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "deb"));
        let mut packages: Vec<PathBuf> = packages.collect();
        packages.sort();
        let mut index = String::new();
        for package in packages {
            let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = fs::read(&package).map_err(ImageError::file(&package))?;
            let description = Command::new("dpkg-deb").arg("--field").arg(&package).output();
            let description = description.map_err(ImageError::file(&package))?;
            let description = String::from_utf8_lossy(&description.stdout).into_owned();
            index.push_str(&entry(description.trim_end(), &name, &bytes));
            fs::rename(&package, repository.join(&name)).map_err(ImageError::file(&package))?;
        }
        self.put(&format!("{REPOSITORY}/Packages"), index, 0o644)
    }

    fn finish(&self) -> Result<(), ImageError> {
        for folder in ["var/lib/apt/lists", "etc/apt/sources.list.d"] {
            let folder = self.root.join(folder);
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.map_err(ImageError::file(&path))?;
            }
        }
        for entry in fs::read_dir(self.root.join("etc/ssh")).into_iter().flatten().flatten() {
            // Each instance has a host key of its own.
            if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
                fs::remove_file(entry.path()).map_err(ImageError::file(&entry.path()))?;
            }
        }
        for file in recipe::files() {
            // What is there may be a link to somewhere else.
            let _ = fs::remove_file(self.inner(file.path));
            self.put(file.path, file.text, file.mode)?;
        }
        for unit in MASKED {
            self.link("/dev/null", &format!("/etc/systemd/system/{unit}"))?;
        }
        self.link("../user-data.service", "/etc/systemd/system/multi-user.target.wants/user-data.service")?;
        self.inside(&["apt-get", "update"])
    }

    fn link(&self, target: &str, path: &str) -> Result<(), ImageError> {
        let path = self.inner(path);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(target, &path).map_err(ImageError::file(&path))
    }

    fn inner(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn put(&self, path: &str, text: String, mode: u32) -> Result<(), ImageError> {
        let path = self.inner(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(ImageError::file(folder))?;
        }
        write(&path, text.into_bytes(), mode)
    }

    /// Runs a program, with all it writes in the log of the build.
    fn execute(&self, program: &str, mut command: Command) -> Result<(), ImageError> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(ImageError::file(&self.log))?;
        let errors = log.try_clone().map_err(ImageError::file(&self.log))?;
        command.env("PATH", SEARCH_PATH).env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8");
        let status = command.stdin(Stdio::null()).stdout(log).stderr(errors).status();
        if status.map_err(ImageError::file(Path::new(program)))?.success() {
            return Ok(());
        }
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        Err(ImageError::Program { program: program.to_owned(), tail })
    }
}

/// The entry of a package in an index.
fn entry(description: &str, name: &str, bytes: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(bytes));
    format!("{description}\nFilename: ./{name}\nSize: {}\nSHA256: {digest}\n\n", bytes.len())
}

fn write(path: &Path, bytes: Vec<u8>, mode: u32) -> Result<(), ImageError> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))
    });
    written.map_err(ImageError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_the_index_ends_with_where_the_package_is_and_what_it_must_be() {
        let text = entry("Package: x\nVersion: 1", "x_1_all.deb", b"abc");
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let expected =
            format!("Package: x\nVersion: 1\nFilename: ./x_1_all.deb\nSize: 3\nSHA256: {digest}\n\n");
        assert_eq!(text, expected);
    }
}

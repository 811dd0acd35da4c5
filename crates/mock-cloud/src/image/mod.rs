//! Images of machine hosts: a Debian each, built once by `mock-cloud image build` and kept for all clouds.
//!
//! A [`Store`] is a folder with a folder an image: `root`, the tree that every machine has below its own files, and
//! `image.json`, which says what it is. An image is there as a whole or not at all; one that was built by another
//! [`recipe`] than this program's is not used.

pub mod ability;
pub mod build;
pub mod mirror;
pub mod recipe;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plane::guest::record;

/// Where images are unless the environment says otherwise.
const FOLDER: &str = "/var/cache/mock-cloud/images";
/// Names another folder.
pub const VARIABLE: &str = "MOCK_CLOUD_IMAGES";
/// The image that machines are made of.
pub const DEFAULT: &str = "debian";
const MANIFEST: &str = "image.json";
const ROOT: &str = "root";

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Names are names of folders.
    #[error("{0:?} is no name for an image: lower case letters, digits and hyphens, with a letter first")]
    Name(String),
    /// There is none of that name.
    #[error("there is no image {0}")]
    Missing(String),
    /// A running cloud has machines of it.
    #[error("the image {name} is used by the cloud of process {pid}; end that first")]
    InUse {
        /// Which image.
        name: String,
        /// The cloud.
        pid: u32,
    },
    /// This machine cannot build or use images.
    #[error("{0}")]
    Unable(String),
    /// Where packages come from is not known.
    #[error("the sources of apt name no mirror of {0}; give one with --mirror URL")]
    NoMirror(String),
    /// A program that builds failed.
    #[error("{program} failed; the end of what it wrote:\n{tail}")]
    Program {
        /// Which one.
        program: String,
        /// The last lines.
        tail: String,
    },
    /// Files.
    #[error("{path} cannot be used")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ImageError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

/// What an image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `bookworm`, ...
    pub suite: String,
    /// When it was built.
    pub built: Timestamp,
    /// Digest of the recipe it was built by.
    pub recipe: String,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What it is called.
    pub name: String,
    /// Its tree.
    pub root: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

impl Image {
    /// Whether it was built by the recipe of this program.
    pub fn is_current(&self) -> bool {
        self.manifest.recipe == recipe::digest()
    }
}

/// A folder of images.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The images in a folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The store that the environment names, else that of this machine.
    pub fn of_this_machine() -> Self {
        let named = std::env::var_os(VARIABLE);
        Self::at(named.map_or_else(|| PathBuf::from(FOLDER), PathBuf::from))
    }

    /// The image that machines are made of; none when it was not built, or by another recipe.
    pub fn usable(&self) -> Option<Image> {
        self.find(DEFAULT).ok().filter(Image::is_current)
    }

    /// An image by its name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<Image, ImageError> {
        let folder = self.folder.join(checked(name)?);
        let missing = || ImageError::Missing(name.to_owned());
        let text = fs::read(folder.join(MANIFEST)).map_err(|_| missing())?;
        let manifest = serde_json::from_slice(&text).map_err(|_| missing())?;
        Ok(Image { name: name.to_owned(), root: folder.join(ROOT), manifest })
    }

    /// All images, by name.
    pub fn list(&self) -> Vec<Image> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut images: Vec<Image> = names.filter_map(|name| self.find(&name).ok()).collect();
        images.sort_by(|one, other| one.name.cmp(&other.name));
        images
    }

    /// Removes an image.
    ///
    /// # Errors
    /// There is none of that name, or machines of a running cloud stand on it.
    pub fn remove(&self, name: &str) -> Result<(), ImageError> {
        let image = self.find(name)?;
        if let Some(pid) = record::user_of(&image.root) {
            return Err(ImageError::InUse { name: name.to_owned(), pid });
        }
        let folder = self.folder.join(name);
        // The manifest first: what is half removed is no image.
        let manifest = folder.join(MANIFEST);
        fs::remove_file(&manifest).map_err(ImageError::file(&manifest))?;
        fs::remove_dir_all(&folder).map_err(ImageError::file(&folder))
    }
}

/// A name that can be one of a folder.
fn checked(name: &str) -> Result<&str, ImageError> {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    if begins && name.len() <= 64 && name.chars().all(fits) {
        Ok(name)
    } else {
        Err(ImageError::Name(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &Store, name: &str, recipe: &str) {
        let folder = store.folder.join(name);
        fs::create_dir_all(folder.join(ROOT)).unwrap();
        let manifest = Manifest {
            suite: "bookworm".to_owned(),
            built: Timestamp::UNIX_EPOCH,
            recipe: recipe.to_owned(),
        };
        let file = fs::File::create(folder.join(MANIFEST)).unwrap();
        serde_json::to_writer(file, &manifest).unwrap();
    }

    #[test]
    fn an_image_is_found_listed_and_removed_and_used_only_when_it_is_of_this_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().to_owned());
        assert_eq!((store.list(), store.usable()), (vec![], None));
        put(&store, DEFAULT, "another");
        put(&store, "a-second", &recipe::digest());
        fs::create_dir(folder.path().join(".building-1")).unwrap();
        assert_eq!(
            store.list().iter().map(|image| image.name.as_str()).collect::<Vec<_>>(),
            ["a-second", DEFAULT]
        );
        assert_eq!(store.usable(), None);
        put(&store, DEFAULT, &recipe::digest());
        assert!(store.usable().is_some());
        store.remove(DEFAULT).unwrap();
        assert!(matches!(store.remove(DEFAULT), Err(ImageError::Missing(_))));
        assert!(!folder.path().join(DEFAULT).exists());
        for name in ["../etc", "", "A", ".building-1", "1"] {
            assert!(matches!(store.find(name), Err(ImageError::Name(_))), "{name}");
        }
    }
}

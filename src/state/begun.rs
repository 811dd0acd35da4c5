//! Which saved plan was begun and not finished: the same plan may then go on from where it was, though the world has
//! changed since it was made, by its own doing.

use std::path::{Path, PathBuf};

use crate::base::durable;
use crate::state::StateError;

/// The file of a stack that names the plan.
#[derive(Debug)]
pub struct Begun {
    path: PathBuf,
}

impl Begun {
    /// Of the stack whose state is in a folder.
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join("plan") }
    }

    /// Whether this plan was begun, and nothing else since.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn is(&self, plan: &str) -> Result<bool, StateError> {
        Ok(durable::read(&self.path)?.is_some_and(|known| known == plan.as_bytes()))
    }

    /// A plan begins: a saved one with its id, or another. On disk before this returns.
    ///
    /// # Errors
    /// When the system refuses; then the plan must not begin.
    pub fn begin(&self, plan: Option<&str>) -> Result<(), StateError> {
        match plan {
            Some(plan) => Ok(durable::replace(&self.path, plan.as_bytes())?),
            None => self.end(),
        }
    }

    /// It has been carried out.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn end(&self) -> Result<(), StateError> {
        Ok(durable::remove(&self.path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_that_was_begun_is_known_until_it_ends_or_another_begins() {
        let folder = tempfile::tempdir().unwrap();
        let begun = Begun::of(folder.path());
        assert!(!begun.is("one").unwrap());
        begun.begin(Some("one")).unwrap();
        assert!(begun.is("one").unwrap() && !begun.is("two").unwrap());
        begun.begin(Some("two")).unwrap();
        assert!(begun.is("two").unwrap());
        begun.begin(None).unwrap();
        assert!(!begun.is("two").unwrap());
        begun.end().unwrap();
    }
}

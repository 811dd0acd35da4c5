//! The locks and folders of steps on a played host.

use std::collections::BTreeMap;

use crate::ssh::Output;

/// What there is of steps.
#[derive(Default)]
pub(super) struct Steps {
    /// Whether our connection holds the host.
    pub(super) is_held: bool,
    /// How many times more somebody else is found to hold it.
    pub(super) held_elsewhere: u32,
    /// Whether a command of an earlier step never ends.
    pub(super) is_running: bool,
    /// Who began a step, by its name.
    pub(super) folders: BTreeMap<String, String>,
}

fn ended(status: i32, stderr: String) -> Output {
    Output { status, stdout: Vec::new(), stderr: stderr.into_bytes() }
}

impl Steps {
    /// Takes the wrapper of a step off a command: its lock file, and the rest.
    pub(super) fn unwrap<'a, 'b>(words: &'b [&'a str]) -> (Option<&'a str>, &'b [&'a str]) {
        match words {
            ["flock", "-s", "-o", "/run/albatross.running", "flock", "-s", "-o", lock, rest @ ..] => {
                (Some(*lock), rest)
            }
            words => (None, words),
        }
    }

    /// What `flock` says when the folder of a step is gone.
    pub(super) fn refusal(&self, lock: &str) -> Option<Output> {
        let name = lock.strip_prefix("/run/albatross/")?.strip_suffix("/lock")?;
        let complaint = format!("flock: cannot open lock file {lock}: No such file or directory");
        (!self.folders.contains_key(name)).then(|| ended(66, complaint))
    }

    pub(super) fn hold(&mut self) -> Option<Output> {
        if self.held_elsewhere > 0 {
            self.held_elsewhere -= 1;
            return Some(ended(1, String::new()));
        }
        assert!(!self.is_held, "a step begins after the one before");
        self.is_held = true;
        None
    }

    pub(super) fn run(&mut self, words: &[&str]) -> (i32, String) {
        match words {
            ["ls", "-1", "/run/albatross"] => {
                (0, self.folders.keys().flat_map(|name| [name.as_str(), "\n"]).collect())
            }
            ["ls", "-1", by] => {
                let name = by.strip_prefix("/run/albatross/").unwrap().strip_suffix("/by").unwrap();
                (0, self.folders[name].clone())
            }
            ["flock", "-w", "120", "/run/albatross.running", "rm", "-rf", paths @ ..] => {
                assert!(self.is_held, "steps are ended by who holds the host");
                if self.is_running {
                    return (1, String::new());
                }
                for path in paths {
                    self.folders.remove(path.strip_prefix("/run/albatross/").unwrap());
                }
                (0, String::new())
            }
            ["install", "-d", "-m", "0700", path] => {
                assert!(self.is_held && self.folders.is_empty(), "{path}");
                let (name, who) = path.strip_prefix("/run/albatross/").unwrap().split_once("/by/").unwrap();
                assert_eq!(name.len(), 32);
                self.folders.insert(name.to_owned(), who.to_owned());
                (0, String::new())
            }
            other => panic!("`{other:?}` is not understood"),
        }
    }
}

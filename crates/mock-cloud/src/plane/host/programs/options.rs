//! Command line options, read as `getopt_long` does; unknown ones are refused by name.

use std::collections::BTreeMap;

use crate::plane::host::outcome::Outcome;

/// The options and operands of one command.
#[derive(Debug, Default)]
pub(crate) struct Options {
    flags: Vec<String>,
    values: BTreeMap<String, String>,
    pub(crate) operands: Vec<String>,
}

impl Options {
    /// Reads arguments. `flags` and `valued` are names with their dashes.
    ///
    /// # Errors
    /// The refusal that names the program and the option.
    pub(crate) fn read(
        program: &str,
        arguments: &[String],
        flags: &[&str],
        valued: &[&str],
    ) -> Result<Self, Outcome> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                options.operands.extend(rest.cloned());
                break;
            }
            if !argument.starts_with('-') || argument == "-" {
                options.operands.push(argument.clone());
                continue;
            }
            let refused = || Outcome::refused(format!("{program} {argument}"));
            if flags.contains(&argument.as_str()) {
                options.flags.push(argument.clone());
            } else if valued.contains(&argument.as_str()) {
                let value = rest.next().ok_or_else(refused)?;
                options.values.insert(argument.clone(), value.clone());
            } else if argument.starts_with("--") {
                let (name, value) =
                    argument.split_once('=').filter(|(name, _)| valued.contains(name)).ok_or_else(refused)?;
                options.values.insert(name.to_owned(), value.to_owned());
            } else {
                options.read_cluster(argument, flags, valued).ok_or_else(refused)?;
            }
        }
        Ok(options)
    }

    /// Several short flags in one argument, or a short option with its value attached.
    fn read_cluster(&mut self, argument: &str, flags: &[&str], valued: &[&str]) -> Option<()> {
        let letters: Vec<char> = argument.chars().skip(1).collect();
        for (index, letter) in letters.iter().enumerate() {
            let name = format!("-{letter}");
            if flags.contains(&name.as_str()) {
                self.flags.push(name);
            } else if valued.contains(&name.as_str()) && index + 1 < letters.len() {
                self.values.insert(name, letters[index + 1..].iter().collect());
                return Some(());
            } else {
                return None;
            }
        }
        Some(())
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|given| given == flag)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

/// An octal mode.
pub(crate) fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}

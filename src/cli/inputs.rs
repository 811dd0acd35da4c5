//! What a command gives a topology beside its file: `--var`, `--vars`, `--set`.

use std::path::{Path, PathBuf};

use crate::cli::environment;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::topology::LARGEST_FILE;
use crate::topology::references::{Given, Inputs, Setting};

/// The options.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct InputArguments {
    /// Give a variable of the topology this value; can be repeated, and goes before --vars
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = pair)]
    var: Vec<(String, String)>,
    /// Give variables of the topology the values in this file of `NAME: value` lines; can be repeated, the last one
    /// counts
    #[arg(long, global = true, value_name = "FILE")]
    vars: Vec<PathBuf>,
    /// Set a field of the topology, as if the file said so: `load_balancer.listener.port=8080`; can be repeated, and
    /// goes before all else
    #[arg(long, global = true, value_name = "PATH=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
}

/// A name and its value.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("a name, `=` and a value are expected".to_owned()),
    }
}

impl InputArguments {
    /// Whether nothing is given.
    pub(super) fn is_empty(&self) -> bool {
        self.var.is_empty() && self.vars.is_empty() && self.set.is_empty()
    }

    /// The options as somebody would type them again.
    pub(super) fn words(&self) -> Vec<String> {
        let pairs = |option: &str, pairs: &[(String, String)]| -> Vec<String> {
            pairs.iter().flat_map(|(name, value)| [option.to_owned(), format!("{name}={value}")]).collect()
        };
        let files =
            self.vars.iter().flat_map(|file| ["--vars".to_owned(), file.to_string_lossy().into_owned()]);
        files.chain(pairs("--var", &self.var)).chain(pairs("--set", &self.set)).collect()
    }

    /// Reads the files, and puts all in the order in which it counts.
    ///
    /// # Errors
    /// When a file of variables is none.
    pub(super) fn read(&self) -> Result<Inputs, Failure> {
        let mut variables = Vec::new();
        for file in &self.vars {
            variables.extend(in_file(file)?);
        }
        variables.extend(self.var.iter().map(|(name, value)| Given::typed(name, value)));
        let fields =
            self.set.iter().map(|(path, value)| Setting { path: path.clone(), value: value.clone() });
        Ok(Inputs { variables, fields: fields.collect(), environment: environment::of_topology })
    }
}

fn in_file(path: &Path) -> Result<Vec<Given>, Failure> {
    use std::io::Read;
    let shown = path.display().to_string();
    let refuse = |error: anyhow::Error| {
        let error = error.context(format!("cannot read the variables in `{shown}`"));
        let hint = "give --vars a YAML file of `NAME: value` lines".to_owned();
        Failure::new(ExitStatus::Usage, error, Some(hint))
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| refuse(error.into()))?;
    file.take(LARGEST_FILE as u64).read_to_string(&mut text).map_err(|error| refuse(error.into()))?;
    Given::read(&text, &shown).map_err(|why| refuse(anyhow::Error::msg(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_can_be_typed_again() {
        let arguments = InputArguments {
            var: vec![pair("A=b=c").unwrap()],
            vars: vec!["prod.yaml".into()],
            set: vec![pair("node.port=1").unwrap()],
        };
        let words = ["--vars", "prod.yaml", "--var", "A=b=c", "--set", "node.port=1"];
        assert_eq!(arguments.words(), words);
        assert!(!arguments.is_empty() && InputArguments::default().is_empty());
        for wrong in ["A", "=b"] {
            assert!(pair(wrong).is_err(), "{wrong}");
        }
    }
}

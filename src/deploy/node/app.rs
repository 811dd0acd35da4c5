//! A server of anybody's own: its unit, and the environment that it is started with.
//!
//! The environment file has a line a variable. What is quoted there is read by systemd as it was written; values have no
//! line breaks, the topology's rules see to that. Where an environment is kept or compared, secrets are left out of it by
//! the names of their variables, which the release's manifest has.

use std::collections::BTreeMap;

use minijinja::context;

use super::Settings;
use crate::base::secret::Secret;
use crate::deploy::error::DeployError;
use crate::deploy::inspect::STAND_IN;
use crate::deploy::template::{APP_UNIT, render};

/// A server of anybody's own, as the topology wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables that everybody may read.
    pub env: BTreeMap<String, String>,
    /// Variables that nobody may read.
    pub secrets: BTreeMap<String, Secret<String>>,
    /// The path that it answers while it is well.
    pub health_path: String,
}

impl App {
    /// The same without what its secrets are.
    pub(super) fn without_secrets(&self) -> Self {
        let blank = |name: &String| (name.clone(), Secret::new(STAND_IN.to_owned()));
        Self { secrets: self.secrets.keys().map(blank).collect(), ..self.clone() }
    }

    /// The environment: where to listen, Redis if there is one, and what the topology says.
    pub(super) fn environment(&self, settings: &Settings, password: &Secret<String>) -> String {
        let mut lines = vec![
            "# Written by Albatross. Mode 0600: it may hold secrets.".to_owned(),
            format!("HOST={}", settings.address),
            format!("PORT={}", settings.port),
        ];
        if !settings.redis_host.is_empty() {
            let Settings { redis_user, redis_host, redis_port, .. } = settings;
            let password = password.expose();
            lines.push(format!("REDIS_URL=redis://{redis_user}:{password}@{redis_host}:{redis_port}/0"));
        }
        let secrets = self.secrets.iter().map(|(name, value)| (name, value.expose()));
        lines.extend(self.env.iter().chain(secrets).map(|(name, value)| line(name, value)));
        lines.join("\n") + "\n"
    }

    pub(super) fn unit(&self, settings: &Settings) -> Result<String, DeployError> {
        let add = |line: String, argument: &String| line + " " + &word_of_unit(argument);
        let arguments = self.args.iter().fold(String::new(), add);
        render(APP_UNIT, context! { node_id => &settings.node_id, port => settings.port, arguments })
    }
}

/// One word of a command in a unit: quoted, and with nothing in it that systemd would put something else for.
fn word_of_unit(text: &str) -> String {
    let plain = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{plain}\"")
}

/// A line of an environment file.
fn line(name: &str, value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for letter in value.chars() {
        if "\"\\`$".contains(letter) {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    format!("{name}=\"{quoted}\"")
}

/// The name of the variable in a line.
fn name_of(line: &str) -> Option<&str> {
    line.split_once('=').map(|(name, _)| name)
}

/// What a line says, read as systemd does.
fn value_of(line: &str) -> Option<String> {
    let quoted = line.split_once('=')?.1.strip_prefix('"')?.strip_suffix('"')?;
    let mut value = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        value.push(if letter == '\\' { letters.next()? } else { letter });
    }
    Some(value)
}

/// An environment without what these variables are, and what they are.
pub(super) fn take_secrets(
    environment: &str,
    names: &[String],
) -> (String, BTreeMap<String, Secret<String>>) {
    let mut secrets = BTreeMap::new();
    let mut plain = String::with_capacity(environment.len());
    for one in environment.lines() {
        match name_of(one).filter(|name| names.iter().any(|secret| secret == name)) {
            Some(name) => {
                secrets.extend(value_of(one).map(|value| (name.to_owned(), Secret::new(value))));
                plain.push_str(&line(name, STAND_IN));
            }
            None => plain.push_str(one),
        }
        plain.push('\n');
    }
    (plain, secrets)
}

/// An environment in which these variables are again what they are in another one; the first that is not there, else.
pub(super) fn with_secrets_of(environment: &str, names: &[String], other: &str) -> Result<String, String> {
    let (_, secrets) = take_secrets(other, names);
    if let Some(lost) = names.iter().find(|name| !secrets.contains_key(*name)) {
        return Err(lost.clone());
    }
    let whole =
        environment.lines().map(|one| match name_of(one).and_then(|name| secrets.get_key_value(name)) {
            Some((name, value)) => line(name, value.expose()) + "\n",
            None => format!("{one}\n"),
        });
    Ok(whole.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: &str = "it's \"x\" \\ $HOME `id` %h # ;";

    #[test]
    fn a_value_is_read_back_as_it_was() {
        for value in ["", "plain", ODD] {
            assert_eq!(value_of(&line("NAME", value)).as_deref(), Some(value));
        }
        assert_eq!(line("A", "b\"$"), "A=\"b\\\"\\$\"");
    }

    #[test]
    fn a_word_of_a_unit_has_nothing_that_is_replaced() {
        assert_eq!(word_of_unit("--prefix"), "\"--prefix\"");
        assert_eq!(word_of_unit("a \"b\" \\ $HOME %h"), "\"a \\\"b\\\" \\\\ $$HOME %%h\"");
    }

    #[test]
    fn secrets_are_taken_out_by_name_and_put_back_from_another_environment() {
        let names = ["TOKEN".to_owned()];
        let text = format!("HOST=10.0.0.5\nA=\"b\"\n{}\n", line("TOKEN", ODD));
        let (plain, secrets) = take_secrets(&text, &names);
        assert_eq!(plain, "HOST=10.0.0.5\nA=\"b\"\nTOKEN=\"x\"\n");
        assert_eq!(secrets["TOKEN"].expose(), ODD);
        assert_eq!(with_secrets_of(&plain, &names, &text).unwrap(), text);
        assert_eq!(with_secrets_of(&plain, &names, "A=\"b\"\n").unwrap_err(), "TOKEN");
    }
}

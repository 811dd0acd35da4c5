//! What is never shown of a file.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::base::secret::Secret;
use crate::deploy::inspect;

/// Stands for a secret.
const HIDDEN: &str = "(secret)";

/// The secrets that are known, and the form of those that are not.
#[derive(Default)]
pub(super) struct Mask {
    texts: BTreeSet<String>,
    /// Variables whose value is one.
    names: BTreeSet<String>,
}

impl Mask {
    /// Hides a secret from now on, and the digest that an access rule has of it.
    pub(super) fn add(&mut self, secret: &Secret<String>) {
        let text = secret.expose().trim();
        if !text.is_empty() {
            self.texts.insert(text.to_owned());
            self.texts.insert(hex::encode(Sha256::digest(text)));
        }
    }

    /// Hides what variables of these names are from now on.
    pub(super) fn add_names(&mut self, names: impl IntoIterator<Item = String>) {
        self.names.extend(names);
    }

    /// A text without secrets; the password of an address of Redis is one whether it is known or not.
    pub(super) fn hide(&self, text: &str) -> String {
        let hidden = self.texts.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN));
        let lines = hidden.split_inclusive('\n');
        lines.map(|line| self.hide_in(line)).collect()
    }

    fn hide_in(&self, line: &str) -> String {
        match line.split_once('=').filter(|(name, _)| self.names.contains(*name)) {
            Some((name, value)) => {
                let end = if value.ends_with('\n') { "\n" } else { "" };
                format!("{name}={HIDDEN}{end}")
            }
            None => inspect::with_password(line, &Secret::new(HIDDEN.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_their_digests_are_hidden_and_so_are_those_of_others_in_addresses() {
        let mut mask = Mask::default();
        mask.add(&Secret::new("hunter2\n".to_owned()));
        let digest = hex::encode(Sha256::digest("hunter2"));
        let text = format!(
            "requirepass hunter2\nuser a on #{digest} ~*\nREDIS_URL=redis://a:other@10.0.0.7:6379/0\n"
        );
        assert_eq!(
            mask.hide(&text),
            "requirepass (secret)\nuser a on #(secret) ~*\nREDIS_URL=redis://a:(secret)@10.0.0.7:6379/0\n"
        );
        assert_eq!(mask.hide("plain\nno end"), "plain\nno end");
        mask.add_names(["TOKEN".to_owned()]);
        assert_eq!(mask.hide("A=b\nTOKEN=\"old\"\nTOKEN=new"), "A=b\nTOKEN=(secret)\nTOKEN=(secret)");
    }
}

//! Keys of effects: the same for the same effect in every run.

use std::net::Ipv4Addr;

use crate::gates::Kind;

/// Digits of a nonce.
const NONCE_DIGITS: usize = 32;
/// Digits of a release's name.
const RELEASE_DIGITS: usize = 12;

/// The key of an effect.
pub(super) fn of(kind: Kind, what: &str) -> String {
    let word = match kind {
        Kind::Api => "api",
        Kind::Command => "command",
        Kind::Upload => "upload",
    };
    plain(&format!("{word} {what}"))
}

/// The same text with `*` for what is random in it.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_hex) {
        let (before, found) = rest.split_at(start);
        let (digits, after) = found.split_at(found.find(|letter| !is_hex(letter)).unwrap_or(found.len()));
        plain.push_str(before);
        let is_temporary = before.ends_with('.') && after.starts_with(".new");
        let is_nonce =
            digits.len() == NONCE_DIGITS && !before.ends_with(|letter: char| letter.is_ascii_alphanumeric());
        // A release is named by its settings, and those hold addresses.
        let is_release = digits.len() == RELEASE_DIGITS && plain.ends_with("releases/");
        plain.push_str(if is_temporary || is_nonce || is_release { "*" } else { digits });
        rest = after;
    }
    without_addresses(&(plain + rest))
}

/// An instance has the next free address, so who has which depends on whose call came first.
fn without_addresses(text: &str) -> String {
    let is_of_address = |letter: char| letter.is_ascii_digit() || letter == '.';
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_of_address) {
        let (before, found) = rest.split_at(start);
        let (run, after) = found.split_at(found.find(|letter| !is_of_address(letter)).unwrap_or(found.len()));
        plain.push_str(before);
        plain.push_str(if run.parse::<Ipv4Addr>().is_ok() { "*" } else { run });
        rest = after;
    }
    plain + rest
}

fn is_hex(letter: char) -> bool {
    matches!(letter, '0'..='9' | 'a'..='f')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_random_is_left_out_of_a_key() {
        let sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (text, key) in [
            ("api Vpc.CreateVpc", "api Vpc.CreateVpc"),
            ("upload ecs01 /etc/.chat-node.env.0a1b2c3d.new", "upload ecs01 /etc/.chat-node.env.*.new"),
            ("command a chmod 0600 /x/.y.99999999.new", "command a chmod 0600 /x/.y.*.new"),
            ("flock /run/0123456789abcdef0123456789abcdef/lock true", "flock /run/*/lock true"),
            // A link of a fixed name and a checksum are none of chance.
            ("ln -sfn releases/0a1b2c3d4e5f /x/.current.new", "ln -sfn releases/* /x/.current.new"),
            ("redis-cli -h 192.168.0.12 -p 6379", "redis-cli -h * -p 6379"),
            ("allow 10.0.0.0/8 2.5", "allow */8 2.5"),
            (sum, sum),
        ] {
            assert_eq!(plain(text), key);
            assert_eq!(plain(key), key, "a key is its own key");
        }
    }
}

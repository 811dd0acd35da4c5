//! A large file on its way: compressed, and taken up again where a cut left it.
//!
//! What arrives lies at home of who logs in, under a name made of the digest of all that is sent. So another try finds
//! what an earlier one left, and a part of anything else has another name. The part is believed when the host's own
//! digest of it is that of as many bytes here; else it is sent from the beginning. Behind the last byte the host unpacks
//! it beside its target, compares the digest of the content, and moves it into place.
//!
//! gzip, since every image has it: it is essential in Debian and part of the base of the Red Hat family, where `zstd`
//! need not be there. What comes late from a connection that was cut are the same bytes at the same places, so it harms
//! nobody.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::command::{Command, Output};

/// What the names of parts begin with.
const BEGINNING: &str = ".albatross-";
/// What they end with.
const END: &str = ".gz.part";
/// Hex digits of a digest that tell two files beside a target apart.
const SHORT: usize = 8;

/// A file's content, compressed.
#[derive(Clone)]
pub struct Packed {
    bytes: Arc<[u8]>,
    /// SHA-256 of the compressed bytes, in hex.
    digest: String,
    /// SHA-256 of the content, in hex.
    sha256: String,
}

/// What an upload came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that an earlier try had left.
    pub found: usize,
    /// Bytes that were sent.
    pub sent: usize,
    /// Whether what was left was not what had been sent, and was sent again.
    pub was_damaged: bool,
}

impl Packed {
    /// Compresses a content. Equal contents give equal bytes.
    pub fn of(content: &[u8]) -> Self {
        let mut encoder = GzEncoder::new(Vec::with_capacity(content.len() / 2), Compression::default());
        let packed = encoder.write_all(content).and_then(|()| encoder.finish());
        let bytes: Arc<[u8]> = packed.expect("memory takes every byte").into();
        Self {
            digest: hex::encode(Sha256::digest(&bytes)),
            sha256: hex::encode(Sha256::digest(content)),
            bytes,
        }
    }

    /// How many bytes there are to send.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never: even nothing has a header.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The compressed bytes.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// SHA-256 of the content, in hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The file that a part of it lies in.
    pub(super) fn part(&self) -> String {
        format!("{BEGINNING}{}{END}", self.digest)
    }

    /// Whether a file of this digest and length is its beginning.
    pub(super) fn begins_with(&self, length: usize, sum: &Output) -> bool {
        let beginning = self.bytes.get(..length);
        beginning.is_some_and(|beginning| digest_of(sum) == hex::encode(Sha256::digest(beginning)))
    }

    /// Where it is unpacked, and the compressed file beside that.
    pub(super) fn beside(&self, path: &str) -> (String, String) {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let unpacked = format!("{folder}/.{name}.{}.new", &self.digest[..SHORT]);
        let packed = format!("{unpacked}.gz");
        (unpacked, packed)
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Packed")
            .field("length", &self.len())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Whether a file is a part of something that is sent packed.
pub(super) fn is_part(name: &str) -> bool {
    let digest = name.strip_prefix(BEGINNING).and_then(|rest| rest.strip_suffix(END));
    digest.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The digest that `sha256sum` printed.
pub(super) fn digest_of(sum: &Output) -> String {
    let text = sum.text();
    // A leading backslash says that the file name was escaped.
    text.trim_start_matches('\\').split_whitespace().next().unwrap_or_default().to_owned()
}

/// Prints the digest of a file.
pub(super) fn sum(path: &str) -> Command {
    Command::new("sha256sum").arg(path)
}

/// Puts what was compressed in the place of the compressed file, whose name loses its end.
pub(super) fn unpack(path: &str) -> Command {
    Command::new("gzip").args(["-d", "-f"]).arg(path)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn printed(text: String) -> Output {
        Output { status: 0, stdout: text.into_bytes(), stderr: Vec::new() }
    }

    #[test]
    fn it_is_smaller_and_unpacks_to_the_same() {
        let content = b"albatross ".repeat(1000);
        let packed = Packed::of(&content);
        assert!(packed.len() < content.len() / 10, "{packed:?}");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed.bytes().as_ref()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, content);
        assert_eq!(packed.part(), Packed::of(&content).part(), "its name is the same in every run");
        assert_ne!(packed.part(), Packed::of(&content[1..]).part());
        assert!(is_part(&packed.part()));
        for name in [".albatross-00.gz.part", "albatross", ".albatross", &packed.part()[1..]] {
            assert!(!is_part(name), "{name}");
        }
    }

    #[test]
    fn a_part_is_believed_by_its_digest_alone() {
        let packed = Packed::of(b"albatross");
        let of = |bytes: &[u8]| printed(format!("{}  x\n", hex::encode(Sha256::digest(bytes))));
        assert!(packed.begins_with(7, &of(&packed.bytes()[..7])));
        assert!(packed.begins_with(0, &of(b"")));
        assert!(packed.begins_with(packed.len(), &of(packed.bytes())));
        assert!(!packed.begins_with(7, &of(&packed.bytes()[..6])), "another length");
        assert!(!packed.begins_with(7, &of(b"1234567")), "other bytes");
        assert!(!packed.begins_with(packed.len() + 1, &of(packed.bytes())), "longer than all of it");
        assert!(!packed.begins_with(0, &printed(String::new())), "no digest");
    }

    #[test]
    fn it_is_unpacked_beside_its_target() {
        let (unpacked, packed) = Packed::of(b"x").beside("/opt/albatross/releases/1f/chat-node");
        assert!(unpacked.starts_with("/opt/albatross/releases/1f/.chat-node."), "{unpacked}");
        assert_eq!(packed, format!("{unpacked}.gz"));
        assert_eq!(unpack(&packed).to_string(), format!("gzip -d -f {packed}"));
    }
}

//! The passphrase of a private key: from a file descriptor that is named, or from whoever sits at the terminal.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::base::secret::Secret;
use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;

/// No passphrase is longer; a file that is given by mistake often is.
const LONGEST: usize = 1024;

/// Gets the passphrase of a key.
///
/// # Errors
/// When nobody can be asked, the descriptor cannot be read, or somebody typed Ctrl-C.
pub(super) fn get(options: &GlobalOptions, key: &Path) -> Result<Secret<String>, Failure> {
    let Some(number) = options.passphrase_fd else { return ask(key) };
    let read = File::open(format!("/dev/fd/{number}")).and_then(|mut file| first_line(&mut file));
    read.map_err(|error| {
        let error = anyhow::Error::new(error)
            .context(format!("the passphrase cannot be read from file descriptor {number}"));
        Failure::new(ExitStatus::Usage, error, Some("open it, as `--passphrase-fd 3 3<FILE` does".to_owned()))
    })
}

/// Byte by byte, so that what follows the line is left to others who read there.
fn first_line(source: &mut impl Read) -> io::Result<Secret<String>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while source.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
        if line.len() > LONGEST {
            return Err(io::Error::other("its first line is too long for a passphrase"));
        }
    }
    text(line)
}

fn text(line: Vec<u8>) -> io::Result<Secret<String>> {
    let text = String::from_utf8(line).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(Secret::new(text.trim_end_matches('\r').to_owned()))
}

fn ask(key: &Path) -> Result<Secret<String>, Failure> {
    let shown = key.display();
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    let mut terminal = terminal.map_err(|_| {
        Failure::saying(
            ExitStatus::Failed,
            format!("the key `{shown}` is protected by a passphrase, and there is no terminal to ask for it"),
            "give it with `--passphrase-fd 3 3<FILE`, or `ssh-add` the key and write `key: agent`",
        )
    })?;
    let fault = |error: io::Error| {
        Failure::new(
            ExitStatus::Failed,
            anyhow::Error::new(error).context("the passphrase cannot be read from the terminal"),
            Some("give it with `--passphrase-fd 3 3<FILE`".to_owned()),
        )
    };
    let silent = Silent::make(&terminal).map_err(fault)?;
    let typed = write!(terminal, "Passphrase of {shown}: ").and_then(|()| typed(&mut terminal));
    drop(silent);
    let ended = writeln!(terminal);
    match typed.and_then(|typed| ended.map(|()| typed)).map_err(fault)? {
        Some(line) => text(line).map_err(fault),
        None => Err(Failure::shown(ExitStatus::Interrupted)),
    }
}

/// What is typed up to the end of the line; none after Ctrl-C. Keys come one by one, since the terminal edits no line
/// for us while it is silent.
fn typed(terminal: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    const INTERRUPT: u8 = 3;
    const END: u8 = 4;
    const ERASE: [u8; 2] = [8, 127];
    const KILL: u8 = 21;
    let mut line = Vec::new();
    let mut byte = [0];
    while terminal.read(&mut byte)? == 1 {
        match byte[0] {
            b'\n' | b'\r' | END => return Ok(Some(line)),
            INTERRUPT => return Ok(None),
            KILL => line.clear(),
            key if ERASE.contains(&key) => drop(line.pop()),
            other if line.len() < LONGEST => line.push(other),
            _ => {}
        }
    }
    Ok(Some(line))
}

/// A terminal that shows nothing of what is typed. As before when this is dropped.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn make(terminal: &File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        // Ctrl-C comes as a letter too: a program that ended here would leave the terminal silent.
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal: terminal.try_clone()?, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_read_and_the_rest_is_left() {
        let mut source = io::Cursor::new(b"tulip\r\nrest".to_vec());
        assert_eq!(first_line(&mut source).unwrap().expose(), "tulip");
        let mut rest = String::new();
        source.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "rest");
        assert!(first_line(&mut io::Cursor::new(vec![b'x'; 5000])).is_err());
    }

    #[test]
    fn what_is_typed_can_be_mended_and_given_up() {
        let typed = |keys: &[u8]| typed(&mut io::Cursor::new(keys.to_vec())).unwrap();
        assert_eq!(typed(b"tulio\x7fp\nmore"), Some(b"tulip".to_vec()));
        assert_eq!(typed(b"rose\x15tulip\r"), Some(b"tulip".to_vec()));
        assert_eq!(typed(b"tul\x03"), None);
    }
}

//! `gzip -d`: unpacks a file in its place.

use std::io::{self, Read as _};

use flate2::read::GzDecoder;

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, sentence};
use crate::plane::host::programs::options::Options;
use crate::plane::host::root::Last;

/// What the name of a packed file ends with, and that of the unpacked one does not.
const END: &str = ".gz";

pub(crate) fn gzip(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("gzip", arguments, &["-d", "-f"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let ([path], true) = (options.operands.as_slice(), options.has("-d")) else {
        return Outcome::refused("gzip without -d and one file");
    };
    let Some(target) = path.strip_suffix(END) else {
        return Outcome::failed(2, format!("gzip: {path}: unknown suffix -- ignored"));
    };
    if machine.root.exists(target) && !options.has("-f") {
        return Outcome::failed(2, format!("gzip: {target} already exists;\tnot overwritten"));
    }
    match unpack(machine, path, target) {
        Ok(()) => Outcome::done(),
        Err(Fault::Content(io::ErrorKind::UnexpectedEof)) => {
            Outcome::failed(1, format!("\ngzip: {path}: unexpected end of file"))
        }
        Err(Fault::Content(_)) => Outcome::failed(1, format!("\ngzip: {path}: not in gzip format")),
        Err(Fault::File(error)) => Outcome::failed(1, format!("gzip: {path}: {}", sentence(&error))),
    }
}

enum Fault {
    /// What is packed is damaged.
    Content(io::ErrorKind),
    /// A file cannot be read or written.
    File(io::Error),
}

/// The unpacked file has the mode of the packed one, which goes.
fn unpack(machine: &Machine, path: &str, target: &str) -> Result<(), Fault> {
    let packed = machine.root.read(path).map_err(Fault::File)?;
    let mut content = Vec::new();
    GzDecoder::new(packed.as_slice())
        .read_to_end(&mut content)
        .map_err(|error| Fault::Content(error.kind()))?;
    let write = || {
        let source = machine.root.place(path, Last::Keep)?;
        let mode = source.stat()?.st_mode & 0o7777;
        if machine.root.is_full() {
            return Err(rustix::io::Errno::NOSPC.into());
        }
        machine.root.place(target, Last::Keep)?.fill(&content, mode)?;
        source.remove_file()
    };
    write().map_err(Fault::File)
}

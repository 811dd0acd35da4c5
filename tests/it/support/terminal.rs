//! A terminal: the near end for the test, the far one for the program.

use std::fs::File;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Opens one. The near end has an error once nobody has the far one any more.
pub(crate) fn open() -> (File, File) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("it is ours");
    let name = ptsname(&terminal, Vec::new()).expect("a name").into_string().expect("text");
    let far_end = File::options().read(true).write(true).open(name).expect("the other end");
    (File::from(terminal), far_end)
}

//! What Redis asks of the kernel, and warns about when it does not have it.
//!
//! The two files make it so at each start of the host; we make it so now. A host that shares its kernel with others
//! may not: that is said, and Redis runs all the same.

use super::Note;
use super::command;
use super::error::DeployError;
use super::host::Host;
use super::template::{KERNEL_FILES, KERNEL_SETTINGS};

const SETTINGS: &str = "/etc/sysctl.d/60-albatross-redis.conf";
const FILES: &str = "/etc/tmpfiles.d/albatross-redis.conf";

/// What is asked, as one text.
pub(super) fn text() -> String {
    [KERNEL_SETTINGS.text, KERNEL_FILES.text].concat()
}

/// Sets it now and for every start.
///
/// # Errors
/// When the host cannot be asked.
pub(super) async fn tune(host: &impl Host, note: &Note) -> Result<(), DeployError> {
    for folder in ["/etc/sysctl.d", "/etc/tmpfiles.d"] {
        host.check(command::folder(folder, "0755")).await?;
    }
    host.upload(SETTINGS, KERNEL_SETTINGS.text.as_bytes().into(), 0o644).await?;
    host.upload(FILES, KERNEL_FILES.text.as_bytes().into(), 0o644).await?;
    for command in [command::set_kernel(SETTINGS), command::write_kernel_files(FILES)] {
        let output = host.run(command).await?;
        if output.status != 0 {
            note(&format!("{}: the kernel keeps its settings: {}", host.name(), output.tail(1)));
        }
    }
    Ok(())
}

/// Takes the files away; the kernel forgets at its next start.
///
/// # Errors
/// When the host cannot be asked.
pub(super) async fn forget(host: &impl Host) -> Result<(), DeployError> {
    for path in [SETTINGS, FILES] {
        host.check(command::remove_all(path)).await?;
    }
    Ok(())
}

//! Variables and references: what stands for something else in a topology, and what a command sets beside its file.
//!
//! 1. fields of `--set` are put into the text, as if they had been written ([`setting`]);
//! 2. variables get their values: default, `--vars`, `--var`, each before the one before it ([`declarations`]);
//! 3. each `${...}` in a value makes room for what it stands for ([`substitution`]).
//!
//! All of it is done to the text, before anything else reads it: so a value that was put in is checked as a written one
//! is, and a saved plan has what was put in. [`Resolved`] knows the way back to the places in the file.

mod declarations;
mod inputs;
mod outline;
mod reference;
mod report;
mod resolved;
mod setting;
mod substitution;
mod value;

use crate::base::diagnostic::Diagnostic;
pub use crate::topology::references::inputs::{Given, Inputs, Setting};
pub(in crate::topology) use crate::topology::references::reference::{NoReference, Part, Reference, parts};
pub use crate::topology::references::resolved::Resolved;

/// Puts everything into a text.
///
/// # Errors
/// All that is wrong with variables and references, or the first field that cannot be set.
pub fn resolve(text: &str, inputs: &Inputs) -> Result<Resolved, Vec<Diagnostic>> {
    let mut resolved = Resolved::as_written(text);
    for setting in &inputs.fields {
        setting::set(&mut resolved, setting)?;
    }
    match substitution::edits(resolved.text(), inputs) {
        Ok(edits) => {
            resolved.edit(edits);
            Ok(resolved)
        }
        Err(findings) => Err(findings.into_iter().map(|finding| resolved.trace(finding)).collect()),
    }
}

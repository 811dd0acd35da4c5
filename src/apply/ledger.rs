//! The journal as the engine uses it: intent before an effect, id right after, outcome last.

use std::sync::{Mutex, PoisonError};

use crate::base::ids::{ClientToken, CloudId};
use crate::cloud::call::Call;
use crate::resource::ResourceAddress;
use crate::resource::observed::{Fields, Outputs};
use crate::resource::phase::Happening;
use crate::state::journal::{Event, Journal};
use crate::state::{Memory, StateError};

/// A journal that several steps write to.
#[derive(Debug)]
pub struct Ledger {
    journal: Mutex<Journal>,
}

impl Ledger {
    /// Over an open journal.
    pub fn new(journal: Journal) -> Self {
        Self { journal: Mutex::new(journal) }
    }

    /// What is remembered now.
    pub fn memory(&self) -> Memory {
        self.with(|journal| journal.memory().clone())
    }

    /// The id of a resource, when it has one.
    pub fn id(&self, address: &ResourceAddress) -> Option<CloudId> {
        self.with(|journal| journal.memory().id(address))
    }

    /// How often a resource was made before.
    pub fn generation(&self, address: &ResourceAddress) -> u32 {
        self.with(|journal| journal.memory().resources.get(address).map_or(0, |one| one.generation))
    }

    /// What is known of the resource with this id is known of the deposed one from now on; its address is free.
    ///
    /// # Guarantees
    /// What is made there afterwards is another generation: none of its calls carries a token of an earlier one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn depose(&self, address: &ResourceAddress, id: &CloudId) -> Result<(), StateError> {
        self.with(|journal| {
            let deposed = address.deposed(id);
            if journal.memory().id(address).as_ref() == Some(id) {
                journal.append(Event::Deposed { address: address.clone(), id: id.clone() })
            } else if journal.memory().id(&deposed).is_none() {
                journal.append(happened(&deposed, Happening::Accept(id.clone()), None))
            } else {
                Ok(())
            }
        })
    }

    /// Writes down that a call is about to be sent, and gives it back to be sent.
    ///
    /// # Guarantees
    /// The exact call, token included, is on disk before this returns.
    ///
    /// # Errors
    /// When the disk refuses; then the call must not be sent.
    pub fn intend(
        &self,
        address: &ResourceAddress,
        build: impl FnOnce(&ClientToken) -> Call,
    ) -> Result<Call, StateError> {
        self.with(|journal| {
            let token = journal.memory().next_token(address);
            let call = build(&token);
            let value = serde_json::to_value(&call).expect("calls have text keys only");
            journal.append(happened(address, Happening::Intend(token), Some(value)))?;
            Ok(call)
        })
    }

    /// Writes down that something is about to be done on a host.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn intend_on_host(&self, address: &ResourceAddress) -> Result<(), StateError> {
        self.with(|journal| {
            let token = journal.memory().next_token(address);
            journal.append(happened(address, Happening::Intend(token), None))
        })
    }

    /// The cloud refused it for good.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn refuse(&self, address: &ResourceAddress) -> Result<(), StateError> {
        self.happen(address, Happening::Refuse)
    }

    /// It has an id.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn accept(&self, address: &ResourceAddress, id: &CloudId) -> Result<(), StateError> {
        self.happen(address, Happening::Accept(id.clone()))
    }

    /// It is as it shall be: these are its fields, and others may know this of it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn ready(
        &self,
        address: &ResourceAddress,
        outputs: &Outputs,
        fields: &Fields,
    ) -> Result<(), StateError> {
        self.learn(address, outputs, fields)?;
        self.happen(address, Happening::Ready)
    }

    /// This is what it is, whatever it shall be.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn learn(
        &self,
        address: &ResourceAddress,
        outputs: &Outputs,
        fields: &Fields,
    ) -> Result<(), StateError> {
        let (address, outputs, fields) = (address.clone(), outputs.clone(), fields.clone());
        self.with(|journal| journal.append(Event::Learned { address, outputs, fields }))
    }

    /// What was there before is this resource from now on, and is never deleted.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn adopt(&self, address: &ResourceAddress, id: &CloudId) -> Result<(), StateError> {
        self.with(|journal| journal.append(Event::Adopted { address: address.clone(), id: id.clone() }))
    }

    /// It will never be ready.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn taint(&self, address: &ResourceAddress) -> Result<(), StateError> {
        self.happen(address, Happening::Taint)
    }

    /// It is gone; a resource that was never known is not worth a line.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self, address: &ResourceAddress) -> Result<(), StateError> {
        self.with(|journal| {
            let memory = journal.memory();
            // What went before its successor was begun never was at the deposed address.
            let successor = address.successor();
            let is_known = memory.resources.contains_key(address);
            let address = match &address.deposed {
                Some(id) if !is_known && memory.id(&successor).as_ref() == Some(id) => &successor,
                Some(_) | None => address,
            };
            if memory.resources.contains_key(address) {
                journal.append(happened(address, Happening::Remove, None))?;
            }
            Ok(())
        })
    }

    fn happen(&self, address: &ResourceAddress, happening: Happening) -> Result<(), StateError> {
        self.with(|journal| journal.append(happened(address, happening, None)))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Journal) -> T) -> T {
        // A panic elsewhere does not make what is on disk wrong.
        work(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn happened(address: &ResourceAddress, happening: Happening, call: Option<serde_json::Value>) -> Event {
    Event::Happened { address: address.clone(), happening, call }
}

//! The journal as the engine uses it: intent before an effect, id right after, outcome last.

use std::collections::BTreeMap;
use std::slice;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use crate::base::ids::{ClientToken, CloudId};
use crate::base::secret::Secret;
use crate::cloud::call::Call;
use crate::resource::ResourceAddress;
use crate::resource::observed::{Fields, Outputs};
use crate::resource::phase::{Happening, Phase};
use crate::state::journal::{Event, Journal, Purpose};
use crate::state::memory::InFlight;
use crate::state::shared::Outbox;
use crate::state::vault::{self, Kept};
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

    /// Where a resource is in its life now.
    pub fn phase(&self, address: &ResourceAddress) -> Phase {
        self.with(|journal| journal.memory().phase(address))
    }

    /// The id of a resource now, when it has one.
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
    /// The exact call, token included, is on disk before this returns, and in the bucket where others share the journal.
    ///
    /// # Errors
    /// When the disk or the bucket refuses, or the lock is another's; then the call must not be sent.
    pub async fn intend(
        &self,
        address: &ResourceAddress,
        build: impl FnOnce(&ClientToken) -> Call,
    ) -> Result<Call, StateError> {
        self.intend_together(slice::from_ref(address), build).await
    }

    /// Writes down that one call is about to be sent for several resources, and gives it back to be sent: with the first of
    /// them the exact call, with the others which one that is.
    ///
    /// # Guarantees
    /// As [`Ledger::intend`].
    ///
    /// # Errors
    /// As [`Ledger::intend`].
    pub async fn intend_together(
        &self,
        addresses: &[ResourceAddress],
        build: impl FnOnce(&ClientToken) -> Call,
    ) -> Result<Call, StateError> {
        let (call, told) = self.with(|journal| {
            let token = journal.memory().next_token_of_all(addresses);
            let call = build(&token);
            let values = journalled_together(journal, addresses, &call)?;
            let event = |(address, value)| happened(address, Happening::Intend(token.clone()), Some(value));
            journal.append_all(addresses.iter().zip(values).map(event).collect())?;
            Ok::<_, StateError>((call, Told::of(journal)))
        })?;
        told.to_all().await?;
        Ok(call)
    }

    /// The cloud refused for good to do something to several resources by one call.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn refuse_all(&self, addresses: &[ResourceAddress]) -> Result<(), StateError> {
        let events = addresses.iter().map(|address| happened(address, Happening::Refuse, None)).collect();
        self.with(|journal| journal.append_all(events))
    }

    /// What became of the call that was announced last for several is known; see [`Ledger::answered`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn answered_all(&self, addresses: &[ResourceAddress]) -> Result<(), StateError> {
        let events = addresses.iter().map(|address| Event::Answered { address: address.clone() }).collect();
        self.with(|journal| journal.append_all(events))
    }

    /// Several have ids.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn accept_all<'a>(
        &self,
        ids: impl IntoIterator<Item = (&'a ResourceAddress, &'a CloudId)>,
    ) -> Result<(), StateError> {
        let event = |(address, id): (_, &CloudId)| happened(address, Happening::Accept(id.clone()), None);
        let events = ids.into_iter().map(event).collect();
        self.with(|journal| journal.append_all(events))
    }

    /// Several are as they shall be; see [`Ledger::ready`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn ready_all(&self, ready: &[(ResourceAddress, Outputs, Fields)]) -> Result<(), StateError> {
        let events = ready.iter().flat_map(|(address, outputs, fields)| {
            let (outputs, fields) = (outputs.clone(), fields.clone());
            let learned = Event::Learned { address: address.clone(), outputs, fields };
            [learned, happened(address, Happening::Ready, None)]
        });
        let events = events.collect();
        self.with(|journal| journal.append_all(events))
    }

    /// Several are gone that were not deposed; those that were never known are not worth a line.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove_all(&self, gone: impl IntoIterator<Item = ResourceAddress>) -> Result<(), StateError> {
        self.with(|journal| {
            let known = |address: &ResourceAddress| journal.memory().resources.contains_key(address);
            let gone = gone.into_iter().filter(known);
            let events = gone.map(|address| happened(&address, Happening::Remove, None)).collect();
            journal.append_all(events)
        })
    }

    /// Writes down that a call is about to be sent that leaves the resource in its phase, and gives it back to be sent.
    ///
    /// # Guarantees
    /// As [`Ledger::intend`].
    ///
    /// # Errors
    /// When the disk refuses; then the call must not be sent.
    pub async fn announce(
        &self,
        address: &ResourceAddress,
        purpose: Purpose,
        call: Call,
    ) -> Result<Call, StateError> {
        self.announce_together(slice::from_ref(address), purpose, &call).await?;
        Ok(call)
    }

    /// The same of one call for several resources; see [`Ledger::intend_together`].
    ///
    /// # Errors
    /// As [`Ledger::announce`].
    pub async fn announce_together(
        &self,
        addresses: &[ResourceAddress],
        purpose: Purpose,
        call: &Call,
    ) -> Result<(), StateError> {
        let told = self.with(|journal| {
            let values = journalled_together(journal, addresses, call)?;
            let event = |(address, value): (&ResourceAddress, Value)| Event::Announced {
                address: address.clone(),
                purpose,
                call: Some(value),
            };
            journal.append_all(addresses.iter().zip(values).map(event).collect())?;
            Ok::<_, StateError>(Told::of(journal))
        })?;
        told.to_all().await
    }

    /// Writes down that something is about to be removed from a host.
    ///
    /// # Errors
    /// As [`Ledger::intend`].
    pub async fn announce_on_host(&self, address: &ResourceAddress) -> Result<(), StateError> {
        let (address, purpose) = (address.clone(), Purpose::Remove);
        let told = self.with(|journal| {
            journal.append(Event::Announced { address, purpose, call: None })?;
            Ok::<_, StateError>(Told::of(journal))
        })?;
        told.to_all().await
    }

    /// What became of the call that was announced last is known, and the resource is in the phase it was in.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn answered(&self, address: &ResourceAddress) -> Result<(), StateError> {
        self.with(|journal| journal.append(Event::Answered { address: address.clone() }))
    }

    /// A call whose outcome is not known, as it was sent: with its token and its secrets.
    ///
    /// # Errors
    /// When a secret is not there any more, or is not the one that was sent.
    pub fn call_of(&self, flight: &InFlight) -> Result<Option<Call>, StateError> {
        let Ok(mut call) = Call::deserialize(&flight.call) else { return Ok(None) };
        for (name, kept) in Kept::of_call(&flight.call) {
            let secret = self.with(|journal| journal.secret(&kept))?;
            call.secrets.insert(name, secret);
        }
        Ok(Some(call))
    }

    /// Writes down that something is about to be done on a host.
    ///
    /// # Errors
    /// As [`Ledger::intend`].
    pub async fn intend_on_host(&self, address: &ResourceAddress) -> Result<(), StateError> {
        let told = self.with(|journal| {
            let token = journal.memory().next_token(address);
            journal.append(happened(address, Happening::Intend(token), None))?;
            Ok::<_, StateError>(Told::of(journal))
        })?;
        told.to_all().await
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
            // What went before its successor was begun never was at the deposed address.
            let (memory, plain) = (journal.memory(), address.successor());
            let never_deposed =
                address.is_deposed() && memory.id(address).is_none() && memory.id(&plain) == address.deposed;
            for gone in [address].into_iter().chain(never_deposed.then_some(&plain)) {
                if journal.memory().resources.contains_key(gone) {
                    journal.append(happened(gone, Happening::Remove, None))?;
                }
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

/// A line that is on disk, and who has to know it before it comes true.
struct Told {
    outbox: Option<Outbox>,
    sequence: u64,
}

impl Told {
    /// The last line of a journal.
    fn of(journal: &Journal) -> Self {
        Self { outbox: journal.outbox().cloned(), sequence: journal.sequence() }
    }

    /// Waits until everybody can know it.
    async fn to_all(&self) -> Result<(), StateError> {
        match &self.outbox {
            Some(outbox) => outbox.settled(self.sequence).await,
            None => Ok(()),
        }
    }
}

/// A call as it is journalled; its secrets are on disk when this returns, and are not in it.
fn journalled(journal: &Journal, call: &Call) -> Result<Value, StateError> {
    let mut value = serde_json::to_value(call).expect("calls have text keys only");
    if !call.secrets.is_empty() {
        let keep =
            |(name, secret): (&String, &Secret<String>)| Ok((name.clone(), journal.keep_secret(secret)?));
        let kept = call.secrets.iter().map(keep).collect::<Result<BTreeMap<String, Kept>, StateError>>()?;
        value[vault::SECRETS] = serde_json::to_value(kept).expect("references are text");
    }
    Ok(value)
}

/// One call for several resources, as it is journalled with each: with all but the first which one has it.
fn journalled_together(
    journal: &Journal,
    addresses: &[ResourceAddress],
    call: &Call,
) -> Result<Vec<Value>, StateError> {
    let mut values = vec![serde_json::json!({ "with": addresses.first() }); addresses.len()];
    if let Some(first) = values.first_mut() {
        *first = journalled(journal, call)?;
    }
    Ok(values)
}

fn happened(address: &ResourceAddress, happening: Happening, call: Option<serde_json::Value>) -> Event {
    Event::Happened { address: address.clone(), happening, call }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::base::ids::{RegionId, StackName};
    use crate::cloud::Product;
    use crate::resource::Kind;
    use crate::state::Identity;

    fn open(folder: &Path) -> Ledger {
        let identity = Identity::new("1", "http://127.0.0.1:1", RegionId::new("r"), StackName::new("chat"));
        Ledger::new(Journal::open(folder, identity).unwrap().0)
    }

    fn address() -> ResourceAddress {
        ResourceAddress::only(Kind::LoadBalancer)
    }

    fn build(token: &ClientToken) -> Call {
        let call = Call::new(Product::RKvstore, "CreateInstance").with("Name", "chat").with_token(token);
        call.with_secret("Password", Secret::new("hunter2".to_owned()))
    }

    fn flight(ledger: &Ledger) -> InFlight {
        ledger.memory().resources[&address()].in_flight.clone().expect("a call under way")
    }

    fn secret_files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder.join("secrets")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[tokio::test]
    async fn a_call_is_sent_again_with_the_secrets_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let sent = open(folder.path()).intend(&address(), build).await.unwrap();
        let ledger = open(folder.path());
        let again = ledger.call_of(&flight(&ledger)).unwrap().unwrap();
        assert_eq!(again, sent);
        assert_eq!(again.secrets["Password"].expose(), "hunter2");
    }

    #[tokio::test]
    async fn no_secret_is_in_the_journal_or_in_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        ledger.intend(&address(), build).await.unwrap();
        ledger.announce(&address(), Purpose::Mark, build(&ClientToken::new("0f"))).await.unwrap();
        let journal = std::fs::read_to_string(folder.path().join("journal")).unwrap();
        assert!(journal.contains(r#""secrets":{"Password":{"secret":""#), "{journal}");
        assert!(!journal.contains("hunter2"), "{journal}");
        let shown = format!("{ledger:?} {:?}", build(&ClientToken::new("0f")));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    /// Every way in which the outcome of a call becomes known.
    #[tokio::test]
    async fn a_secret_goes_when_the_outcome_is_known() {
        type Outcome<'a> = &'a dyn Fn(&Ledger) -> Result<(), StateError>;
        let id = CloudId::new("r-1");
        let outcomes: [Outcome<'_>; 4] = [
            &|ledger| ledger.accept(&address(), &id),
            &|ledger| ledger.refuse(&address()),
            &|ledger| ledger.remove(&address()),
            &|ledger| ledger.answered(&address()),
        ];
        for outcome in outcomes {
            let folder = tempfile::tempdir().unwrap();
            let ledger = open(folder.path());
            ledger.intend(&address(), build).await.unwrap();
            assert_eq!(secret_files(folder.path()).len(), 1);
            outcome(&ledger).unwrap();
            assert_eq!(secret_files(folder.path()), [] as [PathBuf; 0]);
        }
    }

    #[tokio::test]
    async fn a_secret_stays_while_something_else_is_learned() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        ledger.intend(&address(), build).await.unwrap();
        ledger.intend(&ResourceAddress::only(Kind::Vpc), build).await.unwrap();
        ledger.refuse(&ResourceAddress::only(Kind::Vpc)).unwrap();
        assert_eq!(secret_files(folder.path()).len(), 1);
        assert!(ledger.call_of(&flight(&ledger)).unwrap().is_some());
    }

    /// Between the secret and the line that names it, and between the outcome and the removal.
    #[tokio::test]
    async fn what_a_crash_leaves_of_secrets_goes_when_the_journal_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        ledger.intend(&address(), build).await.unwrap();
        let [kept] = secret_files(folder.path()).try_into().unwrap();
        ledger.with(|journal| journal.keep_secret(&Secret::new("unannounced".to_owned()))).unwrap();
        assert_eq!(secret_files(folder.path()).len(), 2);
        drop(ledger);
        let ledger = open(folder.path());
        assert_eq!(secret_files(folder.path()), [kept]);
        assert!(ledger.call_of(&flight(&ledger)).unwrap().is_some());
    }

    #[tokio::test]
    async fn a_secret_that_is_lost_or_changed_stops_the_call() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        ledger.intend(&address(), build).await.unwrap();
        let [file] = secret_files(folder.path()).try_into().unwrap();
        std::fs::write(&file, "0f\nhunter3").unwrap();
        let error = ledger.call_of(&flight(&ledger)).unwrap_err();
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
        assert!(!error.to_string().contains("hunter"), "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains(&folder.path().join("journal").display().to_string()), "{hint}");
        std::fs::remove_file(&file).unwrap();
        assert!(ledger.call_of(&flight(&ledger)).unwrap_err().to_string().ends_with("is not there"));
    }
}

//! Plans in files: written by `plan --out`, shown by `plan --show`, carried out by `apply`.

use std::path::Path;

use crate::apply::recover::adopt;
use crate::base::clock;
use crate::base::durable;
use crate::cli::apply::{finish, go_on, nothing_to_do, print_address};
use crate::cli::destroy::carry_out_removal;
use crate::cli::diff::DiffArguments;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::hooks::{self, Phase};
use crate::cli::plan::look;
use crate::cli::refresh;
use crate::cli::render::{self, count};
use crate::cli::session::{self, Loaded, Session, Use};
use crate::cli::{ChangeArguments, GlobalOptions, say, selection};
use crate::deploy::Program;
use crate::plan::Plan;
use crate::plan::saved::difference::Difference;
use crate::plan::saved::{Options, Origin, SavedPlan, SavedPlanError, Source, fingerprint, is_saved_plan};
use crate::resource::observed::Observed;
use crate::ssh::quote;

/// The version that is compared: another program may plan other steps.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// A plan with all it was made from.
pub(super) fn of(
    session: &Session,
    topology: Source,
    options: Options,
    (plan, observed): (Plan, Observed),
) -> SavedPlan {
    SavedPlan {
        program: PROGRAM.to_owned(),
        made: clock::now(),
        origin: origin(session),
        topology,
        options,
        plan,
        fingerprint: fingerprint(&observed),
        observed,
    }
}

fn origin(session: &Session) -> Origin {
    let memory = session.provider.ledger.memory();
    let lineage = (memory.sequence > 0).then_some(memory.identity.lineage);
    Origin {
        account: memory.identity.account,
        endpoint: memory.identity.endpoint,
        lineage,
        sequence: memory.sequence,
        node: session.provider.program.as_ref().map(Program::digest),
    }
}

/// Whether a plan may be written there: nothing else is overwritten.
///
/// # Errors
/// When another file is there.
pub(super) fn check_place(path: &Path) -> Result<(), Failure> {
    if !path.exists() || session::read(path).is_ok_and(|bytes| is_saved_plan(&bytes)) {
        return Ok(());
    }
    Err(Failure::saying(
        ExitStatus::Usage,
        format!("`{}` is there already and is no saved plan", path.display()),
        "give --out another name",
    ))
}

/// Writes a plan, for the owner only, and says how to go on.
pub(super) fn write(path: &Path, saved: &SavedPlan) -> Result<(), Failure> {
    durable::replace(path, saved.encode().as_bytes()).map_err(|error| {
        Failure::new(ExitStatus::Failed, error, Some("give --out another name".to_owned()))
    })?;
    let shown = path.display();
    say::notice(&format!("saved as `{shown}`; `albatross apply {shown}` carries out exactly this"));
    Ok(())
}

/// Reads a saved plan.
///
/// # Errors
/// When it is none, damaged, or a newer program's.
pub(super) fn read(path: &Path) -> Result<SavedPlan, Failure> {
    let bytes = session::read(path)?;
    if is_saved_plan(&bytes) {
        return decode(path, &bytes);
    }
    Err(Failure::saying(
        ExitStatus::Usage,
        format!("`{}` is no saved plan", path.display()),
        "`albatross plan --out PLAN FILE` saves one; without --show a topology is planned",
    ))
}

fn decode(path: &Path, bytes: &[u8]) -> Result<SavedPlan, Failure> {
    SavedPlan::decode(bytes).map_err(|error: SavedPlanError| {
        let hint = error.hint();
        let error =
            anyhow::Error::new(error).context(format!("the saved plan `{}` cannot be used", path.display()));
        Failure::new(ExitStatus::Failed, error, Some(hint))
    })
}

/// For a command that takes a topology and was given a saved plan.
pub(super) fn not_a_topology(path: &Path) -> Failure {
    let path = path.display();
    Failure::saying(
        ExitStatus::Usage,
        format!("`{path}` is a saved plan, not a topology"),
        format!("`albatross plan --show {path}` shows it, `albatross apply {path}` carries it out"),
    )
}

/// Refuses a plan that was made for another cloud, before anything is opened there.
pub(super) fn check_cloud(origin: &Origin, account: &str, endpoint: &str) -> Result<(), Failure> {
    if origin.account == account && origin.endpoint == endpoint {
        return Ok(());
    }
    Err(Failure::saying(
        ExitStatus::Failed,
        format!(
            "the plan is for account {} at {}, this command talks to account {account} at {endpoint}",
            origin.account, origin.endpoint
        ),
        "use the account and endpoint it was made with, or plan again",
    ))
}

/// Carries out a saved plan: exactly its steps, or nothing.
pub(super) async fn apply(
    options: &GlobalOptions,
    (arguments, diff): (&ChangeArguments, DiffArguments),
    (path, bytes): (&Path, &[u8]),
) -> Result<ExitStatus, Failure> {
    let saved = decode(path, bytes)?;
    if !arguments.selection.selection().is_all() {
        return Err(Failure::saying(
            ExitStatus::Usage,
            "a saved plan says by itself which resources are meant",
            "leave --target and --exclude away, or plan again with them",
        ));
    }
    if !options.inputs.is_empty() {
        return Err(Failure::saying(
            ExitStatus::Usage,
            "a saved plan has the values that it was made with",
            "leave --set, --var and --vars away, or plan again with them",
        ));
    }
    let attempt = Attempt { path, saved: &saved };
    attempt.refuse_if_any(Difference::between("albatross", "version", &saved.program, PROGRAM))?;
    let session = attempt.session(options).await?;
    let session = session.with_progress().with_hooks(arguments.hooks).with_diff(diff);
    Box::pin(attempt.carry_out(session)).await
}

/// A saved plan that is to be carried out.
struct Attempt<'a> {
    path: &'a Path,
    saved: &'a SavedPlan,
}

impl Attempt<'_> {
    /// Where and as the plan was made, unless something else is asked for.
    async fn session(&self, options: &GlobalOptions) -> Result<Session, Failure> {
        let how = &self.saved.options;
        let mut options = options.clone();
        if options.endpoint.is_none() {
            options.local |= how.local;
            options.endpoint.clone_from(&how.address);
        }
        let source = &self.saved.topology;
        let loaded = session::check_resolved(Path::new(&source.path), &source.text)?;
        let loaded = Loaded { origin: Some(self.saved.origin.clone()), ..loaded };
        let access = if how.destroy { Use::Remove } else { Use::Change };
        let mut session = session::begin(&options, loaded, access).await?;
        session.saved = Some(self.saved.id());
        Ok(session)
    }

    async fn carry_out(&self, session: Session) -> Result<ExitStatus, Failure> {
        let begun = session.begun.is(&self.saved.id())?;
        self.check_origin(&origin(&session))?;
        go_on(&session).await?;
        let (plan, observed) = look(&session, &self.saved.options).await?;
        if self.saved.plan.has_work() && !plan.has_work() {
            session.begun.end()?;
            say::outcome(&format!("Already applied: nothing of `{}` is left to do.", self.path.display()));
            return Ok(ExitStatus::Done);
        }
        self.refuse_if_any(self.saved.stale(&plan, &observed, begun))?;
        adopt(&session.provider, &observed)?;
        render::plan::announce(&plan, session.topology.state.as_ref());
        session.diff.print(&session, &plan, &observed).await?;
        if !self.saved.options.destroy {
            refresh::spare_others(&plan)?;
            refresh::remember(&session, &plan, &observed)?;
        }
        if !plan.has_work() {
            return Ok(nothing_to_do(&session, &plan, &observed));
        }
        if self.saved.options.destroy {
            return carry_out_removal(&session, (&plan, &observed), &self.saved.options.selection).await;
        }
        let work = finish(&session, &plan, &observed);
        let status = hooks::around(&session, Phase::Apply, &observed, work).await?;
        if plan.left_out.is_empty() {
            print_address(&session).await?;
        }
        Ok(status)
    }

    fn check_origin(&self, now: &Origin) -> Result<(), Failure> {
        let planned = &self.saved.origin;
        let pairs = [
            ("journal", "lineage", &planned.lineage, &now.lineage),
            ("chat-node", "sha256", &planned.node, &now.node),
        ];
        let found = pairs.into_iter().filter_map(|(subject, field, planned, now)| {
            // Where there was no journal yet, the one of this very command is no difference.
            Difference::between(subject, field, planned.as_ref()?, now.as_deref().unwrap_or("(none)"))
        });
        self.refuse_if_any(found)
    }

    /// Shows why the plan must not be carried out, if there is a reason.
    fn refuse_if_any(&self, found: impl IntoIterator<Item = Difference>) -> Result<(), Failure> {
        let found: Vec<Difference> = found.into_iter().collect();
        if found.is_empty() {
            return Ok(());
        }
        render::saved::print_differences(self.saved, &found);
        let verb = if found.len() == 1 { "differs" } else { "differ" };
        Err(Failure::saying(
            ExitStatus::Failed,
            format!(
                "`{}` is out of date: {} {verb} from when it was made; nothing was changed",
                self.path.display(),
                count(found.len(), "value"),
            ),
            format!("plan again: `{}`", self.again()),
        ))
    }

    /// The command that plans the same anew.
    fn again(&self) -> String {
        let Options { destroy, selection, local, address } = &self.saved.options;
        let local = if *local { " --local" } else { "" };
        let address = address.as_ref().map(|address| format!(" --endpoint {address}")).unwrap_or_default();
        let destroy = if *destroy { " --destroy" } else { "" };
        let words = selection::words(selection);
        let Source { path: file, given, .. } = &self.saved.topology;
        let given = given.iter().fold(String::new(), |text, word| text + " " + &quote(word));
        let out = self.path.display();
        format!("albatross{local}{address} plan{destroy}{words}{given} --out {out} {file}")
    }
}

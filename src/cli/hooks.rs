//! Commands of the operator's machine before and after what a command does to a stack.
//!
//! Each is started as it stands in the topology, in the folder of the topology, without a shell and without input. What
//! it prints goes to standard error as it comes, and to programs as events ([`output`]). It knows the stack by variables:
//! `ALBATROSS_HOOK`, and one for each of the stack's outputs (`src/cli/outputs.rs`), such as `ALBATROSS_URL` and
//! `ALBATROSS_INSTANCE_ECS01_PUBLIC_ADDRESS`.
//! It is a group of processes of its own, all of which end when its time is over or somebody says stop.

mod output;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus as Ended, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::cli::events::{self, Line};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::{outputs, say};
use crate::resource::ResourceAddress;
use crate::resource::observed::{Observed, Outputs};
use crate::topology::model::Moment;

/// Whether hooks are run.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct HookArguments {
    /// Run none of the topology's hooks
    #[arg(long)]
    pub skip_hooks: bool,
}

/// What a command does to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Apply,
    Deploy,
    Rollback,
    Destroy,
}

impl Phase {
    fn before(self) -> Moment {
        match self {
            Self::Apply => Moment::BeforeApply,
            Self::Deploy => Moment::BeforeDeploy,
            Self::Rollback => Moment::BeforeRollback,
            Self::Destroy => Moment::BeforeDestroy,
        }
    }

    fn after(self) -> Moment {
        match self {
            Self::Apply => Moment::AfterApply,
            Self::Deploy => Moment::AfterDeploy,
            Self::Rollback => Moment::AfterRollback,
            Self::Destroy => Moment::AfterDestroy,
        }
    }
}

/// Does something with the hooks of its phase around it. Those behind it run when all of it was done.
///
/// # Errors
/// When a hook fails: before the work nothing is changed, behind it everything is.
pub(super) async fn around(
    session: &Session,
    phase: Phase,
    observed: &Observed,
    work: impl Future<Output = Result<ExitStatus, Failure>>,
) -> Result<ExitStatus, Failure> {
    before(session, phase, observed).await?;
    let status = work.await?;
    if status == ExitStatus::Done {
        after(session, phase).await?;
    }
    Ok(status)
}

/// Runs the hooks before a phase.
///
/// # Errors
/// When one fails; nothing was changed.
async fn before(session: &Session, phase: Phase, observed: &Observed) -> Result<(), Failure> {
    run(session, phase.before(), observed.outputs(), ExitStatus::Failed).await
}

/// Runs the hooks behind a phase that was done.
///
/// # Errors
/// When one fails; everything was changed.
async fn after(session: &Session, phase: Phase) -> Result<(), Failure> {
    run(session, phase.after(), session.provider.known.all_outputs(), ExitStatus::PartlyApplied).await
}

async fn run(
    session: &Session,
    moment: Moment,
    outputs: BTreeMap<ResourceAddress, Outputs>,
    status: ExitStatus,
) -> Result<(), Failure> {
    let hooks = &session.topology.hooks;
    let commands = hooks.commands.get(&moment).filter(|_| session.runs_hooks);
    let variables = variables(session, moment, &outputs);
    for (number, command) in (1..).zip(commands.into_iter().flatten()) {
        let hook = Hook { moment: moment.word(), number };
        events::tell(&Line::Hook { moment: hook.moment, number, command });
        say::narrate(|| say::on_stderr(&format!("{} {number}: {}", hook.moment, shown(command))));
        let ended = run_one(session, hook, command, &variables).await;
        let why = match ended {
            Ok(None) => return Err(Failure::shown(session.stop.status())),
            Ok(Some(End::Exited(ended))) if ended.success() => continue,
            Ok(Some(End::Exited(ended))) => ended_words(ended),
            Ok(Some(End::Late)) => format!("was not done after {}", hooks.timeout),
            Err(error) => format!("cannot be started: {error}"),
        };
        let consequence =
            if status == ExitStatus::Failed { "nothing was changed" } else { "all else was done" };
        return Err(Failure::saying(
            status,
            format!("command {number} of `{}`, `{}`, {why}; {consequence}", moment.word(), shown(command)),
            "mend it, or add --skip-hooks to go ahead without",
        ));
    }
    Ok(())
}

/// How a command ended.
enum End {
    Exited(Ended),
    Late,
}

/// One of the topology's commands.
#[derive(Debug, Clone, Copy)]
struct Hook {
    moment: &'static str,
    number: usize,
}

/// None when somebody said stop.
async fn run_one(
    session: &Session,
    hook: Hook,
    command: &[String],
    variables: &BTreeMap<String, String>,
) -> io::Result<Option<End>> {
    let folder = folder(&session.source.0)?;
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut child = Command::new(path_of(program, &folder))
        .args(arguments)
        .envs(variables)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(output::first()?)
        .stderr(output::second())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = child.id();
    let output = output::pass_on(hook, &mut child);
    let ended = tokio::select! {
        biased;
        ended = child.wait() => Some(End::Exited(ended?)),
        () = session.stop.token().cancelled() => None,
        () = tokio::time::sleep(session.topology.hooks.timeout.duration()) => Some(End::Late),
    };
    if !matches!(ended, Some(End::Exited(_))) {
        end_group(group, &mut child).await;
    }
    output.finish().await;
    Ok(ended)
}

/// Ends a command and all that it started.
async fn end_group(group: Option<u32>, child: &mut Child) {
    let group = group.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended in this moment.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait().await;
}

/// The folder that the topology is in.
fn folder(topology: &Path) -> io::Result<PathBuf> {
    let parent = topology.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).canonicalize()
}

/// A program with a slash in its name is looked for from the topology's folder on, any other on the search path.
fn path_of(program: &str, folder: &Path) -> OsString {
    if program.contains('/') { folder.join(program).into() } else { program.into() }
}

fn ended_words(ended: Ended) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (ended.code(), ended.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "did not end well".to_owned(),
    }
}

fn shown(command: &[String]) -> String {
    command.iter().map(|word| crate::ssh::quote(word)).collect::<Vec<_>>().join(" ")
}

/// What a hook knows of the stack.
fn variables(
    session: &Session,
    moment: Moment,
    outputs: &BTreeMap<ResourceAddress, Outputs>,
) -> BTreeMap<String, String> {
    let told = outputs::of(&session.topology, outputs);
    let variable = |(name, value)| (as_variable(&format!("ALBATROSS_{name}")), value);
    let mut variables: BTreeMap<String, String> = told.into_iter().map(variable).collect();
    variables.insert("ALBATROSS_HOOK".to_owned(), moment.word().to_owned());
    variables
}

fn as_variable(name: &str) -> String {
    let letter =
        |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    name.chars().map(letter).collect()
}

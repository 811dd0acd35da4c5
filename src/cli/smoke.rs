//! `albatross smoke FILE`: the whole life of a stack, on a local cloud of its own.
//!
//! 1. validate, and start a cloud that ends with this command, however that ends;
//! 2. plan, apply, plan again: nothing may be left to do;
//! 3. verify;
//! 4. change: one node more and another release; verify again;
//! 5. the negative controls: break one thing after the other, and see verify notice each ([`control`]);
//! 6. destroy, and ask the cloud itself what is left.
//!
//! `--quick` leaves out 4 and 5. With `--keep` it ends after 3 and leaves everything up, on the local cloud of this
//! folder.

mod attempt;
mod book;
mod breakage;
mod change;
mod control;
mod ground;
mod home;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use self::attempt::attempt;
use self::book::{Book, Phase, Verdict, title};
use self::control::Control;
use self::ground::Ground;
use self::home::Home;
use crate::apply::refresh::Depth;
use crate::base::retry::{Backoff, Deadline};
use crate::cli::apply::{Consent, bring_about};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Stop;
use crate::cli::local::{CloudOptions, Pace};
use crate::cli::refresh::get_to_know;
use crate::cli::render::progress::seconds;
use crate::cli::render::{self, count, report};
use crate::cli::reports::ReportArguments;
use crate::cli::session::{self, Session, Target, Use};
use crate::cli::topology_file::{Located, TopologyArgument};
use crate::cli::verify::{Manner, prove, unproved};
use crate::cli::{GlobalOptions, destroy, hooks, node_program, plan, say};
use crate::plan::saved::Options;
use crate::plan::select::Selection;
use crate::topology::model::Topology;
use crate::verify::{Report, Stage, Status};

/// How long the cloud may count what is on its way out.
const LEAVING: Duration = Duration::from_secs(30);

/// Arguments of `smoke`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// Let nothing in the cloud take time, and leave out what does: the change, what is broken on purpose, the silence
    #[arg(long, conflicts_with = "pace")]
    quick: bool,
    #[command(flatten)]
    cloud: CloudOptions,
    #[command(flatten)]
    reports: ReportArguments,
    /// Stop after the checks and leave everything up, on the local cloud of this folder
    #[arg(long)]
    keep: bool,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let mut book = Book::open();
    let outcome = Box::pin(whole(options, arguments, &mut book)).await;
    if outcome.is_ok() {
        title("result");
    }
    let report = book.close();
    if outcome.is_ok() {
        report.phases.iter().chain(&report.controls).for_each(report::print_stage);
        say::narrate(|| anstream::println!("{}", report::count_words(&report)));
    }
    let written = arguments.reports.write(&report);
    let left = outcome?;
    written?;
    if let Some(left) = left {
        say::narrate(|| anstream::println!("{} left", count(left, "resource")));
    }
    say::outcome(&format!("smoke took {}", seconds(report.duration)));
    Ok(match left {
        Some(1..) => ExitStatus::PartlyApplied,
        Some(0) | None if report.passed() => ExitStatus::Done,
        Some(0) | None => ExitStatus::NotVerified,
    })
}

/// All of it; how many resources are left, unless they were to be kept.
async fn whole(
    options: &GlobalOptions,
    arguments: &Arguments,
    book: &mut Book,
) -> Result<Option<usize>, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let topology = book.phase(Phase::Validate, async { validate(options, file) }).await?;
    let mut cloud_options = arguments.cloud.clone();
    if arguments.quick {
        cloud_options.pace = Pace::Instant;
    }
    let region = topology.region.to_string();
    let start = async {
        let home = Home::new(options, &cloud_options, &region, arguments.keep).await?;
        let hosts = home.cloud.status().await?.hosts_mode;
        let sentence = format!("a local cloud with hosts of kind {hosts}, in {region}");
        say::narrate(|| anstream::println!("{sentence}"));
        Ok(((home, hosts), Ok(sentence)))
    };
    let (home, hosts) = book.phase(Phase::Cloud, start).await?;
    let target = Target::Local(Box::new(home.cloud.clone()));
    let mut smoke = Smoke { options: home.options.clone(), file, arguments, topology, target };
    smoke.up_to_proof(book).await?;
    if arguments.keep {
        book.leave_out(&[Phase::Change, Phase::VerifyChange], "everything is kept as it is (--keep)");
        book.leave_out_controls("everything is kept as it is (--keep)");
        book.leave_out(&[Phase::Destroy], "everything is kept as it is (--keep)");
        smoke.say_what_is_kept();
        return Ok(None);
    }
    Box::pin(smoke.beyond_proof(book, &home, &hosts)).await?;
    book.phase(Phase::Destroy, Box::pin(smoke.down(&home))).await.map(Some)
}

fn validate(options: &GlobalOptions, file: &Path) -> Result<(Topology, Verdict), Failure> {
    let topology = session::load(options, file)?.topology;
    say::narrate(|| anstream::println!("{} is valid", file.display()));
    let sentence = format!("stack {} in {}", topology.stack, topology.region);
    Ok((topology, Ok(sentence)))
}

struct Smoke<'a> {
    options: GlobalOptions,
    file: &'a Path,
    arguments: &'a Arguments,
    /// What the stack shall be now.
    topology: Topology,
    target: Target,
}

impl Smoke<'_> {
    async fn session(&self, access: Use) -> Result<Session, Failure> {
        let mut loaded = session::load(&self.options, self.file)?;
        loaded.topology = self.topology.clone();
        Ok(session::begin_at(&self.options, loaded, access, self.target.clone()).await?.into_part())
    }

    async fn up_to_proof(&self, book: &mut Book) -> Result<(), Failure> {
        book.phase(Phase::Plan, Box::pin(self.plan())).await?;
        book.phase(Phase::Apply, Box::pin(self.apply())).await?;
        book.phase(Phase::EmptyPlan, Box::pin(self.plan_nothing())).await?;
        if let Some(why) = unproved(&self.topology) {
            book.leave_out(&[Phase::Verify], &why);
            return Ok(());
        }
        let quick = self.arguments.quick;
        book.proof = Some(book.phase(Phase::Verify, Box::pin(self.verify(quick))).await?);
        Ok(())
    }

    /// The change and the controls, as far as they say anything.
    async fn beyond_proof(&mut self, book: &mut Book, home: &Home, hosts: &str) -> Result<(), Failure> {
        let reason = match &book.proof {
            _ if self.arguments.quick => Some("it takes time (--quick)"),
            None => Some("nothing can be proved, so nothing can be missed"),
            Some(proof) if !proof.passed() => Some("the service does not work as it is"),
            Some(_) => None,
        };
        if let Some(reason) = reason {
            book.leave_out(&[Phase::Change, Phase::VerifyChange], reason);
            book.leave_out_controls(reason);
            return Ok(());
        }
        book.phase(Phase::Change, Box::pin(self.change(home))).await?;
        let proof = book.phase(Phase::VerifyChange, Box::pin(self.verify(true))).await?;
        if !proof.passed() {
            book.leave_out_controls("the chatroom does not work after the change");
            return Ok(());
        }
        Box::pin(self.controls(book, home, hosts)).await
    }

    async fn plan(&self) -> Result<((), Verdict), Failure> {
        let session = self.session(Use::Plan).await?;
        let (plan, _) = plan::look(&session, &Options::default()).await?;
        let words = render::plan::summary_words(plan.summary(), render::plan::Tense::Future);
        say::narrate(|| anstream::println!("Plan: {words}."));
        Ok(((), Ok(words)))
    }

    /// Makes the stack what it shall be now.
    async fn apply(&self) -> Result<((), Verdict), Failure> {
        let session = self.session(Use::Change).await?.with_progress();
        let mut words = String::new();
        let accept = |plan: &crate::plan::Plan| {
            words = render::plan::summary_words(plan.summary(), render::plan::Tense::Past);
            Ok(())
        };
        bring_about(&session, hooks::Phase::Apply, Consent::Given, Selection::default(), accept).await?;
        Ok(((), Ok(words)))
    }

    async fn plan_nothing(&self) -> Result<((), Verdict), Failure> {
        let session = self.session(Use::Plan).await?;
        let (again, _) = plan::look(&session, &Options::default()).await?;
        say::narrate(|| render::plan::print(&again, session.topology.state.as_ref()));
        if again.has_work() {
            return Err(Failure::saying(
                ExitStatus::PartlyApplied,
                "the plan after an apply is not empty",
                "run again with --keep to look at what is up",
            ));
        }
        Ok(((), Ok("nothing is left to do".to_owned())))
    }

    async fn verify(&self, quick: bool) -> Result<(Report, Verdict), Failure> {
        let session = self.session(Use::Look).await?;
        let manner = Manner { quick, connect_to: BTreeMap::new(), reports: &self.arguments.reports };
        let report = prove(&session, &manner, None).await?;
        let passed = count(report.count(Status::Passed), "check");
        let verdict = match report.count(Status::Failed) {
            0 => Ok(format!("{passed} passed")),
            failed => Err(format!("{} failed", count(failed, "check"))),
        };
        Ok((report, verdict))
    }

    /// One node more, and another release on all of them.
    async fn change(&mut self, home: &Home) -> Result<((), Verdict), Failure> {
        let program = node_program::path(&self.options)?;
        if let Some(folder) = home.folder() {
            self.options.chat_node = Some(change::another_release(&program, folder)?);
        }
        let more = change::add_node(&mut self.topology);
        let ((), _made) = self.apply().await?;
        let ((), _nothing) = self.plan_nothing().await?;
        Ok((
            (),
            Ok(match more {
                Some(name) => format!("another release on all nodes, and one node more: {name}"),
                None => {
                    "another release on all nodes; none was added, as host keys are listed by hand".to_owned()
                }
            }),
        ))
    }

    async fn controls(&self, book: &mut Book, home: &Home, hosts: &str) -> Result<(), Failure> {
        let session = self.session(Use::Look).await?;
        get_to_know(&session, Depth::Cloud).await?;
        let stop = Stop::listen()?;
        let mut ground = Ground::new(&session, &home.cloud);
        let mut tried = Book::open();
        let work = async {
            for control in Control::ALL {
                tried.control(Box::pin(self.control(control, &mut ground, &stop, hosts)).await?);
            }
            let (passed, failed) = (tried.count(Status::Passed), tried.count(Status::Failed));
            let verdict = match failed {
                0 => Ok(format!(
                    "verify noticed {passed} of {passed}, {} left out",
                    tried.count(Status::Skipped)
                )),
                _ => Err(format!("verify did not notice {failed}")),
            };
            Ok(((), verdict))
        };
        let done = book.phase(Phase::Controls, Box::pin(work)).await;
        book.take_controls_of(tried);
        done
    }

    async fn control(
        &self,
        control: Control,
        ground: &mut Ground<'_>,
        stop: &Stop,
        hosts: &str,
    ) -> Result<Stage, Failure> {
        if let Some(why) = control.unfit(&self.topology, hosts) {
            return Ok(Stage::new(control.name(), Status::Skipped, why));
        }
        let tried = stop.heard(Box::pin(attempt(control, &self.topology, ground, stop.token()))).await?;
        tried.ok_or_else(|| {
            say::alert("Stopped; what was broken is as it was, and the cloud ends.");
            Failure::shown(stop.status())
        })
    }

    fn say_what_is_kept(&self) {
        let typed = |command: &str| self.arguments.topology.typed(command);
        let next = [
            (typed("albatross --local status"), "what there is, and the address to open"),
            (typed("albatross --local verify"), "the checks again"),
            (typed("albatross --local destroy --yes"), "remove it"),
            (self.options.ends_cloud(), "end the cloud"),
        ];
        let width = next.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
        say::narrate(|| {
            anstream::println!("\nEverything is up:");
            for (command, what) in next {
                anstream::println!("  {command:width$}  {what}");
            }
        });
    }

    async fn down(&self, home: &Home) -> Result<(usize, Verdict), Failure> {
        let session = self.session(Use::Change).await?.with_progress();
        destroy::remove_all(&session, Consent::Given, Selection::default()).await?;
        let left = left(home).await?;
        let verdict = if left == 0 {
            Ok("the cloud has nothing left".to_owned())
        } else {
            Err(format!("the cloud still has {}", count(left, "resource")))
        };
        Ok((left, verdict))
    }
}

/// What the cloud itself counts, what an ALB made by itself included; that goes a little later.
async fn left(home: &Home) -> Result<usize, Failure> {
    let deadline = Deadline::after(LEAVING);
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    loop {
        let left = home.cloud.status().await?.resources;
        if left == 0 || !backoff.wait(&deadline).await {
            return Ok(usize::try_from(left).unwrap_or(usize::MAX));
        }
    }
}

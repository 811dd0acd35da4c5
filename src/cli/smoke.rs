//! `albatross smoke FILE`: the whole road once, on a local cloud of its own.
//!
//! 1. validate, and start a cloud that ends with this command, however that ends;
//! 2. plan, apply, plan again: nothing may be left to do;
//! 3. verify;
//! 4. destroy, and ask the cloud itself what is left.
//!
//! With `--keep` it ends after verify and leaves everything up, on the local cloud of this folder.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::cli::apply::{Consent, bring_about};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::hooks::Phase;
use crate::cli::local::{CloudOptions, LocalCloud, Pace};
use crate::cli::render::progress::{self, seconds};
use crate::cli::render::{self, count, report};
use crate::cli::session::{self, Session, Target, Use};
use crate::cli::verify::{prove, unproved, write_reports};
use crate::cli::{GlobalOptions, destroy, plan};
use crate::plan::saved::Options;
use crate::plan::select::Selection;
use crate::verify::Report;

/// Arguments of `smoke`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology
    file: PathBuf,
    /// Let nothing in the cloud take time, and leave out the checks that do
    #[arg(long, conflicts_with = "pace")]
    quick: bool,
    #[command(flatten)]
    cloud: CloudOptions,
    /// Write the report as JUnit XML, one test case a check
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave everything up, on the local cloud of this folder
    #[arg(long)]
    keep: bool,
}

pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let started = now();
    let mut cloud_options = arguments.cloud.clone();
    if arguments.quick {
        cloud_options.pace = Pace::Instant;
    }
    stage("validate");
    let loaded = session::load(&arguments.file)?;
    anstream::println!("{} is valid", arguments.file.display());
    let region = loaded.topology.region.to_string();
    let home = Home::new(options, &cloud_options, &region, arguments.keep).await?;
    let smoke =
        Smoke { options: &home.options, arguments, target: Target::Local(Box::new(home.cloud.clone())) };
    let report = Box::pin(smoke.up_to_proof()).await?;
    if let Some(report) = &report {
        write_reports(report, arguments.junit.as_deref(), arguments.json.as_deref())?;
    }
    let report = report.as_ref();
    let status =
        if arguments.keep { smoke.say_what_is_kept(report) } else { Box::pin(smoke.down(report)).await? };
    anstream::println!("smoke took {}", seconds(started.elapsed()));
    Ok(status)
}

#[expect(clippy::disallowed_methods, reason = "how long the whole took is shown, and decides nothing")]
fn now() -> Instant {
    Instant::now()
}

fn stage(name: &str) {
    let bold = anstyle::Style::new().bold();
    anstream::println!("\n{bold}== {name}{bold:#}");
}

/// Where the cloud and the state of a smoke run live.
struct Home {
    options: GlobalOptions,
    cloud: LocalCloud,
    /// Ends the cloud when dropped: its standard input closes.
    _child: Option<Running>,
    _folder: Option<tempfile::TempDir>,
}

/// A child process that is waited for once its standard input has been closed.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // The cloud ends by itself now; waiting lets it remove its files. Nothing can be done about an error here.
        let _ = self.0.wait();
    }
}

impl Home {
    async fn new(
        options: &GlobalOptions,
        cloud_options: &CloudOptions,
        region: &str,
        keep: bool,
    ) -> Result<Self, Failure> {
        let mut options = GlobalOptions { local: true, endpoint: None, ..options.clone() };
        if keep {
            let cloud = LocalCloud::start(&options.state_dir, cloud_options, Some(region)).await?;
            return Ok(Self { options, cloud, _child: None, _folder: None });
        }
        let folder = tempfile::Builder::new().prefix("albatross-smoke-").tempdir();
        let folder = folder.map_err(|error| Failure::new(ExitStatus::Failed, error, None))?;
        options.state_dir = folder.path().join("state");
        let (child, cloud) = LocalCloud::start_for_this_command(folder.path(), cloud_options, Some(region))?;
        Ok(Self { options, cloud, _child: Some(Running(child)), _folder: Some(folder) })
    }
}

struct Smoke<'a> {
    options: &'a GlobalOptions,
    arguments: &'a Arguments,
    target: Target,
}

impl Smoke<'_> {
    async fn session(&self, access: Use) -> Result<Session, Failure> {
        let loaded = session::load(&self.arguments.file)?;
        session::begin_at(self.options, loaded, access, self.target.clone()).await
    }

    /// Nothing where there is nothing that could be proved.
    async fn up_to_proof(&self) -> Result<Option<Report>, Failure> {
        stage("apply");
        let session = self.session(Use::Change).await?.with_sink(progress::sink());
        bring_about(&session, Phase::Apply, Consent::Given, Selection::default(), |_| Ok(())).await?;
        drop(session);
        stage("plan");
        let session = self.session(Use::Plan).await?;
        let (again, _) = plan::look(&session, &Options::default()).await?;
        render::plan::print(&again);
        if again.has_work() {
            return Err(Failure::saying(
                ExitStatus::PartlyApplied,
                "the plan after an apply is not empty",
                "run again with --keep to look at what is up",
            ));
        }
        stage("verify");
        if let Some(unproved) = unproved(&session.topology) {
            anstream::println!("not run: {unproved}");
            return Ok(None);
        }
        prove(&session, self.arguments.quick).await.map(Some)
    }

    fn say_what_is_kept(&self, report: Option<&Report>) -> ExitStatus {
        let file = self.arguments.file.display();
        let next = [
            (format!("albatross --local status {file}"), "what there is, and the address to open"),
            (format!("albatross --local verify {file}"), "the checks again"),
            (format!("albatross --local destroy --yes {file}"), "remove it"),
            ("albatross cloud down".to_owned(), "end the cloud"),
        ];
        let width = next.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
        anstream::println!("\nEverything is up:");
        for (command, what) in next {
            anstream::println!("  {command:width$}  {what}");
        }
        verdict(report)
    }

    async fn down(&self, report: Option<&Report>) -> Result<ExitStatus, Failure> {
        stage("destroy");
        let session = self.session(Use::Change).await?.with_sink(progress::sink());
        destroy::remove_all(&session, Consent::Given, Selection::default()).await?;
        let left = self.left().await?;
        stage("result");
        if let Some(report) = report {
            report.checks.iter().for_each(report::print_check);
            report::print_summary(report);
        }
        anstream::println!("{} left", count(left, "resource"));
        Ok(if left == 0 { verdict(report) } else { ExitStatus::PartlyApplied })
    }

    /// What the cloud itself counts, what an ALB made by itself included; that goes a little later.
    async fn left(&self) -> Result<usize, Failure> {
        let Target::Local(cloud) = &self.target else {
            return Ok(0);
        };
        let deadline = crate::base::retry::Deadline::after(Duration::from_secs(30));
        let mut backoff = crate::base::retry::Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        loop {
            let left = cloud.status().await?.resources;
            if left == 0 || !backoff.wait(&deadline).await {
                return Ok(usize::try_from(left).unwrap_or(usize::MAX));
            }
        }
    }
}

/// Of an app nothing more is said than that it came up and went.
fn verdict(report: Option<&Report>) -> ExitStatus {
    if report.is_none_or(Report::passed) { ExitStatus::Done } else { ExitStatus::NotVerified }
}

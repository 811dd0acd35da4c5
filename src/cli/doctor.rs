//! `albatross doctor FILE`

use crate::cli::existing;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::render::examination;
use crate::cli::session::{self, Target};
use crate::cli::topology_file::Located;
use crate::cli::{GlobalOptions, ShowArguments};
use crate::cloud::transport::Client;
use crate::doctor::{self, CheckId, Finding, Question};

pub(super) async fn run(options: &GlobalOptions, arguments: &ShowArguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let session::Loaded { path, text, mut topology, .. } = session::load(options, file)?;
    let target = session::target(options, &topology).await?;
    let client = found(session::client(options, &topology, &target).await)?;
    if let Ok(client) = &client {
        existing::look_up(client, (&path, &text), &mut topology).await?;
    }
    let question = Question {
        topology: &topology,
        client,
        dns: match &target {
            Target::Local(cloud) => Some(cloud.dns),
            Target::Remote => None,
        },
        is_local: matches!(target, Target::Local(_)),
    };
    let report = if arguments.json {
        let report = doctor::examine(&question, &|_| ()).await;
        anstream::println!("{:#}", examination::to_json(&topology, &report));
        report
    } else {
        anstream::println!("Examining stack {} in {}", topology.stack, topology.region);
        let report = doctor::examine(&question, &examination::print).await;
        examination::print_summary(&report, &arguments.topology);
        report
    };
    Ok(if report.is_good() { ExitStatus::Done } else { ExitStatus::Failed })
}

/// Missing credentials are a finding; a command line that is wrong is not.
fn found(client: Result<Client, Failure>) -> Result<Result<Client, Finding>, Failure> {
    match client {
        Ok(client) => Ok(Ok(client)),
        Err(Failure { status: ExitStatus::Failed, error: Some(error), hint, .. }) => {
            let sentence = format!("{error:#}");
            Ok(Err(Finding::fail(CheckId::Credentials, sentence, hint.unwrap_or_default())))
        }
        Err(failure) => Err(failure),
    }
}

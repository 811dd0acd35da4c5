//! `albatross cloud logs HOST`

use std::time::Duration;

use serde::Deserialize;

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::local::LocalCloud;

/// Between two looks at what is new.
const TURN: Duration = Duration::from_millis(300);

/// Arguments of `cloud logs`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A host by its name, its id or its address in the VPC
    host: String,
    /// Go on with what it says from now on
    #[arg(long, short)]
    follow: bool,
}

/// What a host said since a place, and the place up to which that is.
#[derive(Debug, Deserialize)]
struct Said {
    text: String,
    place: String,
}

/// Prints what the units and the console of a host said.
pub(super) async fn run(cloud: &LocalCloud, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let mut place = None;
    loop {
        let said = read(cloud, &arguments.host, place.as_deref()).await?;
        anstream::print!("{}", said.text);
        if !arguments.follow {
            return Ok(ExitStatus::Done);
        }
        place = Some(said.place);
        tokio::time::sleep(TURN).await;
    }
}

async fn read(cloud: &LocalCloud, host: &str, place: Option<&str>) -> Result<Said, Failure> {
    let question = serde_json::json!({"host": host, "after": place});
    let answer = cloud.administer(reqwest::Method::POST, "logs", Some(&question)).await?;
    serde_json::from_value(answer).map_err(|error| Failure::new(ExitStatus::Bug, error, None))
}

//! `mock-cloud image build|list|remove` and `mock-cloud clean`: what machine hosts are made of, and what dead clouds left.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{chain, fail};
use crate::image::build::{Built, Wanted};
use crate::image::{DEFAULT, Store, VARIABLE};
use crate::plane;

#[derive(Debug, Args)]
pub(super) struct ImageArguments {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Builds an image unless it is there: a Debian with SSH, and Redis to be installed without a network
    Build(BuildArguments),
    /// Lists the images
    List,
    /// Removes an image that no running cloud uses
    Remove {
        /// Which one
        #[arg(default_value = DEFAULT)]
        name: String,
    },
}

#[derive(Debug, Args)]
struct BuildArguments {
    /// What to call it; machines are made of `debian`
    #[arg(default_value = DEFAULT)]
    name: String,
    /// Release of Debian [default: that of this machine]
    #[arg(long, value_name = "NAME")]
    suite: Option<String>,
    /// Where packages come from [default: as this machine's apt]
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

/// Runs `image ...`.
pub(super) fn run(arguments: ImageArguments) -> ExitCode {
    let store = Store::of_this_machine();
    match arguments.command {
        ImageCommand::Build(wanted) => build(&store, wanted),
        ImageCommand::List => list(&store),
        ImageCommand::Remove { name } => match store.remove(&name) {
            Ok(()) => say(&format!("removed {name}")),
            Err(error) => fail(1, &chain(&error)),
        },
    }
}

fn build(store: &Store, wanted: BuildArguments) -> ExitCode {
    let BuildArguments { name, suite, mirror } = wanted;
    match store.build(&Wanted { name, suite, mirror }, &|line| {
        let _ = say(line);
    }) {
        Ok((image, Built::Now)) => say(&format!("built {} ({})", image.name, image.manifest.suite)),
        Ok((image, Built::Before)) => {
            say(&format!("{} ({}) is there already", image.name, image.manifest.suite))
        }
        Err(error) => fail(1, &chain(&error)),
    }
}

fn list(store: &Store) -> ExitCode {
    let images = store.list();
    if images.is_empty() {
        return say(&format!(
            "no images; `mock-cloud image build` builds one ({VARIABLE} names their folder)"
        ));
    }
    for image in images {
        let remark = if image.is_current() { "" } else { "  of another version: build it again" };
        let built = image.manifest.built.strftime("%Y-%m-%d %H:%M UTC");
        say(&format!("{:<12} {:<10} {built}{remark}", image.name, image.manifest.suite));
    }
    ExitCode::SUCCESS
}

/// Runs `clean`.
pub(super) fn clean() -> ExitCode {
    match plane::clean() {
        Ok(lines) if lines.is_empty() => say("nothing to clean: no dead cloud left anything"),
        Ok(lines) => say(&lines.join("\n")),
        Err(error) => fail(1, &format!("what a dead cloud left cannot be removed: {error}")),
    }
}

fn say(line: &str) -> ExitCode {
    drop(writeln!(std::io::stdout(), "{line}"));
    ExitCode::SUCCESS
}

//! `albatross logs FILE [HOST] [--follow] [--lines N]`

use std::io::Write as _;
use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::sync::mpsc;

use crate::apply::hosts::Patience;
use crate::apply::refresh::Depth;
use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::refresh::get_to_know;
use crate::cli::session::{self, Session, Use};
use crate::cli::ssh::{failed, find};
use crate::cli::topology_file::{Located, TopologyArgument};
use crate::resource::spec::{HostSpec, Spec};
use crate::ssh::{Command, Conversation, SshError};

/// Lines that are under way between a host and the screen.
const UNDER_WAY: usize = 1024;

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyArgument,
    /// The host, by its name in the topology, behind FILE; default: all, each line with its host in front
    host: Option<String>,
    /// Go on with what is said from now on, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// How many of the last lines of each host are shown
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 100)]
    lines: u32,
}

/// Shows the journal of the units that the topology puts on its hosts.
pub(super) async fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let session = session::begin(options, session::load(options, file)?, Use::Look).await?;
    let hosts = match &arguments.host {
        Some(name) => vec![find(&session, name)?],
        None => session.desired.hosts().filter(|host| !units(&session, host).is_empty()).collect(),
    };
    if let [host] = hosts.as_slice()
        && units(&session, host).is_empty()
    {
        return Err(Failure::saying(
            ExitStatus::Usage,
            format!("the topology puts nothing on `{}`", host.instance()),
            "name a host of `node.on` or that of Redis; `albatross ssh FILE HOST` shows everything else",
        ));
    }
    get_to_know(&session, Depth::Cloud).await?;
    let shows_all = async {
        let talks = try_join_all(hosts.iter().map(|host| begin(&session, host, arguments))).await?;
        show(&hosts, talks, arguments.follow).await
    };
    tokio::select! {
        shown = shows_all => shown.map(|()| ExitStatus::Done),
        _ = tokio::signal::ctrl_c() => Ok(ExitStatus::Interrupted),
    }
}

/// The units of ours on a host.
fn units(session: &Session, host: &HostSpec) -> Vec<&'static str> {
    let resources = session.desired.resources.values().filter(|one| one.host() == Some(host.instance()));
    let unit = |spec: &Spec| {
        if let Spec::Redis(_) = spec {
            return Some(crate::deploy::redis::UNIT);
        }
        matches!(spec, Spec::Release(_)).then_some(crate::deploy::node::UNIT)
    };
    resources.filter_map(|resource| unit(&resource.spec)).collect()
}

async fn begin(session: &Session, host: &HostSpec, arguments: &Arguments) -> Result<Conversation, Failure> {
    let mut command = Command::new("journalctl").args(["--no-pager", "-o", "short", "-n"]);
    command = command.arg(arguments.lines.to_string());
    for unit in units(session, host) {
        command = command.args(["-u", unit]);
    }
    if arguments.follow {
        command = command.arg("-f");
    }
    let ssh = session.hosts.session(host, &session.provider.known, Patience::AtOnce).await?;
    ssh.follow(command).await.map_err(failed)
}

/// Prints what comes: host after host, or line by line as it is said while it is followed.
async fn show(hosts: &[&HostSpec], talks: Vec<Conversation>, follow: bool) -> Result<(), Failure> {
    let is_alone = hosts.len() == 1;
    let width = hosts.iter().map(|host| host.instance().as_str().len()).max().unwrap_or(0);
    let prefix = |host: &HostSpec| {
        if is_alone { String::new() } else { format!("{:width$} | ", host.instance().as_str()) }
    };
    let mut readers = Vec::new();
    let (sender, mut lines) = mpsc::channel(UNDER_WAY);
    for (host, talk) in hosts.iter().zip(talks) {
        let (prefix, sender) = (prefix(host), sender.clone());
        readers.push(read(host.instance().to_string(), talk, prefix, sender));
    }
    drop(sender);
    let print = async {
        while let Some(line) = lines.recv().await {
            // A reader that is gone, such as `head`, wants no more.
            if writeln!(anstream::stdout(), "{line}").is_err() {
                return;
            }
        }
    };
    if follow {
        let (ends, ()) = tokio::join!(join_all(readers), print);
        ends.into_iter().collect::<Result<(), SshError>>().map_err(failed)
    } else {
        let one_by_one = async {
            for reader in readers {
                reader.await?;
            }
            Ok::<(), SshError>(())
        };
        let (ended, ()) = tokio::join!(one_by_one, print);
        ended.map_err(failed)
    }
}

/// Hands on what one host says, and tells how that ended.
async fn read(
    host: String,
    talk: Conversation,
    prefix: String,
    lines: mpsc::Sender<String>,
) -> Result<(), SshError> {
    let Conversation { stdio, stderr, sizes, status } = talk;
    let prefix: Arc<str> = prefix.into();
    let said = hand_on(stdio, &prefix, Some(&lines));
    let complained = hand_on(stderr, &prefix, None);
    let (_, complaints) = tokio::join!(said, complained);
    drop((lines, sizes));
    let lost = || SshError::ConnectionLost {
        host: host.clone(),
        what: "reading its journal".to_owned(),
        after: None,
        source: None,
    };
    match status.await.map_err(|_| lost())?? {
        0 => Ok(()),
        exit => Err(SshError::RemoteFailure {
            command: "journalctl".to_owned(),
            exit,
            stderr_tail: complaints.join("\n"),
            host,
        }),
    }
}

/// Sends lines on, or keeps them where nobody is to have them.
async fn hand_on(
    stream: impl AsyncRead + Unpin,
    prefix: &str,
    lines: Option<&mpsc::Sender<String>>,
) -> Vec<String> {
    let mut kept = Vec::new();
    let mut reader = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = reader.next_segment().await {
        let line = String::from_utf8_lossy(&line).into_owned();
        match lines {
            Some(lines) => {
                if lines.send(format!("{prefix}{line}")).await.is_err() {
                    break;
                }
            }
            None => kept.push(line),
        }
    }
    kept
}

//! `albatross init --ci github|gitlab`: writes the file by which a continuous integration proves a topology.

use std::path::Path;

use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::init::write;
use crate::cli::session;

/// The line of the examples that names the topology.
const TOPOLOGY: &str = "TOPOLOGY: \"chatroom.yaml\"";

/// A continuous integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Service {
    /// GitHub Actions: .github/workflows/albatross.yml
    Github,
    /// GitLab CI/CD: .gitlab-ci.yml
    Gitlab,
}

impl Service {
    /// Where it looks for its file.
    fn path(self) -> &'static Path {
        Path::new(match self {
            Self::Github => ".github/workflows/albatross.yml",
            Self::Gitlab => ".gitlab-ci.yml",
        })
    }

    fn example(self) -> &'static str {
        match self {
            Self::Github => include_str!("../../../examples/ci/github.yml"),
            Self::Gitlab => include_str!("../../../examples/ci/gitlab.yml"),
        }
    }
}

/// Writes the file of a service for a topology.
pub(super) fn run(
    options: &GlobalOptions,
    file: &Path,
    service: Service,
    force: bool,
) -> Result<ExitStatus, Failure> {
    let name = name_in_repository(file)?;
    session::load(options, file)?;
    let path = service.path();
    super::refuse_to_replace(path, force)?;
    write(path, &text(service, name)).map_err(|error| {
        Failure::new(ExitStatus::Failed, error, Some("run it in the folder of your repository".to_owned()))
    })?;
    anstream::println!(
        "Wrote {}: it proves {name} on a local cloud, and plans it for reviewers.",
        path.display()
    );
    anstream::println!("Next: set the variables that its first lines name, then commit it.");
    Ok(ExitStatus::Done)
}

/// The path of the topology as the service sees it.
fn name_in_repository(file: &Path) -> Result<&str, Failure> {
    let is_inside = file.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    file.to_str().filter(|_| is_inside).ok_or_else(|| {
        Failure::saying(
            ExitStatus::Usage,
            format!("`{}` is no path inside of this folder", file.display()),
            "run it in the folder of your repository, and name the topology from there: chatroom.yaml",
        )
    })
}

/// The example with this topology. A JSON text is a YAML text, whatever is in it.
fn text(service: Service, topology: &str) -> String {
    let quoted = serde_json::Value::from(topology).to_string();
    service.example().replacen(TOPOLOGY, &format!("TOPOLOGY: {quoted}"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topology_is_named_once_and_quoted() {
        for service in [Service::Github, Service::Gitlab] {
            assert_eq!(service.example().matches(TOPOLOGY).count(), 1, "{service:?}");
            let written = text(service, "rooms/a \"b\".yaml");
            assert!(written.contains(r#"TOPOLOGY: "rooms/a \"b\".yaml""#), "{written}");
        }
    }

    #[test]
    fn only_a_path_inside_of_the_repository_is_taken() {
        assert_eq!(name_in_repository(Path::new("rooms/chat.yaml")).unwrap(), "rooms/chat.yaml");
        for path in ["/chat.yaml", "../chat.yaml", "rooms/../chat.yaml"] {
            assert_eq!(name_in_repository(Path::new(path)).unwrap_err().status, ExitStatus::Usage, "{path}");
        }
    }
}

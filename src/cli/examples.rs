//! What people type: an example or more for the help text of each command.

use clap::{Command, CommandFactory};

use crate::cli::Cli;

/// Columns that a help text may take.
const WIDTH: usize = 80;

/// By the words that name the command.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("", &["albatross --local apply chatroom.yaml", "albatross smoke --quick chatroom.yaml"]),
    (
        "init",
        &[
            "albatross init",
            "albatross init --template chatroom --domain example.org chat.yaml",
            "albatross init --ci github chat.yaml",
        ],
    ),
    ("validate", &["albatross validate chatroom.yaml"]),
    (
        "graph",
        &["albatross graph chatroom.yaml", "albatross graph chatroom.yaml --format svg > chatroom.svg"],
    ),
    ("doctor", &["albatross doctor chatroom.yaml"]),
    ("cost", &["albatross cost chatroom.yaml"]),
    (
        "policy",
        &[
            "albatross policy chatroom.yaml",
            "albatross policy chatroom.yaml --also changes,doctor > policy.json",
        ],
    ),
    (
        "plan",
        &[
            "albatross plan chatroom.yaml",
            "albatross plan chatroom.yaml --diff=full --out chatroom.plan",
            "albatross plan --show chatroom.plan",
        ],
    ),
    (
        "apply",
        &[
            "albatross apply chatroom.yaml",
            "albatross apply --yes chatroom.plan",
            "albatross apply chatroom.yaml --target release.ecs01",
        ],
    ),
    (
        "adopt",
        &["albatross adopt chatroom.yaml", "albatross adopt chatroom.yaml vpc.main=vpc-bp1rvk1juqg3b2ck6exx"],
    ),
    ("deploy", &["albatross deploy chatroom.yaml"]),
    ("rollback", &["albatross rollback chatroom.yaml", "albatross rollback chatroom.yaml 744efd5b82da"]),
    ("releases", &["albatross releases chatroom.yaml"]),
    (
        "verify",
        &[
            "albatross verify chatroom.yaml --quick --disruptive",
            "albatross verify chatroom.yaml --quick --watch=30 --html report.html",
        ],
    ),
    ("status", &["albatross status chatroom.yaml --json"]),
    (
        "outputs",
        &["albatross outputs chatroom.yaml", "albatross outputs chatroom.yaml load_balancer.main.dns_name"],
    ),
    ("state", &["albatross state list chatroom.yaml"]),
    ("state list", &["albatross state list chatroom.yaml"]),
    ("state show", &["albatross state show chatroom.yaml instance.ecs01"]),
    ("state rm", &["albatross state rm chatroom.yaml record.main"]),
    ("state push", &["albatross state push chatroom.yaml"]),
    ("state pull", &["albatross state pull chatroom.yaml"]),
    (
        "ssh",
        &[
            "albatross ssh chatroom.yaml ecs01",
            "albatross ssh chatroom.yaml ecs01 -- systemctl status chat-node",
        ],
    ),
    ("logs", &["albatross logs chatroom.yaml ecs01 --follow --lines 20"]),
    ("destroy", &["albatross destroy chatroom.yaml"]),
    ("unlock", &["albatross unlock chatroom.yaml"]),
    (
        "smoke",
        &[
            "albatross smoke --quick chatroom.yaml",
            "albatross smoke --hosts process --junit smoke.xml chatroom.yaml",
        ],
    ),
    ("explain", &["albatross explain OperationDenied.NoStock", "albatross explain 5"]),
    (
        "schema",
        &[
            "albatross schema --out topology.schema.json",
            "# and as the first line of a topology:",
            "# yaml-language-server: $schema=./topology.schema.json",
        ],
    ),
    (
        "completions",
        &[
            "source <(albatross completions bash)",
            "albatross completions zsh > ~/.zfunc/_albatross",
            "albatross completions fish > ~/.config/fish/completions/albatross.fish",
        ],
    ),
    ("man", &["albatross man | man -l -", "albatross man --into ~/.local/share/man/man1"]),
    ("cloud", &["albatross cloud up", "albatross --local apply chatroom.yaml", "albatross cloud down"]),
    ("cloud up", &["albatross cloud up --hosts machine --pace brisk"]),
    ("cloud status", &["albatross cloud status --json"]),
    ("cloud down", &["albatross cloud down"]),
    ("cloud logs", &["albatross cloud logs ecs01 --follow"]),
    ("cloud fault", &["albatross cloud fault redis-stop ecs03", "albatross cloud fault lift f1"]),
    ("cloud fault list", &["albatross cloud fault list"]),
    ("cloud fault add", &["albatross cloud fault add faults.yaml"]),
    ("cloud fault lift", &["albatross cloud fault lift f1", "albatross cloud fault lift --all"]),
    ("cloud fault reboot", &["albatross cloud fault reboot ecs01 --for 10s"]),
    ("cloud fault freeze", &["albatross cloud fault freeze ecs01 --for 5s"]),
    ("cloud fault disk-full", &["albatross cloud fault disk-full ecs01"]),
    ("cloud fault ssh-cut", &["albatross cloud fault ssh-cut ecs01 --after 64KiB"]),
    ("cloud fault ssh-slow", &["albatross cloud fault ssh-slow ecs01 --rate 4KiB"]),
    ("cloud fault redis-stop", &["albatross cloud fault redis-stop ecs03 --for 30s"]),
    ("cloud fault node-kill", &["albatross cloud fault node-kill ecs01"]),
    ("cloud fault network-cut", &["albatross cloud fault network-cut ecs01 ecs03 --for 10s"]),
    ("cloud fault network-loss", &["albatross cloud fault network-loss ecs01 --percent 20"]),
    ("cloud fault network-delay", &["albatross cloud fault network-delay ecs01 --by 200ms"]),
    ("cloud fault dns-stale", &["albatross cloud fault dns-stale example.com"]),
    ("cloud fault unhealthy", &["albatross cloud fault unhealthy ecs02"]),
];

/// The command line with an example for each command, in the width of a terminal.
pub(super) fn command() -> Command {
    with_examples(Cli::command().max_term_width(WIDTH), "")
}

fn with_examples(command: Command, name: &str) -> Command {
    let inside: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let command = inside.into_iter().fold(command, |command, own| {
        let whole = format!("{name} {own}").trim().to_owned();
        command.mut_subcommand(own, |command| with_examples(command, &whole))
    });
    match EXAMPLES.iter().find(|(own, _)| *own == name) {
        Some((_, lines)) => command.after_help(text(lines)),
        None => command,
    }
}

fn text(lines: &[&str]) -> String {
    let head = if lines.len() == 1 { "Example:" } else { "Examples:" };
    lines.iter().fold(head.to_owned(), |text, line| text + "\n  " + line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All commands by their names, with what `--help` prints.
    fn helps(command: &Command, name: &str) -> Vec<(String, String)> {
        let own = (name.to_owned(), command.clone().render_long_help().to_string());
        let inside = command.get_subcommands().flat_map(|one| {
            let whole = format!("{name} {}", one.get_name());
            helps(one, whole.trim())
        });
        std::iter::once(own).chain(inside).collect()
    }

    fn all() -> Vec<(String, String)> {
        let mut command = command().disable_help_subcommand(true);
        command.build();
        helps(&command, "")
    }

    #[test]
    fn every_command_has_an_example_and_every_example_a_command() {
        let names: Vec<String> = all().into_iter().map(|(name, _)| name).collect();
        let told: Vec<&str> = EXAMPLES.iter().map(|(name, _)| *name).collect();
        let without: Vec<_> = names.iter().filter(|name| !told.contains(&name.as_str())).collect();
        let unknown: Vec<_> = told.iter().filter(|name| !names.iter().any(|own| own == *name)).collect();
        assert!(without.is_empty() && unknown.is_empty(), "without: {without:?}; of nobody: {unknown:?}");
    }

    #[test]
    fn a_help_text_fits_a_terminal_and_ends_with_its_example() {
        for (name, help) in all() {
            let widest = help.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= WIDTH, "{name}: {widest} columns:\n{help}");
            assert!(help.contains("\nExample"), "{name}:\n{help}");
        }
    }

    #[test]
    fn every_example_is_understood() {
        let lines =
            EXAMPLES.iter().flat_map(|(_, lines)| *lines).filter(|line| line.starts_with("albatross"));
        for line in lines {
            let words = line.split([' ']).take_while(|word| !matches!(*word, ">" | "|"));
            let parsed = command().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}

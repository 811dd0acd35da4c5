//! Unit files: what is read from them, and what is ignored.

use std::collections::BTreeMap;
use std::time::Duration;

/// When a service is started again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    /// Never.
    No,
    /// After an unclean end.
    OnFailure,
    /// After any end that was not asked for.
    Always,
}

/// One command of a unit file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) argv: Vec<String>,
    /// Written with a leading `-`: a failure does not matter.
    pub(crate) may_fail: bool,
}

/// A service as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) description: String,
    pub(crate) start: Vec<String>,
    /// `Type=oneshot`: its commands are run one after another, and then it is done.
    pub(crate) is_one_shot: bool,
    /// All of its commands.
    pub(crate) commands: Vec<Line>,
    /// `Type=notify`: it has started when it says so.
    pub(crate) notifies: bool,
    /// How long it may take to say so.
    pub(crate) start_timeout: Duration,
    /// How long it may be silent once it has started.
    pub(crate) watchdog: Option<Duration>,
    pub(crate) before_start: Vec<Line>,
    pub(crate) environment: BTreeMap<String, String>,
    /// Path, and whether it may be missing.
    pub(crate) environment_files: Vec<(String, bool)>,
    pub(crate) working_directory: String,
    pub(crate) restart: Restart,
    pub(crate) restart_delay: Duration,
    pub(crate) kill_signal: i32,
    pub(crate) stop_timeout: Duration,
    pub(crate) wanted_by: Vec<String>,
}

/// Why a unit file cannot be used, in systemd's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadUnit(pub(super) String);

impl Unit {
    /// Reads a unit file.
    ///
    /// # Errors
    /// It has no `ExecStart`, or one that is not an absolute path.
    pub(crate) fn parse(text: &str) -> Result<Self, BadUnit> {
        let mut unit = Self {
            description: String::new(),
            start: Vec::new(),
            is_one_shot: false,
            commands: Vec::new(),
            notifies: false,
            start_timeout: Duration::from_secs(90),
            watchdog: None,
            before_start: Vec::new(),
            environment: BTreeMap::new(),
            environment_files: Vec::new(),
            working_directory: "/".to_owned(),
            restart: Restart::No,
            restart_delay: Duration::from_millis(100),
            kill_signal: 15,
            stop_timeout: Duration::from_secs(90),
            wanted_by: Vec::new(),
        };
        for (section, key, value) in settings(text) {
            unit.set(&section, &key, &value)?;
        }
        match unit.start.first() {
            None => Err(BadUnit("Service has no ExecStart= setting. Refusing.".to_owned())),
            Some(program) if !program.starts_with('/') => {
                Err(BadUnit(format!("Neither a valid executable name nor an absolute path: {program}")))
            }
            Some(_) => Ok(unit),
        }
    }

    fn set(&mut self, section: &str, key: &str, value: &str) -> Result<(), BadUnit> {
        match (section, key) {
            ("Unit", "Description") => value.clone_into(&mut self.description),
            ("Install", "WantedBy") => self.wanted_by.extend(value.split_whitespace().map(str::to_owned)),
            ("Service", "ExecStart") => {
                let line = command(value)?;
                self.start.clone_from(&line.argv);
                self.commands.push(line);
            }
            ("Service", "ExecStartPre") if value.is_empty() => self.before_start.clear(),
            ("Service", "ExecStartPre") => self.before_start.push(command(value)?),
            ("Service", "Environment") => self.environment.extend(assignments(&words(value)?)),
            ("Service", "EnvironmentFile") => {
                let path = value.strip_prefix('-');
                self.environment_files.push((path.unwrap_or(value).to_owned(), path.is_some()));
            }
            ("Service", "WorkingDirectory") => {
                value.trim_start_matches('-').clone_into(&mut self.working_directory);
            }
            ("Service", "Restart") => {
                self.restart = match value {
                    "always" => Restart::Always,
                    "on-failure" | "on-abnormal" | "on-abort" => Restart::OnFailure,
                    _ => Restart::No,
                }
            }
            ("Service", "TimeoutStartSec") => self.start_timeout = span(value).unwrap_or(self.start_timeout),
            ("Service", "WatchdogSec") => self.watchdog = span(value).filter(|span| !span.is_zero()),
            ("Service", "RestartSec") => self.restart_delay = span(value).unwrap_or(self.restart_delay),
            ("Service", "TimeoutStopSec") => self.stop_timeout = span(value).unwrap_or(self.stop_timeout),
            ("Service", "KillSignal") => self.kill_signal = signal_number(value).unwrap_or(15),
            ("Service", "Type") => match value {
                "simple" | "exec" | "idle" => self.notifies = false,
                "notify" | "notify-reload" => self.notifies = true,
                "oneshot" => self.is_one_shot = true,
                _ => return Err(BadUnit(format!("mock host: Type={value} is not understood"))),
            },
            _ => {}
        }
        Ok(())
    }
}

/// `(section, key, value)` of every setting; comments and continued lines as systemd has them.
pub(super) fn settings(text: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut section = String::new();
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once('=') {
            found.push((section.clone(), key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

fn words(value: &str) -> Result<Vec<String>, BadUnit> {
    shlex::split(value).ok_or_else(|| BadUnit(format!("Invalid syntax, ignoring: {value}")))
}

fn command(value: &str) -> Result<Line, BadUnit> {
    let bare = value.trim_start_matches(['-', '+', '!', ':', '@']);
    let may_fail = value[..value.len() - bare.len()].contains('-');
    let argv = words(bare)?.iter().map(|word| plain(word)).collect::<Result<_, _>>()?;
    Ok(Line { argv, may_fail })
}

/// A word of a command in which nothing is put in for anything: `%%` is a percent sign and `$$` a dollar.
fn plain(word: &str) -> Result<String, BadUnit> {
    let mut plain = String::with_capacity(word.len());
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        if "%$".contains(letter) && letters.next() != Some(letter) {
            return Err(BadUnit(format!("mock host: `{letter}` in `{word}` is not understood")));
        }
        plain.push(letter);
    }
    Ok(plain)
}

fn assignments(words: &[String]) -> impl Iterator<Item = (String, String)> {
    words
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// Reads an environment file: `NAME=VALUE` lines, values quoted or not, `#` and `;` comments.
pub(crate) fn environment_file(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), unquoted(value.trim())))
        .collect()
}

fn unquoted(value: &str) -> String {
    let inner = |quote| value.strip_prefix(quote).and_then(|value: &str| value.strip_suffix(quote));
    match (inner('"'), inner('\'')) {
        (Some(inner), _) => unescaped(inner),
        (None, Some(inner)) => inner.to_owned(),
        (None, None) => value.to_owned(),
    }
}

/// What stands in double quotes: a backslash is one unless it stands before one of four characters.
fn unescaped(inner: &str) -> String {
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars().peekable();
    while let Some(letter) = letters.next() {
        let escaped = letters.next_if(|next| letter == '\\' && "\"\\`$".contains(*next));
        plain.push(escaped.unwrap_or(letter));
    }
    plain
}

/// `5`, `5s`, `100ms`, `1min 30s`, `infinity`.
pub(super) fn span(value: &str) -> Option<Duration> {
    if value == "infinity" {
        return Some(Duration::from_secs(u64::from(u32::MAX)));
    }
    let mut total = Duration::ZERO;
    for part in value.split_whitespace() {
        let end = part.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(part.len());
        let number: f64 = part[..end].parse().ok()?;
        let unit = match &part[end..] {
            "" | "s" | "sec" => 1.0,
            "ms" | "msec" => 0.001,
            "us" | "usec" => 0.000_001,
            "m" | "min" => 60.0,
            "h" | "hr" => 3600.0,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(number * unit).ok()?;
    }
    Some(total)
}

/// The signals a unit may name, by name and number.
const SIGNALS: &[(&str, i32)] = &[
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGABRT", 6),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGSEGV", 11),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGTERM", 15),
];

fn signal_number(name: &str) -> Option<i32> {
    let known = SIGNALS.iter().find(|(known, _)| *known == name || known.strip_prefix("SIG") == Some(name));
    known.map(|(_, number)| *number).or_else(|| name.parse().ok())
}

/// The short name of a signal, as systemd logs it.
pub(crate) fn signal_name(number: i32) -> String {
    let known = SIGNALS.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| number.to_string(), |(name, _)| name.trim_start_matches("SIG").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_file_is_read() {
        let unit = Unit::parse(
            "# c\n[Unit]\nDescription=Chat\n[Service]\nExecStart=/opt/x \\\n  --flag 'a b'\nExecStartPre=-/bin/true\n\
             Environment=A=1 \"B=2 3\"\nEnvironmentFile=-/etc/x.env\nRestart=on-failure\nRestartSec=250ms\n\
             KillSignal=SIGINT\nTimeoutStopSec=1min 30s\nType=notify\nTimeoutStartSec=5\nWatchdogSec=20\nNoNewPrivileges=yes\n[Install]\nWantedBy=multi-user.target\n",
        )
        .unwrap();
        assert_eq!(unit.start, ["/opt/x", "--flag", "a b"]);
        assert_eq!(unit.before_start, [Line { argv: vec!["/bin/true".to_owned()], may_fail: true }]);
        assert_eq!(unit.environment["B"], "2 3");
        assert_eq!(unit.environment_files, [("/etc/x.env".to_owned(), true)]);
        assert_eq!((unit.restart, unit.restart_delay), (Restart::OnFailure, Duration::from_millis(250)));
        assert_eq!((unit.kill_signal, unit.stop_timeout), (2, Duration::from_secs(90)));
        assert_eq!((unit.notifies, unit.start_timeout), (true, Duration::from_secs(5)));
        assert_eq!(unit.watchdog, Some(Duration::from_secs(20)));
        assert_eq!(unit.wanted_by, ["multi-user.target"]);
    }

    #[test]
    fn what_is_quoted_is_read_as_it_was_meant() {
        let command =
            |text: &str| Unit::parse(&format!("[Service]\nExecStart={text}\n")).map(|unit| unit.start);
        assert_eq!(command(r#"/a "a \"b\" \\ $$HOME 100%%""#).unwrap(), ["/a", r#"a "b" \ $HOME 100%"#]);
        for text in ["/a %h", "/a $HOME", "/a 100%"] {
            assert!(command(text).is_err(), "{text}");
        }
        let read = environment_file("A=\"a \\\"b\\\" \\\\ \\$x \\n\"\nB='c\\\\'\nC=d\n");
        assert_eq!(read["A"], "a \"b\" \\ $x \\n");
        assert_eq!((read["B"].as_str(), read["C"].as_str()), ("c\\\\", "d"));
    }

    #[test]
    fn a_service_of_one_shot_has_several_commands() {
        let unit = Unit::parse("[Service]\nType=oneshot\nExecStart=-/bin/a 1\nExecStart=/bin/b\n").unwrap();
        let line = |argv: &[&str], may_fail| Line {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            may_fail,
        };
        assert!(unit.is_one_shot);
        assert_eq!(unit.commands, [line(&["/bin/a", "1"], true), line(&["/bin/b"], false)]);
    }

    #[test]
    fn a_unit_without_a_program_is_refused() {
        assert!(Unit::parse("[Service]\nType=simple\n").is_err());
        assert!(Unit::parse("[Service]\nExecStart=relative\n").is_err());
        assert!(Unit::parse("[Service]\nType=forking\nExecStart=/x\n").is_err());
    }

    #[test]
    fn environment_files_may_quote() {
        let read = environment_file("# c\nA=1\nB=\"two \\\"x\\\"\"\nC='three'\n\nbad\n");
        assert_eq!(read["A"], "1");
        assert_eq!(read["B"], "two \"x\"");
        assert_eq!(read["C"], "three");
        assert_eq!(read.len(), 3);
    }
}

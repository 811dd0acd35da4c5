//! What is crashed, where and when: one line that a person can give back to run exactly this again.

use std::fmt;
use std::str::FromStr;

use albatross::base::crash_point::Moment as WriteMoment;
use anyhow::{Context as _, anyhow, bail};

/// A command that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verb {
    /// From nothing.
    Apply,
    /// A setting of the nodes, the idle timeout and the record's TTL.
    Update,
    /// Another instance type for a node that is the jump host of another instance too.
    Replace,
    /// Everything goes.
    Destroy,
}

impl Verb {
    /// In the order in which one stack can live through them.
    pub(crate) const ALL: [Self; 4] = [Self::Apply, Self::Update, Self::Replace, Self::Destroy];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Destroy => "destroy",
        }
    }
}

/// A moment of an effect or of a durable write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Moment {
    /// The caller dies, and it never happens.
    Before,
    /// The caller dies, then it happens, then the command is run again.
    Late,
    /// It happens, the caller dies before it hears of it.
    After,
    /// A moment within a durable write, in the words of `src/base/crash_point`.
    Write(WriteMoment),
}

/// Something a run does, counted from 1 among those of the same key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Site {
    /// `api Vpc.CreateVpc`, `command ecs01 ...`, `upload ecs01 ...`, as the cloud's gates have it.
    Effect { key: String, occurrence: u64 },
    /// `append journal ...`, `replace ...`, `remove ...`, as the program's crash points have it, without the moment.
    Write { key: String, occurrence: u64 },
}

impl Site {
    /// Of a line that the program wrote about a point it passed, and the moment of that.
    pub(crate) fn of_crash_point(line: &str) -> anyhow::Result<(Self, WriteMoment)> {
        let bad = || anyhow!("`{line}` is not a crash point");
        let (name, occurrence) = line.rsplit_once('#').with_context(bad)?;
        let (key, word) = name.rsplit_once(", ").with_context(bad)?;
        let moment = WriteMoment::ALL.into_iter().find(|moment| moment.word() == word).with_context(bad)?;
        Ok((Self::Write { key: key.to_owned(), occurrence: occurrence.parse()? }, moment))
    }
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Effect { key, occurrence } | Self::Write { key, occurrence } => {
                // A key may be a command with a line feed in it, and a point is one line.
                write!(formatter, "{}#{occurrence}", key.replace('\n', "\\n"))
            }
        }
    }
}

/// One crash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Point {
    pub(crate) verb: Verb,
    pub(crate) site: Site,
    pub(crate) moment: Moment,
}

impl Point {
    /// What the program is told to end itself there.
    pub(crate) fn crash_point(&self) -> Option<String> {
        match (&self.site, self.moment) {
            (Site::Write { key, occurrence }, Moment::Write(moment)) => {
                Some(format!("{key}, {}#{occurrence}", moment.word()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::Before => "before",
            Moment::Late => "late",
            Moment::After => "after",
            Moment::Write(moment) => moment.word(),
        };
        write!(formatter, "{} {} {moment}", self.verb.word(), self.site)
    }
}

impl FromStr for Point {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let bad = || format!("`{text}` is not VERB SITE#OCCURRENCE MOMENT, as a failure prints it");
        let (verb, rest) = text.trim().split_once(' ').with_context(bad)?;
        let (site, word) = rest.rsplit_once(' ').with_context(bad)?;
        let (key, occurrence) = site.rsplit_once('#').with_context(bad)?;
        let (key, occurrence) = (key.replace("\\n", "\n"), occurrence.parse().with_context(bad)?);
        let verb = Verb::ALL.into_iter().find(|known| known.word() == verb).with_context(bad)?;
        if ["append ", "replace ", "remove "].iter().any(|kind| key.starts_with(kind)) {
            let found = WriteMoment::ALL.into_iter().find(|moment| moment.word() == word);
            let moment = Moment::Write(found.with_context(bad)?);
            return Ok(Self { verb, site: Site::Write { key, occurrence }, moment });
        }
        let moment = match word {
            "before" => Moment::Before,
            "late" => Moment::Late,
            "after" => Moment::After,
            _ => bail!(bad()),
        };
        Ok(Self { verb, site: Site::Effect { key, occurrence }, moment })
    }
}

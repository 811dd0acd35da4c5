//! What each command does when nobody disturbs it: every effect and every durable write, and the end it comes to.
//!
//! Two recordings are made, one of a single stack that lives through all commands, one of a new stack for each
//! command. Both must come to the same ends. What only one of them did depends on chance (how often a service was
//! asked whether it is up) and is left out by name.

use std::collections::{BTreeMap, BTreeSet};

use albatross::base::crash_point::Moment as WriteMoment;
use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;

use crate::canonical::{self, difference};
use crate::point::{Moment, Point, Site, Verb};
use crate::programs::Programs;
use crate::recount::Recount;
use crate::stage::{Stage, finish};

/// Who is killed between a write and its sync leaves the very file that is left after the sync: the bytes are with the
/// system by then, and only the system's own end could lose them. One kill stands for both.
const ONE_WITH_THE_NEXT: WriteMoment = WriteMoment::Written;

/// The end of an undisturbed command.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    /// In canonical form.
    pub(crate) world: String,
    /// What it made, and what is left.
    pub(crate) recount: Recount,
}

/// All that can be crashed, and what should come of it.
#[derive(Debug)]
pub(crate) struct Recording {
    /// In the order of the commands, and within one in that of their names.
    pub(crate) points: Vec<Point>,
    /// What was not done in both recordings, a line each.
    pub(crate) left_out: Vec<String>,
    references: BTreeMap<Verb, Reference>,
}

impl Recording {
    pub(crate) async fn make(programs: &Programs) -> anyhow::Result<Self> {
        let (lived, alone) = tokio::try_join!(one_life(programs), alone(programs))?;
        let mut recording = Self { points: Vec::new(), left_out: Vec::new(), references: BTreeMap::new() };
        for verb in Verb::ALL {
            let (lived, alone) = (&lived[&verb], &alone[&verb]);
            let difference = difference(&alone.reference.world, &lived.reference.world);
            ensure!(
                difference.is_empty(),
                "two undisturbed runs of {} come to different ends:\n{difference}",
                verb.word()
            );
            ensure!(
                alone.reference.recount == lived.reference.recount,
                "two undisturbed runs of {} make different things",
                verb.word()
            );
            recording.points.extend(lived.points.intersection(&alone.points).cloned());
            recording.left_out.extend(lived.points.symmetric_difference(&alone.points).map(Point::to_string));
            recording.references.insert(verb, lived.reference.clone());
        }
        Ok(recording)
    }

    pub(crate) fn reference(&self, verb: Verb) -> &Reference {
        &self.references[&verb]
    }
}

#[derive(Debug)]
struct Recorded {
    points: BTreeSet<Point>,
    reference: Reference,
}

async fn one_life(programs: &Programs) -> anyhow::Result<BTreeMap<Verb, Recorded>> {
    let stage = Stage::new(programs).await?;
    let mut all = BTreeMap::new();
    for verb in Verb::ALL {
        all.insert(verb, record(&stage, verb).await?);
    }
    Ok(all)
}

async fn alone(programs: &Programs) -> anyhow::Result<BTreeMap<Verb, Recorded>> {
    let each = Verb::ALL.map(async |verb| {
        let stage = Stage::new(programs).await?;
        stage.prepare(verb).await?;
        anyhow::Ok((verb, record(&stage, verb).await?))
    });
    Ok(try_join_all(each).await?.into_iter().collect())
}

async fn record(stage: &Stage, verb: Verb) -> anyhow::Result<Recorded> {
    let before = Recount::of(&stage.cloud.calls().await?);
    let list = stage.file("crash-points");
    stage.cloud.count_anew().await?;
    let mut command = stage.verb(verb)?;
    let ran = finish(command.env("ALBATROSS_CRASH_POINTS_TO", &list).spawn()?).await?;
    ensure!(ran.status.success(), "an undisturbed {} failed:\n{}", verb.word(), ran.said);
    let mut points = BTreeSet::new();
    for effect in stage.cloud.effects().await? {
        let site = Site::Effect { key: effect.key, occurrence: effect.occurrence };
        for moment in [Moment::Before, Moment::Late, Moment::After] {
            points.insert(Point { verb, site: site.clone(), moment });
        }
    }
    let passed = std::fs::read_to_string(&list).context("the program lists its crash points")?;
    for line in passed.lines() {
        let (site, moment) = Site::of_crash_point(line)?;
        if moment == ONE_WITH_THE_NEXT {
            continue;
        }
        points.insert(Point { verb, site, moment: Moment::Write(moment) });
    }
    std::fs::remove_file(&list)?;
    let recount = Recount::of(&stage.cloud.calls().await?).since(&before);
    Ok(Recorded { points, reference: Reference { world: settled(stage).await?, recount } })
}

/// The canonical world once it stays the same: what a load balancer made by itself goes a little later than it.
async fn settled(stage: &Stage) -> anyhow::Result<String> {
    let mut last = canonical::world(stage).await?;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let now = canonical::world(stage).await?;
        if now == last {
            return Ok(now);
        }
        last = now;
    }
}

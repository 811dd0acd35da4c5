//! Shows a plan as people know it from Terraform: signs, reasons, counts last. The JSON has the same values.

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::base::bucket::BucketLocation;
use crate::base::ids::{RegionId, StackName};
use crate::base::{clock, expiry};
use crate::cli::events::{self, Line};
use crate::cli::render::{about, count};
use crate::cli::say;
use crate::plan::action::{Action, Change};
use crate::plan::drift::Drift;
use crate::plan::forecast::{Forecast, forecast};
use crate::plan::note::{DiskThatStays, LaterType};
use crate::plan::order::orders;
use crate::plan::rollout::gaps;
use crate::plan::{Plan, Step, Summary};
use crate::resource::observed::Output;
use crate::resource::settings::REDIRECT_CODE;
use crate::resource::spec::{CertificateOrigin, EXPIRES, Peer, RedisAccess, Spec};
use crate::resource::{Kind, tags};

/// Shows the plan that will be carried out, to people and to programs.
pub(crate) fn announce(plan: &Plan, state: Option<&BucketLocation>) {
    tell(plan);
    say::narrate(|| print(plan, state));
}

/// Prints a plan of a stack whose state is in a bucket, or in none.
pub(crate) fn print(plan: &Plan, state: Option<&BucketLocation>) {
    let shown: Vec<&Step> = plan.steps.iter().filter(|step| step.action != Action::Keep).collect();
    anstream::println!("Stack {} in {}", plan.stack, plan.region);
    super::drift::print(&plan.drift);
    if shown.is_empty() && plan.left_out.is_empty() {
        anstream::println!("\n{}", no_changes(plan));
        print_notes(plan);
        return;
    }
    anstream::println!();
    let width = shown.iter().map(|step| step.address.to_string().len()).max().unwrap_or(0);
    let orders = orders(plan);
    for step in &shown {
        let glyph = orders.get(&step.address).map_or(step.action.glyph(), |order| order.glyph());
        print_step(step, glyph, width);
    }
    if !plan.left_out.is_empty() {
        print_left_out(&plan.left_out, !shown.is_empty());
    }
    anstream::println!("\nPlan: {}.", summary_words(plan.summary(), Tense::Future));
    // A plan whose steps wait for each other has no forecast; apply refuses it with the reason.
    if let Ok(forecast) = forecast(plan) {
        anstream::println!("{}", expectation(&forecast, state));
    }
    print_notes(plan);
}

/// What is said of a plan that changes nothing.
pub(crate) fn no_changes(plan: &Plan) -> String {
    format!("No changes: {} as the topology says.", count(plan.summary().keep, "resource"))
}

/// What is said of a plan that was made true.
pub(crate) fn done(plan: &Plan) -> String {
    format!("Done: {}.", summary_words(plan.summary(), Tense::Past))
}

/// `Expect about 62 calls (27 that change something) and 4 minutes.` How often a bucket is written to follows from how
/// long things take, so nobody can tell before.
fn expectation(forecast: &Forecast, state: Option<&BucketLocation>) -> String {
    let (calls, changes) = (count(forecast.calls(), "call"), forecast.changes());
    let verb = if changes == 1 { "changes" } else { "change" };
    let beside = state.map(|bucket| format!(", not counting calls to {bucket}")).unwrap_or_default();
    format!("Expect about {calls} ({changes} that {verb} something) and {}{beside}.", about(forecast.takes()))
}

/// What a selection leaves out: what it is about, but not every field.
fn print_left_out(steps: &[Step], follows: bool) {
    let line = if follows { "\n" } else { "" };
    anstream::println!("{line}Left out, so the result may be partial:");
    for step in steps {
        let style = style(&step.action).dimmed();
        anstream::println!("{style}{:>3} {}{style:#}", step.action.glyph(), step.address);
    }
}

/// What is no change and worth knowing.
fn print_notes(plan: &Plan) {
    for note in &plan.older_images {
        anstream::println!("note: {note}");
    }
    print_expiry(plan);
    for note in DiskThatStays::find(&plan.steps) {
        anstream::println!("note: {note}");
    }
    for note in LaterType::find(&plan.steps) {
        anstream::println!("note: {note}");
    }
    for release in gaps(plan) {
        anstream::println!("note: {release} is on the only node: clients wait while it is restarted");
    }
}

/// When instances go by themselves, and what is paid after that.
fn print_expiry(plan: &Plan) {
    let stays = |step: &&Step| !step.action.removes() && !step.action.changes_field(EXPIRES);
    let ends = plan.steps.iter().filter(stays).filter_map(|step| {
        let end = step.current.as_ref()?.outputs.get(&Output::ReleaseTime)?;
        Some((&step.address, end, expiry::left(end, clock::now())?))
    });
    for (address, end, left) in ends {
        anstream::println!("note: {address} is released at {end}, in {left}");
    }
    let lives = |step: &Step| match &step.spec {
        Some(Spec::Instance(spec)) => spec.expires.is_some(),
        _ => false,
    };
    let paid = |step: &&Step| match (&step.spec, step.address.kind) {
        (Some(spec), Kind::LoadBalancer) => spec.existing().is_none(),
        (Some(Spec::Instance(spec)), _) => {
            spec.expires.is_none() || spec.data_disks.iter().any(|disk| !disk.delete_with_instance)
        }
        (Some(_), Kind::RedisInstance) => true,
        (Some(_) | None, _) => false,
    };
    if plan.steps.iter().any(lives) {
        let paid: Vec<String> = plan.steps.iter().filter(paid).map(|step| step.address.to_string()).collect();
        if !paid.is_empty() {
            anstream::println!(
                "note: when instances have gone by themselves, these are paid on until `destroy`: {}",
                paid.join(", ")
            );
        }
    }
}

fn print_step(step: &Step, glyph: &str, width: usize) {
    let style = style(&step.action);
    let address = step.address.to_string();
    let line = format!("{glyph:>3} {address:width$}  {}", remark(step));
    anstream::println!("{style}{}{style:#}", line.trim_end());
    for change in step.action.changes() {
        let reason = change.reason(step.address.kind);
        let why = reason.map(|reason| format!("  # forces replacement: {reason}")).unwrap_or_default();
        let shown = |value: &str| if value.is_empty() { "(none)".to_owned() } else { value.to_owned() };
        anstream::println!("      {}: {} -> {}{why}", change.field, shown(&change.from), shown(&change.to));
    }
    if step.action == Action::Create && !step.tags.is_empty() {
        let tags = step.tags.iter().map(|(key, value)| format!("{key}={}", tags::shown(value)));
        anstream::println!("      tags: {}", tags.collect::<Vec<_>>().join(", "));
    }
}

fn remark(step: &Step) -> String {
    match &step.action {
        Action::Create => step.spec.as_ref().map(describe).unwrap_or_default(),
        Action::Unknown(reason) => format!("unknown until apply: {reason}"),
        Action::Delete if step.address.is_deposed() => "was replaced".to_owned(),
        Action::Update(_) | Action::Replace(_) | Action::Delete => {
            step.current.as_ref().map(|current| current.id.to_string()).unwrap_or_default()
        }
        Action::Keep => String::new(),
    }
}

/// What is made, in a few words.
fn describe(spec: &Spec) -> String {
    match spec {
        Spec::Vpc(vpc) => vpc.cidr.map(|cidr| cidr.to_string()).unwrap_or_default(),
        Spec::VSwitch(vswitch) => format!("{} in {}", vswitch.cidr, vswitch.zone),
        Spec::SecurityGroup(_) => "all instances".to_owned(),
        Spec::SecurityRule(rule) => match &rule.from {
            Peer::Range(range) => format!("{} from {range}", rule.flow),
            Peer::Instance(name) => format!("{} from instance.{name}", rule.flow),
        },
        Spec::KeyPair(_) => "the operator's SSH key".to_owned(),
        Spec::Instance(instance) => {
            let disks =
                instance.data_disks.iter().map(|disk| format!(", disk {} {} GiB", disk.name, disk.size));
            let first = instance.types.first().map_or("", String::as_str);
            let lives = instance.expires.map(|time| format!(", released after {}", expiry::words(time)));
            format!("{first} {}{}{}", instance.image, disks.collect::<String>(), lives.unwrap_or_default())
        }
        Spec::HostKey(_) => "SSH host key, read through the Cloud Assistant and pinned".to_owned(),
        Spec::Redis(redis) => format!("port {}, {} MiB", redis.port, redis.max_memory),
        Spec::RedisInstance(redis) => format!(
            "{} {}, version {}, port {}, for {}",
            redis.series.word(),
            redis.class,
            redis.engine,
            redis.port,
            redis.allow_list()
        ),
        Spec::RedisAccount(account) => format!("{}, with a password of its own", account.name),
        Spec::LoadBalancer(balancer) => {
            format!("{} {}, {}", balancer.edition, balancer.address_type, count(balancer.zones.len(), "zone"))
        }
        Spec::ServerGroup(group) => format!("health check HEAD {}", group.health_path),
        Spec::Release(release) => {
            let what = if release.app.is_some() { "app" } else { "chat node" };
            let redis = match &release.redis {
                RedisAccess::OnHost { instance, .. } => format!(", Redis on {instance}"),
                RedisAccess::Managed(_) => ", managed Redis".to_owned(),
                RedisAccess::Absent => String::new(),
            };
            format!("{what} on port {}{redis}", release.port)
        }
        Spec::Server(server) => format!("port {}", server.port),
        Spec::Listener(listener) => format!(
            "{} {}, idle timeout {} s, request timeout {} s",
            listener.protocol, listener.port, listener.idle_timeout, listener.request_timeout
        ),
        Spec::Certificate(certificate) => match certificate.origin {
            CertificateOrigin::SelfSigned => format!("self-signed, for {}", certificate.name),
            CertificateOrigin::Brought(_) => format!("uploaded, for {}", certificate.name),
        },
        Spec::ListenerRule(rule) => {
            format!("every request: {REDIRECT_CODE} to https on port {}", rule.port)
        }
        Spec::Record(record) => format!("CNAME {} of {}, TTL {} s", record.host, record.domain, record.ttl),
    }
}

/// Whether a plan is ahead or behind us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tense {
    /// It would be carried out.
    Future,
    /// It has been.
    Past,
}

/// `22 to create, 1 to update`, or `22 created, 1 updated`; what there is none of is left out.
pub(crate) fn summary_words(summary: Summary, tense: Tense) -> String {
    let words = match tense {
        Tense::Future => {
            ["to create", "to update", "to replace", "to delete", "unknown until apply", "left out"]
        }
        Tense::Past => ["created", "updated", "replaced", "deleted", "brought up to date", "left out"],
    };
    let Summary { create, update, replace, delete, unknown, left_out, keep: _ } = summary;
    let numbers = [create, update, replace, delete, unknown, left_out];
    let parts = numbers.into_iter().zip(words);
    let words: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    if words.is_empty() { "nothing to do".to_owned() } else { words.join(", ") }
}

fn style(action: &Action) -> Style {
    match action {
        Action::Create => AnsiColor::Green.on_default(),
        Action::Update(_) => AnsiColor::Yellow.on_default(),
        Action::Replace(_) | Action::Delete => AnsiColor::Red.on_default(),
        Action::Unknown(_) => AnsiColor::Cyan.on_default(),
        Action::Keep => Style::new(),
    }
}

/// The plan as JSON.
pub(crate) fn to_json(plan: &Plan) -> Value {
    let orders = orders(plan);
    let change = |kind: Kind, change: &Change| {
        let mut value = json!(change);
        value["reason"] = json!(change.reason(kind));
        value
    };
    let step = |step: &Step| {
        json!({
            "address": step.address,
            "action": step.action.word(),
            "id": step.current.as_ref().map(|current| current.id.to_string()),
            "order": orders.get(&step.address),
            "changes": step.action.changes().iter().map(|one| change(step.address.kind, one)).collect::<Vec<_>>(),
            "reason": match &step.action {
                Action::Unknown(reason) => Some(reason),
                Action::Create | Action::Update(_) | Action::Replace(_) | Action::Delete | Action::Keep => None,
            },
            "depends_on": step.depends_on,
            "spec": step.spec,
            "tags": step.tags,
        })
    };
    json!({
        "version": 1,
        "stack": plan.stack,
        "region": plan.region,
        "has_changes": plan.has_changes(),
        "summary": plan.summary(),
        "older_images": plan.older_images,
        "disks_that_stay": DiskThatStays::find(&plan.steps),
        "later_types": LaterType::find(&plan.steps),
        "without_a_node": gaps(plan),
        "forecast": forecast(plan).ok().map(|forecast| foretold(&forecast)),
        "steps": plan.steps.iter().map(step).collect::<Vec<_>>(),
        "left_out": plan.left_out.iter().map(step).collect::<Vec<_>>(),
        "drift": plan.drift.resources,
        "foreign": plan.drift.foreign,
    })
}

/// Tells programs what will be done.
fn tell(plan: &Plan) {
    // A plan whose steps wait for each other has no forecast; apply refuses it with the reason.
    let Ok(forecast) = forecast(plan) else { return };
    events::tell(&Line::Plan {
        stack: &plan.stack,
        region: &plan.region,
        changes: plan.summary(),
        operations: forecast.operations.len(),
        calls: forecast.calls(),
        expected_seconds: forecast.takes(),
        partly_guessed: forecast.is_partly_guessed(),
    });
}

/// What others have changed, as JSON, without a plan.
pub(crate) fn drift_to_json(stack: &StackName, region: &RegionId, drift: &Drift) -> Value {
    json!({
        "version": 1,
        "stack": stack,
        "region": region,
        "drift": drift.resources,
        "foreign": drift.foreign,
    })
}

fn foretold(forecast: &Forecast) -> Value {
    let on_path = |index: &usize| {
        let one = &forecast.operations[*index];
        json!({"address": one.address, "verb": one.verb})
    };
    json!({
        "calls": forecast.calls(),
        "changing_calls": forecast.changes(),
        "seconds": forecast.takes().as_secs(),
        "partly_guessed": forecast.is_partly_guessed(),
        "critical_path": forecast.path.iter().map(on_path).collect::<Vec<Value>>(),
        "operations": forecast.operations,
    })
}

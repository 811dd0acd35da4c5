//! Stock and images: whether every instance can have one of its types, with its disk and its image.

use std::collections::BTreeMap;

use crate::base::ids::InstanceName;
use crate::cloud::catalogue::{self, Offer, Stock};
use crate::cloud::error::CloudError;
use crate::cloud::vpc::Selection;
use crate::cloud::{disks, ecs};
use crate::doctor::report::{CheckId, Finding};
use crate::doctor::visit::{Visit, listed, unanswered};
use crate::resource::ownership::STACK_TAG;
use crate::topology::model::Instance;

/// Zones that sell a type, by type.
type Offers = BTreeMap<String, BTreeMap<String, Offer>>;

/// Instances that want the same.
struct Group<'a> {
    names: Vec<&'a InstanceName>,
    instance: &'a Instance,
    zone: &'a str,
}

/// Whether every instance that is not there yet can have one of its types in its zone.
pub(super) async fn stock(visit: &mut Visit<'_>) -> Vec<Finding> {
    if let Err(error) = note_those_there(visit).await {
        return vec![unanswered(CheckId::Stock, &error)];
    }
    let groups = groups(visit);
    if groups.is_empty() {
        return vec![Finding::ok(CheckId::Stock, "all instances are there already")];
    }
    let mut offers = Offers::new();
    let mut findings = Vec::new();
    for group in groups {
        match choose(visit, &mut offers, &group).await {
            Ok((chosen, finding)) => {
                findings.push(finding);
                for (name, chosen) in group.names.iter().zip(std::iter::repeat(chosen)) {
                    visit.chosen.extend(chosen.map(|chosen| ((*name).clone(), chosen)));
                }
            }
            Err(error) => findings.push(unanswered(CheckId::Stock, &error)),
        }
    }
    note_types(visit).await;
    findings
}

async fn note_those_there(visit: &mut Visit<'_>) -> Result<(), CloudError> {
    let topology = visit.topology();
    let found = ecs::instances(visit.client, Selection::Tag(STACK_TAG, topology.stack.as_str())).await?;
    let names = found.into_iter().map(|instance| InstanceName::new(instance.instance_name));
    visit.there = names.filter(|name| topology.instances.contains_key(name)).collect();
    Ok(())
}

/// Instances that are not there, put together where they want the same types in the same zone.
fn groups<'a>(visit: &Visit<'a>) -> Vec<Group<'a>> {
    let topology = visit.topology();
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (name, instance) in &topology.instances {
        let Some(vswitch) = topology.vswitches.get(&instance.vswitch) else { continue };
        if visit.there.contains(name) {
            continue;
        }
        let zone = vswitch.zone.as_str();
        let same = |group: &&mut Group<'_>| {
            group.zone == zone
                && group.instance.types == instance.types
                && group.instance.disk == instance.disk
                && group.instance.disk_options == instance.disk_options
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.names.push(name),
            None => groups.push(Group { names: vec![name], instance, zone }),
        }
    }
    groups
}

/// The first type of the list that the zone has, as apply would take it.
async fn choose(
    visit: &Visit<'_>,
    offers: &mut Offers,
    group: &Group<'_>,
) -> Result<(Option<String>, Finding), CloudError> {
    let zone = group.zone;
    let mut passed = Vec::new();
    for name in &group.instance.types {
        if !offers.contains_key(name) {
            offers.insert(name.clone(), offers_of(visit, name).await?);
        }
        let stock = offers[name].get(zone).map_or(Stock::Out, |offer| offer.stock);
        if stock == Stock::Out {
            passed.push(name.as_str());
            continue;
        }
        let finding = match wrong_disk(visit, group, name).await? {
            Some(finding) => finding,
            None => in_stock(group, name, &passed, stock),
        };
        return Ok((Some(name.clone()), finding));
    }
    Ok((None, sold_out(group, offers)))
}

/// Zones that sell a type; a type the cloud does not know is sold nowhere.
async fn offers_of(visit: &Visit<'_>, name: &str) -> Result<BTreeMap<String, Offer>, CloudError> {
    match catalogue::instance_type(visit.client, name).await {
        Err(error) if error.code().is_some_and(|code| code.contains("InstanceType")) => Ok(BTreeMap::new()),
        outcome => outcome,
    }
}

/// A finding when the type takes no disk of the kind and size that apply would ask for.
async fn wrong_disk(visit: &Visit<'_>, group: &Group<'_>, name: &str) -> Result<Option<Finding>, CloudError> {
    let own = group.instance.disk_options.category.as_deref();
    let (category, size) = (own.unwrap_or_else(|| disks::disk_category(name)), group.instance.disk);
    let offer = catalogue::system_disk(visit.client, name, category, group.zone).await?;
    let offer = offer.filter(|offer| offer.stock != Stock::Out);
    let sizes = offer.as_ref().and_then(|offer| offer.sizes);
    let names = listed(group.names.iter().map(|name| name.as_str()));
    if offer.is_none() {
        let sentence = format!("{names}: {name} takes no {category} system disk in {}", group.zone);
        let declared = &group.instance.declared;
        let next = match own {
            None => format!("write another type first under `instances.{declared}.types`"),
            Some(_) => format!("write another category under `instances.{declared}.disk`, or another type"),
        };
        return Ok(Some(Finding::fail(CheckId::Stock, sentence, next)));
    }
    let Some((least, most)) = sizes.filter(|(least, most)| size < *least || size > *most) else {
        return Ok(None);
    };
    let sentence = format!("{names}: a {category} system disk has {least} to {most} GiB, not {size}");
    let next = format!("write for example `disk: {}` for {names}", least.max(40).min(most));
    Ok(Some(Finding::fail(CheckId::Stock, sentence, next)))
}

fn in_stock(group: &Group<'_>, chosen: &str, passed: &[&str], stock: Stock) -> Finding {
    let names = listed(group.names.iter().map(|name| name.as_str()));
    let mut sentence = format!("{names}: {chosen} is in stock in {}", group.zone);
    if !passed.is_empty() {
        sentence = format!("{sentence}; {} before it is not", listed(passed));
    }
    if stock == Stock::Low {
        let next = format!(
            "write more types under `instances.{}.types`, in case it sells out",
            group.instance.declared
        );
        return Finding::warn(CheckId::Stock, format!("{sentence}, nearly sold out"), next);
    }
    Finding::ok(CheckId::Stock, sentence)
}

fn sold_out(group: &Group<'_>, offers: &Offers) -> Finding {
    let names = listed(group.names.iter().map(|name| name.as_str()));
    let types = listed(&group.instance.types);
    let elsewhere: Vec<String> = group
        .instance
        .types
        .iter()
        .filter_map(|name| {
            let zones = offers.get(name)?.iter().filter(|(_, offer)| offer.stock != Stock::Out);
            let zones: Vec<&str> = zones.map(|(zone, _)| zone.as_str()).collect();
            (!zones.is_empty()).then(|| format!("{name} in {}", listed(zones)))
        })
        .collect();
    let next = if elsewhere.is_empty() {
        format!(
            "write other types under `instances.{}.types`; no zone of the region has these",
            group.instance.declared
        )
    } else {
        format!(
            "write another zone for vSwitch `{}`, or other types under `instances.{}.types`; in stock: {}",
            group.instance.vswitch,
            group.instance.declared,
            elsewhere.join("; ")
        )
    };
    Finding::fail(CheckId::Stock, format!("{names}: {} has no {types} left", group.zone), next)
}

/// Architecture and processors of the chosen types, or why they are not known.
async fn note_types(visit: &mut Visit<'_>) {
    let mut names: Vec<String> = visit.chosen.values().cloned().collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return;
    }
    for names in names.chunks(10) {
        match catalogue::instance_types(visit.client, names).await {
            Ok(types) => visit.types.extend(
                types
                    .into_iter()
                    .map(|one| (one.instance_type_id, (one.cpu_architecture, one.cpu_core_count))),
            ),
            Err(error) => visit.types_refused = Some(error),
        }
    }
}

/// Whether every image family has an image that fits the chosen types and the disks.
pub(super) async fn images(visit: &Visit<'_>) -> Vec<Finding> {
    let mut users: BTreeMap<&str, Vec<(&InstanceName, &Instance)>> = BTreeMap::new();
    for (name, instance) in &visit.topology().instances {
        users.entry(&instance.image).or_default().push((name, instance));
    }
    let mut findings = Vec::new();
    for (family, users) in users {
        findings.push(match catalogue::newest_image(visit.client, family).await {
            Ok(Some(image)) => judge_image(visit, family, &image, &users),
            Ok(None) => Finding::fail(
                CheckId::Image,
                format!("there is no image of the family {family} in {}", visit.topology().region),
                "write another `image`, or leave it out for `acs:alibaba_cloud_linux_3_2104_lts_x64`; \
                 `aliyun ecs DescribeImages --ImageOwnerAlias system` lists them",
            ),
            Err(error) => unanswered(CheckId::Image, &error),
        });
    }
    findings
}

fn judge_image(
    visit: &Visit<'_>,
    family: &str,
    image: &catalogue::Image,
    users: &[(&InstanceName, &Instance)],
) -> Finding {
    let wanted = if image.architecture == "arm64" { "ARM" } else { "X86" };
    for (name, instance) in users {
        if instance.disk < image.size {
            return Finding::fail(
                CheckId::Image,
                format!(
                    "{name}: its disk of {} GiB is smaller than {}, {} GiB",
                    instance.disk, image.image_id, image.size
                ),
                format!("write `disk: {}` or more for {name}", image.size.max(40)),
            );
        }
        let Some(chosen) = visit.chosen.get(*name) else { continue };
        let other = visit.types.get(chosen).filter(|(own, _)| !own.is_empty() && own != wanted);
        if let Some((own, _)) = other {
            return Finding::fail(
                CheckId::Image,
                format!("{name}: {} is for {wanted}, {chosen} is {own}", image.image_id),
                format!(
                    "write an `image` for {own} or another type for {name}; names of families end with `_x64` or `_arm64`"
                ),
            );
        }
    }
    let found = format!("{family} is {}", image.image_id);
    match not_compared(visit, image, users) {
        None => Finding::ok(CheckId::Image, found),
        Some(reason) => Finding {
            sentence: format!(
                "{found}; whether it is for the instances' processors is not known: {}",
                reason.sentence
            ),
            ..reason
        },
    }
}

/// Why the architecture of an image was not compared with that of each type it is for; none when it was.
fn not_compared(
    visit: &Visit<'_>,
    image: &catalogue::Image,
    users: &[(&InstanceName, &Instance)],
) -> Option<Finding> {
    let because = |reason: String| Some(Finding::not_asked(CheckId::Image, reason));
    let users = || users.iter().map(|(name, _)| *name).filter(|name| !visit.there.contains(*name));
    let open = visit.without_type();
    let open: Vec<&str> = users().filter(|name| open.contains(name)).map(InstanceName::as_str).collect();
    if !open.is_empty() {
        return because(format!("the type of {} is not, see `{}`", listed(open), CheckId::Stock.name()));
    }
    let architecture =
        |name| visit.chosen.get(name).and_then(|chosen| visit.types.get(chosen)).map_or("", |(own, _)| own);
    if users().all(|name| !architecture(name).is_empty()) {
        let is_silent = image.architecture.is_empty() && users().next().is_some();
        return if is_silent { because("the cloud does not say for which it is".to_owned()) } else { None };
    }
    match &visit.types_refused {
        Some(error) => Some(unanswered(CheckId::Image, error)),
        None => because("the cloud does not say which the types have".to_owned()),
    }
}

//! The tables hold together: each code once, each documented, each with a next step that names something.

use std::collections::BTreeSet;

use super::*;
use crate::base::ids::RegionId;
use crate::cloud::call::Call;

fn entries() -> impl Iterator<Item = &'static Explanation> {
    AREAS.iter().flat_map(|area| area.entries)
}

#[test]
fn every_code_is_documented_and_explained_once() {
    let mut seen = BTreeSet::new();
    for code in entries().flat_map(|entry| entry.codes) {
        assert!(seen.insert(code), "{code} is explained twice");
        assert!(!documented::sources(code).is_empty(), "nothing documents {code}");
    }
    assert!(seen.len() > 150, "only {} codes are explained", seen.len());
}

#[test]
fn the_documented_codes_are_all_read() {
    let lines = include_str!("documented.txt").lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(documented::all().len(), lines, "a code stands twice or a line is empty");
    for (code, sources) in documented::all() {
        assert!(!sources.is_empty(), "{code} has no source");
    }
    let unfair = documented::sources("OperationDenyed.ServiceLinkedRoleNotExist");
    let wanted =
        documented::Source::Action { product: "Alb", action: "CreateLoadBalancer", statuses: vec![400] };
    assert_eq!(unfair, [wanted]);
}

#[test]
fn nearly_every_documented_code_has_a_family() {
    let without: Vec<_> = documented::all().keys().filter(|code| find(code).is_none()).collect();
    let all = documented::all().len();
    assert!(without.len() * 10 < all, "{} of {all} codes have none: {without:?}", without.len());
}

#[test]
fn sentences_keep_to_their_form() {
    for entry in entries().chain(families::ENTRIES) {
        let Explanation { codes, means, why, next } = entry;
        assert!(means.starts_with(|letter: char| letter.is_lowercase()), "{codes:?}: {means}");
        assert!(!means.ends_with('.') && !next.ends_with('.'), "{codes:?}");
        assert!(why.ends_with('.'), "{codes:?}: {why}");
        let filled = entry.next_in_general();
        assert!(!filled.contains(['{', '}', '|']), "{codes:?}: {filled}");
    }
}

#[test]
fn a_hint_names_the_resource_the_permission_and_where_to_read_on() {
    let region = RegionId::new("cn-hangzhou");
    let call = Call::new(Product::Ecs, "RunInstances").with("InstanceType", "ecs.e-c1m2.large");
    let subject = Subject::of(&call, &region);
    let told = hint(Product::Ecs, "RunInstances", "OperationDenied.NoStock", &subject).unwrap();
    assert!(told.contains("`ecs.e-c1m2.large`"), "{told}");
    assert!(told.ends_with("(more: `albatross explain OperationDenied.NoStock`)"), "{told}");

    let told = hint(Product::Ecs, "RunInstances", "Forbidden.RAM", &subject).unwrap();
    assert!(told.contains("allows `ecs:RunInstances`"), "{told}");
    let named = subject.clone().with_permission(Some("ram:PassRole".to_owned()));
    let told = hint(Product::Ecs, "RunInstances", "NoPermission", &named).unwrap();
    assert!(told.contains("allows `ram:PassRole`"), "{told}");

    let told = hint(Product::Vpc, "CreateVpc", "QuotaExceeded.SomethingNew", &subject).unwrap();
    assert!(told.contains("`cn-hangzhou`") && !told.contains("explain"), "{told}");
    assert_eq!(hint(Product::Vpc, "CreateVpc", "Strange", &subject), None);
}

#[test]
fn permissions_carry_the_prefix_ram_knows() {
    let needed = |product| permission::of(product, "X");
    let prefixes = [
        (Product::Sts, "sts:X"),
        (Product::Vpc, "vpc:X"),
        (Product::Ecs, "ecs:X"),
        (Product::Alb, "alb:X"),
        (Product::Alidns, "alidns:X"),
        (Product::RKvstore, "kvstore:X"),
        (Product::Cas, "yundun-cert:X"),
    ];
    for (product, permission) in prefixes {
        assert_eq!(needed(product), permission);
    }
}

//! Orders of generated changes: a model of the world carries each plan out and refuses what a cloud would refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::plan::graph::Operation;
use crate::plan::order::{Order, orders};

/// What of the chatroom may be one way or the other.
#[derive(Debug, Clone)]
struct Shape {
    vpc: usize,
    ranges: usize,
    zones: usize,
    names: usize,
    machines: Vec<Machine>,
    redis: usize,
    node_port: u16,
    listener: (usize, u16),
    certificate: usize,
    redirect: usize,
    address: usize,
    edition: usize,
    host: usize,
}

#[derive(Debug, Clone)]
struct Machine {
    vswitch: usize,
    is_public: bool,
    kind: usize,
    disk: u32,
}

const VPCS: [&str; 2] = ["192.168.0.0/16", "192.168.0.0/17"];
/// The second overlaps the first, the third exchanges it, the last has nothing to do with it.
const RANGES: [[&str; 2]; 4] = [
    ["192.168.0.0/24", "192.168.1.0/24"],
    ["192.168.0.0/25", "192.168.1.0/24"],
    ["192.168.1.0/24", "192.168.0.0/24"],
    ["192.168.8.0/24", "192.168.9.0/24"],
];
const CERTIFICATES: [&str; 3] =
    ["1-cn-hangzhou", "{ self_signed: true }", "{ file: chain.pem, key: key.pem }"];
/// The last is where the listener may be.
const REDIRECTS: [Option<u16>; 3] = [None, Some(80), Some(5000)];
const ZONES: [[&str; 2]; 2] = [["h", "i"], ["i", "h"]];
const NAMES: [[&str; 2]; 2] = [["a", "b"], ["a", "c"]];

fn machine() -> impl Strategy<Value = Machine> {
    (0..2_usize, any::<bool>(), 0..2_usize, prop_oneof![Just(40_u32), Just(60)])
        .prop_map(|(vswitch, is_public, kind, disk)| Machine { vswitch, is_public, kind, disk })
}

fn shape() -> impl Strategy<Value = Shape> {
    let network = (0..VPCS.len(), 0..RANGES.len(), 0..ZONES.len(), 0..NAMES.len());
    let service = (0..2_usize, prop_oneof![Just(5000_u16), Just(5001)]);
    let listener = (0..2_usize, prop_oneof![Just(443_u16), Just(5000)]);
    let secure = (0..CERTIFICATES.len(), 0..REDIRECTS.len());
    let front = (listener, 0..2_usize, 0..2_usize, 0..2_usize, secure);
    let machines = prop::collection::vec(machine(), 3..6);
    (network, machines, service, front).prop_map(|(network, machines, service, front)| Shape {
        vpc: network.0,
        ranges: network.1,
        zones: network.2,
        names: network.3,
        machines,
        redis: service.0,
        node_port: service.1,
        listener: front.0,
        certificate: front.4.0,
        redirect: front.4.1,
        address: front.1,
        edition: front.2,
        host: front.3,
    })
}

impl Shape {
    fn yaml(&self) -> String {
        let names = NAMES[self.names];
        let mut text = format!(
            "stack: chatroom\nregion: cn-hangzhou\nnetwork:\n  vpc: {{ cidr: {} }}\n  vswitches:\n",
            VPCS[self.vpc]
        );
        let rows = names.iter().zip(ZONES[self.zones]).zip(RANGES[self.ranges]);
        for ((name, zone), range) in rows {
            let _ = writeln!(text, "    {name}: {{ zone: cn-hangzhou-{zone}, cidr: {range} }}");
        }
        text.push_str("ssh: { allow_from: [203.0.113.0/24] }\ninstances:\n");
        for (number, machine) in self.machines.iter().enumerate() {
            // The first is the way to the others.
            let reach = if machine.is_public || number == 0 { "access: public" } else { "via: ecs01" };
            let kind = ["ecs.c7.large", "ecs.g7.large"][machine.kind];
            let _ = writeln!(
                text,
                "  ecs0{}: {{ vswitch: {}, {reach}, types: [{kind}], disk: {} }}",
                number + 1,
                names[machine.vswitch],
                machine.disk
            );
        }
        let redis = self.machines.len() - self.redis;
        let nodes: Vec<String> = (1..=self.machines.len())
            .filter(|number| *number != redis)
            .map(|number| format!("ecs0{number}"))
            .collect();
        let (protocol, port) = (["http", "https"][self.listener.0], self.listener.1);
        let is_secure = protocol == "https";
        let certificate = Some(CERTIFICATES[self.certificate]).filter(|_| is_secure);
        let certificate = certificate.map(|one| format!(", certificate: {one}")).unwrap_or_default();
        let redirect = REDIRECTS[self.redirect].filter(|from| is_secure && *from != port);
        let redirect = redirect.map(|from| format!("  redirect_from: {from}\n")).unwrap_or_default();
        let _ = write!(
            text,
            "redis: {{ on: ecs0{redis} }}\nnode: {{ on: [{}], port: {} }}\nload_balancer:\n  address: {}\n  \
             edition: {}\n  listener: {{ protocol: {protocol}, port: {port}{certificate} }}\n{redirect}dns: \
             {{ domain: example.com, host: {} }}\n",
            nodes.join(", "),
            self.node_port,
            ["internet", "intranet"][self.address],
            ["basic", "standard"][self.edition],
            ["chat", "room"][self.host],
        );
        text
    }
}

/// What an earlier command deposed and did not live to remove.
fn leave_behind(observed: &mut Observed, earlier: &Observed, left: &BTreeSet<Kind>) {
    for (address, found) in &earlier.resources {
        if !left.contains(&address.kind) {
            continue;
        }
        let renamed = |text: &String| text.replace("id-", "old-");
        let mut old = Observation::new(CloudId::new(renamed(&found.id.to_string())));
        old.fields = found.fields.iter().map(|(name, value)| (name.clone(), renamed(value))).collect();
        observed.resources.insert(address.deposed(&old.id), old);
    }
}

/// One thing of the world.
#[derive(Debug, Clone)]
struct Thing {
    address: ResourceAddress,
    stands_on: BTreeSet<String>,
    fields: BTreeMap<String, String>,
}

/// What is on a machine has the machine's id; here each thing needs one of its own.
fn key(address: &ResourceAddress, id: &CloudId) -> String {
    if Kind::ON_MACHINES.contains(&address.kind) {
        format!("{} on {id}", address.kind.word())
    } else {
        id.to_string()
    }
}

/// Carries a plan out, one operation after another.
struct World {
    things: BTreeMap<String, Thing>,
    made: usize,
}

impl World {
    fn of(observed: &Observed) -> Self {
        let mut world = Self { things: BTreeMap::new(), made: 0 };
        for (address, found) in &observed.resources {
            let ids = observed.resources.iter().map(|(address, one)| key(address, &one.id));
            let said: BTreeSet<String> =
                found.fields.values().flat_map(|value| value.split(',').map(str::to_owned)).collect();
            let mut stands_on: BTreeSet<String> = ids.filter(|id| said.contains(id)).collect();
            if Kind::ON_MACHINES.contains(&address.kind) {
                let machine = observed.resources.iter().find(|(one, _)| {
                    one.kind == Kind::Instance
                        && one.name == address.name
                        && one.is_deposed() == address.is_deposed()
                });
                stands_on.extend(machine.map(|(_, found)| found.id.to_string()));
            }
            let fields = found.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            world
                .things
                .insert(key(address, &found.id), Thing { address: address.clone(), stands_on, fields });
        }
        world
    }

    /// The key of what is at an address.
    fn current(&self, address: &ResourceAddress) -> Option<&str> {
        self.things.iter().find(|(_, thing)| thing.address == *address).map(|(id, _)| id.as_str())
    }

    fn count(&self, kind: Kind) -> usize {
        self.things.values().filter(|thing| thing.address.kind == kind).count()
    }

    fn remove(&mut self, id: &str) -> Result<(), String> {
        let thing = self.things.remove(id).ok_or_else(|| format!("{id} is not there"))?;
        let above = self.things.values().find(|other| other.stands_on.contains(id));
        match above {
            Some(other) => Err(format!("{} stands on {} ({id})", other.address, thing.address)),
            None => Ok(()),
        }
    }

    fn put(&mut self, operation: &Operation, step: &Step) -> Result<(), String> {
        let address = &step.address;
        let replaced = step.current.as_ref().filter(|_| operation.order == Some(Order::NewFirst));
        if let Some(old) = replaced {
            for moved in address.with_what_it_takes() {
                for thing in self.things.values_mut().filter(|thing| thing.address == moved) {
                    thing.address = moved.deposed(&old.id);
                }
            }
        }
        let spec = step.spec.as_ref().ok_or("nothing to put")?;
        let (mut stands_on, mut fields) = (BTreeSet::new(), BTreeMap::new());
        for (field, wanted) in spec.wanted() {
            match wanted {
                Wanted::Exactly(value) => {
                    fields.insert(field.to_owned(), value);
                }
                Wanted::OneOf(values) => {
                    fields.insert(field.to_owned(), values[0].clone());
                }
                Wanted::Outputs(addresses, Output::Id | Output::CertificateId) => {
                    let mut ids = Vec::new();
                    for one in addresses {
                        let id = self.current(&one).ok_or_else(|| format!("{address} needs {one}"))?;
                        stands_on.insert(id.to_owned());
                        ids.push(id.to_owned());
                    }
                    fields.insert(field.to_owned(), ids.join(","));
                }
                Wanted::Outputs(addresses, _) => {
                    for one in addresses {
                        self.current(&one).ok_or_else(|| format!("{address} needs {one}"))?;
                    }
                }
                Wanted::Computed => {}
            }
        }
        if Kind::ON_MACHINES.contains(&address.kind) {
            let machine = self.current(&address.on_same_machine(Kind::Instance));
            stands_on.insert(machine.ok_or_else(|| format!("{address} has no machine"))?.to_owned());
        }
        for redis in spec.redis() {
            self.current(&redis).ok_or_else(|| format!("{address} needs {redis}"))?;
        }
        self.refuse_what_clashes(address, &fields)?;
        let id = match self.current(address) {
            Some(id) if !step.action.makes_new() => id.to_owned(),
            Some(id) => return Err(format!("{address} is there already: {id}")),
            None => {
                self.made += 1;
                format!("new-{}", self.made)
            }
        };
        self.things.insert(id, Thing { address: address.clone(), stands_on, fields });
        Ok(())
    }

    fn refuse_what_clashes(
        &self,
        address: &ResourceAddress,
        fields: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let others = self
            .things
            .values()
            .filter(|other| other.address.kind == address.kind && other.address != *address);
        for other in others {
            let same = |name: &str| other.fields.get(name) == fields.get(name);
            let range = |fields: &BTreeMap<String, String>| fields["cidr"].parse::<ipnet::Ipv4Net>().unwrap();
            let clash = match address.kind {
                Kind::VSwitch => {
                    let (one, two) = (range(fields), range(&other.fields));
                    same("vpc") && (one.contains(&two) || two.contains(&one))
                }
                Kind::Listener => same("load_balancer") && same("port"),
                Kind::Record => same("name"),
                Kind::Server => same("group") && same("instance") && same("port"),
                Kind::Vpc
                | Kind::SecurityGroup
                | Kind::KeyPair
                | Kind::Instance
                | Kind::HostKey
                | Kind::SecurityRule
                | Kind::Redis
                | Kind::RedisInstance
                | Kind::RedisAccount
                | Kind::LoadBalancer
                | Kind::ServerGroup
                | Kind::Release
                | Kind::Certificate
                | Kind::ListenerRule => false,
            };
            if clash {
                return Err(format!("{address} cannot stand beside {}", other.address));
            }
        }
        Ok(())
    }
}

/// Carries a plan out in the order it gives.
fn carry_out(plan: &Plan, observed: &Observed) -> Result<World, String> {
    let mut world = World::of(observed);
    let order = operations(plan).map_err(|cycle| cycle.to_string())?;
    let goes_on = plan.steps.iter().any(|step| step.spec.is_some());
    let all_new_first = goes_on && orders(plan).values().all(|order| *order == Order::NewFirst);
    for (index, operation) in order.iter().enumerate() {
        if operation.after.iter().any(|before| *before >= index) {
            return Err(format!("{} comes before what it waits for", operation.address));
        }
        let step = plan.step(&operation.step).ok_or("no step")?;
        let serving = [Kind::Server, Kind::Listener, Kind::Record].map(|kind| world.count(kind) > 0);
        match operation.verb {
            Verb::Put => world.put(operation, step)?,
            Verb::Delete => {
                let id = key(&step.address, &step.current.as_ref().ok_or("nothing to delete")?.id);
                let at = world.things.get(&id).map(|thing| thing.address.clone());
                let deposed_later = Some(operation.address.successor()) == at;
                if at.as_ref() != Some(&operation.address) && !deposed_later {
                    return Err(format!("{id} is at {at:?}, not at {}", operation.address));
                }
                world.remove(&id)?;
            }
        }
        let still = [Kind::Server, Kind::Listener, Kind::Record].map(|kind| world.count(kind) > 0);
        if all_new_first && serving.iter().zip(still).any(|(before, after)| *before && !after) {
            return Err(format!("nobody serves after {:?} {}", operation.verb, operation.address));
        }
    }
    Ok(world)
}

fn kinds() -> impl Strategy<Value = BTreeSet<Kind>> {
    let groups = [
        vec![],
        vec![Kind::Instance, Kind::HostKey, Kind::Release, Kind::Server],
        vec![Kind::LoadBalancer, Kind::Listener, Kind::ListenerRule],
        vec![Kind::Certificate],
        vec![Kind::Record],
        vec![Kind::SecurityRule],
        Kind::ALL.to_vec(),
    ];
    prop::sample::select(groups.to_vec()).prop_map(|kinds| kinds.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_change_of_the_chatroom_has_an_order_that_a_cloud_accepts(
        earlier in shape(), before in shape(), after in shape(), left in kinds()
    ) {
        let before = topology(&before.yaml());
        let mut observed = as_applied(&before);
        leave_behind(&mut observed, &as_applied(&topology(&earlier.yaml())), &left);
        let after = topology(&after.yaml());
        let plan = plan_of(&after, &observed);
        let world = carry_out(&plan, &observed).map_err(TestCaseError::fail)?;
        let there: BTreeSet<String> = world.things.values().map(|thing| thing.address.to_string()).collect();
        let wanted: BTreeSet<String> = desired_of(&after).resources.keys().map(ToString::to_string).collect();
        prop_assert_eq!(there, wanted);
    }

    #[test]
    fn everything_can_be_destroyed_in_order(earlier in shape(), before in shape(), left in kinds()) {
        let before = topology(&before.yaml());
        let mut observed = as_applied(&before);
        leave_behind(&mut observed, &as_applied(&topology(&earlier.yaml())), &left);
        let plan = make_destroy(&before.stack, &before.region, &observed);
        let world = carry_out(&plan, &observed).map_err(TestCaseError::fail)?;
        prop_assert!(world.things.is_empty());
    }
}

fn order_of(before: &str, after: &str, address: &str) -> Order {
    let plan = plan_of(&topology(after), &as_applied(&topology(before)));
    orders(&plan)[&address.parse::<ResourceAddress>().unwrap()]
}

#[test]
fn the_new_one_comes_first_wherever_two_can_stand_side_by_side() {
    let moved = CHATROOM.replace("cidr: 192.168.1.0/24", "cidr: 192.168.9.0/24");
    for address in ["vswitch.b", "instance.ecs02", "release.ecs02", "load_balancer.main", "listener.main"] {
        assert_eq!(order_of(CHATROOM, &moved, address), Order::NewFirst, "{address}");
    }
    let listens = CHATROOM.replace("    port: 5000", "    port: 5001");
    assert_eq!(order_of(CHATROOM, &listens, "listener.main"), Order::NewFirst);
    let smaller = CHATROOM.replace("ecs03: { vswitch: a,", "ecs03: { vswitch: a, disk: 20,");
    assert_eq!(order_of(CHATROOM, &smaller, "redis.ecs03"), Order::NewFirst);
}

#[test]
fn what_cannot_stand_beside_the_old_one_waits_for_it_with_what_is_on_it() {
    let smaller = CHATROOM.replace("cidr: 192.168.1.0/24", "cidr: 192.168.1.0/25");
    for address in ["vswitch.b", "instance.ecs02", "host_key.ecs02", "release.ecs02", "server.ecs02"] {
        assert_eq!(order_of(CHATROOM, &smaller, address), Order::OldFirst, "{address}");
    }
    let elsewhere = smaller.replace("ecs02: { vswitch: b", "ecs02: { vswitch: a");
    assert_eq!(order_of(CHATROOM, &elsewhere, "vswitch.b"), Order::OldFirst);
    assert_eq!(order_of(CHATROOM, &elsewhere, "instance.ecs02"), Order::NewFirst);
    let secure = CHATROOM.replace("protocol: http", "protocol: https\n    certificate: 1-cn-hangzhou");
    assert_eq!(order_of(CHATROOM, &secure, "listener.main"), Order::OldFirst);
}

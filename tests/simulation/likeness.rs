//! The world without what differs from run to run: ids become addresses, times and serial numbers go. And what a
//! topology says that world must be, worked out from the topology alone.

use std::collections::BTreeMap;

use albatross::topology::model::{Persistence, Protocol, Reach, RedisPlace, Topology};
use mock_cloud::world::World;
use mock_cloud::world::meta::Meta;

use crate::command::PUBLIC_KEY;
use crate::region::State;
use crate::subject::{STACK, address};

/// One line a resource. A second resource with an address has a line of its own, so that it is seen.
pub(crate) type Likeness = BTreeMap<String, String>;

/// What there is of the stack, and whatever is nobody's.
pub(crate) fn of_stack(state: &State) -> Likeness {
    let mut drawing = Drawing { world: &state.world, lines: Likeness::new() };
    drawing.network();
    drawing.machines(state);
    drawing.service();
    drawing.lines
}

/// What others have, to the last field.
pub(crate) fn of_others(world: &World) -> Likeness {
    let mut lines = Likeness::new();
    macro_rules! add {
        ($($map:ident),*) => {$(
            for (id, own) in world.$map.iter().filter(|(_, own)| is_others(&own.meta)) {
                lines.insert(format!("{id:?}"), format!("{own:?}"));
            }
        )*};
    }
    add!(vpcs, vswitches, security_groups, instances, server_groups, load_balancers, listeners, key_pairs);
    for (id, record) in world.records.iter().filter(|(_, record)| record.host == "mail") {
        lines.insert(id.clone(), format!("{record:?}"));
    }
    lines
}

/// Tag of what was there before the stack.
pub(crate) const OTHERS: &str = "others";

fn is_others(meta: &Meta) -> bool {
    meta.tags.contains_key(OTHERS)
}

struct Drawing<'w> {
    world: &'w World,
    lines: Likeness,
}

impl Drawing<'_> {
    fn add(&mut self, meta: &Meta, id: &str, line: String) {
        if is_others(meta) {
            return;
        }
        let name = address(meta).map_or_else(|| format!("orphan {id}"), str::to_owned);
        let tags = meta.tags.iter().filter(|(key, _)| !key.starts_with("albatross:"));
        self.line(name, id, line + &tag_words(tags));
    }

    fn line(&mut self, name: String, id: &str, line: String) {
        if self.lines.contains_key(&name) {
            self.lines.insert(format!("{name} again as {id}"), line);
        } else {
            self.lines.insert(name, line);
        }
    }

    fn name(&self, id: &str) -> String {
        let world = self.world;
        let meta = world
            .vpcs
            .get(id)
            .map(|own| &own.meta)
            .or_else(|| world.vswitches.get(id).map(|own| &own.meta))
            .or_else(|| world.security_groups.get(id).map(|own| &own.meta))
            .or_else(|| world.instances.get(id).map(|own| &own.meta))
            .or_else(|| world.load_balancers.get(id).map(|own| &own.meta))
            .or_else(|| world.server_groups.get(id).map(|own| &own.meta))
            .or_else(|| world.listeners.get(id).map(|own| &own.meta))
            .or_else(|| world.certificate(id).map(|own| &own.meta));
        meta.and_then(address).map_or_else(|| format!("not ours: {id}"), str::to_owned)
    }

    fn network(&mut self) {
        let world = self.world;
        for (id, own) in &world.vpcs {
            self.add(&own.meta, id, format!("{} {:?}", own.cidr, own.status));
        }
        for (id, own) in &world.vswitches {
            let line = format!("{} {} {} {:?}", self.name(&own.vpc), own.zone, own.cidr, own.status);
            self.add(&own.meta, id, line);
        }
        for (id, own) in world.security_groups.iter().filter(|(_, own)| own.managed_by.is_none()) {
            self.add(&own.meta, id, self.name(&own.vpc));
            if is_others(&own.meta) {
                continue;
            }
            for rule in &own.rules {
                let at = &rule.permission;
                let source = self.machine_at(&at.source_cidr).unwrap_or_else(|| at.source_cidr.clone());
                let line = format!("{} {} {source}", at.protocol, at.port_range);
                let name = rule.description.replace(&format!("albatross.{STACK}."), "");
                self.line(name, &rule.id, line);
            }
        }
        for ((_, name), own) in &world.key_pairs {
            self.add(&own.meta, name, own.public_key.clone());
        }
    }

    /// The machine with a private address.
    fn machine_at(&self, range: &str) -> Option<String> {
        let address = range.trim_end_matches("/32");
        let found = self.world.instances.values().find(|own| own.private_address.to_string() == address)?;
        Some(self.name(&found.id))
    }

    fn machines(&mut self, state: &State) {
        for (id, own) in &self.world.instances {
            let exposure = if own.public_address.is_some() { "public" } else { "private" };
            let of_it = self.world.disks.values().filter(|disk| disk.instance.as_ref() == Some(id));
            let disks: Vec<String> = of_it.map(|disk| disk.size.to_string()).collect();
            let home = self.name(&own.vswitch);
            let line = format!("{home} {exposure} {:?} {} GiB", own.status, disks.join(" and "));
            self.add(&own.meta, id, line);
            let pinned = own.meta.tags.contains_key(albatross::resource::ownership::HOST_KEY_TAG);
            let name = self.name(id).replace("instance.", "");
            if pinned {
                self.line(format!("host_key.{name}"), id, "pinned".to_owned());
            }
            let Some(machine) = state.machines.get(id) else { continue };
            if machine.record.is_some() {
                self.line(format!("redis.{name}"), id, machine.redis_words());
            }
            if let Some(release) = &machine.release {
                let settings = &release.settings;
                let redis = self.machine_at(&settings.redis_host).unwrap_or_default();
                let active = machine.node_word(&state.machines);
                let (port, ping) = (settings.port, settings.ping_interval.as_secs());
                let line = format!("{port} to {redis}:{} ping {ping} {active}", settings.redis_port);
                self.line(format!("release.{name}"), id, line);
            }
        }
    }

    fn service(&mut self) {
        let world = self.world;
        for (id, own) in &world.load_balancers {
            let mut vswitches: Vec<String> = own.zones.iter().map(|zone| self.name(&zone.vswitch)).collect();
            vswitches.sort();
            let line =
                format!("{} {} {:?} in {}", own.edition, own.address_type, own.status, vswitches.join(" "));
            self.add(&own.meta, id, line);
        }
        for (id, own) in &world.server_groups {
            let line = format!("{} {} {:?}", self.name(&own.vpc), own.health_check.path, own.status);
            self.add(&own.meta, id, line);
            for server in own.servers.iter().filter(|_| !is_others(&own.meta)) {
                let name = self.name(&server.id).replace("instance.", "server.");
                self.line(name, &server.key(), format!("{} {:?}", server.port, server.status));
            }
        }
        for (id, own) in &world.listeners {
            let certificate = own.certificates.first().map(|one| format!(" with {}", self.name(one)));
            let certificate = certificate.unwrap_or_default();
            let line = format!(
                "{} {} to {} idle {} {:?}{certificate}",
                own.protocol,
                own.port,
                self.name(&own.server_group),
                own.idle_timeout,
                own.status
            );
            self.add(&own.meta, id, line);
        }
        for (id, own) in world.certificates.iter().filter(|(_, own)| !own.deleted) {
            self.add(&own.meta, &id.to_string(), own.leaf.alternative_names.join(" "));
        }
        for (id, own) in &world.rules {
            let line = format!("{} in {} {:?}", own.priority, self.name(&own.listener), own.status);
            self.add(&own.meta, id, line);
        }
        for (id, own) in world.records.iter().filter(|(_, own)| own.host != "mail") {
            let to = world.load_balancers.values().find(|balancer| balancer.dns_name == own.value);
            let to = to.map_or_else(|| own.value.clone(), |balancer| self.name(&balancer.id));
            let line = format!("{} {} {} {to} {}", own.host, own.kind, own.ttl, own.remark);
            self.line("record.main".to_owned(), id, line);
        }
    }
}

/// Tags beside those by which a resource is known.
fn tag_words<'t>(tags: impl Iterator<Item = (&'t String, &'t String)>) -> String {
    tags.fold(String::new(), |words, (key, value)| words + " " + key + "=" + value)
}

/// What a topology says that there must be.
pub(crate) fn wanted(topology: &Topology) -> Likeness {
    let mut lines = Likeness::new();
    let tagged = ["vpc", "vswitch", "security_group", "key_pair", "load_balancer", "server_group"];
    let of_all = tag_words(topology.tags.iter());
    let mut add = |name: String, line: String| {
        let has_tags = tagged.iter().any(|kind| name.split('.').next() == Some(kind));
        let line = if has_tags { line + &of_all } else { line };
        drop(lines.insert(name, line));
    };
    add("vpc.main".to_owned(), "192.168.0.0/16 Available".to_owned());
    for (name, own) in &topology.vswitches {
        add(format!("vswitch.{name}"), format!("vpc.main {} {} Available", own.zone, own.cidr));
    }
    add("security_group.main".to_owned(), "vpc.main".to_owned());
    add("key_pair.main".to_owned(), PUBLIC_KEY.to_owned());
    for range in &topology.ssh.allow_from {
        let name = range.to_string().replace('/', "-");
        add(format!("security_rule.ssh-{name}"), format!("TCP 22/22 {range}"));
    }
    let (port, redis) = (topology.node.port, &topology.redis);
    for name in &topology.load_balancer.vswitches {
        let range = topology.vswitches[name].cidr;
        add(format!("security_rule.node-{name}"), format!("TCP {port}/{port} {range}"));
    }
    for (name, own) in &topology.instances {
        let exposure = if own.reach == Reach::Public { "public" } else { "private" };
        let tags = tag_words(own.tags.iter());
        add(
            format!("instance.{name}"),
            format!("vswitch.{} {exposure} Running {} GiB{tags}", own.vswitch, own.disk),
        );
        add(format!("host_key.{name}"), "pinned".to_owned());
    }
    let RedisPlace::OnHost(hosted) = &redis.place else {
        unreachable!("the simulation has Redis on machines")
    };
    let persistence = match hosted.persistence {
        Persistence::None => "None",
        Persistence::AppendOnly => "AppendOnly",
    };
    let line = format!("{} {} {persistence} active", redis.port, hosted.max_memory);
    add(format!("redis.{}", hosted.on), line);
    let ping = topology.node.ping_interval.count();
    for name in &topology.node.on {
        let rule = format!("TCP {0}/{0} instance.{name}", redis.port);
        add(format!("security_rule.redis-{name}"), rule);
        let line = format!("{port} to instance.{}:{} ping {ping} serves", hosted.on, redis.port);
        add(format!("release.{name}"), line);
        add(format!("server.{name}"), format!("{port} Available"));
    }
    let mut vswitches: Vec<String> =
        topology.load_balancer.vswitches.iter().map(|name| format!("vswitch.{name}")).collect();
    vswitches.sort();
    add("load_balancer.main".to_owned(), format!("Basic Internet Active in {}", vswitches.join(" ")));
    add("server_group.main".to_owned(), "vpc.main /healthz Available".to_owned());
    let listener = &topology.load_balancer.listener;
    let idle = listener.idle_timeout.count();
    let (protocol, certificate) = match listener.protocol {
        Protocol::Http => ("HTTP", ""),
        Protocol::Https => ("HTTPS", " with certificate.main"),
    };
    let line = |protocol, port| format!("{protocol} {port} to server_group.main idle {idle} Running");
    add("listener.main".to_owned(), line(protocol, listener.port) + certificate);
    if listener.protocol == Protocol::Https {
        add("certificate.main".to_owned(), topology.dns.full_name());
    }
    if let Some(port) = topology.load_balancer.redirect_from {
        add("listener.redirect".to_owned(), line("HTTP", port));
        add("listener_rule.redirect".to_owned(), "1 in listener.redirect Available".to_owned());
    }
    let dns = &topology.dns;
    let line = format!("{} CNAME {} load_balancer.main albatross.{STACK}", dns.host, dns.ttl);
    add("record.main".to_owned(), line);
    lines
}

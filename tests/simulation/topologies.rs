//! Topologies that a seed writes, and changes of them.

use albatross::topology::{self, model::Topology};

use crate::draw;

/// What a topology is written from: as small as possible, so that a change of one choice is a change of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choices {
    vswitches: Vec<VSwitch>,
    instances: Vec<Machine>,
    redis: usize,
    nodes: Vec<usize>,
    port: u16,
    redis_port: u16,
    max_memory: u32,
    append_only: bool,
    ping_interval: u32,
    idle_timeout: u32,
    listener_port: u16,
    /// With a certificate that is made for it.
    is_https: bool,
    /// From a port of its own; only with https.
    redirects: bool,
    ttl: u32,
    host: &'static str,
    login_ranges: Vec<&'static str>,
    /// Of all resources.
    tags: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct VSwitch {
    zone: usize,
    /// Bits of its range that are its own; a change of them cannot stand beside the old range.
    prefix: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Machine {
    vswitch: usize,
    via: Option<usize>,
    disk: u32,
    /// One of its own.
    tag: Option<&'static str>,
}

const TAGS: [&[(&str, &str)]; 4] =
    [&[], &[("team", "chat")], &[("team", "platform"), ("stage", "live")], &[("stage", "test")]];
const LETTERS: [&str; 3] = ["a", "b", "c"];
const ZONES: [&str; 3] = ["cn-hangzhou-h", "cn-hangzhou-i", "cn-hangzhou-j"];
const RANGES: [&str; 3] = ["203.0.113.0/24", "198.51.100.7/32", "192.0.2.128/25"];

impl Choices {
    /// Those of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let number = |question: &str, least, most| {
            usize::try_from(draw::within(seed, question, least, most)).expect("small")
        };
        let zones = number("zones", 2, 3);
        // Most topologies are small: what goes wrong in large ones nearly always goes wrong in small ones.
        let count = number("instances", 2, if draw::happens(seed, "many", 15) { 8 } else { 3 });
        let machine = |index: usize| {
            let via = (index > 0 && draw::happens(seed, &format!("via {index}"), 40))
                .then(|| number(&format!("jump host of {index}"), 0, index as u64 - 1));
            Machine {
                vswitch: number(&format!("vswitch {index}"), 0, zones as u64 - 1),
                via,
                disk: *draw::one(seed, &format!("disk {index}"), &[40, 40, 60]),
                tag: None,
            }
        };
        let redis = number("redis", 0, count as u64 - 1);
        let mut nodes: Vec<usize> =
            (0..count).filter(|index| draw::happens(seed, &format!("node {index}"), 60)).collect();
        if nodes.is_empty() {
            nodes.push(number("the node", 0, count as u64 - 1));
        }
        Self {
            vswitches: (0..zones).map(|zone| VSwitch { zone, prefix: 24 }).collect(),
            instances: (0..count).map(machine).collect(),
            redis,
            nodes,
            port: *draw::one(seed, "port", &[5000, 8080]),
            redis_port: *draw::one(seed, "redis port", &[6379, 6380]),
            max_memory: *draw::one(seed, "memory", &[256, 64]),
            append_only: draw::happens(seed, "append-only", 50),
            ping_interval: *draw::one(seed, "ping", &[10, 20]),
            idle_timeout: *draw::one(seed, "idle", &[60, 90]),
            listener_port: *draw::one(seed, "listener", &[5000, 80]),
            is_https: draw::happens(seed, "https", 30),
            redirects: draw::happens(seed, "redirect", 60),
            ttl: 600,
            host: if draw::happens(seed, "host", 50) { "@" } else { "chat" },
            login_ranges: RANGES[..number("ranges", 1, 2)].to_vec(),
            tags: draw::one(seed, "tags", &TAGS).to_vec(),
        }
    }

    /// The same with one to three things changed.
    pub(crate) fn changed(&self, seed: u64) -> Self {
        let mut changed = self.clone();
        for turn in 0..draw::within(seed, "changes", 1, 3) {
            changed.change(seed, draw::within(seed, &format!("change {turn}"), 0, 15));
        }
        changed.is_https ^= draw::happens(seed, "another protocol", 10);
        changed.redirects ^= draw::happens(seed, "another redirect", 10);
        if draw::happens(seed, "other tags", 25) {
            changed.tags = draw::one(seed, "which other tags", &TAGS).to_vec();
            let machine = changed.some_machine(seed, "whose tag");
            changed.instances[machine].tag = draw::happens(seed, "a tag of its own", 60).then_some("node");
        }
        changed
    }

    fn change(&mut self, seed: u64, which: u64) {
        match which {
            0 => self.ping_interval = if self.ping_interval == 10 { 20 } else { 10 },
            1 => self.idle_timeout = if self.idle_timeout == 60 { 90 } else { 60 },
            2 => self.ttl = 1200,
            3 => self.max_memory = if self.max_memory == 256 { 128 } else { 256 },
            4 => self.append_only = !self.append_only,
            5 => self.add_machine(seed),
            6 => self.remove_machine(),
            7 => self.login_ranges = RANGES[1..].to_vec(),
            8 => self.swap_node(seed),
            9 => self.listener_port = if self.listener_port == 80 { 5000 } else { 80 },
            // What follows replaces: machines, with all that is on them, and what they stand on.
            10 => self.redis = self.some_machine(seed, "whose redis"),
            11 => self.move_machine(seed),
            12 => {
                let machine = self.some_machine(seed, "whose disk");
                // Grows in place, or makes another machine.
                let disk = &mut self.instances[machine].disk;
                *disk = if *disk == 40 { 60 } else { 40 };
            }
            13 => {
                let vswitch = self.some_vswitch(seed, "whose range");
                self.vswitches[vswitch].prefix = 25;
            }
            14 => self.move_vswitch(seed),
            _ => {
                let machine = self.some_machine(seed, "whose access");
                self.instances[machine].via = None;
            }
        }
    }

    fn some_machine(&self, seed: u64, question: &str) -> usize {
        some(seed, question, self.instances.len())
    }

    fn some_vswitch(&self, seed: u64, question: &str) -> usize {
        some(seed, question, self.vswitches.len())
    }

    fn move_machine(&mut self, seed: u64) {
        let vswitch = self.some_vswitch(seed, "where to");
        let machine = self.some_machine(seed, "which moves");
        self.instances[machine].vswitch = vswitch;
    }

    /// A vSwitch goes to the zone that has none, when there is one.
    fn move_vswitch(&mut self, seed: u64) {
        let vswitch = self.some_vswitch(seed, "which zone");
        let is_free = |zone: &usize| self.vswitches.iter().all(|one| one.zone != *zone);
        if let Some(zone) = (0..ZONES.len()).find(is_free) {
            self.vswitches[vswitch].zone = zone;
        }
    }

    fn add_machine(&mut self, seed: u64) {
        if self.instances.len() < 9 {
            self.instances.push(Machine { vswitch: 0, via: None, disk: 40, tag: None });
            if draw::happens(seed, "the new one is a node", 60) {
                self.nodes.push(self.instances.len() - 1);
            }
        }
    }

    /// The last machine goes, when nobody needs it but itself.
    fn remove_machine(&mut self) {
        let last = self.instances.len() - 1;
        let is_way = self.instances.iter().any(|machine| machine.via == Some(last));
        if last > 1 && self.redis != last && !is_way && self.nodes != [last] {
            self.instances.pop();
            self.nodes.retain(|node| *node != last);
        }
    }

    /// A machine becomes a node, or ceases to be one.
    fn swap_node(&mut self, seed: u64) {
        let most = self.instances.len() as u64 - 1;
        let index = usize::try_from(draw::within(seed, "whose node", 0, most)).expect("small");
        if !self.nodes.contains(&index) {
            self.nodes.push(index);
            self.nodes.sort_unstable();
        } else if self.nodes.len() > 1 {
            self.nodes.retain(|node| *node != index);
        }
    }

    /// As people write it.
    pub(crate) fn text(&self) -> String {
        let vswitches: String = self.vswitches.iter().enumerate().map(vswitch_line).collect();
        let instances: String = self.instances.iter().enumerate().map(line).collect();
        let nodes: Vec<String> = self.nodes.iter().map(|node| name(*node)).collect();
        let listener = if self.is_https { "protocol: https, certificate: {self_signed: true}, " } else { "" };
        let redirect = if self.is_https && self.redirects { "  redirect_from: 8080\n" } else { "" };
        let tags: Vec<String> = self.tags.iter().map(|(key, value)| format!("{key}: \"{value}\"")).collect();
        let tags = tags.join(", ");
        let Self { port, redis_port, max_memory, ping_interval, idle_timeout, listener_port, ttl, .. } = self;
        format!(
            "stack: chat\nregion: cn-hangzhou\ntags: {{{tags}}}\nnetwork:\n  vswitches:\n{vswitches}\
             ssh: {{allow_from: [{}]}}\ninstances:\n{instances}\
             redis: {{on: {}, port: {redis_port}, max_memory: {max_memory}, persistence: {}}}\n\
             node: {{on: [{}], port: {port}, ping_interval: {ping_interval}s}}\n\
             load_balancer:\n{redirect}  listener: {{{listener}port: {listener_port}, idle_timeout: {idle_timeout}s}}\n\
             dns: {{domain: example.com, host: \"{}\", ttl: {ttl}}}\n",
            self.login_ranges.join(", "),
            name(self.redis),
            if self.append_only { "append-only" } else { "none" },
            nodes.join(", "),
            self.host,
        )
    }

    /// As it is understood.
    pub(crate) fn topology(&self) -> Topology {
        let text = self.text();
        topology::load(text.as_bytes()).unwrap_or_else(|wrong| panic!("{text}\n{wrong:?}"))
    }
}

fn name(index: usize) -> String {
    format!("ecs{:02}", index + 1)
}

/// One of so many.
fn some(seed: u64, question: &str, count: usize) -> usize {
    usize::try_from(draw::within(seed, question, 0, count as u64 - 1)).expect("small")
}

fn vswitch_line((index, vswitch): (usize, &VSwitch)) -> String {
    let (letter, zone, prefix) = (LETTERS[index], ZONES[vswitch.zone], vswitch.prefix);
    format!("    {letter}: {{zone: {zone}, cidr: 192.168.{index}.0/{prefix}}}\n")
}

fn line((index, machine): (usize, &Machine)) -> String {
    let access = machine.via.map_or_else(|| "access: public".to_owned(), |via| format!("via: {}", name(via)));
    let (vswitch, disk) = (LETTERS[machine.vswitch], machine.disk);
    let tags = machine.tag.map(|role| format!(", tags: {{role: {role}}}")).unwrap_or_default();
    format!("  {}: {{vswitch: {vswitch}, {access}, disk: {disk}{tags}}}\n", name(index))
}

//! Regions with their zones, and the letters that ids of a region carry.

/// One region.
#[derive(Debug)]
pub struct Region {
    /// `cn-hangzhou`.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// What follows the hyphen of ids made there.
    pub id_mark: &'static str,
    /// Last letters of the zones.
    zones: &'static [&'static str],
    /// Whether it lies on the Chinese mainland: the ALB's domain differs.
    pub mainland: bool,
}

const fn region(
    id: &'static str,
    name: &'static str,
    id_mark: &'static str,
    zones: &'static [&'static str],
) -> Region {
    Region { id, name, id_mark, zones, mainland: false }
}

const fn mainland(
    id: &'static str,
    name: &'static str,
    id_mark: &'static str,
    zones: &'static [&'static str],
) -> Region {
    Region { id, name, id_mark, zones, mainland: true }
}

/// The regions this cloud knows.
pub const REGIONS: &[Region] = &[
    mainland("cn-hangzhou", "China (Hangzhou)", "bp1", &["b", "e", "f", "g", "h", "i", "j", "k"]),
    mainland("cn-shanghai", "China (Shanghai)", "uf6", &["a", "b", "e", "f", "g", "l", "m", "n"]),
    mainland("cn-beijing", "China (Beijing)", "2ze", &["a", "c", "e", "f", "g", "h", "i", "j", "k", "l"]),
    mainland("cn-shenzhen", "China (Shenzhen)", "wz9", &["a", "c", "d", "e", "f"]),
    mainland("cn-zhangjiakou", "China (Zhangjiakou)", "8vb", &["a", "b", "c"]),
    mainland("cn-chengdu", "China (Chengdu)", "2vc", &["a", "b"]),
    mainland("cn-qingdao", "China (Qingdao)", "m5e", &["b", "c"]),
    mainland("cn-guangzhou", "China (Guangzhou)", "7xv", &["a", "b"]),
    region("cn-hongkong", "China (Hong Kong)", "j6c", &["b", "c", "d"]),
    region("ap-southeast-1", "Singapore", "t4n", &["a", "b", "c"]),
    region("ap-southeast-3", "Malaysia (Kuala Lumpur)", "8ps", &["a", "b", "c"]),
    region("ap-southeast-5", "Indonesia (Jakarta)", "k1a", &["a", "b", "c"]),
    region("ap-southeast-7", "Thailand (Bangkok)", "0jo", &["a", "b"]),
    region("ap-northeast-1", "Japan (Tokyo)", "6we", &["a", "b", "c"]),
    region("ap-northeast-2", "South Korea (Seoul)", "mj7", &["a", "b"]),
    region("us-west-1", "US (Silicon Valley)", "rj9", &["a", "b"]),
    region("us-east-1", "US (Virginia)", "0xi", &["a", "b"]),
    region("eu-central-1", "Germany (Frankfurt)", "gw8", &["a", "b", "c"]),
    region("eu-west-1", "UK (London)", "d7o", &["a", "b"]),
    region("me-east-1", "UAE (Dubai)", "eb3", &["a"]),
];

impl Region {
    /// The zones, `cn-hangzhou-b` and so on; abroad a zone is named without the hyphen (`us-west-1a`).
    pub fn zones(&self) -> Vec<String> {
        let join = if self.id.ends_with(|c: char| c.is_ascii_digit()) { "" } else { "-" };
        self.zones.iter().map(|zone| format!("{}{join}{zone}", self.id)).collect()
    }
}

/// The region with this id.
pub fn find(id: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.id == id)
}

/// Whether the zone belongs to the region.
pub fn has_zone(region: &str, zone: &str) -> bool {
    find(region).is_some_and(|region| region.zones().iter().any(|own| own == zone))
}

/// The mark that ids of a region carry.
pub fn id_mark(region: &str) -> &'static str {
    find(region).map_or("bp1", |region| region.id_mark)
}

//! Redis and Tair instance classes: a current part of the real catalogue, with versions, limits and prices.

use crate::world::redis::{Limits, Series};

/// One instance class; a shard of it, where there can be several.
#[derive(Debug)]
pub struct RedisClass {
    /// `redis.master.small.default`.
    pub id: &'static str,
    /// Product line.
    pub series: Series,
    /// What it grants.
    pub limits: Limits,
}

const fn class(id: &'static str, series: Series, numbers: [i64; 4]) -> RedisClass {
    let [capacity, bandwidth, connections, operations] = numbers;
    RedisClass { id, series, limits: Limits { capacity, bandwidth, connections, operations } }
}

/// What can be had. Numbers: MB, MB/s, connections, operations a second.
pub const CLASSES: &[RedisClass] = &[
    class("redis.master.micro.default", Series::Classic, [256, 10, 10_000, 80_000]),
    class("redis.master.small.default", Series::Classic, [1024, 10, 10_000, 80_000]),
    class("redis.master.mid.default", Series::Classic, [2048, 16, 10_000, 80_000]),
    class("redis.master.stand.default", Series::Classic, [4096, 24, 10_000, 80_000]),
    class("redis.master.large.default", Series::Classic, [8192, 24, 10_000, 80_000]),
    class("redis.master.2xlarge.default", Series::Classic, [16_384, 32, 10_000, 80_000]),
    class("redis.master.4xlarge.default", Series::Classic, [32_768, 32, 10_000, 80_000]),
    class("redis.master.8xlarge.default", Series::Classic, [65_536, 48, 10_000, 80_000]),
    class("redis.amber.master.small.multithread", Series::ClassicTair, [1024, 96, 30_000, 240_000]),
    class("redis.amber.master.mid.multithread", Series::ClassicTair, [2048, 96, 30_000, 240_000]),
    class("redis.amber.master.stand.multithread", Series::ClassicTair, [4096, 96, 40_000, 240_000]),
    class("redis.amber.master.large.multithread", Series::ClassicTair, [8192, 96, 40_000, 240_000]),
    class("redis.amber.master.2xlarge.multithread", Series::ClassicTair, [16_384, 96, 40_000, 240_000]),
    class("redis.amber.master.4xlarge.multithread", Series::ClassicTair, [32_768, 96, 50_000, 240_000]),
    class("redis.amber.master.8xlarge.multithread", Series::ClassicTair, [65_536, 96, 50_000, 240_000]),
    class("redis.shard.small.2.ce", Series::CloudNative, [1024, 24, 20_000, 100_000]),
    class("redis.shard.mid.2.ce", Series::CloudNative, [2048, 24, 20_000, 100_000]),
    class("redis.shard.large.2.ce", Series::CloudNative, [4096, 24, 20_000, 100_000]),
    class("redis.shard.xlarge.2.ce", Series::CloudNative, [8192, 40, 20_000, 100_000]),
    class("redis.shard.2xlarge.2.ce", Series::CloudNative, [16_384, 80, 20_000, 100_000]),
    class("redis.shard.small.ce", Series::CloudNative, [1024, 24, 20_000, 100_000]),
    class("redis.shard.mid.ce", Series::CloudNative, [2048, 24, 20_000, 100_000]),
    class("redis.shard.large.ce", Series::CloudNative, [4096, 24, 20_000, 100_000]),
    class("redis.shard.xlarge.ce", Series::CloudNative, [8192, 40, 20_000, 100_000]),
    class("redis.shard.2xlarge.ce", Series::CloudNative, [16_384, 80, 20_000, 100_000]),
    class("tair.rdb.1g", Series::TairRdb, [1024, 96, 30_000, 300_000]),
    class("tair.rdb.2g", Series::TairRdb, [2048, 96, 30_000, 300_000]),
    class("tair.rdb.4g", Series::TairRdb, [4096, 96, 40_000, 300_000]),
    class("tair.rdb.8g", Series::TairRdb, [8192, 96, 40_000, 300_000]),
    class("tair.rdb.16g", Series::TairRdb, [16_384, 96, 40_000, 300_000]),
    class("tair.rdb.32g", Series::TairRdb, [32_768, 96, 50_000, 300_000]),
    class("tair.scm.standard.1m.4d", Series::TairScm, [4096, 96, 10_000, 130_000]),
    class("tair.scm.standard.2m.8d", Series::TairScm, [8192, 96, 10_000, 130_000]),
    class("tair.scm.standard.4m.16d", Series::TairScm, [16_384, 96, 10_000, 130_000]),
    class("tair.scm.standard.4m.32d", Series::TairScm, [32_768, 96, 10_000, 130_000]),
    class("tair.essd.standard.xlarge", Series::TairEssd, [61_440, 60, 10_000, 45_000]),
    class("tair.essd.standard.2xlarge", Series::TairEssd, [184_320, 80, 10_000, 80_000]),
    class("tair.essd.standard.4xlarge", Series::TairEssd, [368_640, 120, 10_000, 120_000]),
];

/// The class with this id.
pub fn find(id: &str) -> Option<&'static RedisClass> {
    CLASSES.iter().find(|class| class.id == id)
}

/// The class of this size on local disks, for calls that name megabytes alone.
pub fn of_capacity(megabytes: i64) -> Option<&'static RedisClass> {
    CLASSES.iter().find(|class| class.series == Series::Classic && class.limits.capacity == megabytes)
}

/// Versions a product line has, its default first.
pub fn versions(series: Series) -> &'static [&'static str] {
    match series {
        Series::Classic => &["5.0", "4.0", "2.8"],
        Series::ClassicTair => &["5.0"],
        Series::CloudNative => &["5.0", "6.0", "7.0"],
        Series::TairRdb => &["5.0", "6.0", "7.0"],
        Series::TairScm => &["1.0"],
        Series::TairEssd => &["1.0", "2.0"],
    }
}

/// The product line that a `ProductType` speaks of.
pub fn series_of_product(product: &str) -> &'static [Series] {
    match product.to_ascii_lowercase().as_str() {
        "onecs" => &[Series::CloudNative],
        "tair_rdb" => &[Series::TairRdb],
        "tair_scm" => &[Series::TairScm],
        "tair_essd" => &[Series::TairEssd],
        _ => &[Series::Classic, Series::ClassicTair],
    }
}

/// Thousandths of a yuan for an hour of one shard with its replica.
pub fn hourly_price(class: &RedisClass) -> i64 {
    let gigabyte = match class.series {
        Series::Classic => 210,
        Series::CloudNative => 190,
        Series::ClassicTair | Series::TairRdb => 340,
        Series::TairScm => 120,
        Series::TairEssd => 16,
    };
    (gigabyte * class.limits.capacity / 1024).max(60)
}

//! Tags of resources, in the words of each product that has them.

use crate::base::ids::{CloudId, RegionId};
pub use crate::base::tagger::Tagger;
use crate::cloud::Product;
use crate::cloud::call::Call;

/// Something that has tags.
#[derive(Debug, Clone, Copy)]
pub struct Tagged<'a> {
    /// Whose it is.
    pub tagger: Tagger,
    /// What its product calls its kind: `instance`, `VPC`, `loadbalancer`, ...
    pub resource_type: &'a str,
    /// Its id; of a key pair the name.
    pub id: &'a CloudId,
}

/// `TagResources`: other tags stay as they are, a key that is there gets the value.
pub fn tag(region: &RegionId, tagged: Tagged<'_>, tags: &[(&str, &str)]) -> Call {
    let call = match tagged.tagger {
        Tagger::Vpc => Call::new(Product::Vpc, "TagResources"),
        Tagger::Ecs => Call::new(Product::Ecs, "TagResources"),
        Tagger::Alb => Call::new(Product::Alb, "TagResources"),
        Tagger::RKvstore => Call::new(Product::RKvstore, "TagResources"),
    };
    tagged.named_in(call, region).with_tags(tags)
}

/// `UntagResources`, which half of the products spell in another way; a key that is not there is no failure.
pub fn untag(region: &RegionId, tagged: Tagged<'_>, keys: &[&str]) -> Call {
    let call = match tagged.tagger {
        Tagger::Vpc => Call::new(Product::Vpc, "UnTagResources"),
        Tagger::Ecs => Call::new(Product::Ecs, "UntagResources"),
        Tagger::Alb => Call::new(Product::Alb, "UnTagResources"),
        Tagger::RKvstore => Call::new(Product::RKvstore, "UntagResources"),
    };
    tagged.named_in(call, region).with_list("TagKey", keys)
}

impl Tagged<'_> {
    /// ALB knows the region by the host that is asked.
    fn named_in(self, call: Call, region: &RegionId) -> Call {
        let region = (self.tagger != Tagger::Alb).then_some(region);
        call.with_some("RegionId", region)
            .with("ResourceType", self.resource_type)
            .with_list("ResourceId", [self.id])
    }
}

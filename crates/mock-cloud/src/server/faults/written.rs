//! The `fault` of an entry: one of a host, of the data plane or of a call, told apart by its name.

use serde::Deserialize;
use serde::de::value::{EnumAccessDeserializer, StringDeserializer};
use serde::de::{Deserializer, EnumAccess, IgnoredAny, IntoDeserializer, VariantAccess, Visitor};

use crate::server::faults::{Fault, PlaneFault, plane_fault};

/// A fault before it is known whether it belongs to what it was asked for.
#[derive(Debug)]
pub(super) enum Written {
    /// Of a host: whether its SSH port is closed from now on.
    Host { refuses_ssh: bool },
    /// Of the data plane.
    Plane(PlaneFault),
    /// Of a call.
    Call(Fault),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("Fault", &[], ByName)
    }
}

struct ByName;

impl<'de> Visitor<'de> for ByName {
    type Value = Written;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a fault such as {throttle: {}}")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Written, A::Error> {
        let (name, content): (String, _) = access.variant()?;
        let refuses_ssh = match name.as_str() {
            "refuse_ssh" => true,
            "none" => false,
            plane if plane_fault::NAMES.contains(&plane) => {
                let named = Named { name, content };
                return PlaneFault::deserialize(EnumAccessDeserializer::new(named)).map(Written::Plane);
            }
            _ => {
                let named = Named { name, content };
                return Fault::deserialize(EnumAccessDeserializer::new(named)).map(Written::Call);
            }
        };
        content.newtype_variant::<IgnoredAny>()?;
        Ok(Written::Host { refuses_ssh })
    }
}

/// An enum whose name was read ahead.
struct Named<V> {
    name: String,
    content: V,
}

impl<'de, V: VariantAccess<'de>> EnumAccess<'de> for Named<V> {
    type Error = V::Error;
    type Variant = V;

    fn variant_seed<S: serde::de::DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, V), V::Error> {
        let name: StringDeserializer<V::Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.content))
    }
}

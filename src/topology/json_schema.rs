//! The topology as a JSON Schema, for editors: from the types of [`super::schema`], whose comments are its descriptions.
//!
//! It knows shapes, words and the plain ranges; rules that look at several fields are `albatross validate`'s. What it
//! refuses is refused there, too.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::topology::duration::Seconds;
use crate::topology::schema::{
    CertificateFields, CertificateForm, Document, EnvironmentForm, HostKeysForm, KeyForm, PasswordFields,
    SudoForm,
};

/// The schema, in the draft of 2020-12.
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(tidy));
    let mut schema = settings.into_generator().into_root_schema_for::<Document>();
    schema.insert("title".to_owned(), "Albatross topology".into());
    schema.into()
}

/// A field that is not known is a fault; a description is one line.
fn tidy(schema: &mut Schema) {
    if schema.get("properties").is_some() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}

/// A text that may look like a number, which YAML then takes it for.
pub(super) struct Scalar;

/// Says of a type how it is written.
macro_rules! written {
    ($type:ty, $generator:ident => $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

written!(Scalar, _generator => json_schema!({ "type": ["string", "number"] }));
written!(Seconds, _generator => json_schema!({
    "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9]+[smh]?$" }],
}));
written!(CertificateForm, generator => json_schema!({
    "anyOf": [{ "type": "string" }, generator.subschema_for::<CertificateFields>()],
}));
written!(EnvironmentForm, generator => json_schema!({
    "anyOf": [{ "type": "string" }, generator.subschema_for::<PasswordFields>()],
}));
written!(KeyForm, _generator => json_schema!({
    "anyOf": [{ "type": "string" }, fields("agent", json_schema!({ "type": "string" }))],
}));
written!(SudoForm, generator => json_schema!({
    "anyOf": [{ "type": "boolean" }, fields("password", generator.subschema_for::<PasswordFields>())],
}));
written!(HostKeysForm, _generator => json_schema!({
    "anyOf": [
        { "enum": ["control-plane", "known_hosts"] },
        fields("pinned", json_schema!({ "type": "object", "additionalProperties": { "type": "string" } })),
    ],
}));

/// An object with this one field.
fn fields(name: &str, schema: Schema) -> Schema {
    json_schema!({ "type": "object", "properties": { name: schema }, "required": [name] })
}

//! The topology as a JSON Schema, for editors: from the types of [`super::schema`], whose comments are its descriptions.
//!
//! It knows shapes, words and the plain ranges; rules that look at several fields are `albatross validate`'s. What it
//! refuses is refused there, too.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::topology::disk::Gibibytes;
use crate::topology::duration::Seconds;
use crate::topology::schema::{
    CertificateFields, CertificateForm, ChosenFields, DiskFields, DiskForm, Document, EnvironmentForm,
    ExistingForm, ExpiryForm, HostKeysForm, KeyForm, PasswordFields, SpotForm, SudoForm, UserDataForm,
};
use crate::topology::spot::SpotFields;
use crate::topology::user_data::UserDataFields;

/// The schema, in the draft of 2020-12.
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(tidy));
    let mut schema = settings.into_generator().into_root_schema_for::<Document>();
    schema.insert("title".to_owned(), "Albatross topology".into());
    let mut schema: Value = schema.into();
    allow_references(&mut schema);
    schema
}

/// A reference may stand in any value, whatever that is in the end.
fn allow_references(schema: &mut Value) {
    let shapes = schema["$defs"].clone();
    let properties = |shape: &mut Value| {
        let fields = shape.get_mut("properties").and_then(Value::as_object_mut);
        for field in fields.into_iter().flat_map(serde_json::Map::values_mut) {
            if takes_no_text(field, &shapes) {
                *field = or_reference(field.take());
            }
        }
    };
    properties(schema);
    schema["$defs"].as_object_mut().into_iter().flat_map(serde_json::Map::values_mut).for_each(properties);
    schema["$defs"]["Reference"] = serde_json::json!({
        "description": "A variable, or one of the environment, in place of the value.",
        "type": "string",
        "pattern": r"\$\{[^}]+\}",
    });
}

/// Whether a field has a value that a text with a reference is none of; what has fields of its own is no value.
fn takes_no_text(field: &Value, shapes: &Value) -> bool {
    let named = field["$ref"].as_str().and_then(|name| shapes.get(name.trim_start_matches("#/$defs/")));
    if let Some(shape) = named {
        return takes_no_text(shape, shapes);
    }
    let forms = ["anyOf", "oneOf"].into_iter().filter_map(|key| field[key].as_array()).flatten();
    let is_closed = ["pattern", "const", "enum"].iter().any(|key| !field[*key].is_null());
    let mut kinds =
        field["type"].as_array().map_or_else(|| vec![&field["type"]], |kinds| kinds.iter().collect());
    kinds.retain(|kind| *kind != "null");
    let is_value =
        kinds.iter().any(|kind| ["integer", "number", "boolean", "array"].iter().any(|one| *kind == one));
    (is_closed || is_value && !kinds.iter().any(|kind| *kind == "string"))
        || forms.into_iter().any(|form| takes_no_text(form, shapes))
}

/// The field as it is or a reference, under the description it has.
fn or_reference(mut field: Value) -> Value {
    let fields = field.as_object_mut().expect("a schema has fields");
    let outer: serde_json::Map<String, Value> = ["description", "default"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), fields.remove(key)?)))
        .collect();
    let mut either = Value::Object(outer);
    either["anyOf"] = serde_json::json!([field, { "$ref": "#/$defs/Reference" }]);
    either
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

/// A variable as it is declared. What it says counts before the rest of the file is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct VariableForm(#[expect(dead_code, reason = "read by `references`, from the text")] Value);

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
written!(VariableForm, _generator => json_schema!({
    "anyOf": [
        { "type": ["string", "number", "boolean", "array", "null"] },
        {
            "type": "object",
            "properties": {
                "type": { "enum": ["text", "number", "boolean", "list"], "description": "What it may be; default: what its default is." },
                "default": { "type": ["string", "number", "boolean", "array", "null"], "description": "Its value where none is given." },
                "description": { "type": "string", "description": "What it is for." }
            }
        }
    ],
}));
written!(Seconds, _generator => json_schema!({
    "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9]+[smhd]?$" }],
}));
written!(ExpiryForm, _generator => json_schema!({
    "anyOf": [
        { "const": "never" },
        { "type": "integer", "minimum": 0 },
        { "type": "string", "pattern": "^[0-9]+[smhd]?$" },
    ],
}));
written!(CertificateForm, generator => json_schema!({
    "anyOf": [{ "type": "string" }, generator.subschema_for::<CertificateFields>()],
}));
written!(ExistingForm, generator => json_schema!({
    "anyOf": [{ "type": "string" }, generator.subschema_for::<ChosenFields>()],
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
written!(SpotForm, generator => json_schema!({
    "anyOf": [{ "type": "boolean" }, generator.subschema_for::<SpotFields>()],
}));
written!(Gibibytes, _generator => json_schema!({
    "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "pattern": "^[0-9]+ ?(GiB|TiB)?$" }],
}));
written!(DiskForm, generator => json_schema!({
    "anyOf": [
        { "type": "integer", "minimum": 20, "maximum": 2048 },
        { "type": "string", "pattern": "^[0-9]+ ?(GiB|TiB)?$" },
        generator.subschema_for::<DiskFields>(),
    ],
}));
written!(UserDataForm, generator => json_schema!({
    "anyOf": [{ "type": "string" }, generator.subschema_for::<UserDataFields>()],
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

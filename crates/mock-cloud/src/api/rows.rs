//! Rows of replies that are too long to be written in one piece.

use serde_json::Value;

/// The fields of both objects.
pub fn merged(mut one: Value, mut other: Value) -> Value {
    if let (Some(fields), Some(more)) = (one.as_object_mut(), other.as_object_mut()) {
        fields.append(more);
    }
    one
}

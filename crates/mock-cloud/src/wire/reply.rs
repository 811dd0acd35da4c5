//! Replies as text: JSON when asked for it, XML as the old gateway does by default.
//!
//! In XML an array repeats the element of its own name, which is what the wrapped lists of ECS and VPC
//! (`Instances.Instance[]`) are made for.

use serde_json::{Map, Value, json};

use crate::wire::ApiError;

/// How a reply is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `text/xml`.
    Xml,
}

impl Format {
    /// The media type of the reply.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }
}

/// Which call a reply belongs to.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Upper-case UUID.
    pub request_id: String,
    /// Host name the caller used.
    pub host: String,
    /// Action, for the XML root.
    pub action: String,
    /// How to write it.
    pub format: Format,
}

impl Envelope {
    /// Writes a success; the request id is added.
    pub fn success(&self, body: Value) -> String {
        // Handlers answer objects; anything else would be a reply without fields.
        let mut fields = match body {
            Value::Object(fields) => fields,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        };
        fields.insert("RequestId".to_owned(), json!(self.request_id));
        self.write(&format!("{}Response", self.action), &Value::Object(fields))
    }

    /// Writes an error.
    pub fn error(&self, error: &ApiError) -> String {
        let recommend = format!(
            "https://api.alibabacloud.com/troubleshoot?q={}&requestId={}",
            crate::wire::encoding::encode(&error.code),
            self.request_id
        );
        let fields = json!({
            "RequestId": self.request_id,
            "HostId": self.host,
            "Code": error.code,
            "Message": error.message,
            "Recommend": recommend,
        });
        self.write("Error", &fields)
    }

    fn write(&self, root: &str, fields: &Value) -> String {
        match self.format {
            Format::Json => fields.to_string(),
            Format::Xml => {
                let mut text = String::from("<?xml version='1.0' encoding='UTF-8'?>");
                write_element(&mut text, root, fields);
                text
            }
        }
    }
}

fn write_element(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(items) => {
            for item in items {
                write_element(text, name, item);
            }
        }
        Value::Null => {}
        Value::Object(_) | Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            text.extend(["<", name, ">"]);
            write_content(text, value);
            text.extend(["</", name, ">"]);
        }
    }
}

fn write_content(text: &mut String, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                write_element(text, name, field);
            }
        }
        Value::String(content) => text.push_str(&quick_xml::escape::escape(content.as_str())),
        Value::Number(_) | Value::Bool(_) => text.push_str(&value.to_string()),
        Value::Null | Value::Array(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_repeats_the_element_of_a_list() {
        let envelope = Envelope {
            request_id: "R".to_owned(),
            host: "h".to_owned(),
            action: "DescribeVpcs".to_owned(),
            format: Format::Xml,
        };
        let reply = json!({"Vpcs": {"Vpc": [{"Id": "a&b"}, {"Id": "c"}]}, "TotalCount": 2});
        let text = envelope.success(reply);
        assert!(text.contains("<DescribeVpcsResponse>"), "{text}");
        assert!(text.contains("<Vpcs><Vpc><Id>a&amp;b</Id></Vpc><Vpc><Id>c</Id></Vpc></Vpcs>"), "{text}");
        assert!(text.contains("<TotalCount>2</TotalCount>"), "{text}");
    }
}

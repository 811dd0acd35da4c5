//! What can be written in more than one form about logging in: the key, sudo, and who says which host key is right.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The operator's key: the path of a private key, the word `agent`, or `{ agent: FINGERPRINT }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyForm {
    /// A file; `~` is the home folder.
    Path(String),
    /// A key of the running ssh-agent: the one with this fingerprint, or its only one.
    Agent(Option<String>),
}

/// The fields of [`KeyForm`].
#[derive(Debug, Clone, Deserialize)]
struct KeyFields {
    /// Fingerprint as `ssh-add -l` prints it.
    agent: String,
}

impl<'de> Deserialize<'de> for KeyForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = KeyForm;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the path of a private key, `agent`, or `{ agent: SHA256:... }`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<KeyForm, E> {
                Ok(if text == "agent" { KeyForm::Agent(None) } else { KeyForm::Path(text.to_owned()) })
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<KeyForm, A::Error> {
                let fields = KeyFields::deserialize(MapAccessDeserializer::new(access))?;
                Ok(KeyForm::Agent(Some(fields.agent)))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// How commands are run as root: `false`, `true`, or `{ password: { env: NAME } }` or `{ password: { file: PATH } }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SudoForm {
    /// Without sudo, or with one that asks for nothing.
    Plain(bool),
    /// With one that asks for a password.
    Password(PasswordFields),
}

#[derive(Debug, Clone, Deserialize)]
struct SudoFields {
    password: PasswordFields,
}

/// Where a password is: in a variable of the environment, or in a file of mode 0600, on its first line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct PasswordFields {
    /// Name of a variable.
    pub env: Option<String>,
    /// A path; `~` is the home folder.
    pub file: Option<String>,
}

impl<'de> Deserialize<'de> for SudoForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = SudoForm;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`true`, `false`, or `{ password: { env: NAME } }`")
            }

            fn visit_bool<E: de::Error>(self, is_used: bool) -> Result<SudoForm, E> {
                Ok(SudoForm::Plain(is_used))
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<SudoForm, A::Error> {
                let fields = SudoFields::deserialize(MapAccessDeserializer::new(access))?;
                Ok(SudoForm::Password(fields.password))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// Who says which host key is right: `control-plane`, `known_hosts`, or `{ pinned: { NAME: LINE } }`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HostKeysForm {
    /// The cloud, through the Cloud Assistant.
    #[default]
    ControlPlane,
    /// The operator's `~/.ssh/known_hosts`.
    KnownHosts,
    /// Lines such as `ssh-ed25519 AAAA...` by the name or the id of an instance.
    Pinned(BTreeMap<String, String>),
}

#[derive(Debug, Clone, Deserialize)]
struct HostKeysFields {
    pinned: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for HostKeysForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = HostKeysForm;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`control-plane`, `known_hosts`, or `{ pinned: { NAME: LINE } }`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<HostKeysForm, E> {
                match text {
                    "control-plane" => Ok(HostKeysForm::ControlPlane),
                    "known_hosts" => Ok(HostKeysForm::KnownHosts),
                    other => Err(de::Error::unknown_variant(other, &["control-plane", "known_hosts"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<HostKeysForm, A::Error> {
                let fields = HostKeysFields::deserialize(MapAccessDeserializer::new(access))?;
                Ok(HostKeysForm::Pinned(fields.pinned))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

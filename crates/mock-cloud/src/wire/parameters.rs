//! The parameters of one call: flat names to texts, with lists and objects read by prefix.
//!
//! `Tag.1.Key=a&Tag.1.Value=b` is a list of objects, `InstanceId.1=i-1` a list of texts. An empty value counts
//! as absent. Types have been checked against the facts before a handler asks for a number.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::wire::ApiError;

/// Business parameters of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, String>);

impl FromIterator<(String, String)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Parameters {
    /// Names and values, in byte order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A text that is there and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A copy of a text, empty when absent.
    pub fn owned(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    /// A copy of a text, or this default.
    pub fn text_or(&self, name: &str, default: &str) -> String {
        self.text(name).unwrap_or(default).to_owned()
    }

    /// A text that has to be there.
    ///
    /// # Errors
    /// `Missing<Name>`.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| ApiError::missing(name))
    }

    /// A whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// A whole number that fits a port, a weight, a size.
    pub fn unsigned<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        T::try_from(self.integer(name)?).ok()
    }

    /// A flag; Python sends `True`, others `true`.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.text(name).map(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A flag that is off unless set.
    pub fn flag(&self, name: &str) -> bool {
        self.boolean(name).unwrap_or(false)
    }

    /// The objects of a list, in the order of their indices.
    pub fn list(&self, name: &str) -> Vec<Parameters> {
        self.indices(name).into_iter().map(|index| self.object(&format!("{name}.{index}"))).collect()
    }

    /// The texts of a list, in the order of their indices.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let key = |index: u32| format!("{name}.{index}");
        self.indices(name).into_iter().filter_map(|index| self.text(&key(index)).map(str::to_owned)).collect()
    }

    /// The fields of an object, with the object's name taken off.
    #[must_use]
    pub fn object(&self, name: &str) -> Parameters {
        let prefix = format!("{name}.");
        let fields = self.0.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        fields.map(|(key, value)| (key[prefix.len()..].to_owned(), value.clone())).collect()
    }

    /// Whether anything of this name is there: a text, a list or an object.
    pub fn has(&self, name: &str) -> bool {
        self.text(name).is_some() || !self.object(name).0.is_empty()
    }

    /// A list that travels as the text of a JSON array.
    ///
    /// # Errors
    /// `InvalidParameter` when it is not one.
    pub fn json_texts(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let parsed = serde_json::from_str::<Vec<String>>(text);
        parsed.map(Some).map_err(|_| ApiError::invalid(name, "it must be a JSON array of strings"))
    }

    /// A list that travels as one text joined by commas.
    pub fn comma_texts(&self, name: &str) -> Option<Vec<String>> {
        Some(self.text(name)?.split(',').map(|part| part.trim().to_owned()).collect())
    }

    /// The same with one text changed.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Parameters {
        let mut changed = self.clone();
        changed.0.insert(name.to_owned(), value.to_owned());
        changed
    }

    /// A digest of everything but this name: equal for equal calls.
    pub fn fingerprint(&self, except: Option<&str>) -> String {
        let mut digest = Sha256::new();
        for (name, value) in self.iter().filter(|(name, _)| Some(*name) != except) {
            for part in [name, value] {
                digest.update(part.len().to_le_bytes());
                digest.update(part.as_bytes());
            }
        }
        hex::encode(digest.finalize())
    }

    fn indices(&self, name: &str) -> BTreeSet<u32> {
        let prefix = format!("{name}.");
        let keys = self.0.range(prefix.clone()..).map_while(|(key, _)| key.strip_prefix(&prefix));
        keys.filter_map(|rest| rest.split('.').next()?.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn lists_are_read_in_the_order_of_their_numbers() {
        let given = parameters(&[("Id.10", "j"), ("Id.2", "b"), ("Id.1", "a"), ("Identity", "x")]);
        assert_eq!(given.texts("Id"), ["a", "b", "j"]);
    }

    #[test]
    fn nested_objects_lose_their_prefix() {
        let given = parameters(&[("A.1.F.T.1.Id", "sgp-1"), ("A.1.Type", "ForwardGroup")]);
        let action = &given.list("A")[0];
        assert_eq!(action.text("Type"), Some("ForwardGroup"));
        assert_eq!(action.object("F").list("T")[0].text("Id"), Some("sgp-1"));
    }

    #[test]
    fn the_fingerprint_leaves_the_token_out() {
        let one = parameters(&[("A", "1"), ("ClientToken", "x")]);
        let two = parameters(&[("A", "1"), ("ClientToken", "y")]);
        assert_eq!(one.fingerprint(Some("ClientToken")), two.fingerprint(Some("ClientToken")));
        assert_ne!(one.fingerprint(None), two.fingerprint(None));
    }
}

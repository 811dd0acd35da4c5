//! Fourth link: the credentials file that the official libraries share, an ini file with a section for each profile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::secret::Secret;
use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::keys::Keys;
use crate::cloud::credentials::role::RoleText;
use crate::cloud::credentials::source::{Origin, Source};
use crate::cloud::credentials::sources::Sources;
use crate::cloud::credentials::{metadata, oidc};

/// The section that is meant when no profile is named.
const DEFAULT_SECTION: &str = "default";

type Section = BTreeMap<String, Secret<String>>;

/// The place that the chosen section names.
pub(super) fn origin(sources: &Sources) -> Result<Origin, SourceError> {
    let (path, text) = first_there(&sources.credentials_files)?;
    let name = sources.profile.as_deref().unwrap_or(DEFAULT_SECTION);
    let subject = format!("section `{name}`");
    let mut sections = parse(path, &text)?;
    let fields = sections
        .remove(name)
        .ok_or_else(|| SourceError::NoProfile { path: path.to_owned(), subject: subject.clone() })?;
    let reader = Reader { subject, fields, sources };
    let (source, detail) = reader.source()?;
    Ok(Origin { source, name: format!("credentials file section `{name}` ({detail})") })
}

fn first_there(paths: &[PathBuf]) -> Result<(&Path, String), SourceError> {
    for path in paths {
        match std::fs::read_to_string(path) {
            Ok(text) => return Ok((path, text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(SourceError::Unreadable { path: path.clone(), error }),
        }
    }
    Err(SourceError::NoFile { path: paths.first().cloned().unwrap_or_default() })
}

/// Sections by name. A value ends where a `#` begins a comment, and may stand in quotes.
fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, Section>, SourceError> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut open: Option<String> = None;
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let malformed = || SourceError::Malformed { path: path.to_owned(), line: number, column: 0 };
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.split_once(']').ok_or_else(malformed)?.0.trim().to_owned();
            sections.entry(name.clone()).or_default();
            open = Some(name);
            continue;
        }
        let (key, value) = line.split_once(['=', ':']).ok_or_else(malformed)?;
        let section = open.as_ref().and_then(|name| sections.get_mut(name)).ok_or_else(malformed)?;
        section.insert(key.trim().to_ascii_lowercase(), Secret::new(plain(value)));
    }
    Ok(sections)
}

fn plain(value: &str) -> String {
    let value = value.split('#').next().unwrap_or_default().trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    quoted.unwrap_or(value).to_owned()
}

struct Reader<'a> {
    subject: String,
    fields: Section,
    sources: &'a Sources,
}

impl Reader<'_> {
    /// The place, and a word about it.
    fn source(&self) -> Result<(Source, String), SourceError> {
        let kind = self.required("type")?.expose().clone();
        let source = match kind.as_str() {
            "access_key" => Source::Fixed(self.keys()?),
            "ram_role_arn" => {
                let base = Box::new(Source::Fixed(self.keys()?));
                Source::Role { base, role: self.role_text().role(&self.subject, "role_arn", self.sources)? }
            }
            "oidc_role_arn" => {
                let (provider, token) = (self.text("oidc_provider_arn"), self.text("oidc_token_file_path"));
                let token = token.map(PathBuf::from);
                oidc::source(self.role_text(), provider, token, &self.subject, self.sources)?
            }
            "ecs_ram_role" => metadata::origin(&self.sources.metadata, self.text("role_name"))?.source,
            "rsa_key_pair" => {
                return Err(self.unsupported(kind, "which is withdrawn; use access_key or ram_role_arn"));
            }
            _ => {
                let known = "access_key, ram_role_arn, oidc_role_arn and ecs_ram_role";
                return Err(SourceError::UnknownMode { subject: self.subject.clone(), known });
            }
        };
        let detail = self.text("role_arn").map_or(kind.clone(), |arn| format!("{kind} {arn}"));
        Ok((source, detail))
    }

    fn keys(&self) -> Result<Keys, SourceError> {
        let (id, secret) = (self.required("access_key_id")?, self.required("access_key_secret")?);
        Ok(Keys::new(id.expose(), secret.clone(), self.given("security_token").cloned()))
    }

    fn role_text(&self) -> RoleText {
        RoleText {
            arn: self.text("role_arn"),
            session_name: self.text("role_session_name"),
            policy: self.text("policy"),
            ..RoleText::default()
        }
    }

    fn given(&self, field: &str) -> Option<&Secret<String>> {
        self.fields.get(field).filter(|value| !value.expose().is_empty())
    }

    fn required(&self, field: &'static str) -> Result<&Secret<String>, SourceError> {
        self.given(field).ok_or_else(|| SourceError::Incomplete { subject: self.subject.clone(), field })
    }

    /// A field that is no secret.
    fn text(&self, field: &str) -> Option<String> {
        self.given(field).map(|value| value.expose().clone())
    }

    fn unsupported(&self, mode: String, why: &'static str) -> SourceError {
        SourceError::Unsupported { subject: self.subject.clone(), mode, why }
    }
}

//! Which key signs: the program held against the table that the official library for JavaScript is held against too.
//!
//! A case runs the program in a home folder and an environment of its own and looks at the key that its first request
//! is signed with. The metadata service has one address that no test may answer at, so the few cases that get as far
//! ask the chain itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use albatross::base::secret::Secret;
use albatross::cloud::credentials::{
    CliProfile, Metadata, OidcVariables, RunFailure, RunProgram, Sources, StsAddress, Variables, find,
};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

use crate::support::TestEnv;
use crate::support::cloud::block_on;
use crate::support::key_service::{KeyService, Signed};

const TABLE: &str = "tests/conformance/credential_chain.json";
/// The variables that cases with a metadata service may set.
const OF_METADATA: [&str; 4] = [
    "ALIBABA_CLOUD_CREDENTIALS_FILE",
    "ALIBABA_CLOUD_CREDENTIALS_URI",
    "ALIBABA_CLOUD_ECS_METADATA",
    "ALIBABA_CLOUD_IMDSV1_DISABLED",
];

#[derive(Deserialize)]
struct Table {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, Value>,
    metadata: Option<Value>,
    signs: Option<String>,
    #[serde(default)]
    token: bool,
}

#[test]
fn the_key_is_the_one_of_the_table() {
    let table = fs::read_to_string(TABLE).expect(TABLE);
    let table: Table = serde_json::from_str(&table).expect(TABLE);
    assert!(table.cases.len() >= 50, "the table lost cases");
    let wrong: Vec<String> = table.cases.iter().filter_map(Case::deviation).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Case {
    /// What is wrong, in words.
    fn deviation(&self) -> Option<String> {
        let wanted = self.signs.clone().map(|key| Signed { key, token: self.token });
        let service = KeyService::start(self.metadata.clone());
        let mut env = TestEnv::new();
        let home = env.folder().display().to_string();
        let filled = |text: &str| text.replace("{home}", &home).replace("{server}", &service.url());
        for (name, content) in &self.files {
            let lines: Option<Vec<_>> =
                content.as_array().map(|lines| lines.iter().filter_map(Value::as_str).collect());
            let text = lines.map_or_else(|| content.to_string(), |lines| lines.join("\n"));
            env.write(name, filled(&text));
        }
        let variables: BTreeMap<&str, String> =
            self.variables.iter().map(|(name, value)| (name.as_str(), filled(value))).collect();
        let (signed, said) = if self.reaches_metadata() {
            self.ask_the_chain(&env, &service, &variables)
        } else {
            for (name, value) in &variables {
                env.set(name, value);
            }
            env.set("ALBATROSS_ENDPOINT", &service.url());
            let run = env.run(&["plan", "chatroom.yaml"]);
            (service.signed().first().cloned(), run.stderr)
        };
        (signed != wanted).then(|| format!("{}: {signed:?} instead of {wanted:?}\n{said}", self.name))
    }

    /// Whether the chain asks the metadata service.
    fn reaches_metadata(&self) -> bool {
        let set = |name| self.variables.contains_key(name);
        self.metadata.is_some()
            && !set("ALIBABA_CLOUD_ACCESS_KEY_ID")
            && !set("ALIBABA_CLOUD_ECS_METADATA_DISABLED")
    }

    fn ask_the_chain(
        &self,
        env: &TestEnv,
        service: &KeyService,
        variables: &BTreeMap<&str, String>,
    ) -> (Option<Signed>, String) {
        let unknown: Vec<_> = variables.keys().filter(|name| !OF_METADATA.contains(name)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?} and a metadata service", self.name);
        let [file, uri, role, token_required] = OF_METADATA.map(|name| variables.get(name).cloned());
        let sources = Sources {
            variables: Variables::default(),
            oidc: OidcVariables::default(),
            profile: None,
            cli_profile: CliProfile { disabled: false, file: env.file(".aliyun/config.json"), named: false },
            credentials_files: vec![
                file.map_or_else(|| env.file(".alibabacloud/credentials"), PathBuf::from),
            ],
            credentials_file_named: false,
            metadata: Metadata {
                disabled: false,
                token_required: token_required.is_some(),
                role,
                address: service.url().parse().expect("an address"),
            },
            uri: uri.map(Secret::new),
            no_external: false,
            sts: StsAddress::default(),
            run: Arc::new(NoPrograms),
        };
        let found = block_on(async {
            let credentials = find(&sources).await?;
            credentials.current().await
        });
        match found {
            Ok(keys) => (
                Some(Signed { key: keys.access_key_id, token: keys.security_token.is_some() }),
                String::new(),
            ),
            Err(error) => (None, error.to_string()),
        }
    }
}

/// No case with a metadata service starts a program.
#[derive(Debug)]
struct NoPrograms;

impl RunProgram for NoPrograms {
    fn run(&self, _: Vec<String>, limit: Duration) -> BoxFuture<'_, Result<Secret<Vec<u8>>, RunFailure>> {
        Box::pin(async move { Err(RunFailure::TooSlow(limit)) })
    }
}

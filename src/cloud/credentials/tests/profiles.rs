//! Profiles of the `aliyun` program: each mode, what is missing, and programs that print keys.

use super::server::{ok, status};
use super::*;

/// The chain with one file of profiles, of which `work` is the current one.
struct Profiles {
    _folder: tempfile::TempDir,
    sources: Sources,
}

fn profiles(profiles: &Value) -> Profiles {
    let (folder, path) = file("config.json", &json!({"current": "work", "profiles": profiles}).to_string());
    Profiles {
        _folder: folder,
        sources: Sources { cli_profile: CliProfile { file: path, ..CliProfile::default() }, ..nothing() },
    }
}

/// One profile that is called `work` and has a key.
fn work(more: &Value) -> Value {
    let mut profile =
        json!({"name": "work", "access_key_id": "base", "access_key_secret": secret("s").expose()});
    for (key, value) in more.as_object().unwrap() {
        profile[key] = value.clone();
    }
    profile
}

#[tokio::test]
async fn every_mode_leads_to_its_key() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/keys" => ok(issued("uri", 3600)),
        "/latest/api/token" => ok("token"),
        "/latest/meta-data/ram/security-credentials/node" => ok(issued("metadata", 3600)),
        path if path.contains("AssumeRoleWithOIDC") => ok(assumed("oidc", 3600)),
        "/" => ok(assumed("role", 3600)),
        _ => status(404),
    })
    .await;
    let (_folder, token) = file("token", "the token");
    let arn = "acs:ram::1:role/deploy";
    let place = server.url("").replace("http://", "").replace('/', "");
    let cases = [
        (json!({"mode": "AK"}), "base", "AK".to_owned()),
        (json!({}), "base", "AK".to_owned()),
        (json!({"sts_token": ""}), "base", "AK".to_owned()),
        (json!({"mode": "StsToken", "sts_token": "t"}), "base", "StsToken".to_owned()),
        (json!({"mode": "RamRoleArn", "ram_role_arn": arn}), "role", format!("RamRoleArn {arn}")),
        (json!({"ram_role_arn": arn}), "role", format!("RamRoleArn {arn}")),
        (json!({"mode": "EcsRamRole", "ram_role_name": "node"}), "metadata", "EcsRamRole".to_owned()),
        (
            json!({"mode": "OIDC", "ram_role_arn": arn, "oidc_provider_arn": "p", "oidc_token_file": token}),
            "oidc",
            format!("OIDC {arn}"),
        ),
        (
            json!({"mode": "ChainableRamRoleArn", "ram_role_arn": arn, "source_profile": "other"}),
            "role",
            format!("ChainableRamRoleArn {arn}"),
        ),
        (
            json!({"mode": "External", "process_command": "print-key now"}),
            "printed",
            "External, print-key".to_owned(),
        ),
        (
            json!({"mode": "CredentialsURI", "credentials_uri": server.url("keys")}),
            "uri",
            format!("CredentialsURI, credentials URI at {place}"),
        ),
    ];
    for (more, key, detail) in cases {
        let other = json!({"name": "other", "mode": "AK", "access_key_id": "o", "access_key_secret": "s"});
        let mut one = profiles(&json!([other, work(&more)]));
        one.sources.sts = sts_at(&server);
        one.sources.metadata.disabled = false;
        one.sources.metadata.address = server.url("").parse().unwrap();
        let printed = json!({"mode": "StsToken", "access_key_id": "printed", "access_key_secret": "s", "sts_token": "t"});
        one.sources.run = Arc::new(Printing(printed.to_string()));
        let found = find(&one.sources).await.unwrap_or_else(|error| panic!("{more}: {error}"));
        assert_eq!(found.current().await.unwrap().access_key_id, key, "{more}");
        let role = if key == "metadata" { " (role `node`)" } else { "" };
        assert_eq!(found.source(), format!("profile `work` ({detail}){role}"));
    }
}

#[tokio::test]
async fn what_a_profile_lacks_or_cannot_have_is_said() {
    let arn = "acs:ram::1:role/deploy";
    let cases = [
        (json!({"mode": "AK", "access_key_secret": ""}), "profile `work` has no `access_key_secret`"),
        (json!({"mode": "AK", "access_key_id": ""}), "profile `work` has no `access_key_id`"),
        (json!({"mode": "StsToken"}), "profile `work` has no `sts_token`"),
        (json!({"mode": "StsToken", "sts_token": ""}), "profile `work` has no `sts_token`"),
        (
            json!({"mode": "OIDC", "ram_role_arn": arn, "oidc_provider_arn": "", "oidc_token_file": "t"}),
            "profile `work` has no `oidc_provider_arn`",
        ),
        (
            json!({"mode": "OIDC", "ram_role_arn": arn, "oidc_provider_arn": "p", "oidc_token_file": ""}),
            "profile `work` has no `oidc_token_file`",
        ),
        (
            json!({"access_key_id": "", "oidc_token_file": "", "process_command": ""}),
            "profile `work` has no `access_key_id`",
        ),
        (json!({"mode": "CredentialsURI", "credentials_uri": ""}), "profile `work` has no `credentials_uri`"),
        (json!({"mode": "RamRoleArn"}), "profile `work` has no `ram_role_arn`"),
        (
            json!({"mode": "RamRoleArn", "ram_role_arn": arn, "expired_seconds": 60}),
            "profile `work`: `expired_seconds` is 60; a session has 900 seconds at least",
        ),
        (
            json!({"mode": "RamRoleArn", "ram_role_arn": arn, "sts_endpoint": "http://sts.example.com"}),
            "`http://sts.example.com` cannot be an endpoint: plain http is taken on the loopback only",
        ),
        (json!({"mode": "OIDC", "ram_role_arn": arn}), "profile `work` has no `oidc_provider_arn`"),
        (
            json!({"mode": "ChainableRamRoleArn", "ram_role_arn": arn}),
            "profile `work` has no `source_profile`",
        ),
        (
            json!({"mode": "ChainableRamRoleArn", "ram_role_arn": arn, "source_profile": "work"}),
            "profile `work` is its own source",
        ),
        (json!({"mode": "External"}), "profile `work` has no `process_command`"),
        (
            json!({"mode": "External", "process_command": "tool 'x"}),
            "profile `work`: `process_command` has a quote that is not closed",
        ),
        (
            json!({"mode": "External", "process_command": "TOKEN=hunter2 tool"}),
            "profile `work`: `process_command` begins with a variable",
        ),
        (json!({"mode": "EcsRamRole"}), "ALIBABA_CLOUD_ECS_METADATA_DISABLED switches it off"),
        (json!({"mode": "CredentialsURI"}), "profile `work` has no `credentials_uri`"),
        (
            json!({"mode": "CredentialsURI", "credentials_uri": "http://keys.example.com"}),
            "profile `work`: `credentials_uri` must be https, or http on the loopback",
        ),
        (json!({"mode": "CloudSSO"}), "profile `work` has mode `CloudSSO`, which needs a browser"),
        (json!({"mode": "OAuth"}), "profile `work` has mode `OAuth`, which needs a browser"),
        (json!({"mode": "BearerToken"}), "profile `work` has mode `BearerToken`, which signs no calls"),
        (json!({"mode": "Anonymous"}), "profile `work` has mode `Anonymous`, which signs no calls"),
        (json!({"mode": "RsaKeyPair"}), "profile `work` has mode `RsaKeyPair`, which is withdrawn"),
        (json!({"mode": "RamRoleArnWithRoleName"}), "which is withdrawn; use ChainableRamRoleArn"),
        (json!({"mode": "hunter2"}), "profile `work` has a mode that is not known; AK, "),
    ];
    for (more, expected) in cases {
        let error = find(&profiles(&json!([work(&more)])).sources).await.unwrap_err();
        let reason = reason(&error, Link::CliProfile);
        assert!(reason.contains(expected), "{more}: {reason}");
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains(MARK), "{error:?}");
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn another_profile_is_chosen_by_its_name() {
    let other = json!({"name": "other", "mode": "AK", "access_key_id": "other", "access_key_secret": "s"});
    let mut one = profiles(&json!([work(&json!({"mode": "AK"})), other]));
    one.sources.profile = Some("other".to_owned());
    assert_eq!(find(&one.sources).await.unwrap().current().await.unwrap().access_key_id, "other");
    one.sources.profile = Some("nobody".to_owned());
    let error = find(&one.sources).await.unwrap_err();
    assert!(reason(&error, Link::CliProfile).ends_with("config.json` has no profile `nobody`"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_understood_is_refused_by_its_place_alone() {
    for text in [
        "{\"current\": \"work\",\n \"profiles\": [hunter2]}",
        "{\"current\": \"work\", \"profiles\":\n [{\"name\": \"work\", \"expired_seconds\": \"hunter2\"}]}",
    ] {
        let (_folder, path) = file("config.json", text);
        let cli_profile = CliProfile { file: path, ..CliProfile::default() };
        let error = find(&Sources { cli_profile, ..nothing() }).await.unwrap_err();
        assert!(reason(&error, Link::CliProfile).contains("is not understood at line 2, column "), "{error}");
        assert!(!format!("{error} {error:?}").contains(MARK), "{error:?}");
    }
}

fn external() -> Profiles {
    profiles(&json!([{"name": "work", "mode": "External", "process_command": "print-key --token hunter2"}]))
}

#[tokio::test]
async fn a_program_may_print_a_role_to_assume() {
    let server = Server::start(|_| ok(assumed("role", 3600))).await;
    let mut one = external();
    one.sources.sts = sts_at(&server);
    let printed = work(&json!({"mode": "RamRoleArn", "ram_role_arn": "acs:ram::1:role/deploy"}));
    one.sources.run = Arc::new(Printing(printed.to_string()));
    assert_eq!(find(&one.sources).await.unwrap().current().await.unwrap().access_key_id, "role");
}

#[tokio::test]
async fn what_a_program_prints_must_be_a_key() {
    let cases = [
        (
            "hunter2".to_owned(),
            "what the program `print-key` answered is not a key: it is not a profile as JSON",
        ),
        (
            work(&json!({"mode": "External", "process_command": "x"})).to_string(),
            "which a program cannot print",
        ),
        (work(&json!({"mode": "StsToken"})).to_string(), "profile `printed by print-key` has no `sts_token`"),
        (
            work(&json!({"mode": "AK", "expiration": in_seconds(-1)})).to_string(),
            "the program `print-key` gave a key that ended at",
        ),
    ];
    for (printed, expected) in cases {
        let mut one = external();
        one.sources.run = Arc::new(Printing(printed));
        let error = find(&one.sources).await.unwrap_err();
        assert!(reason(&error, Link::CliProfile).contains(expected), "{error}");
        assert!(!format!("{error} {error:?}").contains(MARK), "{error:?}");
    }
}

#[tokio::test]
async fn programs_and_uris_of_profiles_can_be_switched_off() {
    let uri = json!([{"name": "work", "mode": "CredentialsURI", "credentials_uri": "http://127.0.0.1:1/"}]);
    for mut one in [external(), profiles(&uri)] {
        one.sources.no_external = true;
        let error = find(&one.sources).await.unwrap_err();
        assert_eq!(
            reason(&error, Link::CliProfile),
            "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS switches it off"
        );
    }
}

//! The order of the chain, what ends the search, and what is said when it finds nothing.

use super::server::{Asked, Reply, ok, status};
use super::*;

/// Plays the metadata service, the credentials URI and STS.
fn every_service(asked: &Asked) -> Reply {
    match (asked.method.as_str(), asked.path.as_str()) {
        ("PUT", "/latest/api/token") => ok("metadata-token"),
        ("GET", "/latest/meta-data/ram/security-credentials/") => ok("node"),
        ("GET", "/latest/meta-data/ram/security-credentials/node") => ok(issued("metadata", 3600)),
        ("GET", "/keys") => ok(issued("uri", 3600)),
        ("POST", path) if path.contains("Action=AssumeRoleWithOIDC") => ok(assumed("oidc", 3600)),
        _ => status(404),
    }
}

/// Sets something up.
type Change<'a> = &'a dyn Fn(&mut Sources);

struct Everything {
    server: Server,
    _folders: [tempfile::TempDir; 3],
    profile: std::path::PathBuf,
    ini: std::path::PathBuf,
    token: std::path::PathBuf,
}

impl Everything {
    async fn new() -> Self {
        let profile = json!({"current": "work", "profiles": [{
            "name": "work", "mode": "AK", "access_key_id": "profile", "access_key_secret": secret("s").expose(),
            "region_id": "cn-beijing", "endpoint": "http://elsewhere.example.com",
        }]});
        let ini =
            format!("[default]\ntype = access_key\naccess_key_id = file\naccess_key_secret = s-{MARK}\n");
        let (one, profile) = file("config.json", &profile.to_string());
        let (two, ini) = file("credentials", &ini);
        let (three, token) = file("token", &format!("oidc-{MARK}\n"));
        Self { server: Server::start(every_service).await, _folders: [one, two, three], profile, ini, token }
    }

    /// These links are set up, and no others.
    fn with(&self, links: &[Link]) -> Sources {
        let mut sources = Sources { sts: sts_at(&self.server), ..nothing() };
        for link in links {
            match link {
                Link::Variables => {
                    sources.variables.access_key_id = Some("variables".to_owned());
                    sources.variables.access_key_secret = Some(secret("s"));
                }
                Link::Oidc => {
                    sources.oidc.role_arn = Some("acs:ram::1:role/pod".to_owned());
                    sources.oidc.provider_arn = Some("acs:ram::1:oidc-provider/ack".to_owned());
                    sources.oidc.token_file = Some(self.token.clone());
                }
                Link::CliProfile => sources.cli_profile.file.clone_from(&self.profile),
                Link::CredentialsFile => sources.credentials_files = vec![self.ini.clone()],
                Link::Metadata => {
                    sources.metadata.disabled = false;
                    sources.metadata.address = self.server.url("").parse().unwrap();
                }
                Link::Uri => sources.uri = Some(Secret::new(self.server.url("keys"))),
            }
        }
        sources
    }
}

fn key_of(link: Link) -> &'static str {
    match link {
        Link::Variables => "variables",
        Link::Oidc => "oidc",
        Link::CliProfile => "profile",
        Link::CredentialsFile => "file",
        Link::Metadata => "metadata",
        Link::Uri => "uri",
    }
}

#[tokio::test]
async fn of_whatever_is_set_up_the_first_in_the_official_order_is_used() {
    let everything = Everything::new().await;
    let official =
        [Link::Variables, Link::Oidc, Link::CliProfile, Link::CredentialsFile, Link::Metadata, Link::Uri];
    for choice in 1_u32..64 {
        let links: Vec<Link> =
            (0..).zip(official).filter(|(bit, _)| choice & (1 << bit) != 0).map(|(_, link)| link).collect();
        let found = find(&everything.with(&links)).await.unwrap();
        assert_eq!(found.current().await.unwrap().access_key_id, key_of(links[0]), "{links:?}");
        let passed: Vec<Link> = found.passed_over().iter().map(|passed| passed.link).collect();
        let before: Vec<Link> = official.into_iter().take_while(|link| *link != links[0]).collect();
        assert_eq!(passed, before, "{links:?}");
    }
}

#[tokio::test]
async fn each_link_says_what_it_is() {
    let everything = Everything::new().await;
    let names = [
        (Link::Variables, "environment".to_owned()),
        (Link::Oidc, "OIDC (acs:ram::1:role/pod)".to_owned()),
        (Link::CliProfile, "profile `work` (AK)".to_owned()),
        (Link::CredentialsFile, "credentials file section `default` (access_key)".to_owned()),
        (Link::Metadata, "ECS metadata (role `node`)".to_owned()),
        (
            Link::Uri,
            format!(
                "credentials URI at {}",
                everything.server.url("").replace(['/'], "").replace("http:", "")
            ),
        ),
    ];
    for (link, name) in names {
        assert_eq!(find(&everything.with(&[link])).await.unwrap().source(), name);
    }
}

#[tokio::test]
async fn a_link_that_gives_no_key_is_passed_over_with_its_reason() {
    let everything = Everything::new().await;
    let mut sources = everything.with(&Link::ALL);
    sources.variables.access_key_secret = None;
    sources.oidc.token_file = Some("/nonexistent/token".into());
    sources.cli_profile.disabled = true;
    sources.profile = Some("nobody".to_owned());
    sources.metadata.role = Some("other".to_owned());
    let found = find(&sources).await.unwrap();
    assert_eq!(found.current().await.unwrap().access_key_id, "uri");
    let reasons: Vec<String> = found.passed_over().iter().map(|passed| passed.why.to_string()).collect();
    let expected = [
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set",
        "cannot read `/nonexistent/token`: No such file",
        "ALIBABA_CLOUD_CLI_PROFILE_DISABLED switches it off",
        "credentials` has no section `nobody`",
        "answered with status 404",
    ];
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.contains(expected), "{reason}: expected {expected}");
    }
    assert_eq!(reasons.len(), 5);
}

#[tokio::test]
async fn a_place_that_was_set_up_and_gave_no_key_is_warned_about() {
    let everything = Everything::new().await;
    let external = json!({"profiles": [{"name": "default", "mode": "External", "process_command": "tool"}]});
    let (_folder, external) = file("config.json", &external.to_string());
    let warned_about = async |change: &dyn Fn(&mut Sources)| {
        let mut sources = everything.with(&[Link::Uri]);
        change(&mut sources);
        let found = find(&sources).await.unwrap();
        let noteworthy = found.passed_over().iter().filter(|passed| passed.is_noteworthy(&sources));
        noteworthy.map(|passed| passed.link).collect::<Vec<_>>()
    };
    let half_set: [(Change, Link); 8] = [
        (&|it| it.variables.access_key_id = Some("id".to_owned()), Link::Variables),
        (&|it| it.variables.access_key_secret = Some(secret("s")), Link::Variables),
        (&|it| it.oidc.provider_arn = Some("acs:ram::1:oidc-provider/ack".to_owned()), Link::Oidc),
        (&|it| it.cli_profile.named = true, Link::CliProfile),
        (
            &|it| {
                it.cli_profile.file.clone_from(&external);
                it.no_external = true;
            },
            Link::CliProfile,
        ),
        (&|it| it.credentials_file_named = true, Link::CredentialsFile),
        (&|it| it.profile = Some("prod".to_owned()), Link::CredentialsFile),
        (
            &|it| {
                it.metadata.disabled = false;
                it.metadata.role = Some("node".to_owned());
            },
            Link::Metadata,
        ),
    ];
    for (number, (change, link)) in half_set.into_iter().enumerate() {
        assert_eq!(warned_about(change).await, [link], "case {number}");
    }
    let left_alone: [&dyn Fn(&mut Sources); 4] = [
        &|_| {},
        &|it| it.oidc.role_arn = Some("acs:ram::1:role/of-a-profile".to_owned()),
        &|it| it.cli_profile = CliProfile { disabled: true, named: true, ..it.cli_profile.clone() },
        &|it| it.metadata.disabled = false,
    ];
    for (number, change) in left_alone.into_iter().enumerate() {
        assert_eq!(warned_about(change).await, [], "case {number}");
    }
}

#[tokio::test]
async fn when_there_is_no_key_every_link_is_listed() {
    let error = find(&nothing()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no access key was found
  environment:      ALIBABA_CLOUD_ACCESS_KEY_ID is not set
  OIDC:             ALIBABA_CLOUD_ROLE_ARN is not set
  profile:          there is no `/nonexistent/config.json`
  credentials file: there is no `/nonexistent/credentials`
  ECS metadata:     ALIBABA_CLOUD_ECS_METADATA_DISABLED switches it off
  credentials URI:  ALIBABA_CLOUD_CREDENTIALS_URI is not set"
    );
    assert!(error.hint().unwrap().starts_with("set ALIBABA_CLOUD_ACCESS_KEY_ID"));
}

#[tokio::test]
async fn the_second_credentials_file_is_read_when_there_is_no_first() {
    let (_folder, path) = file(
        "credentials.ini",
        "; shared\n[default]\ntype=access_key\naccess_key_id=first\naccess_key_secret=s\n\n\
         [Work]\nTYPE : access_key # mine\naccess_key_id: \"quoted\"\naccess_key_secret = s # not this\n",
    );
    let mut sources = nothing();
    sources.credentials_files[1].clone_from(&path);
    sources.profile = Some("Work".to_owned());
    let keys = find(&sources).await.unwrap().current().await.unwrap();
    assert_eq!((keys.access_key_id.as_str(), keys.access_key_secret.expose().as_str()), ("quoted", "s"));
}

#[tokio::test]
async fn a_credentials_file_is_refused_with_its_line_or_field() {
    let cases = [
        ("type = access_key\n", "at line 1"),
        ("[default]\ntype = access_key\nnonsense\n", "at line 3"),
        ("[default\n", "at line 1"),
        ("[default]\naccess_key_id = a\n", "section `default` has no `type`"),
        ("[default]\ntype = access_key\naccess_key_id = a\n", "section `default` has no `access_key_secret`"),
        ("[default]\ntype = ram_role_arn\naccess_key_id = a\naccess_key_secret = b\n", "has no `role_arn`"),
        ("[default]\ntype = rsa_key_pair\n", "has mode `rsa_key_pair`, which is withdrawn"),
        ("[default]\ntype = hunter2\n", "section `default` has a mode that is not known; access_key,"),
        ("[other]\ntype = access_key\n", "has no section `default`"),
    ];
    for (text, expected) in cases {
        let (_folder, path) = file("credentials", text);
        let error = find(&Sources { credentials_files: vec![path], ..nothing() }).await.unwrap_err();
        let reason = reason(&error, Link::CredentialsFile);
        assert!(reason.contains(expected), "{text}: {reason}");
        assert!(!format!("{error} {error:?}").contains(MARK), "{error:?}");
    }
}

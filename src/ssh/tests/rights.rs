//! Commands and files of root by sudo, three hops, and keys that were given up.

use std::sync::Arc;

use super::server::{Server, server};
use super::{other_key, short};
use crate::base::secret::Secret;
use crate::ssh::{Command, Packed, Route, Session, SshError, Sudo};

/// Does as sudo does: writes down what it is given, and asks for a password while a file says so.
const SUDO: &str = r#"#!/bin/sh
files=$(dirname "$0")/../files
printf '%s\n' "$*" >>"$files/asked"
never=
while :; do
  case "$1" in
    -n) never=1; shift ;;
    -k | -S) shift ;;
    -p) shift 2 ;;
    --) shift; break ;;
    *) break ;;
  esac
done
if [ -e "$files/password" ]; then
  [ -z "$never" ] || { echo 'sudo: a password is required' >&2; exit 1; }
  IFS= read -r line
  [ "$line" = "$(cat "$files/password")" ] || { echo 'sudo: 1 incorrect password attempt' >&2; exit 1; }
fi
exec "$@"
"#;

fn with_sudo(server: &Server, sudo: Sudo) -> Route {
    server.program("sudo", SUDO);
    // Owners are no matter of this test, and only root may change them.
    server.program("chown", "#!/bin/sh\n");
    Route { sudo, ..server.route() }
}

fn password(text: &str) -> Sudo {
    Sudo::Password(Secret::new(text.to_owned()))
}

async fn works(server: &Server, route: &Route) {
    let session = Session::connect(route, &server.identity, &short()).await.unwrap();
    let cat = session.check(Command::new("cat").stdin(b"line\nlast".to_vec())).await.unwrap();
    assert_eq!(cat.stdout, b"line\nlast", "the input is that of the command, and all of it");
    let path = server.path("target it's");
    let bytes: Arc<[u8]> = vec![7; 3_000_000].into();
    session.upload(&path, bytes.clone(), 0o640).await.unwrap();
    assert!(session.read(&path).await.unwrap().as_deref() == Some(&*bytes));
    assert_eq!(session.read(&server.path("absent")).await.unwrap(), None);
    let looks = vec![Command::new("cat").arg(&path), Command::new("false"), Command::new("echo").arg("x")];
    let answers = session.look(looks).await.unwrap();
    assert!(answers[0].stdout == bytes.as_ref() && answers[1].status == 1 && answers[2].text() == "x");
    let program = server.path("program");
    session.send(&[], &program, &Packed::of(&bytes), 0o755).await.unwrap();
    assert!(session.read(&program).await.unwrap().as_deref() == Some(&*bytes));
    let error = session.read(&server.path("")).await.unwrap_err();
    assert!(matches!(error, SshError::File { .. }), "{error:?}");
    let left: Vec<String> = server.files().into_iter().filter(|name| name.contains(".new")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(session.hold(Command::new("cat")).await.unwrap(), None);
    assert!(session.run(Command::new("true")).await.is_ok());
    session.let_go().await.unwrap();
    let talk = session.follow(Command::new("sh").args(["-c", "cat >/dev/null; exit 3"])).await.unwrap();
    drop(talk.stdio);
    assert_eq!(talk.status.await.unwrap().unwrap(), 3);
}

#[tokio::test]
async fn root_is_reached_by_a_sudo_that_asks_for_nothing() {
    let Some(server) = server("root_is_reached_by_a_sudo_that_asks_for_nothing") else { return };
    works(&server, &with_sudo(&server, Sudo::Free)).await;
    // A password that nobody asks for is sent to nobody.
    works(&server, &with_sudo(&server, password("tulip"))).await;
    let asked = std::fs::read_to_string(server.path("asked")).unwrap();
    assert!(asked.contains("-n -- cat") && !asked.contains("-S"), "{asked}");
}

#[tokio::test]
async fn root_is_reached_with_a_password_that_is_in_no_argument() {
    let Some(server) = server("root_is_reached_with_a_password_that_is_in_no_argument") else { return };
    std::fs::write(server.path("password"), "tulip\n").unwrap();
    works(&server, &with_sudo(&server, password("tulip"))).await;
    let asked = std::fs::read_to_string(server.path("asked")).unwrap();
    assert!(asked.contains("-k -S -p  -- env cat") && !asked.contains("tulip"), "{asked}");

    let refused = async |sudo| {
        Session::connect(&with_sudo(&server, sudo), &server.identity, &short()).await.unwrap_err()
    };
    let error = refused(password("rose")).await;
    let text = error.to_string();
    assert!(text.contains("incorrect password") && !text.contains("rose"), "{text}");
    assert!(error.hint().unwrap().contains("sudo.password"));
    let error = refused(Sudo::Free).await;
    assert!(error.to_string().contains("a password is required"), "{error}");
    assert!(error.hint().unwrap().contains("sudo: { password: { env: NAME } }"));
}

#[tokio::test]
async fn three_hops_are_walked_and_a_wrong_key_names_its_hop() {
    let Some(server) = server("three_hops_are_walked_and_a_wrong_key_names_its_hop") else { return };
    let names = ["first", "second", "third", "inner"];
    let way = |wrong: Option<&str>| {
        let keyed = |route: Route| {
            if wrong == Some(route.host.as_str()) {
                Route { host_keys: vec![other_key()], ..route }
            } else {
                route
            }
        };
        let first = keyed(Route { host: names[0].to_owned(), ..server.route() });
        names[1..].iter().fold(first, |outer, name| keyed(server.behind(&outer, name)))
    };
    let session = Session::connect(&way(None), &server.identity, &short()).await.unwrap();
    assert_eq!(session.check(Command::new("echo").arg("through")).await.unwrap().text(), "through");
    drop(session);
    for hop in names {
        let error = Session::connect(&way(Some(hop)), &server.identity, &short()).await.unwrap_err();
        assert!(matches!(error, SshError::HostKeyChanged { .. }), "{error:?}");
        assert_eq!(error.host(), hop);
    }
}

#[tokio::test]
async fn a_key_that_was_given_up_is_turned_away_though_it_is_pinned() {
    let Some(server) = server("a_key_that_was_given_up_is_turned_away_though_it_is_pinned") else { return };
    let route = Route { revoked: server.host_keys(), ..server.route() };
    let error = Session::connect(&route, &server.identity, &short()).await.unwrap_err();
    assert!(matches!(error, SshError::HostKeyRevoked { .. }), "{error:?}");
    assert!(!server.log().contains("Accepted publickey"), "{}", server.log());
}

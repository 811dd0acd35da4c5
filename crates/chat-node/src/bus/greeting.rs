//! The first words on a connection: protocol version, login, database, and whether the server is new enough.
//!
//! HELLO does the first two at once on Redis 6 and newer. A server that does not know it, a proxy that does not let it
//! through, or an access rule that forbids it, is spoken to in RESP2 as before. Streams came with Redis 5; where
//! rules hide the version, the command itself is tried.

use super::address::{Protocol, RedisAddress};
use super::connection::Connection;
use super::resp::{Request, Value};
use super::trouble::{Reason, Trouble, is_full};
use super::{PATIENCE, STREAM};

/// The first version with streams.
const OLDEST: u32 = 5;

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// 2 or 3.
    pub(super) protocol: u8,
    /// As it writes it; `None` when it does not tell.
    pub(super) version: Option<String>,
}

/// Logs in and looks whether this server will do.
pub(super) async fn greet(connection: &mut Connection, address: &RedisAddress) -> Result<Server, Trouble> {
    let mut server = match address.protocol {
        Protocol::Resp2 => None,
        Protocol::Newest => hello(connection, address).await?,
        Protocol::Resp3 => {
            let refused = "this Redis does not speak RESP3 (Redis 6 does), and protocol=resp3 asks for it";
            let server = hello(connection, address).await?;
            Some(server.ok_or_else(|| Trouble::new(Reason::Version, refused))?)
        }
    };
    if server.is_none() {
        log_in(connection, address).await?;
    }
    if address.database != 0 {
        let request = Request::new("SELECT").show(address.database);
        connection.call(request, "", PATIENCE).await?;
    }
    let server = server.get_or_insert(Server { protocol: 2, version: None });
    if server.version.is_none() {
        server.version = version(connection).await?;
    }
    check(connection, server).await?;
    Ok(server.clone())
}

/// Asks for RESP3. `None` when the server has no ear for it, and nobody is logged in yet.
async fn hello(connection: &mut Connection, address: &RedisAddress) -> Result<Option<Server>, Trouble> {
    let mut request = Request::new("HELLO").arg("3");
    if let Some(password) = &address.password {
        request = request.arg("AUTH").arg(address.user.as_deref().unwrap_or("default")).arg(password);
    }
    let reply = connection.ask(&request, PATIENCE).await?;
    match reply.refusal() {
        Some(said) if is_deaf(said) => Ok(None),
        Some(said) => Err(Trouble::refusal("HELLO", "", said)),
        None => Ok(Some(Server { protocol: 3, version: field(reply, "version") })),
    }
}

/// Whether a refusal of HELLO is about HELLO, and neither about the password in it nor about the connection.
fn is_deaf(said: &str) -> bool {
    let is_about_it = said.starts_with("ERR") || said.starts_with("NOPROTO") || said.starts_with("NOPERM");
    is_about_it && !is_full(said)
}

fn field(reply: Value, name: &str) -> Option<String> {
    let mut pairs = reply.into_array().into_iter().map(Value::into_array);
    let pair = pairs.find(|pair| pair.first().and_then(Value::as_str) == Some(name))?;
    pair.get(1)?.as_str().map(str::to_owned)
}

async fn log_in(connection: &mut Connection, address: &RedisAddress) -> Result<(), Trouble> {
    let Some(password) = &address.password else {
        return Ok(());
    };
    let user = address.user.as_deref().filter(|user| *user != "default");
    let named = user.map_or_else(|| Request::new("AUTH"), |user| Request::new("AUTH").arg(user));
    match connection.ask(&named.arg(password), PATIENCE).await?.refusal() {
        Some(said) if user.is_some() && said.contains("wrong number of arguments") => {
            let sentence = "this Redis has no users (Redis 6 has): leave the user out of the Redis URL";
            Err(Trouble::new(Reason::Login, sentence))
        }
        Some(said) => Err(Trouble::refusal("AUTH", "", said)),
        None => Ok(()),
    }
}

/// Reads the version out of INFO, when that is allowed.
async fn version(connection: &mut Connection) -> Result<Option<String>, Trouble> {
    let reply = connection.ask(&Request::new("INFO").arg("server"), PATIENCE).await?;
    if let Some(said) = reply.refusal() {
        // Rules may forbid INFO, which is no harm; any other refusal will be met again.
        let harmless = ["NOPERM", "ERR"].iter().any(|code| said.starts_with(code)) && !is_full(said);
        return if harmless { Ok(None) } else { Err(Trouble::refusal("INFO", "", said)) };
    }
    let text = reply.as_str().unwrap_or_default();
    Ok(text.lines().find_map(|line| Some(line.strip_prefix("redis_version:")?.trim().to_owned())))
}

async fn check(connection: &mut Connection, server: &Server) -> Result<(), Trouble> {
    let major = |version: &String| version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match (server.version.as_ref().and_then(major), &server.version) {
        (Some(major), Some(version)) if major < OLDEST => Err(too_old(&format!("Redis {version}"))),
        (Some(_), _) => Ok(()),
        (None, _) => {
            let request = Request::new("XLEN").arg(STREAM);
            match connection.call(request, STREAM, PATIENCE).await {
                Err(trouble) if trouble.reason == Reason::Version => Err(too_old("this Redis")),
                Err(trouble) => Err(trouble),
                Ok(_) => Ok(()),
            }
        }
    }
}

fn too_old(what: &str) -> Trouble {
    let advice = "use Redis 5 or newer, Alibaba Cloud Linux 3's package, or Tair";
    Trouble::new(Reason::Version, format!("{what} has no Streams: {advice}"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Greets a server that expects these requests, written with blanks, and gives these replies.
    async fn play(url: &str, script: &[(&'static str, &'static str)]) -> Result<Server, Trouble> {
        let (near, mut far) = duplex(4096);
        let script = script.to_vec();
        let playing = tokio::spawn(async move {
            for (expected, reply) in script {
                let mut words = expected.split(' ');
                let request = words.by_ref().fold(None, |request: Option<Request>, word| {
                    // The name of a request is written as its first argument.
                    Some(request.map_or_else(|| Request::new("X"), |request| request.arg(word)))
                });
                let mut bytes = bytes::BytesMut::new();
                request.unwrap().write_to(&mut bytes);
                let first = expected.split(' ').next().unwrap();
                let written = String::from_utf8(bytes.to_vec()).unwrap();
                let written = written.replace("$1\r\nX\r\n", &format!("${}\r\n{first}\r\n", first.len()));
                let mut received = vec![0; written.len()];
                far.read_exact(&mut received).await.unwrap();
                assert_eq!(String::from_utf8(received).unwrap(), written);
                far.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        let outcome = greet(&mut Connection::over(near), &RedisAddress::parse(url).unwrap()).await;
        playing.await.unwrap();
        outcome
    }

    const VERSION_7: &str = "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n";
    const UNKNOWN: &str = "-ERR unknown command 'HELLO'\r\n";

    #[tokio::test]
    async fn resp3_is_asked_for_with_the_login_in_the_same_breath() {
        let server =
            play("redis://ada:pw@h/2", &[("HELLO 3 AUTH ada pw", VERSION_7), ("SELECT 2", "+OK\r\n")]);
        assert_eq!(server.await.unwrap(), Server { protocol: 3, version: Some("7.0.15".to_owned()) });
    }

    #[tokio::test]
    async fn an_older_server_is_spoken_to_in_resp2() {
        let info = "$33\r\n# Server\r\nredis_version:5.0.14\r\nx\r\n\r\n";
        let script = [("HELLO 3 AUTH default pw", UNKNOWN), ("AUTH pw", "+OK\r\n"), ("INFO server", info)];
        let server = play("redis://:pw@h", &script).await.unwrap();
        assert_eq!(server, Server { protocol: 2, version: Some("5.0.14".to_owned()) });
        let server = play("redis://:pw@h/?protocol=resp2", &script[1..]).await.unwrap();
        assert_eq!(server.protocol, 2);
    }

    #[tokio::test]
    async fn a_server_without_streams_is_told_by_name() {
        let info = "$22\r\nredis_version:3.2.12\r\n\r\n";
        let trouble = play("redis://h", &[("HELLO 3", UNKNOWN), ("INFO server", info)]).await.unwrap_err();
        let expected =
            "Redis 3.2.12 has no Streams: use Redis 5 or newer, Alibaba Cloud Linux 3's package, or Tair";
        assert_eq!(trouble, Trouble::new(Reason::Version, expected));
    }

    #[tokio::test]
    async fn where_the_version_is_hidden_the_command_itself_is_tried() {
        let hidden = ("INFO server", "-NOPERM this user has no permissions to run the 'info' command\r\n");
        let script = [("HELLO 3", UNKNOWN), hidden, ("XLEN chat:messages", ":0\r\n")];
        assert_eq!(play("redis://h", &script).await.unwrap(), Server { protocol: 2, version: None });
        let script =
            [("HELLO 3", UNKNOWN), hidden, ("XLEN chat:messages", "-ERR unknown command 'XLEN'\r\n")];
        let trouble = play("redis://h", &script).await.unwrap_err();
        assert!(trouble.sentence.starts_with("this Redis has no Streams: use Redis 5"), "{trouble}");
    }

    #[tokio::test]
    async fn a_wrong_login_is_not_tried_in_another_way() {
        let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
        let trouble = play("redis://ada:pw@h", &[("HELLO 3 AUTH ada pw", wrong)]).await.unwrap_err();
        assert_eq!(trouble.reason, Reason::Login);
        assert!(
            trouble.sentence.starts_with("the user or the password in the Redis URL is wrong"),
            "{trouble}"
        );
        let needed = "-NOAUTH HELLO must be called with the client already authenticated\r\n";
        let trouble = play("redis://h", &[("HELLO 3", needed)]).await.unwrap_err();
        assert!(trouble.sentence.starts_with("Redis asks for a password"), "{trouble}");
    }

    #[tokio::test]
    async fn a_user_on_a_server_without_users_is_told() {
        let script = [
            ("HELLO 3 AUTH ada pw", UNKNOWN),
            ("AUTH ada pw", "-ERR wrong number of arguments for 'auth' command\r\n"),
        ];
        let trouble = play("redis://ada:pw@h", &script).await.unwrap_err();
        assert!(trouble.sentence.contains("leave the user out"), "{trouble}");
    }

    #[tokio::test]
    async fn a_server_that_takes_no_more_clients_is_not_taken_for_an_old_one() {
        let full = "-ERR max number of clients reached\r\n";
        for (url, request) in [("redis://h", "HELLO 3"), ("redis://h/?protocol=resp2", "INFO server")] {
            let trouble = play(url, &[(request, full)]).await.unwrap_err();
            assert_eq!(trouble.reason, Reason::Clients);
            assert!(
                trouble.sentence.starts_with("Redis takes no more clients: raise maxclients"),
                "{trouble}"
            );
        }
    }

    #[tokio::test]
    async fn resp3_that_is_required_is_not_replaced() {
        let trouble = play("redis://h/?protocol=resp3", &[("HELLO 3", UNKNOWN)]).await.unwrap_err();
        assert_eq!(trouble.reason, Reason::Version);
    }
}

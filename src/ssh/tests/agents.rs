//! Keys that a real ssh-agent has, and the signatures that are never made.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::server::{server, server_with};
use super::short;
use crate::base::secret::Secret;
use crate::ssh::{Identity, Session, SshError, agent};

struct Agent {
    folder: tempfile::TempDir,
    process: Child,
}

impl Agent {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let process =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        // The socket has its name before anybody listens there.
        while UnixStream::connect(&socket).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Self { folder, process }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("agent")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let done =
            Command::new(program).args(arguments).env("SSH_AUTH_SOCK", self.socket()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lacks_agent() -> bool {
    !Path::new("/usr/bin/ssh-agent").exists()
}

#[tokio::test]
async fn every_common_kind_of_key_logs_in_from_an_agent() {
    let Some(server) = server("every_common_kind_of_key_logs_in_from_an_agent") else { return };
    if lacks_agent() {
        return;
    }
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("rsa", "2048")] {
        server.authorise_new_key(kind, bits);
        let agent = Agent::start();
        agent.run("ssh-add", &["-q", server.key_file(kind, bits).to_str().unwrap()]);
        let identity = agent::identity(&agent.socket(), None).await.unwrap();
        let session = Session::connect(&server.route(), &identity, &short()).await;
        assert!(session.is_ok(), "{kind}: {session:?}");
        // Behind another host the agent signs for both.
        let route = server.behind(&server.route(), "inner");
        assert!(Session::connect(&route, &identity, &short()).await.is_ok(), "{kind}");
        // A key that was taken out meanwhile.
        agent.run("ssh-add", &["-q", "-D"]);
        let error = Session::connect(&server.route(), &identity, &short()).await.unwrap_err();
        assert!(matches!(error, SshError::Agent { .. }), "{error:?}");
        assert!(error.to_string().contains(identity.fingerprint()), "{error}");
    }
    let error = agent::identity(Path::new("/no/such/agent"), None).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/agent"), "{error}");
}

#[tokio::test]
async fn an_rsa_key_never_signs_with_sha1() {
    let lines = "PubkeyAcceptedAlgorithms ssh-rsa,ssh-ed25519\n";
    let Some(server) = server_with("an_rsa_key_never_signs_with_sha1", lines) else { return };
    let text = server.authorise_new_key("rsa", "2048");
    let identity = Identity::from_openssh(&Secret::new(text), None).unwrap();
    let refused = Session::connect(&server.route(), &identity, &short()).await;
    assert!(refused.is_err(), "a signature with SHA-1 was made");
    assert!(!server.log().contains("Accepted publickey"), "{}", server.log());
    // The server is well.
    assert!(Session::connect(&server.route(), &server.identity, &short()).await.is_ok());
}

//! A real sshd with its own configuration, keys and folder, ended with the test.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::base::parts::missing;
use crate::ssh::{HostKey, Identity, KeyKind, Route, Sudo, Voucher};

pub(super) struct Server {
    folder: tempfile::TempDir,
    process: Child,
    port: u16,
    user: String,
    pub(super) identity: Identity,
}

/// A running server, or `None` with a visible reason where there is no sshd. Under CI that is a failure.
pub(super) fn server(test: &str) -> Option<Server> {
    server_with(test, "")
}

/// The same with further lines of configuration.
pub(super) fn server_with(test: &str, lines: &str) -> Option<Server> {
    if Path::new("/usr/sbin/sshd").exists() {
        return Some(Server::start(lines));
    }
    missing(test, "/usr/sbin/sshd is missing");
    None
}

impl Server {
    fn start(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("files")).unwrap();
        for (name, text) in host_key_files() {
            fs::write(folder.path().join(name), text).unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let (private, public) = Identity::generate(KeyKind::Ed25519, "test").unwrap();
        fs::write(folder.path().join("authorized_keys"), public + "\n").unwrap();
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap().trim().to_owned();
        if user == "root" {
            // Compiled into sshd as its empty folder; a package's service makes it at boot.
            fs::DirBuilder::new().recursive(true).mode(0o755).create("/run/sshd").unwrap();
        }
        let identity = Identity::from_openssh(&private, None).unwrap();
        let (process, port) = spawn(folder.path(), lines);
        Self { folder, process, port, user, identity }
    }

    pub(super) fn route(&self) -> Route {
        Route {
            host: "box".to_owned(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
            user: self.user.clone(),
            sudo: Sudo::No,
            host_keys: vec![self.host_keys().remove(0)],
            revoked: Vec::new(),
            vouched_by: Voucher::ControlPlane,
            via: None,
        }
    }

    /// The same server under another name, reached through `outer`.
    pub(super) fn behind(&self, outer: &Route, host: &str) -> Route {
        Route { host: host.to_owned(), via: Some(Box::new(outer.clone())), ..self.route() }
    }

    pub(super) fn host_keys(&self) -> Vec<HostKey> {
        ["ed25519", "ecdsa", "rsa"]
            .map(|kind| {
                let path = self.folder.path().join(format!("host_{kind}.pub"));
                HostKey::parse(&fs::read_to_string(path).unwrap()).unwrap()
            })
            .to_vec()
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join("files").join(name).to_str().unwrap().to_owned()
    }

    pub(super) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("files")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Puts a program on the host's search path, before all others.
    pub(super) fn program(&self, name: &str, script: &str) {
        let folder = self.folder.path().join("programs");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), script).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The file of a key that was made by `authorise_new_key`.
    pub(super) fn key_file(&self, kind: &str, bits: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("client_{kind}_{bits}"))
    }

    /// Makes a key with ssh-keygen, lets it in, and gives its private text.
    pub(super) fn authorise_new_key(&self, kind: &str, bits: &str) -> String {
        let path = self.folder.path().join(format!("client_{kind}_{bits}"));
        keygen(&path, kind, bits);
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        let list = self.folder.path().join("authorized_keys");
        fs::write(&list, fs::read_to_string(&list).unwrap() + &public).unwrap();
        fs::read_to_string(path).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Host keys, made once for all tests: an RSA key takes a while.
fn host_key_files() -> &'static [(String, String)] {
    static FILES: OnceLock<Vec<(String, String)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("rsa", "2048")] {
            keygen(&folder.path().join(format!("host_{kind}")), kind, bits);
        }
        let entries = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
        entries
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
            })
            .collect()
    })
}

fn keygen(path: &Path, kind: &str, bits: &str) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-t", kind, "-b", bits, "-f"])
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}

/// Starts sshd on a port that was free a moment ago; another one where it was taken in between.
fn spawn(folder: &Path, lines: &str) -> (Child, u16) {
    for _ in 0..10 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let shown = folder.display();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {shown}/host_ed25519\nHostKey {shown}/host_ecdsa\n\
             HostKey {shown}/host_rsa\nAuthorizedKeysFile {shown}/authorized_keys\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\nLogLevel VERBOSE\n\
             Subsystem sftp internal-sftp -d {shown}/files\nAllowTcpForwarding yes\nMaxStartups 100\n\
             SetEnv PATH={shown}/programs:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\n{lines}"
        );
        fs::write(folder.join("sshd_config"), config).unwrap();
        let mut process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut seen = String::new();
        let listening = lines.by_ref().any(|line| {
            seen.push_str(&line);
            seen.push('\n');
            line.starts_with("Server listening")
        });
        if listening {
            let log = folder.join("log");
            fs::write(&log, &seen).unwrap();
            std::thread::spawn(move || {
                for line in lines {
                    seen.push_str(&line);
                    seen.push('\n');
                    let _ = fs::write(&log, &seen);
                }
            });
            return (process, port);
        }
        let _ = process.wait();
        assert!(seen.contains("Address already in use"), "sshd did not start:\n{seen}");
    }
    panic!("no free port for sshd");
}

//! The chatroom of the example on a local cloud of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use chat_load::client::Entrance;
use mock_cloud::image::build::Wanted;
use mock_cloud::image::{DEFAULT, Store};
use serde_json::Value;

use crate::cargo::cargo_build;

const ALBATROSS: &str = env!("CARGO_BIN_EXE_albatross");
/// The topology of the project's example.
const EXAMPLE: &str = include_str!("../../examples/chatroom.yaml");
/// What the load balancer is asked for.
const NAME: &str = "example.com:5000";

/// A chatroom that is up; it ends with this.
pub(crate) struct Stack {
    folder: tempfile::TempDir,
    address: SocketAddr,
    is_changed: AtomicBool,
    /// Where machines get their image; none for hosts that are processes.
    images: Option<PathBuf>,
}

impl Stack {
    /// Builds the programs and brings the chatroom up on hosts of this kind, `process` or `machine`.
    pub(crate) fn up(hosts: &str) -> Self {
        build();
        let images = (hosts == "machine").then(images);
        let folder = tempfile::Builder::new().prefix("albatross-rolling-").tempdir().unwrap();
        let mut stack = Self {
            folder,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            is_changed: AtomicBool::new(false),
            images,
        };
        stack.write(&[]);
        stack.run(&["cloud", "up", "--hosts", hosts]);
        stack.run(&["--local", "apply", "--yes", "chatroom.yaml"]);
        let status: Value =
            serde_json::from_str(&stack.run(&["--local", "status", "--json", "chatroom.yaml"])).unwrap();
        let url = status["local_address"].as_str().expect("where the load balancer is on this machine");
        stack.address = url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        stack
    }

    /// The way in: the load balancer, which is asked for the chatroom's name.
    pub(crate) fn entrance(&self) -> Entrance {
        Entrance { address: self.address, host: NAME.to_owned() }
    }

    /// From now on the topology asks for another release, and back again the next time.
    pub(crate) fn change_a_setting(&self) {
        if self.is_changed.fetch_xor(true, Ordering::Relaxed) {
            self.write(&[]);
        } else {
            self.write(&[(
                "  port: 5000\n\nload_balancer",
                "  port: 5000\n  ping_timeout: 9s\n\nload_balancer",
            )]);
        }
    }

    fn write(&self, changes: &[(&str, &str)]) {
        // A release counts sooner than it would where people use it: nobody waits for this one.
        let own = [("  port: 5000\n\n", "  rollout: { min_healthy_time: 1s }\n  port: 5000\n\n")];
        let text = own.iter().chain(changes).fold(EXAMPLE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "the example has no `{from}`");
            text.replace(from, to)
        });
        std::fs::write(self.folder.path().join("chatroom.yaml"), text).unwrap();
    }

    /// Runs the program to its end, which must be a good one.
    pub(crate) async fn albatross(&self, arguments: &[&str]) {
        let command = self.command(arguments);
        let output = tokio::process::Command::from(command).output().await.unwrap();
        expect_good(arguments, &output);
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        expect_good(arguments, &output);
        String::from_utf8(output.stdout).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let folder: &Path = self.folder.path();
        let mut command = Command::new(ALBATROSS);
        command
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", folder)
            .env("XDG_CONFIG_HOME", folder.join("config"))
            .env("TMPDIR", folder)
            // Nothing is asked outside this machine.
            .env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
            .envs(self.images.as_ref().map(|images| ("MOCK_CLOUD_IMAGES", images)))
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let ended = self.command(&["cloud", "down"]).output();
        if !std::thread::panicking() {
            assert!(ended.is_ok_and(|ended| ended.status.success()), "the local cloud did not end");
        }
    }
}

fn expect_good(arguments: &[&str], output: &std::process::Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`albatross {}` failed:\n{said}", arguments.join(" "));
}

/// The folder of this machine's images, with one in it.
fn images() -> PathBuf {
    let wanted = Wanted { name: DEFAULT.to_owned(), suite: None, mirror: None };
    let (image, _) = Store::of_this_machine().build(&wanted, &|_| {}).expect("an image for machines");
    image.root.ancestors().nth(2).expect("the folder of the images").to_owned()
}

/// The other two programs, in the profile of this one.
fn build() {
    let folder: PathBuf = Path::new(ALBATROSS).parent().unwrap().to_owned();
    let folder = folder.file_name().unwrap().to_str().unwrap();
    let profile = if folder == "debug" { "dev" } else { folder };
    let built = cargo_build(&["--test", "rolling", "--profile", profile]).status().unwrap();
    assert!(built.success(), "the programs could not be built");
}

//! The archive of `make dist`: what is in it, that it works where nothing else is, and that it is always the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::programs;

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Packs the programs of the tests into a folder; the archive.
fn pack(into: &Path) -> PathBuf {
    run(Command::new(".ci/dist").arg(programs()).arg(into));
    let files = fs::read_dir(into).expect("it is there").map(|file| file.expect("readable").path());
    files.filter(|file| file.extension().is_some_and(|ending| ending == "gz")).max().expect("an archive")
}

#[test]
fn an_archive_is_whole_works_alone_and_is_always_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = pack(&folder.path().join("one"));
    let again = pack(&folder.path().join("two"));
    assert!(
        fs::read(&archive).expect("readable") == fs::read(&again).expect("readable"),
        "two of one are not equal"
    );
    let sums = archive.with_extension("gz.sha256");
    run(Command::new("sha256sum")
        .arg("--check")
        .arg(sums.file_name().expect("a name"))
        .current_dir(folder.path().join("one")));

    run(Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(folder.path()));
    let root = archive.file_name().and_then(|name| name.to_str()?.strip_suffix(".tar.gz")).expect("a name");
    let root = folder.path().join(root);
    let files = [
        "bin/albatross",
        "bin/mock-cloud",
        "bin/chat-node",
        "share/man/man1/albatross.1.gz",
        "share/man/man1/albatross-apply.1.gz",
        "share/bash-completion/completions/albatross",
        "share/zsh/site-functions/_albatross",
        "share/fish/vendor_completions.d/albatross.fish",
        "share/doc/albatross/README.md",
        "share/doc/albatross/docs/topology.md",
        "share/doc/albatross/examples/chatroom.yaml",
    ];
    for file in files {
        assert!(root.join(file).is_file(), "{file} is missing");
    }

    let albatross = |arguments: &[&str]| {
        let mut command = Command::new(root.join("bin/albatross"));
        command.args(arguments).env_clear().current_dir(root.join("share/doc/albatross/examples"));
        String::from_utf8(run(&mut command).stdout).expect("text")
    };
    let versions = albatross(&["--version"]);
    let version = env!("CARGO_PKG_VERSION");
    let bin = root.join("bin");
    let expected = [
        format!("albatross {version}"),
        format!("mock-cloud {version} ({})", bin.join("mock-cloud").display()),
        format!("chat-node {version} ({})", bin.join("chat-node").display()),
    ];
    assert_eq!(versions.lines().collect::<Vec<_>>(), expected);
    assert_eq!(albatross(&["-V"]), format!("albatross {version}\n"));
    assert!(
        albatross(&["validate", "chatroom.yaml"]).starts_with("chatroom.yaml is valid"),
        "it works alone"
    );
}

//! Login and `exec` over SSH.

use crate::support::{Region, has, run, text};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn login_takes_the_key_and_nothing_else() {
    if !has("login_takes_the_key_and_nothing_else", &["ssh", "ssh-keygen"]) {
        return;
    }
    let region = Region::with_hosts(1).await;
    assert_eq!(region.ok("hostname").await, "ecs01\n");
    region.make_key("wrong").await;
    let server = region.ssh_server();
    let login = async |key: &str, user: &str| {
        let mut command = Command::new("ssh");
        command.args(region.options(key)).args(["-p", &server.port().to_string()]);
        command.arg(format!("{user}@{}", server.ip())).arg("true");
        run(command, "").await
    };
    for (key, user) in [("wrong", "root"), ("key", "admin")] {
        let output = login(key, user).await;
        assert_eq!(output.status.code(), Some(255), "{key} {user}");
        assert!(text(&output).contains("Permission denied (publickey)"), "{}", text(&output));
    }
    // A key that is added on the host counts at once.
    region.write(&format!("# c\n{}\n", region.public_key("wrong")), "/root/.ssh/authorized_keys").await;
    assert!(login("wrong", "root").await.status.success());
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_type_logs_in() {
    if !has("every_key_type_logs_in", &["ssh", "ssh-keygen"]) {
        return;
    }
    let mut region = Region::with_hosts(1).await;
    for (kind, bits) in [("rsa", "2048"), ("ecdsa", "256"), ("ed25519", "256")] {
        let path = region.path(kind);
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", kind, "-b", bits, "-N", "", "-f"]).arg(&path);
        assert!(run(command, "").await.status.success());
        let key = region.public_key(kind);
        region.desired.instances.get_mut("i-ecs01").unwrap().authorized_keys.push(key);
    }
    region.apply();
    let server = region.ssh_server();
    for kind in ["rsa", "ecdsa", "ed25519"] {
        crate::support::eventually(&format!("{kind} logs in"), async || {
            let mut command = Command::new("ssh");
            command.args(region.options(kind)).args(["-p", &server.port().to_string()]);
            command.arg(format!("root@{}", server.ip())).arg("true");
            run(command, "").await.status.success()
        })
        .await;
    }
    region.plane.shutdown().await;
}

/// `(command line, exit status, standard output, part of standard error)`, run in this order.
const COMMANDS: &[(&str, i32, &str, &str)] = &[
    ("true", 0, "", ""),
    ("/usr/bin/true", 0, "", ""),
    ("echo 'a  b' c", 0, "a  b c\n", ""),
    ("uname -s", 0, "Linux\n", ""),
    ("id -u", 0, "0\n", ""),
    ("id -u albatross", 1, "", "id: 'albatross': no such user"),
    ("getent passwd albatross", 2, "", ""),
    ("useradd --system --no-create-home --shell /usr/sbin/nologin albatross", 0, "", ""),
    ("useradd --system --no-create-home --shell /usr/sbin/nologin albatross", 9, "", "already exists"),
    ("id -u albatross", 0, "997\n", ""),
    ("grep -qF -e albatross /etc/passwd", 0, "", ""),
    ("grep -F -e nobodys /etc/passwd", 1, "", ""),
    ("grep nobodys /etc/passwd", 127, "", "grep without -F and -e is not understood"),
    ("printf '%s and %s\\n' one two", 0, "one and two\n", ""),
    ("printf %d 1", 127, "", "printf %d is not understood"),
    ("sudo -k -n -- env id -u", 0, "0\n", ""),
    ("sudo -i", 127, "", "sudo -i is not understood"),
    ("mkdir /a/b", 1, "", "mkdir: cannot create directory '/a/b': No such file or directory"),
    ("mkdir -p -m 750 /a/b /c", 0, "", ""),
    ("stat -c '%a %n' /a/b", 0, "750 /a/b\n", ""),
    ("mkdir /a", 1, "", "File exists"),
    ("test -d /a/b", 0, "", ""),
    ("test -e /none", 1, "", ""),
    ("touch /a/one", 0, "", ""),
    ("test -s /a/one", 1, "", ""),
    ("chmod 0640 /a/one", 0, "", ""),
    ("chmod u+x /a/one", 0, "", ""),
    ("stat -c '%a %s' /a/one", 0, "740 0\n", ""),
    ("test -x /a/one", 0, "", ""),
    ("sha256sum /a/one", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  /a/one\n", ""),
    ("sha256sum /none", 1, "", "sha256sum: /none: No such file or directory"),
    ("cat /none", 1, "", "cat: /none: No such file or directory"),
    ("cat /a", 1, "", "cat: /a: Is a directory"),
    ("ln -s /a/b /link", 0, "", ""),
    ("ln -s /a/b /link", 0, "", ""),
    ("ls -1 /a/b", 0, "b\n", ""),
    ("ln -sfn /c /link", 0, "", ""),
    ("readlink /link", 0, "/c\n", ""),
    ("readlink /nothing /link", 1, "/c\n", ""),
    ("ln -sfn /a /next", 0, "", ""),
    ("mv -fT /next /link", 0, "", ""),
    ("readlink -f /link/../../link/b", 0, "/a/b\n", ""),
    ("test -L /link", 0, "", ""),
    ("mv -f /none /x", 1, "", "mv: cannot stat '/none': No such file or directory"),
    ("mv -f /a/one /c", 0, "", ""),
    ("ls -1 /c", 0, "one\n", ""),
    ("ls -1 /none", 2, "", "ls: cannot access '/none': No such file or directory"),
    ("chown -R albatross:albatross /c", 0, "", ""),
    ("chown nobody2 /c", 1, "", "chown: invalid user: 'nobody2'"),
    ("install -d -m 700 -o albatross -g albatross /var/lib/x", 0, "", ""),
    ("stat -c %a /var/lib/x", 0, "700\n", ""),
    ("install -m 0500 /etc/hostname /c/copy", 0, "", ""),
    ("stat -c %a /c/copy", 0, "500\n", ""),
    ("install /etc/hostname /c/copy", 0, "", ""),
    ("stat -c %a /c/copy", 0, "755\n", ""),
    ("install /none /x", 1, "", "install: cannot stat '/none': No such file or directory"),
    ("install /c/copy", 1, "", "install: missing destination file operand after '/c/copy'"),
    (
        "install /c/copy /none/x",
        1,
        "",
        "install: cannot create regular file '/none/x': No such file or directory",
    ),
    ("rm /a", 1, "", "rm: cannot remove '/a': Is a directory"),
    ("rm -f /none", 0, "", ""),
    ("rm /none", 1, "", "rm: cannot remove '/none': No such file or directory"),
    ("rm -rf /a /c", 0, "", ""),
    ("test -e /a", 1, "", ""),
    ("rm -rf /", 1, "", "dangerous"),
    ("env A=1 true", 0, "", ""),
    ("timeout 5 echo x", 0, "x\n", ""),
    ("timeout 0.1 flock /tmp/l timeout 5 flock /tmp/l true", 124, "", ""),
    ("flock -w 1 /run/albatross.lock echo locked", 0, "locked\n", ""),
    ("flock /tmp/m flock -w 0.05 /tmp/m true", 1, "", ""),
    ("journalctl -u none -n 5 --no-pager", 0, "-- No entries --\n", ""),
    ("systemctl start none", 5, "", "Failed to start none.service: Unit none.service not found."),
    ("systemctl is-active none", 4, "inactive\n", ""),
    ("dpkg-query -W -f '${Status}' redis-server", 1, "", "no packages found matching redis-server"),
    ("dpkg-query -W -f '${Status}\\n' curl", 0, "install ok installed\n", ""),
    ("apt-get update", 0, "Reading package lists...\n", ""),
    ("apt-get install -y nosuch", 100, "", "E: Unable to locate package nosuch"),
    ("redis-cli PING", 127, "", "redis-cli: command not found"),
    ("rpm -q redis", 127, "", "rpm: command not found"),
    (
        "curl --silent --show-error --fail --max-time 2 http://127.0.0.1:9999/",
        7,
        "",
        "curl: (7) Failed to connect",
    ),
    ("curl --silent http://nosuch.example.com/", 6, "", "curl: (6) Could not resolve host"),
    ("echo a; echo b", 0, "a\nb\n", ""),
    // Refused by name.
    ("bash -c 'echo x'", 127, "", "mock host: bash is not understood"),
    ("/opt/x/chat-node", 127, "", "mock host: /opt/x/chat-node is not understood"),
    ("mkdir -Z /x", 127, "", "mock host: mkdir -Z is not understood"),
    ("echo $HOME", 127, "", "mock host: an unquoted '$' is not understood"),
    ("cat /etc/passwd | true", 127, "", "mock host: an unquoted '|' is not understood"),
    ("echo x > /x", 127, "", "mock host: an unquoted '>' is not understood"),
    ("ls -1 /*", 127, "", "mock host: an unquoted '*' is not understood"),
];

#[tokio::test(flavor = "multi_thread")]
async fn commands_do_what_the_real_ones_do() {
    if !has("commands_do_what_the_real_ones_do", &["ssh", "ssh-keygen"]) {
        return;
    }
    let region = Region::with_hosts(1).await;
    for (line, status, stdout, stderr) in COMMANDS {
        let output = region.ssh(line).await;
        assert_eq!(output.status.code(), Some(*status), "{line}: {}", text(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), *stdout, "{line}");
        assert!(text(&output).contains(stderr), "{line}: {}", text(&output));
    }
    assert!(region.ok("uname -sm").await.starts_with("Linux "));
    assert!(region.ok("getconf GNU_LIBC_VERSION").await.starts_with("glibc "));
    assert_eq!(region.ok("openssl rand -hex 32").await.trim().len(), 64);
    assert!(
        region.ok("df -k / --output=avail").await.lines().nth(1).unwrap().trim().parse::<u64>().unwrap() > 0
    );
    assert!(region.ok("date +%s").await.trim().parse::<u64>().unwrap() > 1_700_000_000);
    assert!(region.ok("date -u +%Y-%m-%dT%H:%M:%SZ").await.trim().ends_with('Z'));
    assert!(region.ok("nproc").await.trim().parse::<u32>().unwrap() > 0);
    assert!(region.ok("cat /etc/os-release").await.contains("ID=debian"));
    let refused = region.ssh("").await;
    assert_eq!(refused.status.code(), Some(127), "{}", text(&refused));
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_decides_the_distribution() {
    let mut region = Region::empty(mock_cloud::plane::HostKind::Process).await;
    for (id, image) in [("i-1", "ubuntu_24_04_x64"), ("i-2", "aliyun_3_x64_20G")] {
        let mut instance = crate::support::instance(id, 1);
        image.clone_into(&mut instance.image);
        region.desired.instances.insert(id.to_owned(), instance);
    }
    region.apply();
    region.all_ready().await;
    let run = async |id: &str, script: &str| region.plane.run_command(id, script).await.unwrap();
    assert!(String::from_utf8(run("i-1", "cat /etc/os-release").await.output).unwrap().contains("ID=ubuntu"));
    let linux = String::from_utf8(run("i-2", "cat /etc/os-release").await.output).unwrap();
    assert!(linux.contains("ID=\"alinux\"") && linux.contains("VERSION_ID=\"3\""));
    assert_eq!(run("i-2", "rpm -q redis").await.output, b"package redis is not installed\n");
    assert_eq!(run("i-2", "apt-get update").await.exit_code, 127);
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_the_cloud_assistant_stop_at_the_first_failure() {
    let mut region = Region::empty(mock_cloud::plane::HostKind::Process).await;
    region.desired.instances.insert("i-1".to_owned(), crate::support::instance("i-1", 1));
    region.apply();
    region.all_ready().await;
    let script = "#!/bin/sh\n\necho one\ncat /etc/ssh/ssh_host_ed25519_key.pub\ncat /none\necho never\n";
    let result = region.plane.run_command("i-1", script).await.unwrap();
    let text = String::from_utf8(result.output).unwrap();
    assert_eq!(result.exit_code, 1);
    assert!(
        text.starts_with("one\nssh-ed25519 AAAA") && text.contains("No such file") && !text.contains("never")
    );
    assert!(region.plane.run_command("i-2", "true").await.is_err());
    region.plane.shutdown().await;
}

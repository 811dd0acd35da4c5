//! What steps on a host rest on: the locks of a real `flock`, held by a command that lasts as long as its connection.

use std::time::Duration;

use super::server::server;
use super::{session, short};
use crate::ssh::{Command, Session, SshError};

fn flock(words: &[&str]) -> Command {
    Command::new("flock").args(words.iter().copied())
}

/// Tries until another connection has let go: its end is not announced.
async fn hold_soon(session: &Session, command: &Command) {
    for _ in 0..200 {
        if session.hold(command.clone()).await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the lock stays taken");
}

#[tokio::test]
async fn a_lock_is_held_beside_other_commands_and_ends_with_its_connection() {
    let Some(server) = server("a_lock_is_held_beside_other_commands_and_ends_with_its_connection") else {
        return;
    };
    let path = server.path("host.lock");
    let holds = flock(&["-n", &path, "timeout", "60", "cat"]);
    let first = session(&server).await;
    // The second comes through a jump host.
    let route = server.behind(&server.route(), "inner");
    let second = Session::connect(&route, &server.identity, &short()).await.unwrap();
    assert_eq!(first.hold(holds.clone()).await.unwrap(), None);
    assert_eq!(first.check(Command::new("echo").arg("beside")).await.unwrap().text(), "beside");
    first.upload(&server.path("file"), b"beside".to_vec().into(), 0o600).await.unwrap();
    let refused = second.hold(holds.clone()).await.unwrap().expect("it is taken");
    assert_eq!((refused.status, refused.stderr.as_slice()), (1, &b""[..]));

    first.let_go().await.unwrap();
    assert_eq!(second.hold(holds.clone()).await.unwrap(), None, "free at once");
    // A connection that ends without a word lets go too.
    drop(second);
    hold_soon(&first, &holds).await;
    assert!(first.check(Command::new("true")).await.is_ok());
    first.let_go().await.unwrap();
    first.let_go().await.unwrap();

    let absent = Command::new("/no/such/program");
    let ended = first.hold(absent).await.unwrap().expect("it does not last");
    assert_eq!(ended.status, 127);
}

#[tokio::test]
async fn a_command_whose_folder_is_gone_is_not_run_and_one_that_runs_is_waited_for() {
    let Some(server) = server("a_command_whose_folder_is_gone_is_not_run_and_one_that_runs_is_waited_for")
    else {
        return;
    };
    let (running, folder) = (server.path("running"), server.path("step"));
    let lock = format!("{folder}/lock");
    let wrapper: Vec<String> =
        ["flock", "-s", "-o", &running, "flock", "-s", "-o", &lock].map(str::to_owned).to_vec();
    let within = |command: Command| command.wrapped_by(wrapper.iter().cloned());
    let session = session(&server).await;
    session.check(Command::new("mkdir").arg(&folder)).await.unwrap();
    let target = server.path("target");
    session.upload_by(&wrapper, &target, b"one".to_vec().into(), 0o600).await.unwrap();

    // A command that nobody waits for any more; who removes the folder waits for it.
    let slow = Session::connect(&server.route(), &server.identity, &short()).await.unwrap();
    let (begun, go_on) = (server.path("begun"), server.path("go-on"));
    let script = format!("touch {begun}; while [ ! -e {go_on} ]; do sleep 0.02; done; touch {target}.late");
    let work = within(Command::new("sh").args(["-c", &script]));
    {
        let waits = slow.run(work);
        let sees = async {
            while session.run(Command::new("test").args(["-e", &begun])).await.unwrap().status != 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ = waits => panic!("it runs until it is told to go on"),
            () = sees => {}
        }
    }
    drop(slow);
    let ends = |seconds: &str| flock(&["-w", seconds, &running, "rm", "-rf", &folder]);
    assert_eq!(session.run(ends("0.2")).await.unwrap().status, 1);
    session.check(Command::new("touch").arg(&go_on)).await.unwrap();
    session.check(ends("5")).await.unwrap();
    let late = session.run(Command::new("test").args(["-e", &format!("{target}.late")])).await.unwrap();
    assert_eq!(late.status, 0, "it came to its end before the folder went");

    // From here on nothing of the step is run.
    let output = session.run(within(Command::new("touch").arg(&target))).await.unwrap();
    assert_eq!(output.status, 66);
    assert!(output.tail(3).contains(&lock), "{}", output.tail(3));
    let error = session.upload_by(&wrapper, &target, b"two".to_vec().into(), 0o600).await.unwrap_err();
    let SshError::RemoteFailure { exit, stderr_tail, .. } = &error else { panic!("{error:?}") };
    assert!(*exit == 66 && stderr_tail.contains(&lock), "{error}");
    assert_eq!(session.read(&target).await.unwrap().unwrap(), b"one");
    let left: Vec<String> = server.files().into_iter().filter(|name| name.contains(".new")).collect();
    assert!(left.is_empty(), "nothing is left beside the file: {left:?}");
}

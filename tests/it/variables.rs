//! Variables, references to the environment, and fields that a command sets.

use crate::support::{Run, TestEnv};

/// The chatroom with a port and a host that are variables.
fn with_variables() -> TestEnv {
    let env = TestEnv::new();
    env.write_changed(
        "chatroom.yaml",
        &[
            ("stack: chatroom\n", "variables: { PORT: 5001, HOST: { type: text } }\nstack: chatroom\n"),
            ("    port: 5000\n", "    port: ${PORT}\n"),
            ("  host: \"@\"", "  host: ${HOST}"),
        ],
    );
    env
}

fn validate(env: &TestEnv, options: &[&str]) -> Run {
    env.run(&[&["validate", "chatroom.yaml"], options].concat())
}

/// The address that a topology has with these options.
#[track_caller]
fn address(env: &TestEnv, options: &[&str]) -> String {
    let said = validate(env, options).expect_code(0).stdout;
    said.trim_end().rsplit(' ').next().expect("an address").to_owned()
}

#[test]
fn each_source_of_a_value_goes_before_the_one_above_it() {
    let env = with_variables();
    env.write("one.yaml", "PORT: 5002\nHOST: one\n");
    env.write("two.yaml", "# only one of them\nHOST: two\n");
    let given: &[&[&str]] = &[
        &["--var", "HOST=a"],
        &["--vars", "one.yaml"],
        &["--vars", "one.yaml", "--vars", "two.yaml"],
        &["--var", "PORT=5003", "--vars", "one.yaml"],
        &["--var", "PORT=5003", "--var", "PORT=5004", "--vars", "one.yaml"],
        &["--set", "load_balancer.listener.port=5005", "--var", "PORT=5003", "--vars", "one.yaml"],
        &["--set", "dns.host=c", "--set", "dns.host=d"],
    ];
    let addresses: Vec<String> = given.iter().map(|options| address(&env, options)).collect();
    assert_eq!(
        addresses,
        [
            "http://a.example.com:5001/",
            "http://one.example.com:5002/",
            "http://two.example.com:5002/",
            "http://one.example.com:5003/",
            "http://one.example.com:5004/",
            "http://one.example.com:5005/",
            "http://d.example.com:5001/",
        ]
    );
}

#[test]
fn the_environment_is_asked_and_a_default_counts_where_it_says_nothing() {
    let mut env = TestEnv::new();
    env.write_changed(
        "chatroom.yaml",
        &[
            ("    port: 5000\n", "    port: ${env:ROOM_PORT:-5006}\n"),
            ("  host: \"@\"", "  host: x${env:ROOM}-$${a}"),
        ],
    );
    validate(&env, &[]).expect_code(65).expect_in_order(&[
        "error[environment-not-set]: the variable `ROOM` of the environment is not set",
        "--> chatroom.yaml:38:",
        "help: run `export ROOM=...`, or write `${env:ROOM:-DEFAULT}`",
    ]);
    env.set("ROOM", "1");
    validate(&env, &[]).expect_code(65).expect_in_order(&["error[host-record]: ", "`x1-${a}`"]);
    env.write_changed(
        "chatroom.yaml",
        &[
            ("    port: 5000\n", "    port: ${env:ROOM_PORT:-5006}\n"),
            ("  host: \"@\"", "  host: x${env:ROOM}"),
        ],
    );
    assert_eq!(address(&env, &[]), "http://x1.example.com:5006/");
    env.set("ROOM_PORT", "5007");
    assert_eq!(address(&env, &[]), "http://x1.example.com:5007/");
}

#[test]
fn what_cannot_be_given_is_refused() {
    let env = with_variables();
    env.write("list.yaml", "- PORT\n");
    env.write("wrong.yaml", "HOST: a\nPROT: 1\n");
    let refused: &[(&[&str], i32, &[&str])] = &[
        (&["--var", "PORT"], 64, &["invalid value 'PORT' for '--var <NAME=VALUE>'"]),
        (&["--vars", "none.yaml"], 64, &["cannot read the variables in `none.yaml`", "No such file"]),
        (
            &["--vars", "list.yaml"],
            64,
            &["cannot read the variables in `list.yaml`", "no `NAME: value` lines"],
        ),
        (
            &["--vars", "wrong.yaml"],
            65,
            &[
                "error[unknown-variable]: no variable is called `PROT`",
                "wrong.yaml, line 2",
                "did you mean `PORT`?",
            ],
        ),
        (
            &["--var", "HOST=a", "--var", "PORT=five"],
            65,
            &[
                "error[variable-type]: the variable `PORT` cannot be \"five\"",
                "--var PORT: its type is `number`",
            ],
        ),
        (
            &[],
            65,
            &["error[variable-without-value]: the variable `HOST` has no value", "add `--var HOST=...`"],
        ),
        (
            &["--set", "stack.name=a"],
            65,
            &["error[set-path]: the field `stack.name` cannot be set", "`stack` has no fields of its own"],
        ),
        (
            &["--set", "variables.HOST=a"],
            65,
            &["error[set-path]: the field `variables.HOST` cannot be set", "help: write `--var HOST=...`"],
        ),
        (
            &["--var", "HOST=a", "--set", "dns.hots=a"],
            65,
            &[
                "error[unknown-field]: unknown field `hots`",
                "as `--set dns.hots=a` has it",
                "did you mean `host`?",
            ],
        ),
        (
            &["--var", "HOST=a", "--set", "node.port=70000"],
            65,
            &["error[port-range]: ", "as `--set node.port=70000` has it"],
        ),
    ];
    for (options, code, words) in refused {
        let run = validate(&env, options).expect_code(*code).expect_in_order(words);
        assert_eq!(run.stderr.matches("error").count() - run.stderr.matches(" error").count(), 1, "{run:?}");
    }
}

/// A cloud without machines is enough: a plan is the control plane's matter.
#[test]
fn a_value_that_is_put_in_counts_as_a_written_one() {
    let env = with_variables();
    env.cloud_up(&["--hosts", "none", "--pace", "instant"]);
    let local = |verb: &[&str], options: &[&str]| {
        env.run(&[&["--local"], verb, options, &["chatroom.yaml"]].concat())
    };
    local(&["apply", "--yes"], &["--var", "HOST=a"]).expect_code(0);
    local(&["plan", "--detailed-exitcode"], &["--set", "dns.host=a"]).expect_code(0);
    local(&["plan"], &["--var", "HOST=a", "--set", "load_balancer.listener.idle_timeout=90s"])
        .expect_code(0)
        .expect_in_order(&["~ listener.main", "idle_timeout: 60 -> 90", "Plan: 1 to update."]);
    local(&["destroy", "--yes"], &["--var", "HOST=a"]).expect_code(0);
}

#[test]
fn a_saved_plan_has_what_was_put_in() {
    let mut env = with_variables();
    env.write_changed(
        "chatroom.yaml",
        &[
            ("stack: chatroom\n", "variables: { PORT: 5001, HOST: { type: text } }\nstack: chatroom\n"),
            ("    port: 5000\n", "    port: ${PORT}\n"),
            ("  host: \"@\"", "  host: ${HOST}"),
            ("idle_timeout: 60s", "idle_timeout: ${env:ROOM_TIMEOUT}"),
        ],
    );
    env.cloud_up(&["--hosts", "none", "--pace", "instant"]);
    env.set("ROOM_TIMEOUT", "70s");
    let given = ["--var", "HOST=a", "--set", "dns.ttl=900"];
    env.run(&[&["--local", "plan", "--out", "chat.plan"], &given[..], &["chatroom.yaml"]].concat())
        .expect_code(0);
    env.set("ROOM_TIMEOUT", "80s");
    env.run(&["apply", "--yes", "--var", "HOST=b", "chat.plan"]).expect_code(64).expect_in_order(&[
        "a saved plan has the values that it was made with",
        "leave --set, --var and --vars away",
    ]);
    env.run(&["apply", "--yes", "chat.plan"]).expect_code(0).expect_in_order(&["http://a.example.com:5001/"]);
    let status = env.run(&[&["--local", "plan"], &given[..], &["chatroom.yaml"]].concat()).expect_code(0);
    status.expect_in_order(&["~ listener.main", "idle_timeout: 70 -> 80"]);
    // What is out of date is planned again with what was given.
    env.run(&[&["--local", "plan", "--out", "chat.plan"], &given[..], &["chatroom.yaml"]].concat())
        .expect_code(0);
    let other = ["--var", "HOST=a", "--set", "dns.ttl=1000"];
    env.run(&[&["--local", "apply", "--yes"], &other[..], &["chatroom.yaml"]].concat()).expect_code(0);
    env.run(&["apply", "--yes", "chat.plan"]).expect_code(1).expect_in_order(&[
        "`chat.plan` is out of date",
        "albatross --local plan --var HOST=a --set dns.ttl=900 --out chat.plan chatroom.yaml",
    ]);
}

/// What the environment has may be a secret; it stays where it is.
#[test]
fn a_secret_is_not_put_in_from_the_environment() {
    let mut env = TestEnv::new();
    env.set("TOKEN", "hunter2");
    env.write_changed(
        "chatroom.yaml",
        &[
            ("  port: 5000\n\nload_balancer", "\nload_balancer"),
            ("\nnode:\n", "\napp: { binary: /bin/true, env: { TOKEN: \"${env:TOKEN}\" } }\nnode:\n"),
        ],
    );
    validate(&env, &[]).expect_code(65).expect_absent("hunter2").expect_in_order(&[
        "error[reference-secret]: `${env:TOKEN}` cannot be put in here",
        "help: write `TOKEN: { env: TOKEN }`: then only the name is kept",
    ]);
}

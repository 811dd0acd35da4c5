//! The rules from N to Z, one after another.

use super::rule;
use crate::topology::explain::RuleExplanation;

/// By code.
pub(super) const RULES: &[RuleExplanation] = &[
    rule(
        "no-dns",
        "the service has no name",
        "An ALB made since November 2024 refuses requests to its own name; it is reached through a CNAME only.",
        "add `dns: { domain: example.com }` with a domain of this account",
    ),
    rule(
        "no-node",
        "no instance runs the chat node",
        "Redis takes the last instance unless told otherwise; with one instance none is left.",
        "declare two instances more, or write `node.on`",
    ),
    rule(
        "no-vswitch",
        "the network has no vSwitch",
        "Machines and load balancer have their addresses in vSwitches, each of which is in one zone.",
        "add `zones: [cn-hangzhou-h, cn-hangzhou-i]` with two zones of your region",
    ),
    rule(
        "node-twice",
        "an instance is listed twice under `node.on`",
        "An instance runs one node.",
        "remove one of the two",
    ),
    rule(
        "not-a-certificate",
        "the file is no certificate",
        "A chain is in PEM, from `-----BEGIN CERTIFICATE-----` on, the certificate of the server first, then those that \
         signed it.",
        "write the path of such a chain; who signed it often calls it `fullchain.pem`",
    ),
    rule(
        "not-a-key",
        "the file is not an SSH key that can be used",
        "Keys are read in OpenSSH's form; one with a passphrase is fine, which is asked for when it is needed.",
        "write the path of such a key, or leave `ssh.key` out so that one is made",
    ),
    rule(
        "not-utf-8",
        "the file is not text in UTF-8",
        "YAML is text in UTF-8; other encodings, and other files, are not understood.",
        "save it as UTF-8",
    ),
    rule(
        "output-name",
        "this cannot be the name of an output",
        "`albatross outputs FILE NAME` prints one, and hooks are told it as a variable; some names have a meaning already.",
        "write letters, digits, hyphens and underscores, such as `chat_address`",
    ),
    rule(
        "output-reference",
        "an output refers to what there is not",
        "What is known of a resource when it is made is named as the topology names the resource.",
        "write for example `${instances.ecs01.public_address}`, `${load_balancer.dns_name}` or `${url}`",
    ),
    rule(
        "pin-missing",
        "an instance has no pinned host key",
        "With `host_keys: { pinned: ... }` nobody else is asked for a key, and one that is not known is never trusted.",
        "add the line of that instance, or leave `ssh.host_keys` out: the cloud is asked then",
    ),
    rule(
        "ping-interval",
        "quiet clients would be cut off",
        "The listener cuts connections on which nothing moves. The node's pings keep them alive, if they come sooner \
         than both of its timeouts.",
        "make `node.ping_interval` shorter than `idle_timeout` and `request_timeout`, and at least 1s",
    ),
    rule("port-range", "this is not a port", "Ports are 1 to 65535.", "write for example `port: 5000`"),
    rule(
        "port-taken",
        "two programs of one instance want the same port",
        "SSH has 22; Redis and the chat node each need one of their own where they share an instance.",
        "choose another port for one of them",
    ),
    rule(
        "reached-twice",
        "an instance is reached in two ways",
        "A public address and a way through another instance exclude each other.",
        "keep `access: public`, or keep `via`",
    ),
    rule(
        "redirect-port",
        "the redirect wants the port of the listener",
        "A port of the load balancer speaks plain HTTP or https, not both.",
        "write another port for one of the two, as a rule `redirect_from: 80` and `port: 443`",
    ),
    rule(
        "redirect-without-https",
        "there is nothing to redirect to",
        "The redirect leads from plain HTTP to https, and the listener speaks plain HTTP.",
        "write `protocol: https` and a `certificate`, or remove `redirect_from`",
    ),
    rule(
        "redis-class",
        "this is no class of the product line",
        "A class decides memory and price. Those of `tair` are in memory, `tair.rdb.1g` and larger: the lines on \
         persistent memory and on disks are another thing. Those of `classic` begin with `redis.`.",
        "write for example `class: tair.rdb.1g`; `aliyun r-kvstore DescribeAvailableResource` lists what a zone sells",
    ),
    rule(
        "redis-engine",
        "this version of Redis cannot be had, or cannot carry the messages",
        "Messages travel through a Redis Stream, which 5.0 was the first to have. Classes on local disks have 5.0 \
         alone, Tair and cloud-native classes 5.0, 6.0 and 7.0.",
        "write for example `engine: \"5.0\"`, or leave it out",
    ),
    rule(
        "redis-memory",
        "this is too little memory for Redis",
        "It needs 16 MiB before it holds any data.",
        "write for example `max_memory: 256`",
    ),
    rule(
        "redis-setting",
        "this is a setting of a Redis on an instance",
        "A managed Redis holds what its class says, and the cloud keeps it over restarts.",
        "remove the setting, and choose the class that fits",
    ),
    rule(
        "redis-twice",
        "Redis is in two places",
        "It runs on an instance (`on`), or the cloud runs it (`tair`, `classic`); the nodes talk through one of them.",
        "keep one of the three",
    ),
    rule(
        "reference-form",
        "this begins like a reference and is none",
        "Every `${` in a value begins a reference, also in arguments and commands that a shell would read later.",
        "write `${NAME}`, `${env:NAME}` or `${env:NAME:-default}`, or `$${` where `${` itself is meant",
    ),
    rule(
        "reference-secret",
        "a secret would get into plans and the journal",
        "What a reference puts in is a part of the topology, and of everything that is made from it. Fields for secrets have \
         a way of their own: they name the variable or the file, and what is in it is read when it is needed.",
        "write `{ env: NAME }` or `{ file: PATH }`",
    ),
    rule(
        "reference-too-early",
        "this is known only when everything is made",
        "What a topology says is what things are made from, so it cannot have in it what turns out when they are.",
        "write it under `outputs`, or let a variable have it",
    ),
    rule(
        "region",
        "this is not the id of a region",
        "Regions are written by id, such as `cn-hangzhou`; a zone has a letter more.",
        "write the id; `aliyun ecs DescribeRegions` lists them",
    ),
    rule(
        "rollout-parallel",
        "too many nodes would be away at once",
        "A node that is given another release is away for a moment. Clients move to the others, so one has to stay.",
        "leave `max_parallel` out: one node goes at a time",
    ),
    rule(
        "rollout-time",
        "a release could never count",
        "A release counts when its node has been ready for `min_healthy_time`, and it must count by `healthy_deadline`, \
         which begins when the node is started.",
        "make `healthy_deadline` longer than `min_healthy_time`, such as `1m` and `10s`",
    ),
    rule(
        "security-rule",
        "this is no rule of a security group",
        "A rule says what is let in and from whom: `[tcp|udp] PORT[-PORT]`, `ssh`, `http`, `https`, `redis`, `icmp` or `all`, \
         then `from`, then `anywhere`, an address, a range, `load balancer`, `nodes` or the name of an instance.",
        "write for example `5000 from load balancer` or `tcp 8000-8100 from 10.0.0.0/8`",
    ),
    rule(
        "set-path",
        "the field that `--set` names cannot be set",
        "Its path leads through something that has no fields of its own in this file: one value, a list or an alias.",
        "name a field as docs/topology.md does, such as `--set load_balancer.listener.port=8080`",
    ),
    rule(
        "several-instances",
        "several instances are named where one is meant",
        "The name of a declaration with a count stands for all of its machines. Redis runs on one, a way leads through one, \
         and a client of `verify` leaves from one.",
        "write the name of one of them, such as `web-1`",
    ),
    rule(
        "spot-price",
        "this cannot be the most that a spot instance may cost",
        "The limit is an amount an hour in the currency of the account, and has three decimals at most. While the market asks \
         more, no instance is made, and those that run are taken back.",
        "write an amount such as `spot: { price_limit: 0.05 }`, or `spot: true` for whatever the market asks",
    ),
    rule(
        "ssh-allow-from",
        "nobody may log in",
        "Releases travel over SSH, and port 22 is open to these ranges only.",
        "write the address you come from, such as `allow_from: [203.0.113.7]`",
    ),
    rule(
        "ssh-user",
        "this user cannot install packages and units",
        "Machines are set up by root, or by somebody who becomes root with sudo.",
        "write `sudo: true` beside the user, or leave `user` out",
    ),
    rule(
        "stack-name",
        "this cannot be the name of a stack",
        "It stands in tags, names of resources and DNS remarks: 2 to 30 lower-case letters, digits and hyphens.",
        "write for example `stack: chatroom`",
    ),
    rule(
        "state-place",
        "the state cannot be shared there",
        "People who share a stack share a bucket of OSS: its lock, and the history of what was done. It is private, never \
         kept versions, and each stack has a folder of its own below the prefix.",
        "write for example `state: oss://my-team/albatross`, with `?region=cn-shanghai` behind it when the bucket is in \
         another region; without `state` it is in the folder of this machine alone",
    ),
    rule(
        "sudo-password",
        "it is not said where the password for sudo is",
        "A password is never written into a topology: it is in a variable of the environment, or in a file that only you \
         can read.",
        "write `sudo: { password: { env: NAME } }` or `sudo: { password: { file: PATH } }`",
    ),
    rule(
        "syntax",
        "the file is not YAML, or a value has the wrong form",
        "The reader stops at the first such place, so there may be more behind it.",
        "see the place that is shown, and examples/chatroom.yaml for the form",
    ),
    rule(
        "tag-count",
        "a resource would have too many tags",
        "The cloud takes 20 for each resource. An instance needs up to seven for Albatross: its stack, its address, how often \
         it was made before, its image, its user data, its host key and when it goes. So 13 are left for the tags of the stack and its \
         own together.",
        "remove some, or put several into one value",
    ),
    rule(
        "tag-key",
        "this cannot be the key of a tag",
        "A key has 1 to 128 characters. Those that begin with `acs:` or `aliyun` are the cloud's, those that begin with \
         `albatross:` say whose a resource is, and the cloud takes no address of a page.",
        "write another key, such as `team`",
    ),
    rule(
        "tag-value",
        "this cannot be the value of a tag",
        "A value has 1 to 128 characters, does not begin with `acs:` or `aliyun`, and has no address of a page in it.",
        "write another value, such as `chat`",
    ),
    rule(
        "timeout-range",
        "a timeout of the listener is out of range",
        "The ALB takes 1 to 600 seconds.",
        "write for example `idle_timeout: 60s`",
    ),
    rule(
        "too-few-zones",
        "the load balancer is in one zone only",
        "An ALB needs addresses in two zones, so that it survives the loss of one.",
        "add a vSwitch in a second zone; `albatross doctor FILE` lists the zones",
    ),
    rule(
        "ttl-range",
        "the TTL is out of range",
        "1 to 86400 seconds; free editions of the DNS service take 600 at least.",
        "write `ttl: 600`",
    ),
    rule(
        "unknown-field",
        "there is no such field",
        "Fields are not ignored when they are mistyped: a setting that does nothing would be worse.",
        "write the name that is suggested; docs/topology.md lists all fields",
    ),
    rule(
        "unknown-instance",
        "no instance has this name",
        "`via`, `redis.on` and `node.on` name instances that are declared under `instances`.",
        "write one of those names, or declare the instance",
    ),
    rule(
        "unknown-variable",
        "a variable is not declared",
        "What `${NAME}` refers to, and what `--var` and `--vars` give a value, stands under `variables` of the topology: so \
         a mistyped name is found.",
        "write one of those names, or declare it; a variable of the environment is `${env:NAME}`",
    ),
    rule(
        "unknown-vswitch",
        "no vSwitch has this name",
        "Instances and load balancer name vSwitches that are declared under `network.vswitches`, or `a`, `b`, ... with \
         `network.zones`.",
        "write one of those names, or declare the vSwitch",
    ),
    rule(
        "unreachable",
        "an instance cannot be reached",
        "It is set up over SSH: at a public address, or through another instance that has one.",
        "add `access: public`, or `via:` with the name of a public instance",
    ),
    rule(
        "user-data-file",
        "what an instance is told at its start cannot be made from this file",
        "It is a template: `{{ NAME }}` stands for a value under `with`, and each has to have one.",
        "write the path of a text, relative to the topology's file, and a value for each name in it",
    ),
    rule(
        "user-data-size",
        "an instance is told too much at its start",
        "The cloud takes 32 KiB.",
        "let the instance fetch the rest from where it can reach it",
    ),
    rule(
        "variable-form",
        "a variable is declared in a way that makes no sense",
        "A variable has a name of letters, digits and underscores, and a default or the fields `type`, `default` and \
         `description`.",
        "write `NAME: default`, or `NAME: { type: number, default: 5000, description: the port }`",
    ),
    rule(
        "variable-type",
        "a variable has a value of another type",
        "Its type is what `type` says, else what its default is: `text`, `number`, `boolean` or `list`. A list cannot be a part \
         of a text.",
        "give it a value of that type, or change its type",
    ),
    rule(
        "variable-without-value",
        "a variable that is needed has no value",
        "It has no default, so every command that reads the topology has to give it one.",
        "add `--var NAME=VALUE` or `--vars FILE` to the command, or give it a default under `variables`",
    ),
    rule(
        "verify-expect",
        "what is expected can never come",
        "An answer ends with a status from 200 to 599; texts that are looked for have at least one character; headers have \
         names and values as HTTP has them.",
        "write what the service answers, such as `expect: { status: 200, body: Welcome }`",
    ),
    rule(
        "verify-field",
        "this expectation is for another kind of service",
        "`http` has a path, a status, a body and headers; `websocket-echo` has a path, what is said and what is said \
         back; of `chat` all is known.",
        "write the `kind` that it is for, or remove the field",
    ),
    rule(
        "verify-path",
        "this is not the path of an address",
        "A path begins with `/`, is of printable ASCII characters and has no fragment, which no server is ever told.",
        "write for example `path: /status`",
    ),
    rule(
        "verify-vantage",
        "nobody can look from there",
        "A client of `verify` connects from this machine (`local`), or leaves through the SSH server of an instance of \
         this topology (`ssh:INSTANCE`).",
        "write `local`, or `ssh:` and the name of an instance",
    ),
    rule(
        "verify-vantages",
        "two clients need two places",
        "That two people meet is shown by two clients with two source addresses.",
        "write two different ones, such as `vantages: [local, ssh:ecs01]`",
    ),
    rule(
        "vswitch-too-small",
        "a vSwitch is too small for the load balancer",
        "An ALB wants eight free addresses in each of its vSwitches, and four of each are reserved.",
        "use a /28 or larger, or leave this vSwitch out of `load_balancer.vswitches`",
    ),
    rule(
        "vswitch-twice",
        "the place of instances is said twice",
        "`vswitch` is the one of all machines of a declaration, `vswitches` are those that they take in turn.",
        "keep one of the two",
    ),
    rule(
        "zone-outside-region",
        "a zone is not of the topology's region",
        "Everything of a stack is in one region, and zones begin with the region's name.",
        "write a zone such as `cn-hangzhou-h` for `cn-hangzhou`, or change `region`",
    ),
    rule(
        "zone-twice",
        "two vSwitches of the load balancer are in one zone",
        "An ALB takes one vSwitch in each zone.",
        "list one vSwitch of each zone under `load_balancer.vswitches`",
    ),
];

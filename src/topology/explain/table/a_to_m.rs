//! The rules from A to M, one after another.

use super::rule;
use crate::topology::explain::RuleExplanation;

/// By code.
pub(super) const RULES: &[RuleExplanation] = &[
    rule(
        "app-argument",
        "an argument of the app cannot be written into a unit",
        "systemd has the whole command on one line; a line break or another control character would end it.",
        "leave it out, or let the program read it from a file or a variable",
    ),
    rule(
        "app-binary",
        "the app's program cannot be put on the instances",
        "It is a 64-bit program for Linux on x86_64 or aarch64, in a file of this machine. A static one runs everywhere; one \
         that needs a C library needs the same on the instances, which is looked at before it is sent.",
        "write the path of the program, relative to the topology's file, and build it for Linux",
    ),
    rule(
        "app-health-path",
        "this is no path that the load balancer can ask for",
        "The load balancer asks each app for it every second, by HEAD, and sends traffic to those that answer with 200 to \
         299.",
        "write a path such as `/healthz`, 80 characters at most",
    ),
    rule(
        "app-health-time",
        "this is no time that an app can have until it answers",
        "A roll-out waits that long for each instance before it puts the release before back.",
        "write 1s to 1h",
    ),
    rule(
        "app-setting",
        "this is a setting of the chat node, or is written twice",
        "An app has a port of its own, and pings and origins are its own affair. `node.on` and `node.rollout` count for it \
         as well.",
        "remove the setting",
    ),
    rule(
        "app-value",
        "the value of a variable cannot be written",
        "A text stands on one line of the app's environment file. A secret is in a variable of your environment or on the \
         first line of a file of mode 0600, and only its place stands in the topology.",
        "write a text without line breaks, `{ env: NAME }` or `{ file: PATH }`",
    ),
    rule(
        "app-variable",
        "this cannot be a variable of the app",
        "Names have letters, digits and underscores. `HOST`, `PORT` and `REDIS_URL` are what Albatross tells the app.",
        "choose another name",
    ),
    rule(
        "certificate-ended",
        "the certificate is not valid today",
        "Browsers and clients turn away what has ended or has not begun, and the certificate service takes no upload of \
         what has ended.",
        "get a new certificate from whoever signed it, and write its files",
    ),
    rule(
        "certificate-form",
        "this is no certificate",
        "A certificate is named by its id in the certificate service, brought along as a chain with its private key, or \
         made without anybody's signature, for tests.",
        "write `{ file: chain.pem, key: key.pem }`, `{ self_signed: true }`, or an id such as `12345-cn-hangzhou`",
    ),
    rule(
        "certificate-key",
        "the private key is not that of the certificate",
        "The load balancer proves with the key that the certificate is its own; that of another certificate proves \
         nothing. The key is in PEM and has no passphrase, since nobody is there to type it.",
        "write the key that the certificate was asked for with under `key`",
    ),
    rule(
        "certificate-key-open",
        "others on this machine can read the private key",
        "Who has the private key can pass for the service.",
        "run `chmod 600` on the key",
    ),
    rule(
        "certificate-missing",
        "a file of the certificate cannot be read",
        "Chain and key are uploaded from files; their paths are relative to the topology's file.",
        "write the paths of both, such as `{ file: chain.pem, key: key.pem }`",
    ),
    rule(
        "certificate-name",
        "the certificate is for another name",
        "A browser compares the name it was given with those in the certificate; `*` in one of those stands for one label.",
        "bring along a certificate for the name under `dns`, or change that",
    ),
    rule(
        "certificate-without-https",
        "a certificate is written for an http listener",
        "An http listener does not encrypt and has no use for one; most likely https was meant.",
        "write `protocol: https` beside the certificate, or remove `certificate`",
    ),
    rule(
        "cidr",
        "this is not an address range that can be used here",
        "Ranges are IPv4, `address/length`, with nothing set behind the length. A VPC has /8 to /28 of a range that is \
         not reserved, a vSwitch /16 to /29.",
        "write for example `192.168.0.0/16` for a VPC and `192.168.0.0/24` for a vSwitch",
    ),
    rule(
        "cidr-outside-vpc",
        "a vSwitch's range is not inside the VPC's",
        "A vSwitch is a part of its VPC, so its addresses are some of the VPC's.",
        "choose a range inside `network.vpc.cidr`, or widen that",
    ),
    rule(
        "cidr-overlap",
        "two vSwitches share addresses",
        "An address belongs to one vSwitch, or packets would not find their way.",
        "give each vSwitch a range of its own, such as `192.168.0.0/24` and `192.168.1.0/24`",
    ),
    rule(
        "disk-count",
        "an instance would have too many data disks",
        "The cloud makes an instance with 16 data disks at most.",
        "make fewer and larger ones",
    ),
    rule(
        "disk-level",
        "this category of disk has no performance levels",
        "PL0 to PL3 are levels of a `cloud_essd`. The performance of a `cloud_auto` and of the others follows from their \
         size.",
        "add `category: cloud_essd`, or remove `performance_level`",
    ),
    rule(
        "disk-name",
        "this cannot be the name of a data disk",
        "The name is how a disk is known again in the cloud, where an instance's disks have no order.",
        "write 2 to 40 lower-case letters, digits and hyphens, beginning with a letter",
    ),
    rule(
        "disk-size",
        "the size of a disk is out of range",
        "The cloud makes system disks of 20 to 2048 GiB, and public images need 20. Data disks go from 1, 10 or 20 GiB to \
         32768 or 65536, by their category; an ESSD of PL2 has 461 at least, one of PL3 1261.",
        "write for example `disk: 40`",
    ),
    rule(
        "disk-twice",
        "two data disks of an instance have one name",
        "The name is how a disk is known again in the cloud, where an instance's disks have no order.",
        "give one of them another name",
    ),
    rule(
        "domain",
        "this is not the name of a domain",
        "`dns.domain` is the domain as the DNS console lists it: no scheme, port, path or host in front.",
        "write for example `domain: example.com`; a host such as `chat` goes to `dns.host`",
    ),
    rule(
        "endpoint",
        "this cannot be the address of a product",
        "Calls carry a signature made with your key, so they travel encrypted; plain http is taken on the loopback only. \
         The address ends after the port.",
        "write for example `https://ecs.cn-hangzhou.aliyuncs.com` or `http://127.0.0.1:8080`",
    ),
    rule(
        "endpoint-product",
        "no product has this name",
        "Under `endpoints` each product has one address, by the names that variables use too.",
        "write one of `sts`, `vpc`, `ecs`, `alb`, `alidns`, `r_kvstore`, `cas`",
    ),
    rule(
        "environment-not-set",
        "a variable of the environment that the topology refers to is not set",
        "`${env:NAME}` takes what this command's environment has; one that is empty counts as not set.",
        "set it with `export NAME=...`, or write what counts without it: `${env:NAME:-default}`",
    ),
    rule(
        "existing-choice",
        "it is not said which of those that are there is meant",
        "Something that is there already is named by its id, or chosen by one tag or by its name; exactly one must have that.",
        "write its id, `{ tag: { team: network } }` or `{ name: shared }`",
    ),
    rule(
        "existing-match",
        "not exactly one of those that are there is as the topology says",
        "What is chosen by a tag or by its name is looked up in the region, vSwitches and security groups in the VPC of the \
         topology. None may be used in its place, and of several none is meant more than the others.",
        "write the id of the one that is meant, or another tag or name",
    ),
    rule(
        "expires-protected",
        "something is protected, and is to go by itself",
        "`protect` refuses plans that would remove it; the release time of an instance is the cloud's own affair, and not \
         even deletion protection holds against it.",
        "write `expires: never` for what is protected, or remove `protect`",
    ),
    rule(
        "expires-range",
        "this is no time that an instance can live",
        "The cloud takes release times from half an hour to three years ahead.",
        "write for example `expires: 4h`, or `never`",
    ),
    rule(
        "file-too-large",
        "the file is too large for a topology",
        "A topology has a few thousand bytes; a file of more than a mebibyte is something else.",
        "give the path of a topology, such as examples/chatroom.yaml",
    ),
    rule(
        "hook-command",
        "a command of a hook cannot be run",
        "A hook is a list of commands, and each command a list of words: a program and its arguments. No shell reads \
         them, so nothing needs to be quoted.",
        "write for example `before_apply: [[./check, --all], [./notify, \"we begin\"]]`",
    ),
    rule(
        "hook-timeout",
        "a hook may not take that long, or takes no time",
        "The stack is locked while a hook runs, so each command is bounded: 1 second to 1 hour.",
        "write for example `timeout: 5m`",
    ),
    rule(
        "host-key-line",
        "this is no line of a host key",
        "A pinned host key is written as the host has it: its kind, and its text in base64.",
        "write what `cat /etc/ssh/ssh_host_ed25519_key.pub` prints on the instance, such as `ssh-ed25519 AAAA...`",
    ),
    rule(
        "host-record",
        "this is not a host record",
        "A host record is `@`, which is the domain itself, or labels of letters, digits and hyphens.",
        "write `host: \"@\"` for the domain itself, or for example `host: chat`",
    ),
    rule(
        "https-without-certificate",
        "an https listener has no certificate",
        "The ALB shows browsers a certificate for the name.",
        "write the id of one that the certificate service has, such as `certificate: 12345-cn-hangzhou`, or bring one \
         along with `certificate: { file: chain.pem, key: key.pem }`",
    ),
    rule(
        "image-past-its-end",
        "the packages of this image are past their end",
        "CentOS 6 and 7 and Alibaba Cloud Linux 2 get no updates any more, and their Redis (3.2) has no streams, which \
         carry messages between the nodes.",
        "leave `image` out for Alibaba Cloud Linux 3; Redis can be one of the cloud's: `redis: { tair: { class: \
         tair.rdb.1g } }`",
    ),
    rule(
        "instance-count",
        "there cannot be so many instances of one kind",
        "They are numbered from 1 to `count`, and an account has a quota for instances far below the most that can be written.",
        "write 1 to 100; without any, remove the declaration",
    ),
    rule(
        "instance-name",
        "this cannot be the name of an instance",
        "It is the host name too: 2 to 40 lower-case letters, digits and hyphens, beginning with a letter.",
        "write for example `ecs01`",
    ),
    rule(
        "instance-twice",
        "two instances have the same name",
        "The machines of a declaration with a count are called `NAME-1`, `NAME-2` and so on; one of these names is \
         declared, too.",
        "give one of the two declarations another name",
    ),
    rule(
        "key-fingerprint",
        "this is no fingerprint of an SSH key",
        "Of the keys that an agent has, the one that is meant is named by its fingerprint.",
        "copy it from `ssh-add -l`, such as `key: { agent: SHA256:... }`",
    ),
    rule(
        "key-missing",
        "the SSH key cannot be read",
        "Without a key nobody gets onto the machines to set them up.",
        "write the path of a private key, or leave `ssh.key` out so that one is made",
    ),
    rule(
        "key-open",
        "others on this machine can read the SSH key",
        "Who has the private key is root on every machine of the stack.",
        "run `chmod 600` on the key",
    ),
    rule(
        "login-name",
        "this cannot be the name of a user",
        "The name goes to the SSH server, and the user has to be there: such names are what systems take.",
        "write for example `user: deploy`",
    ),
];

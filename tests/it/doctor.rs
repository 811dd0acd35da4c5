//! `albatross doctor`: what is as it should be is green, and each thing that is not has its own sentence and next step.

use albatross::cloud::Product;
use albatross::cloud::call::Call;
use serde_json::{Value, json};

use crate::support::cloud::{LocalCloud, ServedCloud, block_on};
use crate::support::{Run, TestEnv};

/// A folder with a local cloud that has no machines: the doctor asks the control plane alone.
fn with_control_plane() -> TestEnv {
    TestEnv::with_control_plane()
}

/// A folder that talks to a cloud as to the real one.
fn by_endpoint(cloud: &ServedCloud) -> TestEnv {
    let mut env = TestEnv::new();
    env.set("ALBATROSS_ENDPOINT", &cloud.endpoint());
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", &cloud.access_key_id());
    env.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &cloud.access_key_secret());
    env
}

fn examine(env: &TestEnv) -> Run {
    env.run(&["--local", "doctor", "chatroom.yaml"])
}

fn call(cloud: &LocalCloud, call: &Call) -> Value {
    block_on(cloud.client("cn-hangzhou").call(call)).expect("the cloud takes it")
}

/// A VPC with a vSwitch in both zones of the example and a security group, as somebody else has made them; their ids
/// in this order.
fn make_network(cloud: &LocalCloud) -> [String; 4] {
    let new = |product, action| Call::new(product, action).with("RegionId", "cn-hangzhou");
    let vpc = call(cloud, &new(Product::Vpc, "CreateVpc").with("CidrBlock", "10.0.0.0/8"));
    let vpc = vpc["VpcId"].as_str().expect("an id").to_owned();
    let vswitches =
        [("cn-hangzhou-h", "10.0.0.0/24"), ("cn-hangzhou-i", "10.0.1.0/24")].map(|(zone, range)| {
            let vswitch = new(Product::Vpc, "CreateVSwitch").with("VpcId", &vpc);
            let made = call(cloud, &vswitch.with("ZoneId", zone).with("CidrBlock", range));
            made["VSwitchId"].as_str().expect("an id").to_owned()
        });
    let group = call(cloud, &new(Product::Ecs, "CreateSecurityGroup").with("VpcId", &vpc));
    let [a, b] = vswitches;
    [vpc, a, b, group["SecurityGroupId"].as_str().expect("an id").to_owned()]
}

/// The example in a network named by id: VPC, vSwitch of the first zone, security group.
fn in_network(env: &TestEnv, vpc: &str, vswitch: &str, group: &str) {
    let vpc = format!("vpc: {{ id: {vpc} }}\n  security_group: {{ id: {group} }}");
    let a = format!("a: {{ zone: cn-hangzhou-h, cidr: 10.0.0.0/24, id: {vswitch} }}");
    env.write_changed(
        "chatroom.yaml",
        &[
            ("vpc: { cidr: 192.168.0.0/16 }", vpc.as_str()),
            ("a: { zone: cn-hangzhou-h, cidr: 192.168.0.0/24 }", a.as_str()),
            ("192.168.1.0/24", "10.0.2.0/24"),
        ],
    );
}

#[test]
fn a_network_named_by_id_must_be_there_and_is_the_one_that_is_tried() {
    let env = with_control_plane();
    let [vpc, a, b, group] = make_network(&env.cloud());
    // Another network, which would do as well if none were named.
    make_network(&env.cloud());
    in_network(&env, &vpc, &a, &group);
    let [there, in_vpc] =
        [format!("ok   network       {vpc} is there"), format!("{group} is there, in {vpc}")];
    let tried = format!("ecs03: a dry run of ecs.e-c1m2.large in {a} passed");
    examine(&env).expect_code(0).expect_in_order(&[&there, "10.0.0.0/24 in cn-hangzhou-h", &in_vpc, &tried]);

    in_network(&env, "vpc-doesnotexist", "vsw-doesnotexist", "sg-doesnotexist");
    examine(&env).expect_code(1).expect_in_order(&[
        "fail network       there is no VPC vpc-doesnotexist in cn-hangzhou",
        "next: write the id ",
        "`network.vpc.id`",
        "fail network       there is no vSwitch vsw-doesnotexist in cn-hangzhou",
        "`network.vswitches.a.id`",
        "fail network       there is no security group sg-doesnotexist in cn-hangzhou",
        "`network.security_group.id`",
        "-    instances     not reached: it needs `network`",
        "-    balancer      not reached: it needs `network`",
        "begin with `network`",
    ]);

    in_network(&env, &vpc, &b, &group);
    let other =
        format!("fail network       {b} is 10.0.1.0/24 in cn-hangzhou-i, the topology says 10.0.0.0/24");
    examine(&env).expect_code(1).expect_in_order(&[&other]);
}

fn add_record(cloud: &LocalCloud, kind: &str, value: &str) {
    let record = Call::new(Product::Alidns, "AddDomainRecord").with("DomainName", "example.com");
    call(cloud, &record.with("RR", "@").with("Type", kind).with("Value", value));
}

/// How many lines have this word in front.
fn lines(run: &Run, word: &str) -> usize {
    run.stdout.lines().filter(|line| line.starts_with(&format!("  {word:4} "))).count()
}

#[test]
fn a_topology_that_can_become_real_is_green_and_nothing_is_changed() {
    let env = with_control_plane();
    let run = examine(&env).expect_code(0).expect_in_order(&[
        "ok   credentials   access key mock",
        "ok   endpoint      http://127.0.0.1:",
        "ok   clock         this machine's clock and the cloud's agree",
        "ok   identity      account ",
        "ok   region        cn-hangzhou is open",
        "ok   zones         cn-hangzhou-h and cn-hangzhou-i have machines",
        "ok   zones         cn-hangzhou-h and cn-hangzhou-i have load balancers",
        "ok   stock         ecs01 and ecs03: ecs.e-c1m2.large is in stock in cn-hangzhou-h",
        "ok   image         acs:alibaba_cloud_linux_3_2104_lts_x64 is aliyun_3_x64",
        "-    instances     not asked: ",
        "no vSwitch exists in cn-hangzhou-h yet",
        "-    balancer      not asked: ",
        "ok   domain        example.com is in the account",
        "ok   record        nothing stands in the way of example.com",
        "ok   name_servers  the world asks dns1.hichina.com and dns2.hichina.com",
        "ok   filing        the local cloud asks for none",
        "Nothing is known to stand in the way",
        "`albatross apply chatroom.yaml`",
    ]);
    assert_eq!((lines(&run, "warn"), lines(&run, "fail")), (0, 0), "{run:?}");
    assert_eq!(env.cloud().resources(), 0);
    let calls = env.cloud().calls();
    let reads = |action: &str| {
        let name = action.split('.').next_back().unwrap_or_default();
        ["Describe", "Get", "List"].iter().any(|verb| name.starts_with(verb))
    };
    let changes: Vec<&String> =
        calls.as_object().expect("calls by action").keys().filter(|action| !reads(action)).collect();
    assert!(changes.is_empty(), "{changes:?} were called");
}

#[test]
fn what_a_network_that_is_there_can_answer_is_asked_by_dry_run() {
    let env = with_control_plane();
    make_network(&env.cloud());
    let before = env.cloud().status()["resources_by_kind"].clone();
    examine(&env).expect_code(0).expect_in_order(&[
        "ok   instances     ecs03: a dry run of ecs.e-c1m2.large in vsw-",
        "ok   instances     ecs01: a dry run of ecs.e-c1m2.large in vsw-",
        "ok   balancer      a dry run in vpc-",
        "service-linked role",
    ]);
    assert_eq!(env.cloud().status()["resources_by_kind"], before);
    assert!(env.cloud().calls()["Ecs.RunInstances"].as_u64() >= Some(2), "{}", env.cloud().calls());
}

#[test]
fn a_missing_role_is_found_before_the_load_balancer_is_made() {
    let env = with_control_plane();
    make_network(&env.cloud());
    env.cloud().refuse_first("Alb.CreateLoadBalancer", 400, "OperationDenyed.ServiceLinkedRoleNotExist");
    examine(&env).expect_code(1).expect_in_order(&[
        "fail balancer      the account lacks the role",
        "ALB CreateLoadBalancer: OperationDenyed.ServiceLinkedRoleNotExist, request id ",
        "next: run `aliyun resourcemanager CreateServiceLinkedRole --ServiceName alb.aliyuncs.com`",
        "1 finding to mend",
        "begin with `balancer`",
    ]);
}

#[test]
fn missing_permission_names_the_ram_action() {
    let env = with_control_plane();
    make_network(&env.cloud());
    let cloud = env.cloud();
    for occurrence in [1, 2, 3] {
        cloud.refuse("Ecs.RunInstances", occurrence, 403, "Forbidden.RAM");
    }
    cloud.refuse_first("Ecs.DescribeZones", 403, "Forbidden.RAM");
    // Not being allowed to ask is no failure; not being allowed to make is one.
    examine(&env).expect_code(1).expect_in_order(&[
        "-    zones         not asked: this user may not call ECS DescribeZones (Forbidden.RAM)",
        "allows `ecs:DescribeZones`",
        "ok   stock ",
        "fail instances     this user may not make this call (ECS RunInstances: Forbidden.RAM",
        "apply needs `ecs:RunInstances`",
        "allows `ecs:RunInstances` in the RAM console",
    ]);
}

#[test]
fn what_could_not_be_compared_is_not_called_good() {
    let env = with_control_plane();
    env.cloud().refuse_first("Ecs.DescribeInstances", 403, "Forbidden.RAM");
    examine(&env).expect_code(0).expect_in_order(&[
        "-    stock         not asked: this user may not call ECS DescribeInstances (Forbidden.RAM)",
        "-    image         not asked: acs:alibaba_cloud_linux_3_2104_lts_x64 is aliyun_3_x64",
        "see `stock`",
        "-    quota         not asked: which type ecs01, ",
        "see `stock`",
    ]);

    let env = with_control_plane();
    env.cloud().refuse_first("Ecs.DescribeInstanceTypes", 403, "Forbidden.RAM");
    examine(&env).expect_code(0).expect_in_order(&[
        "ok   stock ",
        "-    image         not asked: acs:alibaba_cloud_linux_3_2104_lts_x64 is aliyun_3_x64",
        "this user may not call ECS DescribeInstanceTypes (Forbidden.RAM)",
        "allows `ecs:DescribeInstanceTypes`",
        "-    quota         not asked: this user may not call ECS DescribeInstanceTypes (Forbidden.RAM)",
    ]);
}

#[test]
fn a_wrong_secret_is_one_sentence_and_nothing_else_is_claimed() {
    let cloud = ServedCloud::start(&[]);
    let mut env = by_endpoint(&cloud);
    env.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "not-the-secret");
    let run = env.run(&["doctor", "chatroom.yaml"]).expect_code(1);
    let run = run.expect_absent("not-the-secret").expect_in_order(&[
        "ok   credentials ",
        "ok   endpoint ",
        "ok   clock ",
        "fail identity      the secret does not belong to this access key (STS GetCallerIdentity: SignatureDoesNotMatch",
        "next: set ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "-    region        not reached: it needs `identity`",
        "-    filing        not reached: ",
        "1 finding to mend: begin with `identity`",
    ]);
    assert_eq!((lines(&run, "ok"), lines(&run, "fail"), lines(&run, "warn")), (3, 1, 0), "{run:?}");
    assert_eq!(run.stdout.matches("not reached").count(), 11, "{run:?}");
}

#[test]
fn an_unknown_key_is_said() {
    let cloud = ServedCloud::start(&[]);
    let mut env = by_endpoint(&cloud);
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", "mockAccessKeyIdOfNobody");
    env.run(&["doctor", "chatroom.yaml"]).expect_code(1).expect_in_order(&[
        "ok   credentials   access key mockAccessKeyIdOfNobody, from: environment",
        "fail identity      the cloud does not know this access key",
        "next: compare ALIBABA_CLOUD_ACCESS_KEY_ID",
        "begin with `identity`",
    ]);
}

#[test]
fn without_credentials_nothing_else_is_reached() {
    let mut env = TestEnv::new();
    env.set("ALBATROSS_ENDPOINT", "http://127.0.0.1:9");
    let run = env.run(&["doctor", "chatroom.yaml"]).expect_code(1).expect_in_order(&[
        "fail credentials   no access key was found",
        "next: set ALIBABA_CLOUD_ACCESS_KEY_ID",
        "-    endpoint      not reached: it needs `credentials`",
        "begin with `credentials`",
    ]);
    assert_eq!((lines(&run, "ok"), lines(&run, "fail")), (0, 1), "{run:?}");
    let is_finding = |line: &&str| ["  fail ", "  -    "].iter().any(|word| line.starts_with(word));
    let others = run.stdout.lines().skip(1).filter(|line| !is_finding(line));
    let (below, flush): (Vec<&str>, Vec<&str>) = others.partition(|line| line.starts_with(&" ".repeat(21)));
    assert!(below.len() > 3 && flush.len() == 1, "{flush:?}");
}

#[test]
fn an_endpoint_that_does_not_answer_is_said() {
    let mut env = TestEnv::new();
    env.set("ALBATROSS_ENDPOINT", "http://127.0.0.1:9");
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", "id");
    env.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret");
    env.run(&["doctor", "chatroom.yaml"]).expect_code(1).expect_in_order(&[
        "fail endpoint      STS GetCallerIdentity: no answer from 127.0.0.1:9",
        "-    clock         not reached: it needs `endpoint`",
        "-    identity      not reached: it needs `clock`",
    ]);
}

#[test]
fn a_skewed_clock_is_told_in_seconds() {
    let cloud = ServedCloud::start(&["--clock-offset", "1200"]);
    let run = by_endpoint(&cloud).run(&["doctor", "chatroom.yaml"]).expect_code(1);
    let run = run.expect_in_order(&["fail clock ", "s behind the cloud's", "next: set this machine's clock"]);
    let told = regex::Regex::new(r"clock is (\d+) s behind").expect("a pattern");
    let seconds: i64 = told.captures(&run.stdout).expect("the seconds")[1].parse().expect("a number");
    assert!((1199..=1201).contains(&seconds), "{seconds}");
    assert!(run.stdout.contains("-    identity      not reached: it needs `clock`"), "{run:?}");

    let cloud = ServedCloud::start(&["--clock-offset", "-120"]);
    let run = by_endpoint(&cloud).run(&["doctor", "chatroom.yaml"]);
    run.expect_in_order(&["warn clock ", "s ahead of the cloud's", "ok   identity "]);
}

#[test]
fn a_foreign_domain_is_said_before_its_records() {
    let env = with_control_plane();
    env.write_changed("chatroom.yaml", &[("domain: example.com", "domain: example.org")]);
    examine(&env).expect_code(1).expect_in_order(&[
        "fail domain        the domain is not in this account (Alidns DescribeDomainInfo: InvalidDomainName.NoExist",
        "next: write a domain of this account under `dns.domain`, or add `example.org` at dns.console.aliyun.com",
        "-    record        not reached: it needs `domain`",
        "-    name_servers  not reached: it needs `domain`",
    ]);
}

#[test]
fn a_record_that_stands_in_the_way_is_named() {
    let env = with_control_plane();
    add_record(&env.cloud(), "A", "203.0.113.9");
    examine(&env).expect_code(1).expect_in_order(&[
        "fail record        example.com has another record already: A 203.0.113.9",
        "next: remove it at dns.console.aliyun.com",
    ]);
}

#[test]
fn name_servers_elsewhere_are_found_by_asking() {
    let env = with_control_plane();
    add_record(&env.cloud(), "NS", "ns1.elsewhere.net");
    examine(&env).expect_code(1).expect_in_order(&[
        "fail name_servers  the world asks ns1.elsewhere.net for example.com",
        "dns1.hichina.com and dns2.hichina.com",
        "next: set the name servers of example.com to dns1.hichina.com and dns2.hichina.com where it is registered",
    ]);
}

#[test]
fn a_zone_without_stock_is_told_with_where_there_is_some() {
    let env = with_control_plane();
    env.write_changed(
        "chatroom.yaml",
        &[
            (
                "ecs01: { vswitch: a, access: public }",
                "ecs01: { vswitch: a, access: public, types: [ecs.c7.large, ecs.c8i.large] }",
            ),
            (
                "ecs02: { vswitch: b, access: public }",
                "ecs02: { vswitch: b, access: public, types: [ecs.c7.large, ecs.c8i.large] }",
            ),
        ],
    );
    let sold = |zone: &str, kind: &str| json!({"zone": zone, "instance_type": kind});
    env.cloud().sell_out(&[
        sold("cn-hangzhou-h", "ecs.c7.large"),
        sold("cn-hangzhou-h", "ecs.c8i.large"),
        sold("cn-hangzhou-i", "ecs.c7.large"),
    ]);
    examine(&env).expect_code(1).expect_in_order(&[
        "fail stock         ecs01: cn-hangzhou-h has no ecs.c7.large and ecs.c8i.large left",
        "next: write another zone for vSwitch `a`, or other types under `instances.ecs01.types`; in stock: ecs.c7.large in cn-hangzhou-b",
        "ok   stock         ecs02: ecs.c8i.large is in stock in cn-hangzhou-i; ecs.c7.large before it is not",
        "-    instances     not reached: it needs `stock`",
        "begin with `stock`",
    ]);
}

#[test]
fn an_image_that_is_gone_and_one_for_other_processors_are_told_apart() {
    let env = with_control_plane();
    let with_image = |image: &str| {
        let changed = format!("ecs02: {{ vswitch: b, access: public, image: {image} }}");
        env.write_changed("chatroom.yaml", &[("ecs02: { vswitch: b, access: public }", changed.as_str())]);
    };
    with_image("acs:debian_7_1_x64");
    examine(&env).expect_code(1).expect_in_order(&[
        "fail image         there is no image of the family acs:debian_7_1_x64 in cn-hangzhou",
    ]);
    with_image("acs:alibaba_cloud_linux_3_2104_lts_arm64");
    examine(&env).expect_code(1).expect_in_order(&[
        "fail image         ecs02: aliyun_3_arm64",
        "is for ARM, ecs.e-c1m2.large is X86",
        "next: write an `image` for X86",
    ]);
}

#[test]
fn a_zone_that_does_not_exist_is_told_with_those_that_do() {
    let env = with_control_plane();
    env.write_changed("chatroom.yaml", &[("zone: cn-hangzhou-i", "zone: cn-hangzhou-x")]);
    examine(&env).expect_code(1).expect_in_order(&[
        "fail zones         cn-hangzhou-x cannot have machines",
        "next: write one of these under `network.vswitches`: cn-hangzhou-b, ",
        "-    stock         not reached: it needs `zones`",
    ]);
}

/// Uploads a certificate for a name that lasts for years, and gives its id.
pub(crate) fn upload_certificate(cloud: &LocalCloud, name: &str) -> String {
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    parameters.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    let upload = Call::new(Product::Cas, "UploadUserCertificate").with("Name", name.replace('.', "-"));
    let reply = call(cloud, &upload.with("Cert", certificate.pem()).with("Key", key.serialize_pem()));
    format!("{}-cn-hangzhou", reply["CertId"])
}

#[test]
fn a_certificate_must_be_there_and_be_for_the_name() {
    let env = with_control_plane();
    let with_certificate = |id: &str| {
        let changed = format!("protocol: https\n    certificate: {id}");
        env.write_changed("chatroom.yaml", &[("protocol: http", changed.as_str())]);
        examine(&env)
    };
    with_certificate("999-cn-hangzhou").expect_code(1).expect_in_order(&[
        "fail certificate   there is no certificate 999-cn-hangzhou in the account (CAS GetUserCertificateDetail: ",
        "next: write the id that the certificate console",
        "ok   domain ",
    ]);
    let other = upload_certificate(&env.cloud(), "chat.example.com");
    with_certificate(&other).expect_code(1).expect_in_order(&[
        "fail certificate   the certificate is for chat.example.com, not for example.com",
        "next: upload a certificate for example.com",
    ]);
    let right = upload_certificate(&env.cloud(), "example.com");
    let expected = format!("ok   certificate   {right} is for example.com and lasts ");
    with_certificate(&right)
        .expect_code(0)
        .expect_in_order(&[expected.as_str()])
        .expect_absent("PRIVATE KEY");
}

#[test]
fn the_report_is_json_too() {
    let env = with_control_plane();
    env.write_changed("chatroom.yaml", &[("domain: example.com", "domain: example.org")]);
    let report = env.run(&["--local", "doctor", "--json", "chatroom.yaml"]).expect_code(1).json();
    assert_eq!((&report["version"], &report["good"]), (&json!(1), &json!(false)));
    let finding = |check: &str| {
        let findings = report["findings"].as_array().expect("findings");
        findings.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("no {check}"))
    };
    assert_eq!(finding("identity")["status"], "ok");
    assert_eq!(finding("domain")["status"], "fail");
    assert_eq!(finding("record")["status"], "not_reached");
    assert!(finding("domain")["next"].as_str().is_some_and(|next| next.contains("`example.org`")));
}

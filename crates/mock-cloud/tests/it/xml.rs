//! XML answers of V1 calls: they hold what the JSON answers hold.

use serde_json::Value;

use crate::old_client::call;
use crate::support::Cloud;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

/// Every text of an answer with the names above it, in order: `Vpcs/Vpc/VpcId=vpc-1`.
fn leaves_of_json(path: &str, value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves_of_json(path, item, leaves)),
        Value::Object(fields) => {
            for (name, field) in fields.iter().filter(|(name, _)| *name != "RequestId") {
                leaves_of_json(&format!("{path}/{name}"), field, leaves);
            }
        }
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => leaves.push(format!("{path}={text}")),
        Value::Bool(_) | Value::Number(_) => leaves.push(format!("{path}={value}")),
    }
}

fn leaves_of_xml(text: &str) -> Vec<String> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut path, mut leaves, mut content) = (Vec::new(), Vec::new(), String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) => {
                path.push(String::from_utf8(element.name().as_ref().to_vec()).unwrap());
                content.clear();
            }
            Event::Text(part) => content.push_str(&part.decode().unwrap()),
            Event::GeneralRef(reference) => {
                let name = reference.decode().unwrap();
                let known = quick_xml::escape::resolve_predefined_entity(&name);
                content.push_str(known.unwrap_or_else(|| panic!("&{name};")));
            }
            Event::End(_) => {
                let leaf = std::mem::take(&mut content);
                if !leaf.is_empty() && path.last().is_some_and(|name| name != "RequestId") {
                    leaves.push(format!("/{}={leaf}", path[1..].join("/")));
                }
                path.pop();
            }
            Event::Eof => return leaves,
            Event::Decl(_) => {}
            other @ (Event::Empty(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::PI(_)
            | Event::DocType(_)) => {
                panic!("{other:?} is not what the gateway writes")
            }
        }
    }
}

/// Action, version and parameters.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

#[tokio::test]
async fn xml_and_json_hold_the_same() {
    let cloud = Cloud::instant();
    let name = ("VpcName", "a <b> & 'c' 聊天");
    let description = ("Description", "one two");
    let network = cloud.call("Vpc.CreateVpc", &[REGION, name, description]).await.good();
    let id = network["VpcId"].as_str().unwrap().to_owned();
    let vswitch = [REGION, ("VpcId", &id), ("ZoneId", "cn-hangzhou-j"), ("CidrBlock", "172.16.0.0/24")];
    cloud.call("Vpc.CreateVSwitch", &vswitch).await.good();
    let tags = [("Tag.1.Key", "a"), ("Tag.1.Value", "1"), ("Tag.2.Key", "b"), ("Tag.2.Value", "2")];
    let group = [REGION, ("VpcId", id.as_str()), tags[0], tags[1], tags[2], tags[3]];
    cloud.call("Ecs.CreateSecurityGroup", &group).await.good();
    let off = ("HealthCheckConfig.HealthCheckEnabled", "false");
    cloud.call("Alb.CreateServerGroup", &[("ServerGroupName", "group1"), ("VpcId", &id), off]).await.good();
    let record = [("DomainName", "example.com"), ("RR", "@"), ("Type", "A"), ("Value", "192.0.2.1")];
    cloud.call("Alidns.AddDomainRecord", &record).await.good();
    let cases: [Case<'_>; 9] = [
        ("DescribeVpcs", "2016-04-28", &[REGION]),
        ("DescribeVSwitches", "2016-04-28", &[REGION]),
        ("DescribeVpcAttribute", "2016-04-28", &[REGION, ("VpcId", &id)]),
        ("DescribeSecurityGroups", "2014-05-26", &[REGION]),
        ("DescribeInstances", "2014-05-26", &[REGION]),
        ("DescribeInstanceTypes", "2014-05-26", &[]),
        ("ListServerGroups", "2020-06-16", &[]),
        ("DescribeDomainRecords", "2015-01-09", &[("DomainName", "example.com")]),
        ("GetCallerIdentity", "2015-04-01", &[]),
    ];
    for (action, version, more) in cases {
        let mut parameters = vec![("Action", action), ("Version", version)];
        parameters.extend(more);
        let xml = call(&cloud, "GET", &parameters).await;
        assert!(xml.head.contains("content-type: text/xml"), "{}", xml.head);
        parameters.push(("Format", "JSON"));
        let json = call(&cloud, "GET", &parameters).await;
        let mut expected = Vec::new();
        leaves_of_json("", &json.json(), &mut expected);
        assert_eq!(leaves_of_xml(&xml.body), expected, "{action}: {}", xml.body);
        assert!(xml.body.contains(&format!("<{action}Response>")), "{}", xml.body);
    }
}

#[tokio::test]
async fn an_error_is_xml_too() {
    let cloud = Cloud::instant();
    let unknown = [("Action", "DescribeVpcAttribute"), ("Version", "2016-04-28"), REGION, ("VpcId", "<&>")];
    let reply = call(&cloud, "POST", &unknown).await;
    assert!(reply.status >= 400, "{}", reply.body);
    let leaves = leaves_of_xml(&reply.body);
    assert!(leaves.iter().any(|leaf| leaf.starts_with("/Code=")), "{}", reply.body);
    assert!(reply.body.contains("<Error>"), "{}", reply.body);
}

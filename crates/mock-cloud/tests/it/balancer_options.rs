//! Certificates, access logs, security groups, TLS policies and servers of ALB instances.

use mock_cloud::world::pace::Pace;
use serde_json::{Value, json};

use crate::ground::{Ground, refusal, text};

/// A TLS listener and its default certificate.
fn secure_listener(ground: &mut Ground, edition: &str) -> (String, String) {
    let certificate = ground.certificate("default");
    let (vpc, balancer) = ground.balancer(edition);
    let group = ground.server_group(&vpc, &[]);
    let more = [
        ("ListenerPort", "443"),
        ("ListenerProtocol", "HTTPS"),
        ("Certificates.1.CertificateId", &certificate),
    ];
    let made = ground.listener(&balancer, &group, &more).unwrap();
    (text(&made["ListenerId"]), certificate)
}

fn certificates(ground: &mut Ground, listener: &str) -> Vec<(String, bool, String)> {
    let listed = ground.good("Alb.ListListenerCertificates", &[("ListenerId", listener)]);
    let rows = listed["Certificates"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["CertificateId"]), row["IsDefault"].as_bool().unwrap(), text(&row["Status"])))
        .collect()
}

#[test]
fn an_additional_certificate_is_served_until_it_leaves_its_listener() {
    let mut ground = Ground::instant();
    let (listener, default) = secure_listener(&mut ground, "Standard");
    let identifiers = [ground.certificate("other"), ground.certificate("idle")];
    let given = [("ListenerId", listener.as_str()), ("Certificates.1.CertificateId", &identifiers[0])];
    ground.good("Alb.AssociateAdditionalCertificatesWithListener", &given);
    for identifier in identifiers.iter().chain([&default]) {
        let id = identifier.split('-').next().unwrap();
        ground.good("cas.DeleteUserCertificate", &[("CertId", id)]);
    }
    let served = |identifier: &str| ground.world.served_certificate(identifier).is_some();
    assert!(served(&default) && served(&identifiers[0]) && !served(&identifiers[1]));
}

#[test]
fn additional_certificates_come_and_go() {
    let mut ground = Ground::new(Pace::Real);
    let (listener, default) = secure_listener(&mut ground, "Standard");
    let other = ground.certificate("other");
    let own = ("ListenerId", listener.as_str());
    let one = ("Certificates.1.CertificateId", other.as_str());
    let first = ("Certificates.1.CertificateId", default.as_str());
    let default = (default.clone(), true, "Associated".to_owned());
    let row = |status: &str| (other.clone(), false, status.to_owned());
    let associate = "Alb.AssociateAdditionalCertificatesWithListener";
    let dissociate = "Alb.DissociateAdditionalCertificatesFromListener";
    assert!(ground.good(associate, &[own, one])["JobId"].is_string());
    assert_eq!(certificates(&mut ground, &listener), [default.clone(), row("Associating")]);
    assert_eq!(ground.refused(dissociate, &[own, one]), refusal(400, "ResourceInConfiguring.Listener"));
    ground.wait(20);
    assert_eq!(certificates(&mut ground, &listener), [default.clone(), row("Associated")]);
    assert_eq!(ground.refused(associate, &[own, one]), refusal(400, "ResourceAlreadyAssociated.Certificate"));
    let lost = [own, ("Certificates.1.CertificateId", "1-cn-hangzhou")];
    assert_eq!(ground.refused(associate, &lost), refusal(404, "ResourceNotFound.Certificate"));
    assert_eq!(
        ground.refused(associate, &[own, first]),
        refusal(400, "OperationDenied.DefaultCertificateUsed")
    );
    assert_eq!(
        ground.refused(dissociate, &[own, first]),
        refusal(400, "OperationDenied.DefaultCertificateUsed")
    );
    ground.good(dissociate, &[own, one]);
    assert_eq!(certificates(&mut ground, &listener), [default.clone(), row("Diassociating")]);
    ground.wait(20);
    assert_eq!(certificates(&mut ground, &listener), [default]);
    assert_eq!(ground.refused(dissociate, &[own, one]), refusal(400, "ResourceNotAssociated.Certificate"));
}

#[test]
fn plain_listeners_have_no_certificates() {
    let mut ground = Ground::instant();
    let (vpc, balancer) = ground.balancer("Basic");
    let group = ground.server_group(&vpc, &[]);
    let listener = text(&ground.listener(&balancer, &group, &[]).unwrap()["ListenerId"]);
    let own = ("ListenerId", listener.as_str());
    assert_eq!(
        ground.refused("Alb.ListListenerCertificates", &[own]),
        refusal(400, "OperationDenied.HttpListenerNotSupport")
    );
    let one = ("Certificates.1.CertificateId", "200-cn-hangzhou");
    assert_eq!(
        ground.refused("Alb.AssociateAdditionalCertificatesWithListener", &[own, one]),
        refusal(400, "OperationDenied.HttpListenerNotSupport")
    );
}

#[test]
fn a_balancer_has_as_many_certificates_as_its_edition_allows() {
    let mut ground = Ground::instant();
    let (listener, _) = secure_listener(&mut ground, "Basic");
    let names: Vec<(String, String)> = (1..=11)
        .map(|n| (format!("Certificates.{n}.CertificateId"), ground.certificate(&format!("extra{n}"))))
        .collect();
    let mut all: Vec<(&str, &str)> = names.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    all.push(("ListenerId", &listener));
    let associate = "Alb.AssociateAdditionalCertificatesWithListener";
    assert_eq!(
        ground.refused(associate, &all),
        refusal(400, "ResourceQuotaExceeded.LoadBalancerCertificatesNum")
    );
    all.remove(10);
    ground.good(associate, &all);
    let own = [("ListenerId", listener.as_str()), ("MaxResults", "4")];
    let page = ground.good("Alb.ListListenerCertificates", &own);
    assert_eq!((page["Certificates"].as_array().unwrap().len(), &page["TotalCount"]), (4, &11.into()));
}

#[test]
fn a_listener_names_a_policy_and_a_certificate_that_exist() {
    let mut ground = Ground::instant();
    let (vpc, balancer) = ground.balancer("Basic");
    let group = ground.server_group(&vpc, &[]);
    let certificate = ground.certificate("default");
    let mut listener = |more: &[(&str, &str)]| {
        let mut own = vec![("ListenerPort", "443"), ("ListenerProtocol", "HTTPS")];
        own.extend(more);
        ground.listener(&balancer, &group, &own).map_err(|error| (error.status, error.code))
    };
    assert_eq!(listener(&[]).unwrap_err(), refusal(400, "MissingCertificates"));
    let name = "Certificates.1.CertificateId";
    assert_eq!(listener(&[(name, "lost")]).unwrap_err(), refusal(404, "ResourceNotFound.Certificate"));
    let own = (name, certificate.as_str());
    assert_eq!(
        listener(&[own, ("SecurityPolicyId", "tls_none")]).unwrap_err(),
        refusal(404, "ResourceNotFound.SecurityPolicy")
    );
    listener(&[own, ("SecurityPolicyId", "tls_cipher_policy_1_2_strict")]).unwrap();
    let policies = ground.good("Alb.ListSystemSecurityPolicies", &[]);
    let policies = policies["SecurityPolicies"].as_array().unwrap();
    assert!(policies.iter().all(|policy| policy["Ciphers"].as_array().unwrap().len() > 5));
    let with_one_three =
        |policy: &&Value| policy["TLSVersions"].as_array().unwrap().contains(&json!("TLSv1.3"));
    assert_eq!(policies.iter().filter(with_one_three).count(), 2);
}

#[test]
fn access_logs_are_switched_on_once() {
    let mut ground = Ground::new(Pace::Real);
    let (_, balancer) = ground.balancer("Standard");
    let own = ("LoadBalancerId", balancer.as_str());
    let enable = [own, ("LogProject", "chat"), ("LogStore", "access")];
    ground.good("Alb.EnableLoadBalancerAccessLog", &enable);
    assert_eq!(
        ground.refused("Alb.EnableLoadBalancerAccessLog", &enable),
        refusal(400, "IncorrectStatus.LoadBalancer")
    );
    ground.wait(20);
    assert_eq!(
        ground.refused("Alb.EnableLoadBalancerAccessLog", &enable),
        refusal(400, "OperationDenied.AccessLogEnabled")
    );
    let told = ground.good("Alb.GetLoadBalancerAttribute", &[own]);
    assert_eq!(told["AccessLogConfig"], json!({"LogProject": "chat", "LogStore": "access"}));
}

#[test]
fn a_balancer_joins_security_groups_of_its_network() {
    let mut ground = Ground::instant();
    let (vpc, balancer) = ground.balancer("Standard");
    let own = ("LoadBalancerId", balancer.as_str());
    let groups: Vec<String> = (0..5).map(|_| ground.security_group(&vpc)).collect();
    let (other, _) = ground.network();
    let far = ground.security_group(&other);
    let join = "Alb.LoadBalancerJoinSecurityGroup";
    let one = |id: &str| ("SecurityGroupIds.1".to_owned(), id.to_owned());
    let mut refused = |ids: &[&str]| {
        let names: Vec<String> = (1..=ids.len()).map(|n| format!("SecurityGroupIds.{n}")).collect();
        let mut all: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(ids.iter().copied()).collect();
        all.push(own);
        ground.call(join, &all).map(|_| one(ids[0]).1).map_err(|error| (error.status, error.code))
    };
    assert_eq!(refused(&["sg-none"]), Err(refusal(404, "ResourceNotFound.SecurityGroup")));
    assert_eq!(refused(&[&far]), Err(refusal(400, "OperationDenied.SecurityGroupNotSupport")));
    assert!(refused(&[&groups[0], &groups[1]]).is_ok());
    assert_eq!(refused(&[&groups[0]]), Err(refusal(400, "ResourceAlreadyAssociated.SecurityGroup")));
    assert_eq!(
        refused(&[&groups[2], &groups[3], &groups[4]]),
        Err(refusal(400, "ResourceQuotaExceeded.SecurityGroupNum"))
    );
    let told = ground.good("Alb.GetLoadBalancerAttribute", &[own]);
    assert_eq!(told["SecurityGroupIds"], json!([groups[0], groups[1]]));
    let delete = [("RegionId", "cn-hangzhou"), ("SecurityGroupId", groups[0].as_str())];
    assert_eq!(ground.refused("Ecs.DeleteSecurityGroup", &delete), refusal(403, "DependencyViolation"));
}

#[test]
fn a_listener_stops_taking_servers_where_the_edition_ends() {
    let mut ground = Ground::instant();
    let (vpc, balancer) = ground.balancer("Basic");
    let group = ground.server_group(&vpc, &[("ServerGroupType", "Ip")]);
    let servers: Vec<[(String, String); 3]> = (1..=101)
        .map(|n| {
            let key = |name: &str| format!("Servers.{n}.{name}");
            [
                (key("ServerId"), format!("10.0.0.{n}")),
                (key("ServerType"), "Ip".to_owned()),
                (key("Port"), "80".to_owned()),
            ]
        })
        .collect();
    let mut add: Vec<(&str, &str)> = vec![("ServerGroupId", &group)];
    add.extend(servers.iter().flatten().map(|(a, b)| (a.as_str(), b.as_str())));
    ground.good("Alb.AddServersToServerGroup", &add);
    ground.listener(&balancer, &group, &[]).unwrap();
    let error = ground.listener(&balancer, &group, &[("ListenerPort", "81")]).unwrap_err();
    assert_eq!(
        (error.status, error.code.as_str()),
        (400, "ResourceQuotaExceeded.LoadBalancerServersNum"),
        "each use of a group counts"
    );
}

//! What tests of single actions stand on: a world without a server, and the resources they need first.

use mock_cloud::api::{Operation, Strictness, execute};
use mock_cloud::plane::HostKind;
use mock_cloud::wire::ApiError;
use mock_cloud::world::pace::Pace;
use mock_cloud::world::{Settings, World};
use serde_json::Value;

use crate::replies;

pub(crate) const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

/// A world with a caller.
pub(crate) struct Ground {
    pub(crate) world: World,
}

impl Ground {
    pub(crate) fn new(pace: Pace) -> Self {
        let domains = vec!["example.com".to_owned()];
        let hosts = HostKind::None;
        let settings = Settings { region: "cn-hangzhou".to_owned(), pace, seed: 1, hosts, domains };
        Self { world: World::new(settings, 1_800_000_000_000) }
    }

    pub(crate) fn instant() -> Self {
        Self::new(Pace::Instant)
    }

    pub(crate) fn call(&mut self, name: &str, parameters: &[(&str, &str)]) -> Result<Value, ApiError> {
        let (product, action) = name.split_once('.').unwrap();
        let operation = Operation { product: product.to_owned(), action: action.to_owned() };
        let given = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let answer = execute(&mut self.world, &operation, &given.collect(), Strictness::Strict).answer;
        self.world.advance(self.world.now);
        answer.inspect(|reply| replies::check(name, reply))
    }

    /// A call that succeeds.
    #[track_caller]
    pub(crate) fn good(&mut self, name: &str, parameters: &[(&str, &str)]) -> Value {
        self.call(name, parameters).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Status and code of a call that is refused.
    #[track_caller]
    pub(crate) fn refused(&mut self, name: &str, parameters: &[(&str, &str)]) -> (u16, String) {
        let error = self.call(name, parameters).expect_err(name);
        assert!(error.message.len() > 10, "{error}");
        (error.status, error.code)
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.world.advance(self.world.now + seconds * 1000);
    }

    /// A VPC with a vSwitch in each of two zones.
    pub(crate) fn network(&mut self) -> (String, [String; 2]) {
        let vpc = text(&self.good("Vpc.CreateVpc", &[REGION, ("CidrBlock", "10.0.0.0/8")])["VpcId"]);
        self.wait(120);
        let one = self.vswitch(&vpc, "cn-hangzhou-j", "10.0.0.0/24");
        let two = self.vswitch(&vpc, "cn-hangzhou-k", "10.0.1.0/24");
        (vpc, [one, two])
    }

    pub(crate) fn vswitch(&mut self, vpc: &str, zone: &str, cidr: &str) -> String {
        let new = [REGION, ("VpcId", vpc), ("ZoneId", zone), ("CidrBlock", cidr)];
        let made = text(&self.good("Vpc.CreateVSwitch", &new)["VSwitchId"]);
        self.wait(120);
        made
    }

    pub(crate) fn security_group(&mut self, vpc: &str) -> String {
        text(&self.good("Ecs.CreateSecurityGroup", &[REGION, ("VpcId", vpc)])["SecurityGroupId"])
    }

    /// What every instance here is made of.
    pub(crate) fn run(
        &mut self,
        vswitch: &str,
        group: &str,
        more: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        let mut parameters = vec![
            REGION,
            ("ImageFamily", "acs:debian_12_11_x64"),
            ("InstanceType", "ecs.e-c1m1.large"),
            ("VSwitchId", vswitch),
            ("SecurityGroupId", group),
        ];
        parameters.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        parameters.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        self.call("Ecs.RunInstances", &parameters)
    }

    /// One running instance.
    pub(crate) fn instance(&mut self, more: &[(&str, &str)]) -> String {
        let (vpc, [vswitch, _]) = self.network();
        let group = self.security_group(&vpc);
        let made = self.run(&vswitch, &group, more).unwrap();
        self.wait(120);
        text(&made["InstanceIdSets"]["InstanceIdSet"][0])
    }

    /// An active ALB of an edition in a network of its own.
    pub(crate) fn balancer(&mut self, edition: &str) -> (String, String) {
        let (vpc, switches) = self.network();
        let new = [
            ("VpcId", vpc.as_str()),
            ("AddressType", "Internet"),
            ("LoadBalancerEdition", edition),
            ("LoadBalancerBillingConfig.PayType", "PostPay"),
            ("ZoneMappings.1.ZoneId", "cn-hangzhou-j"),
            ("ZoneMappings.1.VSwitchId", &switches[0]),
            ("ZoneMappings.2.ZoneId", "cn-hangzhou-k"),
            ("ZoneMappings.2.VSwitchId", &switches[1]),
        ];
        let made = text(&self.good("Alb.CreateLoadBalancer", &new)["LoadBalancerId"]);
        self.wait(120);
        (vpc, made)
    }

    /// An uploaded certificate, named as load balancers name it.
    pub(crate) fn certificate(&mut self, name: &str) -> String {
        let issued = rcgen::generate_simple_self_signed(vec![format!("{name}.example.com")]).unwrap();
        let (chain, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
        let new = [("Name", name), ("Cert", chain.as_str()), ("Key", &key)];
        let made = self.good("cas.UploadUserCertificate", &new);
        format!("{}-cn-hangzhou", made["CertId"])
    }

    pub(crate) fn server_group(&mut self, vpc: &str, more: &[(&str, &str)]) -> String {
        let off = ("HealthCheckConfig.HealthCheckEnabled", "false");
        let mut new = vec![("ServerGroupName", "chat"), ("VpcId", vpc), off];
        new.extend(more);
        let made = text(&self.good("Alb.CreateServerGroup", &new)["ServerGroupId"]);
        self.wait(120);
        made
    }

    pub(crate) fn listener(
        &mut self,
        balancer: &str,
        group: &str,
        more: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        let mut new = vec![
            ("LoadBalancerId", balancer),
            ("ListenerPort", "80"),
            ("ListenerProtocol", "HTTP"),
            ("DefaultActions.1.Type", "ForwardGroup"),
            ("DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", group),
        ];
        new.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        new.extend(more);
        let made = self.call("Alb.CreateListener", &new);
        self.wait(120);
        made
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// A refusal of these.
pub(crate) fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

//! Where a command's calls go: what was said on the command line, in the environment and in the topology.

use crate::base::address::ServiceAddress;
use crate::cli::GlobalOptions;
use crate::cli::environment;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cloud::Product;
use crate::cloud::endpoint::{Endpoint, EndpointError};
use crate::topology::model::Topology;

/// The address of everything goes before those of single products; the environment goes before the topology.
///
/// # Errors
/// When one of them cannot be an address.
pub(super) fn endpoint(options: &GlobalOptions, topology: &Topology) -> Result<Endpoint, Failure> {
    let everything = options.endpoint.as_deref().map(|text| read(text, "--endpoint or ALBATROSS_ENDPOINT"));
    let mut of_products = Vec::new();
    for product in Product::ALL {
        if let Some(text) = environment::endpoint_of(product) {
            of_products.push((product, read(&text, &environment::endpoint_variable(product))?));
        }
    }
    let endpoint = Endpoint::official(topology.region.clone()).with_sts_in_vpc(environment::sts_in_vpc());
    Ok(chosen(endpoint, everything.transpose()?, of_products, topology))
}

fn chosen(
    official: Endpoint,
    everything: Option<ServiceAddress>,
    of_products: Vec<(Product, ServiceAddress)>,
    topology: &Topology,
) -> Endpoint {
    if let Some(address) = everything {
        return Endpoint::one_address(address);
    }
    let of_topology = topology
        .endpoints
        .iter()
        .filter_map(|(code, address)| Some((Product::of_code(code)?, address.clone())));
    // What comes later takes the place of what came before.
    of_topology
        .chain(of_products)
        .fold(official, |endpoint, (product, address)| endpoint.with(product, address))
}

fn read(text: &str, said_in: &str) -> Result<ServiceAddress, Failure> {
    ServiceAddress::parse(text).map_err(|error: EndpointError| {
        Failure::new(ExitStatus::Usage, error, Some(format!("give {said_in} such an address")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHATROOM: &str = include_str!("../../examples/chatroom.yaml");

    fn topology(endpoints: &str) -> Topology {
        crate::topology::load(format!("{CHATROOM}\n{endpoints}\n").as_bytes()).unwrap()
    }

    fn address(text: &str) -> ServiceAddress {
        ServiceAddress::parse(text).unwrap()
    }

    fn hosts(everything: Option<&str>, of_products: &[(Product, &str)], topology: &Topology) -> [String; 3] {
        let of_products = of_products.iter().map(|(product, text)| (*product, address(text))).collect();
        let official = Endpoint::official(topology.region.clone());
        let endpoint = chosen(official, everything.map(address), of_products, topology);
        [Product::Ecs, Product::Vpc, Product::Alb]
            .map(|product| endpoint.url(product).host_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn flag_over_environment_over_topology_over_rule() {
        let plain = topology("");
        let written = topology("endpoints: { ecs: ecs.topology.com, vpc: vpc.topology.com }");
        let variable = [(Product::Ecs, "ecs.variable.com")];
        let cases: [(_, &[_], _, [&str; 3]); 5] = [
            (
                None,
                &[],
                &plain,
                ["ecs-cn-hangzhou.aliyuncs.com", "vpc.aliyuncs.com", "alb.cn-hangzhou.aliyuncs.com"],
            ),
            (None, &[], &written, ["ecs.topology.com", "vpc.topology.com", "alb.cn-hangzhou.aliyuncs.com"]),
            (
                None,
                &variable,
                &plain,
                ["ecs.variable.com", "vpc.aliyuncs.com", "alb.cn-hangzhou.aliyuncs.com"],
            ),
            (
                None,
                &variable,
                &written,
                ["ecs.variable.com", "vpc.topology.com", "alb.cn-hangzhou.aliyuncs.com"],
            ),
            (Some("all.flag.com"), &variable, &written, ["all.flag.com"; 3]),
        ];
        for (everything, of_products, topology, expected) in cases {
            assert_eq!(hosts(everything, of_products, topology), expected);
        }
    }

    #[test]
    fn a_topology_knows_the_products_that_are_called() {
        let known: Vec<&str> = Product::ALL.into_iter().map(Product::code).collect();
        let mut written = crate::topology::PRODUCTS.to_vec();
        written.sort_unstable_by_key(|code| known.iter().position(|one| one == code));
        assert_eq!(written, known);
    }
}

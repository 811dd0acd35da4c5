//! Hosts against the maps of the official SDKs, overrides, and what keeps two clouds apart.

use super::*;

fn host(endpoint: &Endpoint, product: Product) -> String {
    endpoint.url(product).host_str().unwrap_or_default().to_owned()
}

fn official(region: &str) -> Endpoint {
    Endpoint::official(RegionId::new(region))
}

fn address(text: &str) -> ServiceAddress {
    ServiceAddress::parse(text).unwrap()
}

/// `exceptions.txt` has the maps as the SDKs have them: product, region, host.
#[test]
fn every_exception_of_the_sdks_is_known() {
    let mut rows = 0;
    for row in include_str!("exceptions.txt").lines() {
        let [product, region, expected] = row.split(' ').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let product = Product::of_code(product).unwrap();
        assert_eq!(host(&official(region), product), expected, "{row}");
        rows += 1;
    }
    assert_eq!(rows, 189);
}

#[test]
fn every_other_region_follows_the_rule() {
    let regions = [
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "cn-beijing",
        "cn-beijing-finance-1",
        "cn-chengdu",
        "cn-fuzhou",
        "cn-guangzhou",
        "cn-hangzhou",
        "cn-hangzhou-finance",
        "cn-heyuan",
        "cn-hongkong",
        "cn-huhehaote",
        "cn-nanjing",
        "cn-qingdao",
        "cn-shanghai",
        "cn-shanghai-finance-1",
        "cn-shenzhen",
        "cn-shenzhen-finance-1",
        "cn-wuhan-lr",
        "cn-wulanchabu",
        "cn-zhangjiakou",
        "cn-zhengzhou-jva",
        "eu-central-1",
        "eu-west-1",
        "me-central-1",
        "me-east-1",
        "us-east-1",
        "us-west-1",
    ];
    let exceptions = include_str!("exceptions.txt");
    let names = ["sts", "vpc", "ecs", "alb", "alidns", "r-kvstore", "cas"];
    let mut regular = 0;
    for region in regions {
        for (product, name) in Product::ALL.into_iter().zip(names) {
            if !exceptions.contains(&format!("{} {region} ", product.code())) {
                assert_eq!(host(&official(region), product), format!("{name}.{region}.aliyuncs.com"));
                regular += 1;
            }
        }
    }
    assert_eq!(regular, 7 * 35 - 33);
}

#[test]
fn products_have_codes_that_lead_back_to_them() {
    for product in Product::ALL {
        assert_eq!(Product::of_code(product.code()), Some(product));
    }
    assert_eq!(Product::of_code("oss"), None);
}

#[test]
fn sts_is_asked_inside_the_vpc_when_told_so() {
    let endpoint = official("cn-hangzhou").with_sts_in_vpc(true);
    assert_eq!(host(&endpoint, Product::Sts), "sts-vpc.cn-hangzhou.aliyuncs.com");
    assert_eq!(host(&endpoint, Product::Ecs), "ecs-cn-hangzhou.aliyuncs.com");
    let endpoint = endpoint.with(Product::Sts, address("https://sts.example.com"));
    assert_eq!(host(&endpoint, Product::Sts), "sts.example.com");
}

#[test]
fn an_override_of_one_product_leaves_the_others() {
    let endpoint = official("cn-beijing").with(Product::Ecs, address("http://127.0.0.1:8080"));
    assert_eq!(endpoint.url(Product::Ecs).as_str(), "http://127.0.0.1:8080/");
    assert_eq!(endpoint.overridden(Product::Vpc), None);
    assert_eq!(host(&endpoint, Product::Vpc), "vpc.cn-beijing.aliyuncs.com");
    let everything = Endpoint::parse_override("http://127.0.0.1:1").unwrap();
    assert!(Product::ALL.into_iter().all(|product| everything.url(product).port() == Some(1)));
}

#[test]
fn two_clouds_never_share_a_label() {
    let official = || official("cn-hangzhou");
    let elsewhere = || address("http://127.0.0.1:8080");
    let labels = [
        official(),
        Endpoint::one_address(elsewhere()),
        official().with(Product::Ecs, elsewhere()),
        official().with(Product::Vpc, elsewhere()),
        official().with(Product::Ecs, address("http://127.0.0.1:8081")),
        official().with(Product::Ecs, elsewhere()).with(Product::Vpc, elsewhere()),
        Endpoint::one_address(elsewhere()).with(Product::Ecs, address("http://127.0.0.1:8081")),
        official().with(Product::Ecs, address("https://notaliyuncs.com")),
    ]
    .map(|endpoint| endpoint.label());
    assert_eq!(labels.iter().collect::<BTreeSet<_>>().len(), labels.len(), "{labels:#?}");
    assert_eq!(labels[0], "aliyuncs.com");
    assert_eq!(labels[1], "http://127.0.0.1:8080");
    assert_eq!(labels[2], "aliyuncs.com, ecs=http://127.0.0.1:8080");
}

#[test]
fn one_cloud_has_one_label_however_it_is_named() {
    let official = || official("cn-hangzhou");
    let inside = official()
        .with_sts_in_vpc(true)
        .with(Product::Ecs, address("https://ecs-vpc.cn-hangzhou.aliyuncs.com"));
    assert_eq!(inside.label(), official().label());
    let each = Product::ALL
        .into_iter()
        .fold(official(), |endpoint, product| endpoint.with(product, address("http://127.0.0.1:8080")));
    assert_eq!(each.label(), Endpoint::parse_override("http://127.0.0.1:8080/").unwrap().label());
}

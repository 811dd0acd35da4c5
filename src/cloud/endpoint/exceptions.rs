//! Hosts that do not follow the rule, as the official SDKs list them.
//!
//! Source: the endpoint maps of the Python SDKs ecs20140526 7.11.8, vpc20160428 7.2.2, alb20200616 1.3.3,
//! alidns20150109 4.6.1, r-kvstore20150101 7.0.0, cas20200407 3.9.4 and sts20150401 1.2.0. Hosts are written without
//! their domain, `aliyuncs.com`.

use crate::cloud::Product;

/// A host, and the regions it answers for.
type Row = (&'static str, &'static [&'static str]);

/// Regions without hosts of their own for most products.
const CENTRAL: &[&str] = &[
    "ap-northeast-2-pop",
    "cn-beijing-finance-pop",
    "cn-beijing-gov-1",
    "cn-beijing-nu16-b01",
    "cn-edge-1",
    "cn-fujian",
    "cn-haidian-cm12-c01",
    "cn-hangzhou-bj-b01",
    "cn-hangzhou-internal-prod-1",
    "cn-hangzhou-internal-test-1",
    "cn-hangzhou-internal-test-2",
    "cn-hangzhou-internal-test-3",
    "cn-hangzhou-test-306",
    "cn-hongkong-finance-pop",
    "cn-shanghai-et15-b01",
    "cn-shanghai-et2-b01",
    "cn-shanghai-inner",
    "cn-shanghai-internal-test-1",
    "cn-shenzhen-inner",
    "cn-shenzhen-st4-d01",
    "cn-shenzhen-su18-b01",
    "cn-wuhan",
    "cn-yushanfang",
    "cn-zhangbei",
    "cn-zhangbei-na61-b01",
    "cn-zhangjiakou-na62-a01",
    "cn-zhengzhou-nebula-1",
    "eu-west-1-oxs",
    "rus-west-1-pop",
];

/// The host of a product in a region when it is an exception.
pub(super) fn host(product: Product, region: &str) -> Option<&'static str> {
    let (rows, central): (&[Row], _) = match product {
        Product::Ecs => (ECS, None),
        Product::Vpc => (VPC, Some("vpc")),
        Product::Alb => (ALB, None),
        Product::Alidns => (ALIDNS, None),
        Product::RKvstore => (R_KVSTORE, Some("r-kvstore")),
        Product::Cas => (CAS, Some("cas")),
        Product::Sts => (STS, Some("sts")),
    };
    let row = rows.iter().find(|(_, regions)| regions.contains(&region)).map(|(host, _)| *host);
    row.or(central.filter(|_| CENTRAL.contains(&region)))
}

const ECS: &[Row] = &[
    (
        "ecs-cn-hangzhou",
        &[
            "cn-beijing-nu16-b01",
            "cn-fujian",
            "cn-haidian-cm12-c01",
            "cn-hangzhou",
            "cn-hangzhou-bj-b01",
            "cn-hangzhou-internal-prod-1",
            "cn-hangzhou-internal-test-1",
            "cn-hangzhou-internal-test-2",
            "cn-hangzhou-internal-test-3",
            "cn-hangzhou-test-306",
            "cn-shanghai-et15-b01",
            "cn-shanghai-et2-b01",
            "cn-shanghai-finance-1",
            "cn-shanghai-internal-test-1",
            "cn-shenzhen-finance-1",
            "cn-shenzhen-st4-d01",
            "cn-shenzhen-su18-b01",
            "cn-zhangbei-na61-b01",
        ],
    ),
    (
        "ecs",
        &[
            "ap-northeast-2-pop",
            "cn-beijing-finance-pop",
            "cn-beijing-gov-1",
            "cn-hangzhou-finance",
            "cn-hongkong-finance-pop",
            "cn-north-2-gov-1",
            "cn-shanghai-inner",
            "cn-shenzhen-inner",
            "cn-wuhan",
            "cn-yushanfang",
            "cn-zhangbei",
            "rus-west-1-pop",
        ],
    ),
    ("ecs.cn-qingdao-nebula", &["cn-edge-1", "cn-huhehaote-nebula-1", "cn-zhengzhou-nebula-1"]),
    ("ecs.cn-zhangjiakou", &["cn-zhangjiakou-na62-a01"]),
    ("ecs.cn-shenzhen-cloudstone", &["eu-west-1-oxs"]),
];

const VPC: &[Row] = &[
    (
        "vpc",
        &[
            "cn-hangzhou",
            "cn-hangzhou-finance",
            "cn-north-2-gov-1",
            "cn-shanghai-finance-1",
            "cn-shenzhen-finance-1",
        ],
    ),
    (
        "vpc-nebula.cn-qingdao-nebula",
        &["cn-edge-1", "cn-huhehaote-nebula-1", "cn-qingdao-nebula", "cn-zhengzhou-nebula-1"],
    ),
    (
        "vpc-pre.cn-hangzhou",
        &[
            "cn-hangzhou-internal-test-1",
            "cn-hangzhou-internal-test-3",
            "cn-hangzhou-test-306",
            "cn-shanghai-et15-b01",
            "cn-shanghai-internal-test-1",
        ],
    ),
    ("vpc-inner-pre.cn-hangzhou", &["cn-hangzhou-internal-test-2"]),
    ("vpc.cn-zhangjiakou", &["cn-zhangjiakou-na62-a01"]),
    ("vpc-nebula.cn-shenzhen-cloudstone", &["eu-west-1-oxs"]),
];

const ALB: &[Row] = &[("alb.cn-hangzhou", &["cn-hangzhou-finance"])];

const ALIDNS: &[Row] = &[("alidns", &["cn-hangzhou", "public"])];

const R_KVSTORE: &[Row] = &[("r-kvstore", &["cn-hangzhou", "cn-hangzhou-finance", "cn-qingdao-nebula"])];

const CAS: &[Row] = &[(
    "cas",
    &[
        "ap-southeast-3",
        "ap-southeast-5",
        "cn-beijing",
        "cn-beijing-finance-1",
        "cn-chengdu",
        "cn-hangzhou",
        "cn-hangzhou-finance",
        "cn-hongkong",
        "cn-huhehaote",
        "cn-huhehaote-nebula-1",
        "cn-north-2-gov-1",
        "cn-qingdao",
        "cn-qingdao-nebula",
        "cn-shanghai",
        "cn-shanghai-finance-1",
        "cn-shenzhen",
        "cn-shenzhen-finance-1",
        "cn-wulanchabu",
        "cn-zhangjiakou",
        "eu-west-1",
        "us-east-1",
        "us-west-1",
    ],
)];

const STS: &[Row] = &[("sts", &["ap-south-1", "ap-southeast-2", "cn-huhehaote-nebula-1"])];

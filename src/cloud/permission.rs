//! The RAM action that a call needs, as a policy names it: `ecs:RunInstances`.

use crate::cloud::Product;

/// The RAM action of an action. Nearly all carry the action's name behind the prefix of their product.
pub fn of(product: Product, action: &str) -> String {
    format!("{}:{action}", prefix(product))
}

/// What RAM calls a product.
fn prefix(product: Product) -> &'static str {
    match product {
        Product::Sts => "sts",
        Product::Vpc => "vpc",
        Product::Ecs => "ecs",
        Product::Alb => "alb",
        Product::Alidns => "alidns",
        Product::Cas => "yundun-cert",
        Product::RKvstore => "kvstore",
    }
}

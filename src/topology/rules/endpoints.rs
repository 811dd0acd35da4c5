//! Rules of where calls go.

use crate::base::address::ServiceAddress;
use crate::topology::PRODUCTS;
use crate::topology::findings::{Finding, Findings, below, nearest, one_of};
use crate::topology::places::path;
use crate::topology::schema::Document;

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    for (product, address) in &document.endpoints {
        let place = below(&path("endpoints"), product);
        if !PRODUCTS.contains(&product.as_str()) {
            findings.at_key(&place, unknown_product(product));
        }
        if let Err(error) = ServiceAddress::parse(address) {
            findings.at_value(
                &place,
                Finding {
                    code: "endpoint",
                    message: format!("`{}` cannot be an endpoint", error.text),
                    cause: error.why.to_owned(),
                    help: "write for example `https://ecs.example.com`, or `http://127.0.0.1:8080` on this machine"
                        .to_owned(),
                },
            );
        }
    }
}

fn unknown_product(product: &str) -> Finding {
    Finding {
        code: "endpoint-product",
        message: format!("no product is called `{product}`"),
        cause: format!("there is {}", one_of(PRODUCTS)),
        help: match nearest(product, PRODUCTS) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "remove this line: only these products are called".to_owned(),
        },
    }
}

//! `albatross cost FILE`: what a topology costs, before it is made.

use serde_json::{Value, json};

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::session;
use crate::cli::topology_file::Located;
use crate::cli::{GlobalOptions, ShowArguments};
use crate::cost::{self, Estimate, HOURS_OF_A_MONTH, Priced, Sum};
use crate::topology::model::Topology;

pub(super) async fn run(options: &GlobalOptions, arguments: &ShowArguments) -> Result<ExitStatus, Failure> {
    let Located { file, options } = &arguments.topology.locate(options)?;
    let topology = session::load(options, file)?.topology;
    let target = session::target(options, &topology).await?;
    let client = session::client(options, &topology, &target).await?;
    let estimate = cost::estimate(&client, &topology).await?;
    if arguments.json {
        anstream::println!("{:#}", to_json(&topology, &estimate));
    } else {
        print(&topology, &estimate);
    }
    Ok(ExitStatus::Done)
}

fn print(topology: &Topology, estimate: &Estimate) {
    anstream::println!("Stack {} in {}, paid by use\n", topology.stack, topology.region);
    for line in lines(estimate) {
        anstream::println!("{line}");
    }
}

/// What has a price, what has none, and the sum at last.
fn lines(estimate: &Estimate) -> Vec<String> {
    let priced = estimate.priced.iter().map(|one| (one.address.to_string(), of_hour(one)));
    let unpriced = estimate.unpriced.iter().map(|one| (one.address.to_string(), one.why.clone()));
    let addresses = priced.clone().chain(unpriced.clone()).map(|(address, _)| address.len());
    let width = addresses.max().unwrap_or(0);
    let row = |(address, text): (String, String)| format!("  {address:width$}  {text}");
    let mut lines: Vec<String> = priced.map(row).collect();
    if !estimate.unpriced.is_empty() {
        lines.push(String::new());
        lines.push("Paid as well, and no price of it can be asked for:".to_owned());
        lines.extend(unpriced.map(row));
    }
    lines.push(String::new());
    lines.extend(estimate.sums().iter().map(total));
    lines
}

/// `0.2480 CNY an hour  ecs.e-c1m2.large, 40 GiB cloud_essd_entry`
fn of_hour(one: &Priced) -> String {
    format!("{:8.4} {} an hour  {}", one.price.paid, one.price.currency, one.what)
}

fn total(sum: &Sum) -> String {
    let Sum { list, paid, currency } = sum;
    let month = paid * HOURS_OF_A_MONTH;
    let discount = list - paid;
    let without = if discount > 0.0 { format!(", {list:.4} without discounts") } else { String::new() };
    format!(
        "Together {paid:.4} {currency} an hour, {month:.2} {currency} in a month of {HOURS_OF_A_MONTH} hours{without}."
    )
}

fn to_json(topology: &Topology, estimate: &Estimate) -> Value {
    let priced = estimate.priced.iter().map(|one| {
        json!({
            "address": one.address,
            "what": one.what,
            "hourly": one.price.paid,
            "hourly_list": one.price.list,
            "currency": one.price.currency,
        })
    });
    let unpriced = estimate.unpriced.iter().map(|one| json!({"address": one.address, "why": one.why}));
    let sums = estimate.sums().into_iter().map(|sum| {
        json!({
            "hourly": sum.paid,
            "hourly_list": sum.list,
            "monthly": sum.paid * HOURS_OF_A_MONTH,
            "currency": sum.currency,
        })
    });
    json!({
        "version": 1,
        "stack": topology.stack,
        "region": topology.region,
        "hours_of_a_month": HOURS_OF_A_MONTH,
        "priced": priced.collect::<Vec<_>>(),
        "unpriced": unpriced.collect::<Vec<_>>(),
        "sums": sums.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::price::Price;
    use crate::resource::{Kind, ResourceAddress};

    fn priced(name: &str, paid: f64, list: f64, currency: &str) -> Priced {
        let price = Price { list, paid, currency: currency.to_owned() };
        Priced { address: ResourceAddress::new(Kind::Instance, name), what: "a type".to_owned(), price }
    }

    #[test]
    fn each_currency_has_a_sum_and_a_discount_is_said() {
        let priced =
            vec![priced("a", 0.5, 1.0, "CNY"), priced("b", 0.25, 0.25, "CNY"), priced("c", 0.1, 0.1, "USD")];
        let lines = lines(&Estimate { priced, unpriced: Vec::new() });
        assert_eq!(
            lines[3..],
            [
                "",
                "Together 0.7500 CNY an hour, 547.50 CNY in a month of 730 hours, 1.2500 without discounts.",
                "Together 0.1000 USD an hour, 73.00 USD in a month of 730 hours.",
            ]
        );
    }
}

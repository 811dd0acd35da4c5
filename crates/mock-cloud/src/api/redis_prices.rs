//! What Redis instances cost: a plausible table, the same at any time and in every zone.

use serde_json::{Value, json};

use crate::api::redis_catalogue::{self, RedisClass, hourly_price};
use crate::api::redis_rules::illegal;
use crate::api::{Call, Handler, redis_instances};
use crate::wire::{ApiError, Parameters};

pub(super) const ACTIONS: &[(&str, Handler)] = &[("DescribePrice", describe_price)];

/// Hours a month of a subscription is charged as.
const HOURS_OF_A_MONTH: i64 = 480;

/// Percent of the price that twelve and more months cost.
const YEAR: i64 = 85;

/// One kind of instance that is asked about.
struct Item {
    class: &'static RedisClass,
    shards: i64,
    single: bool,
    quantity: i64,
    months: Option<i64>,
    instance: String,
}

/// Thousandths of a yuan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Price {
    list: i64,
    discount: i64,
}

fn describe_price(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let items = read_items(call)?;
    let prices: Vec<Price> = items.iter().map(price).collect();
    let total = prices.iter().fold(Price::default(), |sum, own| Price {
        list: sum.list + own.list,
        discount: sum.discount + own.discount,
    });
    let parts = items.iter().zip(&prices).map(|(item, own)| describe_part(item, *own));
    let mut order = amounts(total);
    order["Code"] = json!("");
    order["Message"] = json!("");
    order["Currency"] = json!("CNY");
    order["HandlingFeeAmount"] = json!("0");
    order["Coupons"] = json!({"Coupon": []});
    let parameters = call.parameters;
    let details = if parameters.flag("OrderParamOut") { order_parameters(parameters) } else { String::new() };
    Ok(json!({
        "Order": order,
        "OrderParams": details,
        "Rules": {"Rule": []},
        "SubOrders": {"SubOrder": parts.collect::<Vec<_>>()},
    }))
}

fn amounts(price: Price) -> Value {
    json!({
        "OriginalAmount": yuan(price.list),
        "DiscountAmount": yuan(price.discount),
        "TradeAmount": yuan(price.list - price.discount),
        "IsContractActivity": false,
        "RuleIds": {"RuleId": []},
    })
}

fn describe_part(item: &Item, price: Price) -> Value {
    let fee = |thousandths: i64| serde_json::from_str::<Value>(&yuan(thousandths)).unwrap_or_default();
    let mut part = amounts(price);
    part["InstanceId"] = json!(item.instance);
    part["ContractActivity"] = json!(false);
    part["OptionalPromotions"] = json!({"OptionalPromotion": []});
    part["PromDetailList"] = json!({"PromDetail": []});
    part["ModuleInstance"] = json!({"ModuleInstance": [{
        "ModuleCode": "instance_class",
        "ModuleId": "instance_class",
        "ModuleName": item.class.id,
        "ModuleAttrs": {"moduleAttr": [
            {"Code": "instance_class", "Name": "instance_class", "Type": 1, "Value": item.class.id},
        ]},
        "ContractActivity": false,
        "NeedOrderPay": true,
        "PricingModule": true,
        "TotalProductFee": fee(price.list),
        "DiscountFee": fee(price.discount),
        "PayFee": fee(price.list - price.discount),
        "StandPrice": fee(price.list),
    }]});
    part
}

/// `0.21` for 210 thousandths.
fn yuan(thousandths: i64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An hour, or all months of a subscription.
fn price(item: &Item) -> Price {
    let node = hourly_price(item.class) * item.shards * item.quantity;
    let hour = if item.single { node / 2 } else { node };
    let Some(months) = item.months else { return Price { list: hour, discount: 0 } };
    let list = hour * HOURS_OF_A_MONTH * months;
    Price { list, discount: if months >= 12 { list * (100 - YEAR) / 100 } else { 0 } }
}

fn read_items(call: &Call<'_>) -> Result<Vec<Item>, ApiError> {
    let parameters = call.parameters;
    if let Some(text) = parameters.text("Instances") {
        return read_list(parameters, text);
    }
    let order = parameters.required("OrderType")?;
    let existing = match parameters.text("InstanceId") {
        Some(id) => Some(redis_instances::find(call.world, id)?),
        None if order.eq_ignore_ascii_case("BUY") => None,
        None => return Err(missing("InstanceId is mandatory for this OrderType.")),
    };
    let shards = existing.map_or(1, |own| own.nodes.shards);
    let single = |kind: &str| ["STAND_ALONE", "single"].iter().any(|own| own.eq_ignore_ascii_case(kind));
    let node = existing.map_or("MASTER_SLAVE", |own| own.nodes.kind.as_str());
    let class = match (read_class(parameters)?, existing) {
        (Some(class), _) => class,
        (None, Some(own)) => {
            redis_catalogue::find(&own.class).ok_or_else(|| missing("InstanceClass is mandatory."))?
        }
        (None, None) => return Err(missing("InstanceClass or Capacity is mandatory for this action.")),
    };
    Ok(vec![Item {
        class,
        shards: parameters.integer("ShardCount").unwrap_or(shards),
        single: single(parameters.text("NodeType").unwrap_or(node)),
        quantity: read_quantity(parameters.integer("Quantity"))?,
        months: read_months(parameters, parameters.integer("Period"))?,
        instance: existing.map(|own| own.id.clone()).unwrap_or_default(),
    }])
}

fn read_class(parameters: &Parameters) -> Result<Option<&'static RedisClass>, ApiError> {
    let found = match (parameters.text("InstanceClass"), parameters.integer("Capacity")) {
        (Some(id), _) => redis_catalogue::find(id),
        (None, Some(capacity)) => redis_catalogue::of_capacity(capacity),
        (None, None) => return Ok(None),
    };
    found.map(Some).ok_or_else(|| illegal("InstanceClass", "there is no such instance class"))
}

/// `[{"RegionId": "cn-hangzhou", "ShardClass": "tair.rdb.1g", "ShardCount": "3", "Quantity": "1"}]`, numbers as texts or numbers.
fn read_list(parameters: &Parameters, text: &str) -> Result<Vec<Item>, ApiError> {
    let malformed =
        || ApiError::bad_request("InvalidInstances.Format", "Instances is not a list of instances.");
    let rows: Vec<serde_json::Map<String, Value>> = serde_json::from_str(text).map_err(|_| malformed())?;
    let number = |row: &serde_json::Map<String, Value>, name: &str| match row.get(name) {
        None => Ok(None),
        Some(Value::Number(own)) => own.as_i64().map(Some).ok_or_else(malformed),
        Some(Value::String(own)) => own.parse().map(Some).map_err(|_| malformed()),
        Some(_) => Err(malformed()),
    };
    let read = |row: &serde_json::Map<String, Value>| {
        let id = row.get("ShardClass").or_else(|| row.get("InstanceClass")).and_then(Value::as_str);
        Ok(Item {
            class: id.and_then(redis_catalogue::find).ok_or_else(malformed)?,
            shards: number(row, "ShardCount")?.unwrap_or(1),
            single: row.get("NodeType").and_then(Value::as_str) == Some("STAND_ALONE"),
            quantity: read_quantity(number(row, "Quantity")?)?,
            months: read_months(parameters, number(row, "Period")?.or(parameters.integer("Period")))?,
            instance: String::new(),
        })
    };
    if rows.is_empty() { Err(malformed()) } else { rows.iter().map(read).collect() }
}

fn read_quantity(quantity: Option<i64>) -> Result<i64, ApiError> {
    Some(quantity.unwrap_or(1))
        .filter(|own| (1..=30).contains(own))
        .ok_or_else(|| illegal("Quantity", "it takes 1 to 30"))
}

/// Months of a subscription; nothing for what is paid by use.
fn read_months(parameters: &Parameters, period: Option<i64>) -> Result<Option<i64>, ApiError> {
    let renewal = parameters.text("OrderType").is_some_and(|own| own.eq_ignore_ascii_case("RENEW"));
    if !parameters.text("ChargeType").is_some_and(|own| own.eq_ignore_ascii_case("PrePaid")) && !renewal {
        return Ok(None);
    }
    match period {
        None => Err(missing("Period is mandatory for a subscription.")),
        Some(months) if matches!(months, 1..=9 | 12 | 24 | 36) => Ok(Some(months)),
        Some(_) => Err(illegal("Period", "it takes 1 to 9, 12, 24 or 36 months")),
    }
}

fn order_parameters(parameters: &Parameters) -> String {
    let asked: serde_json::Map<String, Value> =
        parameters.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    Value::Object(asked).to_string()
}

fn missing(message: &str) -> ApiError {
    ApiError::bad_request("MissingParameter", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_without_trailing_zeros() {
        assert_eq!([210, 100_800, 1000, 60, 0].map(yuan), ["0.21", "100.8", "1", "0.06", "0"]);
    }
}

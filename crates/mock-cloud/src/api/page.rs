//! The two ways of paging: an opaque `NextToken`, and page numbers.

use serde_json::{Value, json};

use crate::wire::{ApiError, Parameters};

/// How many items a page has.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Unless told.
    pub default: usize,
    /// Less counts as this.
    pub minimum: usize,
    /// More counts as this.
    pub maximum: usize,
}

/// One page of a `NextToken` list.
#[derive(Debug)]
pub struct TokenPage {
    /// Items of the page.
    pub items: Vec<Value>,
    /// Where the next page starts; empty at the end.
    pub next_token: String,
    /// Items of all pages.
    pub total: usize,
    /// Items a page has.
    pub size: usize,
}

/// Cuts a list by `NextToken` and `MaxResults`.
///
/// # Errors
/// `InvalidNextToken` for a token that is not ours.
pub fn by_token(all: Vec<Value>, parameters: &Parameters, size: Size) -> Result<TokenPage, ApiError> {
    let asked = parameters.unsigned::<usize>("MaxResults").unwrap_or(size.default);
    let limit = asked.clamp(size.minimum, size.maximum);
    let start = match parameters.text("NextToken") {
        None => 0,
        Some(token) => parse_token(token)?,
    };
    let total = all.len();
    let items: Vec<Value> = all.into_iter().skip(start).take(limit).collect();
    let end = start + items.len();
    let next_token = if end < total { write_token(end) } else { String::new() };
    Ok(TokenPage { items, next_token, total, size: limit })
}

/// One page of a numbered list.
#[derive(Debug)]
pub struct NumberedPage {
    /// Items of the page.
    pub items: Vec<Value>,
    /// From 1.
    pub number: usize,
    /// Items a page has.
    pub size: usize,
    /// Items of all pages.
    pub total: usize,
}

/// Cuts a list by `PageNumber` and `PageSize`.
pub fn by_number(all: Vec<Value>, parameters: &Parameters, size: Size) -> NumberedPage {
    numbered(all, parameters, ("PageNumber", "PageSize"), size)
}

/// Cuts a list by the number of a page and the size of pages, under the names a product has for the two.
pub fn numbered(
    all: Vec<Value>,
    parameters: &Parameters,
    (number, limit): (&str, &str),
    size: Size,
) -> NumberedPage {
    let number = parameters.unsigned::<usize>(number).unwrap_or(1).max(1);
    let limit = parameters.unsigned(limit).unwrap_or(size.default).clamp(size.minimum, size.maximum);
    let total = all.len();
    let items = all.into_iter().skip((number - 1).saturating_mul(limit)).take(limit).collect();
    NumberedPage { items, number, size: limit, total }
}

impl NumberedPage {
    /// The reply of a wrapped list: `outer.inner[]` beside the page's numbers.
    pub fn reply(self, outer: &str, inner: &str) -> Value {
        json!({
            outer: { inner: self.items },
            "PageNumber": self.number,
            "PageSize": self.size,
            "TotalCount": self.total,
        })
    }
}

/// ECS lists take both ways: page numbers when they are given, else a token.
///
/// # Errors
/// `InvalidNextToken` for a token that is not ours.
pub fn either(
    all: Vec<Value>,
    parameters: &Parameters,
    size: Size,
    (outer, inner): (&str, &str),
) -> Result<Value, ApiError> {
    if parameters.has("PageNumber") || parameters.has("PageSize") {
        // The minimum is one of MaxResults only.
        let mut reply = by_number(all, parameters, Size { minimum: 1, ..size }).reply(outer, inner);
        reply["NextToken"] = json!("");
        return Ok(reply);
    }
    let page = by_token(all, parameters, size)?;
    Ok(json!({
        outer: { inner: page.items },
        "NextToken": page.next_token,
        "PageNumber": 1,
        "PageSize": page.size,
        "TotalCount": page.total,
    }))
}

fn write_token(position: usize) -> String {
    hex::encode(format!("mock-next-{position}"))
}

fn parse_token(token: &str) -> Result<usize, ApiError> {
    let decoded = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let position = decoded.as_deref().and_then(|text| text.strip_prefix("mock-next-")?.parse().ok());
    position.ok_or_else(|| ApiError::bad_request("InvalidNextToken", "The specified NextToken is not valid."))
}

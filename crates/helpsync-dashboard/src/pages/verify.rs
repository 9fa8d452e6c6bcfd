//! A comparison of a copy with its help center. It changes nothing, so its outcome is the answer to the form itself.

use std::time::Duration;

use axum::http::Method;
use futures::StreamExt as _;
use helpsync_api::Asked;
use helpsync_model::chain;
use helpsync_pages::Page;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::layout::{self, Part};
use crate::pages::customer::{SentFor, heading};
use crate::problem::Problem;
use crate::show::{fact, number, table, when_if_any};
use crate::text as t;
use crate::visitor::Visitor;

/// Differences that are shown; the totals count all.
const DIFFERENCES_SHOWN: usize = 200;
/// Longer comparisons are for the command line.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest line of an answer.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// What a comparison has told so far.
#[derive(Default)]
struct Told {
    /// The first differences.
    shown: Vec<Value>,
    /// Differences that are not among them.
    more: usize,
    /// Where it came to its end.
    totals: Option<Value>,
    /// Why it broke off, if the server said so.
    why: Option<String>,
}

impl Told {
    fn take(&mut self, line: &[u8]) {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        if value["totals"].is_object() {
            self.totals = Some(value["totals"].clone());
        } else if let Some(reason) = value["broke_off"]["reason"].as_str() {
            self.why = Some(reason.to_owned());
        } else if value.is_object() && self.shown.len() < DIFFERENCES_SHOWN {
            self.shown.push(value);
        } else if value.is_object() {
            self.more += 1;
        }
    }
}

pub(crate) async fn run(form: SentFor) -> Result<Page, Problem> {
    let (visitor, customer) = (form.sent.visitor, form.customer);
    let mut told = Told::default();
    // What was told until then stays, however it ends.
    if let Ok(compared) =
        tokio::time::timeout(PATIENCE, compare(&visitor, &customer.customer_id, &mut told)).await
    {
        compared?;
    }
    let content = html! {
        (heading(&visitor, &customer, t::VERIFY))
        (outcome(&told))
        @if !told.shown.is_empty() { (differences(&visitor, &told.shown)) }
        @if told.more > 0 {
            p class="note" { (t::more_differences(told.more)) " " code { (command(&customer.customer_id)) } }
        }
    };
    Ok(layout::page(&visitor, Part::Customers, t::VERIFY, None, content))
}

/// What lists all differences, as a shell takes it.
fn command(customer: &str) -> String {
    format!("helpsync verify '{}'", customer.replace('\'', r"'\''"))
}

fn outcome(told: &Told) -> Markup {
    let Some(totals) = &told.totals else {
        let why = told.why.as_deref().map_or_else(|| t::VERIFY_TOO_LONG.to_owned(), t::verify_broke_off);
        return html! { p class="note failed" role="alert" { (why) } };
    };
    html! {
        dl class="facts card" {
            (fact(t::LISTED, &html! { (number(totals["shown"].as_i64().unwrap_or(0))) }))
            (fact(t::DIFFERENCES, &html! { (number(totals["differences"].as_i64().unwrap_or(0))) }))
            (fact(t::MENDABLE, &html! { (number(totals["mendable"].as_i64().unwrap_or(0))) }))
            (fact(t::REQUESTS, &html! { (number(totals["requests"].as_i64().unwrap_or(0))) }))
        }
        @if told.shown.is_empty() { p class="note good" role="status" { (t::NO_DIFFERENCES) } }
    }
}

fn differences(visitor: &Visitor, shown: &[Value]) -> Markup {
    let now = visitor.dashboard.now_ms();
    let text = |value: &Value| value.as_str().unwrap_or(t::NONE).to_owned();
    table(
        t::DIFFERENCES,
        &[t::ARTICLE, t::REASON, t::CHANGED_BY_COPY, t::CHANGED_BY_ZENDESK],
        &html! {
            @for one in shown {
                tr {
                    @let article = one["article_id"].as_i64().unwrap_or_default();
                    td { @match one["file_id"].as_i64() {
                        Some(file) => { a href=(visitor.at(&format!("/files/{file}"))) { (article) } },
                        None => (article),
                    } }
                    td {
                        (t::state(&text(&one["cause"])))
                        @if let Some(detail) = one["detail"].as_str() { br; span class="soft" { (detail) } }
                    }
                    td { (when_if_any(one["here_updated_at"].as_str(), now)) }
                    td { (when_if_any(one["there_updated_at"].as_str(), now)) }
                }
            }
        },
    )
}

/// Reads what the comparison tells into `told`.
async fn compare(visitor: &Visitor, customer: &str, told: &mut Told) -> Result<(), Problem> {
    let body = json!({ "customer_id": customer });
    let asked = Asked { method: Method::POST, path: "/helpsync/v1/verify", customer: None, body: Some(body) };
    let (parts, body) = visitor.ask_raw(asked).await.into_parts();
    let mut pieces = body.into_data_stream();
    let mut line = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                told.why = Some(chain(&error));
                break;
            }
        };
        for byte in piece {
            if byte != b'\n' && line.len() < LINE_BYTES_MAX {
                line.push(byte);
                continue;
            }
            told.take(&line);
            line.clear();
        }
    }
    if !parts.status.is_success() {
        let body = serde_json::from_slice(&line).unwrap_or_default();
        return Err(Problem::of_answer(&visitor.dashboard, parts.status, &body));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_until_a_comparison_broke_off_stays_and_more_than_is_shown_is_counted() {
        let mut told = Told { why: Some("zendesk is away".to_owned()), ..Told::default() };
        for article in 0..DIFFERENCES_SHOWN + 3 {
            told.take(format!("{{\"article_id\":{article}}}").as_bytes());
        }
        told.take(b"");
        assert_eq!((told.shown.len(), told.more), (DIFFERENCES_SHOWN, 3));
        assert!(outcome(&told).into_string().contains("zendesk is away"));
        told.why = None;
        assert!(outcome(&told).into_string().contains("in time"));
        told.take(br#"{"broke_off":{"reason":"zendesk limits the rate","cause":"passing"}}"#);
        assert_eq!((told.why.as_deref(), told.more), (Some("zendesk limits the rate"), 3));
        told.take(b"{\"totals\":{\"shown\":5}}");
        assert!(!outcome(&told).into_string().contains("note"), "it came to its end, with differences");
    }
}

//! A comparison of a copy with its help center. It changes nothing, so its outcome is the answer to the form itself.

use std::time::Duration;

use axum::http::Method;
use futures::StreamExt as _;
use helpsync_api::Asked;
use helpsync_pages::Page;
use maud::html;
use serde_json::{Value, json};

use crate::layout::{self, Part};
use crate::pages::customer::{SentFor, heading};
use crate::problem::Problem;
use crate::show::{fact, number, table};
use crate::text as t;
use crate::visitor::Visitor;

/// Differences that are shown; the totals count all.
const DIFFERENCES_SHOWN: usize = 200;
/// Longer comparisons are for the command line.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest line of an answer.
const LINE_BYTES_MAX: usize = 1024 * 1024;

pub(crate) async fn run(form: SentFor) -> Result<Page, Problem> {
    let (visitor, customer) = (form.sent.visitor, form.customer);
    let compared = tokio::time::timeout(PATIENCE, compare(&visitor, &customer.customer_id)).await;
    let (differences, totals) = match compared {
        Ok(compared) => compared?,
        Err(_elapsed) => (Vec::new(), None),
    };
    let text = |value: &Value| value.as_str().unwrap_or(t::NONE).to_owned();
    let content = html! {
        (heading(&visitor, &customer, t::VERIFY))
        @match &totals {
            None => p class="note failed" role="alert" { (t::VERIFY_BROKE_OFF) },
            Some(totals) => {
                dl class="facts card" {
                    (fact(t::LISTED, &html! { (number(totals["shown"].as_i64().unwrap_or(0))) }))
                    (fact(t::DIFFERENCES, &html! { (number(totals["differences"].as_i64().unwrap_or(0))) }))
                    (fact(t::MENDABLE, &html! { (number(totals["mendable"].as_i64().unwrap_or(0))) }))
                    (fact(t::REQUESTS, &html! { (number(totals["requests"].as_i64().unwrap_or(0))) }))
                }
                @if differences.is_empty() { p class="note good" role="status" { (t::NO_DIFFERENCES) } }
            },
        }
        @if !differences.is_empty() {
            (table(t::DIFFERENCES, &[t::ARTICLE, t::REASON, t::CHANGED, t::CHANGED_THERE], &html! {
                @for one in &differences {
                    tr {
                        td { (one["article_id"].as_i64().unwrap_or_default()) }
                        td {
                            (t::state(&text(&one["cause"])))
                            @if let Some(detail) = one["detail"].as_str() { br; span class="soft" { (detail) } }
                        }
                        td { (text(&one["here_updated_at"])) }
                        td { (text(&one["there_updated_at"])) }
                    }
                }
            }))
        }
    };
    Ok(layout::page(&visitor, Part::Customers, t::VERIFY, None, content))
}

/// The first differences, and the totals where the comparison came to its end.
async fn compare(visitor: &Visitor, customer: &str) -> Result<(Vec<Value>, Option<Value>), Problem> {
    let body = json!({ "customer_id": customer });
    let asked = Asked { method: Method::POST, path: "/helpsync/v1/verify", customer: None, body: Some(body) };
    let (parts, body) = visitor.ask_raw(asked).await.into_parts();
    let mut pieces = body.into_data_stream();
    let (mut line, mut found, mut totals) = (Vec::new(), Vec::new(), None);
    while let Some(Ok(piece)) = pieces.next().await {
        for byte in piece {
            if byte != b'\n' && line.len() < LINE_BYTES_MAX {
                line.push(byte);
                continue;
            }
            let value: Value = serde_json::from_slice(&line).unwrap_or_default();
            line.clear();
            if value["totals"].is_object() {
                totals = Some(value["totals"].clone());
            } else if found.len() < DIFFERENCES_SHOWN && value.is_object() {
                found.push(value);
            }
        }
    }
    if !parts.status.is_success() {
        let body = serde_json::from_slice(&line).unwrap_or_default();
        return Err(Problem::of_answer(&visitor.dashboard, parts.status, &body));
    }
    Ok((found, totals))
}

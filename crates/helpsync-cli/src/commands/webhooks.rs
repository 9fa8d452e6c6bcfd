//! `helpsync webhooks`: where events are sent, what did not arrive, and sending it again.

use serde_json::{Value, json};

use crate::args::{Redeliver, WebhookAction, WebhookDeliveries, Webhooks};
use crate::client::Client;
use crate::commands::ask::print_rows;

/// Dead deliveries are sent again in so many requests at most; each takes the oldest 1,000.
const REQUESTS_MAX: usize = 1_000;

pub(crate) async fn webhooks(args: Webhooks) -> anyhow::Result<()> {
    match args.action {
        WebhookAction::List(plain) => {
            let client = Client::of(&plain.remote, None)?;
            let answer = client.post("/webhooks", json!({ "pagination": { "limit": 250 } })).await?;
            show(&answer, "results", &["id", "url", "status", "status_reason"], plain.json);
        }
        WebhookAction::Deliveries(args) => deliveries(args).await?,
        WebhookAction::Redeliver(args) => redeliver(args).await?,
    }
    Ok(())
}

fn show(answer: &Value, list: &str, columns: &[&str], as_json: bool) {
    if as_json {
        println!("{answer:#}");
    } else {
        print_rows(&answer[list], columns);
    }
}

async fn deliveries(args: WebhookDeliveries) -> anyhow::Result<()> {
    let client = Client::of(&args.plain.remote, None)?;
    let state = args.state.map(|state| format!("&state={state}")).unwrap_or_default();
    let path = format!("/helpsync/v1/webhooks/{}/deliveries?after={}{state}", args.webhook, args.after);
    let answer = client.get(&path).await?;
    show(&answer, "deliveries", &["id", "kind", "object_id", "state", "attempts", "error"], args.plain.json);
    if let (false, Some(next)) = (args.plain.json, answer["next"].as_i64()) {
        println!("there may be more: --after {next}");
    }
    Ok(())
}

async fn redeliver(args: Redeliver) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, None)?;
    if let Some(id) = args.delivery {
        client.post(&format!("/helpsync/v1/webhook-deliveries/{id}/redeliver"), json!({})).await?;
        println!("delivery {id} is sent again");
    }
    if let Some(webhook) = args.dead_of {
        let path = format!("/helpsync/v1/webhooks/{webhook}/redeliver");
        let mut total = 0;
        for _ in 0..REQUESTS_MAX {
            let moved = client.post(&path, json!({})).await?["redelivered"].as_u64().unwrap_or(0);
            total += moved;
            if moved == 0 {
                break;
            }
        }
        println!("{total} dead deliveries are sent again");
    }
    Ok(())
}

//! `helpsync webhooks`: where events are sent, what did not arrive, and sending it again.

use serde_json::json;

use crate::args::{Redeliver, WebhookAction, WebhookDeliveries, Webhooks};
use crate::client::Client;
use crate::commands::ask::rows;
use crate::output::{Output, one_line};

/// Dead deliveries are sent again in so many requests at most; each takes the oldest 1,000.
const REQUESTS_MAX: usize = 1_000;

pub(crate) async fn webhooks(args: Webhooks, output: Output) -> anyhow::Result<()> {
    match args.action {
        WebhookAction::List(remote) => {
            let client = Client::of(&remote, output)?;
            let answer = client.post("/webhooks", json!({ "pagination": { "limit": 250 } })).await?;
            output.show(&answer, || rows(&answer["results"], &["id", "url", "status", "status_reason"]))
        }
        WebhookAction::Deliveries(args) => deliveries(args, output).await,
        WebhookAction::Redeliver(args) => redeliver(args, output).await,
        WebhookAction::RotateKey(args) => {
            let path = format!("/helpsync/v1/webhooks/{}/rotate-key", args.webhook);
            let client = Client::of(&args.remote, output)?;
            let answer = client.post(&path, json!({ "overlap_hours": args.overlap })).await?;
            output.show(&answer, || answer["signing_key"].as_str().unwrap_or_default().to_owned())?;
            match answer["previous_key_until"].as_str() {
                Some(until) => output.note(format_args!(
                    "keep it: it is never shown again. Both keys sign until {}",
                    one_line(until)
                )),
                None => output.note("keep it: it is never shown again. The key of before has ended"),
            }
            Ok(())
        }
    }
}

async fn deliveries(args: WebhookDeliveries, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    let state = args.state.map(|state| format!("&state={state}")).unwrap_or_default();
    let path = format!("/helpsync/v1/webhooks/{}/deliveries?after={}{state}", args.webhook, args.after);
    let answer = client.get(&path).await?;
    output.show(&answer, || {
        rows(&answer["deliveries"], &["id", "kind", "object_id", "state", "attempts", "error"])
    })?;
    if let Some(next) = answer["next"].as_i64() {
        output.note(format_args!("there may be more: --after {next}"));
    }
    Ok(())
}

async fn redeliver(args: Redeliver, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    if let Some(id) = args.delivery {
        client.post(&format!("/helpsync/v1/webhook-deliveries/{id}/redeliver"), json!({})).await?;
        output.show(&json!({ "redelivered": 1 }), || format!("delivery {id} is sent again"))?;
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
        output
            .show(&json!({ "redelivered": total }), || format!("{total} dead deliveries are sent again"))?;
    }
    Ok(())
}

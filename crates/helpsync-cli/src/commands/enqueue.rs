//! `helpsync enqueue`: the path of upstream services, over the broker.

use std::path::PathBuf;

use anyhow::Context as _;
use helpsync_model::{Entropy as _, OsEntropy};
use helpsync_upstream::{Request, RequestAction, Upstream};
use serde_json::json;

use crate::args::Enqueue;
use crate::output::Output;
use crate::role::settings;

/// The default of `queue.name_prefix`.
const PREFIX: &str = "helpsync";

pub(crate) async fn enqueue(args: Enqueue, output: Output) -> anyhow::Result<()> {
    let (url, prefix) = broker(args.broker, args.prefix, args.config)?;
    let upstream = Upstream::new(&url)?.with_prefix(&prefix);
    let action = match args.article {
        Some(article_id) => RequestAction::ResyncArticle { article_id },
        None => RequestAction::Sync { full: args.full },
    };
    let id = OsEntropy.uuid().to_string();
    let published = upstream.publish(&id, &Request::new(args.customer, action)).await;
    upstream.close().await;
    published?;
    output.show(&json!({ "request_id": id }), || {
        format!(
            "request {id} is queued; one that cannot be done (no such customer, no connected workspace) is in \
             `helpsync dead-letters list` then"
        )
    })
}

/// Address and prefix. Only a file is read as the settings of a whole installation, with all that they must hold.
fn broker(
    url: Option<String>,
    prefix: Option<String>,
    config: Option<PathBuf>,
) -> anyhow::Result<(String, String)> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    if let (Some(url), None) = (given(url), &config) {
        return Ok((url, given(prefix).unwrap_or_else(|| PREFIX.to_owned())));
    }
    let queue = settings(config)?.queue;
    let url = queue.url.context(
        "no broker is set: set HELPSYNC_QUEUE__URL (an embedded Helpsync takes requests by its API: helpsync sync)",
    )?;
    Ok((url.expose().to_owned(), queue.name_prefix))
}

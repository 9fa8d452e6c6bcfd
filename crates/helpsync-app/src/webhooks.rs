//! What the settings make of the relay of webhooks.

use helpsync_config::Settings;
use helpsync_store::WebhookRetention;
use helpsync_webhooks::{BreakerOptions, RelayOptions, SenderOptions};

pub(crate) fn relay_options(settings: &Settings) -> RelayOptions {
    let webhooks = &settings.webhooks;
    RelayOptions {
        sender: SenderOptions {
            timeout: webhooks.timeout,
            allow_private: webhooks.allow_private,
            user_agent: concat!("helpsync/", env!("CARGO_PKG_VERSION")).to_owned(),
        },
        poll: webhooks.poll,
        concurrency: webhooks.served_max,
        webhook_concurrency: webhooks.concurrency,
        attempts_max: webhooks.attempts_max,
        retry_first: webhooks.retry_first,
        retry_longest: webhooks.retry_max,
        breaker: BreakerOptions {
            failures: webhooks.breaker_failures,
            open: webhooks.breaker_open,
            open_max: webhooks.breaker_open_max,
        },
        retention: WebhookRetention { retry_age: webhooks.retry_age, keep: webhooks.keep },
    }
}

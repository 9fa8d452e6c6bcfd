//! `helpsync doctor`: what a newcomer would otherwise find out one error at a time.

use std::time::Duration;

use anyhow::bail;
use helpsync_app::{Parts, Runtime};
use helpsync_model::chain;
use helpsync_queue::Health;

use crate::args::Doctor;
use crate::output::Output;
use crate::role::settings;

const BROKER_WAIT: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) async fn doctor(args: Doctor, output: Output) -> anyhow::Result<()> {
    let mut sick = 0;
    let mut say = |name: &str, found: Result<String, String>| match found {
        Ok(text) => drop(output.answer(format_args!("  ok    {name}: {text}"))),
        Err(text) => {
            sick += 1;
            drop(output.answer(format_args!("  WRONG {name}: {text}")));
        }
    };
    let settings = match settings(args.config) {
        Ok(settings) => settings,
        Err(error) => {
            say("settings", Err(chain(error.as_ref())));
            bail!("1 thing is wrong");
        }
    };
    say("settings", Ok("every name and value is understood".to_owned()));
    for warning in settings.warnings() {
        output.say(format_args!("  note  {warning}"))?;
    }
    let client = if settings.zendesk.client_id.is_some() {
        Ok(format!("configured; register the redirect URL {}", redirect_url(&settings)))
    } else {
        Err("set HELPSYNC_ZENDESK__CLIENT_ID and HELPSYNC_ZENDESK__CLIENT_SECRET".to_owned())
    };
    say("OAuth client", client);
    match Parts::open(settings, Runtime::default()).await {
        Err(error) => say("store", Err(chain(&error))),
        Ok(parts) => {
            say(
                "store",
                parts
                    .store
                    .ping()
                    .await
                    .map(|()| "answers, migrated".to_owned())
                    .map_err(|error| chain(&error)),
            );
            let waited = tokio::time::timeout(BROKER_WAIT, async {
                while parts.queue.health() != Health::Up {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            });
            let queue = match waited.await {
                Ok(()) => Ok("works".to_owned()),
                Err(_elapsed) => Err(format!("{:?}", parts.queue.health())),
            };
            say("queue", queue);
            let coordinator = parts.accounts.ping_coordinator().await;
            say("coordinator", coordinator.map(|()| "works".to_owned()));
            if let Some(text) = args.subdomain {
                say("workspace", parts.probe(&text).await);
            }
            parts.queue.close().await;
            parts.store.close().await;
        }
    }
    match sick {
        0 => Ok(()),
        1 => bail!("1 thing is wrong"),
        more => bail!("{more} things are wrong"),
    }
}

fn redirect_url(settings: &helpsync_config::Settings) -> String {
    format!("{}/integrations/zendesk", settings.public_url().as_str().trim_end_matches('/'))
}

//! `helpsync up`: everything in one process.

use anyhow::Context as _;
use helpsync_app::{Parts, Process, Role, Runtime, api_key_file, start_logging, stop_signal};

use crate::args::Up;
use crate::client::Client;
use crate::commands::ask::oauth_url;
use crate::role::{run_until, settings};

pub(crate) async fn up(args: Up) -> anyhow::Result<()> {
    let settings = settings(args.config)?;
    start_logging(&settings.log)?;
    let stop = stop_signal().context("cannot handle signals")?;
    let has_client = settings.zendesk.client_id.is_some();
    let store = settings.store.url.to_string();
    let key_file =
        settings.api.bootstrap_key.is_none().then(|| api_key_file(settings.store.url.expose())).flatten();
    let process = Process::start(Parts::open(settings, Runtime::default()).await?, Role::All).await?;
    let url = process.api_url().context("the API did not start")?.clone();
    println!("Helpsync is up at {url}");
    println!("  store    {store}");
    if let Some(path) = key_file {
        println!("  API key  in {}", path.display());
    }
    let redirect = url.join("/integrations/zendesk")?;
    if has_client {
        println!("  OAuth    register {redirect} as a redirect URL of your Zendesk OAuth client");
    } else {
        println!(
            "  OAuth    no client yet: make one in Zendesk's Admin Center (Apps and integrations, APIs, OAuth"
        );
        println!("           clients) with the redirect URL {redirect},");
        println!("           then set HELPSYNC_ZENDESK__CLIENT_ID and HELPSYNC_ZENDESK__CLIENT_SECRET");
    }
    if let Some(subdomain) = &args.connect {
        let key = process.parts().api_key_text().context("no API key is known here")?.to_owned();
        let client = Client::new(url, key, Some(&args.customer))?;
        println!(
            "\nOpen this as an administrator of {subdomain}:\n\n  {}\n",
            oauth_url(&client, subdomain).await?
        );
    } else {
        println!("  next     helpsync connect SUBDOMAIN   (in another terminal, same folder)");
    }
    run_until(process, stop).await
}

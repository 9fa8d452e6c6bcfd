//! `helpsync up`: everything in one process.

use anyhow::Context as _;
use helpsync_app::{
    Process, Role, Runtime, api_key_file, database_file, logs_json, start_logging, stop_signal,
};
use helpsync_config::Settings;
use serde_json::json;
use url::Url;

use crate::args::{Manner, Up};
use crate::client::Client;
use crate::commands::ask::{check_subdomain, oauth_url};
use crate::exit::{Exit, refusal};
use crate::output::Output;
use crate::role::{log_settings, run_until, settings};

/// What ends it is told by `output`: in the log, once that is begun and is lines of JSON.
pub(crate) async fn up(args: Up, manner: Manner, output: &mut Output) -> anyhow::Result<()> {
    match args.simulated {
        true => Box::pin(simulated(args, manner, output)).await,
        false => Box::pin(run(args, manner, output)).await,
    }
}

/// Starts the log as the settings and the command line want it; notes and errors go into it from now on if it is JSON.
fn log(settings: &Settings, manner: Manner, output: &mut Output) -> anyhow::Result<()> {
    let log = log_settings(&settings.log, manner);
    start_logging(&log, &settings.telemetry, "helpsync")?;
    output.logged = logs_json(log.format);
    Ok(())
}

async fn run(args: Up, manner: Manner, output: &mut Output) -> anyhow::Result<()> {
    let settings = settings(args.config.clone())?;
    if let Some(subdomain) = &args.connect {
        check_subdomain(subdomain)?;
        check_client(&settings)?;
    }
    log(&settings, manner, output)?;
    let output = *output;
    let stop = stop_signal().context("cannot handle signals")?;
    let facts = Facts::of(&settings);
    let process = Process::open(settings, Runtime::default(), Role::All).await?;
    let url = process.api_url().context("the API did not start")?.clone();
    // Before anything is said to be up: without a client it must not look as if it were.
    let grant = match &args.connect {
        None => None,
        Some(subdomain) => {
            let client = client(&process, output)?.speaking_for(&args.customer);
            match oauth_url(&client, subdomain).await {
                Ok(grant) => Some(grant),
                Err(error) => {
                    process.stop().await;
                    return Err(error.context(format!("cannot connect {subdomain}")));
                }
            }
        }
    };
    unless_unread(tell(output, &facts, &url, args.connect.as_deref().zip(grant.as_deref())))?;
    run_until(process, stop, output).await
}

/// An error where nobody can have told of an OAuth client: neither the settings, nor somebody in a database that is there.
/// Nothing is begun then.
fn check_client(settings: &Settings) -> anyhow::Result<()> {
    let file = database_file(settings.store.url.expose());
    let is_first_start = file.is_some_and(|file| !file.exists());
    if settings.zendesk.client_id.is_some() || !is_first_start {
        return Ok(());
    }
    let mut redirect = settings.public_url();
    redirect.set_path("/integrations/zendesk");
    let text = format!(
        "--connect needs an OAuth client: make one in Zendesk's Admin Center (Apps and integrations, APIs, OAuth clients) \
         with the redirect URL {redirect}, and set HELPSYNC_ZENDESK__CLIENT_ID and HELPSYNC_ZENDESK__CLIENT_SECRET \
         (docs/settings.md)"
    );
    Err(refusal(Exit::Usage, text))
}

/// What is told of the settings.
struct Facts {
    store: String,
    key_file: Option<String>,
    has_client: bool,
    /// The port in the settings is the one that it listens on.
    is_where_it_is_said: bool,
}

impl Facts {
    fn of(settings: &Settings) -> Self {
        let key_file =
            settings.api.bootstrap_key.is_none().then(|| api_key_file(settings.store.url.expose())).flatten();
        Self {
            store: settings.store.url.to_string(),
            key_file: key_file.map(|path| path.display().to_string()),
            has_client: settings.zendesk.client_id.is_some(),
            is_where_it_is_said: settings.api.listen.port() != 0,
        }
    }
}

fn client(process: &Process, output: Output) -> anyhow::Result<Client> {
    let url = process.api_url().context("the API did not start")?.clone();
    let key = process.parts().api_key_text().context("no API key is known here")?.to_owned();
    Client::new(url, key, output)
}

/// A server does not end because nobody reads what it says at its start.
fn unless_unread(said: anyhow::Result<()>) -> anyhow::Result<()> {
    said.or_else(|error| if error.is::<crate::exit::ReaderGone>() { Ok(()) } else { Err(error) })
}

/// Where people look at what is synced.
fn dashboard(url: &Url) -> anyhow::Result<Url> {
    Ok(url.join("/dashboard")?)
}

fn tell(output: Output, facts: &Facts, url: &Url, grant: Option<(&str, &str)>) -> anyhow::Result<()> {
    let redirect = url.join("/integrations/zendesk")?;
    if output.json {
        return output.answer(json!({
            "url": url, "dashboard_url": dashboard(url)?, "store": facts.store, "api_key_file": facts.key_file,
            "redirect_url": redirect,
            "oauth_url": grant.map(|(_, grant)| grant),
        }));
    }
    output.say(format_args!("Helpsync is up at {url}\n  store    {}", facts.store))?;
    if let Some(path) = &facts.key_file {
        output.say(format_args!("  API key  in {path}"))?;
    }
    output.say(format_args!("  pages    {}   (log in with that key)", dashboard(url)?))?;
    if facts.has_client {
        output.say(format_args!(
            "  OAuth    register {redirect} as a redirect URL of your Zendesk OAuth client"
        ))?;
    } else {
        output.say(format_args!(
            "  OAuth    no client yet: make one in Zendesk's Admin Center (Apps and integrations, APIs, OAuth\n           \
             clients) with the redirect URL {redirect},\n           \
             then set HELPSYNC_ZENDESK__CLIENT_ID and HELPSYNC_ZENDESK__CLIENT_SECRET"
        ))?;
    }
    match grant {
        Some((subdomain, grant)) => {
            output.say(format_args!("\nOpen this as an administrator of {subdomain}:\n\n  {grant}\n"))
        }
        None => {
            // Whoever reads the same settings finds the server by itself.
            let elsewhere = if facts.is_where_it_is_said { "" } else { " --url " };
            let at = if facts.is_where_it_is_said { String::new() } else { url.to_string() };
            output.say(format_args!(
                "  next     helpsync connect SUBDOMAIN{elsewhere}{at}   (in another terminal, same folder and settings)"
            ))
        }
    }
}

#[cfg(not(feature = "demo"))]
async fn simulated(_: Up, _: Manner, _: &mut Output) -> anyhow::Result<()> {
    anyhow::bail!(super::NO_DEMO)
}

#[cfg(feature = "demo")]
async fn simulated(args: Up, manner: Manner, output: &mut Output) -> anyhow::Result<()> {
    use crate::commands::simulated::{SUBDOMAIN, Simulated};

    let simulated = Simulated::start(ARTICLES, SEED).await?;
    // What the simulation needs wins over what is set for a real Zendesk.
    let env = std::env::vars().chain(simulated.env()).collect::<std::collections::BTreeMap<_, _>>();
    let settings = Settings::load(args.config, env)?;
    log(&settings, manner, output)?;
    let output = *output;
    let stop = stop_signal().context("cannot handle signals")?;
    let process = Process::open(settings, Runtime::default(), Role::All).await?;
    let url = process.api_url().context("the API did not start")?.clone();
    let outcome = async {
        simulated.grant(&client(&process, output)?.speaking_for(&args.customer)).await?;
        let file = simulated.env_file(&url)?;
        if output.json {
            return output.answer(json!({
                "url": url, "dashboard_url": dashboard(&url)?, "store": simulated.store_url(), "workspace": SUBDOMAIN,
                "zendesk_base_url": simulated.base_url(), "env_file": file,
            }));
        }
        output.say(format_args!(
            "Helpsync is up at {url}, and syncs a simulated Zendesk:\n\
             the workspace {SUBDOMAIN} of customer {customer}, {ARTICLES} articles, of which one changes every {every} s.\n\
             All of it ends with Ctrl-C. In another terminal:\n\n  \
             . {file}\n  \
             helpsync status\n  \
             helpsync sync --watch {option}\n  \
             helpsync files {option}\n  \
             helpsync doctor\n\n\
             The browser's part: helpsync connect {SUBDOMAIN} --customer somebody\n\
             and {dashboard}, which takes the API key in {key}",
             dashboard = dashboard(&url)?,
            key = api_key_file(&simulated.store_url())
                .map_or_else(|| "HELPSYNC_API__BOOTSTRAP_KEY".to_owned(), |file| file.display().to_string()),
            customer = args.customer,
            option = crate::output::customer_option(&args.customer),
            every = CHANGE_EVERY.as_secs(),
            file = file.display(),
        ))
    };
    if let Err(error) = unless_unread(outcome.await) {
        process.stop().await;
        simulated.stop().await;
        return Err(error);
    }
    let ended = tokio::select! {
        ended = run_until(process, stop, output) => ended,
        never = change(&simulated.account) => match never {},
    };
    simulated.stop().await;
    ended
}

/// Articles of the simulated help center.
#[cfg(feature = "demo")]
const ARTICLES: u32 = 500;
#[cfg(feature = "demo")]
const SEED: u64 = 7;
#[cfg(feature = "demo")]
const CHANGE_EVERY: std::time::Duration = std::time::Duration::from_secs(10);

#[cfg(feature = "demo")]
async fn change(account: &zendesk_sim::Account) -> std::convert::Infallible {
    for seed in SEED.. {
        tokio::time::sleep(CHANGE_EVERY).await;
        account.apply_random(1, seed);
    }
    unreachable!("no number of changes is the last")
}

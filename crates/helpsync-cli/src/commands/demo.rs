//! `helpsync demo`: the whole product on one machine, against a simulated Zendesk.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use helpsync_app::{Parts, Process, Role, Runtime};
use helpsync_config::Settings;
use helpsync_store::{FileFilters, FileOrder, FileQuery};
use serde_json::json;
use zendesk_sim::{Account, AccountOptions, GenerateOptions, OauthClient, Sim, SimOptions, TokenLifetime};

use crate::args::Demo;
use crate::client::Client;
use crate::commands::ask::{oauth_url, run_ids};
use crate::commands::status::watch_run;
use crate::output::Progress;

const CUSTOMER: &str = "ada@example.com";
const SUBDOMAIN: &str = "acme";
const CLIENT: (&str, &str) = ("helpsync-demo", "demo-secret");
/// The demo gives up on a run that has not appeared after this.
const RUN_WAIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Changed articles that are shown by title, per kind of change.
const TITLES_SHOWN: usize = 2;
/// Files read from the store in one go.
const PAGE: i64 = 500;

/// Title and content hash of every file, by article id.
type Copy = BTreeMap<i64, (String, Option<String>)>;

pub(crate) async fn demo(args: Demo) -> anyhow::Result<()> {
    let began = Instant::now();
    let folder = tempfile::tempdir().context("cannot make a folder for the demo")?;
    println!("Helpsync demo: a simulated Zendesk, and a sync of it into {}\n", folder.path().display());
    let sim = Sim::start(SimOptions { seed: args.seed, ..SimOptions::default() }).await?;
    let account = make_account(&sim, &args);
    let drafts = account.article_ids().len() - account.truth().len();
    println!(
        "  the help center \"{SUBDOMAIN}\": {} articles in 3 locales, {} of them drafts or hidden",
        account.article_ids().len(),
        drafts
    );
    let process = start(&sim, &folder).await?;
    let outcome = tell(&process, &account, &args).await;
    process.stop().await;
    sim.stop().await;
    outcome?;
    println!(
        "\nDone in {:.1} s. All of it was temporary. Your own help center next:\n",
        began.elapsed().as_secs_f64()
    );
    println!("  export HELPSYNC_ZENDESK__CLIENT_ID=…  HELPSYNC_ZENDESK__CLIENT_SECRET=…");
    println!("  helpsync up --connect SUBDOMAIN      open the URL it prints, and articles arrive");
    println!("  helpsync status --watch              what is running");
    println!("  helpsync export --customer me        everything as JSON lines");
    Ok(())
}

fn make_account(sim: &Sim, args: &Demo) -> Account {
    sim.create_account(AccountOptions {
        subdomain: SUBDOMAIN.to_owned(),
        locales: ["en-us", "de", "fr"].map(ToOwned::to_owned).to_vec(),
        clients: vec![OauthClient {
            client_id: CLIENT.0.to_owned(),
            client_secret: Some(CLIENT.1.to_owned()),
            redirect_uris: Vec::new(),
            lifetime: TokenLifetime::Expiring,
        }],
        generate: GenerateOptions {
            articles: args.articles as usize,
            seed: args.seed,
            ..GenerateOptions::default()
        },
        ..AccountOptions::default()
    })
}

async fn start(sim: &Sim, folder: &tempfile::TempDir) -> anyhow::Result<Process> {
    let settings = Settings::load(
        None,
        [
            ("HELPSYNC_API__LISTEN", "127.0.0.1:0".to_owned()),
            ("HELPSYNC_STORE__URL", format!("sqlite:{}", folder.path().join("demo.db").display())),
            ("HELPSYNC_ZENDESK__BASE_URL", sim.base_url_template()),
            ("HELPSYNC_ZENDESK__CLIENT_ID", CLIENT.0.to_owned()),
            ("HELPSYNC_ZENDESK__CLIENT_SECRET", CLIENT.1.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )?;
    Ok(Process::start(Parts::open(settings, Runtime::default()).await?, Role::All).await?)
}

async fn tell(process: &Process, account: &Account, args: &Demo) -> anyhow::Result<()> {
    let url = process.api_url().context("the API did not start")?.clone();
    let key = process.parts().api_key_text().context("there is no API key")?.to_owned();
    let client = Client::new(url, key, Some(CUSTOMER))?;

    let grant = oauth_url(&client, SUBDOMAIN).await?;
    // The browser's part: Zendesk's page (the simulated administrator allows at once), then back to our callback.
    let landed = reqwest::Client::builder().timeout(RUN_WAIT).build()?.get(&grant).send().await?;
    ensure!(landed.status().is_success(), "the grant ended with {}", landed.status());
    println!("  {CUSTOMER} connected it through OAuth (state, PKCE, refresh token sealed)\n");

    let began = Instant::now();
    watch_run(&client, first_run(&client).await?).await?;
    let before = copy(process).await?;
    show_equal(account, &before, began)?;

    println!("\n  {} random changes in the help center …", args.changes);
    account.apply_random(args.changes, args.seed);
    let began = Instant::now();
    let answer = client.post("/helpsync/v1/sync", json!({ "customer_id": CUSTOMER })).await?;
    let run = *run_ids(&answer).first().context("the sync named no run")?;
    watch_run(&client, run).await?;
    let after = copy(process).await?;
    show_changes(&before, &after);
    show_equal(account, &after, began)
}

async fn first_run(client: &Client) -> anyhow::Result<i64> {
    let progress = Progress::start("waiting for the first run");
    let found = tokio::time::timeout(RUN_WAIT, async {
        loop {
            let answer = client.get("/helpsync/v1/runs?limit=1").await?;
            if let Some(id) = answer["runs"][0]["id"].as_i64() {
                return anyhow::Ok(id);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    let Ok(found) = found.await else { bail!("no sync started within {RUN_WAIT:?}") };
    drop(progress);
    found
}

async fn copy(process: &Process) -> anyhow::Result<Copy> {
    let store = &process.parts().store;
    let customer = store.admin().customer(process.parts().organization, CUSTOMER).await?;
    let mut query = FileQuery {
        customer: customer.id,
        filters: FileFilters::default(),
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: PAGE,
        offset: 0,
    };
    let mut copy = Copy::new();
    loop {
        let (files, _) = store.admin().files(&query).await?;
        let Some(last) = files.last() else { return Ok(copy) };
        query.starting_id = last.id.0;
        copy.extend(files.into_iter().map(|file| (file.article_id, (file.name, file.content_hash))));
    }
}

/// The proof: the simulator knows what a correct copy holds.
fn show_equal(account: &Account, copy: &Copy, began: Instant) -> anyhow::Result<()> {
    let truth: Vec<i64> = account.truth().iter().map(|article| article.id).collect();
    let ours: Vec<i64> = copy.keys().copied().collect();
    ensure!(truth == ours, "the copy has {} articles, Zendesk has {} published", ours.len(), truth.len());
    println!(
        "     {} published articles, the same ids here and there, after {:.1} s",
        ours.len(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn show_changes(before: &Copy, after: &Copy) {
    let added: Vec<&str> = after
        .iter()
        .filter(|(id, _)| !before.contains_key(id))
        .map(|(_, (title, _))| title.as_str())
        .collect();
    let gone: Vec<&str> = before
        .iter()
        .filter(|(id, _)| !after.contains_key(id))
        .map(|(_, (title, _))| title.as_str())
        .collect();
    let changed: Vec<&str> = after
        .iter()
        .filter(|(id, now)| before.get(id).is_some_and(|was| was != *now))
        .map(|(_, (title, _))| title.as_str())
        .collect();
    for (what, titles) in [("+", added), ("~", changed), ("-", gone)] {
        for title in titles.iter().take(TITLES_SHOWN) {
            println!("     {what} {title}");
        }
        if titles.len() > TITLES_SHOWN {
            println!("     {what} and {} more", titles.len() - TITLES_SHOWN);
        }
    }
}

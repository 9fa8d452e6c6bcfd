//! `helpsync demo`: the whole product on one machine, against a simulated Zendesk.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use helpsync_app::{Process, Role, Runtime, stop_signal};
use helpsync_config::Settings;
use helpsync_store::{FileFilters, FileOrder, FileQuery};
use serde_json::{Value, json};
use zendesk_sim::Account;

use crate::args::Demo;
use crate::client::Client;
use crate::commands::ask::run_ids;
use crate::commands::simulated::{SUBDOMAIN, Simulated};
use crate::commands::watch::watch_run;
use crate::exit::Exit;
use crate::output::{Output, Position, Progress};

const CUSTOMER: &str = "ada@example.com";
/// The demo gives up on a run that has not appeared after this.
const RUN_WAIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Changed articles that are shown by title, per kind of change.
const TITLES_SHOWN: usize = 2;
/// Files read from the store in one go.
const PAGE: i64 = 500;

/// Title and content hash of every file, by article id.
type Copy = BTreeMap<i64, (String, Option<String>)>;

pub(crate) async fn demo(args: Demo, output: Output) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let stop = stop_signal().context("cannot handle signals")?;
    let simulated = Simulated::start(args.articles, args.seed).await?;
    let process = start(&simulated).await?;
    let told = tokio::select! {
        told = tell(&process, &simulated, &args, output) => Some(told),
        () = stop => None,
    };
    process.stop().await;
    simulated.stop().await;
    let Some(told) = told else {
        output.note("stopped; nothing is left behind");
        return Ok(Exit::Interrupted);
    };
    let runs = told?;
    let seconds = began.elapsed().as_secs_f64();
    if output.json {
        output.answer(format_args!("{:#}", json!({ "runs": runs, "seconds": seconds })))?;
    }
    output.say(format_args!(
        "\nDone in {seconds:.1} s. All of it was temporary. Your own help center next:\n\n  \
         export HELPSYNC_ZENDESK__CLIENT_ID=…  HELPSYNC_ZENDESK__CLIENT_SECRET=…\n  \
         helpsync up --connect SUBDOMAIN      open the URL it prints, and articles arrive\n  \
         helpsync status --watch              what is running\n  \
         helpsync export --customer me        everything as JSON lines\n\n\
         Without a Zendesk account: helpsync up --simulated"
    ))?;
    Ok(Exit::Done)
}

async fn start(simulated: &Simulated) -> anyhow::Result<Process> {
    let mut env = simulated.env();
    env.push(("HELPSYNC_API__LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
    let settings = Settings::load(None, env)?;
    Ok(Process::open(settings, Runtime::default(), Role::All).await?)
}

/// The two runs.
async fn tell(
    process: &Process,
    simulated: &Simulated,
    args: &Demo,
    output: Output,
) -> anyhow::Result<[Value; 2]> {
    let account = &simulated.account;
    output.say(format_args!(
        "Helpsync demo: a simulated Zendesk, and a sync of it into {}\n",
        simulated.folder()
    ))?;
    let all = account.article_ids().len();
    output.say(format_args!(
        "  the help center \"{SUBDOMAIN}\": {all} articles in 3 locales, {} of them drafts or hidden",
        all - account.truth().len()
    ))?;
    let url = process.api_url().context("the API did not start")?.clone();
    let key = process.parts().api_key_text().context("there is no API key")?.to_owned();
    let client = Client::new(url, key, output)?.speaking_for(CUSTOMER);
    simulated.grant(&client).await?;
    output
        .say(format_args!("  {CUSTOMER} connected it through OAuth (state, PKCE, refresh token sealed)\n"))?;

    let began = Instant::now();
    let first = watch_run(&client, first_run(&client, output).await?, output).await?;
    let before = copy(process).await?;
    show_equal(account, &before, began, output)?;

    output.say(format_args!("\n  {} random changes in the help center …", args.changes))?;
    account.apply_random(args.changes, args.seed);
    let began = Instant::now();
    let answer = client.post("/helpsync/v1/sync", json!({ "customer_id": CUSTOMER })).await?;
    let run = *run_ids(&answer).first().context("the sync named no run")?;
    let second = watch_run(&client, run, output).await?;
    let after = copy(process).await?;
    show_changes(&before, &after, output)?;
    show_equal(account, &after, began, output)?;
    Ok([first, second])
}

async fn first_run(client: &Client, output: Output) -> anyhow::Result<i64> {
    let mut progress = Progress::start(output);
    progress.set(&Position { doing: "waiting for the first run".to_owned(), ..Position::default() });
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
fn show_equal(account: &Account, copy: &Copy, began: Instant, output: Output) -> anyhow::Result<()> {
    let truth: Vec<i64> = account.truth().iter().map(|article| article.id).collect();
    let ours: Vec<i64> = copy.keys().copied().collect();
    ensure!(truth == ours, "the copy has {} articles, Zendesk has {} published", ours.len(), truth.len());
    output.say(format_args!(
        "     {} published articles, the same ids here and there, after {:.1} s",
        ours.len(),
        began.elapsed().as_secs_f64()
    ))
}

fn show_changes(before: &Copy, after: &Copy, output: Output) -> anyhow::Result<()> {
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
            output.say(format_args!("     {what} {title}"))?;
        }
        if titles.len() > TITLES_SHOWN {
            output.say(format_args!("     {what} and {} more", titles.len() - TITLES_SHOWN))?;
        }
    }
    Ok(())
}

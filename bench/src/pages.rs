//! Pages for people with very many customers and files: what each costs the server, and how heavy it is.

use anyhow::{Context as _, ensure};
use helpsync_store::testing::many::Many;
use helpsync_store::testing::{TestStore, name_of, stores, write_text};
use reqwest::header::{ACCEPT, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::Options;
use crate::installation::Installation;
use crate::listings::filled;
use crate::meter::Times;
use crate::report::{Goal, Report, Row};
use crate::simulator::{SUBDOMAIN, Simulator};

const MANY: Many = Many { customers: 10_000, files: 100 };
/// One of them, in their middle.
const CUSTOMER: &str = "many-5000";
/// One who has no workspace yet.
const NEW_CUSTOMER: &str = "new";
/// Every page is asked so often.
const TIMES: usize = 21;
/// Milliseconds within which half of the requests for any page are to end, on a machine that does nothing else.
const GOAL_MILLISECONDS: f64 = 100.0;
/// A page of the same process that asks no database: what the way there and back takes.
const BARE: &str = "/dashboard/login";

pub(crate) async fn measure(_options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let simulator = Simulator::start(1).await?;
    for store in stores().await {
        let app = Installation::start(&simulator, store.url()).await?;
        filled(&store, MANY).await?;
        measure_on(&store, &app, report).await?;
        app.stop().await?;
    }
    Ok(())
}

async fn measure_on(store: &TestStore, app: &Installation, report: &mut Report) -> anyhow::Result<()> {
    let cookie = login(app).await?;
    let home = location(&get(app, "/dashboard", &cookie).await?)?;
    let customer = location(&get(app, &format!("{home}/customers/named?name={CUSTOMER}"), &cookie).await?)?;
    let ask = async |path: &str| app.ask(Method::POST, path, CUSTOMER, json!({})).await;
    let files: Value = ask("/user_files_v2").await?;
    let file = files["results"][0]["id"].as_i64().context("no file")?;
    let managed: Value = ask("/helpsync/v1/manage_url").await?;
    let manage = managed["manage_url"].as_str().context("no page")?.to_owned();
    let run = app.run_of(CUSTOMER).await?.id.0;
    let webhook = delivered(store, app).await?;
    let consent = link_to_connect(app).await?;
    let progress = connected(app).await?;
    let at = |path: &str| format!("{home}{path}");
    let pages = [
        ("overview", at("")),
        ("customers", at("/customers")),
        ("customers, oldest copies first", at("/customers?sort=age")),
        ("the same, behind the 9,000th", at("/customers?sort=age&after=9000&after_age=1009000")),
        ("customers, searched", at("/customers?search=999")),
        ("customers, searched in vain", at("/customers?search=nobody-is-called-so")),
        ("customers with held removals", at("/customers?state=held")),
        ("customers with dead letters", at("/customers?state=dead_letters")),
        ("customers up to date, oldest copies first", at("/customers?state=ready&sort=age")),
        ("a customer", customer.clone()),
        ("its files", format!("{customer}/files")),
        ("its files, searched", format!("{customer}/files?search=99")),
        ("its selection", format!("{customer}/selection")),
        ("its held removals", format!("{customer}/held")),
        ("a run", at(&format!("/runs/{run}"))),
        ("a file", at(&format!("/files/{file}"))),
        ("dead letters", at("/dead-letters")),
        ("what was sent to webhooks about it", format!("{customer}/deliveries")),
        ("asking before it is disconnected", format!("{customer}/disconnect")),
        ("webhooks", at("/webhooks")),
        ("a webhook's deliveries", at(&format!("/webhooks/{webhook}"))),
        ("its dead deliveries", at(&format!("/webhooks/{webhook}?state=dead"))),
        ("an address that is nowhere", at("/nowhere")),
        ("audit log", at("/audit")),
        ("audit log of one customer", at(&format!("/audit?customer={CUSTOMER}"))),
        ("palette", at("/palette?search=77")),
        ("organizations", "/dashboard/organizations".to_owned()),
        ("the managing page of a customer's administrator", manage),
        ("the page before consent", consent),
        ("the page after consent", progress),
        ("login", BARE.to_owned()),
    ];
    let (bare, _) = timed(app, BARE, &cookie).await?;
    for (name, path) in pages {
        let (times, bytes) = timed(app, &path, &cookie).await?;
        report.add(Row {
            what: format!("{}, {name}, {:.1} kB, p50", name_of(store), bytes as f64 / 1e3),
            unit: "ms",
            ours: times.within(50),
            bare: "a page without a statement".to_owned(),
            theirs: bare.within(50),
            goal: Some(Goal::Itself(GOAL_MILLISECONDS)),
        });
    }
    Ok(())
}

/// The times of a page, and its bytes.
async fn timed(app: &Installation, path: &str, cookie: &str) -> anyhow::Result<(Times, usize)> {
    let (mut times, mut bytes) = (Times::default(), 0);
    for _ in 0..TIMES {
        let whole = async {
            let answer = get(app, path, cookie).await?;
            let status = answer.status();
            ensure!(status.is_success() || status == StatusCode::NOT_FOUND, "{path}: {status}");
            Ok(answer.bytes().await?.len())
        };
        bytes = times.of(whole).await?;
    }
    Ok((times, bytes))
}

/// A webhook that was sent 10,000 events about the customer, every tenth of them in vain.
async fn delivered(store: &TestStore, app: &Installation) -> anyhow::Result<i64> {
    let added = json!({ "url": "https://hook.example/" });
    let added: Value = app.ask(Method::POST, "/add_webhook", CUSTOMER, added).await?;
    let webhook = added["id"].as_i64().with_context(|| format!("no webhook: {added}"))?;
    for statement in [
        "insert into event (organization_id, customer_id, kind, object_type, object_id, created_at, fanned_out)
         with recursive more(n) as (select 1 union all select n + 1 from more where n < 10000)
         select customer.organization_id, customer.id, 'FILE_READY', 'FILE', cast(more.n as text), 1, 1
         from more cross join customer where customer.external_id = $1",
        "insert into webhook_delivery (webhook_id, event_id, organization_id, barrier, state, failures, tried, due_at, since, created_at, finished_at)
         select (select max(id) from webhook), event.id, event.organization_id, 0,
           case when event.id % 10 = 0 then 'dead' else 'delivered' end, 1, 1, 1, 1, 1, 1
         from event join customer on customer.id = event.customer_id and customer.external_id = $1
         where event.created_at = 1",
    ] {
        write_text(store, statement, CUSTOMER).await;
    }
    Ok(webhook)
}

/// The cookie of a session.
async fn login(app: &Installation) -> anyhow::Result<String> {
    let (url, origin) = (app.url("/dashboard/login")?, app.url("/")?.origin().ascii_serialization());
    let request = app.http().post(url).header(ORIGIN, origin).form(&[("key", app.key())]);
    let answer = request.send().await?;
    cookie_of(&answer)
}

/// The first cookie that an answer sets.
fn cookie_of(answer: &Response) -> anyhow::Result<String> {
    let line = answer.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
    Ok(line.split(';').next().unwrap_or_default().to_owned())
}

async fn get(app: &Installation, path: &str, cookie: &str) -> anyhow::Result<Response> {
    let request = app.http().get(app.url(path)?).header(COOKIE, cookie);
    Ok(request.header(ACCEPT, "text/html").send().await?)
}

/// The address of the page before consent.
async fn link_to_connect(app: &Installation) -> anyhow::Result<String> {
    let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": SUBDOMAIN });
    let grant = app.ask(Method::POST, "/integrations/oauth_url", NEW_CUSTOMER, wanted).await?;
    Ok(grant["oauth_url"].as_str().context("no link")?.to_owned())
}

/// The address of the page after consent, for somebody who has pressed the button of the page before it.
async fn connected(app: &Installation) -> anyhow::Result<String> {
    let link = link_to_connect(app).await?;
    let page = get(app, &link, "").await?;
    let browser = cookie_of(&page)?;
    let page = page.text().await?;
    let token = page.split("name=\"form_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let fields = [("form_token", token.context("no form")?), ("workspace", SUBDOMAIN)];
    let origin = app.url("/")?.origin().ascii_serialization();
    let pressed = app.http().post(&link).header(ACCEPT, "text/html").header(ORIGIN, origin);
    let pressed = pressed.header(COOKIE, browser).form(&fields);
    let pressed = pressed.send().await?;
    let cookie = cookie_of(&pressed)?;
    let granted = get(app, &location(&pressed)?, "").await?;
    location(&get(app, &location(&granted)?, &cookie).await?)
}

fn location(answer: &Response) -> anyhow::Result<String> {
    Ok(answer.headers().get(LOCATION).context("not sent on")?.to_str()?.to_owned())
}

//! Lists over the API where one customer has a million files, and status where there are a million customers.

use anyhow::Context as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use helpsync_store::testing::many::{Many, fill};
use helpsync_store::testing::{TestStore, name_of, stores};
use reqwest::Method;
use serde_json::{Value, json};

use crate::Options;
use crate::installation::Installation;
use crate::meter::{self, Times};
use crate::report::{Goal, Report, Row};
use crate::simulator::Simulator;

/// One customer has all files of the first database.
const CUSTOMER: &str = "many-1";
/// Customers of the second database have so many files each.
const FILES_OF_EACH: i64 = 1;
/// Every request is sent so often.
const TIMES: usize = 15;
/// For the cost of a request, so many are sent, some at once.
const REQUESTS: usize = 2_000;
const AT_ONCE: usize = 8;
/// Milliseconds within which half of the requests are to end, on a machine that does nothing else.
const FIRST_PAGE_MILLISECONDS: Option<f64> = Some(50.0);
const DEEP_PAGE_MILLISECONDS: Option<f64> = Some(200.0);
const STATUS_MILLISECONDS: Option<f64> = Some(20.0);
/// Processor time of a first page: a thousand a second and core.
const REQUEST_MILLISECONDS: f64 = 1.0;
/// What asks no database: the way there and back.
const BARE: &str = "/health";
const FILES: &str = "/user_files_v2";

pub(crate) async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let simulator = Simulator::start(1).await?;
    for store in stores().await {
        let app = Installation::start(&simulator, store.url()).await?;
        filled(&store, Many { customers: 1, files: options.files }).await?;
        files(&store, &app, options.files, report).await?;
        app.stop().await?;
    }
    for store in stores().await {
        let app = Installation::start(&simulator, store.url()).await?;
        let customers = i64::from(options.customers);
        filled(&store, Many { customers, files: FILES_OF_EACH }).await?;
        let lists = Lists { store: &store, app: &app, of: format!("{customers} customers") };
        lists.tell("status", "/helpsync/v1/status", Value::Null, STATUS_MILLISECONDS, report).await?;
        lists
            .tell(
                "the first customers",
                "/helpsync/v1/customers",
                Value::Null,
                FIRST_PAGE_MILLISECONDS,
                report,
            )
            .await?;
        lists.tell("one customer's files", FILES, json!({}), FIRST_PAGE_MILLISECONDS, report).await?;
        app.stop().await?;
    }
    Ok(())
}

/// Fills a database, and has its totals added up as a dispatcher does by and by.
pub(crate) async fn filled(store: &TestStore, many: Many) -> anyhow::Result<()> {
    fill(store.url(), many).await;
    while store.queue().add_up_totals().await? {}
    Ok(())
}

/// Lists of one customer's files.
async fn files(store: &TestStore, app: &Installation, count: i64, report: &mut Report) -> anyhow::Result<()> {
    let lists = Lists { store, app, of: format!("{count} files of one customer") };
    let first: Value = app.ask(Method::POST, FILES, CUSTOMER, json!({})).await?;
    let file = &first["results"][0];
    let (id, source) = (file["id"].as_i64().context("no file")?, &file["organization_user_data_source_id"]);
    for (name, filters) in [
        ("first page", json!({})),
        ("by ids", json!({ "ids": [id, id + 5, id + 900] })),
        ("by article", json!({ "external_file_ids": ["17"] })),
        ("by status", json!({ "sync_statuses": ["READY"] })),
        ("by a status that none has", json!({ "sync_statuses": ["SYNC_ERROR"] })),
    ] {
        lists.tell(name, FILES, json!({ "filters": filters }), FIRST_PAGE_MILLISECONDS, report).await?;
    }
    // Every name is looked at.
    let in_vain = json!({ "filters": { "name": "no article is called so" } });
    lists.tell("by a name that none has", FILES, in_vain, None, report).await?;
    for order in ["created_at", "updated_at", "name", "last_sync", "file_size", "id"] {
        for direction in ["asc", "desc"] {
            let by = |offset: i64| json!({ "order_by": order, "order_dir": direction, "pagination": { "offset": offset } });
            let name = format!("first page by {order}, {direction}");
            lists.tell(&name, FILES, by(0), FIRST_PAGE_MILLISECONDS, report).await?;
            let name = format!("behind nine tenths of them by {order}, {direction}");
            lists.tell(&name, FILES, by(count * 9 / 10), DEEP_PAGE_MILLISECONDS, report).await?;
        }
    }
    let items = json!({ "data_source_id": source });
    lists.tell("items", "/integrations/items/list", items, FIRST_PAGE_MILLISECONDS, report).await?;
    let items = json!({ "data_source_id": source, "parent_id": "17" });
    lists
        .tell("items of a section", "/integrations/items/list", items, FIRST_PAGE_MILLISECONDS, report)
        .await?;
    lists
        .tell("totals", "/user", json!({ "customer_id": CUSTOMER }), FIRST_PAGE_MILLISECONDS, report)
        .await?;
    lists.tell("status", "/helpsync/v1/status", Value::Null, STATUS_MILLISECONDS, report).await?;
    lists.cost_of_a_page(report).await
}

struct Lists<'a> {
    store: &'a TestStore,
    app: &'a Installation,
    /// What is in the database.
    of: String,
}

impl Lists<'_> {
    async fn tell(
        &self,
        name: &str,
        path: &str,
        body: Value,
        goal: Option<f64>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let bare = self.timed(BARE, &Value::Null).await?;
        let ours = self.timed(path, &body).await?;
        report.add(Row {
            what: format!("{}, {}: {name}, p50", name_of(self.store), self.of),
            unit: "ms",
            ours: ours.within(50),
            bare: "a request without a statement".to_owned(),
            theirs: bare.within(50),
            goal: goal.map(Goal::Itself),
        });
        Ok(())
    }

    /// A body is posted, without one it is asked for.
    async fn timed(&self, path: &str, body: &Value) -> anyhow::Result<Times> {
        let mut times = Times::default();
        for _ in 0..TIMES {
            times.of(self.ask(path, body)).await?;
        }
        Ok(times)
    }

    async fn ask(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let method = if body.is_null() { Method::GET } else { Method::POST };
        self.app.ask(method, path, CUSTOMER, body.clone()).await
    }

    /// Processor time of a first page, the client's included: it is in this process.
    async fn cost_of_a_page(&self, report: &mut Report) -> anyhow::Result<()> {
        let (bare, ours) = (self.cost(BARE, &Value::Null).await?, self.cost(FILES, &json!({})).await?);
        report.add(Row {
            what: format!("{}, {}: first page (CPU)", name_of(self.store), self.of),
            unit: "ms",
            ours,
            bare: "a request without a statement".to_owned(),
            theirs: bare,
            goal: Some(Goal::Itself(REQUEST_MILLISECONDS)),
        });
        Ok(())
    }

    async fn cost(&self, path: &str, body: &Value) -> anyhow::Result<f64> {
        let began = meter::with_database(self.store.url());
        let asked = stream::iter(0..REQUESTS).map(|_| self.ask(path, body)).buffer_unordered(AT_ONCE);
        asked.try_for_each(|_| std::future::ready(Ok(()))).await?;
        Ok((meter::with_database(self.store.url()) - began) / REQUESTS as f64)
    }
}

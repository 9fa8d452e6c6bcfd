//! The page behind a signed link on which a customer's administrator sees what is synced, changes it, and disconnects.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use helpsync_model::{CustomerId, OrganizationId, Trigger};
use helpsync_pages::{Fields, Forms, Page};
use helpsync_store::audit::{self, Actor};
use helpsync_store::{Connection, Customer};
use maud::html;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::callback::broken;
use super::form::{Guard, Posted, TOKEN, not_from_page};
use super::manage_form::{Shown, is_held_back, selection_of};
use super::refusal::{Refusal, forget, hash, see};
use super::{Look, look, texts};
use crate::Api;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::routes::finish::{end, start};
use crate::routes::{live_connection, select};
use crate::signing::Purpose;

const PATH: &str = "/integrations/zendesk/manage";
/// What a button did, in the address of the page that follows: it asked whether to disconnect.
const ASKED: &str = "ask";
/// So long the page that follows says so, if it is loaded again.
const DONE_LIFE: Duration = Duration::from_secs(10 * 60);
/// The field by which a person says that files may go.
const SURE: &str = "sure";
/// The field by which a person says that they may not.
const BACK: &str = "back";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let token = "From /helpsync/v1/manage_url";
    vec![
        get(PATH, Access::Open, "What is synced of a customer's help center; a page for people", show)
            .parameter("token", "string", token)
            .gives_text("text/html"),
        post(PATH, Access::Open, "The buttons of that page: sync now, save a selection, disconnect", act)
            .told_as("Press a button of the managing page")
            .parameter("token", "string", token)
            .gives_text("text/html"),
    ]
}

/// What the page's address says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ManageClaim {
    /// The organization.
    pub(crate) o: i64,
    /// The customer, as we call it.
    pub(crate) u: i64,
    /// The customer, as the organization does.
    pub(crate) n: String,
    /// The API key that it was made with, or whose token: a link does not outlive that.
    pub(crate) k: i64,
    /// The address that its pages stand below.
    pub(crate) h: String,
}

/// What a button did. It is signed, so that no link has the page tell of what did not happen.
#[derive(Serialize, Deserialize)]
struct DoneClaim {
    /// SHA-256 of the page's token.
    f: String,
    /// The button.
    d: String,
}

/// The page's address, good for `life`.
pub(crate) async fn link(
    api: &Api,
    customer: &Customer,
    key: i64,
    life: Duration,
) -> Result<String, ApiError> {
    let own = api.accounts().app(customer.organization).await.ok().and_then(|(_, own)| own);
    let base = own.unwrap_or_else(|| api.public("/integrations/zendesk"));
    let claim = ManageClaim {
        o: customer.organization.0,
        u: customer.id.0,
        n: customer.external_id.clone(),
        k: key,
        h: base.clone(),
    };
    Ok(format!("{base}/manage?token={}", api.signer().sign(Purpose::ManageUrl, claim, api.ends_in(life))))
}

/// What a person typed: no token, and no answer to a question.
fn typed(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().filter(|(name, _)| ![TOKEN, SURE, BACK].contains(name))
}

#[derive(Deserialize)]
struct ManageQuery {
    token: Option<String>,
    done: Option<String>,
}

/// Somebody with a link that is good.
struct Visitor<'a> {
    api: &'a Api,
    headers: &'a HeaderMap,
    token: String,
    done: Option<String>,
    base: Url,
    organization: OrganizationId,
    customer: CustomerId,
    customer_name: String,
    /// The id of the API key that the link was made with.
    key: i64,
    look: Look,
}

async fn visitor<'a>(
    api: &'a Api,
    headers: &'a HeaderMap,
    query: Result<Query<ManageQuery>, ApiError>,
) -> Result<Visitor<'a>, Page> {
    let ended = || Page::failed(StatusCode::GONE, texts::LINK_EXPIRED).line(texts::LINK_EXPIRED_NEXT);
    let wrong = || Page::failed(StatusCode::BAD_REQUEST, texts::LINK_WRONG).line(texts::LINK_EXPIRED_NEXT);
    let Query(query) = query.map_err(|_unreadable| wrong())?;
    let token = query.token.unwrap_or_default();
    let read = api.signer().read_or_ended::<ManageClaim>(Purpose::ManageUrl, &token, api.now_ms());
    let (claim, has_ended) = read.ok_or_else(wrong)?;
    if has_ended {
        return Err(ended());
    }
    let organization = OrganizationId(claim.o);
    let admin = api.store().admin();
    let failed = |error| broken(ApiError::Store(error));
    let is_live = admin.api_key_is_live(organization, claim.k).await.map_err(failed)?;
    let customer = admin.find_customer(organization, &claim.n).await.map_err(failed)?;
    let customer = customer.filter(|customer| is_live && customer.id.0 == claim.u).ok_or_else(ended)?;
    Ok(Visitor {
        api,
        headers,
        done: query.done.and_then(|done| done_of(api, &token, &done)),
        token,
        base: Url::parse(&claim.h).map_err(|_never_signed| wrong())?,
        organization,
        customer: customer.id,
        customer_name: customer.external_id,
        key: claim.k,
        look: look(api, organization).await,
    })
}

/// What the address says that a button of the page with this token did.
fn done_of(api: &Api, token: &str, done: &str) -> Option<String> {
    let claim: DoneClaim = api.signer().read(Purpose::Done, done, api.now_ms())?;
    (claim.f == hash(token)).then_some(claim.d)
}

async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<ManageQuery>, ApiError>,
) -> Result<Page, Page> {
    let visitor = visitor(&api, &headers, query).await?;
    if visitor.done.as_deref() == Some(ASKED)
        && let Some(connection) = visitor.connection().await?
    {
        return Ok(visitor.ask(&connection));
    }
    let refused = Refusal::read(&api, &headers, &visitor.token, visitor.is_https());
    visitor.page(StatusCode::OK, refused.as_ref()).await
}

async fn act(
    State(api): State<Api>,
    query: Result<Query<ManageQuery>, ApiError>,
    form: Posted,
) -> Result<Response, Page> {
    visitor(&api, &form.headers, query).await?.act(&form).await
}

impl Visitor<'_> {
    fn is_https(&self) -> bool {
        self.base.scheme() == "https"
    }

    fn address(&self) -> String {
        format!("?token={}", self.token)
    }

    async fn connection(&self) -> Result<Option<Connection>, Page> {
        live_connection(self.api, self.organization, self.customer).await.map_err(broken)
    }

    /// The page; `refused` is what could not be saved, and why.
    async fn page(&self, status: StatusCode, refused: Option<&Refusal>) -> Result<Page, Page> {
        let connection = self.connection().await?;
        let said = match self.done.as_deref() {
            Some("sync") if connection.as_ref().is_some_and(is_held_back) => Some(texts::DONE_SYNC_PAUSED),
            Some("sync") => Some(texts::DONE_SYNC),
            Some("select") => Some(texts::DONE_SELECT),
            Some("disconnect") => Some(texts::DONE_DISCONNECT),
            _ => None,
        };
        let page = Page::new(status, texts::MANAGE);
        let page = match (said, refused) {
            (_, Some(refused)) => page.part(html! { div.note.failed role="alert" { p { (refused.wrong) } } }),
            (Some(said), None) => page.part(html! { div.note.good role="status" { p { (said) } } }),
            (None, None) => page,
        };
        let Some(connection) = connection else {
            return Ok(self.look.on(page.line(texts::NOT_CONNECTED).line(texts::NOT_CONNECTED_NEXT)));
        };
        let shown = Shown::read(self.api, &connection).await.map_err(broken)?;
        let guard = self.guard();
        let page = page.part(shown.facts()).part(html! {
            form.row method="post" action=(self.address()) {
                (guard.field())
                button.main type="submit" name="do" value="sync" { (texts::SYNC_NOW) }
                a.button href=(shown.watch(self.api, self.key)) { (texts::WATCH) }
            }
            form method="post" action=(self.address()) { (guard.field()) (shown.selection(refused.map(|refused| &refused.typed))) }
            h2 { (texts::DISCONNECT) }
            p.soft { (texts::DISCONNECT_HINT) }
            form.row method="post" action=(self.address()) {
                (guard.field())
                button.danger type="submit" name="do" value="ask" { (texts::DISCONNECT) }
            }
        });
        Ok(guard.on(self.look.on(page), Forms::Here))
    }

    fn guard(&self) -> Guard {
        Guard::new(self.api, self.headers, &self.token, &self.base)
    }

    async fn act(&self, form: &Posted) -> Result<Response, Page> {
        let fields = &form.fields;
        if !form.is_ours(self.api, &self.token, &self.base) {
            return Err(self.look.on(not_from_page(&self.address())));
        }
        let Some(connection) = self.connection().await? else { return Ok(self.seen("none")) };
        audit::acts(
            self.organization,
            Actor {
                kind: "browser",
                id: String::new(),
                name: "whoever has the link of the manage page".to_owned(),
            },
        );
        audit::about_customer(self.customer);
        audit::detail("do", json!(fields.one("do")));
        match fields.one("do").unwrap_or_default() {
            "sync" => {
                let started = start(self.api, self.organization, connection.id, Trigger::Request, None).await;
                started.map_err(broken)?;
                Ok(self.seen("sync"))
            }
            "select" => self.save(&connection, fields).await,
            ASKED => Ok(self.seen(ASKED)),
            "disconnect" => {
                end(self.api, &connection).await.map_err(broken)?;
                tracing::info!(connection = %connection.id, "disconnected on the customer's own page");
                Ok(self.seen("disconnect"))
            }
            _ => Ok(self.page(StatusCode::BAD_REQUEST, None).await?.into()),
        }
    }

    async fn save(&self, connection: &Connection, fields: &Fields) -> Result<Response, Page> {
        let admin = self.api.store().admin();
        let before = admin.selection(self.organization, connection.id).await;
        let before = before.map_err(|error| broken(error.into()))?;
        match selection_of(fields, &before) {
            Ok(_) if fields.has(BACK) => {
                self.refused(fields, texts::NOTHING_SAVED.to_owned(), StatusCode::OK).await
            }
            Ok(selection) => {
                let files = match fields.has(SURE) {
                    true => 0,
                    false => admin
                        .would_remove(self.organization, connection.id, &selection)
                        .await
                        .map_err(|error| broken(error.into()))?,
                };
                if files > 0 {
                    return Ok(self.ask_to_remove(connection, fields, files).await?.into());
                }
                select(self.api, self.organization, connection.id, &selection).await.map_err(broken)?;
                Ok(self.seen("select"))
            }
            Err(error) => {
                let wrong = texts::wrong_list(error.wrong_member(), &error.text());
                self.refused(fields, wrong, StatusCode::UNPROCESSABLE_ENTITY).await
            }
        }
    }

    /// Shows what was typed again, below `wrong`.
    async fn refused(&self, fields: &Fields, wrong: String, status: StatusCode) -> Result<Response, Page> {
        let typed = typed(fields).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let refusal = Refusal { wrong, typed };
        match refusal.led_back(self.api, &self.token, self.is_https(), &self.address()) {
            Some(back) => Ok(back),
            // So much that going back asks whether to send it again; it would be refused again.
            None => Ok(self.page(status, Some(&refusal)).await?.into()),
        }
    }

    /// Asks whether so many files may go; its form holds what was typed.
    async fn ask_to_remove(
        &self,
        connection: &Connection,
        fields: &Fields,
        files: i64,
    ) -> Result<Page, Page> {
        let all = Shown::read(self.api, connection).await.map_err(broken)?.files();
        let guard = self.guard();
        let page = Page::new(StatusCode::OK, &texts::removes_title(files))
            .line(&texts::removes(files, all))
            .part(html! {
                form.row method="post" action=(self.address()) {
                    (guard.field())
                    @for (name, value) in typed(fields) { input type="hidden" name=(name) value=(value); }
                    button.danger type="submit" name=(SURE) value="1" { (texts::SAVE_ANYWAY) }
                    button type="submit" name=(BACK) value="1" { (texts::BACK) }
                }
            });
        Ok(guard.on(self.look.on(page), Forms::Here))
    }

    /// Asks whether to disconnect.
    fn ask(&self, connection: &Connection) -> Page {
        let guard = self.guard();
        let page = Page::new(StatusCode::OK, &texts::disconnect_title(&connection.subdomain))
            .line(texts::DISCONNECT_HINT)
            .part(html! {
                form.row method="post" action=(self.address()) {
                    (guard.field())
                    button.danger type="submit" name="do" value="disconnect" { (texts::DISCONNECT) }
                    a.button href=(self.address()) { (texts::KEEP) }
                }
            });
        guard.on(self.look.on(page), Forms::Here)
    }

    /// Back to the page, which can be loaded again without anything being done twice.
    fn seen(&self, done: &str) -> Response {
        tracing::debug!(customer = self.customer_name, done, "a customer's page was used");
        let taken = forget(&self.token, self.is_https());
        let claim = DoneClaim { f: hash(&self.token), d: done.to_owned() };
        let done = self.api.signer().sign(Purpose::Done, claim, self.api.ends_in(DONE_LIFE));
        see(&format!("{}&done={done}", self.address()), Some(&taken))
    }
}

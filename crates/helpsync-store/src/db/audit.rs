//! Who changes what: written down in the transaction of the change.
//!
//! Whoever serves a request runs it within [`audited`] and says who asks ([`acts`]) and for whom. The first transaction that
//! the request commits then writes the entries. A request that changes nothing leaves none, and what a transaction does
//! that fails is not said to have been done.

use std::sync::{Arc, Mutex, PoisonError};

use helpsync_model::{CustomerId, OrganizationId};
use serde_json::{Map, Value};
use tracing::Instrument as _;

use crate::db::{StoreError, Write};

/// The longest text of an entry's `detail`, as JSON.
const DETAIL_BYTES_MAX: usize = 4_096;
/// Stands in the place of a member that is too long.
const TOO_LONG: &str = "too long to be told";
/// Customers of one change that have an entry each.
const CUSTOMERS_MAX: usize = 200;

tokio::task_local! {
    static REQUEST: Arc<Audited>;
}

/// Kinds of who asks for changes.
pub const ACTOR_KINDS: [&str; 5] = ["api_key", "customer", "upstream", "browser", "operator"];

/// Who asks for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What kind of, of [`ACTOR_KINDS`].
    pub kind: &'static str,
    /// Its id among those: of a key its number, of a customer its name, of an upstream service its user at the broker.
    pub id: String,
    /// What people call it.
    pub name: String,
}

impl Actor {
    /// Whoever may change the settings and start processes.
    #[must_use]
    pub fn operator(name: &str) -> Self {
        Self { kind: "operator", id: String::new(), name: name.to_owned() }
    }
}

/// A request whose changes are written down.
#[derive(Debug)]
pub struct Audited {
    action: String,
    target: String,
    request_id: String,
    /// Without it, only what is written by [`Write::note`] is.
    is_change: bool,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    organization: Option<OrganizationId>,
    /// Another one to which it is done: its log has the entry too.
    affected: Option<OrganizationId>,
    actor: Option<Actor>,
    customers: Vec<String>,
    customer: Option<CustomerId>,
    detail: Map<String, Value>,
    is_written: bool,
}

/// One change, for [`Write::note`].
#[derive(Debug, Clone)]
pub(crate) struct Change<'a> {
    /// What was done.
    pub(crate) action: &'a str,
    /// To what.
    pub(crate) target: &'a str,
    /// To whom, by the organization's name for them.
    pub(crate) customer: Option<&'a str>,
    /// With what, as JSON.
    pub(crate) detail: Value,
}

impl Audited {
    /// A request: what it does (`POST /add_webhook`), to what (the path that was asked for), and its id. `is_change`: it may
    /// change something, so that the first transaction that it commits is written down.
    #[must_use]
    pub fn new(action: String, target: String, request_id: String, is_change: bool) -> Arc<Self> {
        Arc::new(Self { action, target, request_id, is_change, state: Mutex::default() })
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs a request; what it changes is written down.
pub async fn audited<F: Future>(request: Arc<Audited>, work: F) -> F::Output {
    REQUEST.scope(request, work).await
}

/// Has `work`, which is to be spawned, belong to the request that spawns it, and to its trace.
pub fn of_this_request<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let request = current();
    let work = async move {
        match request {
            Some(request) => audited(request, work).await,
            None => work.await,
        }
    };
    work.in_current_span()
}

fn current() -> Option<Arc<Audited>> {
    REQUEST.try_with(Arc::clone).ok()
}

fn tell(change: impl FnOnce(&mut State)) {
    if let Some(request) = current() {
        request.with(change);
    }
}

/// Says who makes the changes of this request, in which organization.
pub fn acts(organization: OrganizationId, actor: Actor) {
    tell(|state| {
        state.organization = Some(organization);
        state.actor = Some(actor);
    });
}

/// Says to which organization it is done, where that is another one than the actor's.
pub fn affects(organization: OrganizationId) {
    tell(|state| state.affected = Some(organization));
}

/// Says whom this request is about, by the organization's names for them.
pub fn about(customers: &[String]) {
    tell(|state| state.customers = customers.iter().take(CUSTOMERS_MAX).cloned().collect());
}

/// Says that what the request does next is done to this customer alone, and has an entry of its own.
pub fn next_about(customer: &str) {
    tell(|state| {
        state.customers = vec![customer.to_owned()];
        state.is_written = false;
    });
}

/// Says whom this request is about.
pub fn about_customer(customer: CustomerId) {
    tell(|state| state.customer = Some(customer));
}

/// Adds to what is known of the change.
pub fn detail(name: &str, value: Value) {
    tell(|state| {
        state.detail.insert(name.to_owned(), value);
    });
}

/// Whether this request may change something, and what it says is worth reading.
#[must_use]
pub fn is_change() -> bool {
    current().is_some_and(|request| request.is_change)
}

/// What is known of a change, as JSON; of what is too long together, the longest members are only named.
fn text_of(detail: &Value) -> String {
    let mut shown = detail.as_object().cloned().unwrap_or_default();
    let mut lengths: Vec<(usize, String)> =
        shown.iter().map(|(name, value)| (value.to_string().len(), name.clone())).collect();
    lengths.sort();
    let mut text = detail.to_string();
    while text.len() > DETAIL_BYTES_MAX {
        let Some((_, longest)) = lengths.pop() else { return "{}".to_owned() };
        shown.insert(longest, TOO_LONG.into());
        text = Value::Object(shown.clone()).to_string();
    }
    text
}

impl Write {
    /// Writes down a change of its own, beside what the request as a whole does. Whoever is not known to ask is the
    /// operator: there is no request, only settings or a command.
    pub(crate) async fn note(
        &mut self,
        organization: Option<OrganizationId>,
        change: &Change<'_>,
    ) -> Result<(), StoreError> {
        let request = current();
        let state = request.as_ref().map(|request| request.with(|state| state.clone())).unwrap_or_default();
        let actor = state.actor.unwrap_or_else(|| Actor::operator("the settings"));
        let request_id = request.as_ref().map_or("", |request| &request.request_id);
        insert(self, organization.or(state.organization), &actor, change, None, request_id).await
    }

    /// Writes down what the request does, once.
    pub(crate) async fn note_request(&mut self) -> Result<Option<Arc<Audited>>, StoreError> {
        let Some(request) = current().filter(|request| request.is_change && !self.is_quiet) else {
            return Ok(None);
        };
        let state = request.with(|state| state.clone());
        let (Some(organization), Some(actor), false) = (state.organization, &state.actor, state.is_written)
        else {
            return Ok(None);
        };
        let customers: Vec<Option<&str>> = match state.customers.as_slice() {
            [] => vec![None],
            named => named.iter().map(|name| Some(name.as_str())).collect(),
        };
        let detail = Value::Object(state.detail.clone());
        let affected = state.affected.filter(|affected| *affected != organization);
        for organization in [Some(organization), affected].into_iter().flatten() {
            for customer in &customers {
                let (action, target, detail) = (&request.action, &request.target, detail.clone());
                let change = Change { action, target, customer: *customer, detail };
                insert(self, Some(organization), actor, &change, state.customer, &request.request_id).await?;
            }
        }
        Ok(Some(request))
    }
}

/// Once the transaction is committed.
pub(crate) fn written(request: &Audited) {
    request.with(|state| state.is_written = true);
}

async fn insert(
    write: &mut Write,
    organization: Option<OrganizationId>,
    actor: &Actor,
    change: &Change<'_>,
    customer: Option<CustomerId>,
    request_id: &str,
) -> Result<(), StoreError> {
    // What belongs to no organization is the business of whoever runs the installation: its organization is the first.
    sqlx::query(
        "insert into audit_entry (organization_id, actor_kind, actor_id, actor_name, customer_id, action, target, detail,
           request_id, created_at)
         values (coalesce(cast($1 as bigint), (select min(id) from organization), 1), $2, $3, $4,
           coalesce(cast($5 as text), (select external_id from customer where id = cast($6 as bigint))), $7, $8, $9, $10, $11)",
    )
    .bind(organization.map(|organization| organization.0))
    .bind(actor.kind)
    .bind(&actor.id)
    .bind(&actor.name)
    .bind(change.customer)
    .bind(customer.map(|customer| customer.0))
    .bind(change.action)
    .bind(change.target)
    .bind(text_of(&change.detail))
    .bind(request_id)
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

//! One account: its state, and the handle by which tests steer it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::brands::Brand;
use crate::clock::SimClock;
use crate::content::{
    Change, ChangeError, GenerateOptions, HelpCenter, Mutation, TruthArticle, User, Viewer,
};
use crate::oauth::{IssuedTokens, Lifetimes, Oauth, OauthClient, scopes};
use crate::random::{Ids, Random};
use crate::settings::{Role, Settings};
use crate::sync::lock;
use crate::traffic::{FaultRule, Faults, Record, SeenRequest, Windows};
use crate::webhooks::{Delivery, Post, Webhooks};

/// What an account starts with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountOptions {
    /// First part of its address.
    pub subdomain: String,
    /// Enabled locales; the first is the default.
    pub locales: Vec<String>,
    /// How it behaves.
    pub settings: Settings,
    /// OAuth clients that may ask for grants.
    pub clients: Vec<OauthClient>,
    /// What its help center holds.
    pub generate: GenerateOptions,
}

impl Default for AccountOptions {
    /// "acme", in English, without clients and articles.
    fn default() -> Self {
        Self {
            subdomain: "acme".to_owned(),
            locales: vec!["en-us".to_owned()],
            settings: Settings::default(),
            clients: Vec::new(),
            generate: GenerateOptions { articles: 0, ..GenerateOptions::default() },
        }
    }
}

/// Everything of one account.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) subdomain: String,
    pub(crate) account_id: i64,
    pub(crate) brand_id: i64,
    /// All of them, its own first.
    pub(crate) brands: Vec<Brand>,
    seed: u64,
    pub(crate) base: String,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) oauth: Oauth,
    pub(crate) users: Vec<User>,
    pub(crate) center: HelpCenter,
    pub(crate) windows: Windows,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    pub(crate) webhooks: Webhooks,
    churned: u32,
    churn: Random,
}

impl State {
    pub(crate) fn new(options: AccountOptions, seed: u64, clock: Arc<SimClock>) -> Self {
        let mut ids = ids_of(seed, &options.subdomain);
        let user = |ids: &mut Ids, name: &str, role: Role| User {
            id: ids.next(),
            name: name.to_owned(),
            email: format!("{}@example.com", name.to_ascii_lowercase().replace(' ', ".")),
            role,
        };
        let users = vec![
            user(&mut ids, "Ada Admin", Role::Admin),
            user(&mut ids, "Alan Agent", Role::Agent),
            user(&mut ids, "Eve Enduser", Role::EndUser),
        ];
        Self::with(options, seed, clock, users, ids.next())
    }

    /// A brand's: its users and its account's id are those of the account.
    pub(crate) fn of_brand(options: AccountOptions, owner: &Self) -> Self {
        let brand_id = ids_of(owner.seed, &options.subdomain).next();
        let (clock, users) = (Arc::clone(&owner.clock), owner.users.clone());
        Self { brand_id, ..Self::with(options, owner.seed, clock, users, owner.account_id) }
    }

    fn with(
        options: AccountOptions,
        seed: u64,
        clock: Arc<SimClock>,
        users: Vec<User>,
        account_id: i64,
    ) -> Self {
        let authors = users.iter().filter(|user| user.role.is_staff()).map(|user| user.id).collect();
        let mut center = HelpCenter::new(&options.subdomain, options.locales, authors, seed, clock.now());
        center.generate(&options.generate, clock.now());
        let mut oauth = Oauth::new(seed, &options.subdomain);
        oauth.clients = options.clients;
        let churn_seed = options.settings.churn.map_or(0, |churn| churn.seed);
        Self {
            account_id,
            brand_id: account_id,
            brands: vec![Brand::new(account_id, &options.subdomain)],
            seed,
            base: String::new(),
            settings: options.settings,
            clock,
            oauth,
            users,
            center,
            windows: Windows::default(),
            faults: Faults::default(),
            record: Record::default(),
            webhooks: Webhooks::new(seed, &options.subdomain),
            churned: 0,
            churn: Random::new(churn_seed),
            subdomain: options.subdomain,
        }
    }

    pub(crate) fn user_with(&self, role: Role) -> Option<&User> {
        self.users.iter().find(|user| user.role == role)
    }

    pub(crate) fn apply(&mut self, change: Change) -> Result<(Mutation, Vec<Post>), ChangeError> {
        let now = self.clock.now();
        let moves = self.settings.translation_edit_moves_article;
        let (mutation, events) = self.center.apply(change, now, moves)?;
        let posts = self.webhooks.posts(&events, self.account_id, self.brand_id, self.clock.now_ms());
        Ok((mutation, posts))
    }

    pub(crate) fn apply_random(&mut self, count: u32, random: &mut Random) -> (Vec<Mutation>, Vec<Post>) {
        let (mut mutations, mut posts) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let Some(change) = self.center.random_change(random) else { break };
            if let Ok((mutation, more)) = self.apply(change) {
                mutations.push(mutation);
                posts.extend(more);
            }
        }
        (mutations, posts)
    }

    /// Called on every request to the help center; changes something when its turn has come.
    pub(crate) fn churn(&mut self) -> Vec<Post> {
        if self.settings.shrinks
            && let Some(id) = self.center.articles.keys().next_back().copied()
        {
            return self.apply(Change::Delete { id }).map(|(_, posts)| posts).unwrap_or_default();
        }
        let Some(churn) = self.settings.churn else { return Vec::new() };
        self.churned += 1;
        if !self.churned.is_multiple_of(churn.every_requests.max(1)) {
            return Vec::new();
        }
        let mut random = self.churn.clone();
        let (_, posts) = self.apply_random(churn.changes, &mut random);
        self.churn = random;
        posts
    }
}

fn ids_of(seed: u64, subdomain: &str) -> Ids {
    Ids::new(Random::named(seed, &format!("users/{subdomain}")))
}

/// A handle on one account. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Account {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) outbox: tokio::sync::mpsc::Sender<(Account, Post)>,
    /// The account, if this is one of its brands.
    pub(crate) owner: Option<Arc<Mutex<State>>>,
}

impl Account {
    /// First part of its address.
    pub fn subdomain(&self) -> String {
        lock(&self.state).subdomain.clone()
    }

    /// How it behaves now.
    pub fn settings(&self) -> Settings {
        lock(&self.state).settings.clone()
    }

    /// Changes how it behaves.
    pub fn update_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.state).settings);
    }

    /// Lets an OAuth client ask for grants; one of the same identifier is replaced.
    pub fn add_client(&self, client: OauthClient) {
        let clients = &mut lock(&self.state).oauth.clients;
        clients.retain(|known| known.client_id != client.client_id);
        clients.push(client);
    }

    /// Adds articles.
    pub fn generate(&self, options: &GenerateOptions) {
        let state = &mut *lock(&self.state);
        state.center.generate(options, state.clock.now());
    }

    /// What a correct copy must hold, as seen by the role that grants act as.
    pub fn truth(&self) -> Vec<TruthArticle> {
        self.act(|state| {
            let role = state.settings.grant_as;
            let user_id = state.user_with(role).map_or(0, |user| user.id);
            state.center.truth(Some(Viewer { user_id, role }))
        })
    }

    /// What a user is called.
    pub fn user_name(&self, id: i64) -> Option<String> {
        lock(&self.state).users.iter().find(|user| user.id == id).map(|user| user.name.clone())
    }

    /// Makes a change, and posts the webhooks that hear of it.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing was changed then.
    pub fn apply(&self, change: Change) -> Result<Mutation, ChangeError> {
        let (mutation, posts) = self.act(|state| state.apply(change))?;
        self.send(posts);
        Ok(mutation)
    }

    /// Makes random changes; the same seed on the same content makes the same ones.
    pub fn apply_random(&self, count: u32, seed: u64) -> Vec<Mutation> {
        let (mutations, posts) = self.act(|state| state.apply_random(count, &mut Random::new(seed)));
        self.send(posts);
        mutations
    }

    /// Live articles, drafts included, ascending.
    pub fn article_ids(&self) -> Vec<i64> {
        lock(&self.state).center.articles.keys().copied().collect()
    }

    /// Tokens without the browser. An unknown client gets expiring ones.
    pub fn issue_tokens(&self, client_id: &str, role: Role, scope: &str) -> IssuedTokens {
        let state = &mut *lock(&self.state);
        let client = state.oauth.client(client_id).cloned().unwrap_or_else(|| OauthClient {
            client_id: client_id.to_owned(),
            client_secret: None,
            redirect_uris: Vec::new(),
            lifetime: crate::TokenLifetime::Expiring,
        });
        let user = state.user_with(role).map_or(0, |user| user.id);
        let now = state.clock.now();
        let token = state.oauth.issue(&client, user, scopes(scope), Lifetimes::default(), now);
        IssuedTokens { access_token: token.access.clone(), refresh_token: token.refresh.clone() }
    }

    /// Ends every token and code at once, refresh tokens too.
    pub fn revoke_tokens(&self) {
        lock(&self.state).oauth.revoke_all();
    }

    /// Ends every access token now; refresh tokens stay good.
    pub fn expire_access_tokens(&self) {
        let state = &mut *lock(&self.state);
        state.oauth.expire_access_tokens(state.clock.now());
    }

    /// Arms a fault.
    pub fn inject(&self, rule: FaultRule) {
        lock(&self.state).faults.inject(rule);
    }

    /// Disarms all faults.
    pub fn clear_faults(&self) {
        lock(&self.state).faults.clear();
    }

    /// What it saw, oldest first.
    pub fn requests(&self) -> Vec<SeenRequest> {
        lock(&self.state).record.requests()
    }

    /// Requests by method and endpoint.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        lock(&self.state).record.counters()
    }

    /// Forgets what it saw.
    pub fn clear_requests(&self) {
        lock(&self.state).record.clear();
    }

    /// Webhook deliveries that came to an end, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.state).webhooks.deliveries()
    }

    /// Hands deliveries to the posting task. Zendesk promises nothing either when too much is under way.
    pub(crate) fn send(&self, posts: Vec<Post>) {
        for post in posts {
            if self.outbox.try_send((self.clone(), post)).is_err() {
                tracing::warn!("too many webhook deliveries are waiting; one is dropped");
            }
        }
    }
}

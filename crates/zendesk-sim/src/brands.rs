//! Brands: help centers of one account, each at an address of its own, with the account's users, tokens, webhooks and
//! budgets.

use std::mem::swap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::{Account, AccountOptions, State};
use crate::clock::{Epoch, iso};
use crate::sim::Sim;
use crate::sync::lock;

/// When every brand was made and last changed.
const BRANDS_MADE_AT: Epoch = 1_700_000_000;

/// A brand as `/api/v2/brands` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brand {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// First part of its address.
    pub subdomain: String,
    /// Whether it has a help center at all.
    pub has_help_center: bool,
    /// `enabled`, `disabled` or `restricted`.
    pub help_center_state: String,
    /// Whether it is in use.
    pub active: bool,
    /// Whether it was deleted.
    pub is_deleted: bool,
}

impl Brand {
    pub(crate) fn new(id: i64, subdomain: &str) -> Self {
        Self {
            id,
            name: subdomain.to_owned(),
            subdomain: subdomain.to_owned(),
            has_help_center: true,
            help_center_state: "enabled".to_owned(),
            active: true,
            is_deleted: false,
        }
    }

    /// As an answer shows it; `root` is what the addresses of all brands begin with.
    pub(crate) fn shown(&self, default: bool, root: &str) -> Value {
        let mut shown = json!(self);
        shown["default"] = json!(default);
        let url = format!("{root}/{}", self.subdomain);
        shown["url"] = json!(format!("{url}/api/v2/brands/{}.json", self.id));
        shown["brand_url"] = json!(url);
        shown["ticket_form_ids"] = json!([]);
        shown["signature_template"] = json!("{{agent.signature}}");
        shown["logo"] = Value::Null;
        for moment in ["created_at", "updated_at"] {
            shown[moment] = json!(iso(BRANDS_MADE_AT));
        }
        shown["host_mapping"] = Value::Null;
        shown
    }
}

impl State {
    /// Exchanges with the account what all its brands have in common. Called before and after a brand acts.
    pub(crate) fn exchange_with(&mut self, owner: &mut Self) {
        swap(&mut self.oauth, &mut owner.oauth);
        swap(&mut self.users, &mut owner.users);
        swap(&mut self.brands, &mut owner.brands);
        swap(&mut self.webhooks, &mut owner.webhooks);
        swap(&mut self.windows, &mut owner.windows);
        swap(&mut self.settings.grant_as, &mut owner.settings.grant_as);
    }
}

impl Sim {
    /// Adds a brand to an account: another help center, behind the same tokens and budgets. Of its options the clients
    /// are passed over: they are the account's.
    pub fn create_brand(&self, account: &Account, options: AccountOptions) -> Account {
        let subdomain = options.subdomain.clone();
        let mut owner = lock(&account.state);
        let state = State::of_brand(options, &owner);
        owner.brands.push(Brand::new(state.brand_id, &subdomain));
        drop(owner);
        let brand = Account {
            state: Arc::new(Mutex::new(state)),
            outbox: account.outbox.clone(),
            owner: Some(Arc::clone(&account.state)),
        };
        self.put(subdomain, brand.clone());
        brand
    }

    /// Takes a brand away: the list shows it no more, and its address answers nothing.
    pub fn delete_brand(&self, account: &Account, subdomain: &str) {
        lock(&account.state).brands.retain(|brand| brand.subdomain != subdomain);
        self.take(subdomain);
    }
}

impl Account {
    /// What `/api/v2/brands` shows; the account's own comes first.
    pub fn brands(&self) -> Vec<Brand> {
        lock(&self.state).brands.clone()
    }

    /// Changes what is told of a brand.
    pub fn change_brand(&self, subdomain: &str, change: impl FnOnce(&mut Brand)) {
        let mut owner = lock(&self.state);
        if let Some(brand) = owner.brands.iter_mut().find(|brand| brand.subdomain == subdomain) {
            change(brand);
        }
    }

    /// Lets something act on the state, with what a brand has of its account.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let Some(owner) = &self.owner else { return act(&mut lock(&self.state)) };
        // The account first, as everywhere.
        let (mut owner, mut state) = (lock(owner), lock(&self.state));
        state.exchange_with(&mut owner);
        let done = act(&mut state);
        state.exchange_with(&mut owner);
        done
    }
}

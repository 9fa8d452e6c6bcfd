//! Organizations, API keys, customers, OAuth clients.

pub(crate) mod account_use;
pub(crate) mod api_keys;
pub(crate) mod audit_log;
pub(crate) mod branding;
pub(crate) mod customer_deletion;
pub(crate) mod customer_list;
pub(crate) mod customer_search;
pub(crate) mod customer_state;
pub(crate) mod customers;
pub(crate) mod examine;
pub(crate) mod freshness;
pub(crate) mod gauges;
pub(crate) mod history;
pub(crate) mod kept_totals;
pub(crate) mod oauth_clients;
pub(crate) mod organization_settings;
pub(crate) mod organizations;
pub(crate) mod overview;
pub(crate) mod reseal;
pub(crate) mod sealed;
pub(crate) mod sealing_keys;
pub(crate) mod sessions;

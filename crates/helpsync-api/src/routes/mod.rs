//! What is done, one file per resource. Each says what its endpoints are; together they are the router and the document.

mod access_token;
mod api_keys;
mod attachments;
mod audit_log;
mod branding;
mod chunks;
mod connect;
mod customer_states;
mod data_sources;
mod dead_letters;
mod export;
mod file_detail;
mod files;
pub(crate) mod finish;
mod health;
mod installation;
mod items;
mod manage_url;
pub(crate) mod oauth_url;
mod organization;
mod overview;
mod presigned;
mod search;
mod selection;
mod status;
mod sync;
mod users;
mod verify;
mod webhook_deliveries;
mod webhooks;
mod white_label;
pub(crate) mod zendesk_events;

pub(crate) use oauth_url::live_connection;
pub(crate) use search::SEARCH;
pub(crate) use selection::change as select;

use crate::endpoint::{Endpoint, group};

/// Every endpoint.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    [
        group("Auth", access_token::endpoints()),
        group("Integrations", oauth_url::endpoints()),
        crate::pages::endpoints(),
        group("Integrations", zendesk_events::endpoints()),
        group("Integrations", connect::endpoints()),
        group("Integrations", items::endpoints()),
        group("Data Sources", data_sources::endpoints()),
        group("Files", files::endpoints()),
        group("Files", presigned::endpoints()),
        group("Files", attachments::endpoints()),
        group("Embeddings", chunks::endpoints()),
        group("Embeddings", search::endpoints()),
        group("Users", users::endpoints()),
        group("Organizations", organization::endpoints()),
        group("White Label", white_label::endpoints()),
        group("Webhooks", webhooks::endpoints()),
        group("Helpsync", status::endpoints()),
        group("Helpsync", overview::endpoints()),
        group("Helpsync", customer_states::endpoints()),
        group("Helpsync", installation::endpoints()),
        group("Helpsync", sync::endpoints()),
        group("Helpsync", verify::endpoints()),
        group("Helpsync", selection::endpoints()),
        group("Helpsync", file_detail::endpoints()),
        group("Helpsync", export::endpoints()),
        group("Helpsync", dead_letters::endpoints()),
        group("Helpsync", webhook_deliveries::endpoints()),
        group("Helpsync", api_keys::endpoints()),
        group("Helpsync", branding::endpoints()),
        group("Helpsync", manage_url::endpoints()),
        group("Helpsync", audit_log::endpoints()),
        group("Health", health::endpoints()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

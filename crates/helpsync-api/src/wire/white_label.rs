//! The organization's own OAuth clients.

use helpsync_store::StoredOauthClient;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Int, OrderDir, Pagination, time};

/// What was registered with Zendesk.
#[derive(Deserialize, ToSchema)]
#[schema(as = Credentials)]
pub(crate) struct WhiteLabelCredentials {
    /// The unique identifier.
    pub(crate) client_id: String,
    /// `https://<your host>/integrations/zendesk`.
    pub(crate) redirect_uri: String,
    /// Absent for those who bring tokens of their own only; absent in an update: as before.
    pub(crate) client_secret: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct WhiteLabelInput {
    /// `ZENDESK`.
    pub(crate) data_source_type: String,
    pub(crate) credentials: WhiteLabelCredentials,
}

#[derive(Default, Deserialize, ToSchema)]
pub(crate) struct WhiteLabelFilters {
    /// Empty = all.
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) ids: Option<Vec<Int>>,
    /// Empty = all; only `ZENDESK` finds anything.
    pub(crate) data_source_type: Option<Vec<String>>,
}

/// The column that they are ordered by.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhiteLabelOrderByColumns {
    CreatedAt,
    DataSourceType,
}

#[derive(Default, Deserialize, ToSchema)]
pub(crate) struct ListWhiteLabelRequest {
    pub(crate) pagination: Option<Pagination>,
    /// All are of one type: either way by age.
    #[expect(dead_code, reason = "read for its type alone: there is one data source type")]
    pub(crate) order_by: Option<WhiteLabelOrderByColumns>,
    pub(crate) order_dir: Option<OrderDir>,
    pub(crate) filters: Option<WhiteLabelFilters>,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct DeleteWhiteLabelRequest {
    #[schema(value_type = Vec<i64>)]
    pub(crate) ids: Vec<Int>,
}

/// As shown: the secret never is.
#[derive(Serialize, ToSchema)]
pub(crate) struct WhiteLabel {
    pub(crate) id: i64,
    /// `ZENDESK`.
    pub(crate) data_source_type: &'static str,
    pub(crate) credentials: ShownCredentials,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ShownCredentials {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    /// Always null.
    pub(crate) client_secret: Option<String>,
    /// Whether a secret is kept.
    pub(crate) has_client_secret: bool,
}

impl From<StoredOauthClient> for WhiteLabel {
    fn from(client: StoredOauthClient) -> Self {
        Self {
            id: client.id,
            data_source_type: "ZENDESK",
            credentials: ShownCredentials {
                client_id: client.client_id,
                redirect_uri: client.redirect_uri,
                client_secret: None,
                has_client_secret: client.has_secret,
            },
            created_at: time(client.created_at),
            updated_at: time(client.updated_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WhiteLabels {
    pub(crate) results: Vec<WhiteLabel>,
    /// How many match before paging.
    pub(crate) count: i64,
}

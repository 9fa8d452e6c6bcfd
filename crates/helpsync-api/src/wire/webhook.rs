//! Webhooks, and the deliveries to them.

use helpsync_store::{Delivery, DeliveryMark, Webhook as Stored};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Int, OrderDir, Pagination, time};

#[derive(Deserialize, ToSchema)]
pub(crate) struct AddWebhookProps {
    /// Where events are to be sent: https or http, on the public internet.
    pub(crate) url: String,
}

/// As answered once, with its key.
#[derive(Serialize, ToSchema)]
pub(crate) struct Webhook {
    #[serde(flatten)]
    pub(crate) shown: WebhookNoKey,
    /// Hex digits. What they stand for is the key of the signatures; it is never shown again.
    pub(crate) signing_key: String,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct RotateKey {
    /// How long the key of before signs too: 24 unless told, 720 at most; 0 ends it at once.
    #[schema(value_type = Option<i64>)]
    pub(crate) overlap_hours: Option<Int>,
}

/// A webhook's new key.
#[derive(Serialize, ToSchema)]
pub(crate) struct RotatedKey {
    /// Hex digits, never shown again.
    pub(crate) signing_key: String,
    /// Until when deliveries have two signatures; null: they have one.
    pub(crate) previous_key_until: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookNoKey {
    pub id: i64,
    pub organization_id: i64,
    pub url: String,
    /// `ACTIVE`, or `FLAGGED` while it keeps failing.
    pub status: String,
    /// The last failure, while it is flagged.
    pub status_reason: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

impl From<Stored> for WebhookNoKey {
    fn from(from: Stored) -> Self {
        Self {
            id: from.id.0,
            organization_id: from.organization.0,
            url: from.url,
            status: from.status.as_str().to_owned(),
            status_reason: from.status_reason,
            created_at: time(from.created_at),
            updated_at: time(from.updated_at),
        }
    }
}

/// The column that webhooks are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WebhookOrderByColumns {
    CreatedAt,
    UpdatedAt,
}

#[derive(Default, Deserialize, ToSchema)]
pub(crate) struct WebhookFilters {
    /// These only; none or an empty list: all.
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) ids: Option<Vec<Int>>,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct WebhookQueryInput {
    pub(crate) pagination: Option<Pagination>,
    pub(crate) order_by: Option<WebhookOrderByColumns>,
    pub(crate) order_dir: Option<OrderDir>,
    pub(crate) filters: Option<WebhookFilters>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookQueryResponse {
    pub results: Vec<WebhookNoKey>,
    /// How many match before paging.
    pub count: i64,
}

/// One event on its way to one webhook.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    pub id: i64,
    pub webhook_id: i64,
    pub event_id: i64,
    /// Whom it is about; null: the organization.
    pub customer_id: Option<String>,
    /// For example `FILE_READY`.
    pub kind: String,
    pub object_type: String,
    pub object_id: String,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    pub attempts: i64,
    /// When it is tried next; null if it is not.
    pub due_at: Option<String>,
    /// What the receiver answered last.
    pub http_status: Option<i64>,
    pub error: Option<String>,
    pub created_at: String,
    pub finished_at: Option<String>,
}

impl From<Delivery> for DeliveryView {
    fn from(from: Delivery) -> Self {
        Self {
            id: from.id.0,
            webhook_id: from.webhook.0,
            event_id: from.event,
            customer_id: from.customer_external_id,
            kind: from.kind.as_str().to_owned(),
            object_type: from.object_type,
            object_id: from.object_id,
            state: from.state.as_str().to_owned(),
            attempts: from.attempts,
            due_at: from.finished_at.is_none().then(|| time(from.due_at)),
            http_status: from.http_status,
            error: from.error,
            created_at: time(from.created_at),
            finished_at: from.finished_at.map(time),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Deliveries {
    /// Oldest first.
    pub deliveries: Vec<DeliveryView>,
    /// Pass it as `after` to read on; null at the end.
    pub next: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CustomerDeliveries {
    /// The latest first.
    pub deliveries: Vec<DeliveryView>,
    /// Pass it as `after` to read on; null at the end. A part may be shorter than asked for though more follow.
    pub next: Option<String>,
}

impl CustomerDeliveries {
    pub(crate) fn new(found: helpsync_store::CustomerDeliveries) -> Self {
        let next = found.next.map(|DeliveryMark { event, delivery }| format!("{event}-{delivery}"));
        Self { deliveries: found.deliveries.into_iter().map(DeliveryView::from).collect(), next }
    }

    /// Where the list goes on, from what [`CustomerDeliveries::next`] said.
    pub(crate) fn mark(next: &str) -> Option<DeliveryMark> {
        let (event, delivery) = next.split_once('-')?;
        Some(DeliveryMark { event: event.parse().ok()?, delivery: delivery.parse().ok()? })
    }
}

#[derive(Deserialize)]
pub(crate) struct CustomerDeliveriesQuery {
    pub(crate) after: Option<String>,
    pub(crate) limit: Option<Int>,
}

#[derive(Deserialize)]
pub(crate) struct DeliveriesQuery {
    pub(crate) state: Option<String>,
    pub(crate) after: Option<Int>,
    pub(crate) limit: Option<Int>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Redelivered {
    /// How many deliveries are sent again.
    pub redelivered: u64,
}

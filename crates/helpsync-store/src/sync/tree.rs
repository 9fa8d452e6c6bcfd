//! Sections and categories as a sync brings them.

use std::collections::BTreeMap;

use helpsync_model::ConnectionId;
use serde_json::{Value, json};

use crate::db::{Dialect, StoreError, Write, decode, integer, sql, text};

/// A folder of the help center's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// The top of the tree.
    Category,
    /// Below a category or another section.
    Section,
}

impl ItemKind {
    /// Carbon's word for it, as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Category => "CATEGORY",
            Self::Section => "SECTION",
        }
    }
}

/// A folder to be stored or renamed.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// Which kind.
    pub kind: ItemKind,
    /// Zendesk's id.
    pub external_id: i64,
    /// Its parent, `None` at the top.
    pub parent: Option<(ItemKind, i64)>,
    /// The category that a section belongs to, whatever its parent is.
    pub category: Option<i64>,
    /// Its name.
    pub name: String,
    /// Its public page.
    pub external_url: Option<String>,
}

/// Stores or renames folders; of one that comes twice the last counts.
pub(crate) async fn upsert_items(
    write: &mut Write,
    connection: ConnectionId,
    items: &[NewItem],
) -> Result<(), StoreError> {
    let Some(rows) = item_rows(items) else { return Ok(()) };
    sqlx::query(sql(items_sql(write.dialect, ["$1", "$2", "$3"])))
        .bind(connection.0)
        .bind(write.now)
        .bind(rows)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

/// Folders as [`items_sql`] takes them; `None`: there are none.
pub(crate) fn item_rows(items: &[NewItem]) -> Option<String> {
    if items.is_empty() {
        return None;
    }
    // In one order everywhere, so that two pages of one help center never wait for each other.
    let each: BTreeMap<(&str, i64), &NewItem> =
        items.iter().map(|item| ((item.kind.as_str(), item.external_id), item)).collect();
    let rows = each.values().map(|item| {
        json!({
            "kind": item.kind.as_str(),
            "external_id": item.external_id,
            "parent_kind": item.parent.map(|(kind, _)| kind.as_str()),
            "parent_id": item.parent.map(|(_, id)| id),
            "category_id": item.category,
            "name": decode::without_nul(&item.name),
            "external_url": item.external_url.as_deref().map(decode::without_nul),
        })
    });
    Some(Value::from_iter(rows).to_string())
}

/// What stores or renames folders; placeholders of the connection, the time and the rows. Every section stands somewhere:
/// an answer that does not say where leaves it where it is, for what is selected by category would go otherwise. It is in
/// the category of what it stands in.
pub(crate) fn items_sql(dialect: Dialect, [connection, now, rows]: [&str; 3]) -> String {
    let columns = [
        text("kind"),
        integer("external_id"),
        text("parent_kind"),
        integer("parent_id"),
        integer("category_id"),
        text("name"),
        text("external_url"),
    ];
    format!(
        "insert into item (connection_id, kind, external_id, parent_kind, parent_id, category_id, name, external_url,
           synced_at, created_at, updated_at)
         select {connection}, kind, external_id, parent_kind, parent_id, category_id, name, external_url, {now}, {now}, {now}
         from {} where true order by kind, external_id
         on conflict (connection_id, kind, external_id) do update
           set parent_kind = coalesce(excluded.parent_kind, item.parent_kind),
           parent_id = coalesce(excluded.parent_id, item.parent_id),
           category_id = coalesce(excluded.category_id, (select above.category_id from item as above
             where above.connection_id = excluded.connection_id and above.kind = excluded.parent_kind
               and above.external_id = excluded.parent_id), item.category_id),
           name = excluded.name, external_url = excluded.external_url, synced_at = excluded.synced_at,
           updated_at = case when item.name <> excluded.name then excluded.updated_at else item.updated_at end",
        dialect.json_rows(rows, &columns)
    )
}

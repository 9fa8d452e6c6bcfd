//! Every column that holds seals: where each of its values opens, and how many there are by the key that sealed them.

use helpsync_model::{ConnectionId, OrganizationId};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use crate::connection::{event_subscriptions, pending_grants, tokens};
use crate::db::vault::{Vault, VaultError, sealed_by};
use crate::db::{StoreError, sql};
use crate::event::webhooks;
use crate::tenant::oauth_clients;

/// A column that holds seals.
pub(crate) struct SealedColumn {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    /// The column that names a row.
    pub(crate) key: &'static str,
    /// Whether that is a text, or else a number.
    pub(crate) key_is_text: bool,
    /// The columns that a value's place is made of.
    reads: &'static str,
    place: fn(&AnyRow) -> Result<String, StoreError>,
}

/// All of them. The last two came with later migrations.
pub(crate) const COLUMNS: [SealedColumn; 8] = [
    SealedColumn {
        table: "connection",
        column: "access_token_sealed",
        key: "id",
        key_is_text: false,
        reads: "id",
        place: |row| Ok(tokens::place(ConnectionId(row.try_get("id")?), "access")),
    },
    SealedColumn {
        table: "connection",
        column: "refresh_token_sealed",
        key: "id",
        key_is_text: false,
        reads: "id",
        place: |row| Ok(tokens::place(ConnectionId(row.try_get("id")?), "refresh")),
    },
    SealedColumn {
        table: "event_subscription",
        column: "secret_sealed",
        key: "connection_id",
        key_is_text: false,
        reads: "connection_id",
        place: |row| Ok(event_subscriptions::place(ConnectionId(row.try_get("connection_id")?))),
    },
    SealedColumn {
        table: "oauth_client",
        column: "client_secret_sealed",
        key: "id",
        key_is_text: false,
        reads: "organization_id, client_id",
        place: |row| {
            let client: String = row.try_get("client_id")?;
            Ok(oauth_clients::place(OrganizationId(row.try_get("organization_id")?), &client))
        },
    },
    SealedColumn {
        table: "oauth_state",
        column: "verifier_sealed",
        key: "state_hash",
        key_is_text: true,
        reads: "state_hash",
        place: |row| Ok(pending_grants::place(&row.try_get::<String, _>("state_hash")?)),
    },
    SealedColumn { column: "signing_key_sealed", ..WEBHOOK },
    SealedColumn { column: "previous_key_sealed", ..WEBHOOK },
    SealedColumn { column: "older_key_sealed", ..WEBHOOK },
];

const WEBHOOK: SealedColumn = SealedColumn {
    table: "webhook",
    column: "",
    key: "id",
    key_is_text: false,
    reads: "organization_id, url",
    place: |row| {
        let url: String = row.try_get("url")?;
        Ok(webhooks::place(OrganizationId(row.try_get("organization_id")?), &url))
    },
};

/// The columns of a database that has seen the first migration only.
pub(crate) const FIRST_COLUMNS: usize = COLUMNS.len() - 2;

/// A sealed value, as it is stored.
pub(crate) struct Sealed {
    /// Names its row, as text.
    pub(crate) key: String,
    /// Where it opens.
    pub(crate) place: String,
    pub(crate) bytes: Vec<u8>,
}

impl SealedColumn {
    /// A select of its values with the condition `and`, in order of the rows, at most `$1` of them.
    pub(crate) fn select(&self, and: &str, locking: &str) -> String {
        let Self { table, column, key, reads, .. } = self;
        format!(
            "select cast({key} as text) as row_key, {column} as sealed, {reads} from {table}
             where {column} is not null {and} order by {key} limit $1{locking}"
        )
    }

    pub(crate) fn read(&self, row: &AnyRow) -> Result<Sealed, StoreError> {
        Ok(Sealed { key: row.try_get("row_key")?, place: (self.place)(row)?, bytes: row.try_get("sealed")? })
    }

    /// Up to `limit` of its values, the latest first where rows are numbered.
    pub(crate) async fn sample(
        &self,
        connection: &mut AnyConnection,
        limit: i64,
    ) -> Result<Vec<Sealed>, StoreError> {
        let Self { table, column, key, reads, .. } = self;
        let rows = sqlx::query(sql(format!(
            "select cast({key} as text) as row_key, {column} as sealed, {reads} from {table}
             where {column} is not null order by {key} desc limit $1"
        )));
        let rows = rows.bind(limit).fetch_all(connection).await?;
        rows.iter().map(|row| self.read(row)).collect()
    }

    /// A condition: it begins with what is bound as `placeholder`, of so many bytes.
    pub(crate) fn begins(&self, bytes: usize, placeholder: &str) -> String {
        format!("substr({}, 1, {bytes}) = {placeholder}", self.column)
    }
}

/// How many sealed values begin with each of these heads, and how many with none of them.
pub(crate) async fn counted(
    connection: &mut AnyConnection,
    columns: &[SealedColumn],
    heads: &[Vec<u8>],
) -> Result<(Vec<i64>, i64), StoreError> {
    let mut of_heads = vec![0; heads.len()];
    let mut all = 0;
    for sealed in columns {
        let mut sums = String::new();
        for (number, head) in (1..).zip(heads) {
            let begins = sealed.begins(head.len(), &format!("${number}"));
            sums += &format!(", cast(coalesce(sum(case when {begins} then 1 else 0 end), 0) as bigint)");
        }
        let statement =
            format!("select count(*){sums} from {} where {} is not null", sealed.table, sealed.column);
        let query = heads.iter().fold(sqlx::query(sql(statement)), |query, head| query.bind(head.clone()));
        let row = query.fetch_one(&mut *connection).await?;
        all += row.try_get::<i64, _>(0)?;
        for (number, count) in (1..).zip(&mut of_heads) {
            *count += row.try_get::<i64, _>(number)?;
        }
    }
    let known: i64 = of_heads.iter().sum();
    Ok((of_heads, all - known))
}

/// The ids of keys that sealed what begins with none of these heads, of a sample.
pub(crate) async fn strangers(
    connection: &mut AnyConnection,
    columns: &[SealedColumn],
    heads: &[Vec<u8>],
    sample: i64,
) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for column in columns {
        let begins = (2..).zip(heads).map(|(number, head)| column.begins(head.len(), &format!("${number}")));
        let begins = begins.collect::<Vec<_>>().join(" or ");
        let query = sqlx::query(sql(column.select(&format!("and not ({begins})"), ""))).bind(sample);
        let query = heads.iter().fold(query, |query, head| query.bind(head.clone()));
        for row in query.fetch_all(&mut *connection).await? {
            let bytes = column.read(&row)?.bytes;
            let id = sealed_by(&bytes)
                .map_or_else(String::new, |(_, id, _)| String::from_utf8_lossy(id).into_owned());
            if !found.contains(&id) {
                found.push(id);
            }
        }
    }
    Ok(found)
}

/// The keys of the vault that open nothing of a sample of what bears their name.
pub(crate) async fn impostors(
    connection: &mut AnyConnection,
    columns: &[SealedColumn],
    vault: &Vault,
    sample: i64,
) -> Result<Vec<String>, StoreError> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for column in columns {
        for sealed in column.sample(connection, sample).await? {
            let Some((_, id, _)) = sealed_by(&sealed.bytes) else { continue };
            let id = String::from_utf8_lossy(id).into_owned();
            match vault.open(&sealed.place, &sealed.bytes) {
                Ok(_) => good.push(id),
                Err(VaultError::UnknownKey(_)) => {}
                Err(VaultError::Altered | VaultError::Seal) => bad.push(id),
            }
        }
    }
    // One value that somebody altered is that value's trouble, not the key's.
    bad.retain(|id| !good.contains(id));
    bad.dedup();
    Ok(bad)
}

//! Which keys the database knows, whether a ring is the right one, and sealing anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use helpsync_model::KeyRing;
use serde_json::json;
use sqlx::{AnyConnection, Row as _};

use crate::db::audit::Change;
use crate::db::decode::millis;
use crate::db::vault::{RingError, Vault, head};
use crate::db::{AdminStore, StoreError, Write};
use crate::tenant::sealed::{COLUMNS, FIRST_COLUMNS, SealedColumn, counted, impostors, strangers};

/// Values of each column that are opened to see whether a ring is the right one, where the database does not know keys yet.
const SAMPLE: i64 = 100;
/// What is sealed to know a key again, and where.
const PROOF: &str = "this key is known";
const PROOF_PLACE: &str = "sealing_key";

/// Nothing that is signed is good for longer: no setting and no request may ask for more.
pub const SIGNED_FOR_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What a key is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// Its id.
    pub id: String,
    /// Whether the ring holds it.
    pub is_in_ring: bool,
    /// Whether it is the one that seals.
    pub seals: bool,
    /// The ring holds another key of this id than the database knows: no process starts with it.
    pub differs: bool,
    /// Whether it seals by a key derived from it, and signatures carry its id; `None`: the database does not know it yet.
    pub derives: Option<bool>,
    /// Secrets that it sealed.
    pub sealed: i64,
    /// Since when it has sealed, in ms; `None`: it has not yet.
    pub sealed_at: Option<i64>,
    /// Since when another key seals in its place, in ms; `None` also of a key that is given up.
    pub superseded_at: Option<i64>,
    /// Since when nothing is believed any more that it signed, in ms; `None`: it is.
    pub voided_at: Option<i64>,
}

impl KeyUse {
    /// Why no process starts with a ring that has this key so.
    #[must_use]
    pub fn fault(&self) -> Option<RingError> {
        if self.differs {
            return Some(RingError::Differs(self.id.clone()));
        }
        (self.seals && self.voided_at.is_some()).then(|| RingError::GivenUp(self.id.clone()))
    }

    /// Until when something may be good that it signed, in ms, of a key that another is to take or has taken the place of;
    /// `None`: nothing is at `now`.
    #[must_use]
    pub fn signed_until(&self, now: i64) -> Option<i64> {
        signed_until(self.sealed_at.filter(|_| self.voided_at.is_none()), self.superseded_at, now)
            .filter(|_| !self.seals)
    }
}

/// As long as no process has said that another key seals, this one signs.
fn signed_until(sealed_at: Option<i64>, superseded_at: Option<i64>, now: i64) -> Option<i64> {
    let signed_at = sealed_at.map(|_| superseded_at.unwrap_or(now));
    signed_at.map(|at| at.saturating_add(millis(SIGNED_FOR_MAX))).filter(|until| *until > now)
}

/// A key that the database knows.
struct KnownKey {
    derives: bool,
    proof: Vec<u8>,
    sealed_at: Option<i64>,
    superseded_at: Option<i64>,
    /// Since when its signatures are given up.
    voided_at: Option<i64>,
}

impl KnownKey {
    /// Whether the vault has another key of its id.
    fn is_another(&self, vault: &Vault) -> bool {
        vault.open(PROOF_PLACE, &self.proof).is_err()
    }
}

async fn known_keys(connection: &mut AnyConnection) -> Result<BTreeMap<String, KnownKey>, StoreError> {
    let rows = sqlx::query(
        "select id, derives, proof_sealed, sealed_at, superseded_at from sealing_key order by id",
    )
    .fetch_all(connection)
    .await?;
    let key = |row: &sqlx::any::AnyRow| -> Result<_, StoreError> {
        // Of a key that was given up the time of that stands there with a minus, which the version before takes for long ago.
        let superseded_at: Option<i64> = row.try_get("superseded_at")?;
        let known = KnownKey {
            derives: row.try_get::<i64, _>("derives")? == 1,
            proof: row.try_get("proof_sealed")?,
            sealed_at: row.try_get("sealed_at")?,
            superseded_at: superseded_at.filter(|at| *at > 0),
            voided_at: superseded_at.filter(|at| *at <= 0).map(i64::saturating_neg),
        };
        Ok((row.try_get("id")?, known))
    };
    rows.iter().map(key).collect()
}

/// The keys whose signatures were given up.
fn voided(known: &BTreeMap<String, KnownKey>) -> BTreeSet<String> {
    known.iter().filter(|(_, key)| key.voided_at.is_some()).map(|(id, _)| id.clone()).collect()
}

fn heads_of(id: &str) -> [Vec<u8>; 2] {
    [head(id, false), head(id, true)]
}

/// How many secrets a key sealed.
async fn sealed_with(
    connection: &mut AnyConnection,
    columns: &[SealedColumn],
    id: &str,
) -> Result<i64, StoreError> {
    Ok(counted(connection, columns, &heads_of(id)).await?.0.iter().sum())
}

/// Refuses a ring that does not open what is stored in a database that knows no keys yet. Otherwise: whether anything is
/// sealed there.
pub(crate) async fn first_look(
    connection: &mut AnyConnection,
    columns: &[SealedColumn],
    vault: &Vault,
) -> Result<bool, StoreError> {
    let heads: Vec<Vec<u8>> = vault.ids().iter().flat_map(|id| heads_of(id)).collect();
    let (known, unknown) = counted(connection, columns, &heads).await?;
    if unknown > 0 {
        let mut missing = Vec::new();
        for id in strangers(connection, columns, &heads, SAMPLE).await? {
            let sealed = sealed_with(connection, columns, &id).await?;
            missing.push((id, sealed));
        }
        return Err(RingError::Missing(missing).into());
    }
    match impostors(connection, columns, vault, SAMPLE).await?.into_iter().next() {
        Some(id) => Err(RingError::Differs(id).into()),
        None => Ok(known.iter().sum::<i64>() > 0),
    }
}

/// How many secrets a database holds; 0 of one that is not made yet.
pub(crate) async fn sealed_at_all(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    Ok(counted(connection, &COLUMNS[..FIRST_COLUMNS], &[]).await?.1)
}

/// What each key of the vault, and each that the database knows, is used for.
pub(crate) async fn uses(
    connection: &mut AnyConnection,
    vault: Option<&Vault>,
) -> Result<Vec<KeyUse>, StoreError> {
    let known = known_keys(connection).await?;
    let ring = vault.map(Vault::ids).unwrap_or_default();
    let others = known.keys().filter(|id| !ring.contains(id)).cloned();
    let ids: Vec<String> = ring.iter().cloned().chain(others).collect();
    let heads: Vec<Vec<u8>> = ids.iter().flat_map(|id| heads_of(id)).collect();
    let (counts, _) = counted(connection, &COLUMNS, &heads).await?;
    let uses = ids.into_iter().zip(counts.chunks(2)).map(|(id, counts)| KeyUse {
        is_in_ring: ring.contains(&id),
        seals: ring.first() == Some(&id),
        differs: vault
            .zip(known.get(&id))
            .is_some_and(|(vault, key)| ring.contains(&id) && key.is_another(vault)),
        derives: known.get(&id).map(|key| key.derives),
        sealed_at: known.get(&id).and_then(|key| key.sealed_at),
        superseded_at: known.get(&id).and_then(|key| key.superseded_at),
        voided_at: known.get(&id).and_then(|key| key.voided_at),
        sealed: counts.iter().sum(),
        id,
    });
    Ok(uses.collect())
}

impl AdminStore {
    /// Makes this ring the store's, if it opens what is stored; keys that are new to the database become known to it.
    /// Answers whether the ring is another one than before.
    ///
    /// # Errors
    /// [`StoreError::Ring`] if it does not; the ring of before then stays in use.
    pub async fn take_ring(&self, ring: &KeyRing) -> Result<bool, StoreError> {
        let candidate = Vault::new(ring, self.vault.entropy());
        let mut write = self.write().await?;
        let known = known_keys(&mut write.tx).await?;
        let derives = if known.is_empty() {
            !first_look(&mut write.tx, &COLUMNS, &candidate).await?
        } else {
            check_known(&mut write, &candidate, &known).await?;
            true
        };
        let ids = ring.ids();
        // In one order, whoever else notes the same keys now.
        let fresh: BTreeSet<&String> = ids.iter().filter(|id| !known.contains_key(*id)).collect();
        for id in fresh {
            note_key(&mut write, &candidate, id, derives).await?;
        }
        note_sealing(&mut write, &ids[0]).await?;
        let known = known_keys(&mut write.tx).await?;
        let derived: BTreeSet<String> =
            known.iter().filter(|(_, key)| key.derives).map(|(id, _)| id.clone()).collect();
        write.commit().await?;
        let is_other = self.vault.ids() != ids;
        self.vault.void(voided(&known));
        self.vault.replace(ring, &derived);
        Ok(is_other)
    }

    /// Ends what the keys signed that were given up since the last look, also while this process's ring has them still, and
    /// has the database know the keys of this process again, where one that started without them forgot them. Answers
    /// whether any were given up since.
    ///
    /// # Errors
    /// [`RingError::Differs`]: the database knows another key of an id of theirs by now. [`StoreError`]: it could not be
    /// asked, and all are believed as before.
    pub async fn heed_known_keys(&self) -> Result<bool, StoreError> {
        let known = known_keys(&mut *self.pool.acquire().await?).await?;
        let any_voided = self.vault.void(voided(&known));
        let ids = self.vault.ids();
        if let Some(id) = ids.iter().find(|id| known.get(*id).is_some_and(|key| key.is_another(&self.vault)))
        {
            return Err(RingError::Differs(id.clone()).into());
        }
        let missing: BTreeSet<&String> = ids.iter().filter(|id| !known.contains_key(*id)).collect();
        if !missing.is_empty() {
            let mut write = self.write().await?;
            for id in missing {
                note_key(&mut write, &self.vault, id, true).await?;
            }
            write.commit().await?;
        }
        Ok(any_voided)
    }

    /// An error where this process's own key in front was given up, as far as [`AdminStore::heed_known_keys`] has seen.
    ///
    /// # Errors
    /// [`RingError::GivenUp`].
    pub fn check_front(&self) -> Result<(), RingError> {
        self.vault.voided_front().map_or(Ok(()), |front| Err(RingError::GivenUp(front)))
    }

    /// Gives up what a key signed, so that it can be removed at once: within seconds no process believes it. No process may
    /// have it in front, now or later. `false`: there is no such key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn void_key(&self, id: &str) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let known = known_keys(&mut write.tx).await?;
        let Some(key) = known.get(id) else { return Ok(false) };
        if key.voided_at.is_some() {
            return Ok(true);
        }
        sqlx::query("update sealing_key set superseded_at = $2 where id = $1")
            .bind(id)
            .bind(write.now.saturating_neg())
            .execute(&mut *write.tx)
            .await?;
        noted(&mut write, "void a sealing key", id).await?;
        write.commit().await?;
        Ok(true)
    }

    /// What each key is used for: those of the ring first, the one that seals foremost.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        uses(&mut connection, Some(&self.vault)).await
    }
}

/// Refuses a ring that lacks a key that is needed, has another one of its name, or has one in front that was given up. A key
/// that nothing is sealed with any more, and that signed nothing that could still be good, is forgotten. One that was given up
/// never is: whoever has it signs anew, and a process may still have it, or start with it.
async fn check_known(
    write: &mut Write,
    candidate: &Vault,
    known: &BTreeMap<String, KnownKey>,
) -> Result<(), StoreError> {
    let ids = candidate.ids();
    let is_void = |id: &String| known.get(id).is_some_and(|key| key.voided_at.is_some());
    if let Some(front) = ids.first().filter(|id| is_void(id)) {
        return Err(RingError::GivenUp(front.clone()).into());
    }
    let (mut missing, mut signs) = (Vec::new(), None);
    for (id, key) in known {
        if ids.contains(id) {
            if key.is_another(candidate) {
                return Err(RingError::Differs(id.clone()).into());
            }
            continue;
        }
        let sealed = sealed_with(&mut write.tx, &COLUMNS, id).await?;
        if sealed > 0 {
            missing.push((id.clone(), sealed));
        } else if key.voided_at.is_some() {
            // Its row is what keeps it from being believed.
        } else if let Some(until) = signed_until(key.sealed_at, key.superseded_at, write.now) {
            signs = Some(RingError::Signs(id.clone(), until));
        } else if is_held(write, id).await? {
            // A process has it, and may seal with it next: another key of this id would be taken for it.
        } else {
            forget(write, id).await?;
        }
    }
    let refused = if missing.is_empty() { signs } else { Some(RingError::Missing(missing)) };
    refused.map_or(Ok(()), |refused| Err(refused.into()))
}

/// Whether a process of the last day holds the key.
async fn is_held(write: &mut Write, id: &str) -> Result<bool, StoreError> {
    let held: Vec<String> = sqlx::query_scalar("select keys from process where keys is not null")
        .fetch_all(&mut *write.tx)
        .await?;
    let holds = |keys: &String| {
        serde_json::from_str::<Vec<String>>(keys).is_ok_and(|keys| keys.iter().any(|key| key == id))
    };
    Ok(held.iter().any(holds))
}

async fn forget(write: &mut Write, id: &str) -> Result<(), StoreError> {
    tracing::info!(key = id, "a key that nothing needs is gone from the ring");
    sqlx::query("delete from sealing_key where id = $1").bind(id).execute(&mut *write.tx).await?;
    noted(write, "remove a sealing key", id).await
}

async fn noted(write: &mut Write, action: &str, id: &str) -> Result<(), StoreError> {
    let change = Change { action, target: id, customer: None, detail: json!({}) };
    write.note(None, &change).await
}

async fn note_key(write: &mut Write, candidate: &Vault, id: &str, derives: bool) -> Result<(), StoreError> {
    let Some(proof) = candidate.seal_by(id, PROOF_PLACE, &PROOF.to_owned().into())? else { return Ok(()) };
    let added = sqlx::query(
        "insert into sealing_key (id, derives, proof_sealed, created_at) values ($1, $2, $3, $4)
         on conflict (id) do nothing",
    )
    .bind(id)
    .bind(i64::from(derives))
    .bind(proof)
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    if added.rows_affected() == 1 { noted(write, "add a sealing key", id).await } else { Ok(()) }
}

/// Notes that this key seals, and that the one before does not any more.
async fn note_sealing(write: &mut Write, id: &str) -> Result<(), StoreError> {
    let turned = sqlx::query(
        "update sealing_key set sealed_at = coalesce(sealed_at, $2),
           superseded_at = case when id = $1 then null else cast($2 as bigint) end
         where (id = $1 and (sealed_at is null or superseded_at is not null))
           or (id <> $1 and sealed_at is not null and superseded_at is null)",
    )
    .bind(id)
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    if turned.rows_affected() > 0 { noted(write, "seal with this key", id).await } else { Ok(()) }
}

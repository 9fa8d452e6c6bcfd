//! Searching by words: which chunks hold them, ranked, at a cost that the other customers' chunks do not change.
//!
//! The index gives for each term and level the customer's chunks, in lists that are read whole; what a chunk is worth is
//! the sum over the query's words of how rare the word is among the customer's chunks times what it is worth there. Then
//! the best, as far as they are shown and match the filters, are taken from the top.

use std::collections::HashSet;

use helpsync_model::CustomerId;
use serde_json::json;
use sqlx::{AnyConnection, Row};

use crate::db::conditions::Conditions;
use crate::db::{Dialect, SearchStore, StoreError, sql};
use crate::filter::file_query::{FileFilters, MATCHED};
use crate::search::language::Language;
use crate::search::query::Scored;
use crate::search::query_words::{Spelling, Wanted, longer, wanted};
use crate::search::terms::{LEVELS, every, value};

/// Chunks that are read of one term at one level.
pub(crate) const LIST_MAX: i64 = 20_000;
/// The best so many are looked at for whether they are shown and match the filters.
const CANDIDATES_MAX: usize = 20_000;
/// So many of them at first; then twice as many, and so on until enough are found.
const STEP: usize = 32;

/// A look-up in the index: for which of the words, and what its chunks are worth.
struct Lookup {
    wanted: usize,
    worth: f64,
    text: String,
}

/// Look-ups for a word, those worth the most first.
fn lookups(dialect: Dialect, customer: i64, wanted: usize, spellings: &[Spelling]) -> Vec<Lookup> {
    let mut all: Vec<Lookup> = spellings
        .iter()
        .flat_map(|spelling| {
            (1..=LEVELS).map(move |level| Lookup {
                wanted,
                worth: spelling.worth * value(level),
                text: spelling.lookup(dialect, customer, level),
            })
        })
        .collect();
    all.sort_by(|a, b| b.worth.total_cmp(&a.worth));
    all
}

/// The chunks of each word in the order of their ids, each once, with the most that the word is worth there.
type Found = Vec<Scored>;

/// How rare a word is that `holding` of `all` chunks hold: BM25's inverse document frequency, above 0.
fn rarity(all: f64, holding: f64) -> f64 {
    (1.0 + (all - holding + 0.5) / (holding + 0.5)).ln()
}

/// Ranks chunks, best first. What is sorted by ids consists of long ascending runs, which sorting merges.
fn rank(found: &Found, all: usize) -> Scored {
    let mut scores = Scored::with_capacity(found.iter().map(Vec::len).sum());
    for chunks in found {
        let rarity = rarity(all.max(chunks.len()) as f64, chunks.len() as f64);
        scores.extend(chunks.iter().map(|(chunk, worth)| (*chunk, rarity * worth)));
    }
    scores.sort_by_key(|(chunk, _)| *chunk);
    scores.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    scores.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scores.truncate(CANDIDATES_MAX);
    scores
}

/// How a search begins: all of it sees one state of the database. On Postgres, its statements are also kept from the plans
/// that read every row. The planner cannot know how few chunks hold a term that is bound, and it does not count what reading
/// the words of a row costs: read in the order of their ids, or from one end to the other, the chunks of all customers take
/// minutes. The statements are written so that only their indexes are left, whatever is bound; so planning once is enough.
pub(crate) fn begin_sql(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "begin",
        Dialect::Postgres => {
            "begin read only; set local enable_seqscan = off; set local plan_cache_mode = force_generic_plan"
        }
    }
}

/// The statement that reads lists of chunks: one for each of the JSON array of look-ups that is bound as `$1`, at most
/// `$2` long, as numbers with commas. `offset 0` keeps the order and the limit out of how Postgres finds the chunks: else
/// it may walk through all of them in the order of their ids, in the hope to meet enough soon.
pub(crate) fn lists_sql(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "select wanted.key as place, (select group_concat(id) from
               (select rowid as id from chunk_word where chunk_word match wanted.value limit $2) as list) as ids
             from json_each($1) as wanted"
        }
        Dialect::Postgres => {
            "select wanted.place - 1 as place, (select string_agg(cast(id as text), ',') from
               (select id from
                  (select chunk_id as id from chunk_word where words @@ cast(wanted.value as tsquery) offset 0) as held
                order by id limit $2) as list) as ids
             from json_array_elements_text(cast($1 as json)) with ordinality as wanted (value, place)"
        }
    }
}

/// The statement that counts the chunks that hold the look-up bound as `$1`, up to `$2`.
pub(crate) fn count_sql(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "select count(*) from (select rowid from chunk_word where chunk_word match $1 limit $2) as list"
        }
        Dialect::Postgres => {
            "select count(*) from (select 1 from chunk_word where words @@ cast($1 as tsquery) limit $2) as list"
        }
    }
}

/// The statement that tells which of these chunks belong to matching files; it binds them to `matching`. Each is looked up
/// by its own key, and `limit` keeps the other conditions out of that: else the planner may read all of the customer's
/// files for every chunk, which costs a second.
pub(crate) fn shown_sql(matching: &mut Conditions, chunks: &[i64]) -> String {
    let wanted = matching.integers(chunks);
    format!(
        "select wanted.value as id from {wanted} as wanted where
           (select count(*) from
              (select {MATCHED} from file where file.id = (select chunk.file_id from chunk where chunk.id = wanted.value)
               limit 1) as file {}) = 1",
        matching.sql()
    )
}

impl SearchStore {
    /// Chunks of shown files that are found by words of `text`, best first, at most `k`; the best has the score 1.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chunks_with_words(
        &self,
        customer: CustomerId,
        filters: &FileFilters,
        text: &str,
        k: usize,
    ) -> Result<Scored, StoreError> {
        if filters.nothing || k == 0 {
            return Ok(Vec::new());
        }
        let mut tx = self.pool.begin_with(begin_sql(self.dialect)).await?;
        let wanted = wanted(text, &languages(&mut tx, customer).await?);
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.found(&mut tx, customer, &wanted).await?;
        let several = found.iter().filter(|chunks| !chunks.is_empty()).count() > 1;
        let all = if several { self.searchable_chunks(&mut tx, customer).await? } else { 1 };
        let shown = self.shown(&mut tx, customer, filters, rank(&found, all), k).await?;
        tx.commit().await?;
        Ok(shown)
    }

    async fn found(
        &self,
        reader: &mut AnyConnection,
        customer: CustomerId,
        wanted: &[Wanted],
    ) -> Result<Found, StoreError> {
        let mut found = vec![Scored::new(); wanted.len()];
        let exact = wanted
            .iter()
            .enumerate()
            .flat_map(|(place, one)| lookups(self.dialect, customer.0, place, &one.spellings));
        self.read_lists(reader, &exact.collect::<Vec<_>>(), &mut found).await?;
        // A word that is nowhere may be the start of a compound.
        let more: Vec<Lookup> = wanted
            .iter()
            .enumerate()
            .filter(|(place, _)| found[*place].is_empty())
            .filter_map(|(place, one)| Some((place, longer(one.word.as_deref()?))))
            .flat_map(|(place, spelling)| lookups(self.dialect, customer.0, place, &[spelling]))
            .collect();
        self.read_lists(reader, &more, &mut found).await?;
        Ok(found)
    }

    async fn read_lists(
        &self,
        reader: &mut AnyConnection,
        lookups: &[Lookup],
        found: &mut Found,
    ) -> Result<(), StoreError> {
        if lookups.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = lookups.iter().map(|lookup| lookup.text.as_str()).collect();
        let rows = sqlx::query(lists_sql(self.dialect))
            .bind(json!(texts).to_string())
            .bind(LIST_MAX)
            .fetch_all(&mut *reader)
            .await?;
        let mut lists: Vec<(usize, String)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let place: i64 = row.try_get("place")?;
            let ids: Option<String> = row.try_get("ids")?;
            lists.extend(usize::try_from(place).ok().zip(ids));
        }
        for (place, ids) in &lists {
            let Some(lookup) = lookups.get(*place) else { continue };
            let ids = ids.split(',').filter_map(|id| id.parse().ok());
            found[lookup.wanted].extend(ids.map(|id| (id, lookup.worth)));
        }
        // Look-ups stand best first for each word: the first that names a chunk tells the most that it is worth.
        for chunks in found {
            chunks.sort_by_key(|(chunk, _)| *chunk);
            chunks.dedup_by_key(|(chunk, _)| *chunk);
        }
        Ok(())
    }

    /// How many chunks the customer has in the index, up to [`LIST_MAX`].
    async fn searchable_chunks(
        &self,
        reader: &mut AnyConnection,
        customer: CustomerId,
    ) -> Result<usize, StoreError> {
        let quote = if self.dialect == Dialect::Sqlite { '"' } else { '\'' };
        let count: i64 = sqlx::query_scalar(count_sql(self.dialect))
            .bind(format!("{quote}{}{quote}", every(customer.0)))
            .bind(LIST_MAX)
            .fetch_one(&mut *reader)
            .await?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// The best `k` of the ranked whose files are shown and match.
    async fn shown(
        &self,
        reader: &mut AnyConnection,
        customer: CustomerId,
        filters: &FileFilters,
        ranked: Scored,
        k: usize,
    ) -> Result<Scored, StoreError> {
        let matching = self.matching(customer, 0, filters);
        let mut kept = Scored::new();
        let (mut rest, mut step) = (ranked.as_slice(), STEP.max(k));
        while !rest.is_empty() && kept.len() < k {
            let (some, others) = rest.split_at(step.min(rest.len()));
            let ids: Vec<i64> = some.iter().map(|(chunk, _)| *chunk).collect();
            let mut shown = HashSet::new();
            let mut among = matching.clone();
            let statement = shown_sql(&mut among, &ids);
            for row in among.bind(sqlx::query(sql(statement))).fetch_all(&mut *reader).await? {
                shown.insert(row.try_get::<i64, _>("id")?);
            }
            kept.extend(some.iter().filter(|(chunk, _)| shown.contains(chunk)).take(k - kept.len()));
            (rest, step) = (others, step.saturating_mul(2));
        }
        let best = kept.first().map_or(1.0, |(_, score)| *score);
        Ok(kept.into_iter().map(|(chunk, score)| (chunk, score / best)).collect())
    }
}

/// The languages of a customer's chunks.
async fn languages(reader: &mut AnyConnection, customer: CustomerId) -> Result<Vec<Language>, StoreError> {
    let codes: Vec<String> =
        sqlx::query_scalar("select language from customer_language where customer_id = $1 order by language")
            .bind(customer.0)
            .fetch_all(reader)
            .await?;
    Ok(codes.iter().map(|code| Language::of(code)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_looks_at_the_best_and_no_more_than_it_may() {
        let words = |first: usize, worth: f64| -> Scored {
            (first..=first + CANDIDATES_MAX / 2).map(|chunk| (chunk as i64, worth)).collect()
        };
        // One chunk more than may be looked at, and it is the worst.
        let mut found = vec![words(0, 2.0), words(CANDIDATES_MAX / 2 + 1, 1.0)];
        let worst = i64::MAX;
        found[1].push((worst, 0.1));
        let ranked = rank(&found, 2 * CANDIDATES_MAX);
        assert_eq!(ranked.len(), CANDIDATES_MAX);
        assert!(ranked[0].1 > ranked[CANDIDATES_MAX - 1].1);
        assert!(ranked.iter().all(|(chunk, _)| *chunk != worst));
    }

    #[test]
    fn what_words_say_about_a_chunk_adds_up() {
        let found = vec![vec![(1, 1.0), (3, 1.0)], vec![(2, 1.0), (3, 2.0)]];
        let ranked = rank(&found, 10);
        assert_eq!(ranked.iter().map(|(chunk, _)| *chunk).collect::<Vec<_>>(), [3, 1, 2]);
        assert!((ranked[0].1 - 3.0 * ranked[1].1).abs() < 1e-9, "{ranked:?}");
    }
}

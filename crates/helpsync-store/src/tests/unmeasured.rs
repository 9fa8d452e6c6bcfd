//! Plans of Postgres for tables that it knows nothing of yet, as during a first sync.

use crate::Dialect;
use crate::db::sql;
use crate::sync::page_counts::counted_sql;
use crate::sync::page_rows::known_sql;
use crate::sync::unchanged::hashes_sql;
use crate::testing::postgres;

#[tokio::test]
async fn the_articles_of_a_page_are_looked_up_in_the_index_and_compared_with_nothing_else() {
    let store = postgres().await;
    let mut connection = store.store.pool.acquire().await.unwrap();
    // As a connection decides that has seen a statement some times.
    sqlx::query("set plan_cache_mode = force_generic_plan").execute(&mut *connection).await.unwrap();
    let dialect = Dialect::Postgres;
    let counted = counted_sql(dialect, ["$1", "$3", "$2"]);
    for (statement, third) in
        [(hashes_sql(dialect), "text"), (known_sql(dialect), "bigint"), (counted, "bigint")]
    {
        let prepare = format!("prepare looked_at (bigint, text, {third}) as {statement}");
        sqlx::raw_sql(sql(prepare)).execute(&mut *connection).await.unwrap();
        let explain = "explain (costs off) execute looked_at (1, '[1, 2]', '1')".to_owned();
        let plan: Vec<String> = sqlx::query_scalar(sql(explain)).fetch_all(&mut *connection).await.unwrap();
        let is_looked_up = |step: &String| {
            step.contains("Index Cond: ((connection_id = $1) AND (article_id = (wanted.value)")
        };
        assert!(plan.iter().any(is_looked_up), "{plan:#?}");
        sqlx::query("deallocate looked_at").execute(&mut *connection).await.unwrap();
    }
}

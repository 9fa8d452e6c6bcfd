//! Texts written with nothing around them: what the database alone takes for them.

use crate::{Store, StoreError};

/// HTML, Markdown and text of an article.
pub type Texts<'a> = [&'a str; 3];

/// A table of texts and nothing else.
#[derive(Debug)]
pub struct BareTexts<'a> {
    store: &'a Store,
    written: i64,
}

impl<'a> BareTexts<'a> {
    /// Makes the table.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(store: &'a Store) -> Result<Self, StoreError> {
        let table = "create table bare (id bigint primary key, html text, markdown text, plain text)";
        sqlx::query(table).execute(&store.pool).await?;
        Ok(Self { store, written: 0 })
    }

    /// One statement an article, and one transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn write(&mut self, page: &[Texts<'_>]) -> Result<(), StoreError> {
        let mut write = self.store.write().await?;
        for [html, markdown, plain] in page {
            self.written += 1;
            sqlx::query("insert into bare values ($1, $2, $3, $4)")
                .bind(self.written)
                .bind(*html)
                .bind(*markdown)
                .bind(*plain)
                .execute(&mut *write.tx)
                .await?;
        }
        write.commit().await
    }
}

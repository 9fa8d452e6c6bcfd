//! Backups of a test's database on Postgres.

use sqlx::{AnyConnection, Connection as _, Executor as _};

use super::{Home, TestStore};
use crate::db::sql;

impl TestStore {
    /// Keeps the database as it is now, for [`TestStore::restore`]; of a store on Postgres that nobody is connected to.
    ///
    /// # Panics
    /// When somebody is connected to it, or it is none on Postgres.
    pub async fn back_up(&self) {
        let (server, name) = self.home.database();
        execute_at(server, &format!("create database {name}_backup template {name}")).await;
    }

    /// Puts the database back to what it was at [`TestStore::back_up`].
    ///
    /// # Panics
    /// When there is no backup.
    pub async fn restore(&self) {
        let (server, name) = self.home.database();
        execute_at(server, &format!("drop database {name} with (force)")).await;
        execute_at(server, &format!("create database {name} template {name}_backup")).await;
    }
}

pub(super) async fn execute_at(server: &str, statement: &str) {
    let mut connection = AnyConnection::connect(server).await.expect("a server");
    connection.execute(sql(statement.to_owned())).await.expect(statement);
}

impl Home {
    /// The server and the database's name.
    fn database(&self) -> (&str, &str) {
        match self {
            Self::Database { server, name } => (server, name),
            Self::Folder { .. } => panic!("a store in a folder is copied as files"),
        }
    }
}

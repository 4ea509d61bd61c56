use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, QueryBuilder, SqliteConnection};
use worktruck_agents::import::Parsed;
use worktruck_benches::Result;
use worktruck_core::EntityId;
use worktruck_core::entity::Entity as _;

/// How many rows one transaction inserts: as many as a commit of the import.
pub(super) const BATCH: usize = 1_000;

/// A contact as a plain table has it.
#[derive(Debug)]
pub(super) struct Row {
    id: Vec<u8>,
    body: String,
    text: String,
}

/// The contacts as rows, ready to be inserted.
pub(super) fn rows(parsed: &Parsed) -> Result<Vec<Row>> {
    let ids = worktruck_agents::clock::RandomIds::new();
    let row = |contact: &worktruck_core::entity::contact::Contact| {
        let id = EntityId::new(&ids, worktruck_core::Timestamp::EPOCH).as_uuid().as_bytes().to_vec();
        Ok(Row { id, body: serde_json::to_string(contact)?, text: contact.texts().joined() })
    };
    parsed.contacts.iter().map(|imported| row(&imported.contact)).collect()
}

/// A table of contacts and an index of their words.
#[derive(Debug)]
pub(super) struct Plain {
    connection: SqliteConnection,
}

/// The index of words finds what that of the store finds: beginnings of words without case and accents.
const TABLES: &str = "
    CREATE TABLE contact (rid INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, body TEXT NOT NULL);
    CREATE VIRTUAL TABLE search USING fts5 (
        words, content = '', contentless_delete = 1, detail = none, prefix = '2 3',
        tokenize = 'unicode61 remove_diacritics 2'
    );";

impl Plain {
    /// An empty table, as durable as the store.
    pub(super) async fn create(path: &Path) -> Result<Self> {
        let mut connection = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "0")
            .pragma("cache_size", "-65536")
            .disable_statement_logging()
            .connect()
            .await?;
        connection.execute(TABLES).await?;
        Ok(Self { connection })
    }

    /// Inserts rows in a transaction.
    pub(super) async fn insert(&mut self, rows: &[Row]) -> Result<()> {
        let mut tx = self.connection.begin().await?;
        let first: i64 =
            sqlx::query_scalar("SELECT coalesce(max(rid), 0) + 1 FROM contact").fetch_one(&mut *tx).await?;
        let mut insert = QueryBuilder::new("INSERT INTO contact (rid, id, body) ");
        insert.push_values((first..).zip(rows), |mut values, (rid, row)| {
            values.push_bind(rid).push_bind(&row.id).push_bind(&row.body);
        });
        insert.build().execute(&mut *tx).await?;
        let mut insert = QueryBuilder::new("INSERT INTO search (rowid, words) ");
        insert.push_values((first..).zip(rows), |mut values, (rid, row)| {
            values.push_bind(rid).push_bind(&row.text);
        });
        insert.build().execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    pub(super) async fn close(self) -> Result<()> {
        Ok(self.connection.close().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_inserted_is_found_by_the_beginning_of_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let mut plain = Plain::create(&folder.path().join("plain.db")).await.unwrap();
        let row = |id, text: &str| Row { id: vec![id], body: "{}".to_owned(), text: text.to_owned() };
        plain.insert(&[row(1, "Zoë Novak"), row(2, "Ada King")]).await.unwrap();
        plain.insert(&[row(3, "Mary Zoeller")]).await.unwrap();
        let found: Vec<i64> = sqlx::query_scalar("SELECT rowid FROM search WHERE search MATCH 'zo*' ORDER BY rowid")
            .fetch_all(&mut plain.connection)
            .await
            .unwrap();
        assert_eq!(found, [1, 3]);
    }
}

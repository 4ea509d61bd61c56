use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use worktruck_core::{Error, Result};

/// Where a store is, and how it is used.
///
/// # Examples
///
/// ```
/// use worktruck_store_pg::PgOptions;
///
/// let options = PgOptions::parse("postgres://localhost/crm")?.with_schema("agents")?;
/// assert_eq!(options.schema(), "agents");
/// assert!(PgOptions::parse("sqlite://crm.db").is_err());
/// assert!(PgOptions::parse("postgres://localhost/crm")?.with_schema("a; DROP").is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone)]
pub struct PgOptions {
    connect: PgConnectOptions,
    schema: String,
    readers: u32,
    writers: u32,
    poll_interval: Duration,
    statement_timeout: Duration,
    listens: bool,
    migrates: bool,
    shares: bool,
}

/// How long the server lets a transaction of ours stand still: a process may be stopped in one.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

impl PgOptions {
    /// The store that `url` names, as libpq knows it: `postgres://user:password@host:port/database`.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is not such a URL.
    pub fn parse(url: &str) -> Result<Self> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Error::invalid(
                "the address of a PostgreSQL store is postgres:// and what follows, such as postgres://localhost/crm",
            ));
        }
        // The error repeats parts of the address, which may have a password in it.
        let connect = PgConnectOptions::from_str(url)
            .map_err(|_| Error::invalid("the address of the PostgreSQL store cannot be read"))?;
        Ok(Self {
            connect: connect.application_name("worktruck"),
            schema: "worktruck".to_owned(),
            readers: 8,
            writers: 2,
            poll_interval: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(30),
            listens: true,
            migrates: true,
            shares: false,
        })
    }

    /// Keeps the store in `schema`; `worktruck` unless set.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it is not 1 to 63 of `a-z`, `0-9` and `_`, beginning with no digit, or if it
    /// is one of PostgreSQL's own.
    pub fn with_schema(mut self, schema: impl Into<String>) -> Result<Self> {
        let schema = schema.into();
        let fits = (1..=63).contains(&schema.len())
            && schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !schema.starts_with(|c: char| c.is_ascii_digit());
        if !fits {
            return Err(Error::invalid("a schema has 1 to 63 of a-z, 0-9 and _, and begins with no digit"));
        }
        if schema.starts_with("pg_") || schema == "information_schema" {
            return Err(Error::invalid(format!("the schema {schema} is PostgreSQL's own: name another")));
        }
        self.schema = schema;
        Ok(self)
    }

    /// Reads through up to `readers` connections; 8 unless set. One more claims and renews, one accepts
    /// runs, and one listens.
    #[must_use]
    pub const fn with_readers(mut self, readers: u32) -> Self {
        self.readers = if readers == 0 { 1 } else { readers };
        self
    }

    /// Commits through up to `writers` connections, each a group at a time; 2 unless set. One more is for
    /// commits that change entities.
    #[must_use]
    pub const fn with_writers(mut self, writers: u32) -> Self {
        self.writers = if writers == 0 { 1 } else { writers };
        self
    }

    /// How long a waiting worker may miss work when no notification comes; one second unless set.
    #[must_use]
    pub const fn with_poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// How long the server works on one statement at most; 30 seconds unless set.
    #[must_use]
    pub const fn with_statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// Listens for no notifications: workers look for work as often as the poll interval says.
    #[must_use]
    pub const fn without_notifications(mut self) -> Self {
        self.listens = false;
        self
    }

    /// Works through a pool that gives every transaction another connection of the server, such as
    /// PgBouncer in its transaction mode.
    ///
    /// Such a pool knows no notifications, so that workers look for work as often as the poll
    /// interval says; no settings of a connection and no prepared statements, so that every call
    /// takes two more round trips and is planned anew.
    #[must_use]
    pub const fn behind_transaction_pool(mut self) -> Self {
        self.listens = false;
        self.shares = true;
        self
    }

    /// Leaves the schema as it is: opening fails if it is not what this software needs.
    #[must_use]
    pub const fn without_migrations(mut self) -> Self {
        self.migrates = false;
        self
    }

    /// The schema that the store is in.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) const fn readers(&self) -> u32 {
        self.readers
    }

    pub(crate) const fn writers(&self) -> u32 {
        self.writers
    }

    pub(crate) const fn poll_interval(&self) -> Duration {
        self.poll_interval
    }

    pub(crate) const fn listens(&self) -> bool {
        self.listens
    }

    pub(crate) const fn migrates(&self) -> bool {
        self.migrates
    }

    /// Where the store is, for people: without a password.
    pub(crate) fn place(&self) -> String {
        let database = self.connect.get_database().unwrap_or_else(|| self.connect.get_username());
        match self.connect.get_socket() {
            Some(path) => format!("{database} at {}:{}", path.display(), self.connect.get_port()),
            None => format!("{database} at {}:{}", self.connect.get_host(), self.connect.get_port()),
        }
    }

    /// A connection with the settings of the server.
    pub(crate) fn plain(&self) -> PgConnectOptions {
        self.connect.clone()
    }

    /// A connection for reads.
    pub(crate) fn reading(&self) -> Session {
        let millis = |time: Duration| time.as_millis().to_string();
        Session {
            connect: self.connect.clone(),
            shares: self.shares,
            settings: vec![
                ("search_path", self.schema.clone()),
                // A statement that waited for a lock goes on with what it finds then.
                ("default_transaction_isolation", "read committed".to_owned()),
                ("statement_timeout", millis(self.statement_timeout)),
                ("idle_in_transaction_session_timeout", millis(IDLE_IN_TRANSACTION)),
                ("jit", "off".to_owned()),
                // There is an index for whatever is asked, also where the planner would rather read all.
                ("enable_seqscan", "off".to_owned()),
            ],
        }
    }

    /// A connection for writes: they name each row by its key. Their plans are kept for a while, and a plan
    /// that was made while a table was small must not read the table when it is not. So rows are
    /// what counts: a few by their keys are always less than all of them.
    pub(crate) fn writing(&self) -> Session {
        let mut session = self.reading();
        let settings = [
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("seq_page_cost", "0.01"),
            ("random_page_cost", "0.01"),
            ("cpu_tuple_cost", "1"),
            ("cpu_index_tuple_cost", "1"),
        ];
        session.settings.extend(settings.map(|(name, value)| (name, value.to_owned())));
        session
    }
}

/// How to connect, and the settings that statements rely on.
#[derive(Clone)]
pub(crate) struct Session {
    connect: PgConnectOptions,
    settings: Vec<(&'static str, String)>,
    shares: bool,
}

impl Session {
    /// How to connect: with the settings, where they last as long as the connection.
    pub(crate) fn connect(&self) -> PgConnectOptions {
        if self.shares {
            // A statement that was prepared in one transaction may not be there in the next.
            return self.connect.clone().statement_cache_capacity(0);
        }
        self.connect.clone().options(self.settings.iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// What begins a transaction that sees one moment, changes nothing and may take as long as it needs.
    pub(crate) fn look(&self) -> String {
        let set: String = self.settings.iter().map(|(name, value)| format!("SET LOCAL {name} = '{value}'; ")).collect();
        format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; DEALLOCATE ALL; {set}SET LOCAL statement_timeout = 0")
    }

    /// What begins each transaction, where the settings last no longer than one.
    pub(crate) fn begin(&self) -> Option<String> {
        let set = self.settings.iter().map(|(name, value)| format!("; SET LOCAL {name} = '{value}'"));
        // Others have prepared statements of the same names on this connection of the server.
        self.shares.then(|| format!("BEGIN ISOLATION LEVEL READ COMMITTED; DEALLOCATE ALL{}", set.collect::<String>()))
    }
}

/// Without the address, which may have a password.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PgOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgOptions")
            .field("place", &self.place())
            .field("schema", &self.schema)
            .field("readers", &self.readers)
            .field("writers", &self.writers)
            .field("poll_interval", &self.poll_interval)
            .field("statement_timeout", &self.statement_timeout)
            .field("listens", &self.listens)
            .field("migrates", &self.migrates)
            .finish()
    }
}

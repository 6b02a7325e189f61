//! Opening the database: the folder, the journal, the schema, the processes that died.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::super::{StoreError, live};
use super::{Database, live_folder, sql};

/// How long a statement waits for another process.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections that read.
const READERS: u32 = 4;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

impl Database {
    /// Opens the database in a folder, makes it if need be, and brings it to the newest schema.
    pub(in crate::store) async fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("peapod.db");
        let refused = |error: std::io::Error| StoreError::Open {
            path: path.clone(),
            reason: error.to_string(),
        };
        make_folder(folder).map_err(refused)?;
        // Setting the journal mode and migrating do not wait for each other by themselves.
        let lock = Lock::take(&folder.join("open.lock"), &path).await?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(PATIENCE)
            .foreign_keys(true);
        let writing = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(writing)
            .await
            .map_err(|error| opening(&path, error))?;
        if let Err(error) = MIGRATIONS.run(&writer).await {
            writer.close().await;
            return Err(migrating(&path, error));
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_lazy_with(options.read_only(true));
        drop(lock);
        let database = Self {
            path,
            folder: folder.to_owned(),
            writer,
            readers,
        };
        database.interrupt_the_dead(Timestamp::now()).await?;
        Ok(database)
    }

    /// Marks the runs of processes that ended without saying so.
    async fn interrupt_the_dead(&self, now: Timestamp) -> Result<(), StoreError> {
        let live = live_folder(&self.folder);
        let running: Vec<(i64, String)> = sqlx::query_as(sql::RUNNING)
            .fetch_all(&self.writer)
            .await
            .map_err(self.failed())?;
        for (run, owner) in running.into_iter().filter(|(_, owner)| !live::lives(&live, owner)) {
            let query = sqlx::query(sql::INTERRUPT)
                .bind(now.as_millisecond())
                .bind(run)
                .bind(owner);
            query.execute(&self.writer).await.map_err(self.failed())?;
        }
        live::sweep(&live);
        Ok(())
    }
}

/// Makes the folder, and tells git to leave it alone: results are not part of a vault's history.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(".gitignore"), "*\n")
}

/// Held while a process opens the database.
struct Lock {
    _file: std::fs::File,
}

impl Lock {
    async fn take(path: &Path, database: &Path) -> Result<Self, StoreError> {
        let refused = |error: std::io::Error| StoreError::Open {
            path: database.to_owned(),
            reason: error.to_string(),
        };
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(refused)?;
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(std::fs::TryLockError::Error(error)) => return Err(refused(error)),
                Err(std::fs::TryLockError::WouldBlock) if std::time::Instant::now() > deadline => {
                    return Err(StoreError::Busy {
                        path: database.to_owned(),
                        seconds: PATIENCE.as_secs(),
                    });
                }
                Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

fn opening(path: &Path, error: sqlx::Error) -> StoreError {
    let reason = error.to_string();
    opening_or(path, error, |_| StoreError::Open {
        path: path.to_owned(),
        reason,
    })
}

/// The errors of SQLite that a person can do something about, by their primary result code.
pub(super) fn opening_or(path: &Path, error: sqlx::Error, other: impl FnOnce(sqlx::Error) -> StoreError) -> StoreError {
    let code = error
        .as_database_error()
        .and_then(|error| error.code())
        .and_then(|code| code.parse::<i32>().ok());
    match code.map(|code| code & 0xff) {
        Some(5 | 6) => StoreError::Busy {
            path: path.to_owned(),
            seconds: PATIENCE.as_secs(),
        },
        Some(11 | 26) => StoreError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        },
        Some(8 | 13 | 14) => StoreError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        },
        _ => other(error),
    }
}

fn migrating(path: &Path, error: sqlx::migrate::MigrateError) -> StoreError {
    use sqlx::migrate::MigrateError;
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    match error {
        MigrateError::VersionMissing(found) if found > known => StoreError::Newer {
            path: path.to_owned(),
            found,
            known,
        },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => opening(path, error),
        error => StoreError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        },
    }
}

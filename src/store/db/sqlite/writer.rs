//! The write connection, with group commit: writes that arrive during a commit share the next one.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection, query, sqlite::SqliteConnectOptions,
};
use tokio::sync::{mpsc, oneshot};

use super::error::{self, DbError};
use crate::error::{Error, Result};

/// Maximum number of writes in one commit.
const BATCH: usize = 256;

/// When a committed write is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// Before the caller gets its reply.
    Immediate,
    /// With the next immediate write. Survives a crash of the process at once, and a power failure from then
    /// on.
    Deferred,
}

/// Handle of the writer task.
pub(super) struct Writer(mpsc::Sender<Message>);

enum Message {
    Command(Durability, Box<dyn Command>),
    Close(oneshot::Sender<Result<()>>),
}

impl Writer {
    /// Spawns the writer task. A submitted write is applied even if its caller is dropped.
    pub(super) fn spawn(options: SqliteConnectOptions) -> Self {
        let (sender, inbox) = mpsc::channel(BATCH);
        tokio::spawn(WriterTask { options, conn: None }.run(inbox));
        Self(sender)
    }

    /// Submits a write and waits for its commit. A write that fails is rolled back.
    pub(super) fn run<T, F>(&self, durability: Durability, write: F) -> BoxFuture<'_, Result<T>>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, DbError>>
            + Send
            + 'static,
    {
        Box::pin(async move {
            let (reply, outcome) = oneshot::channel();
            let command = Box::new(Pending { write: Some(write), outcome: None, reply });
            let message = Message::Command(durability, command);
            self.0.send(message).await.map_err(|_| error::closed())?;
            outcome.await.map_err(|_| error::closed())?
        })
    }

    /// Applies the writes that were submitted before and closes the connection.
    pub(super) async fn close(&self) -> Result<()> {
        let (reply, closed) = oneshot::channel();
        if self.0.send(Message::Close(reply)).await.is_err() {
            return Ok(()); // closed before
        }
        closed.await.map_err(|_| error::closed())?
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.0.max_capacity() - self.0.capacity();
        f.debug_struct("Writer").field("waiting", &waiting).finish()
    }
}

/// A write of any type, together with its caller's channel.
trait Command: Send {
    /// Applies the write and keeps its outcome.
    fn apply<'a>(
        &'a mut self,
        conn: &'a mut SqliteConnection,
    ) -> BoxFuture<'a, Result<(), Arc<Error>>>;

    /// Replies to the caller, once the whole batch is committed or rolled back.
    fn reply(self: Box<Self>, committed: Result<(), Arc<Error>>);
}

struct Pending<T, F> {
    write: Option<F>,
    outcome: Option<Result<T, Arc<Error>>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Command for Pending<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, DbError>>
        + Send
        + 'static,
{
    fn apply<'a>(
        &'a mut self,
        conn: &'a mut SqliteConnection,
    ) -> BoxFuture<'a, Result<(), Arc<Error>>> {
        Box::pin(async move {
            let write = self.write.take().expect("a command is applied once");
            let outcome = write(conn).await.map_err(|error| Arc::new(Error::from(error)));
            let done = outcome.as_ref().map(drop).map_err(Arc::clone);
            self.outcome = Some(outcome);
            done
        })
    }

    fn reply(self: Box<Self>, committed: Result<(), Arc<Error>>) {
        // The error of the write itself is more specific than that of the batch.
        let outcome = match self.outcome {
            Some(outcome @ Err(_)) => outcome,
            outcome => committed.and_then(|()| outcome.expect("a committed command was applied")),
        };
        // The caller may have been dropped.
        let _ = self.reply.send(outcome.map_err(Error::shared));
    }
}

/// Applies writes, one batch at a time.
struct WriterTask {
    options: SqliteConnectOptions,
    // `None` before the first write, and after a failure that may have left a transaction open.
    conn: Option<WriteConnection>,
}

struct WriteConnection {
    sqlite: SqliteConnection,
    durability: Option<Durability>,
}

impl WriterTask {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH);
        while inbox.recv_many(&mut messages, BATCH).await > 0 {
            let (mut immediate, mut deferred, mut closing) = (Vec::new(), Vec::new(), Vec::new());
            for message in messages.drain(..) {
                match message {
                    Message::Command(Durability::Immediate, command) => immediate.push(command),
                    Message::Command(Durability::Deferred, command) => deferred.push(command),
                    Message::Close(reply) => closing.push(reply),
                }
            }
            // Deferred writes go first, because they do not wait for the disk.
            self.apply(deferred, Durability::Deferred).await;
            self.apply(immediate, Durability::Immediate).await;
            if !closing.is_empty() {
                // Later writes fail as closed; earlier ones are applied.
                inbox.close();
                self.finish(closing, &mut inbox).await;
                return;
            }
        }
    }

    async fn apply(&mut self, mut batch: Vec<Box<dyn Command>>, durability: Durability) {
        if batch.is_empty() {
            return;
        }
        let committed = self.commit(&mut batch, durability).await;
        if committed.is_err() {
            self.disconnect().await;
        }
        for command in batch {
            command.reply(committed.clone());
        }
    }

    /// Applies all writes in one transaction. A write that fails is rolled back to its savepoint, and the
    /// others stay.
    async fn commit(
        &mut self,
        batch: &mut [Box<dyn Command>],
        durability: Durability,
    ) -> Result<(), Arc<Error>> {
        let conn = self.connect(durability).await.map_err(shared)?;
        execute(conn, "BEGIN IMMEDIATE").await.map_err(shared)?;
        for command in batch {
            execute(conn, "SAVEPOINT command").await.map_err(shared)?;
            if let Err(error) = command.apply(conn).await {
                // After some failures, such as a full disk, SQLite has rolled back the whole transaction:
                // the savepoint is missing then, and the error is that of every write in the batch.
                execute(conn, "ROLLBACK TO command").await.map_err(|_| error)?;
            }
            execute(conn, "RELEASE command").await.map_err(shared)?;
        }
        execute(conn, "COMMIT").await.map_err(shared)
    }

    async fn connect(
        &mut self,
        durability: Durability,
    ) -> Result<&mut SqliteConnection, sqlx::Error> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => WriteConnection { sqlite: self.options.connect().await?, durability: None },
        };
        if conn.durability != Some(durability) {
            let synchronous = match durability {
                Durability::Immediate => "PRAGMA synchronous = FULL",
                Durability::Deferred => "PRAGMA synchronous = NORMAL",
            };
            execute(&mut conn.sqlite, synchronous).await?;
            conn.durability = Some(durability);
        }
        Ok(&mut self.conn.insert(conn).sqlite)
    }

    /// Closes a connection that may have an open transaction, which rolls it back. The next batch opens a
    /// new one.
    async fn disconnect(&mut self) {
        if let Some(conn) = self.conn.take()
            && let Err(error) = conn.sqlite.close().await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the write connection of the media database could not be closed"
            );
        }
    }

    async fn finish(
        &mut self,
        mut closing: Vec<oneshot::Sender<Result<()>>>,
        inbox: &mut mpsc::Receiver<Message>,
    ) {
        while let Some(message) = inbox.recv().await {
            match message {
                Message::Command(durability, command) => {
                    self.apply(vec![command], durability).await;
                }
                Message::Close(reply) => closing.push(reply),
            }
        }
        let closed = match self.conn.take() {
            Some(conn) => conn.sqlite.close().await,
            None => Ok(()),
        };
        let closed = closed.map_err(shared);
        for reply in closing {
            let _ = reply.send(closed.clone().map_err(Error::shared));
        }
    }
}

async fn execute(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    query(sql).execute(conn).await.map(drop)
}

fn shared(source: sqlx::Error) -> Arc<Error> {
    Arc::new(error::database(source))
}

#[cfg(test)]
mod tests;

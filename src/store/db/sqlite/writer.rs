//! The one connection that writes. Those who come while it is busy share the next commit.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection, query, sqlite::SqliteConnectOptions,
};
use tokio::sync::{mpsc, oneshot};

use super::error::{self, Fault};
use crate::error::{Error, Result};

/// How many operations share a commit at most.
const BATCH: usize = 256;

/// A change of the database.
pub(super) trait Operation: Send + 'static {
    /// What the caller gets once the change is committed.
    type Answer: Send + 'static;

    /// Whether the change is on the disk when the caller gets the answer. Otherwise it outlives this
    /// process, and an outage of power only if a durable one was made after it.
    const DURABLE: bool;

    /// Makes the change. After a fault nothing of it stays.
    fn apply(
        &self,
        conn: &mut SqliteConnection,
    ) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;
}

/// The way to the task that writes.
pub(super) struct Writer(mpsc::Sender<Message>);

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<Result<()>>),
}

impl Writer {
    /// Begins to wait for operations. They are made whether or not their callers stay.
    pub(super) fn spawn(options: SqliteConnectOptions) -> Self {
        let (sender, inbox) = mpsc::channel(BATCH);
        tokio::spawn(Desk { options, conn: None }.serve(inbox));
        Self(sender)
    }

    pub(super) async fn run<O: Operation>(&self, operation: O) -> Result<O::Answer> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Pending { operation, outcome: None, reply });
        self.0.send(Message::Job(job)).await.map_err(|_| error::closed())?;
        answer.await.map_err(|_| error::closed())?
    }

    /// Finishes what was handed in before and closes the connection.
    pub(super) async fn close(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        if self.0.send(Message::Close(reply)).await.is_err() {
            return Ok(()); // closed before
        }
        answer.await.map_err(|_| error::closed())?
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.0.max_capacity() - self.0.capacity();
        f.debug_struct("Writer").field("waiting", &waiting).finish()
    }
}

/// An operation of any kind, with the one who waits for it.
trait Job: Send {
    fn is_durable(&self) -> bool;

    /// Makes the change and keeps what came of it.
    fn apply<'a>(
        &'a mut self,
        conn: &'a mut SqliteConnection,
    ) -> BoxFuture<'a, Result<(), Arc<Error>>>;

    /// Tells the caller, once all of the batch is committed or none.
    fn answer(self: Box<Self>, committed: Result<(), Arc<Error>>);
}

struct Pending<O: Operation> {
    operation: O,
    outcome: Option<Result<O::Answer, Arc<Error>>>,
    reply: oneshot::Sender<Result<O::Answer>>,
}

impl<O: Operation> Job for Pending<O> {
    fn is_durable(&self) -> bool {
        O::DURABLE
    }

    fn apply<'a>(
        &'a mut self,
        conn: &'a mut SqliteConnection,
    ) -> BoxFuture<'a, Result<(), Arc<Error>>> {
        Box::pin(async move {
            let outcome = self.operation.apply(conn).await;
            let outcome = outcome.map_err(|fault| Arc::new(Error::from(fault)));
            let done = outcome.as_ref().map(drop).map_err(Arc::clone);
            self.outcome = Some(outcome);
            done
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<Error>>) {
        // Its own fault says more than that of the batch.
        let outcome = match self.outcome {
            Some(outcome @ Err(_)) => outcome,
            outcome => committed.and_then(|()| outcome.expect("it was applied to be committed")),
        };
        // A caller who went away has no use for it.
        let _ = self.reply.send(outcome.map_err(Error::shared));
    }
}

/// Where operations are made, one batch at a time.
struct Desk {
    options: SqliteConnectOptions,
    // None before the first operation, and after a failure that may have left it half way.
    conn: Option<Conn>,
}

struct Conn {
    sqlite: SqliteConnection,
    durable: Option<bool>,
}

impl Desk {
    async fn serve(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH);
        while inbox.recv_many(&mut messages, BATCH).await > 0 {
            let (mut durable, mut volatile, mut closing) = (Vec::new(), Vec::new(), Vec::new());
            for message in messages.drain(..) {
                match message {
                    Message::Job(job) if job.is_durable() => durable.push(job),
                    Message::Job(job) => volatile.push(job),
                    Message::Close(reply) => closing.push(reply),
                }
            }
            // Those that need not wait for the disk do not.
            self.run(volatile, false).await;
            self.run(durable, true).await;
            if !closing.is_empty() {
                // What still comes is answered that this is closed; what came before is made.
                inbox.close();
                self.finish(closing, &mut inbox).await;
                return;
            }
        }
    }

    async fn run(&mut self, mut jobs: Vec<Box<dyn Job>>, durable: bool) {
        if jobs.is_empty() {
            return;
        }
        let committed = self.commit(&mut jobs, durable).await;
        if committed.is_err() {
            self.give_up().await;
        }
        for job in jobs {
            job.answer(committed.clone());
        }
    }

    /// Makes all operations in one transaction. One that fails is undone and the others stay.
    async fn commit(&mut self, jobs: &mut [Box<dyn Job>], durable: bool) -> Result<(), Arc<Error>> {
        let conn = self.conn(durable).await.map_err(shared)?;
        execute(conn, "BEGIN IMMEDIATE").await.map_err(shared)?;
        for job in jobs {
            execute(conn, "SAVEPOINT operation").await.map_err(shared)?;
            if let Err(fault) = job.apply(conn).await {
                // After some faults, of a full disk for one, SQLite has undone everything by itself:
                // then there is nothing to go back to, and the fault is that of all.
                execute(conn, "ROLLBACK TO operation").await.map_err(|_| fault)?;
            }
            execute(conn, "RELEASE operation").await.map_err(shared)?;
        }
        execute(conn, "COMMIT").await.map_err(shared)
    }

    async fn conn(&mut self, durable: bool) -> Result<&mut SqliteConnection, sqlx::Error> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => Conn { sqlite: self.options.connect().await?, durable: None },
        };
        if conn.durable != Some(durable) {
            let synchronous =
                if durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
            execute(&mut conn.sqlite, synchronous).await?;
            conn.durable = Some(durable);
        }
        Ok(&mut self.conn.insert(conn).sqlite)
    }

    /// Closes a connection that may be half way, which undoes what is open. The next batch has a new
    /// one.
    async fn give_up(&mut self) {
        if let Some(conn) = self.conn.take()
            && let Err(error) = conn.sqlite.close().await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "a db's connection broke");
        }
    }

    async fn finish(
        &mut self,
        closing: Vec<oneshot::Sender<Result<()>>>,
        inbox: &mut mpsc::Receiver<Message>,
    ) {
        let mut closing = closing;
        while let Some(message) = inbox.recv().await {
            match message {
                Message::Job(job) => {
                    let durable = job.is_durable();
                    self.run(vec![job], durable).await;
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

//! A wire between a store and its server that can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use worktruck_store_pg::PgOptions;

use crate::fixture::Database;

/// A way to a database on which answers can be lost.
#[derive(Debug)]
pub(crate) struct Wire {
    address: String,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// How many answers still pass, if it has been said.
    passing: AtomicUsize,
    is_losing: AtomicBool,
    lost: AtomicUsize,
    /// Changes when all connections break.
    cuts: watch::Sender<u64>,
    is_down: AtomicBool,
}

impl Wire {
    pub(crate) async fn to(database: &Database) -> Self {
        let url = database.url();
        let (scheme_and_user, rest) = url.rsplit_once('@').unwrap_or(("postgres://postgres", &url));
        let (host, name) = rest.split_once('/').expect("an address with a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let address = format!("{scheme_and_user}@127.0.0.1:{port}/{name}?sslmode=disable");
        let state = Arc::new(State {
            passing: AtomicUsize::new(0),
            is_losing: AtomicBool::new(false),
            lost: AtomicUsize::new(0),
            cuts: watch::Sender::new(0),
            is_down: AtomicBool::new(false),
        });
        tokio::spawn(serve(listener, host.to_owned(), Arc::clone(&state)));
        Self { address, state }
    }

    pub(crate) fn options(&self) -> PgOptions {
        PgOptions::parse(&self.address).expect("an address").without_notifications()
    }

    /// Loses one answer of the server, to whomever it is: the one after the next `passing`.
    /// What it answers has been done.
    pub(crate) fn lose_an_answer(&self, passing: usize) {
        self.state.passing.store(passing, Ordering::SeqCst);
        self.state.is_losing.store(true, Ordering::SeqCst);
    }

    /// How many answers were lost.
    pub(crate) fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }

    /// Breaks every connection, and lets nobody through until the wire is mended.
    pub(crate) fn cut(&self) {
        self.state.is_down.store(true, Ordering::SeqCst);
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub(crate) fn mend(&self) {
        self.state.is_down.store(false, Ordering::SeqCst);
    }
}

async fn serve(listener: TcpListener, server: String, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        if state.is_down.load(Ordering::SeqCst) {
            continue;
        }
        let server = TcpStream::connect(&server).await.expect("a server");
        let mut cuts = state.cuts.subscribe();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            tokio::select! {
                () = forward(from_client, to_server) => {}
                () = answers(from_server, to_client, &state) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // Either end may go at any time.
    drop(copy(&mut from, &mut to).await);
}

/// Passes the server's messages on, each a letter, its length and what it says, until an answer is
/// to be lost. The last message of an answer has the letter Z.
async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) {
    loop {
        let mut head = [0; 5];
        if from.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = usize::try_from(u32::from_be_bytes([head[1], head[2], head[3], head[4]])).expect("a length");
        let mut message = head.to_vec();
        message.resize(length + 1, 0);
        if from.read_exact(&mut message[5..]).await.is_err() {
            return;
        }
        if state.is_losing.load(Ordering::SeqCst) {
            let is_last = head[0] == b'Z';
            if state.passing.load(Ordering::SeqCst) == 0 {
                if is_last {
                    state.is_losing.store(false, Ordering::SeqCst);
                    state.lost.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                continue;
            }
            if is_last {
                state.passing.fetch_sub(1, Ordering::SeqCst);
            }
        }
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
}

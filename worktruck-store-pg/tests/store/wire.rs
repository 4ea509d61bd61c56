//! A wire between a store and its server that can be cut, and on which answers can be lost or held.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, split};
use tokio::net::{TcpListener, TcpStream, UnixStream};
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
    /// How many answers still pass before one is held, if it has been said.
    until_held: AtomicUsize,
    is_holding: AtomicBool,
    /// Whether an answer is being held.
    held: watch::Sender<bool>,
    /// Changes when all connections break.
    cuts: watch::Sender<u64>,
    is_down: AtomicBool,
}

impl Wire {
    pub(crate) async fn to(database: &Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (_, rest) = database.url().split_once("://").expect("an address");
        let user = rest.split_once('@').map_or("postgres", |(user, _)| user);
        let address = format!("postgres://{user}@127.0.0.1:{port}/{}?sslmode=disable", database.name());
        let state = Arc::new(State {
            passing: AtomicUsize::new(0),
            is_losing: AtomicBool::new(false),
            lost: AtomicUsize::new(0),
            until_held: AtomicUsize::new(0),
            is_holding: AtomicBool::new(false),
            held: watch::Sender::new(false),
            cuts: watch::Sender::new(0),
            is_down: AtomicBool::new(false),
        });
        let server = PgConnectOptions::from_str(database.url()).expect("an address");
        tokio::spawn(serve(listener, server, Arc::clone(&state)));
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

    /// Holds the answer after the next `passing` back, until it is let go.
    pub(crate) fn hold_an_answer(&self, passing: usize) {
        self.state.until_held.store(passing, Ordering::SeqCst);
        self.state.is_holding.store(true, Ordering::SeqCst);
    }

    /// Returns as soon as an answer is held.
    pub(crate) async fn until_held(&self) {
        self.state.held.subscribe().wait_for(|held| *held).await.expect("the wire is there");
    }

    /// Lets the answer that is held go, and holds no other.
    pub(crate) fn let_go(&self) {
        self.state.is_holding.store(false, Ordering::SeqCst);
        self.state.held.send_replace(false);
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

async fn serve(listener: TcpListener, server: PgConnectOptions, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        if state.is_down.load(Ordering::SeqCst) {
            continue;
        }
        let (host, port) = (server.get_host(), server.get_port());
        match server.get_socket() {
            Some(folder) => {
                let socket = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await;
                tokio::spawn(join(client, socket.expect("a server"), Arc::clone(&state)));
            }
            None => {
                let socket = TcpStream::connect((host, port)).await;
                tokio::spawn(join(client, socket.expect("a server"), Arc::clone(&state)));
            }
        }
    }
}

async fn join(client: TcpStream, server: impl AsyncRead + AsyncWrite, state: Arc<State>) {
    let mut cuts = state.cuts.subscribe();
    let (mut from_client, to_client) = split(client);
    let (from_server, mut to_server) = split(server);
    tokio::select! {
        // Either end may go at any time.
        _ = copy(&mut from_client, &mut to_server) => {}
        () = answers(from_server, to_client, &state) => {}
        _ = cuts.changed() => {}
    }
}

/// Passes the server's messages on, each a letter, its length and what it says, until an answer is
/// to be lost. The last message of an answer has the letter Z.
async fn answers(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, state: &State) {
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
        if head[0] == b'Z' && state.is_holding.load(Ordering::SeqCst) {
            if state.until_held.load(Ordering::SeqCst) == 0 {
                state.is_holding.store(false, Ordering::SeqCst);
                state.held.send_replace(true);
                state.held.subscribe().wait_for(|held| !held).await.expect("the wire is there");
            } else {
                state.until_held.fetch_sub(1, Ordering::SeqCst);
            }
        }
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
}

//! A server that speaks the wire format of an API from recorded bodies.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What the server says to one request.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
    /// How many bytes come at once.
    pieces: usize,
    ending: Ending,
}

/// What follows the body.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Whole,
    Broken,
    Silent,
    Endless,
}

impl Answer {
    /// A stream of events.
    pub(crate) fn stream(body: impl AsRef<[u8]>) -> Self {
        let headers = vec![("content-type", "text/event-stream; charset=utf-8")];
        Self { status: 200, headers, body: body.as_ref().to_vec(), pieces: PIECES, ending: Ending::Whole }
    }

    /// A JSON body.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        let headers = vec![("content-type", "application/json")];
        Self { status, headers, body: body.into(), pieces: PIECES, ending: Ending::Whole }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The body comes in pieces of so many bytes.
    pub(crate) fn in_pieces_of(self, pieces: usize) -> Self {
        Self { pieces, ..self }
    }

    /// The connection breaks after the body.
    pub(crate) fn then_broken(self) -> Self {
        Self { ending: Ending::Broken, ..self }
    }

    /// The connection stays open after the body, and nothing comes.
    pub(crate) fn then_silent(self) -> Self {
        Self { ending: Ending::Silent, ..self }
    }

    /// The body comes again and again.
    pub(crate) fn without_end(self) -> Self {
        Self { ending: Ending::Endless, ..self }
    }
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A server on loopback that lives as long as the test's runtime.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) base_url: String,
    received: UnboundedReceiver<Received>,
    ended: UnboundedReceiver<()>,
}

#[derive(Clone, Debug)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    received: UnboundedSender<Received>,
    ended: UnboundedSender<()>,
}

impl Server {
    /// Gives these answers, one per request.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let (received, receiver) = unbounded_channel();
        let (ended, ends) = unbounded_channel();
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        let router = Router::new().fallback(answer).with_state(Script { answers, received, ended });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base_url, received: receiver, ended: ends }
    }

    /// The next request.
    pub(crate) async fn received(&mut self) -> Received {
        soon(self.received.recv()).await
    }

    /// Whether no request is waiting to be looked at.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.received.try_recv().is_err()
    }

    /// Waits until the body of an answer is done with: sent, or no longer wanted.
    pub(crate) async fn ended(&mut self) {
        soon(self.ended.recv()).await;
    }
}

async fn soon<T>(value: impl Future<Output = Option<T>>) -> T {
    tokio::time::timeout(Duration::from_secs(20), value).await.expect("it happens in time").expect("the server lives")
}

async fn answer(State(script): State<Script>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let (method, target, headers) = (head.method, head.uri.to_string(), head.headers);
    script.received.send(Received { method, target, headers, body }).unwrap();

    let Some(answer) = script.answers.lock().unwrap().pop_front() else {
        return Response::builder().status(StatusCode::IM_A_TEAPOT).body(Body::empty()).unwrap();
    };
    let pieces: Vec<_> = answer.body.chunks(answer.pieces).map(Bytes::copy_from_slice).map(Ok).collect();
    let last = Last { ended: script.ended };
    let again = Bytes::from(answer.body);
    let rest = match answer.ending {
        Ending::Whole => stream::once(async move { drop(last) }).filter_map(|()| async { None }).boxed(),
        Ending::Broken => stream::once(async move {
            drop(last);
            Err(std::io::Error::other("broken"))
        })
        .boxed(),
        // The future keeps `last`, which tells of its end when the connection is closed.
        Ending::Silent => stream::once(async move {
            std::future::pending::<()>().await;
            drop(last);
            Ok(Bytes::new())
        })
        .boxed(),
        Ending::Endless => stream::repeat_with(move || {
            let _kept = &last;
            Ok(again.clone())
        })
        .boxed(),
    };
    let body = Body::from_stream(stream::iter(pieces).chain(rest));
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(body).unwrap()
}

/// A size that splits lines, characters and JSON texts.
const PIECES: usize = 17;

struct Last {
    ended: UnboundedSender<()>,
}

impl Drop for Last {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.ended.send(());
    }
}

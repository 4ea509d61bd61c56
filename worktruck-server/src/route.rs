//! Routes, each registered together with what documents it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use futures::future::BoxFuture;
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::Answer;
use crate::body::Body;
use crate::call::{Call, Context};
use crate::query::Pairs;
use crate::takes::Takes;
use crate::{Action, Domain, Failure, Scope, schema};

/// One route, with what documents it.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Behind the prefix of the API.
    pub(crate) path: String,
    pub(crate) summary: String,
    /// What whoever asks must be allowed to do; nothing if that depends.
    pub(crate) scope: Option<Scope>,
    pub(crate) domain: Domain,
    pub(crate) takes: Takes,
    /// The schema of its own parameters.
    pub(crate) query: fn(&mut SchemaGenerator) -> Value,
    pub(crate) body_types: &'static [&'static str],
    pub(crate) body: fn(&mut SchemaGenerator) -> Option<Value>,
    pub(crate) status: StatusCode,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) answer_types: &'static [&'static str],
    pub(crate) answer: fn(&mut SchemaGenerator) -> Option<Value>,
    /// Whether its body is a file.
    pub(crate) is_import: bool,
    /// Whether the answer holds a secret.
    pub(crate) is_secret: bool,
    /// The time that the request may ask to wait, beside that which it may take.
    pub(crate) wait: Duration,
    pub(crate) run: Arc<Run>,
}

pub(crate) type Run = dyn Fn(Asked) -> BoxFuture<'static, Result<Response, Failure>> + Send + Sync;

/// A request before its own parts are read.
pub(crate) struct Asked {
    pub(crate) context: Context,
    /// The parameters of the route's own, and their names.
    pub(crate) pairs: Pairs,
    pub(crate) known: Arc<[String]>,
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Routes of one domain.
#[derive(Debug)]
pub(crate) struct Routes {
    domain: Domain,
    routes: Vec<Route>,
}

impl Routes {
    /// No routes yet.
    pub(crate) const fn of(domain: Domain) -> Self {
        Self { domain, routes: Vec::new() }
    }

    /// `GET` of one thing, which may be about another moment.
    pub(crate) fn get<Q: Query, A: Answer, F: Answers<Q, (), A>>(self, path: &str, summary: &str, run: F) -> Self {
        self.plain(path, summary, run).takes(|takes| takes.at = true)
    }

    /// `GET` of a page, which may be about another moment.
    pub(crate) fn list<Q: Query, A: Answer, F: Answers<Q, (), A>>(self, path: &str, summary: &str, run: F) -> Self {
        self.page(path, summary, run).takes(|takes| takes.at = true)
    }

    /// `GET` of a page that is about no moment.
    pub(crate) fn page<Q: Query, A: Answer, F: Answers<Q, (), A>>(self, path: &str, summary: &str, run: F) -> Self {
        self.plain(path, summary, run).takes(|takes| takes.page = true)
    }

    /// `GET` of something that is about no moment.
    pub(crate) fn plain<Q: Query, A: Answer, F: Answers<Q, (), A>>(self, path: &str, summary: &str, run: F) -> Self {
        self.add(Method::GET, path, summary, run)
    }

    /// `POST`.
    pub(crate) fn post<Q: Query, B: Body, A: Answer, F: Answers<Q, B, A>>(
        self,
        path: &str,
        summary: &str,
        run: F,
    ) -> Self {
        self.add(Method::POST, path, summary, run).takes(|takes| takes.valid = true)
    }

    /// `PATCH`, and `PUT` as another name of it.
    pub(crate) fn patch<Q: Query, B: Body, A: Answer, F: Answers<Q, B, A>>(
        self,
        path: &str,
        summary: &str,
        run: F,
    ) -> Self {
        let patched = self.add(Method::PATCH, path, summary, run.clone()).takes(|takes| takes.valid = true);
        let summary = format!("{summary} The same as PATCH.");
        patched.add(Method::PUT, path, &summary, run).takes(|takes| takes.valid = true)
    }

    /// `PUT` of something that is there or not.
    pub(crate) fn put<Q: Query, B: Body, A: Answer, F: Answers<Q, B, A>>(
        self,
        path: &str,
        summary: &str,
        run: F,
    ) -> Self {
        self.add(Method::PUT, path, summary, run).takes(|takes| takes.valid = true)
    }

    /// `DELETE`.
    pub(crate) fn delete<Q: Query, B: Body, A: Answer, F: Answers<Q, B, A>>(
        self,
        path: &str,
        summary: &str,
        run: F,
    ) -> Self {
        self.add(Method::DELETE, path, summary, run).takes(|takes| takes.valid = true)
    }

    /// The last route knows `q`.
    pub(crate) fn searched(self) -> Self {
        self.takes(|takes| takes.search = true)
    }

    /// The last route knows `sort`, by the words of `S`.
    pub(crate) fn sorted<S: JsonSchema>(self) -> Self {
        let by = schema::words(&S::json_schema(&mut SchemaGenerator::default()).to_value());
        self.takes(|takes| takes.sorts = by)
    }

    /// The last route writes nothing over valid time.
    pub(crate) fn at_once(self) -> Self {
        self.takes(|takes| takes.valid = false)
    }

    /// The last route asks for no scope by itself.
    pub(crate) fn for_everybody(self) -> Self {
        self.last(|route| route.scope = None)
    }

    /// The answer of the last route holds a secret.
    pub(crate) fn secret(self) -> Self {
        self.last(|route| route.is_secret = true)
    }

    /// Requests to the last route may ask to wait for so long.
    pub(crate) fn waiting(self, wait: Duration) -> Self {
        self.last(|route| route.wait = wait)
    }

    pub(crate) fn into_routes(self) -> Vec<Route> {
        self.routes
    }

    fn takes(self, change: impl FnOnce(&mut Takes)) -> Self {
        self.last(|route| change(&mut route.takes))
    }

    fn last(mut self, change: impl FnOnce(&mut Route)) -> Self {
        if let Some(route) = self.routes.last_mut() {
            change(route);
        }
        self
    }

    fn add<Q: Query, B: Body, A: Answer, F: Answers<Q, B, A>>(
        mut self,
        method: Method,
        path: &str,
        summary: &str,
        run: F,
    ) -> Self {
        let action = if method == Method::GET { Action::Read } else { Action::Write };
        let run = move |asked: Asked| -> BoxFuture<'static, Result<Response, Failure>> {
            let run = run.clone();
            Box::pin(async move {
                let Asked { context, pairs, known, media_type, bytes } = asked;
                let query = pairs.rest(&known)?;
                let body = B::read(&media_type, bytes)?;
                let expected = context.said.expected();
                let answer = run.answer(Call { query, body, context }).await;
                answer.map_err(|failure| failure.of_version(expected))?.respond()
            })
        };
        self.routes.push(Route {
            method,
            path: path.to_owned(),
            summary: summary.to_owned(),
            scope: Some(Scope::new(self.domain, action)),
            domain: self.domain,
            takes: Takes::default(),
            query: |generator| Q::json_schema(generator).to_value(),
            body_types: B::TYPES,
            body: B::schema,
            status: A::STATUS,
            headers: A::HEADERS,
            answer_types: A::TYPES,
            answer: A::schema,
            is_import: B::IS_FILE,
            is_secret: false,
            wait: Duration::ZERO,
            run: Arc::new(run),
        });
        self
    }
}

/// The parameters of a route's own.
pub(crate) trait Query: DeserializeOwned + JsonSchema + Send + 'static {}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Query for T {}

/// A handler: a function of a call.
pub(crate) trait Answers<Q, B, A>: Clone + Send + Sync + 'static {
    fn answer(&self, call: Call<Q, B>) -> impl Future<Output = Result<A, Failure>> + Send;
}

impl<Q, B, A, F, R> Answers<Q, B, A> for F
where
    F: Fn(Call<Q, B>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<A, Failure>> + Send,
{
    fn answer(&self, call: Call<Q, B>) -> impl Future<Output = Result<A, Failure>> + Send {
        self(call)
    }
}

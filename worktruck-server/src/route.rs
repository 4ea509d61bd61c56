//! Routes, each registered together with what documents it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use futures::future::BoxFuture;
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::Answer;
use crate::body::Body;
use crate::call::{Call, Common, Context, Said};
use crate::layers::RequestId;
use crate::query::Pairs;
use crate::takes::{Takes, is_id};
use crate::{Action, Domain, Failure, Scope, Service, schema};

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
    is_import: bool,
    /// The time that the request may ask to wait, beside that which it may take.
    wait: Duration,
    run: Arc<Run>,
}

type Run = dyn Fn(Asked) -> BoxFuture<'static, Result<Response, Failure>> + Send + Sync;

/// A request before its own parts are read.
struct Asked {
    context: Context,
    pairs: Pairs,
    known: Arc<[String]>,
    media_type: String,
    bytes: Bytes,
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

impl Route {
    /// It as axum serves it.
    pub(crate) fn serve(self) -> Option<(String, MethodRouter<Service>)> {
        let filter = MethodFilter::try_from(self.method.clone()).ok()?;
        let path = format!("{}{}", crate::PREFIX, self.path);
        let known = schema::property_names(&(self.query)(&mut SchemaGenerator::default()));
        let (route, known): (Arc<Self>, Arc<[String]>) = (Arc::new(self), known.into());
        let handler = move |State(service): State<Service>, request: Request| {
            let (route, known) = (Arc::clone(&route), Arc::clone(&known));
            async move {
                let limits = service.limits();
                let time = if route.is_import { limits.import_timeout } else { limits.timeout } + route.wait;
                match tokio::time::timeout(time, route.answer(service, request, known)).await {
                    Ok(answer) => answer.unwrap_or_else(IntoResponse::into_response),
                    Err(_) => Failure::unavailable(
                        "the request has taken too long; see whether it was done before you try again",
                    )
                    .into_response(),
                }
            }
        };
        Some((path, on(filter, handler)))
    }

    async fn answer(&self, service: Service, request: Request, known: Arc<[String]>) -> Result<Response, Failure> {
        let (mut parts, body) = request.into_parts();
        let principal = service.authenticator().authenticate(&parts).await?;
        let principal = principal
            .ok_or_else(|| Failure::unauthenticated("a credential is missing; send Authorization: Bearer TOKEN"))?;
        if let Some(scope) = self.scope {
            principal.require(scope)?;
        }
        let mut pairs = Pairs::read(parts.uri.query())?;
        let common = Common::read(&mut pairs, &self.takes)?;
        let said = Said::read(&parts.headers, RequestId::of(&parts.extensions))?;
        let path = path_of(&mut parts).await?;
        let (media_type, bytes) = self.body_of(&parts.headers, body, service.limits()).await?;
        let locale = match principal.locale {
            Some(locale) => locale,
            None => service.locale(principal.tenant).await?,
        };
        let place = self.place(&path);
        let context = Context { service, principal, locale, path, place, common, said };
        (self.run)(Asked { context, pairs, known, media_type, bytes }).await
    }

    /// The path with what it names, behind the prefix of the API.
    fn place(&self, named: &[(String, String)]) -> String {
        named.iter().fold(self.path.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
    }

    /// The body, no longer than it may be, and which of the types of the route it has.
    async fn body_of(
        &self,
        headers: &HeaderMap,
        body: axum::body::Body,
        limits: &crate::Limits,
    ) -> Result<(String, Bytes), Failure> {
        let limit = if self.is_import { limits.import } else { limits.body };
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > limit) {
            return Err(Failure::too_large(limit));
        }
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !self.body_types.is_empty() && !self.body_types.contains(&&*essence) {
            return Err(Failure::unsupported(self.body_types));
        }
        let bytes = to_bytes(body, limit).await.map_err(|error| {
            let is_long =
                std::error::Error::source(&error).is_some_and(|cause| cause.to_string().contains("length limit"));
            if is_long { Failure::too_large(limit) } else { Failure::invalid("the body has not come to its end") }
        })?;
        Ok((essence, bytes))
    }
}

/// What the path names; what cannot be read names nothing.
async fn path_of(parts: &mut Parts) -> Result<Vec<(String, String)>, Failure> {
    use axum::extract::FromRequestParts as _;

    let found = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| Failure::not_found())?;
    if found.iter().any(|(name, value)| !is_id(name) && value.contains('\0')) {
        return Err(Failure::invalid("the path contains a NUL character"));
    }
    Ok(found.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

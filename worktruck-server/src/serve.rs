//! From a request of axum to a handler and back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::SchemaGenerator;

use worktruck_core::entity::Locale;

use crate::call::{Common, Context, Said};
use crate::gate::Class;
use crate::idempotency::{self, Next};
use crate::query::Pairs;
use crate::route::{Asked, Route};
use crate::takes::is_id;
use crate::{Failure, Limits, Principal, Service, schema, telemetry};

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
                match tokio::time::timeout(time, route.answer(service, request, known, time)).await {
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

    async fn answer(
        &self,
        service: Service,
        request: Request,
        known: Arc<[String]>,
        time: Duration,
    ) -> Result<Response, Failure> {
        telemetry::routed(&self.method, &self.path);
        let (parts, body) = request.into_parts();
        let principal = service.authenticator().authenticate(&parts).await?;
        let principal = principal
            .ok_or_else(|| Failure::unauthenticated("a credential is missing; send Authorization: Bearer TOKEN"))?;
        telemetry::asked(&principal);
        let told = match principal.limited {
            Some((tenant, plan)) => service.gate().admit(tenant, plan).await?,
            None => None,
        };
        service.gate().count(principal.limited.map_or(principal.tenant, |(tenant, _)| tenant), self.class());
        let answer = self.admitted(service, principal, parts, body, known, time).await;
        let mut response = answer.unwrap_or_else(IntoResponse::into_response);
        if let Some(told) = told {
            told.put(response.headers_mut());
        }
        Ok(response)
    }

    /// The answer to a request that is let through.
    async fn admitted(
        &self,
        service: Service,
        principal: Principal,
        mut parts: Parts,
        body: axum::body::Body,
        known: Arc<[String]>,
        time: Duration,
    ) -> Result<Response, Failure> {
        if let Some(scope) = self.scope {
            principal.require(scope)?;
        }
        let mut pairs = Pairs::read(parts.uri.query())?;
        let common = Common::read(&mut pairs, &self.takes)?;
        let said = Said::read(&parts)?;
        let key = if self.method == Method::POST { idempotency::key(&parts.headers)? } else { None };
        if key.is_some() && self.is_secret && service.vault().is_none() {
            let message =
                "this answer holds a secret, and this server has no vault to keep it in; send no Idempotency-Key";
            return Err(Failure::invalid(message));
        }
        let path = path_of(&mut parts).await?;
        let (media_type, bytes) = self.body_of(&parts.headers, body, service.limits()).await?;
        let locale = match principal.locale {
            Some(locale) => Locale { region: locale.region.or_else(|| service.limits().region), ..locale },
            None => service.locale(principal.tenant).await?,
        };
        let (tenant, place) = (principal.tenant, self.place(&path));
        let attempt = match key {
            None => None,
            Some(key) => {
                let asked = parts.uri.path_and_query().map_or("", |asked| asked.as_str());
                let asked = [asked.as_bytes(), media_type.as_bytes(), &bytes[..]];
                match idempotency::begin(&service, tenant, key, &asked, time).await? {
                    Next::Do(attempt) => Some(attempt),
                    Next::Answer(answer) => return Ok(answer),
                }
            }
        };
        // A file becomes several commits, each of which finds what is there already.
        let of_commit = attempt.clone().filter(|_| !self.is_import);
        let context =
            Context { service: service.clone(), principal, locale, path, place, common, said, attempt: of_commit };
        let answer = (self.run)(Asked { context, pairs, known, media_type, bytes }).await;
        match attempt {
            Some(attempt) => idempotency::end(&service, tenant, &attempt, self.is_secret, answer).await,
            None => answer,
        }
    }

    fn class(&self) -> Class {
        match self.method {
            Method::GET if self.answer_types != ["application/json"] => Class::Export,
            Method::GET if self.takes.page || self.takes.search => Class::Search,
            Method::GET => Class::Read,
            _ => Class::Write,
        }
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
        limits: &Limits,
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
    let found = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| Failure::not_found())?;
    if found.iter().any(|(name, value)| !is_id(name) && value.contains('\0')) {
        return Err(Failure::invalid("the path contains a NUL character"));
    }
    Ok(found.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

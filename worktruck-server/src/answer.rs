//! Answers of handlers.

use std::marker::PhantomData;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};
use worktruck_core::entity::Entity;
use worktruck_core::pim::Stored;
use worktruck_core::{EntityId, Page};

use crate::Failure;
use crate::json::to_value;
use crate::schema::{self, Kept};

/// What a handler answers with.
pub(crate) trait Answer: Send + 'static {
    /// The status of success.
    const STATUS: StatusCode = StatusCode::OK;

    /// The headers that it has.
    const HEADERS: &'static [(&'static str, &'static str)] = &[];

    /// What it is sent as.
    const TYPES: &'static [&'static str] = &["application/json"];

    /// The answer.
    fn respond(self) -> Result<Response, Failure>;

    /// Its schema, if it has a body.
    fn schema(generator: &mut SchemaGenerator) -> Option<Value>;
}

const TAG: (&str, &str) = ("ETag", "The version, in quotes.");
const PLACE: (&str, &str) = ("Location", "Where it is.");

fn json_of(status: StatusCode, body: &Value) -> Response {
    (status, axum::Json(body)).into_response()
}

fn header(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text).map_err(|_| Failure::internal())
}

fn resource_schema<T: JsonSchema + Kept + 'static>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<schema::ResourceOf<T>>().into()
}

/// One entity, with its version as `ETag`.
#[derive(Debug)]
pub(crate) struct One<E> {
    body: Value,
    version: u64,
    kind: PhantomData<fn() -> E>,
}

impl<E> One<E> {
    pub(crate) const fn new(body: Value, version: u64) -> Self {
        Self { body, version, kind: PhantomData }
    }
}

impl<E: Entity> From<Stored<E>> for One<E> {
    fn from(stored: Stored<E>) -> Self {
        Self::new(stored.resource(), stored.version())
    }
}

impl<E: JsonSchema + Kept + 'static> Answer for One<E> {
    const HEADERS: &'static [(&'static str, &'static str)] = &[TAG];

    fn respond(self) -> Result<Response, Failure> {
        let mut response = json_of(Self::STATUS, &self.body);
        response.headers_mut().insert(ETAG, header(&format!("\"{}\"", self.version))?);
        Ok(response)
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(resource_schema::<E>(generator))
    }
}

/// A new entity, and where it is.
#[derive(Debug)]
pub(crate) struct Created<E> {
    one: One<E>,
    location: String,
}

impl<E> Created<E> {
    /// It is below `path`, which begins behind the prefix of the API.
    pub(crate) fn at(path: &str, id: EntityId, one: One<E>) -> Self {
        Self { one, location: format!("{}{path}/{id}", crate::PREFIX) }
    }
}

impl<E: JsonSchema + Kept + 'static> Answer for Created<E> {
    const STATUS: StatusCode = StatusCode::CREATED;
    const HEADERS: &'static [(&'static str, &'static str)] = &[TAG, PLACE];

    fn respond(self) -> Result<Response, Failure> {
        let mut response = self.one.respond()?;
        *response.status_mut() = Self::STATUS;
        response.headers_mut().insert(LOCATION, header(&self.location)?);
        Ok(response)
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(resource_schema::<E>(generator))
    }
}

/// A new part of an entity, and where it is.
#[derive(Debug)]
pub(crate) struct Added<T> {
    pub(crate) part: T,
    pub(crate) path: String,
}

impl<T: JsonSchema + Serialize + Send + 'static> Answer for Added<T> {
    const STATUS: StatusCode = StatusCode::CREATED;
    const HEADERS: &'static [(&'static str, &'static str)] = &[PLACE];

    fn respond(self) -> Result<Response, Failure> {
        let mut response = json_of(Self::STATUS, &to_value(&self.part)?);
        response.headers_mut().insert(LOCATION, header(&format!("{}{}", crate::PREFIX, self.path))?);
        Ok(response)
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(generator.subschema_for::<T>().into())
    }
}

/// A page of entities.
#[derive(Debug)]
pub(crate) struct Many<E>(Page<Value>, PhantomData<fn() -> E>);

impl<E> Many<E> {
    pub(crate) const fn new(page: Page<Value>) -> Self {
        Self(page, PhantomData)
    }

    pub(crate) fn of<T: Serialize>(page: Page<T>) -> Result<Self, Failure> {
        let Page { data, next_cursor, .. } = page;
        let data = data.iter().map(to_value).collect::<Result<_, _>>()?;
        Ok(Self::new(Page::new(data, next_cursor)))
    }
}

impl<E: JsonSchema + Kept + 'static> Answer for Many<E> {
    fn respond(self) -> Result<Response, Failure> {
        Ok(json_of(Self::STATUS, &to_value(&self.0)?))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(schema::page_of(&resource_schema::<E>(generator)))
    }
}

/// A page of versions, some of which say that the entity ended.
#[derive(Debug)]
pub(crate) struct Versions<E>(pub(crate) Many<E>);

impl<E: JsonSchema + Kept + 'static> Answer for Versions<E> {
    fn respond(self) -> Result<Response, Failure> {
        self.0.respond()
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        let ended: Value = generator.subschema_for::<schema::Ended>().into();
        Some(schema::page_of(&json!({ "anyOf": [resource_schema::<E>(generator), ended] })))
    }
}

/// A page of anything else.
#[derive(Debug)]
pub(crate) struct Pages<T>(pub(crate) Page<T>);

impl<T: JsonSchema + Serialize + Send + 'static> Answer for Pages<T> {
    fn respond(self) -> Result<Response, Failure> {
        Ok(json_of(Self::STATUS, &to_value(&self.0)?))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        let item: Value = generator.subschema_for::<T>().into();
        Some(schema::page_of(&item))
    }
}

/// A list of entities that is no page.
#[derive(Debug)]
pub(crate) struct Bare<E>(pub(crate) Vec<Value>, pub(crate) PhantomData<fn() -> E>);

impl<E: JsonSchema + Kept + 'static> Answer for Bare<E> {
    fn respond(self) -> Result<Response, Failure> {
        Ok(json_of(Self::STATUS, &Value::Array(self.0)))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(json!({ "type": "array", "items": resource_schema::<E>(generator) }))
    }
}

/// Anything else in JSON.
#[derive(Debug)]
pub(crate) struct Plain<T>(pub(crate) T);

impl<T: JsonSchema + Serialize + Send + 'static> Answer for Plain<T> {
    fn respond(self) -> Result<Response, Failure> {
        Ok(json_of(Self::STATUS, &to_value(&self.0)?))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(generator.subschema_for::<T>().into())
    }
}

/// Something new in JSON that is no entity, and where it is behind the prefix of the API.
#[derive(Debug)]
pub(crate) struct Made<T> {
    pub(crate) body: T,
    pub(crate) location: String,
}

impl<T: JsonSchema + Serialize + Send + 'static> Answer for Made<T> {
    const STATUS: StatusCode = StatusCode::CREATED;
    const HEADERS: &'static [(&'static str, &'static str)] = &[PLACE];

    fn respond(self) -> Result<Response, Failure> {
        let mut response = json_of(Self::STATUS, &to_value(&self.body)?);
        response.headers_mut().insert(LOCATION, header(&format!("{}{}", crate::PREFIX, self.location))?);
        Ok(response)
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(generator.subschema_for::<T>().into())
    }
}

/// Nothing to say.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Answer for Nothing {
    const STATUS: StatusCode = StatusCode::NO_CONTENT;
    const TYPES: &'static [&'static str] = &[];

    fn respond(self) -> Result<Response, Failure> {
        Ok(Self::STATUS.into_response())
    }

    fn schema(_: &mut SchemaGenerator) -> Option<Value> {
        None
    }
}

/// A file.
#[derive(Debug)]
pub(crate) struct Download<K> {
    pub(crate) media_type: &'static str,
    pub(crate) body: Body,
    pub(crate) kind: PhantomData<fn() -> K>,
}

impl<K: crate::body::FileTypes> Answer for Download<K> {
    const TYPES: &'static [&'static str] = K::TYPES;

    fn respond(self) -> Result<Response, Failure> {
        let mut response = self.body.into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        Ok(response)
    }

    fn schema(_: &mut SchemaGenerator) -> Option<Value> {
        Some(json!({ "type": "string" }))
    }
}

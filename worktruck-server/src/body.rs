//! Bodies of requests.

use std::marker::PhantomData;

use axum::body::Bytes;
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use worktruck_core::entity::read;
use worktruck_core::pim::Nested;

use crate::Failure;
use crate::json::from_bytes;
use crate::schema;
use crate::shown::Shown;

/// The media type of JSON merge patches (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";
const JSON: &str = "application/json";

/// What the body of a request is read as.
pub(crate) trait Body: Sized + Send + 'static {
    /// What it may be sent as; nothing if there is no body.
    const TYPES: &'static [&'static str];

    /// Whether it is a file, which may be longer.
    const IS_FILE: bool = false;

    /// Reads it; `media_type` is one of those above.
    fn read(media_type: &str, bytes: Bytes) -> Result<Self, Failure>;

    /// Its schema, if it is JSON.
    fn schema(generator: &mut SchemaGenerator) -> Option<Value>;
}

/// No body. An empty object is one too: some clients cannot do otherwise.
impl Body for () {
    const TYPES: &'static [&'static str] = &[];

    fn read(_: &str, bytes: Bytes) -> Result<Self, Failure> {
        if bytes.is_empty() || from_bytes(&bytes)? == json!({}) {
            return Ok(());
        }
        Err(Failure::invalid("this address takes no body; leave it out"))
    }

    fn schema(_: &mut SchemaGenerator) -> Option<Value> {
        None
    }
}

/// JSON of a type.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Body for Json<T> {
    const TYPES: &'static [&'static str] = &[JSON];

    fn read(_: &str, bytes: Bytes) -> Result<Self, Failure> {
        let body = from_bytes(&bytes)?;
        if !body.is_object() {
            return Err(Failure::invalid("the body must be an object"));
        }
        Ok(Self(read("body that this address takes", &body)?))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(generator.subschema_for::<T>().into())
    }
}

/// The JSON of a new entity.
#[derive(Debug)]
pub(crate) struct New<E>(pub(crate) Value, PhantomData<fn() -> E>);

impl<E: Shown> Body for New<E> {
    const TYPES: &'static [&'static str] = &[JSON];

    fn read(_: &str, bytes: Bytes) -> Result<Self, Failure> {
        Ok(Self(from_bytes(&bytes)?, PhantomData))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(generator.subschema_for::<schema::NewOf<E>>().into())
    }
}

/// A JSON merge patch of an entity or of a part of one.
#[derive(Debug)]
pub(crate) struct Patch<T>(pub(crate) Value, PhantomData<fn() -> T>);

impl<T: JsonSchema + 'static> Body for Patch<T> {
    const TYPES: &'static [&'static str] = &[MERGE_PATCH, JSON];

    fn read(_: &str, bytes: Bytes) -> Result<Self, Failure> {
        Ok(Self(from_bytes(&bytes)?, PhantomData))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(generator.subschema_for::<schema::PatchOf<T>>().into())
    }
}

/// A JSON merge patch of something that is no entity, which is read as a type that tells null from what is left out.
#[derive(Debug)]
pub(crate) struct Merge<T>(pub(crate) T);

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Body for Merge<T> {
    const TYPES: &'static [&'static str] = &[MERGE_PATCH, JSON];

    fn read(_: &str, bytes: Bytes) -> Result<Self, Failure> {
        Json::read(JSON, bytes).map(|Json(patch)| Self(patch))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(generator.subschema_for::<T>().into())
    }
}

/// The JSON of a new entity that belongs to another, which it does not name.
#[derive(Debug)]
pub(crate) struct NewIn<P>(pub(crate) Value, PhantomData<fn() -> P>);

impl<P: Nested + Shown> Body for NewIn<P> {
    const TYPES: &'static [&'static str] = &[JSON];

    fn read(_: &str, bytes: Bytes) -> Result<Self, Failure> {
        Ok(Self(from_bytes(&bytes)?, PhantomData))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(generator.subschema_for::<schema::NewInOf<P>>().into())
    }
}

/// A JSON merge patch of an entity that belongs to another, and stays with it.
#[derive(Debug)]
pub(crate) struct PatchIn<P>(pub(crate) Value, PhantomData<fn() -> P>);

impl<P: Nested + Shown> Body for PatchIn<P> {
    const TYPES: &'static [&'static str] = &[MERGE_PATCH, JSON];

    fn read(_: &str, bytes: Bytes) -> Result<Self, Failure> {
        Ok(Self(from_bytes(&bytes)?, PhantomData))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(generator.subschema_for::<schema::PatchInOf<P>>().into())
    }
}

/// The JSON of a new part of an entity, in which its id is left out.
#[derive(Debug)]
pub(crate) struct Part<T>(pub(crate) Value, PhantomData<fn() -> T>);

impl<T: JsonSchema + 'static> Body for Part<T> {
    const TYPES: &'static [&'static str] = &[JSON];

    fn read(_: &str, bytes: Bytes) -> Result<Self, Failure> {
        Ok(Self(from_bytes(&bytes)?, PhantomData))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<Value> {
        Some(generator.subschema_for::<schema::PartOf<T>>().into())
    }
}

/// Types of files that are imported.
pub(crate) trait FileTypes: Send + 'static {
    /// Their media types.
    const TYPES: &'static [&'static str];
}

/// A file that is imported.
#[derive(Debug)]
pub(crate) struct File<K> {
    /// One of the media types.
    pub(crate) media_type: String,
    /// Its content.
    pub(crate) bytes: Bytes,
    kind: PhantomData<fn() -> K>,
}

impl<K: FileTypes> Body for File<K> {
    const TYPES: &'static [&'static str] = K::TYPES;
    const IS_FILE: bool = true;

    fn read(media_type: &str, bytes: Bytes) -> Result<Self, Failure> {
        Ok(Self { media_type: media_type.to_owned(), bytes, kind: PhantomData })
    }

    fn schema(_: &mut SchemaGenerator) -> Option<Value> {
        Some(json!({ "type": "string" }))
    }
}

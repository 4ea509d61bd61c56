//! JSON Schemas of what is one text or one number in JSON, behind the feature `schema`.
//!
//! Everything that is an object or a word of a list derives its own beside its definition.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::entity::amount::{Amount, Currency};
use crate::entity::stage::Probability;
use crate::entity::task::Position;
use crate::recurrence::Moment;
use crate::{ApiKeyId, ApprovalId, Cursor, EntityId, ItemId, RunId, StepId, TenantId, Timestamp};

/// Gives types a schema that stands where they are used.
macro_rules! schemas {
    ($($type:ident $schema:tt)*) => {
        $(impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        })*
    };
}

schemas! {
    ApiKeyId { "type": "string", "format": "uuid" }
    ApprovalId { "type": "string", "format": "uuid" }
    EntityId { "type": "string", "format": "uuid" }
    ItemId { "type": "string", "format": "uuid" }
    RunId { "type": "string", "format": "uuid" }
    StepId { "type": "string", "format": "uuid" }
    TenantId { "type": "string", "format": "uuid" }
    Cursor { "type": "string" }
    Timestamp { "type": "string", "format": "date-time" }
    Moment { "type": "string", "anyOf": [{ "format": "date-time" }, { "format": "date" }] }
    Currency { "type": "string", "pattern": "^[A-Z]{3}$" }
    Position { "type": "number" }
    Probability { "type": "number", "minimum": 0, "maximum": 1 }
}

impl JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    /// Answers have text; a number is read too.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = json_schema!({ "type": "string", "pattern": r"^-?\d{1,18}(\.\d{1,6})?$" });
        if generator.contract().is_serialize() {
            return text;
        }
        json_schema!({ "anyOf": [text, { "type": "number" }] })
    }
}

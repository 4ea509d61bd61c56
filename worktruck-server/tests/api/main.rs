//! The API as its clients see it, on every store: statuses, bodies and headers.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

mod access;
mod calendar;
mod changes;
mod contacts;
mod conventions;
mod crm;
mod described;
mod entities;
mod idempotency;
mod notes;
mod openapi;
mod tasks;
mod tenants;
mod trouble;
mod world;

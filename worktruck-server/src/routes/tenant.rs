//! The tenant: what it is called, its API keys, what was done, and how much.

use chrono::Days;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use worktruck_core::store::{
    ApiKey, AuditQuery, AuditRecord, Environment, NewApiKey, NewTenant, Tenant, TenantPatch, UsageDay,
};
use worktruck_core::{ApiKeyId, Digest, Error, ErrorKind, Page, Secret, TenantId, Timestamp};

use crate::answer::{Made, Pages, Plain};
use crate::body::{Json, Merge};
use crate::call::Call;
use crate::gate::date;
use crate::route::Routes;
use crate::{ApiKeys, Domain, Failure, Scope, Scopes};

/// The routes of the tenant.
pub(crate) fn routes() -> Routes {
    Routes::of(Domain::Admin)
        .plain("/tenant", "Reads the tenant.", tenant)
        .patch("/tenant", "Changes the tenant by a merge patch.", update_tenant)
        .at_once()
        .page("/api-keys", "Lists API keys, newest first.", keys)
        .post("/api-keys", "Creates an API key, which is shown once.", create_key)
        .at_once()
        .secret()
        .plain("/api-keys/{id}", "Reads what is known of an API key.", key)
        .post("/api-keys/{id}/rotate", "Puts a new API key in the place of one.", rotate_key)
        .at_once()
        .secret()
        .delete("/api-keys/{id}", "Revokes an API key, on every server at once.", revoke_key)
        .at_once()
        .page("/audit-log", "Lists what was done, newest first.", audit_log)
        .plain("/usage", "Tells how much was asked for, by day.", usage)
}

async fn tenant(call: Call) -> Result<Plain<Tenant>, Failure> {
    let tenant = call.context.principal.tenant;
    Ok(Plain(call.context.service.store().tenant(tenant).await?.ok_or_else(Failure::not_found)?))
}

/// What may change of a tenant.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TenantChange {
    /// Its name for people.
    #[serde(deserialize_with = "given")]
    name: Option<Option<String>>,
    /// The IANA name of the time zone that it lives in.
    timezone: Option<String>,
    /// How many days of history it keeps; everything if null.
    #[serde(deserialize_with = "given")]
    retention_days: Option<Option<u32>>,
}

/// Tells null from what is left out.
fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

async fn update_tenant(call: Call<(), Merge<TenantChange>>) -> Result<Plain<Tenant>, Failure> {
    let TenantChange { name, timezone, retention_days } = call.body.0;
    let patch = TenantPatch { name, plan: None, timezone, retention_days };
    Ok(Plain(call.context.service.store().update_tenant(call.context.principal.tenant, patch).await?))
}

/// An API key to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateApiKey {
    /// Its name for people.
    #[schemars(length(min = 1, max = 512))]
    name: String,
    /// Which data it sees.
    #[serde(default)]
    environment: Environment,
    /// What it may do; everything if left out or null.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// From when on it is refused.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// What is known of an API key.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "ApiKey")]
struct Known {
    /// Names it.
    id: ApiKeyId,
    /// Whose it is.
    tenant_id: TenantId,
    /// Its name for people.
    name: String,
    /// Which data it sees.
    environment: Environment,
    /// What it may do; everything if null.
    scopes: Option<Vec<String>>,
    /// Its last four characters.
    key_hint: String,
    /// Whether it is accepted now.
    is_active: bool,
    /// When it was made.
    created_at: Timestamp,
    /// From when on it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// When it was last used, to within some seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

impl Known {
    fn of(key: ApiKey, now: Timestamp) -> Self {
        Self {
            is_active: key.is_active(now),
            id: key.id,
            tenant_id: key.tenant_id,
            name: key.name,
            environment: key.environment,
            scopes: key.scopes,
            key_hint: key.key_hint,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// A new API key.
#[derive(Debug, JsonSchema, Serialize)]
struct NewKey {
    /// What is known of it.
    #[serde(flatten)]
    known: Known,
    /// The key itself, which nobody is shown again.
    key: String,
}

/// An API key in the place of another.
#[derive(Debug, JsonSchema, Serialize)]
struct Rotated {
    /// The new one.
    new_key: NewKey,
    /// The one that is refused from now on.
    revoked_key_id: ApiKeyId,
}

/// An API key that is refused from now on.
#[derive(Debug, JsonSchema, Serialize)]
struct Revoked {
    /// Names it.
    id: ApiKeyId,
    /// That it is so.
    revoked: bool,
}

impl<Q, B> Call<Q, B> {
    fn api_keys(&self) -> Result<&std::sync::Arc<ApiKeys>, Failure> {
        self.context.service.api_keys().ok_or_else(|| Failure::off("API keys are"))
    }

    fn key_id(&self) -> Result<ApiKeyId, Failure> {
        self.text("id").parse().map_err(|_| Failure::not_found())
    }

    async fn known_key(&self) -> Result<ApiKey, Failure> {
        let (store, tenant) = (self.context.service.store(), self.context.principal.tenant);
        store.api_key(tenant, self.key_id()?).await?.ok_or_else(Failure::not_found)
    }

    /// The tenant whose data test keys of this tenant see, which is made with the first of them.
    async fn test_tenant(&self) -> Result<TenantId, Failure> {
        let (service, tenant) = (&self.context.service, self.context.principal.tenant);
        let digest = Digest::of_bytes(format!("test data of {tenant}").as_bytes());
        let mut random = [0; 10];
        random.copy_from_slice(&digest.as_bytes()[..10]);
        let millis = tenant.as_uuid().get_timestamp().map_or(0, |at| {
            let (seconds, nanos) = at.to_unix();
            seconds * 1_000 + u64::from(nanos / 1_000_000)
        });
        let id = TenantId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid());
        let own = service.store().tenant(tenant).await?.ok_or_else(Failure::not_found)?;
        let slug = format!("test-{}", id.as_uuid().simple());
        let new = NewTenant { name: own.name, timezone: own.timezone, ..NewTenant::new(id, slug) };
        match service.store().create_tenant(new, service.clock().now()).await {
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error.into()),
            Ok(_) | Err(_) => Ok(id),
        }
    }
}

/// Refuses scopes that nobody knows, and those that whoever asks does not have.
fn check_scopes(wanted: Option<&[String]>, own: &Scopes) -> Result<(), Failure> {
    let Some(wanted) = wanted else {
        let all = *own == Scopes::ALL;
        let message = "a key that may do everything is made by one that may; name its scopes";
        return if all { Ok(()) } else { Err(Failure::forbidden(message)) };
    };
    for (at, scope) in wanted.iter().enumerate() {
        let scope: Scope = scope.parse().map_err(|error: Error| error.at(format!("/scopes/{at}")))?;
        if !own.allow(scope) {
            return Err(Failure::forbidden(format!("the credential lacks the scope {scope} that the key is to have")));
        }
    }
    Ok(())
}

async fn create_key(call: Call<(), Json<CreateApiKey>>) -> Result<Made<NewKey>, Failure> {
    let CreateApiKey { name, environment, scopes, expires_at } = &call.body.0;
    check_scopes(scopes.as_deref(), &call.context.principal.scopes)?;
    let tenant = call.context.principal.tenant;
    let sees = match environment {
        Environment::Live => tenant,
        Environment::Test => call.test_tenant().await?,
    };
    let service = &call.context.service;
    let now = service.clock().now();
    let key = ApiKey {
        id: ApiKeyId::new(&**service.ids(), now),
        tenant_id: tenant,
        sees,
        name: name.clone(),
        environment: *environment,
        scopes: scopes.clone(),
        key_hint: String::new(),
        created_at: now,
        expires_at: *expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let (new, secret) = made(call.api_keys()?, key)?;
    let entry = call.audit("api_key.created").of("api_key", new.key.id);
    let (id, known) = (new.key.id, Known::of(new.key.clone(), now));
    service.store().add_api_key(new, entry).await?;
    let body = NewKey { known, key: secret.expose().to_owned() };
    Ok(Made { body, location: format!("/api-keys/{id}") })
}

/// A key, and what is kept of it.
fn made(keys: &ApiKeys, key: ApiKey) -> Result<(NewApiKey, Secret), Failure> {
    let (secret, hash) = keys.make(key.environment)?;
    let key_hint = secret.hint().to_owned();
    Ok((NewApiKey { key: ApiKey { key_hint, ..key }, hash }, secret))
}

async fn keys(call: Call) -> Result<Pages<Known>, Failure> {
    let service = &call.context.service;
    let (tenant, now) = (call.context.principal.tenant, service.clock().now());
    Ok(Pages(service.store().api_keys(tenant, call.page()?).await?.map(|key| Known::of(key, now))))
}

async fn key(call: Call) -> Result<Plain<Known>, Failure> {
    Ok(Plain(Known::of(call.known_key().await?, call.context.service.clock().now())))
}

async fn rotate_key(call: Call) -> Result<Made<Rotated>, Failure> {
    let (service, keys) = (&call.context.service, call.api_keys()?);
    let (old, now) = (call.known_key().await?, service.clock().now());
    check_scopes(old.scopes.as_deref(), &call.context.principal.scopes)?;
    let key = ApiKey { id: ApiKeyId::new(&**service.ids(), now), created_at: now, last_used_at: None, ..old.clone() };
    let (new, secret) = made(keys, key)?;
    let known = Known::of(new.key.clone(), now);
    let mut entry = call.audit("api_key.rotated").of("api_key", old.id);
    entry.metadata.insert("new_key_id".to_owned(), json!(new.key.id));
    let id = new.key.id;
    service.store().revoke_api_key(old.tenant_id, old.id, Some(new), entry, now).await?;
    keys.settle().await;
    let new_key = NewKey { known, key: secret.expose().to_owned() };
    Ok(Made { body: Rotated { new_key, revoked_key_id: old.id }, location: format!("/api-keys/{id}") })
}

async fn revoke_key(call: Call) -> Result<Plain<Revoked>, Failure> {
    let (service, id) = (&call.context.service, call.key_id()?);
    let entry = call.audit("api_key.revoked").of("api_key", id);
    let revoked =
        service.store().revoke_api_key(call.context.principal.tenant, id, None, entry, service.clock().now()).await;
    match revoked {
        // It is deleted, as far as anybody can tell.
        Err(error) if error.kind() == ErrorKind::Conflict => Err(Failure::not_found()),
        revoked => {
            revoked?;
            if let Some(keys) = service.api_keys() {
                keys.settle().await;
            }
            Ok(Plain(Revoked { id, revoked: true }))
        }
    }
}

/// What of the audit log is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Audited {
    /// Only what was done so, such as `api_key.created`.
    action: Option<String>,
    /// Only what was done to a thing of this kind, such as `webhook`.
    resource_type: Option<String>,
    /// Only what this one did.
    actor_id: Option<String>,
}

/// An entry of the audit log.
#[derive(Debug, JsonSchema, Serialize)]
struct AuditLogEntry {
    /// Names it.
    id: uuid::Uuid,
    /// Whose it is.
    tenant_id: TenantId,
    /// What kind of somebody did it.
    actor_type: String,
    /// Who.
    actor_id: String,
    /// What was done.
    action: String,
    /// What it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_type: Option<String>,
    /// Which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    /// The address that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<String>,
    /// The request that asked for it.
    request_id: Option<String>,
    /// What else is to be known.
    metadata: Map<String, Value>,
    /// When it was done.
    created_at: Timestamp,
}

impl From<AuditRecord> for AuditLogEntry {
    fn from(AuditRecord { id, tenant_id, created_at, entry }: AuditRecord) -> Self {
        Self {
            id,
            tenant_id,
            actor_type: entry.actor_type,
            actor_id: entry.actor_id,
            action: entry.action,
            resource_type: entry.resource_type,
            resource_id: entry.resource_id,
            ip_address: entry.ip_address,
            request_id: entry.request_id,
            metadata: entry.metadata,
            created_at,
        }
    }
}

async fn audit_log(call: Call<Audited>) -> Result<Pages<AuditLogEntry>, Failure> {
    let page = call.page()?;
    let Audited { action, resource_type, actor_id } = call.query;
    let query = AuditQuery { action, resource_type, actor_id, page };
    let found = call.context.service.store().audit_log(call.context.principal.tenant, query).await?;
    Ok(Pages(Page::map(found, AuditLogEntry::from)))
}

/// How many days are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Period {
    /// Up to today: 1 to 90, 30 if left out.
    #[schemars(range(min = 1, max = 90))]
    days: Option<u16>,
}

/// How much was asked for on a day in UTC.
#[derive(Debug, JsonSchema, Serialize)]
struct DayOfUsage {
    /// The day.
    date: chrono::NaiveDate,
    /// All requests.
    request_count: u64,
    /// Those that read one thing.
    read_count: u64,
    /// Those that wrote.
    write_count: u64,
    /// Those that listed or searched.
    search_count: u64,
    /// Those that took a whole part of the data out.
    export_count: u64,
    /// What was paid for single requests, as a decimal number of USDC.
    x402_revenue_usdc: String,
}

/// How much was asked for.
#[derive(Debug, JsonSchema, Serialize)]
struct Usage {
    /// The days on which anything was, in order.
    data: Vec<DayOfUsage>,
    /// How many days were looked at.
    period_days: u16,
}

async fn usage(call: Call<Period>) -> Result<Plain<Usage>, Failure> {
    let period_days = call.query.days.unwrap_or(30);
    if !(1..=90).contains(&period_days) {
        return Err(Error::invalid("days must be between 1 and 90").at("/days").into());
    }
    let service = &call.context.service;
    service.gate().flush().await?;
    let today = date(service.clock().now());
    let from = today.checked_sub_days(Days::new(u64::from(period_days) - 1)).unwrap_or(today);
    let owner = call.context.principal.limited.map_or(call.context.principal.tenant, |(owner, _)| owner);
    let found = service.store().usage(owner, from, today).await?;
    let data = found.into_iter().map(|day: UsageDay| DayOfUsage {
        date: day.date,
        request_count: day.request_count,
        read_count: day.read_count,
        write_count: day.write_count,
        search_count: day.search_count,
        export_count: day.export_count,
        x402_revenue_usdc: format!("{}.{:06}", day.x402_revenue / 1_000_000, day.x402_revenue % 1_000_000),
    });
    Ok(Plain(Usage { data: data.collect(), period_days }))
}

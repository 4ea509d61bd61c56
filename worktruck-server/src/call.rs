//! A request as a handler sees it: who asks, about which times, for what.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::header;
use axum::http::request::Parts;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use serde::{Deserialize as _, Serialize};
use worktruck_core::entity::Locale;
use worktruck_core::pim::{Listing, Record, Records};
use worktruck_core::store::{AuditEntry, Provenance};
use worktruck_core::temporal::At;
use worktruck_core::{Cursor, EntityId, Error, ItemId, Page, PageRequest, Timestamp};

use crate::idempotency::Attempt;
use crate::layers::RequestId;
use crate::query::Pairs;
use crate::takes::{Expected, Takes};
use crate::{Failure, Principal, Scope, Service};

/// The longest reason for a write, in characters.
const MAX_REASON_CHARS: usize = 200;

/// A request that may be answered: who asks has the scope of the route, and everything in it can be read.
#[derive(Debug)]
pub(crate) struct Call<Q = (), B = ()> {
    /// The parameters of the query string that are the route's own.
    pub(crate) query: Q,
    /// The body.
    pub(crate) body: B,
    /// The rest.
    pub(crate) context: Context,
}

/// What is the same for all routes.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) service: Service,
    pub(crate) principal: Principal,
    pub(crate) locale: Locale,
    /// What the path names.
    pub(crate) path: Vec<(String, String)>,
    /// The path itself, behind the prefix of the API.
    pub(crate) place: String,
    pub(crate) common: Common,
    pub(crate) said: Said,
    /// The attempt at a request that must be done once.
    pub(crate) attempt: Option<Attempt>,
}

/// The parameters that many routes share.
#[derive(Debug, Default)]
pub(crate) struct Common {
    at: At,
    valid_from: Option<Timestamp>,
    valid_to: Option<Timestamp>,
    limit: Option<u16>,
    cursor: Option<Cursor>,
    sort: Option<String>,
    q: Option<String>,
}

impl Common {
    /// Takes those that a route knows out of the query string.
    pub(crate) fn read(pairs: &mut Pairs, takes: &Takes) -> Result<Self, Failure> {
        let mut common = Self::default();
        if takes.at {
            common.at = At { as_of: pairs.take_as("as_of")?, valid_at: pairs.take_as("valid_at")? };
        }
        if takes.valid {
            common.valid_from = pairs.take_as("valid_from")?;
            common.valid_to = pairs.take_as("valid_to")?;
        }
        if takes.page {
            common.limit = pairs.take("limit").map(|text| limit(&text)).transpose()?;
            common.cursor = pairs.take("cursor").map(Cursor::from_text);
        }
        if !takes.sorts.is_empty() {
            common.sort = pairs.take("sort");
        }
        if takes.search {
            common.q = pairs.take("q");
        }
        Ok(common)
    }
}

/// What is said in headers.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) request_id: String,
    /// The address that asks, if that is known.
    pub(crate) address: Option<String>,
    reason: Option<String>,
    if_match: Option<Expected>,
}

impl Said {
    pub(crate) fn read(parts: &Parts) -> Result<Self, Failure> {
        let (headers, request_id) = (&parts.headers, RequestId::of(&parts.extensions));
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string());
        let reason = headers.get("x-capture-reason").map(|value| {
            let text = std::str::from_utf8(value.as_bytes()).ok().map(str::trim);
            let fits = |text: &&str| (1..=MAX_REASON_CHARS).contains(&text.chars().count());
            text.filter(fits).map(str::to_owned).ok_or_else(|| {
                Failure::invalid(format!("X-Capture-Reason must be 1 to {MAX_REASON_CHARS} characters of UTF-8"))
            })
        });
        let if_match = headers.get(header::IF_MATCH).and_then(|value| {
            let text = value.to_str().unwrap_or_default().trim();
            (text != "*").then(|| version(text).map_or(Expected::Nothing, Expected::Version))
        });
        Ok(Self { request_id, address, reason: reason.transpose()?, if_match })
    }

    pub(crate) const fn expected(&self) -> Option<Expected> {
        self.if_match
    }
}

fn version(tag: &str) -> Option<u64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

fn limit(text: &str) -> Result<u16, Failure> {
    let wrong = || Error::invalid(format!("limit must be between 1 and {}", PageRequest::MAX_LIMIT)).at("/limit");
    let limit = text.parse().map_err(|_| wrong())?;
    if (1..=PageRequest::MAX_LIMIT).contains(&limit) { Ok(limit) } else { Err(wrong().into()) }
}

impl<Q, B> Call<Q, B> {
    /// The entity that the path names first.
    pub(crate) fn id(&self) -> Result<EntityId, Failure> {
        self.named("id")
    }

    /// The entity that the path names `name`; what is no id is the id of nothing.
    pub(crate) fn named(&self, name: &str) -> Result<EntityId, Failure> {
        self.text(name).parse().map_err(|_| Failure::not_found())
    }

    /// The part of an entity that the path names.
    pub(crate) fn item(&self) -> Result<ItemId, Failure> {
        self.text("item_id").parse().map_err(|_| Failure::not_found())
    }

    /// What the path has at `name`.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.context.path.iter().find(|(known, _)| known == name).map_or("", |(_, text)| text)
    }

    /// The records of one kind, at the times that are asked about, as they who ask may read and write them.
    pub(crate) fn records<E: Record>(&self) -> Records<E> {
        let Context { service, principal, locale, common, said, .. } = &self.context;
        let mut provenance = Provenance::new(principal.actor.clone(), said.reason.as_deref().unwrap_or("user_edit"));
        provenance.request_id = Some(said.request_id.clone());
        let mut records = service.pim().records(principal.tenant).with_provenance(provenance).at_home(*locale);
        if let Some(as_of) = common.at.as_of {
            records = records.as_of(as_of);
        }
        if let Some(valid_at) = common.at.valid_at {
            records = records.valid_at(valid_at);
        }
        if let Some(from) = common.valid_from {
            records = records.valid_from(from);
        }
        if let Some(to) = common.valid_to {
            records = records.valid_to(to);
        }
        if let Some(Attempt { key, id, done }) = &self.context.attempt {
            records = records.for_request(key.clone(), *id, done.clone());
        }
        match said.if_match {
            Some(Expected::Version(version)) => records.if_version(version),
            // Versions are counted from 1.
            Some(Expected::Nothing) => records.if_version(0),
            None => records,
        }
    }

    /// What the audit log says of what is done here.
    pub(crate) fn audit(&self, action: &str) -> AuditEntry {
        let Context { principal, said, .. } = &self.context;
        AuditEntry {
            ip_address: said.address.clone(),
            request_id: Some(said.request_id.clone()),
            ..AuditEntry::new(&principal.actor, action)
        }
    }

    /// The page that is asked for.
    pub(crate) fn page(&self) -> Result<PageRequest, Failure> {
        let Common { limit, cursor, .. } = &self.context.common;
        Ok(PageRequest::new(limit.unwrap_or(PageRequest::DEFAULT_LIMIT), cursor.clone())?)
    }

    /// The page that is asked for of a list that an entity holds, which goes on behind the item named last.
    pub(crate) fn part_of_list<T: Clone, K: Serialize + DeserializeOwned + PartialEq>(
        &self,
        items: &[T],
        key: impl Fn(&T) -> K,
    ) -> Result<Page<T>, Failure> {
        let page = self.page()?;
        let scope = ("part of", self.context.principal.tenant, &self.context.place);
        let begin = match page.cursor() {
            None => 0,
            Some(cursor) => {
                let (last, at): (K, usize) = cursor.open(&scope)?;
                // What was before it may have gone.
                items.iter().position(|item| key(item) == last).map_or(at, |place| place + 1).min(items.len())
            }
        };
        let end = begin.saturating_add(page.limit()).min(items.len());
        let data = items[begin..end].to_vec();
        let next = match data.last() {
            Some(last) if end < items.len() => Some(Cursor::seal(&scope, &(key(last), end))?),
            _ => None,
        };
        Ok(Page::new(data, next))
    }

    /// The words that are searched for.
    pub(crate) fn words(&self) -> Option<&str> {
        self.context.common.q.as_deref()
    }

    /// Whether an order is asked for.
    pub(crate) const fn is_sorted(&self) -> bool {
        self.context.common.sort.is_some()
    }

    /// Refuses a search for words in what was.
    pub(crate) fn refuse_words_of_the_past(&self) -> Result<(), Failure> {
        let Common { at, q, .. } = &self.context.common;
        if q.is_some() && at.as_of.is_some() {
            return Err(Error::invalid("a search for words cannot be made with as_of").at("/as_of").into());
        }
        Ok(())
    }

    /// A list in the order and with the page that are asked for.
    pub(crate) fn ordered<'r, E: Record>(&self, mut listing: Listing<'r, E>) -> Result<Listing<'r, E>, Failure> {
        let Common { limit, cursor, sort, q, .. } = &self.context.common;
        if let Some(text) = sort {
            let name = text.strip_prefix('-').unwrap_or(text);
            let reader: StrDeserializer<'_, ValueError> = name.into_deserializer();
            let by = E::Sort::deserialize(reader)
                .map_err(|error| Error::invalid(format!("this list cannot be sorted so: {error}")).at("/sort"))?;
            listing = listing.sort(by);
            if name.len() < text.len() {
                listing = listing.descending();
            }
        }
        if let Some(limit) = limit {
            listing = listing.limit(*limit);
        }
        if let Some(cursor) = cursor {
            listing = listing.after(cursor.clone());
        }
        Ok(match q {
            Some(words) => listing.search(words.as_str()),
            None => listing,
        })
    }

    /// Refuses whoever lacks a scope.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), Failure> {
        self.context.principal.require(scope)
    }
}

impl Principal {
    /// Refuses whoever lacks a scope.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), Failure> {
        if self.scopes.allow(scope) {
            return Ok(());
        }
        Err(Failure::forbidden(format!("the credential lacks the scope {scope}")))
    }
}

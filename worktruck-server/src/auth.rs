//! Who asks, and what they may do.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use worktruck_core::entity::Locale;
use worktruck_core::store::Plan;
use worktruck_core::{Digest, Error, TenantId};

use crate::Failure;

/// Makes an enum of words, with their names.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $word:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $name {
            $($(#[$about])* $word,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word,)*];

            /// Its name in scopes.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text,)*
                }
            }
        }
    };
}

words! {
    /// What a scope is about.
    Domain {
        /// People, organizations and groups.
        Contacts "contacts",
        /// Pipelines and deals.
        Crm "crm",
        /// Projects and tasks.
        Tasks "tasks",
        /// Calendars and events.
        Calendar "calendar",
        /// Notebooks and notes.
        Notes "notes",
        /// Agents, their runs and schedules.
        Agents "agents",
        /// What people decide on calls of agents.
        Approvals "approvals",
        /// External servers of tools.
        Apps "apps",
        /// The tenant, its keys, its webhooks, and erasure.
        Admin "admin",
    }
}

words! {
    /// What a scope allows.
    Action {
        /// To read.
        Read "read",
        /// To write.
        Write "write",
    }
}

/// What somebody may do in one domain, such as `contacts:read`. To write does not include to read.
///
/// # Examples
///
/// ```
/// use worktruck_server::{Action, Domain, Scope};
///
/// let scope: Scope = "contacts:write".parse()?;
/// assert_eq!(scope, Scope::new(Domain::Contacts, Action::Write));
/// assert!("contacts:*".parse::<Scope>().is_err());
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Scope {
    domain: Domain,
    action: Action,
}

impl Scope {
    /// To do `action` in `domain`.
    #[must_use]
    pub const fn new(domain: Domain, action: Action) -> Self {
        Self { domain, action }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.domain.as_str(), self.action.as_str())
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = text.split_once(':').and_then(|(domain, action)| {
            let domain = Domain::ALL.iter().copied().find(|known| known.as_str() == domain)?;
            let action = Action::ALL.iter().copied().find(|known| known.as_str() == action)?;
            Some(Self { domain, action })
        });
        found.ok_or_else(|| Error::invalid(format!("{text:?} is not a scope, such as contacts:read")))
    }
}

/// What a credential allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scopes(Option<BTreeSet<Scope>>);

impl Scopes {
    /// Everything.
    pub const ALL: Self = Self(None);

    /// These and nothing else.
    #[must_use]
    pub fn only(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(Some(scopes.into_iter().collect()))
    }

    /// Whether they allow it.
    #[must_use]
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.as_ref().is_none_or(|known| known.contains(&scope))
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Whose data they see and write.
    pub tenant: TenantId,
    /// What their writes are captured by, such as `key:0194a8b3-…` or `user:ada`.
    pub actor: String,
    /// What they may do.
    pub scopes: Scopes,
    /// Where the tenant is at home, if that is known already; else it is read from the store.
    pub locale: Option<Locale>,
    /// Who is counted for it and what was promised to them; there is no limit if absent.
    pub limited: Option<(TenantId, Plan)>,
}

impl Principal {
    /// Somebody of `tenant` who may do everything.
    pub fn new(tenant: TenantId, actor: impl Into<String>) -> Self {
        Self { tenant, actor: actor.into(), scopes: Scopes::ALL, locale: None, limited: None }
    }

    /// The same, who may do only this.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }
}

/// Finds out who asks. An application brings its own, or asks several in turn.
///
/// # Contract
///
/// - It looks at the credential and nothing else of the request decides who asks.
/// - It takes as long for a credential that is wrong as for one that nobody has.
/// - No text that it gives repeats a credential.
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Who asks; nobody if the request has no credential of a kind that it knows.
    ///
    /// # Errors
    ///
    /// [`Failure::unauthenticated`] if the credential is wrong, expired or revoked, or any other answer.
    async fn authenticate(&self, request: &Parts) -> Result<Option<Principal>, Failure>;
}

/// Bearer tokens that are known when the service starts: for tests, and for an application with few of them.
///
/// It keeps digests and not the tokens.
#[derive(Clone, Debug, Default)]
pub struct FixedTokens(HashMap<Digest, Principal>);

impl FixedTokens {
    /// Nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// And whoever has `token`.
    #[must_use]
    pub fn with(mut self, token: &str, principal: Principal) -> Self {
        self.0.insert(Digest::of_bytes(token.as_bytes()), principal);
        self
    }
}

#[async_trait]
impl Authenticator for FixedTokens {
    async fn authenticate(&self, request: &Parts) -> Result<Option<Principal>, Failure> {
        let Some(token) = bearer(request)? else { return Ok(None) };
        let found = self.0.get(&Digest::of_bytes(token.as_bytes()));
        found.cloned().map(Some).ok_or_else(|| Failure::unauthenticated("the bearer token is not known"))
    }
}

/// Several authenticators, asked in turn until one knows the kind of credential.
#[derive(Clone, Debug)]
pub struct AnyOf(pub Vec<Arc<dyn Authenticator>>);

#[async_trait]
impl Authenticator for AnyOf {
    async fn authenticate(&self, request: &Parts) -> Result<Option<Principal>, Failure> {
        for one in &self.0 {
            if let Some(principal) = one.authenticate(request).await? {
                return Ok(Some(principal));
            }
        }
        Ok(None)
    }
}

/// The bearer token of a request, if it has an `Authorization`.
///
/// # Errors
///
/// [`Failure::unauthenticated`] if that holds anything else.
pub fn bearer(request: &Parts) -> Result<Option<&str>, Failure> {
    let Some(value) = request.headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|text| text.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(Some(token.trim()))
        }
        _ => Err(Failure::unauthenticated("Authorization must be a bearer token: Bearer TOKEN")),
    }
}

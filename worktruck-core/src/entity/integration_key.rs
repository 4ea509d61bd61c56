//! Integration keys: that a tenant has stored a key of another service, and what is known of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result, Timestamp};

use super::text::{check_name, check_object, check_optional, check_url};
use super::{Entity, Index, Kind, Locale};

/// A service that keys are stored for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Cloudflare.
    Cloudflare,
    /// GitHub.
    Github,
    /// Netdata, in its cloud or on a machine of one's own.
    Netdata,
    /// Postmark, a server of it.
    Postmark,
    /// Outstand.
    Outstand,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 5] = [Self::Cloudflare, Self::Github, Self::Netdata, Self::Postmark, Self::Outstand];

    /// Its name in JSON and in paths.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cloudflare => "cloudflare",
            Self::Github => "github",
            Self::Netdata => "netdata",
            Self::Postmark => "postmark",
            Self::Outstand => "outstand",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|provider| provider.as_str() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("{text:?} is not a provider of integrations; there are {known}")).at("/provider")
        })
    }
}

/// What is known of a stored key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// Nobody has asked its provider yet.
    #[default]
    Unverified,
    /// Its provider took it when it was last asked.
    Active,
    /// Its provider does not know it.
    Invalid,
    /// Its provider knows it, and takes it no more: it has expired or was disabled.
    Revoked,
}

impl KeyStatus {
    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Active => "active",
            Self::Invalid => "invalid",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// That a tenant has stored a key of a provider. The key itself is sealed elsewhere; this says where.
///
/// There is at most one for each provider.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::integration_key::{IntegrationKey, Provider};
///
/// let key = IntegrationKey::new(Provider::Netdata, "netdata/1");
/// assert_eq!(key.check().unwrap_err().pointer(), Some("/metadata/base_url"));
/// assert!(IntegrationKey::new(Provider::Github, "github/1").check().is_ok());
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IntegrationKey {
    /// The service.
    pub provider: Provider,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The last four characters of the key; empty where that would show much of it.
    pub key_hint: String,
    /// The name that the key is sealed under.
    pub secret_ref: String,
    /// What is known of the key.
    #[serde(default)]
    pub status: KeyStatus,
    /// What else the provider needs: `base_url` for Netdata, `account_id` for keys of an account of Cloudflare;
    /// and whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// When its provider was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified_at: Option<Timestamp>,
}

/// The index term that names the provider of a key.
pub const PROVIDER_TERM: &str = "provider";

impl IntegrationKey {
    /// A key that is sealed under `secret_ref`, and nothing is known of.
    pub fn new(provider: Provider, secret_ref: impl Into<String>) -> Self {
        Self {
            provider,
            label: None,
            key_hint: String::new(),
            secret_ref: secret_ref.into(),
            status: KeyStatus::Unverified,
            metadata: Map::new(),
            last_verified_at: None,
        }
    }

    /// Where a provider is that is not at the same address for everybody, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        self.metadata.get("base_url").and_then(Value::as_str).map(|url| url.trim_end_matches('/'))
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_optional("/label", self.label.as_deref())?;
        if self.key_hint.chars().nth(4).is_some() {
            return Err(Error::invalid("a hint has at most four characters").at("/key_hint"));
        }
        check_name("/secret_ref", &self.secret_ref)?;
        check_object("/metadata", &self.metadata)?;
        self.check_base_url()
    }

    fn check_base_url(&self) -> Result<()> {
        let wrong = |message: &str| Err(Error::invalid(message).at("/metadata/base_url"));
        let Some(url) = self.metadata.get("base_url") else {
            return match self.provider {
                Provider::Netdata => wrong("netdata needs the address of its API, such as https://app.netdata.cloud"),
                _ => Ok(()),
            };
        };
        let Some(url) = url.as_str() else { return wrong("the address must be a text") };
        check_url("/metadata/base_url", Some(url))?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return wrong("the address must begin with https://");
        }
        if url.contains(['@', '?', '#', '\\']) {
            return wrong("the address must have no credentials, query or fragment");
        }
        Ok(())
    }
}

impl Entity for IntegrationKey {
    const KIND: Kind = Kind::IntegrationKey;

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        Ok(Index::default().term(PROVIDER_TERM, self.provider).term("status", self.status))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entity::{Term, index};

    #[test]
    fn a_field_that_is_wrong_is_refused_at_its_place() {
        let table = [
            (json!({}), None),
            (json!({"label": "ours", "key_hint": "abcd", "status": "revoked", "metadata": {"a": 1}}), None),
            (json!({"label": " "}), Some("/label")),
            (json!({"key_hint": "abcde"}), Some("/key_hint")),
            (json!({"secret_ref": ""}), Some("/secret_ref")),
            (json!({"status": "good"}), Some("/status")),
            (json!({"provider": "gitlab"}), Some("/provider")),
            (json!({"metadata": {"a": "\0"}}), Some("/metadata/a")),
            (json!({"provider": "netdata"}), Some("/metadata/base_url")),
            (json!({"provider": "netdata", "metadata": {"base_url": 1}}), Some("/metadata/base_url")),
            (json!({"provider": "netdata", "metadata": {"base_url": "https://app.netdata.cloud/"}}), None),
        ];
        for (fields, expected) in table {
            let mut body = json!({"provider": "github", "key_hint": "", "secret_ref": "github/1"});
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let found = index(Kind::IntegrationKey, &body);
            assert_eq!(found.as_ref().err().and_then(Error::pointer), expected, "{fields}");
            assert_eq!(found.is_ok(), expected.is_none(), "{fields}");
        }
    }

    #[test]
    fn an_address_with_more_than_a_place_is_refused() {
        let of = |url: &str| {
            let mut key = IntegrationKey::new(Provider::Netdata, "netdata/1");
            key.metadata.insert("base_url".to_owned(), url.into());
            key
        };
        for url in [
            "",
            "ftp://a.example",
            "https://u:p@a.example",
            "https://a.example?x=1",
            "https://a.example#x",
            "a.example",
        ] {
            assert_eq!(of(url).check().unwrap_err().pointer(), Some("/metadata/base_url"), "{url:?}");
        }
        for url in ["https://a.example", "https://a.example:19999/netdata/", "http://10.0.0.1:19999"] {
            of(url).check().unwrap();
        }
        assert_eq!(of("https://a.example/n//").base_url(), Some("https://a.example/n"));
    }

    #[test]
    fn it_is_found_by_its_provider_and_read_as_it_was_written() {
        let body = json!({"provider": "cloudflare", "key_hint": "abcd", "secret_ref": "cloudflare/1",
            "status": "active", "metadata": {}, "last_verified_at": "2026-04-14T18:32:10.000000Z"});
        let key = IntegrationKey::deserialize(&body).unwrap();
        assert_eq!(serde_json::to_value(&key).unwrap(), body);
        let terms = [Term::new(PROVIDER_TERM, "cloudflare"), Term::new("status", "active")];
        assert_eq!(index(Kind::IntegrationKey, &body).unwrap().terms, terms);
        for provider in Provider::ALL {
            assert_eq!(provider.as_str().parse::<Provider>().unwrap(), provider);
            assert_eq!(json!(provider), json!(provider.as_str()));
        }
        assert!("GitHub".parse::<Provider>().is_err());
        for status in [KeyStatus::Unverified, KeyStatus::Active, KeyStatus::Invalid, KeyStatus::Revoked] {
            assert_eq!(json!(status), json!(status.as_str()));
        }
    }
}

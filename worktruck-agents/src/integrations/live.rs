//! One small request to each provider that tells whether it takes a key.

use async_trait::async_trait;
use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use worktruck_core::Secret;
use worktruck_core::entity::integration_key::{IntegrationKey, Provider};

use crate::net::{self, GuardedClient};

use super::verify::{KeyVerifier, Verdict};

/// More of an answer is not read.
const LONGEST_ANSWER: usize = 64 << 10;

/// Where providers are that are at the same address for everybody, without a slash at the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoints {
    /// Cloudflare's API.
    pub cloudflare: String,
    /// GitHub's API, or that of an enterprise server.
    pub github: String,
    /// Postmark's API.
    pub postmark: String,
    /// Outstand's API.
    pub outstand: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            cloudflare: "https://api.cloudflare.com/client/v4".to_owned(),
            github: "https://api.github.com".to_owned(),
            postmark: "https://api.postmarkapp.com".to_owned(),
            outstand: "https://api.outstand.so/v1".to_owned(),
        }
    }
}

/// Asks the providers themselves.
#[derive(Clone, Debug)]
pub struct LiveVerifier {
    client: GuardedClient,
    endpoints: Endpoints,
}

impl LiveVerifier {
    /// Asks through `client`, which decides what addresses may be asked.
    #[must_use]
    pub fn new(client: GuardedClient) -> Self {
        Self { client, endpoints: Endpoints::default() }
    }

    /// Asks at other addresses, say of a gateway.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// A token of a user says of itself what it is. One of an account does so under its account.
    async fn cloudflare(&self, about: &IntegrationKey, key: &Secret) -> Verdict {
        let at = &self.endpoints.cloudflare;
        let user = self
            .ask(&format!("{at}/user/tokens/verify"), Auth::Bearer(key))
            .await
            .map_or_else(Verdict::Unknown, |answer| cloudflare_says(&answer));
        match about.metadata.get("account_id") {
            Some(account) if matches!(user, Verdict::Invalid(_)) => {
                let is_id = |id: &&str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
                let Some(account) = account.as_str().filter(is_id) else {
                    return Verdict::Unknown(
                        "metadata.account_id is no account of cloudflare: 32 hexadecimal digits".to_owned(),
                    );
                };
                let answer = self.ask(&format!("{at}/accounts/{account}/tokens/verify"), Auth::Bearer(key)).await;
                answer.map_or_else(Verdict::Unknown, |answer| cloudflare_says(&answer))
            }
            _ => user,
        }
    }

    /// How much of its limit a token has used is known to every kind of token, and counts against none.
    async fn github(&self, key: &Secret) -> Verdict {
        let answer = self.ask(&format!("{}/rate_limit", self.endpoints.github), Auth::Bearer(key)).await;
        answer.map_or_else(Verdict::Unknown, |answer| answer.says("github", &[StatusCode::UNAUTHORIZED]))
    }

    async fn postmark(&self, key: &Secret) -> Verdict {
        let answer = self.ask(&format!("{}/server", self.endpoints.postmark), Auth::Postmark(key)).await;
        answer.map_or_else(Verdict::Unknown, |answer| answer.says("postmark", &[StatusCode::UNAUTHORIZED]))
    }

    async fn outstand(&self, key: &Secret) -> Verdict {
        let answer = self.ask(&format!("{}/social-accounts?limit=1", self.endpoints.outstand), Auth::Bearer(key)).await;
        answer.map_or_else(Verdict::Unknown, |answer| answer.says("outstand", &REFUSALS))
    }

    /// Its cloud lists spaces. An agent has none, and says instead whom it takes the caller for.
    async fn netdata(&self, about: &IntegrationKey, key: &Secret) -> Verdict {
        let Some(at) = about.base_url() else {
            return Verdict::Unknown("metadata.base_url is missing; store the key with it".to_owned());
        };
        let cloud = match self.ask(&format!("{at}/api/v2/spaces"), Auth::Bearer(key)).await {
            Ok(answer) if answer.status != StatusCode::NOT_FOUND => return answer.says("netdata", &REFUSALS),
            Ok(_) => self.ask(&format!("{at}/api/v3/me"), Auth::Bearer(key)).await,
            Err(reason) => Err(reason),
        };
        cloud.map_or_else(Verdict::Unknown, |agent| match agent.json()["auth"].as_str() {
            Some("none") => Verdict::Invalid("the netdata agent takes the key for nobody's".to_owned()),
            Some(_) if agent.status.is_success() => Verdict::Active,
            _ if REFUSALS.contains(&agent.status) => agent.says("netdata", &REFUSALS),
            _ => Verdict::Unknown(
                "what answers at metadata.base_url is neither netdata's cloud nor an agent of it".to_owned(),
            ),
        })
    }

    /// The answer to one request, or why there is none.
    async fn ask(&self, url: &str, auth: Auth<'_>) -> Result<Answer, String> {
        let request = self.client.request(Method::GET, url).map_err(|e| e.to_string())?;
        let (name, value) = auth.header().ok_or("the key has characters that no key has")?;
        let request = request.header(name, value).header(ACCEPT, HeaderValue::from_static("application/json"));
        let response = request.send().await.map_err(|e| net::explain(&e))?;
        let status = response.status();
        let body = net::body(response, LONGEST_ANSWER).await.map_err(|e| net::explain(&e))?;
        Ok(Answer { status, body })
    }
}

#[async_trait]
impl KeyVerifier for LiveVerifier {
    async fn verify(&self, about: &IntegrationKey, key: &Secret) -> Verdict {
        match about.provider {
            Provider::Cloudflare => self.cloudflare(about, key).await,
            Provider::Github => self.github(key).await,
            Provider::Netdata => self.netdata(about, key).await,
            Provider::Postmark => self.postmark(key).await,
            Provider::Outstand => self.outstand(key).await,
        }
    }
}

/// How a key is shown.
enum Auth<'a> {
    Bearer(&'a Secret),
    Postmark(&'a Secret),
}

impl Auth<'_> {
    /// The header, which is shown in no log.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let (name, value) = match self {
            Self::Bearer(key) => {
                let text = zeroize::Zeroizing::new(format!("Bearer {}", key.expose()));
                (reqwest::header::AUTHORIZATION, HeaderValue::from_str(&text))
            }
            Self::Postmark(key) => {
                (HeaderName::from_static("x-postmark-server-token"), HeaderValue::from_str(key.expose()))
            }
        };
        let mut value = value.ok()?;
        value.set_sensitive(true);
        Some((name, value))
    }
}

/// The statuses with which a service refuses a key, where it refuses nothing else with them.
const REFUSALS: [StatusCode; 2] = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];

/// What a provider answered. Nothing of the body is ever repeated: it may repeat the key.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What a status says of the key, where `refusals` say that it is not taken.
    fn says(&self, who: &str, refusals: &[StatusCode]) -> Verdict {
        let status = self.status.as_u16();
        if self.status.is_success() {
            Verdict::Active
        } else if refusals.contains(&self.status) {
            Verdict::Invalid(format!("{who} does not take the key (status {status})"))
        } else {
            Verdict::Unknown(format!("{who} did not say whether it takes the key (status {status}); try again later"))
        }
    }
}

fn cloudflare_says(answer: &Answer) -> Verdict {
    // What does not even look like a token is a bad request there.
    let verdict =
        answer.says("cloudflare", &[StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]);
    match (verdict, answer.json()["result"]["status"].as_str()) {
        (Verdict::Active, Some("active")) => Verdict::Active,
        (Verdict::Active, Some("disabled")) => Verdict::Revoked("the token is disabled at cloudflare".to_owned()),
        (Verdict::Active, Some("expired")) => Verdict::Revoked("the token has expired at cloudflare".to_owned()),
        (Verdict::Active, _) => Verdict::Unknown("cloudflare answered with no status of the token".to_owned()),
        (verdict, _) => verdict,
    }
}

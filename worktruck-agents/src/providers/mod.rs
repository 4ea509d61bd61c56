//! Where models come from: the Anthropic API, servers of chat completions, and rules that need no network.

mod anthropic;
mod http;
mod local;
mod openai;

use std::collections::BTreeMap;
use std::sync::Arc;

use worktruck_core::model::ModelProvider;
use worktruck_core::{Error, Result, Secret};

pub use anthropic::{Anthropic, AnthropicOptions};
pub use local::{Local, Policy};
pub use openai::{OpenAi, OpenAiOptions, TokenLimit};

/// The providers of a runtime, by name.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use worktruck_agents::providers::{Anthropic, OpenAi, OpenAiOptions, Providers};
/// use worktruck_core::Secret;
///
/// let anthropic = Anthropic::new(Secret::new("sk-ant-api03-abcd"))?;
/// let here = OpenAiOptions { base_url: "http://127.0.0.1:11434/v1".into(), ..OpenAiOptions::default() };
/// let providers = Providers::default()
///     .with("anthropic", Arc::new(anthropic))
///     .with("here", Arc::new(OpenAi::with_options(None, &here)?));
/// let (_, model) = providers.resolve("claude-sonnet-5-5")?;
/// assert_eq!(model, "claude-sonnet-5-5");
/// let (_, model) = providers.resolve("here/qwen/qwen-5")?;
/// assert_eq!(model, "qwen/qwen-5");
/// let error = providers.resolve("openai/gpt-7").unwrap_err();
/// assert_eq!(error.to_string(), "there is no model provider \"openai\"; registered: anthropic, here");
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Providers {
    by_name: BTreeMap<String, Arc<dyn ModelProvider>>,
}

impl Providers {
    /// The same providers with one more, or another one of that name. The name has no slash.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, provider: Arc<dyn ModelProvider>) -> Self {
        self.by_name.insert(name.into(), provider);
        self
    }

    /// The same providers with those of `others`, which take the place of namesakes.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.by_name.extend(others.by_name);
        self
    }

    /// The provider of this name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if it is not registered.
    pub fn named(&self, name: &str) -> Result<Arc<dyn ModelProvider>> {
        self.by_name.get(name).map(Arc::clone).ok_or_else(|| {
            let known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Error::invalid(format!("there is no model provider {name:?}; registered: {known}"))
        })
    }

    /// What the providers hold that must not be shown.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let secrets = self.by_name.values().flat_map(|provider| provider.secrets());
        secrets.filter(|secret| !secret.expose().is_empty()).collect()
    }

    /// Refuses names under which no model can be asked for.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if there is one.
    pub(crate) fn check(&self) -> Result<()> {
        for name in self.by_name.keys() {
            if name == LOCAL {
                return Err(Error::invalid("no provider can be named local: these are the rules of blueprints"));
            }
            if name.is_empty() || name.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control()) {
                return Err(Error::invalid(format!(
                    "{name:?} cannot name a model provider: it has no letter, or a slash or a space"
                )));
            }
        }
        Ok(())
    }

    /// The provider of a model, and the model's name without the provider: `claude-…` is a model of
    /// `anthropic`, every other name is `provider/model`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](worktruck_core::ErrorKind::InvalidRequest) if the name has
    /// neither form or the provider is not registered.
    pub fn resolve<'a>(&self, model: &'a str) -> Result<(Arc<dyn ModelProvider>, &'a str)> {
        let (provider, name) = match model.split_once('/') {
            Some((provider, name)) if !provider.is_empty() && !name.is_empty() => (provider, name),
            None if model.starts_with("claude-") => (DEFAULT_PROVIDER, model),
            _ => {
                let text = format!("{model:?} does not name a model: it is \"claude-…\" or \"provider/model\"");
                return Err(Error::invalid(text));
            }
        };
        Ok((self.named(provider)?, name))
    }
}

const DEFAULT_PROVIDER: &str = "anthropic";
/// The rules of a blueprint, which need no registration.
const LOCAL: &str = "local";

#[cfg(test)]
mod tests {
    use worktruck_core::model::MockModelProvider;

    use super::*;

    fn resolved(providers: &Providers, model: &str) -> Result<(bool, String), String> {
        let anthropic = &providers.by_name["anthropic"];
        let found = providers.resolve(model).map_err(|e| e.to_string())?;
        Ok((Arc::ptr_eq(&found.0, anthropic), found.1.to_owned()))
    }

    #[test]
    fn a_model_is_found_by_its_prefix() {
        let providers = Providers::default()
            .with("anthropic", Arc::new(MockModelProvider::new()))
            .with("local", Arc::new(MockModelProvider::new()));
        assert_eq!(resolved(&providers, "claude-opus-5-5"), Ok((true, "claude-opus-5-5".to_owned())));
        assert_eq!(resolved(&providers, "anthropic/claude-opus-5-5"), Ok((true, "claude-opus-5-5".to_owned())));
        assert_eq!(resolved(&providers, "local/rules"), Ok((false, "rules".to_owned())));
        assert_eq!(resolved(&providers, "local/a/b"), Ok((false, "a/b".to_owned())), "a model may have a slash");
    }

    #[test]
    fn a_name_of_no_known_form_or_provider_is_refused() {
        let providers = Providers::default()
            .with("local", Arc::new(MockModelProvider::new()))
            .with("anthropic", Arc::new(MockModelProvider::new()));
        for name in ["", "gpt-7", "/rules", "local/", "/"] {
            let error = resolved(&providers, name).unwrap_err();
            assert!(error.contains(&format!("{name:?} does not name a model")), "{error}");
        }
        let error = resolved(&providers, "openai/gpt-7").unwrap_err();
        assert_eq!(error, "there is no model provider \"openai\"; registered: anthropic, local");
        let error = Providers::default().resolve("claude-opus-5-5").unwrap_err();
        assert!(error.to_string().ends_with("registered: none"), "{error}");
    }

    #[test]
    fn names_under_which_no_model_can_be_asked_for_are_refused() {
        let named = |name: &str| Providers::default().with(name, Arc::new(MockModelProvider::new())).check();
        for name in ["anthropic", "open-ai.v2", "日本"] {
            named(name).unwrap();
        }
        for name in ["", "local", "a/b", "a b", "a\n"] {
            assert_eq!(named(name).unwrap_err().kind(), worktruck_core::ErrorKind::InvalidRequest, "{name:?}");
        }
    }

    #[test]
    fn the_later_of_two_namesakes_counts_and_secrets_are_those_of_all() {
        let holding = |key: &'static str| {
            let mut provider = MockModelProvider::new();
            provider.expect_secrets().returning(move || vec![Secret::new(key)]);
            Arc::new(provider)
        };
        let first = Providers::default().with("a", holding("first")).with("b", holding(""));
        let all = first.and(Providers::default().with("a", holding("second")).with("c", holding("third")));
        let secrets: Vec<_> = all.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
        assert_eq!(secrets, ["second", "third"]);
    }
}

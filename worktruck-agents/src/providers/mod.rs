//! Where models come from: the Anthropic API, and rules that need no network.

mod anthropic;
mod local;

use std::collections::BTreeMap;
use std::sync::Arc;

use worktruck_core::model::ModelProvider;
use worktruck_core::{Error, Result};

pub use anthropic::{Anthropic, AnthropicOptions};
pub use local::{Local, Policy};

/// The providers of a runtime, by name.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use worktruck_agents::providers::{Anthropic, Providers};
/// use worktruck_core::Secret;
///
/// let anthropic = Anthropic::new(Secret::new("sk-ant-api03-abcd"))?;
/// let providers = Providers::default().with("anthropic", Arc::new(anthropic));
/// let (_, model) = providers.resolve("claude-sonnet-5-5")?;
/// assert_eq!(model, "claude-sonnet-5-5");
/// let error = providers.resolve("openai/gpt-7").unwrap_err();
/// assert_eq!(error.to_string(), "there is no model provider \"openai\"; registered: anthropic");
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
        match self.by_name.get(provider) {
            Some(found) => Ok((Arc::clone(found), name)),
            None => {
                let known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(Error::invalid(format!("there is no model provider {provider:?}; registered: {known}")))
            }
        }
    }
}

const DEFAULT_PROVIDER: &str = "anthropic";

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
}

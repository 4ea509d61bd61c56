//! A provider without a model: rules that a blueprint ships.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use worktruck_core::Secret;
use worktruck_core::model::{
    Block, ModelError, ModelErrorCategory, ModelProvider, ModelReply, ModelRequest, StopReason, Usage,
};

/// Rules that play the model of a blueprint.
///
/// # Contract
///
/// - The same request gives the same answer: a run that is taken over goes on as it began.
/// - The ids of the tool calls differ within a conversation.
pub trait Policy: Debug + Send + Sync + 'static {
    /// Says what the model would say next; with a tool call the turn goes on, without one it ends.
    ///
    /// # Errors
    ///
    /// Why the conversation is none that the rules understand, for people.
    fn reply(&self, request: &ModelRequest) -> Result<Vec<Block>, String>;
}

/// A deterministic stand-in for a model that needs no key and no network and costs nothing.
///
/// It has one model, `rules`, and says in every answer that it is `local/rules`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use worktruck_agents::providers::{Local, Policy};
/// use worktruck_core::model::{Block, ModelProvider, ModelRequest};
///
/// #[derive(Debug)]
/// struct Parrot;
///
/// impl Policy for Parrot {
///     fn reply(&self, request: &ModelRequest) -> Result<Vec<Block>, String> {
///         Ok(vec![Block::Text { text: request.system.clone() }])
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = ModelRequest {
///     model: Local::MODEL.into(),
///     system: "Pretty Polly".into(),
///     tools: Arc::default(),
///     messages: Vec::new(),
///     max_tokens: 256,
/// };
/// let reply = Local::new(Arc::new(Parrot)).complete(request).await?;
/// assert_eq!(reply.content, [Block::Text { text: "Pretty Polly".into() }]);
/// assert_eq!(reply.model, "local/rules");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Local {
    policy: Arc<dyn Policy>,
}

impl Local {
    /// The only model, without the provider.
    pub const MODEL: &str = "rules";

    /// A provider that answers as `policy` says.
    #[must_use]
    pub fn new(policy: Arc<dyn Policy>) -> Self {
        Self { policy }
    }
}

#[async_trait]
impl ModelProvider for Local {
    async fn complete(&self, request: ModelRequest) -> Result<ModelReply, ModelError> {
        let invalid = |message| ModelError::new(ModelErrorCategory::InvalidRequest, message);
        if request.model != Self::MODEL {
            return Err(invalid(format!(
                "the local provider has no model {:?}, only {:?}",
                request.model,
                Self::MODEL
            )));
        }
        let content = self.policy.reply(&request).map_err(|e| invalid(format!("the local rules do not apply: {e}")))?;
        let calls = content.iter().any(|block| matches!(block, Block::ToolCall { .. }));
        Ok(ModelReply {
            content,
            stop_reason: if calls { StopReason::ToolUse } else { StopReason::EndTurn },
            model: format!("local/{}", Self::MODEL),
            usage: Usage::default(),
        })
    }

    async fn probe(&self, _key: &Secret) -> Result<(), ModelError> {
        Ok(())
    }

    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug)]
    struct CallsOnce;

    impl Policy for CallsOnce {
        fn reply(&self, request: &ModelRequest) -> Result<Vec<Block>, String> {
            match request.messages.len() {
                0 => Err("nobody asked".to_owned()),
                1 => Ok(vec![Block::ToolCall { id: "1".into(), name: "contacts_search".into(), input: json!({}) }]),
                _ => Ok(vec![Block::Text { text: "done".into() }]),
            }
        }
    }

    async fn turn(model: &str, messages: usize) -> Result<ModelReply, ModelError> {
        let message = Arc::new(worktruck_core::model::Message::User { content: Vec::new() });
        let request = ModelRequest {
            model: model.to_owned(),
            system: String::new(),
            tools: Arc::default(),
            messages: vec![message; messages],
            max_tokens: 256,
        };
        Local::new(Arc::new(CallsOnce)).complete(request).await
    }

    #[tokio::test]
    async fn a_turn_ends_unless_a_tool_is_called() {
        let first = turn("rules", 1).await.unwrap();
        assert_eq!((first.stop_reason, first.model.as_str()), (StopReason::ToolUse, "local/rules"));
        let second = turn("rules", 3).await.unwrap();
        assert_eq!((second.stop_reason, second.usage), (StopReason::EndTurn, Usage::default()));
    }

    #[tokio::test]
    async fn what_the_rules_do_not_cover_is_an_invalid_request() {
        for (failed, reason) in [(turn("rules", 0).await, "nobody asked"), (turn("sonnet", 1).await, "\"sonnet\"")] {
            let error = failed.unwrap_err();
            assert_eq!(error.category, ModelErrorCategory::InvalidRequest);
            assert!(error.message.contains(reason), "{error}");
        }
    }

    #[tokio::test]
    async fn every_key_is_accepted_because_none_is_used() {
        assert_eq!(Local::new(Arc::new(CallsOnce)).probe(&Secret::new("")).await, Ok(()));
    }
}

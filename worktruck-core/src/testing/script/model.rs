use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use crate::Secret;
use crate::model::{
    Block, Message, ModelError, ModelErrorCategory, ModelProvider, ModelReply, ModelRequest, StopReason, Usage,
};

/// What a scripted model does when it is asked.
#[derive(Clone, Debug)]
pub enum Reply {
    /// It answers.
    Answer(ModelReply),
    /// It fails.
    Fail(ModelError),
    /// It never comes back.
    Hang,
}

impl Reply {
    /// An answer of `content` that stopped for `stop_reason`, of 1,000 tokens in and 100 out.
    #[must_use]
    pub fn of(content: Vec<Block>, stop_reason: StopReason) -> Self {
        let usage = Usage { input_tokens: 1_000, output_tokens: 100, ..Usage::default() };
        Self::Answer(ModelReply { content, stop_reason, model: "scripted-1".to_owned(), usage })
    }

    /// A text that ends the run.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(vec![Block::Text { text: text.into() }], StopReason::EndTurn)
    }

    /// Calls of tools, by name and input.
    pub fn calls<'a>(calls: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let block = |(place, (name, input)): (usize, (&str, Value))| Block::ToolCall {
            id: format!("call-{}", place + 1),
            name: name.to_owned(),
            input,
        };
        Self::of(calls.into_iter().enumerate().map(block).collect(), StopReason::ToolUse)
    }

    /// A failure of `category`.
    #[must_use]
    pub fn error(category: ModelErrorCategory) -> Self {
        Self::Fail(ModelError::new(category, "scripted"))
    }

    /// The same answer with other tokens.
    #[must_use]
    pub fn using(mut self, input_tokens: u64, output_tokens: u64) -> Self {
        if let Self::Answer(reply) = &mut self {
            reply.usage = Usage { input_tokens, output_tokens, ..Usage::default() };
        }
        self
    }
}

/// A model that answers as it is told, in order.
///
/// A turn is known by the conversation: it is the first, second … one that the model is asked for
/// if the conversation has none, one … of its messages. A failure or a hang leaves the turn to the
/// next reply. A turn that is asked for again, as after a crash, is answered again the same way.
///
/// The model is strict: [`check`](Self::check) tells of turns that nobody asked for, or that nobody
/// had expected.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use worktruck_core::model::{Message, ModelProvider, ModelRequest, UserBlock};
/// use worktruck_core::testing::script::{Reply, ScriptedModel};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let model = ScriptedModel::new([Reply::text("done")]);
/// assert_eq!(model.check(), Err("turn 1 was never answered".to_owned()));
///
/// let hello = Message::User { content: vec![UserBlock::Text { text: "hello".to_owned() }] };
/// let request = ModelRequest {
///     model: "scripted-1".to_owned(),
///     system: String::new(),
///     tools: Arc::new([]),
///     messages: vec![Arc::new(hello)],
///     max_tokens: 1_024,
/// };
/// model.complete(request).await?;
/// assert_eq!(model.check(), Ok(()));
/// assert_eq!(model.asks(), [1]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ScriptedModel {
    turns: Vec<Vec<Reply>>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// How often each turn was asked for.
    asks: Vec<usize>,
    requests: Vec<ModelRequest>,
    unexpected: Option<usize>,
}

impl ScriptedModel {
    /// A model with these replies.
    pub fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut turns = Vec::new();
        let mut turn = Vec::new();
        for reply in replies {
            let answers = matches!(reply, Reply::Answer(_));
            turn.push(reply);
            if answers {
                turns.push(std::mem::take(&mut turn));
            }
        }
        if !turn.is_empty() {
            turns.push(turn);
        }
        let seen = Seen { asks: vec![0; turns.len()], ..Seen::default() };
        Self { turns, seen: Mutex::new(seen) }
    }

    /// How often each turn was asked for.
    #[must_use]
    pub fn asks(&self) -> Vec<usize> {
        self.seen().asks.clone()
    }

    /// Everything that was asked, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.seen().requests.clone()
    }

    /// Whether exactly the scripted turns were asked for, each until its last reply.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        let seen = self.seen();
        if let Some(turn) = seen.unexpected {
            return Err(format!("turn {turn} was asked for and is not in the script"));
        }
        match self.turns.iter().zip(&seen.asks).position(|(turn, asks)| *asks < turn.len()) {
            Some(turn) => Err(format!("turn {} was never answered", turn + 1)),
            None => Ok(()),
        }
    }

    /// The number of the turn that `request` asks for, from 1.
    #[must_use]
    pub fn turn_of(request: &ModelRequest) -> usize {
        request.messages.iter().filter(|message| matches!(&***message, Message::Assistant { .. })).count() + 1
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, request: ModelRequest) -> Reply {
        let turn = Self::turn_of(&request);
        let mut seen = self.seen();
        seen.requests.push(request);
        let Some(replies) = self.turns.get(turn - 1) else {
            seen.unexpected = Some(turn);
            let message = format!("turn {turn} is not in the script");
            return Reply::Fail(ModelError::new(ModelErrorCategory::InvalidRequest, message));
        };
        let asked = seen.asks[turn - 1];
        seen.asks[turn - 1] += 1;
        replies[asked.min(replies.len() - 1)].clone()
    }
}

#[async_trait]
impl ModelProvider for ScriptedModel {
    async fn complete(&self, request: ModelRequest) -> Result<ModelReply, ModelError> {
        match self.next(request) {
            Reply::Answer(reply) => Ok(reply),
            Reply::Fail(error) => Err(error),
            Reply::Hang => futures::future::pending().await,
        }
    }

    async fn probe(&self, _key: &Secret) -> Result<(), ModelError> {
        Ok(())
    }

    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }
}

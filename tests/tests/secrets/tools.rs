//! Tools that come across a secret and keep it to themselves in no way at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use worktruck_core::run::FailureCategory;
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};

/// What a tool does with its secret.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leak {
    Output(ToolEffect),
    Error,
    Transient,
    Fatal,
}

/// A tool that leaks a text.
pub(crate) struct Leaky {
    spec: Arc<ToolSpec>,
    leak: Leak,
    text: String,
    calls: AtomicU32,
}

/// Not derived: its secret is the test's own, which a tool would not show.
impl std::fmt::Debug for Leaky {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaky").field("spec", &self.spec.name).finish_non_exhaustive()
    }
}

impl Leaky {
    pub(crate) fn tool(name: &str, leak: Leak, text: &str) -> Arc<dyn Tool> {
        let effect = if let Leak::Output(effect) = leak { effect } else { ToolEffect::Read };
        let spec = ToolSpec {
            name: name.to_owned(),
            title: name.to_owned(),
            description: String::new(),
            input_schema: json!({ "type": "object" }),
            effect,
            is_untrusted: false,
        };
        Arc::new(Self { spec: Arc::new(spec), leak, text: text.to_owned(), calls: AtomicU32::new(0) })
    }
}

#[async_trait]
impl Tool for Leaky {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, _context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let text = self.text.clone();
        let found = || {
            let mut output = json!({ "found": [&text, { "deep": &text }], "asked": &input });
            output[&text] = json!(&text);
            Ok(ToolOutput::new(output))
        };
        let is_first = self.calls.fetch_add(1, Ordering::Relaxed) == 0;
        match self.leak {
            Leak::Error => Err(ToolError::new(format!("it refuses {text}"))),
            Leak::Fatal => Err(ToolError::fatal(FailureCategory::ToolFailed, format!("it refuses {text} for good"))),
            Leak::Transient if is_first => {
                Err(ToolError { transient: true, ..ToolError::new(format!("away with {text}")) })
            }
            Leak::Transient | Leak::Output(_) => found(),
        }
    }
}

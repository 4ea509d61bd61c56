use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt as _};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use worktruck_core::store::Changes;
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};

use super::parse;

/// A tool that is a function: of its context and a typed input, to a typed output.
///
/// There is a constructor for each [`ToolEffect`]. Each takes the name, the title for people, the description for the
/// model, and the function, a function item or a closure. The JSON Schema (2020-12) of the input is that of its type,
/// with the comments of its fields as descriptions for the model; `#[serde(deny_unknown_fields)]` makes unknown fields
/// wrong. An input that does not fit the type is an error that names the place. The type must be read from an object: a
/// runtime takes no other tool.
///
/// A closure that uses something of its own clones it for each call:
/// `move |context, input| { let client = client.clone(); async move { … } }`.
///
/// # Examples
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use serde_json::json;
/// use worktruck_agents::tools::FnTool;
/// use worktruck_core::tool::{Tool, ToolEffect};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Place {
///     /// The town, in English.
///     town: String,
/// }
///
/// #[derive(Serialize)]
/// struct Weather {
///     celsius: f32,
/// }
///
/// let tool = FnTool::read("weather_get", "Weather", "The weather in a town now.", async |_context, place: Place| {
///     Ok(Weather { celsius: if place.town == "Oslo" { -4.5 } else { 21.0 } })
/// });
/// let spec = tool.spec();
/// assert_eq!(spec.effect, ToolEffect::Read);
/// assert_eq!(
///     spec.input_schema,
///     json!({
///         "type": "object",
///         "properties": { "town": { "type": "string", "description": "The town, in English." } },
///         "required": ["town"]
///     })
/// );
/// ```
pub struct FnTool {
    spec: Arc<ToolSpec>,
    call: Call,
}

type Call = Box<dyn Fn(ToolContext, Value) -> BoxFuture<'static, Result<ToolOutput, ToolError>> + Send + Sync>;

impl FnTool {
    /// A tool that reads from the store, through the context's view.
    pub fn read<I, O, F, R>(
        name: impl Into<String>,
        title: impl Into<String>,
        description: impl Into<String>,
        function: F,
    ) -> Self
    where
        I: DeserializeOwned + JsonSchema + Send + 'static,
        O: Serialize,
        F: Fn(ToolContext, I) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, ToolError>> + Send + 'static,
    {
        Self::answering(spec::<I>(name, title, description, ToolEffect::Read), function)
    }

    /// A tool that writes to the store: its function returns the output and the changes, which are committed with the
    /// step.
    pub fn write<I, O, F, R>(
        name: impl Into<String>,
        title: impl Into<String>,
        description: impl Into<String>,
        function: F,
    ) -> Self
    where
        I: DeserializeOwned + JsonSchema + Send + 'static,
        O: Serialize,
        F: Fn(ToolContext, I) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(O, Changes), ToolError>> + Send + 'static,
    {
        let spec = spec::<I>(name, title, description, ToolEffect::Write);
        let call = move |context, input| match parse(input) {
            Ok(input) => {
                let done = function(context, input);
                async move {
                    let (output, changes) = done.await?;
                    Ok(ToolOutput::new(json(&output)?).with_changes(changes))
                }
                .boxed()
            }
            Err(error) => std::future::ready(Err(error)).boxed(),
        };
        Self { spec, call: Box::new(call) }
    }

    /// A tool that reaches outside the store, where a second call would happen a second time. After a crash a person
    /// says whether it happened.
    pub fn outside<I, O, F, R>(
        name: impl Into<String>,
        title: impl Into<String>,
        description: impl Into<String>,
        function: F,
    ) -> Self
    where
        I: DeserializeOwned + JsonSchema + Send + 'static,
        O: Serialize,
        F: Fn(ToolContext, I) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, ToolError>> + Send + 'static,
    {
        Self::answering(spec::<I>(name, title, description, ToolEffect::Outside), function)
    }

    /// A tool that reaches outside the store and hands the context's idempotency key to the outside, so that a call
    /// which is made again happens once.
    pub fn outside_idempotent<I, O, F, R>(
        name: impl Into<String>,
        title: impl Into<String>,
        description: impl Into<String>,
        function: F,
    ) -> Self
    where
        I: DeserializeOwned + JsonSchema + Send + 'static,
        O: Serialize,
        F: Fn(ToolContext, I) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, ToolError>> + Send + 'static,
    {
        Self::answering(spec::<I>(name, title, description, ToolEffect::OutsideIdempotent), function)
    }

    /// The same tool, whose answers were written by somebody outside the tenant: rules may ask for that.
    #[must_use]
    pub fn untrusted(mut self) -> Self {
        Arc::make_mut(&mut self.spec).is_untrusted = true;
        self
    }

    fn answering<I, O, F, R>(spec: Arc<ToolSpec>, function: F) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize,
        F: Fn(ToolContext, I) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, ToolError>> + Send + 'static,
    {
        let call = move |context, input| match parse(input) {
            Ok(input) => {
                let done = function(context, input);
                async move { Ok(ToolOutput::new(json(&done.await?)?)) }.boxed()
            }
            Err(error) => std::future::ready(Err(error)).boxed(),
        };
        Self { spec, call: Box::new(call) }
    }
}

fn spec<I: JsonSchema>(
    name: impl Into<String>,
    title: impl Into<String>,
    description: impl Into<String>,
    effect: ToolEffect,
) -> Arc<ToolSpec> {
    // Some providers follow no references, and the tool has a name and a description of its own.
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<I>();
    schema.remove("title");
    schema.remove("description");
    // A type that takes anything, or one of several objects, does not say so.
    schema.ensure_object().entry("type").or_insert("object".into());
    Arc::new(ToolSpec {
        name: name.into(),
        title: title.into(),
        description: description.into(),
        input_schema: schema.into(),
        effect,
        is_untrusted: false,
    })
}

fn json(output: &impl Serialize) -> Result<Value, ToolError> {
    serde_json::to_value(output).map_err(|e| ToolError::new(format!("the output has no JSON form: {e}")))
}

impl fmt::Debug for FnTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnTool").field("spec", &self.spec).finish_non_exhaustive()
    }
}

#[async_trait]
impl Tool for FnTool {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        (self.call)(context, input).await
    }
}

#[cfg(test)]
mod tests;

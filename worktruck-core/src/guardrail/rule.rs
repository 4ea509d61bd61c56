//! Rules as they are written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hours::{Block, Day, Hours, TimeOfDay};

/// One rule of a guardrail set.
///
/// In JSON all its fields stand side by side; a field that belongs to another type of rule is refused.
///
/// # Examples
///
/// ```
/// use serde_json::{from_value, json};
/// use worktruck_core::guardrail::{Rule, RuleKind};
///
/// let rule: Rule = from_value(json!(
///     {"type": "rate_limit", "mode": "enforce", "tools": ["mail_*"], "max_calls": 5, "window_secs": 3600}
/// ))?;
/// assert_eq!(rule.kind, RuleKind::RateLimit { max_calls: 5, window_secs: 3600 });
///
/// let wrong = from_value::<Rule>(json!({"type": "denylist", "mode": "enforce", "max_calls": 5}));
/// assert_eq!(wrong.unwrap_err().to_string(), "max_calls belongs to rules of type rate_limit, and this is a denylist");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Rule {
    /// Names the rule; its index in the set if absent.
    pub id: Option<String>,
    /// What it decides.
    pub kind: RuleKind,
    /// Whether its decision takes effect.
    pub mode: Mode,
    /// The tools it is about: names or patterns with `*`.
    pub tools: Vec<String>,
    /// When it applies; always if empty.
    pub when: Vec<Condition>,
    /// What a block does to the run.
    pub on_block: OnBlock,
}

impl Rule {
    /// An enforced rule about these tools, without conditions, whose block fails the run.
    pub fn new<T: Into<String>>(kind: RuleKind, tools: impl IntoIterator<Item = T>) -> Self {
        let tools = tools.into_iter().map(Into::into).collect();
        Self { id: None, kind, mode: Mode::Enforce, tools, when: Vec::new(), on_block: OnBlock::default() }
    }
}

/// What a rule decides, with the fields of its type.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// Only the tools it names may run.
    Allowlist,
    /// The tools it names may not run.
    Denylist,
    /// Each tool that it names may run so often in any stretch of time of this length; 0 calls are none at all.
    RateLimit {
        /// How many calls of a tool.
        max_calls: u32,
        /// How long the stretch is, in seconds.
        window_secs: u32,
    },
    /// A person decides about each call.
    ApprovalGate(Gate),
    /// What goes into a call, or what comes out, fits a schema.
    IoValidation {
        /// JSON Schema, 2020-12.
        schema: Value,
        /// What is checked.
        target: Target,
    },
    /// Calls are made at certain hours only.
    QuietHours(Hours),
}

/// How a person is asked about a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gate {
    /// How long an answer is waited for, in seconds.
    pub expires_secs: u32,
    /// What happens if there is none.
    pub on_expiry: OnExpiry,
    /// What the person is told beside the call.
    pub summary: Option<String>,
}

/// How long an approval is waited for if its rule does not say: a day.
pub(super) const EXPIRES_SECS: u32 = 86_400;

/// What kind of rule it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleType {
    /// [`RuleKind::Allowlist`].
    Allowlist,
    /// [`RuleKind::Denylist`].
    Denylist,
    /// [`RuleKind::RateLimit`].
    RateLimit,
    /// [`RuleKind::ApprovalGate`].
    ApprovalGate,
    /// [`RuleKind::IoValidation`].
    IoValidation,
    /// [`RuleKind::QuietHours`].
    QuietHours,
}

impl RuleType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Allowlist => "allowlist",
            Self::Denylist => "denylist",
            Self::RateLimit => "rate_limit",
            Self::ApprovalGate => "approval_gate",
            Self::IoValidation => "io_validation",
            Self::QuietHours => "quiet_hours",
        }
    }
}

impl RuleKind {
    /// Its type.
    #[must_use]
    pub const fn rule_type(&self) -> RuleType {
        match self {
            Self::Allowlist => RuleType::Allowlist,
            Self::Denylist => RuleType::Denylist,
            Self::RateLimit { .. } => RuleType::RateLimit,
            Self::ApprovalGate(_) => RuleType::ApprovalGate,
            Self::IoValidation { .. } => RuleType::IoValidation,
            Self::QuietHours(_) => RuleType::QuietHours,
        }
    }
}

/// Whether the decision of a rule takes effect.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is recorded and changes nothing.
    Shadow,
    /// It takes effect.
    Enforce,
}

/// What a block does to the run.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBlock {
    /// The run fails.
    #[default]
    FailRun,
    /// The model is told that the call was refused, and goes on.
    RefuseCall,
}

/// What happens to a call about which nobody decided in time.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExpiry {
    /// It is not made, and the model is told that nobody decided.
    #[default]
    Reject,
    /// It is made.
    Approve,
    /// The run fails.
    FailRun,
}

/// What a schema is about.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// What goes into a call.
    #[default]
    Input,
    /// What comes out.
    Output,
}

/// One condition on a call; all conditions of a rule must hold for it to apply.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "WrittenCondition", into = "WrittenCondition")]
pub struct Condition {
    /// What is compared.
    pub subject: Subject,
    /// How.
    pub op: ConditionOp,
    /// With what.
    pub value: Value,
}

/// What a condition compares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// A place in the tool's input, by JSON pointer (RFC 6901); `pointer` in JSON.
    Pointer(String),
    /// What the run did before; `context` in JSON.
    Context(ContextField),
}

/// What a condition can ask of what the run did before.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextField {
    /// Whether a result from outside the tenant is in the conversation.
    Untrusted,
    /// How often the tool was called in this run before.
    Calls,
}

/// How a condition compares.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// One of a list.
    In,
    /// Matches a regular expression.
    Matches,
    /// Present, or with `false` absent.
    Exists,
}

/// A condition as JSON has it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WrittenCondition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<ContextField>,
    op: ConditionOp,
    #[serde(default)]
    value: Value,
}

impl TryFrom<WrittenCondition> for Condition {
    type Error = &'static str;

    fn try_from(WrittenCondition { pointer, context, op, value }: WrittenCondition) -> Result<Self, Self::Error> {
        let subject = match (pointer, context) {
            (Some(pointer), None) => Subject::Pointer(pointer),
            (None, Some(context)) => Subject::Context(context),
            _ => return Err("a condition has either a pointer or a context"),
        };
        Ok(Self { subject, op, value })
    }
}

impl From<Condition> for WrittenCondition {
    fn from(Condition { subject, op, value }: Condition) -> Self {
        let (pointer, context) = match subject {
            Subject::Pointer(pointer) => (Some(pointer), None),
            Subject::Context(context) => (None, Some(context)),
        };
        Self { pointer, context, op, value }
    }
}

fn every_tool() -> Vec<String> {
    vec!["*".to_owned()]
}

/// A rule as JSON has it: the fields of all types.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "type")]
    rule_type: RuleType,
    mode: Mode,
    #[serde(default = "every_tool")]
    tools: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    when: Vec<Condition>,
    #[serde(default)]
    on_block: OnBlock,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_calls: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window_secs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_secs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_expiry: Option<OnExpiry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<TimeOfDay>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<TimeOfDay>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    days: Option<Vec<Day>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    block: Option<Block>,
}

impl Written {
    fn of(rule_type: RuleType, mode: Mode) -> Self {
        Self {
            id: None,
            rule_type,
            mode,
            tools: Vec::new(),
            when: Vec::new(),
            on_block: OnBlock::default(),
            max_calls: None,
            window_secs: None,
            expires_secs: None,
            on_expiry: None,
            summary: None,
            schema: None,
            target: None,
            from: None,
            to: None,
            days: None,
            timezone: None,
            block: None,
        }
    }

    /// The fields that only rules of one type have, each with that type, if they are there.
    fn own(&self) -> [(&'static str, RuleType, bool); 12] {
        use RuleType::{ApprovalGate, IoValidation, QuietHours, RateLimit};
        [
            ("max_calls", RateLimit, self.max_calls.is_some()),
            ("window_secs", RateLimit, self.window_secs.is_some()),
            ("expires_secs", ApprovalGate, self.expires_secs.is_some()),
            ("on_expiry", ApprovalGate, self.on_expiry.is_some()),
            ("summary", ApprovalGate, self.summary.is_some()),
            ("schema", IoValidation, self.schema.is_some()),
            ("target", IoValidation, self.target.is_some()),
            ("from", QuietHours, self.from.is_some()),
            ("to", QuietHours, self.to.is_some()),
            ("days", QuietHours, self.days.is_some()),
            ("timezone", QuietHours, self.timezone.is_some()),
            ("block", QuietHours, self.block.is_some()),
        ]
    }
}

fn needed<T>(rule_type: RuleType, name: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("a rule of type {} needs the field {name}", rule_type.as_str()))
}

impl TryFrom<Written> for Rule {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let this = written.rule_type;
        if let Some((name, other, _)) = written.own().into_iter().find(|(_, own, is_there)| *is_there && *own != this) {
            let (other, this) = (other.as_str(), this.as_str());
            return Err(format!("{name} belongs to rules of type {other}, and this is a {this}"));
        }
        let kind = match this {
            RuleType::Allowlist => RuleKind::Allowlist,
            RuleType::Denylist => RuleKind::Denylist,
            RuleType::RateLimit => RuleKind::RateLimit {
                max_calls: needed(this, "max_calls", written.max_calls)?,
                window_secs: needed(this, "window_secs", written.window_secs)?,
            },
            RuleType::ApprovalGate => RuleKind::ApprovalGate(Gate {
                expires_secs: written.expires_secs.unwrap_or(EXPIRES_SECS),
                on_expiry: written.on_expiry.unwrap_or_default(),
                summary: written.summary,
            }),
            RuleType::IoValidation => RuleKind::IoValidation {
                schema: needed(this, "schema", written.schema)?,
                target: written.target.unwrap_or_default(),
            },
            RuleType::QuietHours => RuleKind::QuietHours(Hours {
                from: needed(this, "from", written.from)?,
                to: needed(this, "to", written.to)?,
                days: written.days,
                timezone: written.timezone,
                block: written.block.unwrap_or_default(),
            }),
        };
        let Written { id, mode, tools, when, on_block, .. } = written;
        Ok(Self { id, kind, mode, tools, when, on_block })
    }
}

impl From<Rule> for Written {
    fn from(Rule { id, kind, mode, tools, when, on_block }: Rule) -> Self {
        let written = Self { id, tools, when, on_block, ..Self::of(kind.rule_type(), mode) };
        match kind {
            RuleKind::Allowlist | RuleKind::Denylist => written,
            RuleKind::RateLimit { max_calls, window_secs } => {
                Self { max_calls: Some(max_calls), window_secs: Some(window_secs), ..written }
            }
            RuleKind::ApprovalGate(Gate { expires_secs, on_expiry, summary }) => {
                Self { expires_secs: Some(expires_secs), on_expiry: Some(on_expiry), summary, ..written }
            }
            RuleKind::IoValidation { schema, target } => Self { schema: Some(schema), target: Some(target), ..written },
            RuleKind::QuietHours(Hours { from, to, days, timezone, block }) => {
                Self { from: Some(from), to: Some(to), days, timezone, block: Some(block), ..written }
            }
        }
    }
}

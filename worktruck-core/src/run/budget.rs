use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What happens to a run when it has spent a part of its budget.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::run::{BudgetAction, OnBudget};
///
/// let hook = OnBudget { at_percent: 80, action: BudgetAction::Finish };
/// assert_eq!(json!(hook), json!({"at_percent": 80, "action": "finish"}));
/// let never = OnBudget { at_percent: 101, ..hook };
/// assert_eq!(OnBudget::check(&[hook, never]).unwrap_err().pointer(), Some("/on_budget/1/at_percent"));
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OnBudget {
    /// How much of the budget, 1 to 100 of a hundred.
    pub at_percent: u8,
    /// What is done, before the next turn of the model.
    pub action: BudgetAction,
}

/// What is done when a part of a budget is spent. Each is told as an event, too.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetAction {
    /// Nothing else.
    Warn,
    /// The next of the fallback models goes on, if there is one.
    FallbackModel,
    /// A person decides whether the run goes on.
    AskApproval,
    /// The model is told to finish, and calls no more tools.
    Finish,
}

impl BudgetAction {
    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::FallbackModel => "fallback_model",
            Self::AskApproval => "ask_approval",
            Self::Finish => "finish",
        }
    }
}

impl OnBudget {
    /// Checks the hooks of a config.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at the place of a percentage that is none.
    pub fn check(hooks: &[Self]) -> Result<()> {
        match hooks.iter().position(|hook| !(1..=100).contains(&hook.at_percent)) {
            Some(index) => {
                let error = Error::invalid("at_percent must be between 1 and 100");
                Err(error.at(format!("/on_budget/{index}/at_percent")))
            }
            None => Ok(()),
        }
    }
}

/// What is done to be measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// What each step does.
    pub(crate) work: Work,
    /// Among how many tenants the runs are spread.
    pub(crate) tenants: usize,
    /// How many runs are executed at once.
    pub(crate) at_once: usize,
    /// How many runs.
    pub(crate) runs: usize,
    /// How many are executed before, unmeasured, so that connections are open and plans made.
    pub(crate) warm: usize,
    /// How many steps a run has.
    pub(crate) steps: u32,
    /// How large the input and the output of a step are together.
    pub(crate) bytes: usize,
}

/// What a step does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Work {
    /// It is journaled.
    Journal,
    /// It is journaled, and a contact is created or changed with it.
    Entity,
}

impl Work {
    /// Its name for the peer's program.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Entity => "entity",
        }
    }
}

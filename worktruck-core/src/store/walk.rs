//! How far the order of a list is followed before what few have is put in order instead.

use super::ListPlan;

/// How many pages of the order are looked through at first, and a little less than that.
const PAGES: usize = 9;

impl ListPlan {
    /// How many of what comes next in the order of the list a backend looks at first: of what every tenth has there
    /// is a page among them. What no more than this have is put in order without looking.
    #[must_use]
    pub const fn window(&self) -> usize {
        PAGES * self.limit
    }

    /// How far a backend counts what has something that the list asks for, before it asks [`is_walked`](Self::is_walked).
    #[must_use]
    pub const fn counted(&self) -> usize {
        self.window() * (self.limit + 1) + 1
    }

    /// Whether a backend that has `found` fewer than a page in the window goes on in the order of the list, and does
    /// not put all in order that the `fewest` have of what the list asks for.
    ///
    /// As many as are found in the window are thought to be found in each of the same size that follows. Going on is
    /// never thought worthwhile where nothing was found.
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::entity::Kind;
    /// use worktruck_core::store::{ListPlan, ListQuery, TenantHead};
    /// use worktruck_core::{TenantId, Timestamp};
    ///
    /// let tenant: TenantId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
    /// let query = ListQuery::new(Kind::Contact);
    /// let plan = ListPlan::new(tenant, &query, &mut TenantHead::default(), Timestamp::from_micros(1))?;
    /// // Every twentieth has it: a page is found in a thousand, and in order are five thousand.
    /// assert!(plan.is_walked(plan.window() / 20, 5_000));
    /// // Every thousandth has it: a page is found in fifty thousand, and in order are a hundred.
    /// assert!(!plan.is_walked(0, 100));
    /// # Ok::<(), worktruck_core::Error>(())
    /// ```
    #[must_use]
    pub const fn is_walked(&self, found: usize, fewest: usize) -> bool {
        found > 0 && self.window() * (self.limit + 1) / found < fewest
    }
}

//! What a search for words looks at.

/// The texts of an entity that a search for words looks at, by how much they count.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::Texts;
///
/// let texts = Texts::titled("Budget").heading([Some("Hall 3"), None]).body([Some("For 2027"), Some("")]);
/// assert_eq!(texts.joined(), "Budget\nHall 3\nFor 2027");
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Texts<'a> {
    /// What it is called; words of it count most.
    pub title: &'a str,
    /// What counts for more than the body: other names, headings.
    pub headings: Vec<&'a str>,
    /// All else, first what a reader should see of it first.
    pub body: Vec<&'a str>,
}

impl<'a> Texts<'a> {
    /// Those of something that is called so.
    #[must_use]
    pub fn titled(title: &'a str) -> Self {
        Self { title, ..Self::default() }
    }

    /// Adds headings; what is absent or empty is none.
    #[must_use]
    pub fn heading(mut self, texts: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> Self {
        self.headings.extend(present(texts));
        self
    }

    /// Adds texts to the body; what is absent or empty is none.
    #[must_use]
    pub fn body(mut self, texts: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> Self {
        self.body.extend(present(texts));
        self
    }

    /// All of them, each on its line, what counts most first.
    #[must_use]
    pub fn joined(&self) -> String {
        let all: Vec<&str> = present([self.title]).chain(self.headings.iter().chain(&self.body).copied()).collect();
        all.join("\n")
    }
}

fn present<'a>(texts: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> impl Iterator<Item = &'a str> {
    texts.into_iter().filter_map(Into::into).filter(|text| !text.is_empty())
}

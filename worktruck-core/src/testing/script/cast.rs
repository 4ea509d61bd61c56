use std::sync::Arc;

use super::ScriptedTool;

/// The tools of a scripted run, one for each effect.
#[derive(Clone, Debug)]
pub struct Cast {
    /// `contacts_search`, which reads.
    pub search: Arc<ScriptedTool>,
    /// `contacts_write`, which writes to the store.
    pub write: Arc<ScriptedTool>,
    /// `page_publish`, which has an idempotent effect outside.
    pub publish: Arc<ScriptedTool>,
    /// `mail_send`, which has an effect outside that happens with every call.
    pub send: Arc<ScriptedTool>,
}

impl Cast {
    /// The four tools; nobody has called them yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            search: ScriptedTool::read("contacts_search"),
            write: ScriptedTool::write("contacts_write"),
            publish: ScriptedTool::outside_idempotent("page_publish"),
            send: ScriptedTool::outside("mail_send"),
        }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> [&Arc<ScriptedTool>; 4] {
        [&self.search, &self.write, &self.publish, &self.send]
    }

    /// The tool of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<ScriptedTool>> {
        self.all().into_iter().find(|tool| tool.name() == name)
    }
}

impl Default for Cast {
    fn default() -> Self {
        Self::new()
    }
}

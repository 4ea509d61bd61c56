//! Projects, tasks and what belongs to them.
//!
//! - A project comes with statuses, one of each category, and numbers its tasks `API-1`, `API-2` and so on. The
//!   numbers belong to the identifier: a project that takes the identifier of another that was deleted or renamed
//!   counts on where that one stopped, so that no identifier of a task is ever given twice.
//! - A task that moves to another project gets an identifier of that project, the first status there that means
//!   the same, and leaves its section and milestone behind. Its subtasks stay where they are.
//! - The status of a task and its `completed_at` and `canceled_at` are kept consistent whichever of them is written.
//!   A task of no project has no status: it is to do, done or canceled.
//! - A task that repeats makes its next occurrence when it is done, in whatever way it gets there; only a task that
//!   is created as done makes none. What is said of a task is carried over, and dates move along; its dependencies,
//!   comments, links and subtasks stay with the one that was done. Opening it again leaves the next one alone, and
//!   doing it again makes no second one.
//! - Deleting a task deletes its subtasks; deleting a project deletes its tasks. Deleting a section or a milestone
//!   takes it off its tasks, a status that tasks have cannot be deleted.

mod counter;
mod dependencies;
mod due;
mod labels;
mod number;
mod parts;
mod place;
mod progress;
mod projects;
mod recurrence;
mod removal;
mod statuses;
mod task;
mod tree;

pub use dependencies::TaskDependency;
pub use labels::{label_task, unlabel_task};
pub use parts::{OfProject, OfTask};
pub use progress::{complete_task, reopen_task};
pub use projects::{ProjectDetail, project_detail};
pub use task::{TaskFilter, TaskSort, task_by_identifier};

//! Notes from a folder of Markdown files, as Obsidian and other programs keep them.
//!
//! Every file that ends in `.md` or `.markdown` is a note: its text is the whole file, byte for byte, its title and
//! tags are those of [`from_markdown`](worktruck_core::pim::notes::from_markdown), its front matter is metadata, and
//! its `[[wikilinks]]` become links. A folder with such files is a notebook, called by its path with `/` between the
//! parts; files of the folder itself are in no notebook. The name of a file is kept in the metadata of its note
//! ([`FILE`]), so that an [export](crate::export::markdown) writes the same tree, and is one of its aliases, so that
//! links may name it.
//!
//! What is hidden is left out, so is what is no Markdown, and links of the file system are not followed; each of
//! these is a [`Problem`](super::Problem) with its path.

pub(crate) mod known;
mod load;
pub(crate) mod names;
pub(crate) mod text;

#[cfg(doc)]
use worktruck_core::entity::note::FILE;
use worktruck_core::entity::notebook::Notebook;

pub use super::icalendar::Target;
pub use load::load;

/// What says of a folder's notebook that which the folder's name does not.
pub(crate) const ABOUT: &str = ".notebook.json";

/// What the file [`ABOUT`] says, if it is one of ours.
pub(crate) fn about(bytes: &[u8]) -> Option<Notebook> {
    use worktruck_core::entity::{Entity as _, Locale};

    let mut notebook: Notebook = serde_json::from_slice(bytes).ok()?;
    notebook.normalise(&Locale::default()).ok()?;
    Some(notebook)
}

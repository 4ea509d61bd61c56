use worktruck_agents::export::{self, Format};
use worktruck_benches::Result;
use worktruck_benches::people::{Profile, generate};

/// A file of so many vCards 3.0, the same on every machine.
pub(super) fn file(count: usize) -> Result<Vec<u8>> {
    let mut contacts = generate(&Profile::sample(), count, 20_260).contacts();
    // A household is whole.
    contacts.truncate(count);
    let mut file = Vec::new();
    export::write(Format::Vcard3, contacts.iter().map(|(id, _, contact)| (*id, contact)), &mut file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_as_many_cards_as_are_asked_for_and_all_can_be_read() {
        let file = file(100).unwrap();
        assert_eq!(file, super::file(100).unwrap());
        let text = String::from_utf8(file).unwrap();
        assert_eq!(text.matches("BEGIN:VCARD").count(), 100);
        let parsed = crate::import::parse(text.as_bytes()).unwrap();
        assert_eq!((parsed.contacts.len(), parsed.skipped()), (100, 0));
    }
}

//! Contacts and what belongs to them.

use worktruck_core::entity::affiliation::Affiliation;
use worktruck_core::entity::contact::Contact;
use worktruck_core::entity::group::Group;

use crate::Domain;
use crate::entities::Called;
use crate::route::Routes;

/// The routes of contacts.
pub(crate) fn routes() -> Routes {
    Routes::of(Domain::Contacts)
        .entity::<Contact>("/contacts", Called("a contact", "contacts"))
        .parts::<Affiliation>("/contacts/{id}/affiliations", Called("an affiliation", "affiliations"))
        .entity::<Group>("/groups", Called("a group", "groups"))
}

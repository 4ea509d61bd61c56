//! All routes, one file for each part of the API.

mod calendar;
mod calendar_files;
mod changes;
mod contact_files;
mod contacts;
mod crm;
mod notes;
mod tasks;
mod tenant;

use crate::route::Route;

/// Every route.
pub(crate) fn all() -> Vec<Route> {
    let parts = [
        contacts::routes(),
        crm::routes(),
        tasks::routes(),
        calendar::routes(),
        notes::routes(),
        changes::routes(),
        tenant::routes(),
    ];
    parts.into_iter().flat_map(crate::route::Routes::into_routes).collect()
}

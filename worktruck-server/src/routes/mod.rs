//! All routes, one file for each part of the API.

mod contacts;

use crate::route::Route;

/// Every route.
pub(crate) fn all() -> Vec<Route> {
    [contacts::routes()].into_iter().flat_map(crate::route::Routes::into_routes).collect()
}

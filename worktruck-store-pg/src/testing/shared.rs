use std::fs;
use std::path::PathBuf;

use worktruck_core::Result;

use super::home::{Place, unusable};
use super::server::{Server, sweep};

/// Joins those who use the shared server, which is started if it does not run.
///
/// It runs at least until what this returns is dropped.
pub(super) fn join(place: &Place) -> Result<Server> {
    let _lock = place.lock()?;
    if let Some(server) = current(place).and_then(|folder| Server::join(place, folder)) {
        return Ok(server);
    }
    sweep(place);
    let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut server = Server::prepare(place, &settings, false, place.grace)?;
    server.leave();
    server.start()?;
    let name = server.folder.file_name().unwrap_or_default().as_encoded_bytes();
    fs::write(place.current(), name).map_err(|error| unusable(&place.current(), error))?;
    Ok(server)
}

/// What makes a server quick that need not survive the machine. Each of its databases is small.
const SETTINGS: [(&str, &str); 4] =
    [("fsync", "off"), ("full_page_writes", "off"), ("shared_buffers", "32MB"), ("max_wal_size", "256MB")];

/// The folder of the server that was last started to be shared.
fn current(place: &Place) -> Option<PathBuf> {
    let name = fs::read_to_string(place.current()).ok()?;
    let is_name = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_name.then(|| place.servers().join(name))
}

use std::fs;
use std::path::Path;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use tokio::net::TcpListener;

/// A service that refuses every key and says in its answer what it was sent.
pub(crate) async fn echo() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(|request: Request| async move {
        (
            StatusCode::UNAUTHORIZED,
            format!(
                "you sent {:?} {:?}",
                request.uri(),
                request
                    .headers()
                    .clone()
                    .into_iter()
                    .map(|(name, value)| (name, value.to_str().map(str::to_owned).unwrap_or_default()),)
                    .collect::<Vec<_>>()
            ),
        )
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// All files of a folder with something in them.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = entries.map(|path| (path.display().to_string(), fs::read(&path).unwrap()));
    let found: Vec<_> = read.filter(|(_, bytes)| !bytes.is_empty()).collect();
    assert!(!found.is_empty(), "the store has a file");
    found
}

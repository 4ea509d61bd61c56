use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Client, Response};
use serde_json::{Value, json};
use worktruck_core::{Error, Result};
use worktruck_tests::{Announcement, Beside, Position};

use crate::hold::{announce, hold, told};

/// The way to the server in the test, which plays the model and whatever else is outside.
#[derive(Debug)]
pub(crate) struct Outside {
    client: Client,
    server: String,
    hold: Option<Position>,
    calls: AtomicUsize,
}

impl Outside {
    pub(crate) fn new(server: String, hold: Option<Position>) -> Result<Self> {
        // The test is on this machine, and behind no proxy.
        let client = Client::builder().no_proxy().build();
        let client = client.map_err(|e| Error::internal("there is no HTTP client").with_source(e))?;
        Ok(Self { client, server, hold, calls: AtomicUsize::new(0) })
    }

    /// Calls, and says so before the client has the request. In the call where it is to stay, it
    /// does so when it is told that the call has arrived.
    pub(crate) async fn call(&self, what: &str, mut body: Value) -> reqwest::Result<Response> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let stays = self.hold.is_some_and(|position| position.is_in_call(number));
        body["held"] = json!(stays);
        let url = format!("{}/{what}", self.server);
        announce(&Announcement::Calls);
        let mut answer = pin!(self.client.post(url).json(&body).send());
        if stays {
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                () = told() => hold(Beside::CallOutside).await,
            }
        }
        answer.await
    }
}

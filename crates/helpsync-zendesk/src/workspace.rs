//! Whether anybody has a workspace's name, asked without a token.
//!
//! As the calls of OAuth, this one does not pass the [`RateLimiter`](crate::RateLimiter): budgets, metrics and what is noted
//! of their use are kept by account, and a name that nobody has must not become one. Whoever asks bounds how often.

use reqwest::{Method, StatusCode};

use crate::envelope::{Envelope, text};
use crate::http::{Http, Request};
use crate::traffic::template_of;
use crate::{Endpoint, Failure};

/// Answers 200 and an anonymous user to whoever has no token.
const ASKED: &str = "/api/v2/users/me";
/// How the title of Zendesk's answer begins where nobody has the name. Its pages do not say so; recorded by
/// blakmatrix/node-zendesk (test/fixtures/authentication_test_verifyUser_not_found.json).
const NOBODY_HAS_IT: &str = "No help desk at ";

/// Whether Zendesk says that nobody has the name of this workspace. Everything else that it may answer, a 404 without those
/// words included, says nothing of that: the account may be suspended, have no help center, or be at a proxy's mercy.
///
/// # Errors
/// [`Failure`] when there was no answer, or the address is none that may be asked. It says nothing either.
pub async fn is_unclaimed(http: &Http, endpoint: &Endpoint) -> Result<bool, Failure> {
    let url = endpoint.url(ASKED, &[]);
    let template = template_of(url.path());
    let request = Request { method: Method::GET, url: &url, template: &template, token: None, body: None };
    let reply = http.send(request).await.outcome?;
    Ok(reply.status == StatusCode::NOT_FOUND && says_so(&reply.body))
}

fn says_so(body: &[u8]) -> bool {
    let body = text(body);
    let error = Envelope::read(&body).and_then(|answer| answer.object("error"));
    error.is_ok_and(|error| error.text("title").starts_with(NOBODY_HAS_IT))
}

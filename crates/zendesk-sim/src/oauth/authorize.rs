//! The page that asks the administrator, and the redirect back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::{CODE_SECONDS, Code, OauthClient, scopes};
use crate::account::State;
use crate::http::{Answer, Query};
use crate::settings::{Consent, Role};

/// Fields that travel from the page's address through its form.
const CARRIED: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// `GET /oauth/authorizations/new`.
pub(crate) fn authorize(state: &mut State, query: &Query) -> Answer {
    let request = match validate(state, query) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    match state.settings.consent {
        Consent::PermitRequest => Answer::html(200, &page(state, query)),
        Consent::Allow => allow(state, query, &request, state.settings.grant_as),
        Consent::Deny => deny(&request),
    }
}

/// `POST /oauth/authorizations`: the form of the page. `decision` is `allow` or `deny`; `as` may name the role of who is signed in.
pub(crate) fn decide(state: &mut State, form: &Query) -> Answer {
    let request = match validate(state, form) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let role = match form.get("as") {
        Some("admin") => Role::Admin,
        Some("agent") => Role::Agent,
        Some("end_user") => Role::EndUser,
        _ => state.settings.grant_as,
    };
    match form.get("decision") {
        Some("allow") => allow(state, form, &request, role),
        _ => deny(&request),
    }
}

struct Request {
    redirect_uri: Url,
    state: Option<String>,
}

impl Request {
    fn back(&self, pairs: &[(&str, &str)]) -> Answer {
        let mut target = self.redirect_uri.clone();
        target.query_pairs_mut().extend_pairs(pairs);
        if let Some(state) = &self.state {
            target.query_pairs_mut().append_pair("state", state);
        }
        Answer::redirect(target.as_str())
    }
}

fn validate(state: &State, query: &Query) -> Result<Request, Answer> {
    let refuse = |why: &str| {
        let text =
            format!("<html><body><h1>Invalid Authorization Request</h1><p>{}</p></body></html>", escape(why));
        Answer::html(400, &text)
    };
    let client = query
        .get("client_id")
        .and_then(|id| state.oauth.client(id))
        .ok_or_else(|| refuse("No such client"))?;
    let redirect = query.get("redirect_uri").unwrap_or_default();
    let redirect_uri = Url::parse(redirect).ok().filter(|url| registered(client, redirect, url));
    let redirect_uri = redirect_uri.ok_or_else(|| refuse("Invalid redirect_uri"))?;
    let request = Request { redirect_uri, state: query.get("state").map(ToOwned::to_owned) };
    if query.get("response_type") != Some("code") {
        return Err(request.back(&[("error", "unsupported_response_type")]));
    }
    let method_fits =
        query.get("code_challenge").is_none() || query.get("code_challenge_method") == Some("S256");
    let public_has_challenge = client.client_secret.is_some() || query.get("code_challenge").is_some();
    if !method_fits || !public_has_challenge {
        let text = "PKCE with S256 is required";
        return Err(request.back(&[("error", "invalid_request"), ("error_description", text)]));
    }
    Ok(request)
}

/// Registered addresses match exactly; a client without any takes loopback addresses, for tests.
fn registered(client: &OauthClient, text: &str, url: &Url) -> bool {
    if client.redirect_uris.is_empty() {
        return matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    }
    client.redirect_uris.iter().any(|known| known == text)
}

fn allow(state: &mut State, query: &Query, request: &Request, role: Role) -> Answer {
    let now = state.clock.now();
    let Some(user_id) = state.user_with(role).map(|user| user.id) else { return deny(request) };
    let code = state.oauth.add_code(Code {
        client_id: query.get("client_id").unwrap_or_default().to_owned(),
        redirect_uri: query.get("redirect_uri").unwrap_or_default().to_owned(),
        scopes: scopes(query.get("scope").unwrap_or_default()),
        challenge: query.get("code_challenge").map(ToOwned::to_owned),
        user_id,
        expires_at: now + CODE_SECONDS,
    });
    request.back(&[("code", &code)])
}

fn deny(request: &Request) -> Answer {
    let text = "The end-user or authorization server denied the request.";
    request.back(&[("error", "access_denied"), ("error_description", text)])
}

fn page(state: &State, query: &Query) -> String {
    let mut fields = String::new();
    for name in CARRIED {
        if let Some(value) = query.get(name) {
            fields
                .push_str(&format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape(value)));
        }
    }
    let client = escape(query.get("client_id").unwrap_or_default());
    let scope = escape(query.get("scope").unwrap_or("(none)"));
    format!(
        "<!doctype html><html lang=\"en\"><head><title>Authorize {client}</title></head><body>\n\
         <h1>Allow {client} to access {} as {}?</h1>\n<p>It asks for: {scope}</p>\n\
         <form method=\"post\" action=\"{}/oauth/authorizations\">\n{fields}\
         <button name=\"decision\" value=\"allow\">Allow</button>\n\
         <button name=\"decision\" value=\"deny\">Deny</button>\n</form></body></html>",
        state.subdomain,
        state.settings.grant_as.wire_name(),
        state.base,
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Whether the verifier hashes to the challenge (RFC 7636, S256).
pub(super) fn verifier_fits(challenge: &str, verifier: &str) -> bool {
    use sha2::{Digest, Sha256};
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == challenge
}

//! Who asks: the user behind a token, and the token itself.

use serde_json::json;

use crate::account::State;
use crate::clock::iso;
use crate::content::Viewer;
use crate::http::{Answer, Request};

pub(super) fn me(state: &State, viewer: Viewer) -> Answer {
    let Some(user) = state.users.iter().find(|user| user.id == viewer.user_id) else {
        return super::anonymous();
    };
    let user = json!({ "id": user.id, "name": user.name, "email": user.email, "role": user.role.wire_name(),
        "verified": true, "active": true, "suspended": false, "locale": state.center.default_locale(), "time_zone": "UTC" });
    Answer::json(200, json!({ "user": user }))
}

/// `/api/v2/oauth/tokens/{current | id}`.
pub(super) fn token(state: &mut State, request: &Request, id: &str) -> Answer {
    let now = state.clock.now();
    let Some(bearer) = &request.bearer else { return Answer::bad_token() };
    let Some(token) = state.oauth.bearer(bearer, now).cloned() else { return Answer::bad_token() };
    if id != "current" && id.parse() != Ok(token.id) {
        return Answer::no_record();
    }
    match request.method.as_str() {
        "DELETE" => {
            state.oauth.revoke(bearer);
            Answer::empty(204)
        }
        "GET" => {
            let shown = json!({
                "id": token.id,
                "url": format!("{}/api/v2/oauth/tokens/{}.json", request.base, token.id),
                "client_id": token.id,
                "user_id": token.user_id,
                "scopes": token.scopes,
                "token": token.access.chars().take(10).collect::<String>(),
                "refresh_token": token.refresh.as_ref().map(|text| text.chars().take(10).collect::<String>()),
                "created_at": iso(token.created_at),
                "used_at": token.used_at.map(iso),
                "expires_at": token.expires_at.map(iso),
                "refresh_token_expires_at": token.refresh_expires_at.map(iso),
            });
            Answer::json(200, json!({ "token": shown }))
        }
        _ => Answer::no_endpoint(),
    }
}

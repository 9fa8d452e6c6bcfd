//! The endpoints below one account's prefix. Synchronous: a request and the account's state in, an answer out.

mod articles;
mod attachments;
mod brands;
mod export;
mod guide;
mod list;
mod sections;
mod single;
mod users;
mod wire;

use serde_json::json;

use crate::account::State;
use crate::content::Viewer;
use crate::http::{Answer, Query, Request};
use crate::oauth;

/// Who asks, and with what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    /// `None`: nobody is signed in.
    pub(crate) viewer: Option<Viewer>,
}

/// Answers one request.
pub(crate) fn answer(state: &mut State, request: &Request) -> Answer {
    let parts = request.parts();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["oauth", "authorizations", "new"]) => oauth::authorize(state, &request.query),
        ("POST", ["oauth", "authorizations"]) => {
            let form = Query::parse(&String::from_utf8_lossy(&request.body));
            oauth::decide(state, &form)
        }
        ("POST", ["oauth", "tokens"]) => oauth::exchange(state, &request.content_type, &request.body),
        (_, ["api", "v2", rest @ ..]) => api(state, request, rest),
        ("GET", ["hc", "article_attachments", id] | ["hc", "article_attachments", id, _]) => {
            attachments::attachment_bytes(state, id)
        }
        // Within a locale, which is where redirects lead to.
        ("GET", ["hc", _, "article_attachments", id]) => attachments::attachment_bytes(state, id),
        _ => Answer::html(
            404,
            "<html><body><h1>The page you were looking for doesn't exist</h1></body></html>",
        ),
    }
}

fn api(state: &mut State, request: &Request, rest: &[&str]) -> Answer {
    if state.settings.suspended {
        return Answer::html(423, "<html><body><h1>This account has been suspended</h1></body></html>");
    }
    let now = state.clock.now();
    let (resource, verb) = (resource(rest), if request.method == "GET" { "read" } else { "write" });
    let caller = match &request.bearer {
        None => Caller { viewer: None },
        Some(bearer) => {
            let Some(token) = state.oauth.bearer(bearer, now) else {
                if rest == ["users", "me"] {
                    return anonymous();
                }
                return Answer::bad_token();
            };
            let user_id = token.user_id;
            if !resource.is_empty() && !token.allows(resource, verb) {
                return Answer::forbidden();
            }
            let Some(user) = state.users.iter().find(|user| user.id == user_id) else {
                return Answer::bad_token();
            };
            Caller { viewer: Some(Viewer { user_id, role: user.role }) }
        }
    };
    match (request.method.as_str(), rest) {
        (_, ["help_center" | "guide", ..]) if !state.settings.help_center_enabled => Answer::no_endpoint(),
        ("GET", ["help_center", rest @ ..]) => help_center(state, request, caller, rest),
        ("GET", ["guide", rest @ ..]) => guide::guide(state, rest),
        ("GET", ["brands"]) => brands::list(state, request),
        ("GET", ["brands", id]) => brands::one(state, request, id),
        ("GET", ["users", "me"]) => match caller.viewer {
            Some(viewer) => users::me(state, viewer),
            None => anonymous(),
        },
        (_, ["oauth", "tokens", id]) => users::token(state, request, id),
        (_, ["webhooks", rest @ ..]) => {
            if !caller.viewer.is_some_and(|viewer| viewer.role.is_staff()) {
                return Answer::forbidden();
            }
            let now_ms = state.clock.now_ms();
            state.webhooks.answer(request, rest, now_ms)
        }
        _ => Answer::no_endpoint(),
    }
}

/// 200 for nobody: it proves nothing, as seen in the field.
fn anonymous() -> Answer {
    let user =
        json!({ "id": null, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user" });
    Answer::json(200, json!({ "user": user }))
}

/// The scope's first half that a path wants; empty where any token will do.
fn resource(rest: &[&str]) -> &'static str {
    match rest {
        ["help_center" | "guide", ..] => "hc",
        ["webhooks", ..] => "webhooks",
        ["users", ..] => "users",
        ["brands", ..] => "brands",
        _ => "",
    }
}

/// The resources that end users may ask for in a locale only: lists of articles, sections and categories, and one of each.
fn wants_locale(rest: &[&str]) -> bool {
    matches!(rest, ["articles" | "sections" | "categories"] | ["sections" | "categories", ..])
        || matches!(rest, ["articles", id] if id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a path spells this locale, such as `en-US` or `en_us` (a guess: Zendesk's pages show lower case alone).
fn is_spelt(locale: &str, spelt: &str) -> bool {
    locale.eq_ignore_ascii_case(&spelt.replace('_', "-"))
}

fn help_center(state: &State, request: &Request, caller: Caller, rest: &[&str]) -> Answer {
    let center = &state.center;
    // A locale may stand before the resource.
    let (locale, rest) = match rest {
        [spelt, tail @ ..] => match center.locales.iter().find(|known| is_spelt(known, spelt)) {
            Some(locale) => (Some(locale.as_str()), tail),
            None => (None, rest),
        },
        _ => (None, rest),
    };
    let staff = caller.viewer.is_some_and(|viewer| viewer.role.is_staff());
    if let (Some(status), None, false, true) =
        (state.settings.locale_required, locale, staff, wants_locale(rest))
    {
        return match status {
            403 => Answer::forbidden(),
            404 => Answer::no_endpoint(),
            status => Answer::json(
                status,
                json!({ "error": { "title": "Invalid locale", "message": "A locale is required" } }),
            ),
        };
    }
    match rest {
        ["articles"] => articles::list(state, request, caller, locale, articles::Within::All),
        ["sections", id, "articles"] => match id.parse() {
            Ok(id) => articles::list(state, request, caller, locale, articles::Within::Section(id)),
            Err(_not_a_number) => Answer::no_record(),
        },
        ["categories", id, "articles"] => match id.parse() {
            Ok(id) => articles::list(state, request, caller, locale, articles::Within::Category(id)),
            Err(_not_a_number) => Answer::no_record(),
        },
        ["incremental", "articles"] => export::export(state, request, caller),
        ["articles", "labels"] => guide::labels(state),
        ["articles", id, tail @ ..] => match id.parse() {
            Ok(id) => single::article(state, request, caller, locale, id, tail),
            Err(_not_a_number) => Answer::no_record(),
        },
        ["sections"] => sections::sections(state, request, None),
        ["categories", id, "sections"] => sections::sections(state, request, id.parse().ok()),
        ["sections", id] => sections::section(state, request, id),
        ["categories"] => sections::categories(state, request),
        ["categories", id] => sections::category(state, request, id),
        ["locales"] => {
            let locales = json!({ "locales": center.locales, "default_locale": center.default_locale() });
            Answer::json(200, locales)
        }
        ["user_segments" | "user_segments.json"] | ["user_segments", "applicable"] => {
            guide::segments(state, request)
        }
        _ => Answer::no_endpoint(),
    }
}

//! What surrounds every page.

use std::borrow::Cow;
use std::iter;

use axum::http::StatusCode;
use helpsync_model::KeyScope;
use helpsync_pages::{App, Brand, Page};
use maud::{Markup, html};

use crate::assets::assets;
use crate::dashboard::Dashboard;
use crate::form::TOKEN;
use crate::text as t;
use crate::visitor::Visitor;

/// The field by which a person says that it is meant.
pub(crate) const SURE: &str = "sure";

/// Which part of the dashboard a page is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Overview,
    Customers,
    DeadLetters,
    Webhooks,
    Audit,
    Organizations,
}

/// A page of whoever is not logged in, or that cannot be shown.
pub(crate) fn alone(dashboard: &Dashboard, status: StatusCode, title: &str, content: Markup) -> Page {
    let brand = Brand { name: t::PRODUCT.to_owned(), ..Brand::default() };
    Page::new(status, title).product(t::PRODUCT).brand(&brand).assets(assets(dashboard)).part(content)
}

/// A page of the organization that is looked at. `live`: the address of its stream.
pub(crate) fn page(
    visitor: &Visitor,
    part: Part,
    title: &str,
    live: Option<String>,
    content: Markup,
) -> Page {
    let app = App {
        top: top(visitor, part),
        skip: t::TO_CONTENT,
        below: palette(),
        live,
        palette: visitor.at("/palette"),
    };
    let is_live = app.live.is_some();
    let page = Page::new(StatusCode::OK, title)
        .product(t::PRODUCT)
        .assets(assets(&visitor.dashboard))
        .app(app)
        .part(content);
    if is_live { page.part(stale()) } else { page }
}

/// Says that a page is no longer kept current, and what to do: shown by the script. Loading it again leads to the login and
/// back where the session is over.
fn stale() -> Markup {
    html! {
        div class="stale" role="status" {
            p class="note warn" data-stale="away" hidden { (t::STREAM_AWAY) " " a href="" { (t::LOAD_AGAIN) } }
            p class="note warn" data-stale="over" hidden { (t::SESSION_OVER) " " a href="" { (t::LOGIN_AGAIN) } }
        }
    }
}

fn top(visitor: &Visitor, part: Part) -> Markup {
    let link = |of: Part, address: &str, text: &str| {
        html! { a href=(address) aria-current=[(of == part).then_some("page")] { (text) } }
    };
    html! {
        header class="top" {
            a class="brand" href=(visitor.at("")) { (t::PRODUCT) }
            span class="organization" title=(t::ORGANIZATION) { (visitor.organization) }
            nav aria-label=(t::PARTS) {
                (link(Part::Overview, &visitor.at(""), t::OVERVIEW))
                (link(Part::Customers, &visitor.at("/customers"), t::CUSTOMERS))
                (link(Part::DeadLetters, &visitor.at("/dead-letters"), t::DEAD_LETTERS))
                (link(Part::Webhooks, &visitor.at("/webhooks"), t::WEBHOOKS))
                @if visitor.may(KeyScope::Admin) {
                    (link(Part::Audit, &visitor.at("/audit"), t::AUDIT_LOG))
                }
                @if visitor.may(KeyScope::Operator) {
                    (link(Part::Organizations, &visitor.dashboard.at("/organizations"), t::ORGANIZATIONS))
                }
            }
            span class="grow" {}
            button type="button" class="scripted" data-open="palette" aria-keyshortcuts="Control+K" {
                (t::GO_TO) " " kbd { (t::PALETTE_KEY) }
            }
            details class="menu" {
                summary { (t::KEY) " " (visitor.key.name) }
                div class="menu-body" {
                    p class="soft" { (t::scope_of_key(visitor.key.scope.as_str())) }
                    (post(visitor, &visitor.dashboard.at("/logout"), &html! {
                        button type="submit" { (t::LOGOUT) }
                        button type="submit" name="everywhere" value="1" { (t::LOGOUT_EVERYWHERE) }
                    }))
                }
            }
        }
    }
}

/// A form that posts, with what only our pages know.
pub(crate) fn post(visitor: &Visitor, address: &str, content: &Markup) -> Markup {
    html! {
        form method="post" action=(address) {
            input type="hidden" name=(TOKEN) value=(visitor.token);
            (content)
        }
    }
}

/// A button that posts to `address`.
pub(crate) fn button(visitor: &Visitor, address: &str, text: &str, class: &str) -> Markup {
    post(visitor, address, &html! { button type="submit" class=(class) { (text) } })
}

/// Filled by the script: without it there is nothing to open.
fn palette() -> Markup {
    html! {
        dialog id="palette" class="palette" aria-label=(t::GO_TO) {
            form method="dialog" {
                label class="sr" for="palette-input" { (t::PALETTE_LABEL) }
                input id="palette-input" type="text" autocomplete="off" placeholder=(t::PALETTE_LABEL)
                    role="combobox" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list";
            }
            ul id="palette-list" role="listbox" aria-label=(t::PALETTE_RESULTS) {}
            p class="soft" { (t::PALETTE_HELP) }
        }
    }
}

/// A region that the stream keeps current.
pub(crate) fn region(name: &str, content: &Markup) -> Markup {
    html! { div data-region=(name) { (content) } }
}

/// Asks before something is done that cannot be taken back. The form comes again with `sure`, and with what `content` holds.
pub(crate) fn sure(
    visitor: &Visitor,
    address: &str,
    content: &Markup,
    [yes, act]: [&str; 2],
    back: &str,
) -> Markup {
    post(
        visitor,
        address,
        &html! {
            (content)
            label class="check" { input type="checkbox" name=(SURE) value="1" required; " " (yes) }
            div class="actions" {
                button class="danger" type="submit" { (act) }
                a class="button" href=(back) { (t::BACK) }
            }
        },
    )
}

/// What a list is narrowed to by a word.
pub(crate) struct Search<'a> {
    /// The parameter's name.
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    pub(crate) value: &'a str,
    /// What may be looked for, if the label does not say it.
    pub(crate) placeholder: Option<&'a str>,
}

/// What a list is narrowed to, or ordered by, by one of some values.
pub(crate) struct Choice<'a> {
    /// The parameter's name.
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    pub(crate) chosen: &'a str,
    /// Values and their texts; the first is what nobody needs to choose.
    pub(crate) options: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Choice<'a> {
    /// One of these states, or any.
    pub(crate) fn of_states(name: &'a str, label: &'a str, chosen: &'a str, states: &'a [&'a str]) -> Self {
        let states = states.iter().map(|state| (*state, t::state(state).into()));
        Self { name, label, chosen, options: iter::once(("", t::ANY.into())).chain(states).collect() }
    }
}

/// The form above a list that narrows it.
pub(crate) fn filter(address: &str, search: &Search<'_>, choices: &[Choice<'_>]) -> Markup {
    html! {
        form class="filter" method="get" action=(address) role="search" {
            div {
                label for=(search.name) { (search.label) }
                input id=(search.name) type="search" name=(search.name) value=(search.value) maxlength="255"
                    placeholder=[search.placeholder] data-search;
            }
            @for choice in choices {
                div {
                    label for=(choice.name) { (choice.label) }
                    select id=(choice.name) name=(choice.name) {
                        @for (value, text) in &choice.options {
                            option value=(value) selected[*value == choice.chosen] { (text) }
                        }
                    }
                }
            }
            button type="submit" { (t::SHOW) }
        }
    }
}

/// The rest of a list.
pub(crate) fn next_page(address: Option<String>) -> Markup {
    html! {
        @if let Some(address) = address {
            p { a class="button" rel="next" href=(address) { (t::NEXT_PAGE) } }
        }
    }
}

//! Work that gave up: by cause, one by one, replayed or discarded, also many at once.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use helpsync_api::{Asked, answers};
use helpsync_model::KeyScope;
use helpsync_pages::{Fields, Page};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use crate::form::Sent;
use crate::layout::{self, Part, post};
use crate::pages::overview::named;
use crate::problem::{Problem, see_other};
use crate::show::{table, when};
use crate::text as t;
use crate::visitor::{Given, Visitor, part};

/// Rows of a page.
const ROWS: usize = 100;
/// Dead letters that one form acts on, and that are asked for at once where only some of them are wanted.
const BULK_MAX: usize = 1_000;
/// So many times they are asked for, to find those of one customer or cause.
const LOOKS_MAX: usize = 20;
/// The field that says that a form means not all of a cause.
const MORE: &str = "more";
/// Of a message's body, so many characters are shown.
const BODY_CHARS_SHOWN: usize = 400;

#[derive(Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    customer: String,
    #[serde(default)]
    after: String,
    said: Option<String>,
}

async fn list(visitor: &Visitor, after: &str, limit: usize) -> Result<answers::DeadLetters, Problem> {
    visitor.get(&format!("/helpsync/v1/dead-letters?limit={limit}&after={}", part(after))).await
}

/// The first `most` that are wanted of what stands behind `after`, and where to look on; and whether the looks were used
/// up before that many were found.
async fn wanted(
    visitor: &Visitor,
    after: &str,
    most: usize,
    is_wanted: impl Fn(&answers::DeadLetter) -> bool,
) -> Result<(answers::DeadLetters, bool), Problem> {
    let mut found = list(visitor, after, BULK_MAX).await?;
    found.dead_letters.retain(&is_wanted);
    for _look in 1..LOOKS_MAX {
        let Some(next) = found.next.clone().filter(|_| found.dead_letters.len() <= most) else { break };
        let more = list(visitor, &next, BULK_MAX).await?;
        found.dead_letters.extend(more.dead_letters.into_iter().filter(&is_wanted));
        found.next = more.next;
        found.messages_unavailable = more.messages_unavailable.or(found.messages_unavailable);
    }
    if found.dead_letters.len() > most {
        found.dead_letters.truncate(most);
        found.next = found.dead_letters.last().map(|last| last.id.clone());
        return Ok((found, false));
    }
    let used_up = found.next.is_some();
    Ok((found, used_up))
}

pub(crate) async fn page(visitor: Visitor, Given(asked): Given<Which>) -> Result<Page, Problem> {
    let of_one = !asked.customer.is_empty();
    let (found, used_up) = if of_one {
        let is_theirs = |letter: &answers::DeadLetter| letter.customer_id.as_deref() == Some(&asked.customer);
        wanted(&visitor, &asked.after, ROWS, is_theirs).await?
    } else {
        (list(&visitor, &asked.after, ROWS).await?, false)
    };
    let next = found.next.as_deref().map(|next| {
        visitor.at(&format!("/dead-letters?customer={}&after={}", part(&asked.customer), part(next)))
    });
    let content = html! {
        h1 { (t::DEAD_LETTERS) }
        (visitor.said(asked.said.as_deref()))
        p { (t::DEAD_LETTERS_LONG) }
        @if of_one { p { (t::of_customer(&asked.customer)) " " a href=(visitor.at("/dead-letters")) { (t::ALL) } } }
        @if let Some(why) = &found.messages_unavailable { p class="note failed" { (t::messages_away(why)) } }
        @if used_up { p class="note warn" { (t::NOT_ALL_LOOKED_AT) } }
        @if let Some(all) = found.groups.as_deref().filter(|all| !all.is_empty() && !of_one) {
            (groups(&visitor, all))
        }
        @if !found.dead_letters.is_empty() { (letters(&visitor, &found.dead_letters)) }
        @else if !used_up { p class="card soft" { (t::NO_DEAD_LETTERS) } }
        (layout::next_page(next))
    };
    Ok(layout::page(&visitor, Part::DeadLetters, t::DEAD_LETTERS, None, content))
}

/// Buttons that the key may press: replaying starts work, discarding is an administrator's.
fn buttons(visitor: &Visitor, of: &str) -> Markup {
    html! {
        @if visitor.may(KeyScope::Sync) { button type="submit" name="do" value="replay" { (t::REPLAY) " " (of) } }
        @if visitor.may(KeyScope::Admin) {
            button type="submit" class="danger" name="do" value="discard" { (t::DISCARD) " " (of) }
        }
    }
}

fn groups(visitor: &Visitor, groups: &[answers::DeadLetterGroup]) -> Markup {
    let now = visitor.dashboard.now_ms();
    html! {
        section class="card" {
            h2 { (t::BY_CAUSE) }
            (table(t::BY_CAUSE, &[t::CAUSE, t::COUNT, t::CUSTOMERS, t::LAST, t::ACTIONS], &html! {
                @for group in groups {
                    tr {
                        td class="long" { (group.cause) }
                        td class="number" { (group.count) }
                        td class="number" { (group.customers) }
                        td { (when(&group.last_failed_at, now)) }
                        td {
                            (post(visitor, &visitor.at("/dead-letters"), &html! {
                                input type="hidden" name="cause" value=(group.cause);
                                div class="actions" { (buttons(visitor, t::ALL_OF_CAUSE)) }
                            }))
                        }
                    }
                }
            }))
        }
    }
}

fn letters(visitor: &Visitor, letters: &[answers::DeadLetter]) -> Markup {
    let now = visitor.dashboard.now_ms();
    // Whoever can do nothing with them has nothing to choose.
    let may_choose = visitor.may(KeyScope::Sync);
    let columns = [t::CHOSEN, t::WORK, t::CUSTOMER, t::CAUSE, t::FAILED_AT];
    let columns = if may_choose { &columns[..] } else { &columns[1..] };
    post(
        visitor,
        &visitor.at("/dead-letters"),
        &html! {
            @if may_choose {
                div class="actions" {
                    label class="check scripted" { input type="checkbox" data-all="id"; " " (t::CHOOSE_ALL) }
                    (buttons(visitor, t::THE_CHOSEN))
                }
            }
            (table(t::DEAD_LETTERS, columns, &html! {
                @for letter in letters {
                    tr {
                        @if may_choose {
                            td { input type="checkbox" name="id" value=(letter.id) aria-label=(t::choose(&letter.id)); }
                        }
                        td {
                            @match &letter.shard {
                                Some(shard) => {
                                    a href=(visitor.at(&format!("/runs/{}", shard.run_id))) { (t::shard(&letter.kind, &shard.key)) }
                                    " " span class="soft" { (t::tries(shard.attempts)) }
                                },
                                None => (t::work(&letter.kind)),
                            }
                            @if let Some(message) = &letter.message {
                                " " span class="soft" { (message.origin) }
                                br; code { (message.body.chars().take(BODY_CHARS_SHOWN).collect::<String>()) }
                            }
                        }
                        td { @match &letter.customer_id {
                            Some(customer) => { a href=(named(visitor, customer)) { (customer) } },
                            None => (t::NONE),
                        } }
                        td class="long" { (letter.error.as_deref().unwrap_or(&letter.cause)) }
                        td { (when(&letter.failed_at, now)) }
                    }
                }
            }))
        },
    )
}

/// The ids that a form means: those it names, or all of a cause; and whether there may be more.
async fn meant(visitor: &Visitor, fields: &Fields) -> Result<(Vec<String>, bool), Problem> {
    let Some(cause) = fields.one("cause") else {
        let ids = fields.all("id").take(BULK_MAX).map(str::to_owned).collect();
        return Ok((ids, fields.has(MORE)));
    };
    let (found, _) = wanted(visitor, "", BULK_MAX, |letter| letter.cause == cause).await?;
    Ok((found.dead_letters.into_iter().map(|letter| letter.id).collect(), found.next.is_some()))
}

/// Work that is discarded is not done, whoever waits for it.
fn ask_before(visitor: &Visitor, ids: &[String], more: bool) -> Page {
    let letters = visitor.at("/dead-letters");
    let meant = html! {
        input type="hidden" name="do" value="discard";
        @for id in ids { input type="hidden" name="id" value=(id); }
        @if more { input type="hidden" name=(MORE) value="1"; }
    };
    let content = html! {
        h1 { (t::DISCARD) }
        div class="card stack" {
            p { (t::discard_asked(ids.len())) }
            @if more { p { (t::MORE_OF_CAUSE) } }
            (layout::sure(visitor, &letters, &meant, [t::DISCARD_SURE, t::DISCARD], &letters))
        }
    };
    layout::page(visitor, Part::DeadLetters, t::DISCARD, None, content)
}

pub(crate) async fn act(Sent { visitor, fields }: Sent) -> Result<Response, Problem> {
    let dashboard = &visitor.dashboard;
    let (method, end, word) = match fields.one("do") {
        Some("replay") => (Method::POST, "/replay", "replayed"),
        Some("discard") => (Method::DELETE, "", "discarded"),
        _ => return Err(Problem::new(dashboard, StatusCode::BAD_REQUEST, t::NOTHING_AT_ADDRESS)),
    };
    if method == Method::DELETE && !visitor.may(KeyScope::Admin) {
        return Err(Problem::new(dashboard, StatusCode::FORBIDDEN, t::DISCARD_NOT_ALLOWED));
    }
    let (ids, more) = meant(&visitor, &fields).await?;
    if method == Method::DELETE && !ids.is_empty() && !fields.has(layout::SURE) {
        return Ok(ask_before(&visitor, &ids, more).into_response());
    }
    let (mut done, mut refused) = (0_usize, None);
    for id in &ids {
        let path = format!("/helpsync/v1/dead-letters/{}{end}", part(id));
        let asked = Asked { method: method.clone(), path: &path, customer: None, body: None };
        match visitor.ask::<Value>(asked).await {
            Ok(_) => done += 1,
            Err(problem) => refused = Some(problem),
        }
    }
    match refused {
        None => {
            let word = match (ids.is_empty(), more) {
                (true, _) => "none_chosen".to_owned(),
                (false, true) => format!("{word}_some"),
                (false, false) => word.to_owned(),
            };
            Ok(see_other(&visitor.saying(&visitor.at("/dead-letters"), &word, None)))
        }
        Some(problem) if done == 0 => Err(problem),
        Some(Problem::Page { status, text, .. }) => {
            let told = t::partly(done, ids.len() - done, &text);
            Ok(Problem::new(dashboard, status, told).into_response())
        }
        Some(login @ Problem::Login(_)) => Err(login),
    }
}

//! A typed, asynchronous client of Zendesk's help center.
//!
//! It knows how Zendesk speaks (paths, envelopes, limits, errors, OAuth) and nothing of jobs or stores. Two traits
//! are its only way out of itself, and neither can be left out:
//!
//! - [`RateLimiter`]: no request leaves without a [`Permit`] from the account's shared budget, and every answer's rate headers
//!   are reported back to it.
//! - [`TokenSource`]: hands out the access token and renews it once when Zendesk refuses it.
//!
//! What it guarantees whatever the other side answers:
//!
//! - A token is sent to the [`Endpoint`]'s own scheme, host, port and path prefix, and nowhere else: `next_page`,
//!   `links.next` and redirects that point elsewhere end in [`Failure::OffHost`].
//! - An answer is kept up to a bound, decompressed bytes counted; long texts are cut out of one that is longer, and
//!   their articles rejected as too long, so that a page always gets past.
//! - One broken article never loses its page: it is listed under `rejected` with the reason.
//! - A listing says [`Next::End`] only when the answer proves it.
//! - Errors never hold tokens, and of an answer's body only a short sanitized excerpt.

mod account;
mod article;
mod articles;
mod attachments;
mod bounded_body;
mod brands;
mod client;
mod endpoint;
mod envelope;
mod failure;
mod fields;
mod guard;
mod http;
mod names;
mod oauth;
mod rate_limiter;
mod token;
mod traffic;
mod tree;
mod webhook;
mod workspace;

#[cfg(test)]
mod tests;

pub use account::{Me, TokenInfo};
pub use article::{Article, PublishedText, Rejected, Translation, UnreadTranslation};
pub use articles::{
    EXPORT_PAGE_MAX, ExportPage, ListPage, ListQuery, OFFSET_RECORDS_MAX, PAGE_SIZE_MAX, PageRef, Scope,
    SortBy, SortOrder,
};
pub use attachments::{Attachment, Attachments, Download, essence};
pub use brands::{Brand, BrandsPage};
pub use client::{Answer, Client, REDIRECTS_MAX};
pub use endpoint::{DEFAULT_TEMPLATE, Endpoint, EndpointError};
pub use envelope::Next;
pub use failure::{Class, Detail, Failure, RETRY_AFTER_MAX, RETRY_AFTER_MIN};
pub use http::{BODY_BYTES_MAX, HEADERS_MAX, Http, HttpError, HttpOptions};
pub use names::{Author, ContentTag, TagsPage};
pub use oauth::{
    ACCESS_TOKEN_SECONDS, OAuthApp, OAuthFailure, PkceVerifier, REFRESH_TOKEN_SECONDS, Tokens, authorize_url,
    exchange_code, refresh,
};
pub use rate_limiter::{Family, Permit, RateLimiter, RateReport, Throttled};
pub use token::{TokenError, TokenSource};
pub use tree::{Category, Locales, Section, TreePage, same_locale};
pub use webhook::{NewWebhook, WebhookId, is_signed};
pub use workspace::is_unclaimed;

//! The dashboard under `/dashboard`: pages for people, rendered on the server, with every asset in the binary.
//!
//! It is a client of the API (`helpsync_api::Inside`) in the same process: what a page shows the API answers, what a button
//! does an endpoint does, under the scope of the key that somebody logged in with. Nothing here reads or changes the store
//! but sessions.
//!
//! - `session` logs browsers in and out; `visitor` is who asks for a page, and how pages ask the API.
//! - `form` reads what a page posts, and refuses what another site had posted.
//! - `pages` has one file a page, `draw` the drawings in them, `layout` what surrounds them, `text` every word.
//! - `live` keeps open pages current: one look at a time for all who look at the same.

mod assets;
mod dashboard;
mod draw;
mod form;
mod layout;
mod live;
mod pages;
mod problem;
mod said;
mod session;
mod show;
mod text;
mod visitor;

pub use dashboard::{Dashboard, DashboardParts};

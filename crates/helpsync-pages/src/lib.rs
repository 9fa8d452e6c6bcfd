//! The layout of every page that people see, and what keeps forms and cookies safe. It has no routes and knows no store.
//!
//! - [`Page`] is a whole document under a strict content security policy, every text escaped by maud: a sheet that holds all
//!   that it needs, or a page of an application ([`App`]), whose files are loaded once ([`Assets`]). Its style is `page.css`,
//!   the one style sheet there is.
//! - [`Brand`] is the look of the organization that a page speaks for.
//! - [`visitor`] tells programs from browsers; whoever is not certainly a program is a browser.
//! - [`Fields`] are what a form holds; [`folders`] lets people choose categories and sections by name.
//! - [`cookie`] writes and reads cookies, and says whether a form was posted from a page of ours.

mod brand;
pub mod cookie;
mod fields;
mod folders;
mod page;
pub mod visitor;

pub use brand::{Brand, BrandError, Color, LOGO_BYTES_MAX, Logo};
pub use fields::{FORM_BYTES_MAX, Fields};
pub use folders::{CATEGORY, Folder, SECTION, folders};
pub use page::{ASSETS_POLICY, App, Assets, FAVICON, Forms, Page, STYLE};

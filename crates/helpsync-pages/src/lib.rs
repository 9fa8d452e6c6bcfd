//! The layout of every page that people see, and what keeps forms and cookies safe. It has no routes and knows no store.
//!
//! - [`Page`] is a whole document: self-contained, under a strict content security policy, every text escaped by maud.
//!   Its style is `page.css`, the one style sheet there is.
//! - [`Brand`] is the look of the organization that a page speaks for.
//! - [`visitor`] tells programs from browsers; whoever is not certainly a program is a browser.
//! - [`cookie`] writes and reads cookies, and says whether a form was posted from a page of ours.

mod brand;
pub mod cookie;
mod page;
pub mod visitor;

pub use brand::{Brand, BrandError, Color, LOGO_BYTES_MAX, Logo};
pub use page::{FAVICON, Forms, Page, Width};

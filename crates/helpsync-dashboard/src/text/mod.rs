//! Every word that a page says, in English. Another language is another folder like this one.

mod changes;
mod customers;
mod dead_letters;
mod files;
mod frame;
mod overview;
mod runs;
mod webhooks;
mod words;

pub(crate) use changes::*;
pub(crate) use customers::*;
pub(crate) use dead_letters::*;
pub(crate) use files::*;
pub(crate) use frame::*;
pub(crate) use overview::*;
pub(crate) use runs::*;
pub(crate) use webhooks::*;
pub(crate) use words::*;

#![doc = include_str!("../README.md")]

mod client;
mod error;
mod link;

pub use client::Upstream;
pub use error::{PublishError, UrlError};
pub use helpsync_model::{REQUEST_SCHEMA, Request, RequestAction, RequestError};

//! Conditions on files: by query, by tags, by who reads.

pub(crate) mod file_query;
pub(crate) mod tag_filter;
pub(crate) mod viewer;

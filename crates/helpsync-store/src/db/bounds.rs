//! How much of what outsiders say is kept.

/// The tags of one file or connection, as JSON. They are in every row of a listing, so this bounds listings too.
pub const TAGS_BYTES_MAX: usize = 8 * 1024;

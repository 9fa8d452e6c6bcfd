//! How much of what outsiders say is kept, and how much is told at once.

/// The tags of one file or connection, as JSON. They are in every row of a listing, so this bounds listings too.
pub const TAGS_BYTES_MAX: usize = 8 * 1024;

/// The longest JSON answer, for one page of whatever is listed. Exports and attachments are streams, which nobody holds
/// as a whole.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

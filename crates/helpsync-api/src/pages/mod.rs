//! What a customer's administrator sees: the page before Zendesk's consent, how the first sync goes, and what can be
//! changed later. How pages look is in `helpsync-pages`; what they say, in `texts`.
//!
//! Nothing acts on GET, but the callback, which OAuth makes one. Forms are posted from the page that shows them, in the
//! browser that has it (`form`). They all stand below the OAuth client's redirect address, so cookies reach them.

mod callback;
mod connect;
mod form;
mod look;
mod manage;
mod manage_form;
mod progress;
mod refusal;
mod stream;
mod sync_link;
mod texts;

pub(crate) use connect::URL_LIFE;
use look::{Look, look};
pub(crate) use manage::link as manage_link;
pub(crate) use progress::Remark;
pub(crate) use stream::Streams;
pub(crate) use sync_link::link as sync_link;
pub(crate) use texts::{missing, unreadable};

use crate::endpoint::{Endpoint, group};

/// Every endpoint that answers with pages.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    [
        callback::endpoints(),
        connect::endpoints(),
        progress::endpoints(),
        sync_link::endpoints(),
        manage::endpoints(),
    ]
    .into_iter()
    .flat_map(|endpoints| group("Pages", endpoints))
    .collect()
}

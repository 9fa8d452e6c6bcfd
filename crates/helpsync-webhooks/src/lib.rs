//! Outgoing webhooks, as Carbon sent them: every event of an organization, signed, to each of its addresses.
//!
//! Any number of processes may relay over one store: the store hands deliveries out under leases, bounded for each
//! webhook, so a slow or hostile receiver holds up its own deliveries and nobody else's. A receiver gets every event at
//! least once, or its delivery is on record as dead. No request goes to a private address, whatever a name resolves to
//! at the moment of connecting.

mod address;
mod body;
mod breaker;
mod relay;
mod sender;
mod signature;

pub use address::{UrlRefused, check_url};
pub use breaker::BreakerOptions;
pub use relay::{Relay, RelayOptions};
pub use sender::{SenderError, SenderOptions};

//! A stand-alone simulator of the Zendesk endpoints that Helpsync uses: OAuth, lists, the incremental export, webhooks,
//! rate limits and everything that goes wrong in the field.
//!
//! Accounts live under a path prefix, `http://127.0.0.1:PORT/{subdomain}/api/v2/…`. A test steers them by [`Account`]
//! or over `/_sim/…`, and asks [`Account::truth`] what a correct copy must hold. It shares no types with the client, so
//! that one slip cannot agree with itself; its bodies follow recorded answers, and a test holds them against those.
//!
//! | control | what |
//! | --- | --- |
//! | `GET /_sim/health`, `GET\|POST /_sim/accounts`, `POST /_sim/clock` | is it there; accounts; time |
//! | `GET /_sim/accounts/{subdomain}/truth` | what a correct copy holds |
//! | `GET\|DELETE …/requests`, `GET …/counters`, `GET …/deliveries` | what it saw and sent |
//! | `GET\|PATCH …/settings`, `POST\|DELETE …/faults` | how it behaves |
//! | `POST …/changes`, `POST …/random_changes`, `POST …/generate` | what it holds |
//! | `POST …/clients`, `POST\|DELETE …/tokens` | OAuth |
//! | `POST …/brands`, `DELETE …/brands/{subdomain}` | further help centers of the account |

mod account;
mod api;
mod brands;
mod clock;
mod content;
mod control;
mod http;
mod middleware;
mod oauth;
mod odd_lists;
mod random;
mod settings;
mod sim;
mod sync;
mod traffic;
mod webhooks;

pub use account::{Account, AccountOptions};
pub use brands::Brand;
pub use clock::{Epoch, SimClock};
pub use content::{
    BodyProfile, Change, ChangeError, GenerateOptions, Mutation, TruthArticle, TruthSelectionFilter,
    TruthTranslation, content_hash,
};
pub use oauth::{IssuedTokens, OauthClient, PLANTED_IN_TOKENS, TokenLifetime};
pub use settings::{Churn, Consent, RateLimitBody, RecentStartRefusal, Role, Settings};
pub use sim::{Sim, SimOptions};
pub use traffic::{Fault, FaultBody, FaultRule, SeenRequest};
pub use webhooks::Delivery;

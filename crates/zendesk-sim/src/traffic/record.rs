//! The record of every request an account saw, so that a test can say what a client did.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

/// Requests kept per account; older ones are forgotten, though still counted.
const KEPT: usize = 100_000;

/// One request as it arrived, and what it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenRequest {
    /// Number within the account, from 1.
    pub sequence: u64,
    /// `GET`, `POST`, ...
    pub method: String,
    /// Path below the account's prefix: `/api/v2/help_center/articles`.
    pub path: String,
    /// Query as sent, without the question mark; empty when there was none.
    pub query: String,
    /// Status answered; 0 when the connection was reset in place of an answer.
    pub status: u16,
    /// Arrival, milliseconds since the epoch by the simulator's clock.
    pub at_ms: i64,
    /// First 16 hexadecimal digits of the bearer token's SHA-256, never the token.
    pub token_hash: Option<String>,
    /// Requests in the rate-limit window so far, this one included; `None` where no limit applies.
    pub in_window: Option<u32>,
    /// `User-Agent` as sent.
    pub user_agent: Option<String>,
    /// Name of the fault that was applied.
    pub fault: Option<String>,
}

/// The bounded record of one account.
#[derive(Debug, Default)]
pub(crate) struct Record {
    requests: VecDeque<SeenRequest>,
    counters: BTreeMap<String, u64>,
    sequence: u64,
}

impl Record {
    /// Keeps the request, giving it its number.
    pub(crate) fn add(&mut self, mut request: SeenRequest) {
        self.sequence += 1;
        request.sequence = self.sequence;
        *self.counters.entry(format!("{} {}", request.method, endpoint(&request.path))).or_default() += 1;
        if self.requests.len() == KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    pub(crate) fn requests(&self) -> Vec<SeenRequest> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        self.counters.clone()
    }

    pub(crate) fn clear(&mut self) {
        self.requests.clear();
        self.counters.clear();
    }
}

/// The path with ids replaced, so that requests of one kind share a counter.
fn endpoint(path: &str) -> String {
    let shown = path.split('/').map(|part| {
        let stem = part.strip_suffix(".json").unwrap_or(part);
        let is_id = !stem.is_empty() && (stem.bytes().all(|b| b.is_ascii_digit()) || stem.len() == 26);
        if is_id { "{id}" } else { stem }
    });
    shown.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> SeenRequest {
        SeenRequest {
            sequence: 0,
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: String::new(),
            status: 200,
            at_ms: 0,
            token_hash: None,
            in_window: None,
            user_agent: None,
            fault: None,
        }
    }

    #[test]
    fn the_record_is_bounded_and_counts_what_it_forgets() {
        let mut record = Record::default();
        for id in 0..=KEPT {
            record.add(request(&format!("/api/v2/help_center/articles/{id}.json")));
        }
        assert_eq!(record.requests.len(), KEPT);
        assert_eq!(record.requests[0].sequence, 2);
        assert_eq!(record.counters()["GET /api/v2/help_center/articles/{id}"], KEPT as u64 + 1);
    }
}

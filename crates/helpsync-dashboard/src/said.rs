//! What an action came to, told by the page that follows it. The address of that page says it, with a proof that only this
//! session's own pages have, so that nobody can send a person a link whose page tells of what did not happen.

use maud::{Markup, html};
use secrecy::ExposeSecret as _;
use sha2::{Digest, Sha256};

use crate::text as t;
use crate::visitor::Visitor;

/// Characters of a proof: 64 bits of a hash.
const PROOF_CHARS: usize = 16;

impl Visitor {
    /// The part of an address by which the page there says what `word` stands for. `count`: of how many, where the text
    /// names a number.
    pub(crate) fn saying(&self, word: &str, count: Option<u64>) -> String {
        let what = count.map_or_else(|| word.to_owned(), |count| format!("{word}.{count}"));
        format!("said={what}.{}", self.proof(&what))
    }

    fn proof(&self, what: &str) -> String {
        let mut proof = hex::encode(Sha256::digest(format!("said {what} {}", self.secret.expose_secret())));
        proof.truncate(PROOF_CHARS);
        proof
    }

    /// What an address says, if this session was led to it.
    pub(crate) fn said(&self, text: Option<&str>) -> Markup {
        let told = text
            .and_then(|text| text.rsplit_once('.'))
            .filter(|(what, proof)| self.proof(what) == *proof)
            .and_then(|(what, _)| match what.split_once('.') {
                Some((word, count)) => t::said_of_many(word, count.parse().ok()?),
                None => t::said(what).map(str::to_owned),
            });
        html! { @if let Some(told) = told { p class="note good" role="status" { (told) } } }
    }
}

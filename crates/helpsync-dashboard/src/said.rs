//! What an action came to, told by the page that follows it. The address of that page says it, with a proof that only this
//! session's own pages have, for this page and for a moment: so no link, also none of the person's own from before, makes a
//! page tell of what did not happen.

use maud::{Markup, html};
use secrecy::ExposeSecret as _;
use sha2::{Digest, Sha256};

use crate::text as t;
use crate::visitor::Visitor;

/// So long it is said again when the page is loaded again, in seconds.
const SAID_SECONDS: i64 = 60;
/// Characters of a proof: 64 bits of a hash.
const PROOF_CHARS: usize = 16;

/// What of an address is the same on both sides of a proxy: the page within the dashboard, without its query.
fn place(address: &str) -> &str {
    let path = address.split('?').next().unwrap_or_default();
    path.find("/o/").map_or("", |start| &path[start..])
}

impl Visitor {
    /// The address, whose page then says what `word` stands for. `count`: of how many, where the text names a number.
    pub(crate) fn saying(&self, address: &str, word: &str, count: Option<u64>) -> String {
        let what = count.map_or_else(|| word.to_owned(), |count| format!("{word}.{count}"));
        let what = format!("{what}.{}", self.dashboard.now_ms() / 1_000);
        let and = if address.contains('?') { '&' } else { '?' };
        format!("{address}{and}said={what}.{}", self.proof(address, &what))
    }

    fn proof(&self, address: &str, what: &str) -> String {
        let secret = self.secret.expose_secret();
        let mut proof = hex::encode(Sha256::digest(format!("said {} {what} {secret}", place(address))));
        proof.truncate(PROOF_CHARS);
        proof
    }

    /// What the address of this page says, if this session was just led to it.
    pub(crate) fn said(&self, text: Option<&str>) -> Markup {
        let told = text.and_then(|text| self.told(text));
        html! { @if let Some(told) = told { p class="note good" role="status" { (told) } } }
    }

    fn told(&self, text: &str) -> Option<String> {
        let (what, proof) = text.rsplit_once('.')?;
        if self.proof(&self.address, what) != proof {
            return None;
        }
        let (what, second) = what.rsplit_once('.')?;
        let age = self.dashboard.now_ms() / 1_000 - second.parse::<i64>().ok()?;
        if age > SAID_SECONDS {
            return None;
        }
        match what.split_once('.') {
            Some((word, count)) => t::said_of_many(word, count.parse().ok()?),
            None => t::said(what).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_the_same_whatever_stands_before_and_behind_it() {
        for address in ["/x/dashboard/o/1/customers/2?a=b", "/o/1/customers/2", "/dashboard/o/1/customers/2?"]
        {
            assert_eq!(place(address), "/o/1/customers/2");
        }
        assert_eq!(place("/dashboard/login"), "");
    }
}

//! Names of accounts as labels, bounded.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The most accounts that a process names in its metrics; all further ones are counted together as `other`.
pub const ACCOUNTS_MAX: usize = 200;
/// What further accounts are called.
pub(crate) const OTHER: &str = "other";

/// The accounts that have a name.
#[derive(Debug, Default)]
pub(crate) struct Accounts(Mutex<HashSet<String>>);

impl Accounts {
    /// The label of `account`; `None`: it is one of the others.
    pub(crate) fn label(&self, account: &str) -> Option<String> {
        let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !named.contains(account) {
            if named.len() >= ACCOUNTS_MAX {
                return None;
            }
            named.insert(account.to_owned());
        }
        Some(account.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_accounts_have_a_name_and_keep_it() {
        let accounts = Accounts::default();
        for number in 0..ACCOUNTS_MAX {
            assert!(accounts.label(&number.to_string()).is_some(), "{number}");
        }
        assert_eq!(accounts.label("one more"), None);
        assert_eq!(accounts.label("0").as_deref(), Some("0"));
    }
}

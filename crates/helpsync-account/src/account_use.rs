//! How this process used the budgets of accounts since somebody last took that to note it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use helpsync_store::AccountUse;

/// Accounts that are kept apart; what further ones use in the same minute is not noted.
const ACCOUNTS_MAX: usize = 10_000;

/// By account.
#[derive(Debug, Default)]
pub(crate) struct AccountUses(Mutex<HashMap<String, AccountUse>>);

impl AccountUses {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, AccountUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, account: &str, used: &AccountUse) {
        let mut uses = self.lock();
        if let Some(known) = uses.get_mut(account) {
            known.add(used);
        } else if uses.len() < ACCOUNTS_MAX {
            uses.insert(account.to_owned(), used.clone());
        }
    }

    pub(crate) fn take(&self) -> Vec<(String, AccountUse)> {
        self.lock().drain().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_adds_up_until_it_is_taken_and_accounts_are_bounded() {
        let uses = AccountUses::default();
        let answered = |least_left: i64, limit: Option<i64>| AccountUse {
            requests: 1,
            least_left: Some(least_left),
            limit,
            ..AccountUse::default()
        };
        uses.add("acme", &answered(300, Some(400)));
        uses.add("acme", &answered(20, None));
        uses.add("acme", &AccountUse { waited_ms: 70, ..AccountUse::default() });
        let whole =
            AccountUse { requests: 2, throttled: 0, waited_ms: 70, limit: Some(400), least_left: Some(20) };
        assert_eq!(uses.take(), [("acme".to_owned(), whole)]);
        assert_eq!(uses.take(), []);
        for number in 0..=ACCOUNTS_MAX {
            uses.add(&number.to_string(), &answered(1, None));
        }
        assert_eq!(uses.take().len(), ACCOUNTS_MAX);
    }
}

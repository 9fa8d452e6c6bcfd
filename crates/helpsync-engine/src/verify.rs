//! Comparing a help center with its copy, without changing anything: every article is listed once, at the fewest requests
//! that the grant's user can have it for, and each page is compared by ids, times and hashes.

use std::collections::HashSet;
use std::time::Duration;

use helpsync_account::Account;
use helpsync_model::{ConnectionId, ExportAccess, OrganizationId, Subdomain, chain};
use helpsync_store::{AdminStore, Compared, Difference, IncomingArticle};
use helpsync_zendesk::{
    Answer, Article, Class, Failure, ListQuery, Next, PAGE_SIZE_MAX, PageRef, Rejected, Scope,
};

use crate::Engine;
use tokio::sync::mpsc;

use crate::articles::described;
use crate::outcome::HandlerError;

/// Pauses for budget that one comparison waits out.
const PAUSES_MAX: u32 = 1_000;
/// The longest of them; a longer one is asked about again.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// After an answer that is none; so many such answers are too many.
const TROUBLE_PAUSE: Duration = Duration::from_secs(2);
const TROUBLES_MAX: u32 = 5;
/// Pages of one listing: a million articles by a hundred, ten times over.
const PAGES_MAX: u32 = 100_000;

/// What a comparison came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Articles that Zendesk showed.
    pub shown: u64,
    /// Requests that it took.
    pub requests: u64,
    /// Bytes of their answers.
    pub bytes: u64,
}

/// A comparison under way.
struct Comparison<'a> {
    admin: &'a AdminStore,
    organization: OrganizationId,
    connection: ConnectionId,
    account: Account,
    seen: HashSet<i64>,
    told: mpsc::Sender<Vec<Difference>>,
    pauses: u32,
    verified: Verified,
}

impl Engine {
    /// Compares one help center with its copy; `told` hears of the differences page by page, and the comparison waits for
    /// whoever reads them. Nothing is changed on either side.
    ///
    /// # Errors
    /// [`HandlerError`]: what was told so far holds.
    pub async fn verify(
        &self,
        admin: &AdminStore,
        organization: OrganizationId,
        compared: &Compared,
        told: mpsc::Sender<Vec<Difference>>,
    ) -> Result<Verified, HandlerError> {
        let (account, _) = self.account_of(organization, compared)?;
        let mut comparison = Comparison {
            admin,
            organization,
            connection: compared.connection,
            account,
            seen: HashSet::new(),
            told,
            pauses: 0,
            verified: Verified::default(),
        };
        let by_export = !matches!(compared.export_access, Some(ExportAccess::Refused | ExportAccess::Lost));
        if !(by_export && comparison.export().await?) {
            let locales: Vec<Option<&str>> = match compared.list_locales.as_slice() {
                [] => vec![None],
                named => named.iter().map(|locale| Some(locale.as_str())).collect(),
            };
            for locale in locales {
                comparison.list(locale).await?;
            }
        }
        comparison.rest().await?;
        comparison.verified.shown = comparison.seen.len() as u64;
        comparison.verified.requests = comparison.account.take_requests();
        Ok(comparison.verified)
    }
}

impl Engine {
    pub(crate) fn account_of(
        &self,
        organization: OrganizationId,
        compared: &Compared,
    ) -> Result<(Account, Subdomain), HandlerError> {
        let parse = |subdomain: &str| {
            Subdomain::parse(subdomain).map_err(|error| HandlerError::Permanent(chain(&error)))
        };
        let (home, subdomain) = (parse(&compared.granted.subdomain)?, parse(&compared.subdomain)?);
        let account = self
            .accounts
            .connected(organization, compared.granted.connection, None, &home, &subdomain)
            .map_err(|error| HandlerError::Permanent(chain(&error)))?;
        Ok((account, home))
    }
}

impl Comparison<'_> {
    /// By the incremental export, a thousand articles a request. False: it is refused, or does not lead to an end.
    async fn export(&mut self) -> Result<bool, HandlerError> {
        let mut start = 0;
        for _ in 0..PAGES_MAX {
            let page = match self.account.client.export_articles(start).await {
                Ok(answer) => self.paid(answer),
                Err(Failure::NotFound(_) | Failure::Forbidden(_)) => return Ok(false),
                Err(failure) => {
                    self.pause(failure).await?;
                    continue;
                }
            };
            self.page(page.articles, &page.rejected).await?;
            match page.next_start {
                None => return Ok(true),
                // More articles share a second than a page holds: the list leads past them.
                Some(next) if next <= start => return Ok(false),
                Some(next) => start = next,
            }
        }
        Ok(false)
    }

    /// By the list, a hundred articles a request.
    async fn list(&mut self, locale: Option<&str>) -> Result<(), HandlerError> {
        let client = self.account.client.in_locale(locale);
        let mut query = ListQuery::walk(Scope::All, None);
        for _ in 0..PAGES_MAX {
            let page = match client.list_articles(&query).await {
                Ok(answer) => self.paid(answer),
                Err(failure) => {
                    self.pause(failure).await.map_err(HandlerError::of_list)?;
                    continue;
                }
            };
            self.page(page.articles, &page.rejected).await?;
            match page.next {
                Next::Cursor(after) => {
                    query.page = PageRef::Cursor { after: Some(after), size: PAGE_SIZE_MAX };
                }
                Next::End => return Ok(()),
                // What was not shown would be told as gone.
                Next::Offset(_) | Next::Unproven => break,
            }
        }
        Err(HandlerError::Passing("the list does not end".to_owned()))
    }

    /// Compares what of a page was not shown before.
    async fn page(&mut self, articles: Vec<Article>, rejected: &[Rejected]) -> Result<(), HandlerError> {
        self.seen.extend(rejected.iter().filter_map(|one| one.id));
        let mut new = Vec::new();
        for article in articles {
            if self.seen.insert(article.id) {
                let mut described: IncomingArticle = described(&article);
                // Texts that were not sent along cannot be compared; asking for them would cost a request each.
                described.keeps_others |= article.translations.is_none();
                new.push(described);
            }
        }
        if !new.is_empty() {
            let differences = self.admin.compare(self.organization, self.connection, &new).await?;
            self.tell(differences).await?;
        }
        Ok(())
    }

    /// What no listing showed.
    async fn rest(&mut self) -> Result<(), HandlerError> {
        let mut after = i64::MIN;
        loop {
            let (differences, next) =
                self.admin.not_shown(self.organization, self.connection, after, &self.seen).await?;
            self.tell(differences).await?;
            let Some(next) = next else { return Ok(()) };
            after = next;
        }
    }

    /// The value of an answer, whose cost is noted.
    fn paid<T>(&mut self, answer: Answer<T>) -> T {
        self.verified.bytes += answer.bytes;
        answer.value
    }

    /// Waits out what the account's budget or trouble of Zendesk's puts off; any other failure, or one too many, is
    /// handed back.
    async fn pause(&mut self, failure: Failure) -> Result<(), Failure> {
        let (wait, most) = match failure.class() {
            Class::Throttled { wait } => (wait, PAUSES_MAX),
            Class::Transient { after } => (after.unwrap_or(TROUBLE_PAUSE), TROUBLES_MAX),
            _ => return Err(failure),
        };
        if self.pauses >= most {
            return Err(failure);
        }
        self.pauses += 1;
        tokio::time::sleep(wait.min(PAUSE_MAX)).await;
        Ok(())
    }

    async fn tell(&self, differences: Vec<Difference>) -> Result<(), HandlerError> {
        if differences.is_empty() {
            return Ok(());
        }
        let gone = |_| HandlerError::Passing("nobody reads the comparison any more".to_owned());
        self.told.send(differences).await.map_err(gone)
    }
}

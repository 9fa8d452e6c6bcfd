//! A simulated Zendesk in this process, and a folder for what is synced from it: both gone at the end, however it comes.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use url::Url;
use zendesk_sim::{Account, AccountOptions, GenerateOptions, OauthClient, Sim, SimOptions, TokenLifetime};

use crate::client::Client;
use crate::commands::ask::oauth_url;

/// The one workspace.
pub(crate) const SUBDOMAIN: &str = "acme";
/// Its name within the folder.
const ENV_FILE: &str = "env.sh";
const CLIENT: (&str, &str) = ("helpsync-demo", "demo-secret");
/// For the grant, from the redirect to the page at its end.
const GRANT_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Simulated {
    sim: Sim,
    pub(crate) account: Account,
    folder: TempDir,
}

impl Simulated {
    /// A help center of so many articles.
    pub(crate) async fn start(articles: u32, seed: u64) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for the simulation")?;
        let sim = Sim::start(SimOptions { seed, ..SimOptions::default() }).await?;
        let account = sim.create_account(AccountOptions {
            subdomain: SUBDOMAIN.to_owned(),
            locales: ["en-us", "de", "fr"].map(ToOwned::to_owned).to_vec(),
            clients: vec![OauthClient {
                client_id: CLIENT.0.to_owned(),
                client_secret: Some(CLIENT.1.to_owned()),
                redirect_uris: Vec::new(),
                lifetime: TokenLifetime::Expiring,
            }],
            generate: GenerateOptions { articles: articles as usize, seed, ..GenerateOptions::default() },
            ..AccountOptions::default()
        });
        Ok(Self { sim, account, folder })
    }

    pub(crate) fn folder(&self) -> String {
        self.folder.path().display().to_string()
    }

    pub(crate) fn store_url(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("simulated.db").display())
    }

    /// Where its Zendesk is, as `HELPSYNC_ZENDESK__BASE_URL` has it.
    pub(crate) fn base_url(&self) -> String {
        self.sim.base_url_template()
    }

    /// The settings that lead a process here.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        [
            ("HELPSYNC_STORE__URL", self.store_url()),
            ("HELPSYNC_ZENDESK__BASE_URL", self.base_url()),
            ("HELPSYNC_ZENDESK__CLIENT_ID", CLIENT.0.to_owned()),
            ("HELPSYNC_ZENDESK__CLIENT_SECRET", CLIENT.1.to_owned()),
            // Whatever the environment says of services: everything is within the process.
            ("HELPSYNC_QUEUE__URL", String::new()),
            ("HELPSYNC_COORDINATOR__URL", String::new()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Writes a file of shell variables that lead every command here, and names it.
    pub(crate) fn env_file(&self, url: &Url) -> anyhow::Result<PathBuf> {
        let mut lines = format!("export HELPSYNC_URL='{url}'\n");
        for (name, value) in self.env() {
            lines += &format!("export {name}='{value}'\n");
        }
        if let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) {
            lines += &format!("export HELPSYNC_API__LISTEN='{host}:{port}'\n");
        }
        let file = self.folder.path().join(ENV_FILE);
        std::fs::write(&file, lines).with_context(|| format!("{} cannot be written", file.display()))?;
        Ok(file)
    }

    /// The browser's part: Zendesk's page (the simulated administrator allows at once), then back to our callback.
    pub(crate) async fn grant(&self, client: &Client) -> anyhow::Result<()> {
        let grant = oauth_url(client, SUBDOMAIN).await?;
        let landed = reqwest::Client::builder().timeout(GRANT_TIMEOUT).build()?.get(&grant).send().await?;
        ensure!(landed.status().is_success(), "the grant ended with {}", landed.status());
        Ok(())
    }

    pub(crate) async fn stop(self) {
        self.sim.stop().await;
    }
}

//! The simulator as a program.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;
use zendesk_sim::{
    AccountOptions, Consent, GenerateOptions, OauthClient, Settings, Sim, SimOptions, TokenLifetime,
};

/// A simulated Zendesk.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Address and port.
    #[arg(long, default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// Seed of ids, articles and secrets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Speed of the rate-limit windows.
    #[arg(long, default_value_t = 1.0)]
    time_scale: f64,
    /// Base of the links in answers, when it is not the address that clients call.
    #[arg(long)]
    public_url: Option<Url>,
    /// Subdomain of the account to begin with; more come by POST /_sim/accounts.
    #[arg(long, default_value = "acme")]
    account: String,
    /// Its articles.
    #[arg(long, default_value_t = 200)]
    articles: usize,
    /// The OAuth client it knows.
    #[arg(long, default_value = "helpsync-demo")]
    client_id: String,
    /// The client's secret.
    #[arg(long, default_value = "demo-secret")]
    client_secret: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let options = SimOptions {
        listen: args.listen,
        seed: args.seed,
        time_scale: args.time_scale,
        public_url: args.public_url,
        ..SimOptions::default()
    };
    let sim = Sim::start(options).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let account = sim.create_account(AccountOptions {
        subdomain: args.account,
        locales: ["en-us", "de", "fr"].map(ToOwned::to_owned).to_vec(),
        // A person is looking: show the page.
        settings: Settings { consent: Consent::PermitRequest, ..Settings::default() },
        clients: vec![OauthClient {
            client_id: args.client_id.clone(),
            client_secret: Some(args.client_secret),
            redirect_uris: Vec::new(),
            lifetime: TokenLifetime::Expiring,
        }],
        generate: GenerateOptions { articles: args.articles, seed: args.seed, ..GenerateOptions::default() },
    });
    let (address, subdomain) = (sim.address(), account.subdomain());
    println!(
        "simulated Zendesk at http://{address}/{subdomain} with {} articles",
        account.article_ids().len()
    );
    println!("  Helpsync   HELPSYNC_ZENDESK__BASE_URL='{}'", sim.base_url_template());
    println!("             HELPSYNC_ZENDESK__CLIENT_ID={}", args.client_id);
    println!("  truth      curl http://{address}/_sim/accounts/{subdomain}/truth");
    println!(
        "  changes    curl -d '{{\"count\": 20}}' http://{address}/_sim/accounts/{subdomain}/random_changes"
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    sim.stop().await;
    Ok(())
}

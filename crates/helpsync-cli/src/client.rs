//! A client of a running Helpsync.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use helpsync_app::api_key_file;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use url::Url;

use crate::args::Remote;
use crate::role::settings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one answer. An export streams, and is bounded between its pieces only.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Of an answer that is not understood, so much is shown.
const SHOWN_CHARACTERS_MAX: usize = 300;

/// Speaks for one customer, or for none.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: Url,
    key: String,
    customer: Option<String>,
}

impl Client {
    /// Takes the key from the flags, or from the file beside the SQLite database that the settings name.
    pub(crate) fn of(remote: &Remote, customer: Option<&str>) -> anyhow::Result<Self> {
        let key = match &remote.api_key {
            Some(key) => key.clone(),
            None => local_key()?,
        };
        Self::new(remote.url.clone(), key, customer)
    }

    pub(crate) fn new(url: Url, key: String, customer: Option<&str>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(ANSWER_TIMEOUT)
            .build()?;
        Ok(Self { http, url, key, customer: customer.map(ToOwned::to_owned) })
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self.request(method, path)?;
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = self.answer(request).await?;
        let text = answer.text().await?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{} does not answer as Helpsync does", self.url))
    }

    /// Copies an answer to `out` as it arrives.
    pub(crate) async fn copy(&self, path: &str, out: &mut impl std::io::Write) -> anyhow::Result<()> {
        let mut answer = self.answer(self.request(Method::GET, path)?).await?;
        while let Some(piece) = answer.chunk().await? {
            out.write_all(&piece)?;
        }
        Ok(out.flush()?)
    }

    fn request(&self, method: Method, path: &str) -> anyhow::Result<RequestBuilder> {
        let url = self.url.join(path).with_context(|| format!("{path:?} makes no address"))?;
        let mut request = self.http.request(method, url).bearer_auth(&self.key);
        if let Some(customer) = &self.customer {
            request = request.header("customer-id", customer);
        }
        Ok(request)
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let answer = request.send().await.map_err(|error| {
            if error.is_connect() {
                anyhow!("nothing answers at {}: start it with `helpsync up`, or name it with --url", self.url)
            } else {
                anyhow!(error)
            }
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        let said = serde_json::from_str::<Value>(&text).ok().and_then(|body| said(&body));
        let said = said.unwrap_or_else(|| text.chars().take(SHOWN_CHARACTERS_MAX).collect());
        bail!("{said} ({status})");
    }
}

/// The text in the error envelope.
fn said(body: &Value) -> Option<String> {
    let detail = body.get("detail").or_else(|| body.get("message"))?;
    Some(detail.as_str().map_or_else(|| detail.to_string(), ToOwned::to_owned))
}

fn local_key() -> anyhow::Result<String> {
    const HINT: &str = "no API key: pass --api-key or set HELPSYNC_API_KEY";
    let settings = settings(None)?;
    let path = api_key_file(settings.store.url.expose()).context(HINT)?;
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{HINT} (there is none at {} either)", path.display()))?;
    Ok(text.trim().to_owned())
}

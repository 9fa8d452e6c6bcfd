//! A client of a running Helpsync.

use std::time::Duration;

use anyhow::Context as _;
use helpsync_app::api_key_file;
use helpsync_model::chain;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::args::Remote;
use crate::exit::{Exit, refusal};
use crate::output::{Output, written};
use crate::role::settings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one answer. An export streams, and is bounded between its pieces only.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest line of an answer in lines.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Of an answer that is not understood, so much is shown.
const SHOWN_CHARACTERS_MAX: usize = 300;

/// Speaks for one customer, or for none.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: Url,
    key: String,
    customer: Option<String>,
    output: Output,
}

impl Client {
    /// Speaks for the organization. Takes the key from the flags, or from the file beside the SQLite database that the
    /// settings name.
    pub(crate) fn of(remote: &Remote, output: Output) -> anyhow::Result<Self> {
        let key = match &remote.api_key {
            Some(key) => key.clone(),
            None => local_key()?,
        };
        Self::new(remote.url.clone(), key, output)
    }

    pub(crate) fn new(url: Url, key: String, output: Output) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(ANSWER_TIMEOUT)
            .build()?;
        Ok(Self { http, url, key, customer: None, output })
    }

    /// Speaks for a customer from now on. One that is not known is made by whatever is asked for it first, so this is for
    /// who means to make one.
    pub(crate) fn speaking_for(mut self, customer: &str) -> Self {
        self.customer = Some(customer.to_owned());
        self
    }

    /// Speaks for a customer that is known.
    pub(crate) async fn known_customer(
        remote: &Remote,
        customer: &str,
        output: Output,
    ) -> anyhow::Result<Self> {
        let client = Self::of(remote, output)?;
        client.check_customer(customer).await?;
        Ok(client.speaking_for(customer))
    }

    /// An error where there is no such customer; makes none.
    pub(crate) async fn check_customer(&self, customer: &str) -> anyhow::Result<()> {
        let asked = self.request(Method::POST, "/user")?.json(&json!({ "customer_id": customer }));
        let answer = self.sent(asked).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(unknown_customer(customer));
        }
        self.understood(answer).await.map(drop)
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
        let text = answer.text().await.map_err(|error| self.unanswered(&error))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{} does not answer as Helpsync does", self.url))
    }

    /// Copies an answer to `out` as it arrives.
    pub(crate) async fn copy(&self, path: &str, out: &mut impl std::io::Write) -> anyhow::Result<()> {
        let mut answer = self.answer(self.request(Method::GET, path)?).await?;
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unanswered(&error))? {
            written(out.write_all(&piece))?;
        }
        written(out.flush())
    }

    /// POSTs, and hands over the answer line by line as it arrives, each a JSON value.
    pub(crate) async fn lines(
        &self,
        path: &str,
        body: Value,
        mut take: impl FnMut(Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut answer = self.answer(self.request(Method::POST, path)?.json(&body)).await?;
        let mut kept: Vec<u8> = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unanswered(&error))? {
            kept.extend(&piece);
            while let Some(end) = kept.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = kept.drain(..=end).collect();
                take(serde_json::from_slice(&line).context("the answer is no JSON")?)?;
            }
            if kept.len() > LINE_BYTES_MAX {
                anyhow::bail!("a line of the answer is longer than {LINE_BYTES_MAX} bytes");
            }
        }
        Ok(())
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
        let answer = self.sent(request).await?;
        self.understood(answer).await
    }

    async fn sent(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let (http, request) = request.build_split();
        let request = request?;
        let what = format!("{} {}", request.method(), request.url());
        let answer = http.execute(request).await.map_err(|error| self.unanswered(&error))?;
        self.output.detail(format_args!("{what}: {}", answer.status()));
        Ok(answer)
    }

    /// An answer that is none of an error.
    async fn understood(&self, answer: Response) -> anyhow::Result<Response> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        let said = serde_json::from_str::<Value>(&text).ok().and_then(|body| said(&body));
        let said = said.unwrap_or_else(|| {
            let start: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
            format!("{} answers {status}, not as Helpsync does: is --url right? {start}", self.url)
        });
        let (exit, next) = match status {
            StatusCode::UNAUTHORIZED => (Exit::Failed, ": pass another with --api-key or HELPSYNC_API_KEY"),
            StatusCode::TOO_MANY_REQUESTS => (Exit::Unavailable, ": try again in a minute"),
            status if status.is_server_error() => (Exit::Unavailable, ""),
            _ => (Exit::Failed, ""),
        };
        Err(refusal(exit, format!("{}{next}", said.trim_end())))
    }

    fn unanswered(&self, error: &reqwest::Error) -> anyhow::Error {
        let url = &self.url;
        let text = if error.is_connect() {
            format!(
                "nothing answers at {url} ({}): start it with `helpsync up`, or name it with --url or HELPSYNC_URL",
                innermost(error)
            )
        } else if error.is_timeout() {
            format!("{url} does not answer within {} s: its log says what it does", ANSWER_TIMEOUT.as_secs())
        } else {
            format!("{url} broke off its answer ({}): its log says why, try again", chain(error))
        };
        refusal(Exit::Unavailable, text)
    }
}

/// What to tell who names a customer that is not there.
pub(crate) fn unknown_customer(customer: &str) -> anyhow::Error {
    let text = format!(
        "there is no customer {customer:?}: `helpsync customers` lists them, `helpsync connect` makes one; --customer says which"
    );
    refusal(Exit::Failed, text)
}

/// The last cause: what the system said.
fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => chain(error),
    }
}

/// The text in the error envelope; of several faults, each with the field that it is about.
fn said(body: &Value) -> Option<String> {
    let detail = body.get("detail").or_else(|| body.get("message"))?;
    let Some(faults) = detail.as_array() else {
        return Some(detail.as_str().map_or_else(|| detail.to_string(), ToOwned::to_owned));
    };
    let faults = faults.iter().map(|fault| {
        let place =
            fault["loc"].as_array().and_then(|loc| loc.last()).and_then(Value::as_str).unwrap_or("request");
        format!("{place} {}", fault["msg"].as_str().unwrap_or("is wrong"))
    });
    Some(faults.collect::<Vec<_>>().join("; "))
}

fn local_key() -> anyhow::Result<String> {
    const HINT: &str = "no API key: pass --api-key or set HELPSYNC_API_KEY";
    let settings = settings(None)?;
    let none = |more: String| refusal(Exit::Usage, format!("{HINT}{more}"));
    let path = api_key_file(settings.store.url.expose()).ok_or_else(|| none(String::new()))?;
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(none(format!(
            ", or go to the folder of `helpsync up` ({}: {})",
            path.display(),
            chain(&error)
        ))),
    }
}

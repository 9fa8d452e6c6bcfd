//! A client of a running Helpsync.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::Context as _;
use helpsync_app::api_key_file;
use helpsync_config::Settings;
use helpsync_model::{chain, seen_json};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::Url;

use crate::args::Remote;
use crate::exit::{Exit, refusal};
use crate::output::{Output, cell, customer_option, one_line, written};
use crate::role::settings;
use crate::unknown::unknown;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one answer. An export streams, and is bounded between its pieces only.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest line of an answer in lines.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// What a server says of an endpoint that it does not have.
const NO_PATH: &str = "path not found";
/// How it says that a customer has nothing to sync.
const NO_WORKSPACE: &str = " has no connected workspace";
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
    /// Speaks for the organization. What the flags do not say, the settings do that `helpsync up` reads here too.
    pub(crate) fn of(remote: &Remote, output: Output) -> anyhow::Result<Self> {
        let (url, key) = match (&remote.url, &remote.api_key) {
            (Some(url), Some(key)) => (url.clone(), key.clone()),
            (url, key) => {
                let settings = settings(remote.config.clone())?;
                let key = key.clone().map_or_else(|| local_key(&settings), Ok)?;
                (url.clone().map_or_else(|| local_url(&settings), Ok)?, key)
            }
        };
        Self::new(url, key, output)
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
        self.understood(answer, Some(customer)).await.map(drop)
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
        let mut whose = self.customer.clone();
        if let Some(body) = body {
            whose = body["customer_id"].as_str().map(str::to_owned).or(whose);
            request = request.json(&body);
        }
        let answer = self.answer(request, whose.as_deref()).await?;
        let text = answer.text().await.map_err(|error| self.unanswered(&error))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{} does not answer as Helpsync does", self.url))
    }

    /// Copies JSON to `out` as it arrives; what nobody sees in it is spelt as escapes, for it may go to a terminal.
    pub(crate) async fn copy(&self, path: &str, out: &mut impl std::io::Write) -> anyhow::Result<()> {
        let mut answer = self.answer(self.request(Method::GET, path)?, self.customer.as_deref()).await?;
        // A character may be cut by the end of a piece.
        let mut rest = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unanswered(&error))? {
            rest.extend_from_slice(&piece);
            let whole = match std::str::from_utf8(&rest) {
                Err(cut) if cut.error_len().is_none() => cut.valid_up_to(),
                Ok(_) | Err(_) => rest.len(),
            };
            let behind = rest.split_off(whole);
            written(out.write_all(seen_json(&String::from_utf8_lossy(&rest)).as_bytes()))?;
            rest = behind;
        }
        written(out.write_all(&rest))?;
        written(out.flush())
    }

    /// POSTs, and hands over the answer line by line as it arrives, each a JSON value.
    pub(crate) async fn lines(
        &self,
        path: &str,
        body: Value,
        mut take: impl FnMut(Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let whose = body["customer_id"].as_str().or(self.customer.as_deref());
        let mut answer = self.answer(self.request(Method::POST, path)?.json(&body), whose).await?;
        let mut kept: Vec<u8> = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unanswered(&error))? {
            kept.extend(&piece);
            while let Some(end) = kept.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = kept.drain(..=end).collect();
                // Empty ones say that somebody is at work.
                if !line.trim_ascii().is_empty() {
                    take(serde_json::from_slice(&line).context("the answer is no JSON")?)?;
                }
            }
            if kept.len() > LINE_BYTES_MAX {
                anyhow::bail!("a line of the answer is longer than {LINE_BYTES_MAX} bytes");
            }
        }
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> anyhow::Result<RequestBuilder> {
        let url = below(&self.url, path).with_context(|| format!("{path:?} makes no address"))?;
        let mut request = self.http.request(method, url).bearer_auth(&self.key);
        if let Some(customer) = &self.customer {
            request = request.header("customer-id", customer);
        }
        Ok(request)
    }

    async fn answer(&self, request: RequestBuilder, whose: Option<&str>) -> anyhow::Result<Response> {
        let answer = self.sent(request).await?;
        self.understood(answer, whose).await
    }

    async fn sent(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let (http, request) = request.build_split();
        let request = request?;
        let what = format!("{} {}", request.method(), request.url());
        let answer = http.execute(request).await.map_err(|error| self.unanswered(&error))?;
        self.output.detail(format_args!("{what}: {}", answer.status()));
        Ok(answer)
    }

    /// An answer that is none of an error; `whose` was asked for.
    async fn understood(&self, answer: Response, whose: Option<&str>) -> anyhow::Result<Response> {
        let (status, asked) = (answer.status(), answer.url().clone());
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        let said = serde_json::from_str::<Value>(&text).ok().and_then(|body| said(&body));
        let is_ours = said.is_some();
        let asked_for = asked.query_pairs().find(|(name, _)| name == "customer_id");
        let whose = asked_for.as_ref().map(|(_, customer)| customer.as_ref()).or(whose);
        let said = said.map(|said| for_the_command_line(&said, whose));
        let said = said.unwrap_or_else(|| {
            let start: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
            let start = one_line(&start);
            format!("{} answers {status}, not as Helpsync does: is --url right? {start}", self.url)
        });
        if let Some(text) = unknown(&said, &asked).filter(|_| status == StatusCode::NOT_FOUND && is_ours) {
            return Err(refusal(Exit::Failed, text));
        }
        let (exit, next) = match status {
            StatusCode::UNAUTHORIZED => (Exit::Failed, ": pass another with --api-key or HELPSYNC_API_KEY"),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY if is_ours => (Exit::Usage, ""),
            StatusCode::NOT_FOUND if !is_ours => (Exit::Failed, ""),
            StatusCode::NOT_FOUND if said != NO_PATH => {
                (Exit::Failed, ": the list of them has the ids that there are")
            }
            StatusCode::NOT_FOUND => (Exit::Failed, ": is the server older than this command?"),
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
            format!(
                "{url} broke off its answer ({}): its log says why. If that is no Helpsync, name it with --url or HELPSYNC_URL",
                innermost(error)
            )
        };
        refusal(Exit::Unavailable, text)
    }
}

/// An address of the API, which may be below a path of its proxy.
fn below(base: &Url, path: &str) -> Result<Url, url::ParseError> {
    let prefix = base.path().trim_end_matches('/');
    base.join(&format!("{prefix}{path}"))
}

/// What to tell who names a customer that is not there.
pub(crate) fn unknown_customer(customer: &str) -> anyhow::Error {
    let text = format!(
        "there is no customer {customer:?}: `helpsync customers` lists them, `helpsync connect` makes one; --customer says which"
    );
    refusal(Exit::Failed, text)
}

/// The last cause, without what leads to it: of a request that was not answered, what the system said.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => chain(error),
    }
}

/// Why nothing, or nothing that could be read, came back from an address that is only looked at.
pub(crate) fn unanswered(error: &reqwest::Error) -> String {
    if error.is_connect() || error.is_timeout() {
        return innermost(error);
    }
    "what listens there does not speak HTTP".to_owned()
}

/// The text in the error envelope, as one line; of several faults, each with the field that it is about.
fn said(body: &Value) -> Option<String> {
    let detail = body.get("detail").or_else(|| body.get("message"))?;
    let Some(faults) = detail.as_array() else {
        return Some(cell(detail));
    };
    let faults = faults.iter().map(|fault| {
        let way = fault["loc"].as_array().map(Vec::as_slice).unwrap_or_default();
        let place = match way {
            [] => "the request".to_owned(),
            [whole] => format!("the {}", cell(whole)),
            [_, way @ ..] => way.iter().map(cell).collect::<Vec<_>>().join("."),
        };
        match fault["msg"].as_str().unwrap_or("is wrong") {
            "Field required" => format!("{place} is missing"),
            msg => format!("{place} {}", one_line(msg)),
        }
    });
    Some(faults.collect::<Vec<_>>().join("; "))
}

/// What the API says for programs, said for people at a command line.
fn for_the_command_line(said: &str, whose: Option<&str>) -> String {
    let connect = |whose: &str| format!("`helpsync connect SUBDOMAIN {whose}`");
    if let Some(who) = said.strip_suffix(NO_WORKSPACE).and_then(|who| who.strip_prefix("customer ")) {
        let customer = serde_json::from_str::<String>(who).unwrap_or_else(|_| who.to_owned());
        return format!("{said}: {} connects one", connect(&customer_option(&one_line(&customer))));
    }
    said.replace(
        "connect it again with /integrations/oauth_url",
        &format!(
            "{} connects it again",
            connect(&whose.map_or_else(|| "--customer CUSTOMER".to_owned(), customer_option))
        ),
    )
}

/// Where the API listens on this machine, by the settings.
fn local_url(settings: &Settings) -> anyhow::Result<Url> {
    let mut address = settings.api.listen;
    if address.port() == 0 {
        let text =
            "HELPSYNC_API__LISTEN leaves the port to the system: name the server with --url or HELPSYNC_URL";
        return Err(refusal(Exit::Usage, text));
    }
    // Every address of the machine is meant: this one too.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("http://{address}").parse().context("the address in HELPSYNC_API__LISTEN makes no URL")
}

fn local_key(settings: &Settings) -> anyhow::Result<String> {
    const HINT: &str = "no API key: pass --api-key or set HELPSYNC_API_KEY";
    if let Some(key) = &settings.api.bootstrap_key {
        return Ok(key.expose_secret().to_owned());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn url(listen: &str) -> anyhow::Result<String> {
        let env = [("HELPSYNC_API__LISTEN".to_owned(), listen.to_owned())];
        local_url(&Settings::load(None, env).unwrap()).map(|url| url.to_string())
    }

    #[test]
    fn a_server_below_a_path_is_asked_there() {
        for (base, asked) in [
            ("http://a.example", "http://a.example/user?x=1"),
            ("http://a.example/", "http://a.example/user?x=1"),
            ("https://a.example/sync", "https://a.example/sync/user?x=1"),
            ("https://a.example/sync/", "https://a.example/sync/user?x=1"),
        ] {
            assert_eq!(below(&Url::parse(base).unwrap(), "/user?x=1").unwrap().as_str(), asked);
        }
    }

    #[test]
    fn a_server_of_this_machine_is_asked_where_its_settings_have_it_listen() {
        for (listen, asked) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("0.0.0.0:9000", "http://127.0.0.1:9000/"),
            ("[::]:9000", "http://[::1]:9000/"),
            ("192.0.2.7:80", "http://192.0.2.7/"),
        ] {
            assert_eq!(url(listen).unwrap(), asked);
        }
        assert!(url("127.0.0.1:0").unwrap_err().to_string().contains("--url"));
    }

    #[test]
    fn what_the_api_says_leads_to_a_command() {
        for (said, whose, shown) in [
            (
                "customer \"ada b\" has no connected workspace",
                None,
                "customer \"ada b\" has no connected workspace: `helpsync connect SUBDOMAIN --customer 'ada b'` connects one",
            ),
            (
                "its grant has ended: connect it again with /integrations/oauth_url",
                Some("it's ada"),
                "its grant has ended: `helpsync connect SUBDOMAIN --customer \"it's ada\"` connects it again",
            ),
            (
                "its grant has ended: connect it again with /integrations/oauth_url",
                None,
                "its grant has ended: `helpsync connect SUBDOMAIN --customer CUSTOMER` connects it again",
            ),
            ("run not found", Some("ada"), "run not found"),
        ] {
            assert_eq!(for_the_command_line(said, whose), shown);
        }
    }

    #[test]
    fn faults_are_said_with_the_field_that_they_are_about() {
        let fault = |loc: Value, msg: &str| said(&json!({ "detail": [{ "loc": loc, "msg": msg }] })).unwrap();
        assert_eq!(
            fault(json!(["body"]), "is a list, and must be an object"),
            "the body is a list, and must be an object"
        );
        assert_eq!(fault(json!(["body", "ids", 3, "id"]), "is 5"), "ids.3.id is 5");
        assert_eq!(fault(json!(["body", "name"]), "Field required"), "name is missing");
        assert_eq!(said(&json!({ "detail": "run not found" })).unwrap(), "run not found");
    }
}

//! What a browser does as far as servers can tell: it names itself, keeps cookies, says where forms come from, and follows
//! redirects one at a time.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::header::{ACCEPT, LOCATION, ORIGIN, SET_COOKIE, USER_AGENT};
use reqwest::{RequestBuilder, StatusCode};
use url::Url;

const NAME: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// One person's browser.
pub(crate) struct Browser {
    http: reqwest::Client,
    pub(crate) cookies: Mutex<BTreeMap<String, String>>,
}

/// What it was answered.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: StatusCode,
    /// Where it is sent on to.
    pub(crate) location: Option<String>,
    pub(crate) set_cookies: Vec<String>,
    pub(crate) policy: String,
    pub(crate) text: String,
}

impl Shown {
    /// The value of the first field of this name.
    pub(crate) fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        self.text
            .split(&start)
            .nth(1)
            .unwrap_or_else(|| panic!("no {name}: {}", self.text))
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    }

    /// The values of every field of this name.
    pub(crate) fn fields(&self, name: &str) -> Vec<String> {
        let start = format!("name=\"{name}\" value=\"");
        self.text.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    }
}

impl Browser {
    pub(crate) fn new(http: &reqwest::Client) -> Self {
        Self { http: http.clone(), cookies: Mutex::default() }
    }

    fn named(&self, request: RequestBuilder, site: &str) -> RequestBuilder {
        let cookies = self.cookies.lock().unwrap();
        let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request
            .header(USER_AGENT, NAME)
            .header(ACCEPT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
            .header("accept-language", "en-US,en;q=0.5")
            .header("upgrade-insecure-requests", "1")
            .header("sec-fetch-site", site.to_owned())
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document");
        if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) }
    }

    async fn answered(&self, request: RequestBuilder) -> Shown {
        let answer = request.send().await.unwrap();
        let texts = |name| -> Vec<String> {
            answer.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        let set_cookies = texts(SET_COOKIE);
        for cookie in &set_cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            if cookie.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let policy = answer.headers().get("content-security-policy");
        Shown {
            status: answer.status(),
            location: texts(LOCATION).pop(),
            policy: policy.map(|policy| policy.to_str().unwrap().to_owned()).unwrap_or_default(),
            set_cookies,
            text: answer.text().await.unwrap(),
        }
    }

    /// Opens an address.
    pub(crate) async fn open(&self, address: &str) -> Shown {
        self.answered(self.named(self.http.get(address), "none")).await
    }

    /// Sends a form of the page at `address` to that page.
    pub(crate) async fn send(&self, address: &str, fields: &[(&str, &str)]) -> Shown {
        let origin = Url::parse(address).unwrap().origin().ascii_serialization();
        self.send_from(address, fields, "same-origin", &origin).await
    }

    /// Sends a form of the page at `address`, and opens the page that its answer leads to, on this host.
    pub(crate) async fn send_and_see(&self, address: &str, fields: &[(&str, &str)]) -> Shown {
        let sent = self.send(address, fields).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let led = Url::parse(address).unwrap().join(&sent.location.unwrap()).unwrap();
        assert_eq!(led.path(), Url::parse(address).unwrap().path(), "it leads back");
        self.open(led.as_str()).await
    }

    /// Sends a form of another page.
    pub(crate) async fn send_from(
        &self,
        address: &str,
        fields: &[(&str, &str)],
        site: &str,
        origin: &str,
    ) -> Shown {
        let request = self.http.post(address).form(fields).header(ORIGIN, origin.to_owned());
        self.answered(self.named(request, site)).await
    }

    /// Opens our page, presses its button, and has Zendesk grant: the callback's address.
    pub(crate) async fn press(&self, oauth_url: &str) -> String {
        let page = self.open(oauth_url).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let (token, workspace) = (page.field("form_token"), page.field("workspace"));
        let sent = self.send(oauth_url, &[("form_token", &token), ("workspace", &workspace)]).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let zendesk = self.open(&sent.location.unwrap()).await;
        zendesk.location.unwrap_or_else(|| panic!("no consent: {}", zendesk.text))
    }
}

//! The dashboard: what it refuses, over HTTP; what a person does with it, in a browser.

mod access;
mod browser;
mod live;
mod shown;
mod speed;
pub(crate) mod told;

use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{RequestBuilder, Response, StatusCode};

use crate::app::TestApp;
use crate::log::plant;

/// A browser that is logged in, as far as the server can tell.
pub(crate) struct Visitor<'a> {
    app: &'a TestApp,
    /// Name and value.
    cookie: String,
    /// Where the login led, and the organization's pages are.
    home: String,
    /// What forms hold.
    token: String,
}

/// Where requests of pages come from.
fn origin(app: &TestApp) -> String {
    app.url("/").origin().ascii_serialization()
}

async fn try_login(app: &TestApp, key: &str) -> Response {
    let request = app.http.post(app.url("/dashboard/login")).header(ORIGIN, origin(app));
    request.form(&[("key", key)]).send().await.unwrap()
}

fn cookie_of(answer: &Response) -> String {
    let line = answer.headers()[SET_COOKIE].to_str().unwrap();
    line.split(';').next().unwrap().to_owned()
}

/// The value of the first form's token.
fn token_in(page: &str) -> String {
    let rest = page.split("name=\"token\" value=\"").nth(1).unwrap_or_else(|| panic!("no form: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

impl<'a> Visitor<'a> {
    pub(crate) async fn login(app: &'a TestApp, key: &str) -> Self {
        let answer = try_login(app, key).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
        let cookie = cookie_of(&answer);
        plant(cookie.split_once('=').unwrap().1);
        let mut visitor = Self { app, cookie, home: String::new(), token: String::new() };
        let start = visitor.get("/dashboard").await;
        assert_eq!(start.status(), StatusCode::SEE_OTHER);
        visitor.home = start.headers()[LOCATION].to_str().unwrap().to_owned();
        let page = visitor.page("").await;
        visitor.token = token_in(&page);
        visitor
    }

    fn with(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(COOKIE, &self.cookie)
    }

    async fn get(&self, path: &str) -> Response {
        self.with(self.app.http.get(self.app.url(path))).send().await.unwrap()
    }

    /// A page of the organization that must be there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(&format!("{}{path}", self.home)).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        text
    }

    /// As a form of a page posts it.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut fields = fields.to_vec();
        fields.push(("token", &self.token));
        let request = self.app.http.post(self.app.url(&format!("{}{path}", self.home)));
        self.with(request).header(ORIGIN, origin(self.app)).form(&fields).send().await.unwrap()
    }

    /// The number of a customer in addresses.
    async fn customer(&self, name: &str) -> String {
        let answer = self.get(&format!("{}/customers/named?name={name}", self.home)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{name}");
        answer.headers()[LOCATION].to_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }
}

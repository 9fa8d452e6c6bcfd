//! A whole page.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::Brand;

/// The style sheet of every page.
pub const STYLE: &str = include_str!("page.css");
/// What may be loaded and sent where files are loaded from this host: nothing from anywhere else, and nobody's frame around.
pub const ASSETS_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
     frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The icon of every page, an SVG.
pub const FAVICON: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='8' fill='#17795e'/>\
<path d='M9 13a8 8 0 0 1 13.5-2.5M23 19a8 8 0 0 1-13.5 2.5' fill='none' stroke='#fff' stroke-width='3' stroke-linecap='round'/>\
<path d='M24 6v6h-6zM8 26v-6h6z' fill='#fff'/></svg>";

/// Where a page's forms may lead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Forms {
    /// It has none.
    #[default]
    None,
    /// To this host.
    Here,
    /// To this host, which answers by sending the browser on: over https to wherever that leads, and to this origin.
    /// Browsers hold the whole chain of redirects behind a form against the policy, and a sign-in may have many hosts.
    Onward(String),
}

/// The addresses of the files of pages that are many, so that browsers load these once. Other pages hold all that they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    /// [`STYLE`].
    pub style: String,
    /// [`FAVICON`].
    pub icon: String,
    /// A module for every page.
    pub script: String,
}

/// What surrounds the pages of an application; other pages are a sheet in the middle.
#[derive(Debug, Clone)]
pub struct App {
    /// What stands above every page, with its links.
    pub top: Markup,
    /// What leads past that.
    pub skip: &'static str,
    /// What is there and not shown at first.
    pub below: Markup,
    /// The stream that keeps this page current.
    pub live: Option<String>,
    /// Answers with what there is to go to.
    pub palette: String,
}

/// A page with a title and parts below it.
#[derive(Debug)]
pub struct Page {
    status: StatusCode,
    mark: &'static str,
    title: String,
    parts: Vec<Markup>,
    /// Apart, so that a page is small enough to be handed around as the error of whatever leads to it.
    more: Box<More>,
}

#[derive(Debug, Default)]
struct More {
    assets: Option<Assets>,
    app: Option<App>,
    product: Option<&'static str>,
    footer: Option<Markup>,
    brand: Option<Brand>,
    forms: Forms,
    script: Option<&'static str>,
    refresh: Option<(u32, String)>,
    cookies: Vec<String>,
}

impl Page {
    /// A page that reports nothing.
    #[must_use]
    pub fn new(status: StatusCode, title: &str) -> Self {
        Self { status, mark: "", title: title.to_owned(), parts: Vec::new(), more: Box::default() }
    }

    /// Something worked.
    #[must_use]
    pub fn good(title: &str) -> Self {
        Self { mark: "good", ..Self::new(StatusCode::OK, title) }
    }

    /// Something did not; the lines say what to do.
    #[must_use]
    pub fn failed(status: StatusCode, title: &str) -> Self {
        Self { mark: "failed", ..Self::new(status, title) }
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn line(self, text: &str) -> Self {
        self.part(html! { p { (text) } })
    }

    /// Adds a paragraph that is a link.
    #[must_use]
    pub fn link(self, address: &str, text: &str) -> Self {
        self.part(html! { p { a href=(address) { (text) } } })
    }

    /// Adds whatever it is.
    #[must_use]
    pub fn part(mut self, part: Markup) -> Self {
        self.parts.push(part);
        self
    }

    /// Loads its style, script and icon.
    #[must_use]
    pub fn assets(mut self, assets: Assets) -> Self {
        self.more.assets = Some(assets);
        self
    }

    /// Is a page of an application. Its parts have their own heading.
    #[must_use]
    pub fn app(mut self, app: App) -> Self {
        self.more.app = Some(app);
        self
    }

    /// Names the product in its title.
    #[must_use]
    pub fn product(mut self, name: &'static str) -> Self {
        self.more.product = Some(name);
        self
    }

    /// Small print at the bottom.
    #[must_use]
    pub fn footer(mut self, footer: Markup) -> Self {
        self.more.footer = Some(footer);
        self
    }

    /// Speaks for an organization.
    #[must_use]
    pub fn brand(mut self, brand: &Brand) -> Self {
        self.more.brand = Some(brand.clone());
        self
    }

    /// Lets its forms lead somewhere.
    #[must_use]
    pub fn forms(mut self, forms: Forms) -> Self {
        self.more.forms = forms;
        self
    }

    /// Runs this module, which may ask this host. The page must serve without it.
    #[must_use]
    pub fn script(mut self, script: &'static str) -> Self {
        self.more.script = Some(script);
        self
    }

    /// Without scripts the page is loaded again every so many seconds, from `address`.
    #[must_use]
    pub fn refresh(mut self, seconds: u32, address: &str) -> Self {
        self.more.refresh = Some((seconds, address.to_owned()));
        self
    }

    /// Sets a cookie: a whole `Set-Cookie` value, from [`crate::cookie::set`].
    #[must_use]
    pub fn cookie(mut self, cookie: String) -> Self {
        self.more.cookies.push(cookie);
        self
    }

    /// The organization's colours, which win over those of the style sheet.
    fn colors(&self) -> Option<String> {
        let color = self.more.brand.as_ref()?.color?;
        let text = color.text_on();
        Some(format!(
            "main:not(.good,.failed),button.main,.button.main{{--accent:{color};--on-accent:{text}}}"
        ))
    }

    fn head(&self, colors: Option<&str>) -> Markup {
        html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (self.title) @if let Some(product) = self.more.product { " · " (product) } }
                @match &self.more.assets {
                    Some(assets) => {
                        link rel="icon" type="image/svg+xml" href=(assets.icon);
                        link rel="stylesheet" href=(assets.style);
                        script src=(assets.script) type="module" {}
                    }
                    None => {
                        link rel="icon" href=(format!("data:image/svg+xml;base64,{}", STANDARD.encode(FAVICON)));
                        style { (PreEscaped(STYLE)) }
                    }
                }
                @if let Some(colors) = colors { style { (PreEscaped(colors)) } }
                @if let Some((seconds, address)) = &self.more.refresh {
                    noscript { meta http-equiv="refresh" content=(format!("{seconds};url={address}")); }
                }
            }
        }
    }

    /// The sheet in the middle, below whom it speaks for.
    fn sheet(&self) -> Markup {
        html! {
            body class="sheet" {
                @if let Some(brand) = &self.more.brand {
                    header {
                        @if let Some(logo) = &brand.logo { img src=(logo.as_str()) alt=""; }
                        span { (brand.name) }
                    }
                }
                main class=[(!self.mark.is_empty()).then_some(self.mark)] {
                    h1 { (self.title) }
                    @for part in &self.parts { (part) }
                }
                @if let Some(footer) = &self.more.footer { footer { (footer) } }
                @if let Some(script) = self.more.script { script type="module" { (PreEscaped(script)) } }
            }
        }
    }

    fn in_app(&self, app: &App) -> Markup {
        html! {
            body class="app" data-palette=(app.palette) data-live=[app.live.as_ref()] {
                a class="skip" href="#content" { (app.skip) }
                (app.top)
                main id="content" tabindex="-1" { @for part in &self.parts { (part) } }
                (app.below)
            }
        }
    }

    fn html(&self, colors: Option<&str>) -> String {
        let body = self.more.app.as_ref().map_or_else(|| self.sheet(), |app| self.in_app(app));
        html! { (DOCTYPE) html lang="en" { (self.head(colors)) (body) } }.into_string()
    }

    fn policy(&self, colors: Option<&str>) -> String {
        if self.more.assets.is_some() {
            return ASSETS_POLICY.to_owned();
        }
        let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
        let mut policy = format!("default-src 'none'; img-src data:; style-src {}", hash(STYLE));
        if let Some(colors) = colors {
            policy += &format!(" {}", hash(colors));
        }
        if let Some(script) = self.more.script {
            policy += &format!("; script-src {}; connect-src 'self'", hash(script));
        }
        let forms = match &self.more.forms {
            Forms::None => "'none'".to_owned(),
            Forms::Here => "'self'".to_owned(),
            Forms::Onward(origin) => format!("'self' https: {origin}"),
        };
        policy + &format!("; form-action {forms}; base-uri 'none'; frame-ancestors 'none'")
    }
}

impl From<Page> for Response {
    fn from(page: Page) -> Self {
        page.into_response()
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let colors = self.colors();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // The address may hold a code and a state: it goes nowhere else. With `no-referrer` a form would not say either
        // where it comes from.
        headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("same-origin"));
        headers
            .insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        headers.insert(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
        if let Ok(policy) = HeaderValue::from_str(&self.policy(colors.as_deref())) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        for cookie in &self.more.cookies {
            if let Ok(cookie) = HeaderValue::from_str(cookie) {
                headers.append(SET_COOKIE, cookie);
            }
        }
        (self.status, headers, self.html(colors.as_deref())).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Color;

    #[test]
    fn nothing_that_is_said_on_a_page_becomes_part_of_it() {
        let brand = Brand { name: "<img>".to_owned(), ..Brand::default() };
        let page = Page::good("<script>").line("a&b \"c\" 'd'").link("/x\"onclick=", "<b>").brand(&brand);
        let html = page.html(None);
        assert!(html.contains("<h1>&lt;script&gt;</h1>"));
        assert!(html.contains("<p>a&amp;b &quot;c&quot; 'd'</p>"));
        assert!(html.contains("<a href=\"/x&quot;onclick=\">&lt;b&gt;</a>"));
        assert!(html.contains("&lt;img&gt;"));
        assert!(!html.contains("<script>") && !html.contains("<img>"));
    }

    #[test]
    fn a_page_may_do_no_more_than_it_says() {
        let policy = |page: Page| {
            let answer = page.into_response();
            let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
            assert!(
                policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"),
                "{policy}"
            );
            policy
        };
        let page = || Page::new(StatusCode::OK, "x");
        let plain = policy(page());
        assert!(plain.contains("form-action 'none'") && !plain.contains("script-src"), "{plain}");
        let live = policy(page().script("1").forms(Forms::Here));
        assert!(live.contains("form-action 'self';") && live.contains("connect-src 'self'"), "{live}");
        assert!(live.contains("script-src 'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='"), "{live}");
        let assets =
            Assets { style: "/s.css".to_owned(), icon: "/i.svg".to_owned(), script: "/s.js".to_owned() };
        let loads = policy(page().assets(assets));
        assert!(loads.contains("style-src 'self'") && loads.contains("form-action 'self';"), "{loads}");
        let color = Color::parse("#123456").ok();
        let colored = page().brand(&Brand { color, ..Brand::default() });
        assert_eq!(policy(colored).matches("sha256-").count(), 2);
    }
}

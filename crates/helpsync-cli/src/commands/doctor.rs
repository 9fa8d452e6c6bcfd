//! `helpsync doctor`: what a newcomer would otherwise find out one error at a time, and an operator in the night. It looks,
//! and changes nothing.

use std::time::Duration;

use helpsync_app::{Finding, Severity, clock_finding, examine_backends};
use helpsync_config::{ConfigError, Settings};
use helpsync_model::{Clock as _, SystemClock, chain, is_public};
use helpsync_store::StoreExam;
use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::Url;

use crate::args::Doctor;
use crate::client::{innermost, unanswered};
use crate::commands::ask::check_subdomain;
use crate::commands::{ports, reach, scopes};
use crate::exit::{Exit, exit_of};
use crate::output::Output;
use crate::role::settings;

/// For each question to another machine.
const PATIENCE: Duration = Duration::from_secs(5);
/// Webhooks looked at.
const WEBHOOKS_MAX: usize = 5;
/// No token of anybody's: the right answer is a refusal.
const NOBODY: &str = "helpsync-doctor";

pub(crate) async fn doctor(args: Doctor, output: Output) -> anyhow::Result<Exit> {
    if let Some(subdomain) = &args.subdomain {
        check_subdomain(subdomain)?;
    }
    let (found, failed) = match settings(args.config.clone()) {
        Ok(settings) => (examine(&settings, &args).await?, Exit::Failed),
        Err(error) => {
            let mend = match error.downcast_ref() {
                Some(ConfigError::File { .. }) => {
                    "name a file that is there and can be read with --config or HELPSYNC_CONFIG, or none"
                }
                _ => "docs/settings.md has every setting; `helpsync config --reference` prints it",
            };
            (vec![Finding::wrong("settings", chain(error.as_ref()), mend)], exit_of(&error))
        }
    };
    let worst = found.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok);
    let document =
        json!({ "severity": word(worst), "findings": found.iter().map(as_json).collect::<Vec<_>>() });
    output.show(&document, || text(&found, output))?;
    Ok(match worst {
        Severity::Ok | Severity::Unchecked => Exit::Done,
        Severity::Warning => Exit::Attention,
        Severity::Wrong => failed,
    })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Unchecked => "unchecked",
        Severity::Warning => "warning",
        Severity::Wrong => "wrong",
    }
}

fn as_json(finding: &Finding) -> Value {
    json!({ "name": finding.name, "severity": word(finding.severity), "text": finding.text, "mend": finding.mend })
}

/// A line for each, with how to mend it. With `--quiet` only what is not well.
fn text(found: &[Finding], output: Output) -> String {
    let shown = found.iter().filter(|finding| !output.quiet || finding.severity != Severity::Ok);
    let lines = shown.map(|finding| {
        let mark = match finding.severity {
            Severity::Ok => "ok   ",
            Severity::Unchecked => "?    ",
            Severity::Warning => "note ",
            Severity::Wrong => "WRONG",
        };
        let mend = finding.mend.as_deref().map(|mend| format!(" -> {mend}")).unwrap_or_default();
        format!("  {mark} {}: {}{mend}\n", finding.name, one_line(&finding.text))
    });
    let lines: String = lines.collect();
    let count = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let (wrong, warnings) = (count(Severity::Wrong), count(Severity::Warning));
    let sum = match (wrong, warnings, count(Severity::Unchecked)) {
        (0, 0, 0) => "all is well".to_owned(),
        (0, 0, _) => "all that could be checked is well".to_owned(),
        _ => format!("{wrong} wrong, {warnings} to look at"),
    };
    format!("{lines}{sum}")
}

/// A text of several lines in one: the first says what those below it are.
fn one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let more: Vec<&str> = lines.collect();
    if more.is_empty() { first.to_owned() } else { format!("{first} {}", more.join("; ")) }
}

async fn examine(settings: &Settings, args: &Doctor) -> anyhow::Result<Vec<Finding>> {
    let http = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()?;
    let mut found = vec![Finding::ok("settings", "every name and value is understood")];
    found.extend(settings.warnings().into_iter().map(|warning| {
        Finding::warning("settings", warning, "docs/settings.md says what each setting means")
    }));
    let (backends, exam) = examine_backends(settings).await;
    found.extend(backends);
    found.extend(ports::findings(settings, exam.as_ref(), &http).await);
    let exam = exam.unwrap_or_default();
    found.push(public_url(settings, &http).await);
    found.extend(zendesk(settings, args, &exam, &http).await);
    found.extend(reach::findings(settings, &http).await);
    for (url, status, reason) in exam.webhooks.iter().take(WEBHOOKS_MAX) {
        found.push(webhook(url, status, reason.as_deref(), settings.webhooks.allow_private).await);
    }
    Ok(found)
}

/// Whether a Helpsync answers there.
pub(crate) async fn answers(http: &Client, base: &str) -> Result<(), String> {
    let url = format!("{}/health", base.trim_end_matches('/'));
    let answer = http.get(&url).send().await.map_err(|error| unanswered(&error))?;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    match body["status"].as_str() {
        Some("ok") => Ok(()),
        _ => Err(format!("{url} answers {status}, and not as Helpsync does")),
    }
}

async fn public_url(settings: &Settings, http: &Client) -> Finding {
    const NAME: &str = "public URL";
    let url = settings.public_url();
    let local =
        url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]");
    let redirect = format!("{}/integrations/zendesk", url.as_str().trim_end_matches('/'));
    let register = format!("register {redirect} as a redirect URL of the Zendesk OAuth client");
    if url.scheme() != "https" && !local {
        return Finding::warning(
            NAME,
            format!("{url} is plain http: Zendesk takes redirect URLs of https only"),
            "set HELPSYNC_API__PUBLIC_URL to the https address that browsers see",
        );
    }
    if settings.api.public_url.is_none() {
        return Finding::ok(NAME, format!("browsers on this machine only; {register}"));
    }
    match answers(http, url.as_str()).await {
        Ok(()) => Finding::ok(NAME, format!("it leads here; {register}")),
        Err(why) => Finding::warning(
            NAME,
            format!("nobody answers as Helpsync at {url} ({why})"),
            "start Helpsync, and let the proxy at HELPSYNC_API__PUBLIC_URL lead to HELPSYNC_API__LISTEN",
        ),
    }
}

async fn zendesk(settings: &Settings, args: &Doctor, exam: &StoreExam, http: &Client) -> Vec<Finding> {
    const CLIENT: &str = "OAuth client";
    let mut found = scopes::findings(settings);
    let client = match (&settings.zendesk.client_id, &settings.zendesk.client_secret) {
        (Some(id), Some(secret)) => Some((id, secret)),
        _ => {
            let mend = "set HELPSYNC_ZENDESK__CLIENT_ID and HELPSYNC_ZENDESK__CLIENT_SECRET, or store one for each \
                 organization with /white_label/create";
            found.push(Finding::warning(CLIENT, "none is configured", mend));
            None
        }
    };
    let Some(subdomain) = args.subdomain.as_ref().or(exam.workspaces.first()) else {
        if client.is_some() {
            found.push(Finding::ok(
                CLIENT,
                "configured; `helpsync doctor --subdomain SUBDOMAIN` asks Zendesk about it",
            ));
        }
        return found;
    };
    let base = settings.zendesk.base_url.as_str().replace("{subdomain}", subdomain);
    let base = base.trim_end_matches('/');
    let asked_ms = SystemClock.now_ms();
    match http.get(format!("{base}/api/v2/help_center/articles?per_page=1")).bearer_auth(NOBODY).send().await
    {
        Err(error) => found.push(Finding::wrong(
            "workspace",
            format!("{base} does not answer: {}", innermost(&error)),
            "check the subdomain, and that this machine may reach Zendesk (proxy, firewall, DNS)",
        )),
        Ok(answer) => {
            let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
            let at = date.and_then(|date| httpdate::parse_http_date(date).ok());
            let at = at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            if let Some(at) = at.and_then(|at| i64::try_from(at.as_millis()).ok()) {
                found.push(clock_finding("clock of Zendesk", base, asked_ms, at));
            }
            found.push(workspace(base, answer.status()));
        }
    }
    if let Some((id, secret)) = client {
        found.push(known_client(http, base, id, secret.expose_secret()).await);
    }
    found
}

fn workspace(base: &str, status: StatusCode) -> Finding {
    match status.as_u16() {
        200..=299 | 401 | 403 => Finding::ok("workspace", format!("{base} answers")),
        404 => Finding::wrong("workspace", format!("{base} has no help center"), "check the subdomain"),
        _ => Finding::warning(
            "workspace",
            format!("{base} answers {status}"),
            "look at Zendesk's status page, and whether the account is suspended",
        ),
    }
}

/// Asks Zendesk to exchange a code that nobody has: it says whether it knows the client.
async fn known_client(http: &Client, base: &str, id: &str, secret: &str) -> Finding {
    const NAME: &str = "OAuth client";
    let body = json!({
        "grant_type": "authorization_code", "code": NOBODY, "client_id": id, "client_secret": secret,
        "redirect_uri": "https://localhost/", "scope": "hc:read",
    });
    let answer = match http.post(format!("{base}/oauth/tokens")).json(&body).send().await {
        Ok(answer) => answer,
        Err(error) => {
            return Finding::warning(
                NAME,
                format!("Zendesk does not say ({})", innermost(&error)),
                "try again",
            );
        }
    };
    let status = answer.status();
    let said: Value = answer.json().await.unwrap_or_default();
    match said["error"].as_str() {
        Some("invalid_client") => Finding::wrong(
            NAME,
            format!("{base} does not know the client {id:?}, or its secret is another"),
            "copy identifier and secret from Admin Center > Apps and integrations > APIs > OAuth clients; a client of another \
             account must be a global one",
        ),
        Some("invalid_grant") => Finding::ok(NAME, format!("{base} knows the client {id:?} and its secret")),
        _ => Finding::warning(
            NAME,
            format!("{base} answers {status} about the client {id:?}"),
            "try to connect a workspace",
        ),
    }
}

async fn webhook(url: &str, status: &str, reason: Option<&str>, allow_private: bool) -> Finding {
    const NAME: &str = "webhook";
    let mend =
        "look at the receiver, then `helpsync webhooks redeliver --dead-of WEBHOOK` sends what it missed";
    if status != "ACTIVE" {
        let text = format!("{url} is {status}: {}", reason.unwrap_or("it failed too often"));
        return Finding::warning(NAME, text, mend);
    }
    // Connecting tells of name, firewall and listener; a request would be an event that is none.
    let place = Url::parse(url).ok().and_then(|url| {
        Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?))
    });
    let Some((host, port)) = place else {
        return Finding::warning(NAME, format!("{url} is no address"), mend);
    };
    match tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(stream)) if !allow_private && stream.peer_addr().is_ok_and(|at| !is_public(at.ip())) => {
            let mend = "give the receiver a public address, or set HELPSYNC_WEBHOOKS__ALLOW_PRIVATE=true";
            Finding::wrong(NAME, format!("{url} is at a private address: nothing is sent there"), mend)
        }
        Ok(Ok(_)) => Finding::ok(NAME, format!("{url} can be reached")),
        Ok(Err(error)) => Finding::warning(NAME, format!("{url} cannot be reached: {}", chain(&error)), mend),
        Err(_elapsed) => Finding::warning(NAME, format!("{url} does not answer"), mend),
    }
}

#[cfg(test)]
mod tests {
    use helpsync_app::Finding;

    use super::text;
    use crate::output::Output;

    #[test]
    fn what_nobody_could_look_at_is_not_called_well() {
        let quiet = Output { quiet: true, ..Output::default() };
        let found =
            [Finding::ok("store", "it answers"), Finding::unchecked("queue policies", "not checked: x")];
        assert_eq!(
            text(&found, Output::default()),
            "  ok    store: it answers\n  ?     queue policies: not checked: x\nall that could be checked is well"
        );
        assert_eq!(
            text(&found, quiet),
            "  ?     queue policies: not checked: x\nall that could be checked is well"
        );
        assert!(text(&found[..1], Output::default()).ends_with("all is well"));
    }
}

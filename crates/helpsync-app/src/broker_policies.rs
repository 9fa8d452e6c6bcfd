//! Policies of RabbitMQ over our queues: they change what a queue was declared as, and AMQP does not tell of them. The
//! management API does, where it answers.

use std::time::Duration;

use helpsync_config::QueueSettings;
use helpsync_model::chain;
use helpsync_queue_rabbitmq::Names;
use reqwest::{Client, StatusCode};
use serde_json::{Map, Value};
use url::Url;

use crate::doctor::Finding;

const NAME: &str = "queue policies";
/// For each question.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where the management API listens if nothing else is said: plain, and by TLS.
const PORTS: [u16; 2] = [15_672, 15_671];
/// What a policy may set that our queues set themselves, or must not have.
const CHANGES: [(&str, &str); 9] = [
    ("message-ttl", "throws messages out after a while"),
    ("expires", "deletes a queue that nobody uses for a while"),
    ("max-length", "bounds the queue"),
    ("max-length-bytes", "bounds the queue"),
    ("overflow", "says what a full queue does"),
    ("delivery-limit", "throws messages out that came back too often"),
    ("dead-letter-exchange", "says where what is thrown out goes"),
    ("dead-letter-routing-key", "says where what is thrown out goes"),
    ("dead-letter-strategy", "says whether what is thrown out may be lost"),
];
const MEND: &str = "take our queues out of the policy (rabbitmqctl list_policies, then clear_policy or another pattern; \
    list_operator_policies for those of operators): Helpsync declares all that its queues need";

/// Looks at the policies of every queue.
pub(crate) async fn examine(queue: &QueueSettings) -> Option<Finding> {
    let amqp = Url::parse(queue.url.as_ref()?.expose()).ok()?;
    let Some(base) = management(queue, &amqp) else {
        return Some(not_checked("the address of the broker makes none of its management API"));
    };
    match look(&base, &amqp, &Names::new(&queue.name_prefix)).await {
        Ok(found) => Some(found),
        Err(why) => Some(not_checked(&why)),
    }
}

fn not_checked(why: &str) -> Finding {
    // Many brokers have no management API.
    Finding::unchecked(
        NAME,
        format!("not checked: {why}; HELPSYNC_QUEUE__MANAGEMENT_URL names RabbitMQ's management API"),
    )
}

/// The base of the management API, without credentials.
fn management(queue: &QueueSettings, amqp: &Url) -> Option<Url> {
    if let Some(set) = &queue.management_url {
        return Url::parse(set.expose()).ok();
    }
    let (scheme, port) = if amqp.scheme() == "amqps" { ("https", PORTS[1]) } else { ("http", PORTS[0]) };
    Url::parse(&format!("{scheme}://{}:{port}/", amqp.host_str()?)).ok()
}

/// Of a part of a URL, what it stands for.
fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// User and password: those of the management URL, or the broker's, or the ones that a fresh broker has.
fn credentials(base: &Url, amqp: &Url) -> (String, String) {
    let of = |url: &Url| (decoded(url.username()), url.password().map(decoded).unwrap_or_default());
    [of(base), of(amqp)]
        .into_iter()
        .find(|(user, _)| !user.is_empty())
        .unwrap_or_else(|| ("guest".to_owned(), "guest".to_owned()))
}

async fn look(base: &Url, amqp: &Url, names: &Names) -> Result<Finding, String> {
    let http = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build();
    let http = http.map_err(|error| chain(&error))?;
    let (user, password) = credentials(base, amqp);
    let vhost = match amqp.path().trim_start_matches('/') {
        "" => "/".to_owned(),
        path => decoded(path),
    };
    let mut changed = Vec::new();
    let (mut looked_at, mut loses) = (0, false);
    for queue in names.all().0 {
        let mut url = base.clone();
        // Credentials go in a header, and an error must not hold them.
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        let Ok(mut way) = url.path_segments_mut() else { return Err(format!("{base} is no address")) };
        way.pop_if_empty().extend(["api", "queues", vhost.as_str(), queue.as_str()]);
        drop(way);
        cleared.map_err(|()| "HELPSYNC_QUEUE__MANAGEMENT_URL is no address".to_owned())?;
        let asked = http.get(url.clone()).basic_auth(&user, Some(&password)).send().await;
        let answer =
            asked.map_err(|error| format!("nothing answers there ({})", chain(&error.without_url())))?;
        match answer.status() {
            StatusCode::NOT_FOUND => continue,
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(format!(
                    "the management API does not let the user {user:?} look (tag it monitoring)"
                ));
            }
            status => return Err(format!("the management API answers {status}")),
        }
        let told: Value = answer.json().await.map_err(|error| chain(&error.without_url()))?;
        looked_at += 1;
        if let Some(policy) = policy_over(&told) {
            // There is no list behind these two that would take what they lose.
            loses |= queue == names.dead() || queue == names.unrouted();
            changed.push(format!("{queue} is under {policy}"));
        }
    }
    Ok(match (changed.is_empty(), loses) {
        (true, _) if looked_at == 0 => Finding::ok(NAME, "no queue is there yet"),
        (true, _) => Finding::ok(NAME, format!("none changes any of the {looked_at} queues")),
        (false, false) => Finding::warning(NAME, changed.join("; "), MEND),
        (false, true) => Finding::wrong(NAME, format!("{}: dead letters are lost", changed.join("; ")), MEND),
    })
}

/// What is set over a queue that it was not declared with, with who sets it.
fn policy_over(queue: &Value) -> Option<String> {
    let none = Map::new();
    let set = queue["effective_policy_definition"].as_object().unwrap_or(&none);
    let changes: Vec<String> = CHANGES
        .iter()
        .filter_map(|(key, what)| Some(format!("{key} = {}, which {what}", set.get(*key)?)))
        .collect();
    if changes.is_empty() {
        return None;
    }
    let whose: Vec<String> = [("policy", "the policy"), ("operator_policy", "the operator's policy")]
        .into_iter()
        .filter_map(|(field, what)| Some(format!("{what} {:?}", queue[field].as_str()?)))
        .collect();
    let whose = if whose.is_empty() { "a policy".to_owned() } else { whose.join(" and ") };
    Some(format!("{whose}: {}", changes.join(", ")))
}

#[cfg(test)]
mod tests {
    use helpsync_config::Settings;
    use serde_json::json;

    use super::*;

    fn queue(url: &str, management: Option<&str>) -> QueueSettings {
        let mut env = vec![
            ("HELPSYNC_QUEUE__URL".to_owned(), url.to_owned()),
            ("HELPSYNC_QUEUE__ALLOW_UNENCRYPTED".to_owned(), "true".to_owned()),
            ("HELPSYNC_COORDINATOR__URL".to_owned(), "redis://127.0.0.1:6379".to_owned()),
        ];
        env.extend(management.map(|url| ("HELPSYNC_QUEUE__MANAGEMENT_URL".to_owned(), url.to_owned())));
        Settings::load(None, env).unwrap().queue
    }

    #[test]
    fn the_management_api_is_beside_the_broker_unless_it_is_named() {
        for (amqp, named, base, user) in [
            ("amqp://ada:p%40ss@rabbit:5672/%2f", None, "http://rabbit:15672/", ("ada", "p@ss")),
            ("amqps://ada:x@rabbit/v", None, "https://rabbit:15671/", ("ada", "x")),
            ("amqp://rabbit", None, "http://rabbit:15672/", ("guest", "guest")),
            ("amqp://ada:x@rabbit", Some("https://eve:y@m/rabbit"), "https://eve:y@m/rabbit", ("eve", "y")),
        ] {
            let (settings, url) = (queue(amqp, named), Url::parse(amqp).unwrap());
            let found = management(&settings, &url).unwrap();
            assert_eq!(found.as_str(), base);
            assert_eq!(credentials(&found, &url), (user.0.to_owned(), user.1.to_owned()));
        }
    }

    #[test]
    fn only_what_changes_a_queue_of_ours_is_named() {
        assert_eq!(policy_over(&json!({ "policy": null, "effective_policy_definition": {} })), None);
        // An old broker tells an empty list where there is none.
        assert_eq!(policy_over(&json!({ "effective_policy_definition": [] })), None);
        assert_eq!(
            policy_over(
                &json!({ "policy": "x", "effective_policy_definition": { "queue-master-locator": "a" } })
            ),
            None
        );
        let text = policy_over(&json!({
            "policy": "limits", "operator_policy": "cap",
            "effective_policy_definition": { "message-ttl": 5, "max-length": 7 },
        }));
        let text = text.unwrap();
        assert!(
            text.starts_with("the policy \"limits\" and the operator's policy \"cap\": message-ttl = 5"),
            "{text}"
        );
        assert!(text.contains("max-length = 7"), "{text}");
    }
}

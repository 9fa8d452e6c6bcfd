//! `docs/api.md` is the endpoints themselves, written down.

use std::fmt::Write as _;

use crate::endpoint::{Access, Content, Endpoint};
use crate::routes;

const PAGE: &str = include_str!("../../../docs/api.md");
const HEAD: &str = "\
# API

Made from the endpoints themselves; `HELPSYNC_TEST_BLESS=1 cargo test -p helpsync-api` writes it. `/openapi.json` of a running
Helpsync has every field. Paths outside `/helpsync` follow Carbon's API ([carbon-differences](carbon-differences.md)).

Who may call: *key* is `authorization: Bearer <API key>`; *customer* is a key with the header `customer-id`, or
`authorization: Token <access token>`; *key and customer* is a key with `customer-id` alone; *anyone* needs nothing.
Behind it stands the scope that the key must have, or the key that the access token was made with ([API keys](api-keys.md)).
Errors are `{\"detail\": …}` with a text, and for 422 a list of what is wrong where.
";

fn access(endpoint: &Endpoint) -> String {
    let who = match endpoint.access {
        Access::Open => return "anyone".to_owned(),
        Access::Customer => "customer",
        Access::Key => "key",
        Access::Either => "key or customer",
        Access::KeyAndCustomer => "key and customer",
    };
    format!("{who}: {}", endpoint.scope)
}

/// The name of a body's schema, or its media type.
fn body(content: Option<&Content>) -> String {
    content.map_or_else(
        || "-".to_owned(),
        |content| match content.named.last() {
            Some((name, _)) if content.media_type == "application/json" => format!("`{name}`"),
            _ => content.media_type.to_owned(),
        },
    )
}

fn page() -> String {
    let endpoints = routes::endpoints();
    let mut groups: Vec<&str> = Vec::new();
    for endpoint in &endpoints {
        if !groups.contains(&endpoint.group) {
            groups.push(endpoint.group);
        }
    }
    let mut page = HEAD.to_owned();
    for group in groups {
        let of_group = endpoints.iter().filter(|endpoint| endpoint.group == group);
        writeln!(
            page,
            "\n## {group}\n\n| endpoint | what | who | takes | gives |\n| --- | --- | --- | --- | --- |"
        )
        .unwrap();
        for endpoint in of_group {
            writeln!(page, "{}", row(endpoint)).unwrap();
        }
    }
    page
}

fn row(endpoint: &Endpoint) -> String {
    let parameters =
        endpoint.parameters.iter().map(|parameter| format!("`{}`: {}", parameter.name, parameter.about));
    let parameters = parameters.collect::<Vec<_>>().join("; ");
    let about = if parameters.is_empty() {
        endpoint.about.to_owned()
    } else {
        format!("{}. {parameters}", endpoint.about)
    };
    format!(
        "| `{} {}` | {} | {} | {} | {} |",
        endpoint.method.to_uppercase(),
        endpoint.path,
        about.replace('|', "\\|"),
        access(endpoint),
        body(endpoint.takes.as_ref()),
        body(endpoint.gives.as_ref())
    )
}

#[test]
fn the_reference_is_the_endpoints_themselves() {
    if std::env::var_os("HELPSYNC_TEST_BLESS").is_some() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
        std::fs::write(path, page()).unwrap();
    } else {
        assert_eq!(
            PAGE,
            page(),
            "docs/api.md is not the endpoints any more: HELPSYNC_TEST_BLESS=1 writes it anew"
        );
    }
}

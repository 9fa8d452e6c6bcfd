//! What to tell who names something that is not there: its id, and the command that lists what there is.

use percent_encoding::percent_decode_str;
use url::Url;

/// What the server calls it, where its id stands in the path or the query, what people call it, and what lists it.
const NAMED: [(&str, &str, &str, &str); 8] = [
    ("run not found", "runs", "run", "helpsync runs"),
    ("file not found", "files", "file", "helpsync files CUSTOMER"),
    ("webhook not found", "webhooks", "webhook", "helpsync webhooks list"),
    ("webhook delivery not found", "webhook-deliveries", "delivery", "helpsync webhooks deliveries WEBHOOK"),
    ("dead letter not found", "dead-letters", "dead letter", "helpsync dead-letters list"),
    ("API key not found", "api-keys", "API key", "helpsync api-keys list"),
    ("organization not found", "organizations", "organization", "helpsync orgs list"),
    ("customer not found", "customers", "customer", "helpsync customers"),
];

/// `no run 99: ` and which command lists runs. `None`: it is something else.
pub(crate) fn unknown(said: &str, asked: &Url) -> Option<String> {
    let (_, collection, what, command) = NAMED.iter().find(|(text, ..)| *text == said)?;
    let id = id_in_path(asked, collection).or_else(|| id_in_query(asked, what));
    Some(match id {
        Some(id) => format!("no {what} {id}: `{command}` lists them"),
        None => format!("no such {what}: `{command}` lists them"),
    })
}

fn id_in_path(asked: &Url, collection: &str) -> Option<String> {
    let mut way = asked.path_segments()?.skip_while(|segment| *segment != collection).skip(1);
    let id = way.next().filter(|id| !id.is_empty())?;
    Some(percent_decode_str(id).decode_utf8_lossy().into_owned())
}

fn id_in_query(asked: &Url, what: &str) -> Option<String> {
    let id = asked.query_pairs().find(|(name, _)| name == what || *name == format!("{what}_id"))?.1;
    Some(format!("{id:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_with_the_command_that_lists_what_is() {
        let told = |said: &str, path: &str| {
            unknown(said, &Url::parse(&format!("http://x/below{path}")).unwrap()).unwrap_or_default()
        };
        for (said, path, text) in [
            ("run not found", "/helpsync/v1/runs/99", "no run 99: `helpsync runs` lists them"),
            (
                "run not found",
                "/helpsync/v1/runs/99/skipped?limit=3",
                "no run 99: `helpsync runs` lists them",
            ),
            ("file not found", "/resync_file", "no such file: `helpsync files CUSTOMER` lists them"),
            (
                "dead letter not found",
                "/helpsync/v1/dead-letters/message-a%2Fb+c/replay",
                "no dead letter message-a/b+c: `helpsync dead-letters list` lists them",
            ),
            (
                "organization not found",
                "/helpsync/v1/branding?organization=acme",
                "no organization \"acme\": `helpsync orgs list` lists them",
            ),
            ("path not found", "/helpsync/v1/runs/99", ""),
        ] {
            assert_eq!(told(said, path), text, "{said} {path}");
        }
    }
}

//! What others have written never acts on a person's terminal.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::helpsync;

/// ESC, an OSC that names the window, a C1, an override of the direction, no width, the ends of lines.
const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}b\u{200b}\u{2066}\r\nhelpsync: all is well";
/// How it is shown within a line.
const SHOWN: &str =
    "a\u{fffd}[2J\u{fffd}]0;x\u{fffd}\u{fffd}31m\u{fffd}b\u{fffd}\u{fffd}  helpsync: all is well";

/// Answers every request with what `answer` makes of its path, a text as it is, until the test ends. Its address.
fn server(answer: fn(&str) -> (u16, Value)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            let _rest: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let (status, body) = answer(first.split(' ').nth(1).unwrap_or_default());
            let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
            let head = "connection: close\r\ncontent-type: application/json";
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} x\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
            drop(socket.write_all(answer.as_bytes()));
        }
    });
    url
}

/// What a command says on both streams to a person, each as it is.
fn said(url: &str, arguments: &[&str]) -> [String; 2] {
    let output = helpsync(arguments, &[("HELPSYNC_URL", url), ("HELPSYNC_API_KEY", "a-key")]);
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
}

fn run(state: &str) -> Value {
    json!({ "customer_id": HOSTILE, "workspace": HOSTILE, "state": state, "error": HOSTILE, "kind": "full" })
}

fn is_harmless(text: &str) -> bool {
    !text.chars().any(|one| one != '\n' && (one.is_control() || "\u{202e}\u{200b}\u{2066}".contains(one)))
}

fn shows_harmlessly(arguments: &[&str], answer: fn(&str) -> (u16, Value)) {
    let [out, err] = said(&server(answer), arguments);
    assert!(is_harmless(&out) && is_harmless(&err), "{arguments:?}: {out:?} {err:?}");
    assert!(out.contains(SHOWN) || err.contains(SHOWN), "{arguments:?}: {out:?} {err:?}");
}

#[test]
fn errors_notes_and_answers_show_what_others_have_written_and_obey_none_of_it() {
    shows_harmlessly(&["status"], |_| (400, json!({ "detail": HOSTILE })));
    shows_harmlessly(&["status"], |_| (422, json!({ "detail": [{ "loc": ["body", "x"], "msg": HOSTILE }] })));
    shows_harmlessly(&["status"], |_| (500, json!(HOSTILE)));
    shows_harmlessly(&["status"], |_| (200, json!({ "store": HOSTILE })));
    shows_harmlessly(&["runs", "watch", "4"], |path| match path {
        "/helpsync/v1/runs/4" => (200, run("failed")),
        _ => (200, json!({ "workspace": { "pause_reason": HOSTILE } })),
    });
    shows_harmlessly(&["runs", "watch", "4"], |_| (200, run("done")));
}

#[test]
fn what_no_command_looks_at_by_itself_passes_the_filter_on_its_way_out() {
    let key = server(|_| (200, json!({ "signing_key": HOSTILE, "previous_key_until": HOSTILE })));
    let [out, err] = said(&key, &["webhooks", "rotate-key", "3"]);
    assert!(is_harmless(&out) && out.contains("\nhelpsync: all is well"), "{out:?}");
    assert!(is_harmless(&err) && err.contains(SHOWN), "{err:?}");
    let none = server(|_| (404, json!({ "detail": "dead letter not found" })));
    let [_, err] = said(&none, &["dead-letters", "replay", "message-a\u{1b}[2J\u{9b}31m\u{202e}"]);
    assert!(is_harmless(&err) && err.contains("no dead letter message-a\u{fffd}[2J"), "{err:?}");
}

#[test]
fn json_is_as_the_server_said_it() {
    let url = server(|_| (200, json!({ "store": HOSTILE })));
    let [out, _] = said(&url, &["status", "--json"]);
    assert!(is_harmless(&out), "{out:?}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["store"], HOSTILE);
}

//! Manners: who reads, who does not, what an error says, how a command ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{helpsync, run, said};

const ROLES: [&str; 2] = [env!("CARGO_BIN_EXE_helpsync-worker"), env!("CARGO_BIN_EXE_helpsync-dispatcher")];

#[test]
fn a_role_tells_of_itself_and_refuses_what_it_does_not_know() {
    for binary in ROLES {
        let help = run(binary, &["--help"], &[]);
        assert!(help.status.success() && said(&help).contains("--config"), "{}", said(&help));
        let version = run(binary, &["--version"], &[]);
        assert!(version.status.success() && said(&version).contains(env!("CARGO_PKG_VERSION")));
        for arguments in [&["--halp"][..], &["now"], &["--config"], &["--config", "/nowhere/x.toml"]] {
            let output = run(binary, arguments, &[]);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        }
    }
}

#[test]
fn a_role_reads_the_file_that_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "[api]\nlistn = \"127.0.0.1:0\"\n").unwrap();
    for binary in ROLES {
        let output = run(binary, &["--config", file.to_str().unwrap()], &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains("api.listn"), "{}", said(&output));
    }
}

#[test]
fn a_reader_who_leaves_at_once_is_no_error_whatever_the_command() {
    for arguments in [
        &["config"][..],
        &["config", "--reference"],
        &["config", "--json"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["up", "--help"],
        &["--version"],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_helpsync"));
        let mut child = child
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success() && text.is_empty(), "{arguments:?}: {text}");
    }
}

#[test]
fn nobody_who_reads_errors_is_missed() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_helpsync"))
        .args(["status", "-v", "--url", "http://127.0.0.1:1", "--api-key", "x"])
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(3), "and no panic, which is 101");
}

#[test]
fn what_is_redirected_has_no_colours() {
    for (arguments, env) in [
        (&["--help"][..], &[][..]),
        (&["nonsense"], &[]),
        (
            &["up", "--connect", "acme"],
            &[("HELPSYNC_LOG__FORMAT", "text"), ("HELPSYNC_API__LISTEN", "127.0.0.1:0")],
        ),
    ] {
        let output = helpsync(arguments, env);
        assert!(!said(&output).contains('\u{1b}'), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn an_address_in_use_names_its_setting_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = helpsync(&["up", "-q"], &[("HELPSYNC_API__LISTEN", &address)]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("HELPSYNC_API__LISTEN") && text.contains("in use"), "{text}");
    assert_eq!(text.matches(&address).count(), 1, "{text}");
}

#[test]
fn a_connect_without_a_client_fails_before_it_says_up() {
    let output = helpsync(&["up", "--connect", "acme"], &[("HELPSYNC_API__LISTEN", "127.0.0.1:0")]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("HELPSYNC_ZENDESK__CLIENT_ID") && !text.contains("is up"), "{text}");
}

#[test]
fn what_cannot_start_leaves_nothing_behind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, env, part) in [
        (&["up"][..], &[("HELPSYNC_API__LISTEN", address.as_str())][..], "cannot listen on"),
        (&["up", "--connect", "acme"], &[], "HELPSYNC_ZENDESK__CLIENT_ID"),
        (&["up", "--connect", "bad!x"], &[], "\"bad!x\" names no workspace"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_helpsync"))
            .args(arguments)
            .env_clear()
            .envs(env.iter().copied())
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(!output.status.success() && said(&output).contains(part), "{arguments:?}: {}", said(&output));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?}");
    }
}

#[test]
fn an_error_is_json_where_answers_are() {
    let output = helpsync(&["status", "--json", "--url", "http://127.0.0.1:1", "--api-key", "x"], &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["exit_code"], 3);
    assert!(error["error"].as_str().unwrap().contains("helpsync up"), "{error}");
}

#[test]
fn arguments_that_are_not_understood_are_json_where_answers_are() {
    let mut commands: Vec<(&str, Vec<&str>, &str)> = Vec::new();
    for (arguments, part) in [
        (&["--json", "statsu"][..], "status"),
        (&["status", "--json", "--halp"], "--halp"),
        (&["file", "--json"], "<ID>"),
        (&["show", "--json"], "CUSTOMER"),
        (&["runs", "--limit", "0", "--json"], "1..=1000"),
        (&["pause", "--json", "ada", "--lane", "backfill"], "cannot be used with"),
        (&["dead-letters", "--json"], "list, show, replay, discard"),
        (&["--json"], "requires a subcommand"),
        (&["status", "--json", "--url", "no address"], "no address"),
    ] {
        commands.push((env!("CARGO_BIN_EXE_helpsync"), arguments.to_vec(), part));
    }
    for binary in ROLES {
        commands.push((binary, vec!["--json", "now"], "now"));
        commands.push((binary, vec!["--json", "--config"], "--config"));
    }
    for (binary, arguments, part) in commands {
        let output = run(binary, &arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        let error: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{arguments:?}: {text}"));
        assert_eq!(error["exit_code"], 2);
        assert!(error["error"].as_str().unwrap().contains(part), "{arguments:?}: {error}");
    }
    // Help is help, whatever else is asked for; what stands behind `--` is no option.
    assert!(said(&helpsync(&["--json", "--help"], &[])).contains("Usage:"));
    assert!(said(&helpsync(&["show", "--", "--json", "x"], &[])).contains("Usage:"));
}

#[test]
fn a_client_asks_where_the_settings_of_its_folder_have_the_server_listen() {
    use std::io::Write as _;
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = server.local_addr().unwrap().to_string();
    let key = "a-bootstrap-key-of-enough-length";
    let answers = std::thread::spawn(move || {
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (mut socket, _) = server.accept().unwrap();
            let mut head = String::new();
            let mut lines = BufReader::new(socket.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") {
                lines.read_line(&mut head).unwrap();
            }
            seen.push(head);
            let body = r#"{"lanes":[]}"#;
            write!(socket, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
        seen
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, format!("[api]\nlisten = \"{listen}\"\nbootstrap_key = \"{key}\"\n")).unwrap();
    let file = file.to_str().unwrap();
    let by_env = [("HELPSYNC_API__LISTEN", listen.as_str()), ("HELPSYNC_API__BOOTSTRAP_KEY", key)];
    for (arguments, env) in [
        (&["lanes"][..], &by_env[..]),
        (&["lanes"], &[("HELPSYNC_CONFIG", file)]),
        (&["lanes", "--config", file], &[]),
    ] {
        let output = helpsync(arguments, env);
        assert_eq!(said(&output), "none\n", "{arguments:?} {env:?}");
    }
    for head in answers.join().unwrap() {
        let head = head.to_lowercase();
        assert!(
            head.contains(&format!("host: {listen}")) && head.contains(&format!("bearer {key}")),
            "{head}"
        );
    }
    let any = [("HELPSYNC_API__LISTEN", "127.0.0.1:0"), ("HELPSYNC_API__BOOTSTRAP_KEY", key)];
    let output = helpsync(&["lanes"], &any);
    assert!(output.status.code() == Some(2) && said(&output).contains("--url"), "{}", said(&output));
}

#[test]
fn settings_are_json_where_answers_are() {
    let env = [
        ("HELPSYNC_API__LISTEN", "127.0.0.1:99"),
        ("HELPSYNC_API__BOOTSTRAP_KEY", "a-long-enough-secret-key-of-mine"),
    ];
    let output = helpsync(&["config", "--json"], &env);
    let settings: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(settings["api.listen"]["value"], "127.0.0.1:99");
    assert_eq!(settings["api.listen"]["from"], "environment");
    assert!(!said(&output).contains("a-long-enough-secret"), "{}", said(&output));
}

#[test]
fn each_exit_code_says_what_kind_of_error_it_is() {
    for (arguments, env, code) in [
        (&["config"][..], &[][..], 0),
        (&["nonsense"], &[], 2),
        (&["config", "-q", "-v"], &[], 2),
        (&["config"], &[("HELPSYNC_API__LISTN", "x")], 2),
        (&["status"], &[], 2),
        (&["doctor"], &[("HELPSYNC_API__LISTN", "x")], 2),
        (&["status", "--url", "http://127.0.0.1:1", "--api-key", "x"], &[], 3),
        (&["convert", "/nowhere/x.html"], &[], 1),
        (&["enqueue", "--customer", "ada", "--broker", "amqp://127.0.0.1:1/%2f"], &[], 3),
    ] {
        let output = helpsync(arguments, env);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn every_shell_has_completions_and_every_command_a_page() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = helpsync(&["completions", shell], &[]);
        assert!(output.status.success() && said(&output).contains("dead-letters"), "{shell}");
    }
    for (arguments, member) in
        [(&["completions", "zsh", "--json"][..], "script"), (&["man", "--json"], "page")]
    {
        let output = helpsync(arguments, &[]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(document[member].as_str().unwrap().contains("helpsync"), "{member}");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = helpsync(&["man", "--into", folder.path().to_str().unwrap()], &[]);
    assert!(output.status.success(), "{}", said(&output));
    for page in ["helpsync.1", "helpsync-up.1", "helpsync-dead-letters-replay.1"] {
        assert!(folder.path().join(page).exists(), "{page}");
    }
    let page = std::fs::read_to_string(folder.path().join("helpsync.1")).unwrap();
    assert_eq!(page.as_bytes(), helpsync(&["man"], &[]).stdout, "it is one page, however it is asked for");
    assert!(page.contains(".SH \"EXIT STATUS\"") && !page.contains(".SH EXTRA"), "{page}");
}

#[test]
fn a_demo_that_is_interrupted_or_loses_its_terminal_leaves_nothing_behind() {
    for signal in ["-INT", "-HUP"] {
        leaves_nothing_behind(signal);
    }
}

fn leaves_nothing_behind(signal: &str) {
    // Whoever runs the tests may have had a hangup ignored, and then it stays so.
    let mut child = Command::new("/usr/bin/env")
        .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_helpsync"), "demo", "--articles", "20000"])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let folder = line.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(std::path::Path::new(&folder).is_dir(), "{line}");
    let told = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(told.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!std::path::Path::new(&folder).exists(), "{folder}");
}

#[test]
fn what_another_program_answers_is_told_from_what_helpsync_does() {
    use std::io::Write as _;
    for (status, exit) in [("502 Bad Gateway", 3), ("503 Service Unavailable", 3), ("404 Not Found", 1)] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let answers = std::thread::spawn(move || {
            let (mut socket, _) = server.accept().unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                lines.read_line(&mut head).unwrap();
            }
            write!(socket, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 9\r\n\r\n<p>no</p>")
                .unwrap();
        });
        let output = helpsync(&["lanes", "--url", &url, "--api-key", "x"], &[]);
        answers.join().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{status}: {}", said(&output));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("is --url right?") && !error.contains("the list of them"), "{error}");
    }
}

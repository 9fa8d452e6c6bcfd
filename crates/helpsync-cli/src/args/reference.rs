//! `docs/cli.md` is the command line itself, written down.

use clap::{Command, CommandFactory as _};

use super::{Cli, RoleArgs};

const PAGE: &str = include_str!("../../../../docs/cli.md");
const HEAD: &str = "\
# Command line

Made from the command line itself; `HELPSYNC_TEST_BLESS=1 cargo test -p helpsync-cli` writes it. `helpsync man` prints it as
a manual page, `helpsync completions SHELL` what a shell completes.

A command that asks a running Helpsync needs its address (`--url`, `HELPSYNC_URL`) and a key (`--api-key`,
`HELPSYNC_API_KEY`). In the folder of `helpsync up` it needs neither. Answers go to standard output, everything else to
standard error. `--json` makes one JSON document of the answer, and of an error `{\"error\", \"exit_code\"}` on standard
error.
";

/// The help of a command and of all below it.
fn section(command: &mut Command, path: &str, page: &mut String) {
    let help = command.render_long_help().to_string();
    let help = help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    *page += &format!("\n## {path}\n\n```text\n{}\n```\n", help.trim());
    for below in command.get_subcommands_mut() {
        let name = below.get_name().to_owned();
        if name != "help" {
            section(below, &format!("{path} {name}"), page);
        }
    }
}

/// The commands of a document: lines of its shell blocks that begin with `helpsync`, up to a pipe or a comment.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines().map(str::trim).filter(|line| line.starts_with("helpsync ")) {
            let end = line.find(['|', '>', '#']).unwrap_or(line.len());
            found.push(line[..end].trim().replace('…', "x"));
        }
    }
    found
}

#[test]
fn every_command_in_the_documents_is_one() {
    use clap::Parser as _;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pages =
        ["README.md", "docs/operating.md", "docs/from-carbon.md", "docs/upstream.md", "deploy/runbook.md"];
    let mut seen = 0;
    for page in pages {
        for command in commands(&std::fs::read_to_string(root.join(page)).unwrap()) {
            seen += 1;
            let words = command.split_whitespace();
            Cli::try_parse_from(words).unwrap_or_else(|fault| panic!("{page}: {command}: {fault}"));
        }
    }
    assert!(seen > 15, "{seen} commands were found");
}

#[test]
fn the_reference_is_the_command_line_itself() {
    let mut page = HEAD.to_owned();
    for (name, mut command) in [("helpsync", Cli::command()), ("helpsync-worker", RoleArgs::command())] {
        command = command.name(name).term_width(100);
        command.build();
        section(&mut command, name, &mut page);
    }
    page += "\n`helpsync-dispatcher` takes what `helpsync-worker` takes.\n";
    if std::env::var_os("HELPSYNC_TEST_BLESS").is_some() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
        std::fs::write(path, page).unwrap();
    } else {
        assert_eq!(
            PAGE, page,
            "docs/cli.md is not the command line any more: HELPSYNC_TEST_BLESS=1 writes it anew"
        );
    }
}

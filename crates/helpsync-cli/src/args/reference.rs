//! `docs/cli.md` is the command line itself, written down.

use clap::{Command, CommandFactory as _};

use super::{Cli, RoleArgs};

const PAGE: &str = include_str!("../../../../docs/cli.md");
const HEAD: &str = "\
# Command line

Made from the command line itself; `HELPSYNC_TEST_BLESS=1 cargo test -p helpsync-cli` writes it. `helpsync man` prints it as
a manual page, `helpsync completions SHELL` what a shell completes.

A command that asks a running Helpsync needs its address (`--url`, `HELPSYNC_URL`) and a key (`--api-key`,
`HELPSYNC_API_KEY`). In the folder of `helpsync up`, with the same settings (environment, `HELPSYNC_CONFIG` or `--config`), it
needs neither. Answers go to standard output, everything else to standard error. `--json` makes one JSON document of the
answer, and of an error `{\"error\", \"exit_code\"}` on standard error, also of arguments that are not understood. `verify`,
`export` and `status --watch` write JSON lines: a document on each line, as they come.
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

//! `helpsync completions` and `helpsync man`: made from the command line itself.

use std::path::Path;

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use serde_json::{Value, json};

use crate::args::{Cli, Completions, Man};
use crate::output::{Output, write_out};

pub(crate) fn completions(args: &Completions, output: Output) -> anyhow::Result<()> {
    let mut made = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "helpsync", &mut made);
    shown(json!({ "shell": args.shell.to_string() }), "script", made, output)
}

/// What stands behind the help is how a command ends.
const EXTRA: &str = ".SH EXTRA";
const EXIT_CODES: &str = ".SH \"EXIT STATUS\"";

pub(crate) fn man(args: &Man, output: Output) -> anyhow::Result<()> {
    if let Some(folder) = &args.into {
        let mut command = Cli::command();
        command.build();
        pages_into(folder, &command)
            .with_context(|| format!("the manual pages cannot be written into {}", folder.display()))?;
        if output.json {
            return output.answer(format_args!("{:#}", json!({ "folder": folder })));
        }
        return output.say(format_args!("the manual pages are in {}", folder.display()));
    }
    shown(json!({}), "page", page(Cli::command())?, output)
}

/// The manual page of a command.
fn page(command: Command) -> anyhow::Result<Vec<u8>> {
    let mut made = Vec::new();
    clap_mangen::Man::new(command).render(&mut made)?;
    Ok(String::from_utf8(made)?.replace(EXTRA, EXIT_CODES).into_bytes())
}

/// A file for the command, and for each below it.
fn pages_into(folder: &Path, command: &Command) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    std::fs::write(folder.join(format!("{name}.1")), page(command.clone())?)?;
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| pages_into(folder, below))
}

/// The text as it is, or as a member of the document.
fn shown(mut document: Value, name: &str, made: Vec<u8>, output: Output) -> anyhow::Result<()> {
    let text = String::from_utf8(made)?;
    if !output.json {
        return write_out(&text);
    }
    document[name] = text.into();
    output.answer(format_args!("{document:#}"))
}

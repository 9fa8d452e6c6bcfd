//! `helpsync completions` and `helpsync man`: made from the command line itself.

use anyhow::Context as _;
use clap::CommandFactory as _;
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
        clap_mangen::generate_to(Cli::command(), folder)
            .with_context(|| format!("the manual pages cannot be written into {}", folder.display()))?;
        if output.json {
            return output.answer(format_args!("{:#}", json!({ "folder": folder })));
        }
        return output.say(format_args!("the manual pages are in {}", folder.display()));
    }
    let mut made = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut made)?;
    let made = String::from_utf8(made)?.replace(EXTRA, EXIT_CODES).into_bytes();
    shown(json!({}), "page", made, output)
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

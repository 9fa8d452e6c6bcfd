//! `helpsync completions` and `helpsync man`: made from the command line itself.

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::args::{Cli, Completions, Man};
use crate::output::{Output, write_out};

pub(crate) fn completions(args: &Completions) -> anyhow::Result<()> {
    let mut made = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "helpsync", &mut made);
    write_out(&String::from_utf8(made)?)
}

pub(crate) fn man(args: &Man, output: Output) -> anyhow::Result<()> {
    if let Some(folder) = &args.into {
        clap_mangen::generate_to(Cli::command(), folder)
            .with_context(|| format!("the manual pages cannot be written into {}", folder.display()))?;
        return output.say(format_args!("the manual pages are in {}", folder.display()));
    }
    let mut made = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut made)?;
    write_out(&String::from_utf8(made)?)
}

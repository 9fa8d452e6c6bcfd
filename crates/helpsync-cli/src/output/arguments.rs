//! Arguments that are not understood.

use clap::error::ErrorKind;

use super::{Output, shown_text, tell};
use crate::exit::{Exit, refusal};

/// Prints what clap says: help and version, or what is wrong. Where JSON is wanted, what is wrong is JSON too.
pub(crate) fn not_understood(who: &str, error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // Whoever does not read help misses nothing.
        drop(error.print());
        return Exit::Done;
    }
    // The arguments were not understood as a whole; this one was among them.
    let wants_json = std::env::args_os().skip(1).take_while(|one| one != "--").any(|one| one == "--json");
    if wants_json {
        let output = Output { json: true, ..Output::default() };
        output.error(who, &refusal(Exit::Usage, said(who, error)), Exit::Usage);
    } else {
        // An argument may hold what a terminal would obey: then it is said without colours.
        let text = error.render().to_string();
        if shown_text(&text) == text { drop(error.print()) } else { tell(&text) }
    }
    Exit::Usage
}

/// The fault and the tips in one line, without the usage below them.
fn said(who: &str, error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return format!("a command is missing: `{who} --help` lists them");
    }
    let text = error.render().to_string();
    let text = text.split("\nUsage:").next().unwrap_or_default();
    let text = text.split("\nFor more information").next().unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn a_fault_is_one_line_with_its_tips() {
        let fault = |arguments: &[&str]| {
            let all = [&["helpsync"], arguments].concat();
            said("helpsync", &Cli::try_parse_from(all).unwrap_err())
        };
        assert!(fault(&["statsu"]).starts_with("unrecognized subcommand 'statsu'"));
        assert!(fault(&["statsu"]).contains("'status'"));
        assert!(fault(&["status", "--halp"]).contains("unexpected argument '--halp' found"));
        assert!(fault(&["file"]).contains("<ID>"));
        for told in ["show", "verify", "disconnect", "approve-removals", "refuse-removals"] {
            let text = fault(&[told]);
            assert!(text.contains("CUSTOMER"), "{told}: {text}");
        }
        assert!(fault(&[]).contains("--help"));
        assert!(fault(&["dead-letters"]).contains("--help"));
        for arguments in [&["statsu"][..], &["file"], &["pause", "--lane", "x"], &["runs", "--limit", "0"]] {
            let text = fault(arguments);
            assert!(!text.contains('\n') && !text.contains("Usage") && !text.starts_with("error"), "{text}");
        }
    }
}

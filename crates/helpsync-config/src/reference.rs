//! The documents that follow from the declarations.

use std::fmt::Write as _;

use crate::{
    sections::{Heading, SECTIONS},
    setting::{Secrecy, Setting},
};

/// Columns of a comment in the example file.
const COMMENT_WIDTH: usize = 100;

/// `docs/settings.md`: one table per section with name, environment name, default, bounds and meaning.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(
        "# Settings\n\n\
         Generated from the declarations in `crates/helpsync-config/src/sections`; a test holds the two equal.\n\n\
         The later wins: the default, a TOML file (`--config` or `HELPSYNC_CONFIG`), the environment. An empty variable\n\
         counts as unset. Settings marked *secret* may also be given as a file: put its path into the same name with\n\
         `_FILE` at the end. Unknown names are refused. Units stand in the names; sizes are bytes.\n",
    );
    for section in SECTIONS {
        write!(out, "\n## {}\n\n{}\n\n", section.name, tidy(section.meaning)).expect("writing to a string");
        out.push_str("| key | environment | default | bounds | meaning |\n| --- | --- | --- | --- | --- |\n");
        for it in section.settings {
            let default = it.default.map_or("none".to_owned(), |text| format!("`{text}`"));
            let secret = if it.secrecy == Secrecy::Open { "" } else { " *secret*" };
            let bounds = it.bounds().unwrap_or_default();
            let meaning = tidy(it.meaning).replace('|', "\\|");
            writeln!(out, "| `{}` | `{}` | {default} | {bounds} | {meaning}{secret} |", it.leaf(), it.env)
                .expect("writing to a string");
        }
    }
    out
}

/// `deploy/helpsync.example.toml`: every setting commented out at its default.
#[must_use]
pub fn example() -> String {
    let mut out = String::from(
        "# An example of a settings file: every line that is commented out states its default.\n\
         # Generated from crates/helpsync-config/src/sections; a test holds the two equal.\n\
         # Secrets are better passed as HELPSYNC_<SECTION>__<KEY>_FILE than written here.\n",
    );
    for Heading { name, meaning, settings } in SECTIONS {
        out.push('\n');
        comment(&mut out, &tidy(meaning));
        writeln!(out, "[{name}]").expect("writing to a string");
        for it in *settings {
            let bounds = it.bounds().map(|text| format!(" ({text})")).unwrap_or_default();
            comment(&mut out, &format!("{}{bounds}", tidy(it.meaning)));
            let value = toml_value(
                it,
                it.default.unwrap_or(if it.secrecy == Secrecy::Whole { "secret" } else { "" }),
            );
            writeln!(out, "#{} = {value}", it.leaf()).expect("writing to a string");
        }
    }
    out
}

/// A value in TOML: numbers and booleans bare, everything else as a basic string.
pub(crate) fn toml_value(setting: &Setting, text: &str) -> String {
    if setting.bare && !text.is_empty() {
        return text.to_owned();
    }
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            _ if c.is_control() => format!("\\u{:04X}", u32::from(c)).chars().collect(),
            _ => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}

fn tidy(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split(' ') {
        if line.len() + word.len() >= COMMENT_WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

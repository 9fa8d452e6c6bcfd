//! Defaults, the file and the environment, laid over each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use config::{Config, File, FileFormat, Source, Value as Raw, ValueKind};

use crate::{
    ConfigError, Problem,
    sections::all_settings,
    setting::{Secrecy, Setting, Value},
    settings::Origin,
};

/// Names the settings file; not itself a setting.
pub(crate) const FILE_VARIABLE: &str = "HELPSYNC_CONFIG";
const PREFIX: &str = "HELPSYNC_";
/// Two slips of the finger: beyond that a suggestion would be a guess.
const SLIPS_MAX: usize = 2;
/// A suggestion inside a message may be further off than a refusal may.
const SUGGESTION_DISTANCE_MAX: usize = 8;
/// A secret's file larger than this is not a secret's file.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The merged values, and the faults met so far.
pub(crate) struct Layers {
    merged: BTreeMap<String, String>,
    origins: BTreeMap<String, Origin>,
    /// The files that secrets were read from.
    files: BTreeMap<String, PathBuf>,
    pub(crate) problems: Vec<Problem>,
}

impl Layers {
    /// Lays the file over the defaults and the environment over both.
    pub(crate) fn lay(
        path: Option<PathBuf>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        // An empty variable counts as unset: that is how compose files and unit files pass "nothing".
        let env: BTreeMap<String, String> =
            env.into_iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty()).collect();
        let mut problems = Vec::new();
        let mut origins = BTreeMap::new();
        let mut builder = Config::builder();
        for setting in all_settings() {
            if let Some(default) = setting.default {
                builder = builder.set_default(setting.key(), default).map_err(ConfigError::Layers)?;
            }
        }
        if let Some(path) = path.or_else(|| env.get(FILE_VARIABLE).map(PathBuf::from)) {
            let text = std::fs::read_to_string(&path)
                .map_err(|source| ConfigError::File { path: path.clone(), source })?;
            let file = File::from_str(&text, FileFormat::Toml);
            let table = file.collect().map_err(|fault| ConfigError::Syntax {
                path: path.clone(),
                reason: place_and_cause(&fault.to_string()),
            })?;
            let mut values = BTreeMap::new();
            flatten("", Raw::new(None, ValueKind::Table(table)), &mut values);
            refuse_unknown_keys(&values, &mut problems);
            origins.extend(values.into_keys().map(|key| (key, Origin::File)));
            builder = builder.add_source(file);
        }
        let mut files = BTreeMap::new();
        for (key, text) in environment(&env, &mut files, &mut problems) {
            builder = builder.set_override(&key, text).map_err(ConfigError::Layers)?;
            origins.insert(key, Origin::Environment);
        }
        let mut merged = BTreeMap::new();
        flatten("", builder.build().map_err(ConfigError::Layers)?.cache, &mut merged);
        Ok(Self { merged, origins, files, problems })
    }

    /// The value of one setting; notes a problem and answers `None` when it cannot stand.
    pub(crate) fn read<T: Value>(&mut self, setting: &'static Setting) -> Option<T> {
        let read = match self.merged.get(&setting.key()) {
            Some(text) => T::parse(text, setting),
            None => T::absent().ok_or_else(|| "it is required".to_owned()),
        };
        read.map_err(|wrong| {
            let example = match (setting.bounds(), setting.default) {
                (Some(bounds), _) => bounds,
                (None, Some(default)) => format!("for example {default}"),
                (None, None) => "a valid value".to_owned(),
            };
            self.problems.push(Problem::value(setting.env, wrong, example));
        })
        .ok()
    }

    /// Where each setting that is not at its default came from, and the files that secrets were read from, by dotted name.
    pub(crate) fn into_origins(self) -> (BTreeMap<String, Origin>, BTreeMap<String, PathBuf>) {
        (self.origins, self.files)
    }
}

/// The parser's report without the quoted line, which may hold a secret: its first line (where) and last (why).
fn place_and_cause(report: &str) -> String {
    let lines: Vec<&str> = report.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    match lines.as_slice() {
        [place, .., cause] if !cause.contains('|') => format!("{place}: {cause}"),
        [place, ..] => (*place).to_owned(),
        [] => "unknown".to_owned(),
    }
}

/// KeyedMutex tables into dotted names and everything else into text; lists become words.
fn flatten(prefix: &str, value: Raw, into: &mut BTreeMap<String, String>) {
    match value.kind {
        ValueKind::Table(table) => {
            for (name, inner) in table {
                let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
                flatten(&key, inner, into);
            }
        }
        ValueKind::Array(items) => {
            let words: Vec<String> = items.into_iter().filter_map(|it| it.into_string().ok()).collect();
            into.insert(prefix.to_owned(), words.join(" "));
        }
        ValueKind::Nil => {}
        scalar => {
            into.insert(prefix.to_owned(), scalar.to_string());
        }
    }
}

fn refuse_unknown_keys(values: &BTreeMap<String, String>, problems: &mut Vec<Problem>) {
    let known: BTreeSet<String> = all_settings().map(Setting::key).collect();
    for name in values.keys().filter(|name| !known.contains(*name)) {
        problems.push(Problem::Unknown {
            name: name.clone(),
            nearest: nearest(name, known.iter(), SUGGESTION_DISTANCE_MAX),
        });
    }
}

/// The settings in the environment by dotted name, secrets' files read.
fn environment(
    env: &BTreeMap<String, String>,
    files: &mut BTreeMap<String, PathBuf>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let mut known = BTreeSet::from([FILE_VARIABLE.to_owned()]);
    for setting in all_settings() {
        known.insert(setting.env.to_owned());
        if let Some(value) = env.get(setting.env) {
            values.insert(setting.key(), value.clone());
        }
        if setting.secrecy == Secrecy::Open {
            continue;
        }
        let file_variable = format!("{}_FILE", setting.env);
        if let Some(path) = env.get(&file_variable) {
            if values.contains_key(&setting.key()) {
                problems.push(Problem::Both { env: setting.env });
            }
            match read_secret(Path::new(path)) {
                Ok(secret) if secret.is_empty() => problems.push(Problem::SecretFile {
                    name: file_variable.clone(),
                    path: path.into(),
                    reason: "it is empty".to_owned(),
                }),
                Ok(secret) => {
                    files.insert(setting.key(), path.into());
                    values.insert(setting.key(), secret);
                }
                Err(reason) => {
                    problems.push(Problem::SecretFile {
                        name: file_variable.clone(),
                        path: path.into(),
                        reason: reason.to_string(),
                    });
                }
            }
        }
        known.insert(file_variable);
    }
    for name in env.keys().filter(|name| !known.contains(*name)) {
        // Kubernetes puts HELPSYNC_PORT and the like into the environment of pods beside a service named
        // `helpsync`, so a foreign name is refused only when it has a setting's form or is a slip away from one.
        if name.contains("__") {
            let nearest = nearest(name, known.iter(), SUGGESTION_DISTANCE_MAX);
            problems.push(Problem::Unknown { name: name.clone(), nearest });
        } else if let Some(nearest) = nearest(name, known.iter(), SLIPS_MAX) {
            problems.push(Problem::Unknown { name: name.clone(), nearest: Some(nearest) });
        }
    }
    values
}

fn read_secret(path: &Path) -> std::io::Result<String> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > SECRET_FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!(
            "it has {bytes} bytes, more than {SECRET_FILE_BYTES_MAX}"
        )));
    }
    let text = std::fs::read_to_string(path)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>, distance_max: usize) -> Option<String> {
    known
        .map(|it| (strsim::damerau_levenshtein(name, it), it))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it.clone())
}

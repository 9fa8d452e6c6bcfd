//! What a customer's content comes from, and which sources are kept in step by schedule.

use serde::{Deserialize, Serialize};

/// A kind of source. Carbon knew dozens; this product serves one, and says so to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Source {
    /// A Zendesk help center.
    Zendesk,
}

/// The sources that a customer's schedule covers (`auto_sync_enabled_sources` of `/update_users`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AutoSync {
    /// No schedule.
    #[default]
    Off,
    /// These sources.
    Sources(Vec<Source>),
    /// Every source, present and to come.
    All,
}

impl AutoSync {
    /// Whether `source` is synced by schedule.
    #[must_use]
    pub fn covers(&self, source: Source) -> bool {
        match self {
            Self::Off => false,
            Self::Sources(sources) => sources.contains(&source),
            Self::All => true,
        }
    }
}

impl Serialize for AutoSync {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => Vec::<Source>::new().serialize(serializer),
            Self::Sources(sources) => sources.serialize(serializer),
            Self::All => "ALL".serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AutoSync {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "must be a list of sources, or \"ALL\"")]
        enum Wire {
            Word(String),
            List(Vec<Source>),
        }
        match Wire::deserialize(deserializer)? {
            Wire::Word(word) if word == "ALL" => Ok(Self::All),
            Wire::Word(word) => {
                Err(serde::de::Error::custom(format!("expected a list or \"ALL\", got {word:?}")))
            }
            Wire::List(list) if list.is_empty() => Ok(Self::Off),
            Wire::List(list) => Ok(Self::Sources(list)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_the_contract_are_read_and_written_back() {
        for (text, value) in [
            ("[]", AutoSync::Off),
            (r#"["ZENDESK"]"#, AutoSync::Sources(vec![Source::Zendesk])),
            (r#""ALL""#, AutoSync::All),
        ] {
            assert_eq!(serde_json::from_str::<AutoSync>(text).unwrap(), value);
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
        }
        assert!(serde_json::from_str::<AutoSync>(r#"["NOTION_X"]"#).is_err());
        assert!(serde_json::from_str::<AutoSync>(r#""SOME""#).is_err());
    }
}

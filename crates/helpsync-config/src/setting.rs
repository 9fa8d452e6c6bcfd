//! The declaration of one setting, and the types its value may have.

use std::{net::SocketAddr, ops::RangeInclusive, time::Duration};

use helpsync_model::{KeyRing, TrustedProxies};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// What a secret looks like wherever settings are printed.
pub(crate) const REDACTED: &str = "***";

const PREFIX: &str = "HELPSYNC_";

/// How much of a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// All of it.
    Open,
    /// A URL whose password is hidden.
    Password,
    /// Nothing.
    Whole,
}

/// One setting, as declared in its section.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The environment name; every other name follows from it.
    pub(crate) env: &'static str,
    /// The default as it would be written in the environment; absent when there is none.
    pub(crate) default: Option<&'static str>,
    /// The bounds of a number, in the unit of its name.
    pub(crate) range: Option<RangeInclusive<u64>>,
    /// How much of it may be shown; anything but `Open` may also come from a `_FILE`.
    pub(crate) secrecy: Secrecy,
    /// Whether TOML writes it without quotes.
    pub(crate) bare: bool,
    /// What it does, one or a few sentences.
    pub(crate) meaning: &'static str,
}

/// `HELPSYNC_STORE__URL` is `store.url` in the file and in messages.
pub(crate) fn key_of(env: &str) -> String {
    env.trim_start_matches(PREFIX).to_ascii_lowercase().replace("__", ".")
}

impl Setting {
    /// The dotted name, as in the file.
    pub(crate) fn key(&self) -> String {
        key_of(self.env)
    }

    /// The name inside its section.
    pub(crate) fn leaf(&self) -> String {
        let key = self.key();
        key.split_once('.').map_or(key.clone(), |(_, leaf)| leaf.to_owned())
    }

    /// `1..=10` as "1 to 10", for texts.
    pub(crate) fn bounds(&self) -> Option<String> {
        self.range.as_ref().map(|range| format!("{} to {}", range.start(), range.end()))
    }

    fn whole_number(&self, text: &str) -> Result<u64, String> {
        let wanted =
            || format!("a whole number{}", self.bounds().map(|it| format!(" from {it}")).unwrap_or_default());
        let number: u64 =
            text.parse().map_err(|reason| format!("{text:?} is not {} ({reason})", wanted()))?;
        match &self.range {
            Some(range) if !range.contains(&number) => Err(format!("{number} is not {}", wanted())),
            _ => Ok(number),
        }
    }

    /// The length of one unit of a time setting: its name says it.
    fn time_unit(&self) -> Duration {
        match self.env.rsplit('_').next() {
            Some("MS") => Duration::from_millis(1),
            Some("HOURS") => Duration::from_secs(3_600),
            Some("DAYS") => Duration::from_secs(86_400),
            _ => Duration::from_secs(1),
        }
    }
}

/// A type that a setting may have.
pub(crate) trait Value: Sized {
    /// How much of a value of this type may be shown.
    const SECRECY: Secrecy = Secrecy::Open;
    /// Whether TOML writes it without quotes.
    const BARE: bool = false;

    /// The value when nothing is set and there is no default; `None` when that is a fault.
    fn absent() -> Option<Self> {
        None
    }
    /// Reads the value; the error says what is wrong with it and quotes no secret.
    fn parse(text: &str, setting: &Setting) -> Result<Self, String>;
    /// The value as it may be shown; `None` when absent.
    fn show(&self, setting: &Setting) -> Option<String>;
}

impl<T: Value> Value for Option<T> {
    const SECRECY: Secrecy = T::SECRECY;
    const BARE: bool = T::BARE;

    fn absent() -> Option<Self> {
        Some(None)
    }
    fn parse(text: &str, setting: &Setting) -> Result<Self, String> {
        T::parse(text, setting).map(Some)
    }
    fn show(&self, setting: &Setting) -> Option<String> {
        self.as_ref().and_then(|it| it.show(setting))
    }
}

macro_rules! whole_number {
    ($($ty:ty),+) => {$(
        impl Value for $ty {
            const BARE: bool = true;
            fn parse(text: &str, setting: &Setting) -> Result<Self, String> {
                let number = setting.whole_number(text)?;
                <$ty>::try_from(number).map_err(|reason| format!("{number} is too large ({reason})"))
            }
            fn show(&self, _: &Setting) -> Option<String> {
                Some(self.to_string())
            }
        }
    )+};
}
whole_number!(u8, u32, u64, usize);

impl Value for Duration {
    const BARE: bool = true;

    fn parse(text: &str, setting: &Setting) -> Result<Self, String> {
        let count = setting.whole_number(text)?;
        let count = u32::try_from(count).map_err(|reason| format!("{count} is too large ({reason})"))?;
        Ok(setting.time_unit() * count)
    }
    fn show(&self, setting: &Setting) -> Option<String> {
        Some((self.as_millis() / setting.time_unit().as_millis()).to_string())
    }
}

impl Value for bool {
    const BARE: bool = true;

    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("{text:?} is neither true nor false")),
        }
    }
    fn show(&self, _: &Setting) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for String {
    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        Ok(text.to_owned())
    }
    fn show(&self, _: &Setting) -> Option<String> {
        Some(self.clone())
    }
}

/// Words separated by spaces or commas; in the file also a list.
impl Value for Vec<String> {
    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        Ok(text.split([' ', ',']).filter(|it| !it.is_empty()).map(str::to_owned).collect())
    }
    fn show(&self, _: &Setting) -> Option<String> {
        Some(self.join(" "))
    }
}

/// Words likewise.
impl Value for TrustedProxies {
    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        let words = text.split([' ', ',']).filter(|it| !it.is_empty());
        words.map(str::parse).collect::<Result<_, _>>().map(Self::new)
    }
    fn show(&self, _: &Setting) -> Option<String> {
        let networks: Vec<String> = self.networks().map(ToString::to_string).collect();
        Some(networks.join(" "))
    }
}

impl Value for SocketAddr {
    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        text.parse().map_err(|reason| format!("{text:?} is not an address and port ({reason})"))
    }
    fn show(&self, _: &Setting) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for Url {
    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        // The text is not quoted: it may hold a password.
        Url::parse(text).map_err(|reason| format!("it is not a URL ({reason})"))
    }
    fn show(&self, _: &Setting) -> Option<String> {
        let mut shown = self.clone();
        if shown.password().is_some() && shown.set_password(Some(REDACTED)).is_err() {
            return Some(REDACTED.to_owned());
        }
        Some(shown.to_string())
    }
}

impl Value for SecretString {
    const SECRECY: Secrecy = Secrecy::Whole;

    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        Ok(text.into())
    }
    fn show(&self, _: &Setting) -> Option<String> {
        debug_assert!(!self.expose_secret().is_empty(), "an empty variable counts as unset");
        Some(REDACTED.to_owned())
    }
}

impl Value for KeyRing {
    const SECRECY: Secrecy = Secrecy::Whole;

    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        Self::parse(text).map_err(|fault| fault.to_string())
    }
    fn show(&self, _: &Setting) -> Option<String> {
        let ids: Vec<String> = self.iter().map(|key| format!("{}:{REDACTED}", key.id())).collect();
        Some(ids.join(","))
    }
}

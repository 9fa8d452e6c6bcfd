//! What a form holds.

/// The longest body of a form. A selection of a thousand sections has some 30 kB.
pub const FORM_BYTES_MAX: usize = 256 * 1024;
/// Fields of one form that are read.
const FIELDS_MAX: usize = 5_000;

/// The fields of a form, in order.
#[derive(Debug)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields of a body (`application/x-www-form-urlencoded`).
    #[must_use]
    pub fn parse(body: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(body).take(FIELDS_MAX);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The first value of a field.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a box is ticked.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.one(name).is_some()
    }
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(fields: I) -> Self {
        Self(fields.into_iter().take(FIELDS_MAX).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_may_come_many_times_and_no_form_has_fields_without_end() {
        let fields = Fields::parse(b"a=1&b=x+y%26&a=2&c");
        assert_eq!((fields.one("a"), fields.one("b"), fields.one("d")), (Some("1"), Some("x y&"), None));
        assert_eq!(fields.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert!(fields.has("c") && !fields.has("d"));
        let many = "a=1&".repeat(FIELDS_MAX + 1);
        assert_eq!(Fields::parse(many.as_bytes()).all("a").count(), FIELDS_MAX);
    }
}

//! Errors as text: what went wrong and why, said once.

use std::error::Error;

/// How many causes a text names. A longer chain is our bug, and a text without end would fill the log.
pub const CAUSES_MAX: usize = 16;

/// The text of an error and of all its causes: `what: why: why that`.
///
/// For log lines, stored errors and messages to operators. A cause that the text before it already contains is left
/// out, so that an error that prints its source says it once. At most [`CAUSES_MAX`] causes are named.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut said = text.clone();
    let mut next = error.source();
    for _ in 0..CAUSES_MAX {
        let Some(cause) = next else { break };
        next = cause.source();
        let why = cause.to_string();
        if says(&said, &why) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&why);
        said = why;
    }
    text
}

/// Whether `text` has `part` as whole words.
fn says(text: &str, part: &str) -> bool {
    part.is_empty()
        || text.match_indices(part).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + part.len()..].chars().next();
            ![before, after].into_iter().flatten().any(char::is_alphanumeric)
        })
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fmt;

    use super::{CAUSES_MAX, chain};

    /// An error with the text and the cause that a test gives it.
    #[derive(Debug)]
    struct Told(String, Option<Box<Told>>);

    impl fmt::Display for Told {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }

    impl Error for Told {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
        }
    }

    fn told(texts: &[&str]) -> Told {
        let (first, causes) = texts.split_first().unwrap();
        Told((*first).to_owned(), (!causes.is_empty()).then(|| Box::new(told(causes))))
    }

    #[test]
    fn an_error_is_said_with_all_its_causes() {
        assert_eq!(chain(&told(&["a"])), "a");
        assert_eq!(chain(&told(&["a", "b", "c"])), "a: b: c");
    }

    #[test]
    fn what_the_text_before_already_says_is_not_said_again() {
        assert_eq!(chain(&told(&["a", "a", "b", "b"])), "a: b");
        assert_eq!(chain(&told(&["no such file: b", "b", "c"])), "no such file: b: c");
        assert_eq!(chain(&told(&["failed (b): again", "b", "c"])), "failed (b): again: c");
        assert_eq!(chain(&told(&["é", "É"])), "é: É");
        // Only the text right before counts: what comes back later is a cause of its own.
        assert_eq!(chain(&told(&["closed", "lost", "closed"])), "closed: lost: closed");
    }

    #[test]
    fn an_empty_text_leaves_no_empty_place() {
        assert_eq!(chain(&told(&["", "b"])), "b");
        assert_eq!(chain(&told(&["a", "", "c"])), "a: c");
    }

    #[test]
    fn a_chain_without_end_ends_at_the_bound() {
        let texts: Vec<String> = (0..CAUSES_MAX + 5).map(|number| format!("cause {number};")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(chain(&told(&texts)).matches("cause").count(), 1 + CAUSES_MAX);
    }
}

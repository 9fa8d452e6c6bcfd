//! The cases of `tests/cases`, with what `facts.json` says of them.

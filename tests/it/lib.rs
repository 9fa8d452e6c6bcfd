//! Nothing: this package holds tests only.

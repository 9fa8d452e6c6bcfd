//! What operators are given: images, compose files, manifests, documents. No engine is needed to check them; their
//! schemas are asked through the Python packages of `deploy/dev.sh setup python`.

mod chart;
mod compose;
mod documents;
mod files;
mod kubernetes;
mod observability;
mod package;
mod probes;
mod release;

pub(crate) use observability::metrics_named;

//! Drawings, made on the server as SVG.

mod bars;
mod spark;
mod timeline;

pub(crate) use bars::bars;
pub(crate) use spark::spark;
pub(crate) use timeline::timeline;

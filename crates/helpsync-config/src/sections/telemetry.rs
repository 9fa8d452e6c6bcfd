//! `[telemetry]`

use std::{net::SocketAddr, time::Duration};

use url::Url;

use crate::{Problem, declare::section};

section! {
    /// What processes tell of themselves: metrics and traces.
    pub struct TelemetrySettings "telemetry";

    /// One more address where a process answers `/metrics`. Those with a health port answer there too; `helpsync up` has none.
    "HELPSYNC_TELEMETRY__LISTEN" listen: Option<SocketAddr>;
    /// Time between looks at what metrics tell of the store and the queue.
    "HELPSYNC_TELEMETRY__COLLECT_SECONDS" collect: Duration = "15", 1..=3_600;
    /// Where traces go by OTLP over HTTP, for example `http://collector:4318`; absent: there are none.
    "HELPSYNC_TELEMETRY__OTLP_ENDPOINT" otlp_endpoint: Option<Url>;
    /// Of traces that begin here so many in a hundred are sent; those that began elsewhere are sent as their beginning says.
    "HELPSYNC_TELEMETRY__SAMPLE_PERCENT" sample_percent: u32 = "100", 0..=100;
}

impl TelemetrySettings {
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}

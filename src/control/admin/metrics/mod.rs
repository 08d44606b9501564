//! `/metrics`: what shards and feeds count, as OpenMetrics or, for who does not ask for that, in
//! the older text format of Prometheus.

mod families;
mod feeds;
mod plain;
mod shards;

use super::answers::{fresh, set};
use super::view::View;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use families::Families;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Reads the counters at each scrape.
#[derive(Debug)]
struct Scraped(Arc<View>);

impl Collector for Scraped {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (view, out) = (&*self.0, &mut Families::new(encoder));
        out.info("build", "What runs.", &[("version", env!("CARGO_PKG_VERSION"))])?;
        let uptime = view.began.elapsed().as_secs_f64();
        out.seconds("uptime", "Time since the start.", [(vec![], uptime)])?;
        let ready = super::readiness::reasons(view).is_empty();
        let draining = view.state.is_draining();
        out.gauge("ready", "Whether /readyz says so.", [(vec![], u64::from(ready))])?;
        out.gauge("draining", "Whether the server stops.", [(vec![], u64::from(draining))])?;
        shards::write(view, out)?;
        feeds::write(view, out)
    }
}

pub async fn scrape(State(view): State<Arc<View>>, headers: HeaderMap) -> Response {
    let mut registry = Registry::with_prefix("tapecast");
    registry.register_collector(Box::new(Scraped(view)));
    let mut body = String::new();
    // A String takes everything, and so no family fails.
    let _ = text::encode(&mut body, &registry);
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let open = accepts.contains("application/openmetrics-text");
    let body = if open { body } else { plain::of_open_metrics(&body) };
    let mut response = fresh(StatusCode::OK, body);
    set(&mut response, header::CONTENT_TYPE, if open { OPEN_METRICS } else { PLAIN });
    response
}

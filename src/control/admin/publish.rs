//! `POST /api/publish`: lines of a feed in one body, for small things.

use super::answers::{Failed, fresh};
use super::view::View;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// Answered when the ingest thread has judged the last line, so that what is counted as taken has
/// its number. 400 where nothing of it was good.
pub async fn publish(
    State(view): State<Arc<View>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failed> {
    let body = body.map_err(|error| Failed::new(error.status(), error.body_text()))?;
    let Some(reception) = &view.reception else {
        let error = "no feed takes lines that are posted; start the server with --feed api";
        return Err(Failed::new(StatusCode::CONFLICT, error));
    };
    let away = |error: String| Failed::new(StatusCode::SERVICE_UNAVAILABLE, error);
    let report = reception.publish(body.to_vec()).map_err(|error| away(error.to_string()))?;
    let ended = |_| away("the feed ended before it had judged all lines".into());
    let report = report.await.map_err(ended)?;
    let good = report.counts.records + report.counts.duplicates;
    let status = if good > 0 { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    Ok(fresh(status, Json(report)))
}

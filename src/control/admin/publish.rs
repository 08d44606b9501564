//! `POST /api/publish`: lines of a feed in one body, for small things.

use super::answers::{Failed, fresh};
use super::view::View;
use crate::limits::POSTED_BYTES_MAX;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// Answered when the ingest thread has judged the last line, so that what is counted as taken has
/// its number and is on its way to every shard. 400 where nothing of it was good.
pub async fn publish(
    State(view): State<Arc<View>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failed> {
    let body = body.map_err(|error| unread(&error))?;
    let Some(reception) = &view.reception else {
        let error = "no feed takes lines that are posted; start the server with --feed api";
        return Err(Failed::new(StatusCode::CONFLICT, error));
    };
    let away = |error: String| Failed::new(StatusCode::SERVICE_UNAVAILABLE, error);
    let report = reception.publish(body.to_vec()).map_err(|error| away(error.to_string()))?;
    let ended = |_| away("the feed ended before it had judged all lines".into());
    let report = report.await.map_err(ended)?;
    if report.counts.lines == 0 {
        let error = "the body has no line; post one JSON object a line, such as \
                     {\"T\":\"t\",\"S\":\"AAPL\",\"p\":1.5,\"s\":100}";
        return Err(Failed::new(StatusCode::BAD_REQUEST, error));
    }
    let good = report.counts.records + report.counts.duplicates;
    let status = if good > 0 { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    Ok(fresh(status, Json(report)))
}

fn unread(error: &BytesRejection) -> Failed {
    let text = match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => format!(
            "the body is longer than {POSTED_BYTES_MAX} bytes; post less at once, or write lines \
             to a --feed tcp:ADDRESS"
        ),
        _ => error.body_text(),
    };
    Failed::new(error.status(), text)
}

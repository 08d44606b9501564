//! What an operator does over the admin port: stop the server, change the log's level.

use super::answers::{Failed, fresh, json, named};
use super::view::View;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const LEVEL_CURE: &str = "send {\"level\":\"debug\"} or just debug";

#[derive(Debug, Serialize)]
struct Draining {
    state: &'static str,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    level: String,
}

/// As SIGTERM does. Asked again, it changes nothing: only a second signal cuts the clients.
pub async fn drain(State(view): State<Arc<View>>) -> Response {
    if !view.state.is_draining() {
        view.stop.ask();
    }
    fresh(StatusCode::ACCEPTED, Json(Draining { state: "draining" }))
}

pub async fn loglevel(State(view): State<Arc<View>>) -> Response {
    json(Level { level: view.log.current() })
}

/// The body is the level as JSON, or as it stands.
pub async fn set_loglevel(
    State(view): State<Arc<View>>,
    body: Result<String, StringRejection>,
) -> Result<Response, Failed> {
    let refuse = |error: String| Failed::new(StatusCode::BAD_REQUEST, error);
    let unread = |error: StringRejection| {
        Failed::new(error.status(), format!("{}; {LEVEL_CURE}", error.body_text()))
    };
    let body = body.map_err(unread)?;
    let text = body.trim();
    let level = match text.starts_with('{') {
        true => {
            let level: Result<Level, _> = serde_json::from_str(text);
            let wrong = |error| format!("{}: {error}; {LEVEL_CURE}", named(text));
            level.map_err(|error| refuse(wrong(error)))?.level
        }
        false => text.to_string(),
    };
    let before = view.log.current();
    view.log.set(&level).map_err(|error| refuse(error.to_string()))?;
    let level = view.log.current();
    tracing::info!("admin port: log level {before} → {level}");
    Ok(json(Level { level }))
}

//! The routes, and what holds for all of them.

use super::answers::{Failed, fresh, json, set};
use super::pages;
use super::report::Status;
use super::view::View;
use super::{acts, metrics, origin, publish, readiness, sessions, symbols};
use crate::limits::POSTED_BYTES_MAX;
use crate::web::{PAGES, Page};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The longest body, of lines aside, is a log level.
const BODY_BYTES_MAX: usize = 4 * 1024;

/// For a request with its body to be answered; the slowest answer waits a second for a shard.
const REQUEST_TIME: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<String>,
}

pub fn router(view: Arc<View>, address: SocketAddr) -> Router {
    // By POST too, as everything else here that changes something.
    let loglevel = get(acts::loglevel).put(acts::set_loglevel).post(acts::set_loglevel);
    let mut router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics::scrape))
        .route("/api/status", get(status))
        .route("/api/sessions", get(sessions::list))
        .route("/api/symbols", get(symbols::search))
        .route(
            "/api/publish",
            post(publish::publish).layer(DefaultBodyLimit::max(POSTED_BYTES_MAX)),
        )
        .route("/api/drain", post(acts::drain))
        .route("/api/loglevel", loglevel);
    for page in PAGES {
        let serve =
            move |State(view): State<Arc<View>>, headers: HeaderMap| page_of(page, view, headers);
        router = router.route(page.path, get(serve));
    }
    let on_loopback = address.ip().is_loopback();
    let guard = move |request: Request, next: Next| guard(request, next, on_loopback);
    router
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(guard))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(view)
}

/// What holds for every request and every answer.
async fn guard(request: Request, next: Next, on_loopback: bool) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_string());
    let mut response = match origin::check(&method, &path, request.headers(), on_loopback) {
        Err(refused) => refused.into_response(),
        Ok(()) => match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                let error = "the request took too long; send it whole, and at once";
                Failed::new(StatusCode::REQUEST_TIMEOUT, error).into_response()
            }
        },
    };
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(&mut response, header::REFERRER_POLICY, "no-referrer");
    response
}

async fn page_of(page: &'static Page, view: Arc<View>, headers: HeaderMap) -> Response {
    pages::answer(*page, &headers, view.stream)
}

async fn livez(State(view): State<Arc<View>>) -> Response {
    let ailments = readiness::ailments(&view);
    match ailments.is_empty() {
        true => fresh(StatusCode::OK, "ok\n"),
        false => fresh(StatusCode::SERVICE_UNAVAILABLE, ailments.join("\n") + "\n"),
    }
}

async fn readyz(State(view): State<Arc<View>>) -> Response {
    let reasons = readiness::reasons(&view);
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    fresh(status, Json(Readiness { ready, reasons }))
}

async fn status(State(view): State<Arc<View>>) -> Response {
    json(Status::of(&view))
}

async fn unknown(uri: Uri) -> Failed {
    let error = format!("there is no {}; see GET / and the README for what there is", uri.path());
    Failed::new(StatusCode::NOT_FOUND, error)
}

async fn wrong_method(method: axum::http::Method, uri: Uri) -> Failed {
    let error = format!("{} is not for {method}; see the Allow header", uri.path());
    Failed::new(StatusCode::METHOD_NOT_ALLOWED, error)
}

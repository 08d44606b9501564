//! What the admin port answers with: JSON, and errors that name the input and the cure.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// As much as a person needs to find it again.
const NAMED_CHARS_MAX: usize = 80;

/// An error as the client sees it.
#[derive(Debug)]
pub struct Failed {
    status: StatusCode,
    error: String,
}

#[derive(Serialize)]
struct FailedBody<'a> {
    error: &'a str,
}

impl Failed {
    pub fn new(status: StatusCode, error: impl Into<String>) -> Failed {
        Failed { status, error: error.into() }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        fresh(self.status, Json(FailedBody { error: &self.error }))
    }
}

/// A number of rows as it was asked for, or the usual one.
pub fn limit(asked: Option<&str>, usual: usize, most: usize) -> Result<usize, Failed> {
    let Some(text) = asked else { return Ok(usual) };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    let error = || format!("limit={text}: give a number from 1 to {most}");
    number.ok_or_else(|| Failed::new(StatusCode::BAD_REQUEST, error()))
}

/// A text of the client's as an error names it: in quotes, and not much of a long one.
pub fn named(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(NAMED_CHARS_MAX).collect();
    let rest = if chars.next().is_some() { " …" } else { "" };
    format!("{start:?}{rest}")
}

/// What holds for this moment only.
pub fn fresh(status: StatusCode, body: impl IntoResponse) -> Response {
    let mut response = (status, body).into_response();
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

pub fn json(body: impl Serialize) -> Response {
    fresh(StatusCode::OK, Json(body))
}

pub fn set(response: &mut Response, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

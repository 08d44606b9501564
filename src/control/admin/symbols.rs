//! `/api/symbols`: which symbols the feeds have sent so far.

use super::answers::{Failed, json, limit};
use super::view::View;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const LIMIT: usize = 50;
const LIMIT_MAX: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    search: Option<String>,
    limit: Option<String>,
}

#[derive(Debug, Serialize)]
struct Symbols {
    /// Those that begin with the text, then those that contain it, each in the order of the
    /// alphabet.
    symbols: Vec<String>,
    /// How many match, in the list or not.
    total: usize,
}

/// Case does not count.
pub async fn search(
    State(view): State<Arc<View>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failed> {
    let refuse = |error: String| Failed::new(StatusCode::BAD_REQUEST, error);
    let Query(asked) = asked.map_err(|error| {
        refuse(format!("{}; give search and limit, each once at most", error.body_text()))
    })?;
    let limit = limit(asked.limit.as_deref(), LIMIT, LIMIT_MAX)?;
    let text = asked.search.unwrap_or_default().to_ascii_uppercase();
    let mut names = view.notes.names.lock().expect("nothing panics while it holds this lock");
    let known = names.len();
    while let Some(symbol) = view.ingest.names.pop() {
        names.push(symbol);
    }
    if names.len() > known {
        names.sort_unstable();
    }
    let (mut first, mut then) = (Vec::new(), Vec::new());
    for symbol in names.iter() {
        let upper = symbol.as_str().to_ascii_uppercase();
        match upper.find(&text) {
            Some(0) => first.push(symbol),
            Some(_) => then.push(symbol),
            None => {}
        }
    }
    let total = first.len() + then.len();
    let found = first.into_iter().chain(then).take(limit);
    let symbols = found.map(|symbol| symbol.as_str().to_string()).collect();
    Ok(json(Symbols { symbols, total }))
}

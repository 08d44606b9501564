//! `/api/sessions`: asked from the shards by a message, and answered within their turns.

use super::answers::{Failed, json, limit};
use super::report::{Session, Sessions};
use super::view::View;
use crate::hub::SessionView;
use crate::shard::{Inquiry, Inspected};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// A shard that turns answers within some turns.
const PATIENCE: Duration = Duration::from_secs(1);

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    state: Option<String>,
    limit: Option<String>,
}

pub async fn list(
    State(view): State<Arc<View>>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Failed> {
    let refuse = |error: String| Failed::new(StatusCode::BAD_REQUEST, error);
    let Query(asked) = asked.map_err(|error| {
        refuse(format!("{}; give state and limit, each once at most", error.body_text()))
    })?;
    let lagging_only = match asked.state.as_deref() {
        None | Some("lagging") => true,
        Some("all") => false,
        Some(other) => return Err(refuse(format!("state={other}: give lagging or all"))),
    };
    let limit = limit(asked.limit.as_deref(), LIMIT, LIMIT_MAX)?;
    let answers: Vec<_> =
        view.shards.iter().map(|shard| ask(&shard.port, lagging_only, limit)).collect();
    let until = Instant::now() + PATIENCE;
    let (mut found, mut total, mut silent_shards) = (Vec::new(), 0, Vec::new());
    for (shard, answer) in answers.into_iter().enumerate() {
        let Ok(Ok(inspected)) = timeout_at(until, answer).await else {
            silent_shards.push(shard);
            continue;
        };
        total += inspected.total;
        found.extend(inspected.sessions.into_iter().map(|session| (shard, session)));
    }
    found.sort_by_key(|(_, session)| std::cmp::Reverse(session.behind_ticks));
    found.truncate(limit);
    let tells = view.log_addresses;
    let sessions: Vec<Session> =
        found.into_iter().map(|(s, session)| row(s, session, tells)).collect();
    let truncated = (sessions.len() as u64) < total;
    Ok(json(Sessions { sessions, total, truncated, silent_shards }))
}

fn ask(
    port: &crate::shard::ShardPort,
    lagging_only: bool,
    limit: usize,
) -> oneshot::Receiver<Inspected> {
    let (answer, answered) = oneshot::channel();
    // Nobody may wait for it any more.
    let reply = Box::new(move |inspected| drop(answer.send(inspected)));
    port.ask(Inquiry { lagging_only, limit, reply });
    answered
}

fn row(shard: usize, session: SessionView, tells_address: bool) -> Session {
    Session {
        session: format!("{:016x}", session.id),
        shard,
        address: tells_address.then(|| session.peer.to_string()),
        age_s: session.age_ms / 1_000,
        state: session.state.word().into(),
        subscriptions: session.subscriptions,
        symbols: session.symbols,
        behind_ticks: session.behind_ticks,
        behind_ms: session.behind_ms,
        unsent_bytes: session.unsent_bytes,
    }
}

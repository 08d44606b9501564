//! Connections of the admin port: few, short, and none of them waited for.

use crate::limits::ADMIN_CONNECTIONS_MAX;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time;

/// For a request's head to come whole, and for the next one on the same connection: who is silent
/// gives its place to another. More than the pages and `top` leave between two, and less than a
/// probe waits.
const HEAD_TIME: Duration = Duration::from_secs(3);

/// A connection is asked to end then, and the next request opens another.
const AGE_MAX: Duration = Duration::from_secs(120);

/// What is left to an answer after that, and at the server's end.
const GRACE: Duration = Duration::from_secs(1);

/// Where no descriptor is left, an accept that is repeated at once would spin.
const PAUSE: Duration = Duration::from_millis(100);

const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Serves until `stop`, and then until the answers under way are given.
pub async fn serve(listener: TcpListener, router: Router, stop: &Notify) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    let (closing, _) = watch::channel(false);
    let mut stopped = pin!(stop.notified());
    loop {
        let place = tokio::select! {
            () = stopped.as_mut() => break,
            place = places.clone().acquire_owned() => place.expect("it is never closed"),
        };
        let accepted = tokio::select! {
            () = stopped.as_mut() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, closes) = (router.clone(), closing.subscribe());
                tokio::spawn(async move {
                    converse(stream, router, closes).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!("admin port: cannot accept: {error}");
                time::sleep(PAUSE).await;
            }
        }
    }
    closing.send_replace(true);
    let all = places.acquire_many(ADMIN_CONNECTIONS_MAX as u32);
    // Who does not take its answer in this time does not get it.
    let _ = time::timeout(GRACE, all).await;
}

/// One connection. How it ends is its client's matter.
async fn converse(stream: TcpStream, router: Router, mut closes: watch::Receiver<bool>) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = time::sleep(AGE_MAX) => {}
        _ = closes.wait_for(|closes| *closes) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = time::timeout(GRACE, connection).await;
}

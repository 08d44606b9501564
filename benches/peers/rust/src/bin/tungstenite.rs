//! tokio-tungstenite: a task for each connection, messages fed one by one and flushed once.

use std::io;
use std::rc::Rc;

use futures::{SinkExt, StreamExt};
use peers::{Topics, listen, run, symbols};
use tokio::net::TcpStream;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// Clients send next to nothing; the default is 128 KiB for each of them.
const READ_BYTES: usize = 1024;

fn main() -> io::Result<()> {
    run(serve())
}

async fn serve() -> io::Result<()> {
    let topics = Topics::<Utf8Bytes>::new();
    let listener = listen()?;
    let accepted = topics.clone();
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // One that ends in an error is gone like any other.
            let serve = serve_client(stream, accepted.clone());
            tokio::task::spawn_local(async move { serve.await.is_ok() });
        }
    });
    topics.publish_feed(Utf8Bytes::from).await
}

async fn serve_client(stream: TcpStream, topics: Rc<Topics<Utf8Bytes>>) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut names = Vec::new();
    #[allow(clippy::result_large_err, reason = "the callback's type is the crate's")]
    let read_names = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        names = symbols(request.uri().query().unwrap_or_default());
        Ok(response)
    };
    let config = WebSocketConfig::default().read_buffer_size(READ_BYTES);
    let mut socket = accept_hdr_async_with_config(stream, read_names, Some(config)).await?;
    let subscriber = topics.subscribe(&names);
    let mut batch = Vec::new();
    let result = loop {
        tokio::select! {
            keeps_up = subscriber.wait(&mut batch) => {
                if !keeps_up {
                    break Ok(());
                }
                for text in batch.drain(..) {
                    socket.feed(Message::Text(text)).await?;
                }
                socket.flush().await?;
            }
            message = socket.next() => match message {
                Some(Ok(_)) => {}
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            },
        }
    };
    subscriber.leave();
    result
}

//! fastwebsockets: a task for each connection, frames written to a buffer and flushed once.

use std::io;
use std::rc::Rc;

use body::Empty;
use bytes::Bytes;
use fastwebsockets::{
    Frame, OpCode, Payload, Role, WebSocketError, after_handshake_split, upgrade,
};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_tokio::rt::TokioIo;
use peers::{Subscriber, Topics, listen, run, symbols};
use tokio::io::{BufWriter, empty, sink};
use tokio::net::TcpStream;

/// Room for what a burst brings one client; more is written in several pieces.
const WRITE_BYTES: usize = 16 * 1024;

fn main() -> io::Result<()> {
    run(serve())
}

async fn serve() -> io::Result<()> {
    let topics = Topics::<Bytes>::new();
    let listener = listen()?;
    let accepted = topics.clone();
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let topics = accepted.clone();
            tokio::task::spawn_local(async move {
                stream.set_nodelay(true)?;
                let answer = service_fn(move |request| answer(request, topics.clone()));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                connection.with_upgrades().await.map_err(io::Error::other)
            });
        }
    });
    topics.publish_feed(Bytes::from).await
}

async fn answer(
    mut request: Request<Incoming>,
    topics: Rc<Topics<Bytes>>,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let names = symbols(request.uri().query().unwrap_or_default());
    let (response, upgraded) = upgrade::upgrade(&mut request)?;
    tokio::task::spawn_local(async move {
        let stream = upgraded.await?.into_inner().into_inner();
        let parts = stream.downcast::<TokioIo<TcpStream>>().expect("it was given to hyper so");
        let subscriber = topics.subscribe(&names);
        let result = serve_client(parts.io.into_inner(), &subscriber).await;
        subscriber.leave();
        result
    });
    Ok(response)
}

async fn serve_client(
    stream: TcpStream,
    subscriber: &Subscriber<Bytes>,
) -> Result<(), WebSocketError> {
    let (read, write) = stream.into_split();
    // Each half is made with a stand-in for the other: the reader is needed at once, and the
    // writer's buffer only at the first batch. An idle client's memory is the library's own.
    let (mut reader, _) = after_handshake_split(read, sink(), Role::Server);
    let reading = async {
        // A client has nothing to say but that it leaves.
        reader.set_auto_pong(false);
        loop {
            let mut ignore = |_| async { Ok::<(), WebSocketError>(()) };
            if reader.read_frame(&mut ignore).await?.opcode == OpCode::Close {
                return Ok(());
            }
        }
    };
    let writing = async {
        let mut batch = Vec::new();
        let mut keeps_up = subscriber.wait(&mut batch).await;
        let write = BufWriter::with_capacity(WRITE_BYTES, write);
        let (_, mut writer) = after_handshake_split(empty(), write, Role::Server);
        while keeps_up {
            for text in batch.drain(..) {
                writer.write_frame(Frame::text(Payload::Borrowed(&text))).await?;
            }
            writer.flush().await?;
            keeps_up = subscriber.wait(&mut batch).await;
        }
        Ok(())
    };
    tokio::select! {
        result = reading => result,
        result = writing => result,
    }
}

//! Feeds from NATS, with a real nats-server.

mod connecting;
mod server;
mod tls;

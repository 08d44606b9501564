//! Feeds from NATS, with a real nats-server.

mod connecting;
mod following;
mod harness;
mod node;
mod outages;
mod publisher;
mod recording;
mod server;
mod tls;

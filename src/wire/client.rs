//! The client's side of the wire: what to dial, the upgrade, frames from a server, and a stream
//! for one connection.
//!
//! Pure over `Read` and `Write`: sockets, clocks and randomness are the caller's. Two users with
//! two needs: `subscribe` wants every RFC 6455 rule kept for it and takes [`ClientStream`]; `load`
//! has thousands of sockets and wants no buffer for each, so it takes [`next_frame`].

mod endpoint;
mod frame;
#[cfg(test)]
pub mod mock;
mod stream;
mod upgrade;

pub use endpoint::{Endpoint, EndpointError};
pub use frame::{
    FrameError, Opcode, ServerFrame, ServerHeader, next_frame, next_header, parse_close,
    write_frame,
};
pub use stream::{ClientStream, Received, StreamError, Text};
pub use upgrade::{Refusal, Upgrade, UpgradeError};

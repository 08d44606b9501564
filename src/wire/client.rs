//! The client's side of the wire: what to dial, the upgrade, frames from a server, and a stream
//! for one connection; what events say, and how a stream is resumed.
//!
//! Pure over `Read` and `Write`: sockets, clocks and randomness are the caller's. Two users with
//! two needs: `subscribe` wants every RFC 6455 rule kept for it and takes [`ClientStream`]; `load`
//! has thousands of sockets and wants no buffer for each, so it takes [`next_frame`].

mod endpoint;
mod event;
mod frame;
#[cfg(test)]
pub mod mock;
mod resume;
mod stream;
mod upgrade;

pub use endpoint::{Endpoint, EndpointError, without_logins};
pub use event::{Event, parse_message, printable, shown};
pub use frame::{
    FrameError, Opcode, ServerFrame, ServerHeader, next_frame, next_header, parse_close,
    write_frame,
};
pub use resume::{Positions, Wish};
pub use stream::{ClientStream, Received, StreamError, Text};
pub use upgrade::{Refusal, Upgrade, UpgradeError};

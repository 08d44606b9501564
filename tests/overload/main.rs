//! More than a server can serve: its memory and its time run out, and it stays.
//!
//! Method: real servers and real sockets. Clients that never read come in numbers that exceed the
//! budget, while others read on and are checked; a shard gets more to send than it can.

mod harness;
mod kernel;
mod lag;
mod memory;

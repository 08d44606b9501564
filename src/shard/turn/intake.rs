//! Who sends too fast is not read from for a while: its bytes wait in its own socket.

use super::Shard;
use crate::shard::Token;

impl Shard {
    /// Bytes that have been received already still come.
    pub(super) fn pause_receive(&mut self, slot: u32) {
        let Some(connection) = self.connections.at_mut(slot) else { return };
        connection.paused = true;
        if connection.receiving {
            let token = Token { slot, generation: connection.generation };
            self.ring.cancel_receive(token);
        }
        // Once a session: a peer must not fill the log.
        if !std::mem::replace(&mut connection.slowed, true) {
            let id = self.hub.session(slot).map_or(0, |session| session.id);
            tracing::debug!(
                session = format_args!("{id:016x}"),
                "sends too fast: read more slowly"
            );
        }
    }

    /// Where the cancel of the pause is still under way, its completion arms the next receive.
    pub(super) fn resume_receive(&mut self, slot: u32) {
        let Some(connection) = self.connections.at_mut(slot) else { return };
        connection.paused = false;
        let token = Token { slot, generation: connection.generation };
        self.arm_receive(token);
    }
}

//! Errors of our own: a panic over one session's bytes, and a shard that begins anew.

use super::client::Mood;
use super::run::Run;
use std::sync::Once;
use tapecast::hub::Hub;
use tapecast::panics;

impl Run {
    /// Gives bytes to the hub as a shard does: what they panic with ends their session.
    pub fn receive(&mut self, slot: u32, bytes: &[u8]) {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(panics::install);
        let (hub, now) = (&mut self.hub, self.now);
        if let Err(caught) = panics::catch(|| hub.receive(slot, bytes, now)) {
            assert_eq!(caught.message, "a fault was asked for in a session", "at {}", caught.place);
            let whole = self.hub.receive_panicked(slot, now);
            whole.expect("a session's own fault tears nothing");
            self.hub.check();
        }
    }

    /// The shard's turn panics: clients are told where their socket takes it, all are gone, and the
    /// market goes on where it was. What they had is what they resume with.
    pub fn renew(&mut self) {
        for client in 0..self.clients.len() {
            let Some(connection) = &mut self.clients[client].connection else { continue };
            connection.checker.give_up();
            let free = connection.rest.is_none() && !connection.shut;
            let words = self.hub.last_words(connection.slot).filter(|_| free);
            if let (Mood::Eager, Some(words)) = (self.clients[client].mood, words) {
                self.deliver(client, &words);
            }
            self.clients[client].end();
        }
        self.hub = Hub::renewed(&self.hub, None, self.now);
        self.hub.check();
        self.owners.clear();
    }
}

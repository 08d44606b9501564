//! A shard that survives its own panics: it begins anew within the same task.
//!
//! The thread, its executor, the bell and the listener stay, so a restart costs no descriptor
//! (glommio leaks some with each executor) and loses no connection that waits for its accept.

use super::restarts::Restarts;
use super::turn::Shard;
use super::{ShardCounters, clock};
use crate::panics::{self, Caught};
use std::sync::Arc;

/// What drives a [`Shard`], and what is left of it after its last panic.
pub(super) struct Survivor {
    index: usize,
    /// `None` once its restarts are used up.
    shard: Option<Shard>,
    restarts: Restarts,
    counters: Arc<ShardCounters>,
}

impl Survivor {
    pub fn new(
        index: usize,
        shard: Shard,
        restarts: Restarts,
        counters: Arc<ShardCounters>,
    ) -> Survivor {
        Survivor { index, shard: Some(shard), restarts, counters }
    }

    /// One turn; says whether there is more to do at once.
    pub fn turn(&mut self) -> bool {
        self.guarded(Shard::turn)
    }

    /// See [`Shard::prepare_sleep`]; also `true` where the sleep is off.
    pub fn prepare_sleep(&mut self) -> bool {
        self.guarded(Shard::prepare_sleep)
    }

    /// See [`Shard::nap`].
    pub fn nap(&mut self) -> bool {
        self.guarded(Shard::nap)
    }

    pub fn has_mail(&self) -> bool {
        self.shard.as_ref().is_some_and(Shard::has_mail)
    }

    pub fn is_done(&self) -> bool {
        self.shard.as_ref().is_none_or(Shard::is_done)
    }

    fn guarded(&mut self, work: fn(&mut Shard) -> bool) -> bool {
        let Some(shard) = &mut self.shard else { return true };
        match panics::catch(|| work(shard)) {
            Ok(busy) => busy,
            Err(caught) => {
                self.restart(caught);
                true
            }
        }
    }

    fn restart(&mut self, caught: Caught) {
        let Some(mut old) = self.shard.take() else { return };
        let (index, began_ms) = (self.index, clock::now().ms);
        panics::report(&format!("shard {index} begins anew"), None, caught);
        // First of all, so that clients know before anything else can go wrong. A panic here
        // leaves the rest of them with a reset.
        if let Err(caught) = panics::catch(|| old.take_leave()) {
            panics::report(&format!("shard {index}: clients are cut"), None, caught);
        }
        if !self.restarts.admit(began_ms) {
            tracing::error!(shard = index, "shard is given up: too many restarts");
            return self.counters.mark_exhausted();
        }
        match panics::catch(|| old.renewed(index)) {
            Ok(Ok(shard)) => {
                let took_ms = clock::now().ms - began_ms;
                tracing::warn!(shard = index, took_ms, "shard serves again");
                self.shard = Some(shard);
            }
            Ok(Err(error)) => {
                tracing::error!(shard = index, "shard is given up: {error}");
                self.counters.mark_exhausted();
            }
            Err(caught) => {
                panics::report(&format!("shard {index} is given up"), None, caught);
                self.counters.mark_exhausted();
            }
        }
    }
}

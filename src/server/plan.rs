//! What each shard gets of the settings, at start and when they change.

use super::{Budget, MemoryBudget, StartError, budget};
use crate::config::Settings;
use crate::hub::HubSettings;

/// Memory and limits of the whole server.
#[derive(Debug, Clone)]
pub struct Plan {
    pub memory: MemoryBudget,
    pub budget: Budget,
    /// Every feed is a replay, which is slowed for clients that lag.
    waits_for_readers: bool,
}

impl Plan {
    /// `descriptors` is the hard limit of the process. Errors: what the machine has does not
    /// suffice for what is asked.
    pub fn new(
        settings: &Settings,
        shards: usize,
        descriptors: u64,
        waits_for_readers: bool,
    ) -> Result<Plan, StartError> {
        if let Some(key) = settings.admission.without_share(shards).next() {
            return Err(StartError::NoShare { key, shards });
        }
        let memory = MemoryBudget::new(settings, shards, budget::shard_bytes(settings))?;
        let budget = Budget::new(settings, shards, descriptors, memory.clients_bytes);
        let (room, asked) = (budget.sessions_max, settings.admission.max_sessions);
        if room == 0 && asked != Some(0) {
            return Err(StartError::TooFewDescriptors(descriptors, shards));
        }
        if let Some(sessions) = asked.filter(|asked| *asked > room) {
            let needed = Budget::descriptors_for(settings, shards, sessions);
            return Err(StartError::TooManySessions { sessions, needed, descriptors, room });
        }
        Ok(Plan { memory, budget, waits_for_readers })
    }

    /// The part of shard `index`.
    pub fn hub_settings(&self, settings: &Settings, index: usize) -> HubSettings {
        let admission = self.budget.admission[index].clone();
        HubSettings {
            memory: self.memory.shard_settings(settings),
            waits_for_readers: self.waits_for_readers,
            returns_per_second: u64::from(admission.accept_rate),
            admission,
            ..settings.hub.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_sessions_than_descriptors_are_refused_with_the_cure() {
        let mut settings = Settings::default();
        settings.admission.max_sessions = Some(5_001);
        assert!(Plan::new(&settings, 2, 20_000, false).is_ok());
        let error = Plan::new(&settings, 2, 1_024, false).expect_err("too many").to_string();
        assert!(error.starts_with("5001 sessions need "), "{error}");
        assert!(error.contains("it is 1024") && error.contains("LimitNOFILE"));
        // The limit that is named is the least that suffices.
        let needed = error.split_once("LimitNOFILE=").expect("the cure").1;
        let needed: u64 = needed.split(',').next().expect("it").parse().expect("a number");
        assert!(Plan::new(&settings, 2, needed, false).is_ok());
        assert!(Plan::new(&settings, 2, needed - 1, false).is_err());
        settings.admission.max_half_open = Some(1);
        let error = Plan::new(&settings, 2, 20_000, false).expect_err("one for two").to_string();
        assert!(error.contains("max_half_open") && error.contains("2 shards"), "{error}");
        settings.admission.max_half_open = None;
        settings.admission.max_sessions = Some(0);
        assert!(Plan::new(&settings, 2, 1_024, false).is_ok(), "nobody shall be let in");
    }
}

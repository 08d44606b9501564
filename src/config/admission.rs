//! Who is let in: the settings of the whole server. Each shard has its part of them.

use crate::hub::AdmissionLimits;
use crate::limits::{REFUSALS_MAX, REFUSALS_SHARE};
use crate::wire::Proxies;

/// What `tapecast serve` can be told about admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionSettings {
    /// `None`: what descriptors and memory have room for.
    pub max_sessions: Option<usize>,
    /// `None`: as many as sessions.
    pub max_half_open: Option<usize>,
    /// New sessions a second.
    pub accept_rate: u32,
    pub accept_burst: u32,
    pub max_per_address: u32,
    pub exempt_loopback: bool,
    pub proxies: Proxies,
    /// How long a refusal may take.
    pub refusal_ms: u64,
}

/// The reasons stand with the declarations, in `tables/admission.rs`.
impl Default for AdmissionSettings {
    fn default() -> AdmissionSettings {
        AdmissionSettings {
            max_sessions: None,
            max_half_open: None,
            accept_rate: 5_000,
            accept_burst: 20_000,
            max_per_address: 1_000,
            exempt_loopback: true,
            proxies: Proxies::default(),
            refusal_ms: 2_000,
        }
    }
}

impl AdmissionSettings {
    /// Keys of limits of which, between so many shards, some would have nothing, and let nobody in.
    pub fn without_share(&self, shards: usize) -> impl Iterator<Item = &'static str> {
        let limits = [
            ("max_half_open", self.max_half_open),
            ("max_per_address", Some(self.max_per_address as usize)),
            ("accept_rate", Some(self.accept_rate as usize)),
            ("accept_burst", Some(self.accept_burst as usize)),
        ];
        let is_short = move |limit: Option<usize>| limit.is_some_and(|limit| limit < shards);
        limits.into_iter().filter(move |(_, limit)| is_short(*limit)).map(|(key, _)| key)
    }

    /// The part of shard `index` of `shards`, with so many sessions and descriptors for them all.
    pub fn share(
        &self,
        index: usize,
        shards: usize,
        sessions_max: usize,
        descriptors_max: usize,
    ) -> AdmissionLimits {
        let part = |whole: usize| whole / shards + usize::from(index < whole % shards);
        let sessions = part(sessions_max);
        let half_open = self.max_half_open.map_or(sessions, part);
        let refusals = REFUSALS_MAX.min(descriptors_max / shards / REFUSALS_SHARE).max(1);
        AdmissionLimits {
            sessions_max: sessions,
            half_open_max: half_open,
            descriptors_max: descriptors_max / shards,
            // A part of a small rate is one a second and not none.
            accept_rate: (part(self.accept_rate as usize) as u32).max(1),
            accept_burst: (part(self.accept_burst as usize) as u32).max(1),
            per_address_max: part(self.max_per_address as usize) as u32,
            exempts_loopback: self.exempt_loopback,
            proxies: self.proxies.clone(),
            refusals_max: refusals,
            refusals_reading_max: refusals.div_ceil(2),
            refusal_ms: self.refusal_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_all_shards_are_the_whole() {
        let settings = AdmissionSettings { max_per_address: 10, ..AdmissionSettings::default() };
        for shards in [1, 2, 3, 7] {
            let parts: Vec<_> =
                (0..shards).map(|index| settings.share(index, shards, 5_000, 9_000)).collect();
            let sum = |of: fn(&AdmissionLimits) -> usize| parts.iter().map(of).sum::<usize>();
            assert_eq!(sum(|part| part.sessions_max), 5_000);
            assert_eq!(sum(|part| part.accept_rate as usize), 5_000);
            assert_eq!(sum(|part| part.accept_burst as usize), 20_000);
            assert_eq!(sum(|part| part.per_address_max as usize), 10);
            assert_eq!(sum(|part| part.half_open_max), 5_000);
        }
    }

    #[test]
    fn the_defaults_let_a_herd_of_fifteen_thousand_in_at_once() {
        let part = AdmissionSettings::default().share(0, 1, 18_000, 19_800);
        assert!(part.half_open_max >= 15_000 && part.accept_burst >= 15_000, "{part:?}");
        let parts =
            [0, 1].map(|index| AdmissionSettings::default().share(index, 2, 18_000, 19_800));
        assert!(parts.iter().all(|part| part.half_open_max >= 7_500), "{parts:?}");
    }
}

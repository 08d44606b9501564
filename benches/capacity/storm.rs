//! A node dies, and its clients come to the others: the server's own admission, clients that wait
//! as `tapecast.js` does, and a clock of ms. Seeded, so each run is the same.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr};
use tapecast::config::Settings;
use tapecast::hub::{Admission, AdmissionLimits, HubSettings};

/// The first attempt comes anywhere within so many ms: full jitter (`fullJitterMs`).
const FIRST_MS: u64 = 1_000;

/// Admission begins long before, so that its burst is there.
const BEGIN_MS: u64 = 1_000_000;

/// How it went. Times are from the node's death.
#[derive(Debug, PartialEq, Eq)]
pub struct Storm {
    pub refusals: u64,
    pub half_back_ms: u64,
    pub all_back_ms: u64,
    /// Connects, let in or not, in the fullest second of one node.
    pub connects_max: u64,
}

/// `clients` come to `nodes`, each by chance, again after each refusal.
pub fn run(clients: u64, nodes: usize, seed: u64) -> Storm {
    let settings = Settings::default();
    let limits = AdmissionLimits {
        accept_rate: settings.admission.accept_rate,
        accept_burst: settings.admission.accept_burst,
        ..AdmissionLimits::default()
    };
    let HubSettings { retry_ms, jitter_ms, .. } = HubSettings::default();
    let new = || Admission::new(limits.clone(), retry_ms, jitter_ms, BEGIN_MS);
    let mut admissions: Vec<Admission> = (0..nodes).map(|_| new()).collect();
    let mut random = fastrand::Rng::with_seed(seed);
    let due = (0..clients).map(|_| Reverse(BEGIN_MS + random.u64(0..FIRST_MS)));
    let mut attempts: BinaryHeap<Reverse<u64>> = due.collect();
    let mut seconds: Vec<(u64, u64)> = vec![(0, 0); nodes];
    let (mut storm, mut back) =
        (Storm { refusals: 0, half_back_ms: 0, all_back_ms: 0, connects_max: 0 }, 0);
    while let Some(Reverse(now_ms)) = attempts.pop() {
        let node = random.usize(..nodes);
        let (second, connects) = &mut seconds[node];
        if *second != now_ms / 1_000 {
            (*second, *connects) = (now_ms / 1_000, 0);
        }
        *connects += 1;
        storm.connects_max = storm.connects_max.max(*connects);
        let admission = &mut admissions[node];
        match admission.judge(0, IpAddr::V4(Ipv4Addr::LOCALHOST), now_ms) {
            Ok(()) => {
                back += 1;
                storm.all_back_ms = now_ms - BEGIN_MS;
                if back * 2 <= clients {
                    storm.half_back_ms = storm.all_back_ms;
                }
            }
            Err(refused) => {
                storm.refusals += 1;
                let hint = admission.hint(refused.pace(), now_ms);
                attempts.push(Reverse(now_ms + hint.retry_ms + random.u64(0..=hint.jitter_ms)));
            }
        }
    }
    storm
}

pub fn check() {
    let calm = run(10_000, 1, 1);
    assert_eq!(calm.refusals, 0, "within the burst: {calm:?}");
    assert!(calm.all_back_ms < FIRST_MS && calm.connects_max == 10_000, "{calm:?}");
    let herd = run(60_000, 1, 1);
    // The burst, the first second's rate, and then no more than the rate.
    assert!(herd.refusals >= 60_000 - 25_000 && herd.all_back_ms > 7_000, "{herd:?}");
    assert_eq!(run(60_000, 1, 1), herd, "the same seed, the same storm");
    assert!(run(60_000, 4, 1).all_back_ms < FIRST_MS, "shared out, it is none");
}

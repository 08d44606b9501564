//! What ends the process by itself, and the exit code that tells its supervisor.

use crate::control::Stuck;

/// A restart of the process may help in each of these; which one it was says what to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("shard {0} panicked more often than --shard-restarts allows")]
    RestartsUsedUp(usize),
    #[error("the ingest thread has ended by a panic")]
    IngestEnded,
    #[error("shard {0} has ended by itself")]
    ShardEnded(usize),
    #[error(
        "shard {} has been stuck in step \"{}\" for {} ms, and a stuck thread cannot be ended",
        .0.shard, .0.step.word(), .0.still_ms
    )]
    Stuck(Stuck),
    #[error("the stop took longer than its time; a shard does not end")]
    StopOverdue,
}

impl Failure {
    /// 70 is `EX_SOFTWARE` of sysexits.h; 71 stands for a thread that did not come back.
    pub fn exit_code(self) -> u8 {
        match self {
            Failure::RestartsUsedUp(_) | Failure::IngestEnded | Failure::ShardEnded(_) => 70,
            Failure::Stuck(_) | Failure::StopOverdue => 71,
        }
    }
}

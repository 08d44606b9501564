//! The process's limit of open descriptors: one is needed for each connection.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// Raises the soft limit to the hard one, and returns both: `(now, hard)`. "No limit" is
/// `u64::MAX`.
///
/// Soft limits are low (1,024) for the sake of programs that use `select(2)` (getrlimit(2), and
/// systemd's notes on `LimitNOFILE`); this one does not.
pub fn raise_descriptor_limit() -> io::Result<(u64, u64)> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    let raised = getrlimit(Resource::Nofile);
    Ok((raised.current.unwrap_or(u64::MAX), raised.maximum.unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let (now, hard) = raise_descriptor_limit().expect("a limit may always be raised to hard");
        assert_eq!(now, hard);
        assert_eq!(raise_descriptor_limit().expect("twice is as good as once"), (now, hard));
    }
}

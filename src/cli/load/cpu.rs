//! CPU time of this process, so that a report shows whether the generator was the bottleneck.

use serde::Serialize;

/// Ticks a second of the times in `/proc` (`USER_HZ`, proc(5)): 100 wherever this program runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct CpuSeconds {
    pub user: f64,
    pub system: f64,
}

impl CpuSeconds {
    /// Zeros where `/proc` cannot be read: a report without CPU times is still a report.
    pub fn now() -> CpuSeconds {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        parse(&stat).unwrap_or_default()
    }

    pub fn since(self, earlier: CpuSeconds) -> CpuSeconds {
        CpuSeconds { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// Fields 14 and 15 (proc(5)); the command in field 2 may hold blanks and parentheses.
fn parse(stat: &str) -> Option<CpuSeconds> {
    let behind_command = stat.rsplit_once(") ")?.1;
    let mut fields = behind_command.split(' ').skip(11).map(str::parse::<f64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(CpuSeconds { user: user / TICKS_PER_SECOND, system: system / TICKS_PER_SECOND })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_stand_behind_the_command() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 75 0 0 20 0 1 0 5 6 7";
        assert_eq!(parse(stat), Some(CpuSeconds { user: 2.5, system: 0.75 }));
        assert_eq!(parse(""), None);
    }
}

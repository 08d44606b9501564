//! How much memory, time and how many threads the control group of this process may use.
//!
//! A process is in one group of each controller's hierarchy, version 1 or 2 (cgroups(7)).
//! Every group above it limits it too, so the smallest limit on the way up counts.

use std::fs;
use std::path::{Path, PathBuf};

/// Beyond this a limit is "none": version 1 says the largest number of whole pages instead of
/// "max".
const NONE: u64 = 1 << 60;

/// What is limited, and in which unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// Bytes.
    Memory,
    /// Threads of all processes of the group.
    Pids,
    /// Thousandths of a core.
    Cpu,
}

impl Controller {
    fn name(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Pids => "pids",
            Controller::Cpu => "cpu",
        }
    }

    /// The files of a group that limit it. `memory.high` kills nobody, but slows a group down
    /// until it is below, and a shard that is slowed down is late.
    fn files(self, version: Version) -> &'static [&'static str] {
        match (self, version) {
            (Controller::Memory, Version::One) => &["memory.limit_in_bytes"],
            (Controller::Memory, Version::Two) => &["memory.max", "memory.high"],
            (Controller::Pids, _) => &["pids.max"],
            (Controller::Cpu, Version::One) => &["cpu.cfs_quota_us"],
            (Controller::Cpu, Version::Two) => &["cpu.max"],
        }
    }

    fn read(self, file: PathBuf) -> Option<GroupLimit> {
        let text = fs::read_to_string(&file).ok()?;
        let amount = match self {
            Controller::Memory | Controller::Pids => text.trim().parse().ok()?,
            Controller::Cpu => thousandths(&text, &file)?,
        };
        (amount < NONE).then_some(GroupLimit { amount, file })
    }
}

/// `quota period`, both in us; version 1 has the period in a file beside it, and a quota of -1
/// for none.
fn thousandths(text: &str, file: &Path) -> Option<u64> {
    let (quota, period) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let beside = match period {
        "" => fs::read_to_string(file.with_file_name("cpu.cfs_period_us")).ok()?,
        period => period.to_string(),
    };
    let (quota, period): (u64, u64) = (quota.parse().ok()?, beside.trim().parse().ok()?);
    quota.checked_mul(1000)?.checked_div(period)
}

/// The limit that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLimit {
    /// In the controller's unit.
    pub amount: u64,
    /// The file that says so.
    pub file: PathBuf,
}

/// The smallest limit that applies to this process; `None` where there is none, or no group.
/// `root` is `/` but in tests.
pub fn limit(root: &Path, controller: Controller) -> Option<GroupLimit> {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let (groups, mounts) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
    let of_line = |line| Group::parse(line, controller);
    let groups: Vec<Group> = groups.lines().filter_map(of_line).collect();
    let mounts = mounts.lines().filter_map(|line| Mount::parse(line, controller));
    let limits = mounts.filter_map(|mount| {
        let group = groups.iter().find(|group| group.version == mount.version)?;
        mount.smallest(root, group, controller)
    });
    limits.min_by_key(|limit| limit.amount)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// A line of `/proc/self/cgroup`: `hierarchy:controllers:path`.
struct Group<'a> {
    version: Version,
    path: &'a str,
}

impl<'a> Group<'a> {
    /// `None` for hierarchies of other controllers.
    fn parse(line: &'a str, controller: Controller) -> Option<Group<'a>> {
        let mut parts = line.splitn(3, ':');
        let (hierarchy, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        if hierarchy == "0" && controllers.is_empty() {
            return Some(Group { version: Version::Two, path });
        }
        let limits = controllers.split(',').any(|name| name == controller.name());
        limits.then_some(Group { version: Version::One, path })
    }
}

/// A line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
struct Mount {
    version: Version,
    /// The group that is seen at the mount point.
    top: String,
    point: String,
}

impl Mount {
    /// `None` for what is no hierarchy with this controller.
    fn parse(line: &str, controller: Controller) -> Option<Mount> {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let (filesystem, _, options) = (kind.next()?, kind.next()?, kind.next()?);
        let version = match filesystem {
            "cgroup2" => Version::Two,
            "cgroup" if options.split(',').any(|o| o == controller.name()) => Version::One,
            _ => return None,
        };
        let mut fields = place.split(' ').skip(3);
        let (top, point) = (fields.next()?, fields.next()?);
        let plain = |text: &str| text.replace("\\040", " ");
        Some(Mount { version, top: plain(top), point: plain(point) })
    }

    fn smallest(
        &self,
        root: &Path,
        group: &Group<'_>,
        controller: Controller,
    ) -> Option<GroupLimit> {
        // A group outside of what is mounted (a container's view) is seen as the top.
        let below = group.path.strip_prefix(self.top.trim_end_matches('/')).unwrap_or("");
        let top = root.join(self.point.trim_start_matches('/'));
        let own = top.join(below.trim_start_matches('/'));
        let files = controller.files(self.version);
        let groups = own.ancestors().take_while(|group| group.starts_with(&top));
        let limits = groups.flat_map(|group| files.iter().map(|file| group.join(file)));
        limits.filter_map(|file| controller.read(file)).min_by_key(|limit| limit.amount)
    }
}

#[cfg(test)]
mod tests {
    //! Method: the files as kernels of both versions show them, under a directory of the test's.
    //! This covers version 2 also on machines that have version 1 only.

    use super::*;
    use crate::server::test_files::Files;

    impl Files {
        fn limit(&self) -> Option<(u64, String)> {
            self.limit_of(Controller::Memory)
        }

        fn limit_of(&self, controller: Controller) -> Option<(u64, String)> {
            let limit = limit(&self.root, controller)?;
            let file = limit.file.strip_prefix(&self.root).expect("below the root");
            Some((limit.amount, file.display().to_string()))
        }
    }

    const V1_MOUNTS: &str = "\
24 30 0:22 / /sys rw,nosuid shared:2 - sysfs sysfs rw
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
";
    const V1_GROUPS: &str = "9:name=systemd:/\n4:memory:/system.slice/tape.service\n0::/\n";
    const V1_NONE: &str = "9223372036854771712\n";

    #[test]
    fn version_1_the_groups_own_limit_counts_or_one_above_it() {
        let own = "sys/fs/cgroup/memory/system.slice/tape.service/memory.limit_in_bytes";
        let slice = "sys/fs/cgroup/memory/system.slice/memory.limit_in_bytes";
        let mut files = vec![
            ("proc/self/mountinfo", V1_MOUNTS),
            ("proc/self/cgroup", V1_GROUPS),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", V1_NONE),
            (slice, "2147483648\n"),
            (own, "536870912\n"),
        ];
        let found = Files::new("v1-own", &files).limit();
        assert_eq!(found, Some((536_870_912, own.to_string())));
        files[4].1 = V1_NONE;
        let found = Files::new("v1-above", &files).limit();
        assert_eq!(found, Some((2_147_483_648, slice.to_string())));
        files[3].1 = V1_NONE;
        assert_eq!(Files::new("v1-none", &files).limit(), None);
    }

    const V2_MOUNTS: &str = "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn version_2_max_and_high_count_and_max_as_a_word_is_none() {
        let high = "sys/fs/cgroup/system.slice/tape.service/memory.high";
        let max = "sys/fs/cgroup/system.slice/tape.service/memory.max";
        let mut files = vec![
            ("proc/self/mountinfo", V2_MOUNTS),
            ("proc/self/cgroup", "0::/system.slice/tape.service\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "max\n"),
            (max, "1073741824\n"),
            (high, "max\n"),
        ];
        let found = Files::new("v2-max", &files).limit();
        assert_eq!(found, Some((1_073_741_824, max.to_string())));
        files[4].1 = "805306368\n";
        let found = Files::new("v2-high", &files).limit();
        assert_eq!(found, Some((805_306_368, high.to_string())));
    }

    #[test]
    fn threads_and_time_are_limited_in_both_versions() {
        let mut files = vec![
            ("proc/self/mountinfo", V2_MOUNTS),
            ("proc/self/cgroup", "0::/a\n"),
            ("sys/fs/cgroup/a/pids.max", "64\n"),
            ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
        ];
        let found = Files::new("v2-others", &files);
        assert_eq!(found.limit_of(Controller::Pids).map(|limit| limit.0), Some(64));
        assert_eq!(found.limit_of(Controller::Cpu).map(|limit| limit.0), Some(1_500));
        drop(found);
        files[3].1 = "max 100000\n";
        assert_eq!(Files::new("v2-free", &files).limit_of(Controller::Cpu), None);
        let mounts = "36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
        let mut files = vec![
            ("proc/self/mountinfo", mounts),
            ("proc/self/cgroup", "3:cpu,cpuacct:/a\n"),
            ("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "50000\n"),
            ("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "25000\n"),
        ];
        let found = Files::new("v1-cpu", &files).limit_of(Controller::Cpu);
        assert_eq!(found.map(|limit| limit.0), Some(500));
        files[3].1 = "-1\n";
        assert_eq!(Files::new("v1-cpu-free", &files).limit_of(Controller::Cpu), None);
    }

    /// A container of version 1 without a namespace of groups: the path is the host's, and what
    /// is mounted is the group itself.
    #[test]
    fn in_a_container_the_mounted_group_is_the_processs_own() {
        let mounts = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        for path in ["/docker/abc", "/elsewhere"] {
            let group = format!("4:memory:{path}\n");
            let files = Files::new(
                "container",
                &[
                    ("proc/self/mountinfo", mounts),
                    ("proc/self/cgroup", &group),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n"),
                ],
            );
            assert_eq!(files.limit().map(|limit| limit.0), Some(268_435_456), "{path}");
        }
    }

    #[test]
    fn a_machine_without_groups_has_no_limit() {
        assert_eq!(Files::new("none", &[("proc/self/cgroup", "")]).limit(), None);
    }
}

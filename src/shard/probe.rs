//! Whether this kernel, with this process's rights, has what the ring needs; if not, why not.

use io_uring::{IoUring, Probe, opcode};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::{RingSettings, SocketRing};

/// Why there is no ring. Each message says what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RingError {
    #[error(
        "this kernel ({release}) is too old: io_uring with deferred task work needs Linux 6.1; \
         boot a newer kernel"
    )]
    KernelTooOld { release: String },
    #[error(
        "this kernel ({release}) was built without io_uring; boot one with CONFIG_IO_URING=y \
         (every large distribution has it)"
    )]
    NotBuilt { release: String },
    #[error(
        "io_uring is switched off on this machine (kernel.io_uring_disabled={level}); run \
         'sysctl -w kernel.io_uring_disabled=0', or where it is 1 start with CAP_SYS_ADMIN or in \
         the group kernel.io_uring_group"
    )]
    Disabled { level: char },
    #[error(
        "io_uring is forbidden to this process, most often by the seccomp profile of its \
         container; allow io_uring_setup, io_uring_enter and io_uring_register there \
         (docker: --security-opt seccomp=PROFILE; systemd: SystemCallFilter=@aio)"
    )]
    Forbidden,
    #[error(
        "no memory for {what}: locked memory is limited to {memlock_bytes} bytes; raise it \
         (ulimit -l, systemd: LimitMEMLOCK=) or the memory of the container"
    )]
    NoMemory { what: &'static str, memlock_bytes: u64 },
    #[error("no descriptor is left for {what}; raise the limit (ulimit -n, LimitNOFILE=)")]
    NoDescriptors { what: &'static str },
    #[error("this kernel ({release}) lacks {what}, which io_uring has from Linux 6.1 on")]
    Lacks { what: &'static str, release: String },
    #[error("{what} failed with errno {errno}; please report it with the output of 'uname -a'")]
    Other { what: &'static str, errno: i32 },
}

/// Makes a small ring with all that the server's rings use, and drops it: for a check before
/// anything is started.
pub fn probe() -> Result<(), RingError> {
    let (_bell, _ring) = small_ring()?;
    Ok(())
}

/// A ring with all that a shard's has, but small, and the eventfd that it rings. The latter must
/// live longer; bound in this order, it does.
pub(super) fn small_ring() -> Result<(OwnedFd, SocketRing), RingError> {
    // SAFETY: no pointer is passed.
    let eventfd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if eventfd < 0 {
        return Err(explain("an eventfd", &io::Error::last_os_error()));
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let eventfd = unsafe { OwnedFd::from_raw_fd(eventfd) };
    let settings = RingSettings { entries: 8, completions: 16, buffers: 1, buffer_bytes: 64 };
    let ring = SocketRing::new(settings, eventfd.as_raw_fd())?;
    Ok((eventfd, ring))
}

/// Checks what a successful setup does not imply.
pub(super) fn check(ring: &IoUring) -> Result<(), RingError> {
    let lacks = |what| RingError::Lacks { what, release: release() };
    if !ring.params().is_feature_nodrop() {
        return Err(lacks("completions that are never dropped"));
    }
    // A filter may allow the setup and forbid the rest.
    ring.submitter().submit().map_err(|e| explain("entering the ring", &e))?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(|e| explain("the feature probe", &e))?;
    let needed = [
        (opcode::Accept::CODE, "accept"),
        (opcode::Recv::CODE, "receive"),
        (opcode::Send::CODE, "send"),
        (opcode::Timeout::CODE, "timeout"),
        (opcode::TimeoutUpdate::CODE, "timeout update"),
        (opcode::AsyncCancel::CODE, "cancel"),
        (opcode::PollAdd::CODE, "poll"),
    ];
    match needed.into_iter().find(|(code, _)| !probe.is_supported(*code)) {
        Some((_, what)) => Err(lacks(what)),
        None => Ok(()),
    }
}

/// Puts a failure into words, from its errno and from what the system says of itself.
pub(super) fn explain(what: &'static str, error: &io::Error) -> RingError {
    let errno = error.raw_os_error().unwrap_or(0);
    judge(what, errno, release(), disabled_level())
}

fn judge(what: &'static str, errno: i32, release: String, disabled: char) -> RingError {
    let old = is_too_old(&release);
    match errno {
        libc::ENOSYS if !old => RingError::NotBuilt { release },
        libc::EPERM | libc::EACCES if disabled != '0' => RingError::Disabled { level: disabled },
        libc::EPERM | libc::EACCES => RingError::Forbidden,
        libc::ENOMEM => RingError::NoMemory { what, memlock_bytes: memlock_bytes() },
        libc::EMFILE | libc::ENFILE => RingError::NoDescriptors { what },
        _ if old => RingError::KernelTooOld { release },
        libc::EINVAL => RingError::Lacks { what, release },
        _ => RingError::Other { what, errno },
    }
}

/// `kernel.io_uring_disabled`: 0 free, 1 for the privileged, 2 for nobody; '0' where the kernel
/// (before 6.6) does not have it.
fn disabled_level() -> char {
    let text = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    text.ok().and_then(|text| text.chars().next()).unwrap_or('0')
}

/// The running kernel's, as `uname -r` prints it.
pub fn release() -> String {
    // SAFETY: utsname is plain bytes, for which zero is valid, and uname fills it with
    // terminated strings.
    let name = unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        libc::uname(&mut name);
        name
    };
    // SAFETY: uname has terminated it, or left it all zero.
    unsafe { CStr::from_ptr(name.release.as_ptr()) }.to_string_lossy().into_owned()
}

/// Whether a kernel is older than the server needs. One that does not say its version is tried.
pub fn is_too_old(release: &str) -> bool {
    version(release).is_some_and(|version| version < (6, 1))
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn memlock_bytes() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) };
    limit.rlim_cur
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method: the judgement is a function of errno, release and sysctl; a table covers it.
    #[test]
    fn failures_are_explained() {
        let judge = |errno, release: &str, level| {
            judge("the ring", errno, release.to_string(), level).to_string()
        };
        let cases = [
            (libc::EINVAL, "5.15.0-91-generic", '0', "5.15.0-91-generic) is too old"),
            (libc::ENOSYS, "4.19.0", '0', "needs Linux 6.1"),
            (libc::ENOSYS, "6.8.0", '0', "CONFIG_IO_URING"),
            (libc::EPERM, "6.8.0", '2', "kernel.io_uring_disabled=2"),
            (libc::EPERM, "6.8.0", '0', "seccomp"),
            (libc::EINVAL, "6.18.1", '0', "lacks the ring"),
            (libc::ENOMEM, "6.18.1", '0', "ulimit -l"),
            (libc::EMFILE, "6.18.1", '0', "ulimit -n"),
            (libc::EIO, "6.18.1", '0', "errno 5"),
        ];
        for (errno, release, level, words) in cases {
            let text = judge(errno, release, level);
            assert!(text.contains(words), "{errno} on {release}: {text}");
        }
    }

    #[test]
    fn this_machine_has_what_is_needed() {
        assert_eq!(probe(), Ok(()));
        assert_eq!(version("6.1-rc2"), Some((6, 1)));
        assert_eq!(version("strange"), None);
    }
}

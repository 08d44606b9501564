//! The stream cannot store: its server's limit is reached, its disk is full, it is gone.
//!
//! Method: a server with a small limit and another stream that fills it; a store on a small file
//! system in memory that is filled; a stream that is deleted under load.

use crate::listener::{Listener, Node};
use crate::nats_server::{NatsServer, Setup};
use crate::publisher::Publisher;
use crate::{stored, wait_for};
use async_nats::jetstream::stream::Config;
use std::fs;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system of this size, unmounted when it is dropped. Where that did not come to be, as in a
/// run that was killed, the next one unmounts it.
struct SmallDisk(PathBuf);

/// What follows is the process that has mounted it, and a name.
const DISK: &str = "tapecast-disk-";

impl SmallDisk {
    fn mount(mib: u32, name: &str) -> SmallDisk {
        unmount_what_was_left();
        SmallDisk::mount_of(std::process::id(), mib, name)
    }

    fn mount_of(process: u32, mib: u32, name: &str) -> SmallDisk {
        let dir = std::env::temp_dir().join(format!("{DISK}{process}-{name}"));
        fs::create_dir_all(&dir).expect("a directory to mount at");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(&dir);
        let status = mount.status().expect("mount(8)");
        assert!(status.success(), "mount a tmpfs: {status}; this test must run as root");
        SmallDisk(dir)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

fn unmount(dir: &Path) {
    // What somebody else has unmounted is as it should be.
    let _ = Command::new("umount").arg("-l").arg(dir).status();
    let _ = fs::remove_dir(dir);
}

/// Those whose process is no more. Others belong to runs beside this one.
fn unmount_what_was_left() {
    for entry in fs::read_dir(std::env::temp_dir()).expect("the temporary folder") {
        let path = entry.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let process = name.strip_prefix(DISK).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            unmount(&path);
        }
    }
}

fn is_mounted(dir: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("proc(5)");
    mounts.lines().any(|line| line.split(' ').nth(1).map(Path::new) == Some(dir))
}

/// Method: a mount in the name of a process that has ended, as a run that was killed leaves it, and
/// one of a process that runs.
#[test]
fn the_disk_of_a_run_that_was_killed_is_unmounted_by_the_next() {
    let mut ended = Command::new("true").spawn().expect("true(1)");
    ended.wait().expect("it is our child");
    let left = ManuallyDrop::new(SmallDisk::mount_of(ended.id(), 1, "left"));
    let other = SmallDisk::mount_of(std::process::id(), 1, "other");
    let disk = SmallDisk::mount(1, "next");
    assert!(!is_mounted(left.path()) && !left.path().exists());
    assert!(is_mounted(other.path()) && is_mounted(disk.path()));
}

const FLAGS: &str =
    "--jetstream --max-bytes 8M --feed synthetic:symbols=50,rate=4000,test_symbols=off";

/// Publishes to another stream until the server has no room for any.
fn fill(server: &NatsServer) {
    stored::ask(server, async |context| {
        let config =
            Config { name: "FILL".into(), subjects: vec!["fill".into()], ..Config::default() };
        context.create_stream(config).await.expect("a stream");
        for _ in 0..200 {
            let published = context.publish("fill", vec![7; 256 * 1024].into()).await;
            if published.expect("the server is up").await.is_err() {
                return;
            }
        }
        panic!("it has room without end");
    });
}

#[test]
fn live_goes_on_while_the_server_has_no_room_to_store() {
    let dir = std::env::temp_dir().join(format!("tapecast-limit-{}", std::process::id()));
    let more = format!("jetstream {{ store_dir: \"{}\", max_file_store: 24M }}", dir.display());
    let server = NatsServer::start(Setup { more, ..Setup::default() });
    let listener = Listener::start(&server);
    let publisher = Publisher::start(&server, FLAGS);
    listener.wait_for_more(2_000);
    fill(&server);
    publisher.wait_for_log("the stream stores nothing");
    listener.wait_for_more(10_000);
    stored::ask(&server, async |context| {
        context.delete_stream("FILL").await.expect("it is there");
    });
    let (before, again) = (stored::last_sequence(&server), listener.count());
    wait_for("storing to go on", || (stored::last_sequence(&server) > before + 500).then_some(()));
    listener.wait_for_more(1_000);
    let log = publisher.stop();
    assert!(log.contains("not stored") && log.contains("1 connections"), "{log}");
    let live = Node::of(&listener.messages());
    assert!(live.holes.is_empty() && live.lost == 0, "{:?}", live.holes);
    assert!(again > 10_000, "live went on");
    stored::assert_each_once(&stored::all(&server));
    drop(server);
    let _ = fs::remove_dir_all(dir);
}

#[test]
fn a_stream_that_is_deleted_is_made_again() {
    let server = NatsServer::with_jetstream();
    let listener = Listener::start(&server);
    let publisher = Publisher::start(&server, FLAGS);
    listener.wait_for_more(2_000);
    stored::ask(&server, async |context| {
        context.delete_stream("TAPE").await.expect("it is there");
    });
    // The listener takes what is sent, so nobody says that no stream does.
    publisher.wait_for_log("had no ack of the stream; live goes on");
    publisher.wait_for_log("JetStream is there again");
    wait_for("messages to be stored", || (stored::last_sequence(&server) > 500).then_some(()));
    publisher.stop();
    let live = Node::of(&listener.messages());
    assert!(live.holes.is_empty() && live.lost == 0, "{:?}", live.holes);
}

/// Debian's nats-server 2.9 does not survive a full disk: its store waits for itself for ever, in
/// the connection of who publishes. So live cannot go on; but when the server was killed and has
/// room again, all goes on, and every trade that is missing is told of.
#[test]
fn after_a_full_disk_all_goes_on_with_the_server() {
    let disk = SmallDisk::mount(24, "full");
    let more = format!("jetstream {{ store_dir: \"{}\" }}", disk.path().display());
    let mut server = NatsServer::start(Setup { more, ..Setup::default() });
    let listener = Listener::start(&server);
    let publisher = Publisher::start(&server, FLAGS);
    listener.wait_for_more(2_000);
    let filler = disk.path().join("filler");
    let mut dd = Command::new("dd");
    dd.arg("if=/dev/zero").arg(format!("of={}", filler.display())).args(["bs=64K", "status=none"]);
    dd.stderr(Stdio::null());
    assert!(!dd.status().expect("dd(1)").success(), "the disk is full");
    // Either the server hangs, or it says that it cannot store.
    wait_for("the trouble to be seen", || {
        let log = publisher.log();
        let is_seen = log.contains("was lost") || log.contains("the stream stores nothing");
        is_seen.then_some(())
    });
    fs::remove_file(&filler).expect("it is there");
    server.kill();
    server.restart();
    listener.wait_for_more(4_000);
    publisher.stop();
    let kept = stored::all(&server);
    stored::assert_each_once(&kept);
    let heard = Node::of(&listener.messages());
    assert!(heard.holes.is_empty(), "{:?}", heard.holes);
    // What had no ack was sent again; `heard` has seen that it said the same.
    assert_eq!(heard.of_lower_term, 0);
}

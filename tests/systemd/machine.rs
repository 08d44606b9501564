//! A booted machine: systemd as process 1 in namespaces of its own, with an own network of which
//! only loopback exists.

use crate::tree::{repository, tree};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What anything here may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where the machine sees the built program and the folder `tuning/`.
pub const PROGRAM: &str = "/opt/tapecast";
pub const TUNING: &str = "/opt/tuning";

pub struct Machine {
    nspawn: Child,
    /// Process 1 of the machine, by its number here.
    leader: u32,
    console: Arc<Mutex<String>>,
    /// One machine at a time: they share the cores with what the tests measure by deadlines.
    _turn: MutexGuard<'static, ()>,
}

impl Machine {
    /// Boots it, and gives it when it is up.
    pub fn boot() -> Machine {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let tree = tree();
        // Should this process be killed, its machine is too.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "systemd-nspawn", "--quiet", "--boot"]);
        command.arg(format!("--directory={}", tree.display()));
        command.arg(format!("--machine=tapecast-{}", std::process::id()));
        // What it writes is kept in memory and forgotten with it.
        command.args(["--read-only", "--volatile=overlay"]);
        command.args(["--register=no", "--keep-unit", "--private-network", "--console=pipe"]);
        // The filter of nspawn forbids them by default; the units must allow them by themselves.
        command.arg("--system-call-filter=io_uring_setup io_uring_enter io_uring_register");
        command.arg(format!("--bind-ro={}:{PROGRAM}", env!("CARGO_BIN_EXE_tapecast")));
        command.arg(format!("--bind-ro={}:{TUNING}", repository().join("tuning").display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut nspawn = command.spawn().expect("setpriv of util-linux runs");
        let console = Arc::<Mutex<String>>::default();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(nspawn.stdout.take().expect("a pipe")),
            Box::new(nspawn.stderr.take().expect("a pipe")),
        ];
        outputs.into_iter().for_each(|output| collect(output, console.clone()));
        let mut machine = Machine { nspawn, leader: 0, console, _turn: turn };
        machine.leader = machine.until("process 1 runs", |machine| {
            let ended = machine.nspawn.try_wait().expect("it is our child");
            let need = "systemd-nspawn wants root and 'apt-get install systemd-container'";
            assert!(ended.is_none(), "{need}:\n{}", machine.console());
            process_1(machine.nspawn.id())
        });
        machine.until("the machine is up", |machine| {
            let state = machine.run("systemctl is-system-running");
            let state = String::from_utf8_lossy(&state.stdout).trim().to_string();
            matches!(&*state, "running" | "degraded").then_some(())
        });
        machine
    }

    /// Boots one and installs the service there, without starting it.
    pub fn with_service() -> Machine {
        let machine = Machine::boot();
        machine.must(&format!("{TUNING}/install.sh --binary {PROGRAM} --no-start"));
        machine
    }

    /// Runs a line of the shell inside.
    pub fn run(&self, line: &str) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.leader.to_string(), "--all", "--", "/bin/sh", "-c", line]);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin");
        command.env("LC_ALL", "C").env("SYSTEMD_PAGER", "cat").current_dir("/");
        command.stdin(Stdio::null()).output().expect("nsenter of util-linux runs")
    }

    /// The same for a line that must succeed; gives what it printed.
    pub fn must(&self, line: &str) -> String {
        let output = self.run(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{line}: {}\n{out}{err}\n{}", output.status, self.log());
        out
    }

    /// A property of the service, as `systemctl show` prints it.
    pub fn property(&self, name: &str) -> String {
        self.must(&format!("systemctl show --value -p {name} tapecast.service")).trim().to_string()
    }

    pub fn main_pid(&self) -> u32 {
        self.property("MainPID").parse().expect("a number")
    }

    /// What the service logged.
    pub fn log(&self) -> String {
        // What was written a moment ago may not be in the journal yet.
        let line = "journalctl --sync; \
                    journalctl --no-pager --output=cat -u tapecast.service -u tapecast.socket";
        String::from_utf8_lossy(&self.run(line).stdout).into_owned()
    }

    /// Adds to a unit. The settings of the service's own unit stay in force.
    pub fn drop_in(&self, unit: &str, text: &str) {
        let folder = format!("/etc/systemd/system/{unit}.d");
        let text = text.replace('\n', "\\n");
        let write = format!("mkdir -p {folder} && printf '{text}\\n' > {folder}/test.conf");
        self.must(&format!("{write} && systemctl daemon-reload"));
    }

    /// Starts the server with these flags beside its configuration.
    pub fn with_flags(&self, flags: &str, more: &str) {
        let start = self.must("systemctl cat tapecast.service");
        let start = start.lines().find_map(|line| line.strip_prefix("ExecStart="));
        let start = start.expect("the unit starts something");
        self.drop_in(
            "tapecast.service",
            &format!("[Service]\nExecStart=\nExecStart={start} {flags}\n{more}"),
        );
    }

    /// Does something in the machine's network.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.network().inside(work)
    }

    pub fn network(&self) -> Network {
        Network(File::open(format!("/proc/{}/ns/net", self.leader)).expect("the machine runs"))
    }

    /// Asks again and again until there is an answer.
    pub fn until<T>(&mut self, what: &str, mut ask: impl FnMut(&mut Machine) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            let is_over = Instant::now() >= deadline;
            assert!(!is_over, "not in time: {what}\n{}\n{}", self.console(), self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn console(&self) -> String {
        self.console.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The machine's network.
pub struct Network(File);

impl Network {
    /// Sockets stay in the network of the thread that made them; the thread does not.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let within = || {
            move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may enter a namespace");
            work()
        };
        thread::scope(|scope| {
            scope.spawn(within).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Machine {
    /// The end of process 1 ends everything that runs in its namespace, and nspawn after it.
    fn drop(&mut self) {
        let end = |pid: u32| {
            if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        };
        match process_1(self.nspawn.id()).filter(|child| *child == self.leader) {
            Some(leader) => end(leader),
            None => end(self.nspawn.id()),
        }
        let _ = self.nspawn.wait();
    }
}

/// The child that is process 1 of its namespace: nspawn has another for some moments before.
fn process_1(parent: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let mut children = children.split_whitespace().filter_map(|child| child.parse().ok());
    children.find(|child: &u32| {
        let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let numbers: Vec<&str> = numbers.unwrap_or_default().split_whitespace().collect();
        numbers.len() > 1 && numbers.last() == Some(&"1")
    })
}

fn collect(mut output: Box<dyn Read + Send>, text: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut block = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut block) {
            let more = String::from_utf8_lossy(&block[..count]);
            text.lock().unwrap_or_else(PoisonError::into_inner).push_str(&more);
        }
    });
}

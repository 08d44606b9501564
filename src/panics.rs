//! What a panic said: caught at a boundary, kept with its backtrace, and logged from elsewhere.
//!
//! Must not know what it is that panicked. A thread at a boundary calls [`catch`] and hands what
//! it [`Caught`] to [`report`]; the control thread calls [`log_reports`]. Finding the names of a
//! backtrace reads the program's debug information, some hundred milliseconds at first: a shard
//! that serves others does not wait for that.

use crossbeam::queue::ArrayQueue;
use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Reports that wait to be logged. More at once say nothing that these don't; they are counted.
const REPORTS_MAX: usize = 64;

/// Backtraces logged at one look: a panic that a peer can repeat must not fill the disk. With a
/// look every 20 ms this is the log's bound.
const REPORTS_PER_LOOK: usize = 1;

thread_local! {
    /// How many boundaries this thread is within.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What the hook saw of the panic that is on its way to a boundary.
    static LAST: RefCell<Option<Caught>> = const { RefCell::new(None) };
}

static REPORTS: OnceLock<ArrayQueue<Report>> = OnceLock::new();

static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// A panic that was stopped at a boundary.
#[derive(Debug)]
pub struct Caught {
    pub message: String,
    /// `file:line:column`; empty where no hook was installed.
    pub place: String,
    backtrace: Backtrace,
}

/// What is logged of one panic.
#[derive(Debug)]
struct Report {
    /// What is ended or begun anew because of it.
    scope: String,
    session: Option<u64>,
    caught: Caught,
}

/// Makes panics inside [`catch`] silent notes; all others are printed as before. Once, at start.
pub fn install() {
    let printing = panic::take_hook();
    panic::set_hook(Box::new(move |info| match DEPTH.get() {
        0 => printing(info),
        _ => LAST.set(Some(Caught::of_hook(info))),
    }));
}

/// Runs `work` and stops a panic in it. What `work` changed may be half changed afterwards: the
/// caller knows what of it is trusted, repaired or thrown away.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Caught> {
    DEPTH.set(DEPTH.get() + 1);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|payload| LAST.take().unwrap_or_else(|| Caught::of_payload(&*payload)))
}

/// Hands a panic over to be logged. `scope` says what ends because of it.
pub fn report(scope: &str, session: Option<u64>, caught: Caught) {
    let report = Report { scope: scope.to_string(), session, caught };
    if reports().push(report).is_err() {
        LEFT_OUT.fetch_add(1, Ordering::Relaxed);
    }
}

/// Logs what was reported, a bounded part at a time. `all` for the last look before an exit.
pub fn log_reports(all: bool) {
    let count = if all { REPORTS_MAX } else { REPORTS_PER_LOOK };
    for Report { scope, session, caught } in (0..count).map_while(|_| reports().pop()) {
        let Caught { message, place, backtrace } = caught;
        let left_out = LEFT_OUT.swap(0, Ordering::Relaxed);
        match session {
            Some(id) => tracing::error!(
                session = format_args!("{id:016x}"),
                left_out,
                "{scope}: panic at {place}: {message}\n{backtrace}"
            ),
            None => tracing::error!(left_out, "{scope}: panic at {place}: {message}\n{backtrace}"),
        }
    }
}

fn reports() -> &'static ArrayQueue<Report> {
    REPORTS.get_or_init(|| ArrayQueue::new(REPORTS_MAX))
}

impl Caught {
    fn of_hook(info: &PanicHookInfo<'_>) -> Caught {
        let place = info.location().map_or(String::new(), ToString::to_string);
        let message = text(info.payload());
        Caught { message, place, backtrace: Backtrace::force_capture() }
    }

    fn of_payload(payload: &(dyn Any + Send)) -> Caught {
        let (message, place) = (text(payload), String::new());
        Caught { message, place, backtrace: Backtrace::disabled() }
    }
}

/// `panic!` gives one of two types; others come from `panic_any` alone.
fn text(payload: &(dyn Any + Send)) -> String {
    let fixed = payload.downcast_ref::<&str>().map(|text| (*text).to_string());
    let made = || payload.downcast_ref::<String>().cloned();
    fixed.or_else(made).unwrap_or_else(|| "a panic without a text".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_text_and_the_next_work_goes_on() {
        let number = 7;
        let caught = catch(|| panic!("number {number}")).expect_err("it panics");
        assert_eq!(caught.message, "number 7");
        assert_eq!(catch(|| 5).expect("it does not panic"), 5);
        let inner = || catch(|| panic!("inner")).expect_err("it panics").message;
        assert_eq!(catch(inner).expect("the inner boundary stops it"), "inner");
    }

    #[test]
    fn reports_beyond_the_bound_are_counted() {
        let caught = || Caught::of_payload(&"again");
        (0..REPORTS_MAX + 3).for_each(|_| report("a test", Some(1), caught()));
        assert!(LEFT_OUT.load(Ordering::Relaxed) >= 3);
        log_reports(true);
        assert!(reports().is_empty());
    }
}

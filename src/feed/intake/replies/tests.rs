use super::*;

fn replies() -> (Replies, Arc<Outgoing>) {
    let outgoing = Arc::new(Outgoing::default());
    (Replies::to_connection(Arc::clone(&outgoing)), outgoing)
}

/// What waits, as JSON.
fn waiting(outgoing: &Outgoing) -> Vec<serde_json::Value> {
    let lines = std::iter::from_fn(|| outgoing.lines.pop().or_else(|| outgoing.owed.pop()));
    lines.map(|line| serde_json::from_str(&line.text).expect("JSON")).collect()
}

fn lines(lines: u64) -> Counts {
    Counts { lines, records: lines, ..Counts::default() }
}

#[test]
fn nothing_is_said_to_who_does_not_ask() {
    let (mut replies, outgoing) = replies();
    replies.error(1, "bad", 0);
    (1..5_000).for_each(|count| replies.counted(lines(count), 0));
    assert_eq!((replies.paused(lines(5_000), 0), replies.wants_errors()), (None, false));
    replies.end(lines(5_000));
    assert_eq!(waiting(&outgoing), Vec::<serde_json::Value>::new());
    assert!(outgoing.has_ended.load(Ordering::Acquire));
}

#[test]
fn acks_come_after_so_many_lines_at_a_pause_and_at_the_end() {
    let (mut replies, outgoing) = replies();
    replies.ask_acks(10, Some("7".into()), lines(0));
    (1..=25).for_each(|count| replies.counted(lines(count), 100));
    assert_eq!(replies.paused(lines(25), 100), Some(100 + PAUSE_NS), "it may go on");
    assert_eq!(replies.paused(lines(25), 100 + PAUSE_NS), None);
    assert_eq!(replies.paused(lines(25), 100 + PAUSE_NS), None, "once is enough");
    replies.end(lines(25));
    let acks = waiting(&outgoing);
    let counts: Vec<u64> = acks.iter().map(|ack| ack["lines"].as_u64().expect("it")).collect();
    assert_eq!(counts, [0, 10, 20, 25, 25]);
    assert_eq!(acks[0]["id"], 7);
    assert_eq!(acks[1].to_string().matches("suppressed").count(), 0);
}

/// Method: nobody reads; what waits stays bounded, and its last ack is the newest.
#[test]
fn who_does_not_read_costs_a_bounded_room_and_misses_no_count() {
    let (mut replies, outgoing) = replies();
    replies.ask_acks(1, None, lines(0));
    (1..=10_000).for_each(|count| replies.counted(lines(count), 0));
    let acks = waiting(&outgoing);
    assert_eq!((acks.len(), acks[WAITING_MAX]["lines"].as_u64()), (WAITING_MAX + 1, Some(10_000)));
    replies.counted(lines(10_001), 0);
    assert_eq!(waiting(&outgoing)[0]["lines"], 10_001);
}

/// Method: what the writer would see that is stopped between its two looks: the queue was empty,
/// and when it takes what is owed, many acks came into the queue before that one.
#[test]
fn acks_never_go_back() {
    let (mut replies, outgoing) = replies();
    replies.ask_acks(1, None, lines(0));
    assert_eq!(waiting(&outgoing).len(), 1);
    (1..=100).for_each(|count| replies.counted(lines(count), 0));
    let owed = outgoing.owed.pop().expect("the queue had no room for it");
    assert_eq!(owed.ack, Some(101));
    outgoing.written.store(101, Ordering::Relaxed);
    replies.end(lines(100));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut rest = Vec::new();
    while let Some(line) = runtime.block_on(outgoing.next()) {
        rest.push(serde_json::from_str::<serde_json::Value>(&line).expect("JSON"));
    }
    assert!(rest.iter().all(|ack| ack["lines"] == 100), "{rest:?}");
    assert_eq!(rest.len(), 1, "the last ack, at the end");
}

#[test]
fn errors_are_few_a_second_and_the_others_are_counted() {
    let (mut replies, outgoing) = replies();
    replies.ask_acks(1_000, None, lines(0));
    (1..=50).for_each(|number| replies.error(number, "bad", 5));
    let told = waiting(&outgoing);
    assert_eq!(told.len(), 1 + ERRORS_PER_SECOND as usize);
    assert_eq!((told[1]["T"].as_str(), told[1]["line"].as_u64()), (Some("error"), Some(1)));
    replies.error(51, "bad", 5 + SECOND_NS);
    let told = waiting(&outgoing);
    assert_eq!((told.len(), told[0]["suppressed"].as_u64()), (1, Some(30)));
}

#[test]
fn a_body_is_answered_once_with_its_first_errors() {
    let (to, mut report) = oneshot::channel();
    let mut replies = Replies::to_body(to);
    (1..=150).for_each(|number| replies.error(number, "bad", 0));
    replies.end(lines(3));
    let report = report.try_recv().expect("it is there");
    assert_eq!((report.counts, report.errors.len()), (lines(3), ERRORS_LISTED_MAX));
    assert_eq!(report.errors[99], LineError { line: 100, msg: "bad".into() });
}

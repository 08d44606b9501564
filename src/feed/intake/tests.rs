//! The source alone, without sockets: bodies come through its reception.

use super::replies::Counts;
use super::*;
use crate::feed::numbering::Refusal;
use crate::market::Symbol;

const LIMITS: IntakeLimits = IntakeLimits { connections: 4, lines_per_second: None, idle_s: None };

fn intake() -> (Intake, Arc<Reception>) {
    let intake = Intake::new("test".into(), None, LIMITS);
    let reception = intake.reception().expect("nobody connects, so bodies come");
    (intake, reception)
}

fn lines(symbol: &str, count: usize) -> String {
    format!("{{\"T\":\"t\",\"S\":\"{symbol}\",\"p\":1,\"s\":1,\"t\":5}}\n").repeat(count)
}

/// One poll; what it gave by symbol, and what it wants next.
fn poll(intake: &mut Intake, budget: usize) -> (Vec<String>, Next) {
    let mut given = Vec::new();
    let next = intake.poll(0, budget, &mut |record| {
        given.push(record.symbol.to_string());
        Ok(())
    });
    (given, next)
}

/// Method: one brings a hundred times what the others bring; each of them is done after its share.
#[test]
fn publishers_give_lines_in_turn() {
    let (mut intake, reception) = intake();
    let mut reports: Vec<_> = [("LONG", 10_000), ("A", 100), ("B", 100)]
        .map(|(symbol, count)| reception.publish(lines(symbol, count).into_bytes()))
        .into_iter()
        .map(|report| report.expect("there is room"))
        .collect();
    let mut given = Vec::new();
    for _ in 0..4 {
        let (symbols, next) = poll(&mut intake, 100);
        assert_eq!(next, Next::More);
        given.extend(symbols);
    }
    let of = |name: &str| given.iter().filter(|symbol| *symbol == name).count();
    assert!(of("A") >= 90 && of("B") >= 90 && of("LONG") >= 90, "{} {}", of("A"), of("B"));
    for _ in 0..1_000 {
        poll(&mut intake, 100);
    }
    let long = reports.remove(0).try_recv().expect("it is judged");
    assert_eq!((long.counts.records, long.errors.len()), (10_000, 0));
    assert_eq!(poll(&mut intake, 100), (Vec::new(), Next::Wake));
    let counts = IntakeCounts { lines: 10_200, ..intake.intake().expect("it has publishers") };
    assert_eq!(intake.intake(), Some(counts));
    assert_eq!(counts.connections, 0);
}

/// Method: a line without an end; a poll goes through its budget and no further.
#[test]
fn bytes_without_lines_use_up_the_budget() {
    let (mut intake, reception) = intake();
    let report = reception.publish(vec![b'x'; 50_000_000]).expect("there is room");
    assert_eq!(poll(&mut intake, 10), (Vec::new(), Next::More));
    drop(report);
}

#[test]
fn no_more_wait_than_there_is_room_for() {
    let (mut intake, reception) = intake();
    let waiting: Vec<_> = (0..4).map(|_| reception.publish(lines("A", 1).into_bytes())).collect();
    assert!(waiting.iter().all(Result::is_ok));
    assert_eq!(reception.publish(Vec::new()).err(), Some(Closed));
    assert_eq!(poll(&mut intake, 100).0.len(), 4);
    assert!(reception.publish(Vec::new()).is_ok());
}

/// Method: an epoch in the middle of a body; no record of it is given in the same poll.
#[test]
fn an_epoch_ends_the_poll() {
    let (mut intake, reception) = intake();
    intake.enable_epochs();
    let epoch = "{\"T\":\"epoch\",\"epoch\":\"e-1\"}\n";
    let body = lines("A", 2) + epoch + &lines("B", 2);
    let mut report = reception.publish(body.into_bytes()).expect("there is room");
    assert_eq!(poll(&mut intake, 100), (vec!["A".into(), "A".into()], Next::More));
    assert_eq!(intake.epoch(), Some("e-1"));
    assert_eq!(poll(&mut intake, 100).0, ["B", "B"]);
    poll(&mut intake, 100);
    let counts = Counts { lines: 4, records: 4, ..Counts::default() };
    assert_eq!(report.try_recv().map(|report| report.counts), Ok(counts));
}

#[test]
fn what_became_of_each_line_is_counted() {
    let (mut intake, reception) = intake();
    let body = lines("OLD", 1) + "bad\n\n" + &lines("NEW", 1) + &lines("MANY", 1);
    let mut report = reception.publish(body.into_bytes()).expect("there is room");
    intake.poll(0, 100, &mut |record| match record.symbol.as_str() {
        "OLD" => Err(Refusal::Duplicate(record.symbol)),
        "MANY" => Err(Refusal::TooManySymbols(Symbol::parse("MANY").expect("a symbol"))),
        _ => Ok(()),
    });
    assert!(report.try_recv().is_err(), "nobody has them yet");
    assert_eq!(poll(&mut intake, 100), (Vec::new(), Next::Wake));
    let Report { counts, errors } = report.try_recv().expect("it is judged");
    let expected = Counts { lines: 4, records: 1, bad: 1, refused: 1, duplicates: 1 };
    assert_eq!((counts, intake.bad_lines_count()), (expected, 1));
    assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [2, 5]);
    assert!(errors[1].msg.contains("MANY"), "{errors:?}");
}

/// Method: a fault in the middle of a body; what follows it is given after the new start.
#[test]
fn a_panic_costs_one_line() {
    let (mut intake, reception) = intake();
    intake.enable_faults();
    let body = lines("A", 1) + "{\"T\":\"fault\"}\n" + &lines("B", 1);
    let report = reception.publish(body.into_bytes());
    let mut given = Vec::new();
    let died = crate::panics::catch(|| {
        intake.poll(0, 100, &mut |record| {
            given.push(record.symbol.to_string());
            Ok(())
        })
    });
    assert_eq!(died.expect_err("it panics").message, "a fault was asked for by line 2");
    assert_eq!(intake.reopen(), Some(Ok(())));
    assert_eq!((given, poll(&mut intake, 100).0), (vec!["A".into()], vec!["B".into()]));
    poll(&mut intake, 100);
    assert_eq!(report.expect("there was room").try_recv().map(|r| r.counts.records), Ok(2));
}

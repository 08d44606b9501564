//! The thundering herd.

use super::alone;
use super::herd::Herd;
use super::raw::{Answer, is_told_to_retry};
use super::server::Server;
use std::time::Instant;

/// Method: 1,000 clients are served; then 17,000 connect at the same moment, to a server with two
/// shards and room for 5,000. Exactly 5,000 are served in the end, and nothing happens to them;
/// everyone else is told at once when to come back.
#[test]
fn of_eighteen_thousand_five_thousand_are_served_and_the_others_told() {
    let _guard = alone();
    let server = Server::start("--shards 2 --max-sessions 5000");
    let mut herd = Herd::new(server.address);
    herd.grow(1_000);
    herd.drive("the first quotes", |herd| herd.served().filter(|m| m.quotes > 0).count() == 1_000);
    let begin = Instant::now();
    herd.grow(17_000);
    herd.drive("answers", Herd::all_answered);
    println!("18,000 connects: all answered within {:?}", begin.elapsed());
    let before: Vec<u64> = herd.members.iter().map(|member| member.quotes).collect();
    herd.drive("two more quotes for each", |herd| {
        let with_before = herd.members.iter().zip(&before);
        let mut served = with_before.filter(|(m, _)| m.answer == Some(Answer::Served));
        served.all(|(member, before)| member.quotes >= before + 2 || member.trouble.is_some())
    });
    let trouble: Vec<_> = herd.members.iter().filter_map(|m| m.trouble.as_ref()).collect();
    assert!(
        trouble.is_empty(),
        "{} clients, {:?}",
        trouble.len(),
        &trouble[..trouble.len().min(5)]
    );
    assert_eq!(herd.served().count(), 5_000);
    let first = &herd.members[..1_000];
    assert!(first.iter().all(|m| m.answer == Some(Answer::Served)), "nobody is displaced");
    let answers = herd.members.iter().filter_map(|member| member.answer.as_ref());
    let told: Vec<_> = answers.filter(|answer| is_told_to_retry(answer)).collect();
    assert_eq!(told.len(), 13_000);
    let closed = told.iter().filter(|answer| matches!(answer, Answer::Closed { .. })).count();
    println!("{closed} by a Close frame, {} by HTTP", told.len() - closed);
    let summary = server.stop();
    assert_eq!(summary.count("sessions_full"), 13_000);
    let by_http = summary.count("http_503");
    assert_eq!((summary.count("close_1013"), by_http), (closed, 13_000 - closed));
}

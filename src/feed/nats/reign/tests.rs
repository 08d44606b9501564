use super::*;

fn meta(epoch: &str, term: u64, instance: &str, stream_seq: Option<u64>) -> Meta {
    let (epoch, instance) = (epoch.to_string(), instance.to_string());
    Meta {
        epoch,
        term,
        instance,
        state: PublisherState::Ok,
        stream_seq,
        every_ms: 500,
        leaving: false,
    }
}

fn marks(epoch: &str, term: u64) -> Marks<'_> {
    Marks { epoch, term, first: 1, last: 1 }
}

#[test]
fn a_lower_term_is_not_heard_and_not_taken() {
    let mut reign = Reign::default();
    assert_eq!(reign.hear(&meta("e", 3, "a", None), 0), Heard::NewEpoch);
    assert_eq!(reign.judge(marks("e", 3), 1), Verdict::Ours);
    assert_eq!(reign.hear(&meta("e", 5, "b", None), 2), Heard::NewTerm);
    assert_eq!(reign.judge(marks("e", 3), 3), Verdict::OldTerm);
    assert_eq!(reign.hear(&meta("e", 3, "a", Some(9)), 4_000), Heard::Nothing);
    assert!(reign.is_silent(4_000), "a's word does not count for b");
    assert_eq!(reign.safe(9_000), None, "nor does its position");
    assert_eq!(reign.judge(marks("e", 6), 4_001), Verdict::Ours, "messages tell of a term too");
    assert_eq!(reign.judge(marks("e", 5), 4_002), Verdict::OldTerm);
}

#[test]
fn of_two_epochs_the_first_stays_until_it_is_silent() {
    let mut reign = Reign::default();
    reign.hear(&meta("e", 1, "a", None), 0);
    let rivals = Heard::Rivals("a".into(), "b".into());
    assert_eq!(reign.hear(&meta("f", 9, "b", None), 100), rivals);
    assert_eq!(reign.hear(&meta("f", 9, "b", None), 600), Heard::Nothing, "it is told once");
    assert_eq!(reign.judge(marks("f", 9), 700), Verdict::Foreign);
    reign.hear(&meta("e", 1, "a", None), 1_000);
    assert_eq!(reign.hear(&meta("f", 9, "b", None), 3_999), Heard::Nothing);
    assert_eq!(reign.hear(&meta("f", 9, "b", None), 4_000), Heard::NewEpoch);
    assert_eq!(reign.epoch(), Some("f"));
    assert_eq!(reign.judge(marks("e", 1), 4_001), Verdict::Foreign);
    // One that begins anew itself is followed at once.
    assert_eq!(reign.hear(&meta("g", 1, "b", None), 4_002), Heard::NewEpoch);
}

#[test]
fn what_the_stream_ends_with_gives_way_at_once() {
    let mut reign = Reign::default();
    reign.adopt(marks("old", 7));
    assert_eq!((reign.epoch(), reign.state(true, 5_000)), (Some("old"), None));
    assert_eq!(reign.hear(&meta("new", 1, "a", None), 5_000), Heard::NewEpoch);
}

#[test]
fn history_has_terms_of_its_own() {
    let mut reign = Reign::default();
    reign.hear(&meta("e", 5, "a", None), 0);
    let mut term = 2;
    assert_eq!(reign.judge_history(marks("e", 2), &mut term), Verdict::Ours);
    assert_eq!(reign.judge_history(marks("e", 4), &mut term), Verdict::Ours);
    assert_eq!(reign.judge_history(marks("e", 2), &mut term), Verdict::OldTerm);
    assert_eq!(reign.judge_history(marks("d", 9), &mut term), Verdict::Foreign);
    assert_eq!((term, reign.term), (4, 5));
}

#[test]
fn a_loss_is_read_again_from_well_before_it() {
    let mut reign = Reign::default();
    for at in 0..10 {
        reign.hear(&meta("e", 1, "a", Some(at)), at * 500);
    }
    let safe = |reign: &Reign, at| reign.safe(at).map(|position| position.stream_seq);
    assert_eq!((safe(&reign, 4_500), safe(&reign, 100)), (Some(5), Some(0)));
}

#[test]
fn the_state_is_the_publishers_or_that_nobody_is_heard() {
    let mut reign = Reign::default();
    assert_eq!(reign.state(false, 9_000), None);
    reign.hear(&meta("e", 1, "a", None), 0);
    assert_eq!(reign.state(true, 2_999), Some(FeedState::Ok));
    assert_eq!(reign.state(true, 3_000), Some(FeedState::Stale));
    assert_eq!(reign.state(false, 3_000), Some(FeedState::Down));
    let down = Meta { state: PublisherState::Down, ..meta("e", 1, "a", None) };
    reign.hear(&down, 3_100);
    assert_eq!(reign.state(true, 3_200), Some(FeedState::Down));
}

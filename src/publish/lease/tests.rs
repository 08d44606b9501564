use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One that has just become the leader, and when.
fn leader(began: Instant) -> Lease {
    let mut lease = Lease::standby();
    assert_eq!(lease.due(began), Some(Ask::Create));
    assert_eq!(lease.due(began), None, "one question at a time");
    assert_eq!(lease.answered(Answer::Ours(7), began + ms(10)), Change::Acquired(7));
    lease
}

#[test]
fn a_leader_renews_and_publishes_until_the_fence() {
    let began = Instant::now();
    let mut lease = leader(began);
    assert!(!lease.may_publish(began + ms(10)), "what was under way is heard first");
    assert!(lease.may_publish(began + ms(10) + SETTLE));
    assert_eq!(lease.due(began + ms(400)), None);
    assert_eq!(lease.due(began + RENEW_EVERY), Some(Ask::Renew(7)));
    assert_eq!(lease.answered(Answer::Ours(8), began + ms(1_400)), Change::None);
    // Counted from the question, not from the late answer.
    let fence = began + RENEW_EVERY + FENCE;
    assert!(lease.may_publish(fence - ms(1)) && !lease.may_publish(fence));
    assert_eq!((lease.revision(), lease.term()), (Some(8), 7));
}

/// Method: the process is stopped for five seconds and goes on: nothing may be published before
/// the bucket was asked, whatever it says then.
#[test]
fn one_that_was_stopped_publishes_nothing_before_it_asked() {
    let began = Instant::now();
    let mut lease = leader(began);
    let later = began + ms(5_000);
    assert!(!lease.may_publish(later) && lease.revision().is_some());
    assert_eq!(lease.due(later), Some(Ask::Renew(7)));
    assert_eq!(lease.answered(Answer::Refused, later + ms(1)), Change::Lost);
    assert!(lease.revision().is_none() && !lease.may_publish(later + ms(300)));
    // It stands by, and waits until the new leader is silent.
    lease.heard(9, later + ms(50));
    assert_eq!(lease.due(later + ms(150)), None);
    assert_eq!(lease.due(later + ms(50) + LEADER_SILENT), Some(Ask::Create));
    let now = later + ms(60) + LEADER_SILENT;
    assert_eq!(lease.answered(Answer::Ours(3), now), Change::Acquired(10), "terms only grow");
}

#[test]
fn silence_ends_at_the_fence_and_goes_on_where_nobody_came_between() {
    let began = Instant::now();
    let mut lease = leader(began);
    for at_ms in [500, 1_000, 1_500, 2_000] {
        assert_eq!(lease.due(began + ms(at_ms)), Some(Ask::Renew(7)));
        assert_eq!(lease.answered(Answer::Silence, began + ms(at_ms + 400)), Change::None);
    }
    assert!(!lease.may_publish(began + FENCE));
    assert_eq!(lease.due(began + ms(2_500)), Some(Ask::Renew(7)));
    assert_eq!(lease.answered(Answer::Ours(8), began + ms(2_501)), Change::None);
    assert!(lease.may_publish(began + ms(2_502)) && lease.term() == 7);
}

#[test]
fn without_jetstream_for_anybody_the_leader_goes_on() {
    let began = Instant::now();
    let mut lease = leader(began);
    for at_ms in (500..20_000).step_by(500) {
        assert_eq!(lease.due(began + ms(at_ms)), Some(Ask::Renew(7)));
        assert_eq!(lease.answered(Answer::NoJetStream, began + ms(at_ms + 1)), Change::None);
        assert!(lease.may_publish(began + ms(at_ms + 2)));
    }
    let mut standby = Lease::standby();
    assert_eq!(standby.due(began), Some(Ask::Create));
    assert_eq!(standby.answered(Answer::NoJetStream, began), Change::None);
    assert!(!standby.may_publish(began));
}

/// Method: the fence is passed while there is no JetStream; only who has listened for long enough
/// and heard nobody goes on.
#[test]
fn past_its_fence_it_goes_on_without_jetstream_where_it_hears_nobody() {
    let began = Instant::now();
    let mut lease = leader(began);
    let back = began + ms(5_000);
    lease.listens(back);
    assert_eq!(lease.due(back), Some(Ask::Renew(7)));
    assert_eq!(lease.answered(Answer::NoJetStream, back + ms(1)), Change::None);
    assert!(!lease.may_publish(back + ms(2)));
    let later = back + LEADER_SILENT;
    lease.heard(9, later - ms(5));
    assert_eq!(lease.due(later), Some(Ask::Renew(7)));
    lease.answered(Answer::NoJetStream, later + ms(1));
    assert!(!lease.may_publish(later + ms(2)));
    let at_last = later + LEADER_SILENT;
    assert_eq!(lease.due(at_last), Some(Ask::Renew(7)));
    lease.answered(Answer::NoJetStream, at_last + ms(1));
    assert!(lease.may_publish(at_last + ms(2)));
}

#[test]
fn a_standby_waits_for_silence_or_for_a_farewell() {
    let began = Instant::now();
    let mut lease = Lease::standby();
    lease.heard(4, began);
    assert_eq!(lease.due(began + ms(100)), None);
    lease.leader_left();
    assert_eq!(lease.due(began + ms(100)), Some(Ask::Create));
    assert_eq!(lease.answered(Answer::Refused, began + ms(101)), Change::None);
    assert_eq!(lease.due(began + ms(150)), None);
    assert_eq!(lease.due(began + ms(200)), Some(Ask::Create));
    assert_eq!(lease.answered(Answer::Ours(12), began + ms(201)), Change::Acquired(12));
    lease.given_back();
    assert!(!lease.may_publish(began + ms(500)));
}

#[test]
fn alone_it_leads_above_every_term_that_was_seen() {
    let mut lease = Lease::alone();
    let now = Instant::now();
    assert!(lease.may_publish(now) && lease.due(now).is_none() && lease.term() == 1);
    lease.saw_term(41);
    assert_eq!(lease.term(), 42);
}

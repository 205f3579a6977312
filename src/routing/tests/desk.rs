use super::fixture::*;
use crate::routing::desk::{LEASE, MAX_WRAP_UP};
use crate::routing::waiting::MAX_URGENT;
use crate::routing::*;
use crate::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_analyst_is_leased_to_one_call_only() {
    let mut desk = all_signed_in(&["ana"]);
    let ana = id("ana");
    assert!(desk.reserve(&ana, call(1), vec![], at(0)));
    assert!(!desk.reserve(&ana, call(2), vec![], at(0)));
    assert!(!desk.reserve(&ana, call(1), vec![], at(0)));
    assert!(desk.offered(&ana, call(1), at(10), at(20_000)));
    assert!(!desk.offered(&ana, call(2), at(10), at(20_000)));
    assert!(!desk.reserve(&ana, call(2), vec![], at(10)));
    desk.ended(&ana, call(1), OfferOutcome::Answered, at(2_000));
    assert_eq!(desk.status(&ana, at(2_000)), Status::OnCall { call: call(1), since: at(2_000) });
    assert!(!desk.reserve(&ana, call(2), vec![], at(3_000)));
    desk.hung_up(&ana, call(1), at(60_000), Duration::ZERO);
    assert!(desk.reserve(&ana, call(2), vec![], at(60_000)));
}

#[test]
fn a_shared_phone_rings_for_one_call_at_a_time() {
    let mut desk = Desk::new();
    let duty = mobile("5550100").kind;
    assert!(desk.reserve(&id("ana"), call(1), vec![duty.clone()], at(0)));
    assert!(!desk.reserve(&id("ben"), call(2), vec![duty.clone()], at(0)));
    desk.ended(&id("ana"), call(1), OfferOutcome::Declined, at(5));
    assert!(desk.reserve(&id("ben"), call(2), vec![duty], at(5)));
}

#[test]
fn a_lease_that_no_offer_follows_lapses() {
    let mut desk = all_signed_in(&["ana"]);
    desk.take_freed();
    assert!(desk.reserve(&id("ana"), call(1), vec![], at(0)));
    assert_eq!(desk.poll_timeout(), Some(at(0) + LEASE));
    assert_eq!(desk.expire(at(4_999)), []);
    assert!(!desk.take_freed());
    assert_eq!(desk.expire(at(5_000)), [(id("ana"), call(1))]);
    assert!(desk.take_freed());
    assert_eq!(desk.poll_timeout(), None);
}

#[test]
fn losing_a_race_costs_neither_a_miss_nor_the_place() {
    let table = [
        (OfferOutcome::LostRace, (0, 0), 610),
        (OfferOutcome::Withdrawn, (0, 0), 610),
        (OfferOutcome::NoAnswer, (1, 1), 5),
        (OfferOutcome::NotAccepted, (1, 1), 5),
        (OfferOutcome::Declined, (0, 0), 5),
        (OfferOutcome::Busy, (0, 0), 5),
        (OfferOutcome::Unreachable, (0, 0), 5),
    ];
    for (outcome, missed, idle_s) in table {
        let mut desk = all_signed_in(&["ana"]);
        assert!(desk.reserve(&id("ana"), call(1), vec![], at(0)));
        desk.ended(&id("ana"), call(1), outcome, at(5_000));
        assert_eq!(desk.missed(&id("ana")), missed, "{outcome:?}");
        assert_eq!(desk.idle_for(&id("ana"), at(10_000)), Duration::from_secs(idle_s), "{outcome:?}");
    }
}

#[test]
fn misses_in_a_row_end_with_an_answer_and_all_with_the_next_sign_in() {
    let mut desk = all_signed_in(&["ana"]);
    let ana = id("ana");
    for number in 1..=2 {
        assert!(desk.reserve(&ana, call(number), vec![], at(0)));
        desk.ended(&ana, call(number), OfferOutcome::NoAnswer, at(1));
    }
    assert_eq!(desk.missed(&ana), (2, 2));
    assert!(desk.reserve(&ana, call(3), vec![], at(0)));
    desk.ended(&ana, call(3), OfferOutcome::Answered, at(1));
    assert_eq!(desk.missed(&ana), (2, 0));
    desk.hung_up(&ana, call(3), at(2), Duration::ZERO);
    desk.declare(&ana, Presence::SignedOut, at(3));
    desk.declare(&ana, Presence::Available, at(4));
    assert_eq!(desk.missed(&ana), (0, 0));
}

#[test]
fn wrap_up_ends_by_itself_and_counts_as_idle_from_then() {
    let mut desk = all_signed_in(&["ana"]);
    let ana = id("ana");
    engage(&mut desk, "ana");
    desk.hung_up(&ana, call(999), at(10_000), 30 * SECOND);
    assert_eq!(desk.status(&ana, at(10_000)), Status::WrapUp { call: call(999), until: at(40_000) });
    assert_eq!(desk.poll_timeout(), Some(at(40_000)));
    desk.expire(at(40_000));
    assert_eq!(desk.status(&ana, at(45_000)), Status::Idle { for_how_long: 5 * SECOND, reachable: true });
}

#[test]
fn word_of_an_older_call_does_not_end_the_wrap_up_of_the_last() {
    let mut desk = all_signed_in(&["ana"]);
    let ana = id("ana");
    engage(&mut desk, "ana");
    desk.hung_up(&ana, call(999), at(0), 30 * SECOND);
    desk.take_freed();
    desk.finish_wrap_up(&ana, call(1), at(5_000));
    assert_eq!(desk.status(&ana, at(5_000)), Status::WrapUp { call: call(999), until: at(30_000) });
    assert!(!desk.take_freed());
    desk.finish_wrap_up(&ana, call(999), at(6_000));
    assert_eq!(desk.status(&ana, at(6_000)), Status::Idle { for_how_long: Duration::ZERO, reachable: true });
}

#[test]
fn a_forgotten_wrap_up_is_bounded() {
    let mut desk = all_signed_in(&["ana"]);
    engage(&mut desk, "ana");
    desk.hung_up(&id("ana"), call(999), at(0), Duration::from_secs(86_400));
    assert_eq!(desk.poll_timeout(), Some(at(0) + MAX_WRAP_UP));
}

#[test]
fn an_unanswered_offer_gives_the_wrap_up_back() {
    let mut desk = all_signed_in(&["ana"]);
    let ana = id("ana");
    engage(&mut desk, "ana");
    desk.hung_up(&ana, call(999), at(0), 30 * SECOND);
    assert!(desk.reserve(&ana, call(1), vec![], at(1_000)));
    desk.ended(&ana, call(1), OfferOutcome::LostRace, at(2_000));
    assert!(desk.in_wrap_up(&ana));
}

#[test]
fn a_call_that_is_gone_holds_nobody() {
    let mut desk = all_signed_in(&["ana", "ben", "cho"]);
    assert!(desk.reserve(&id("ana"), call(1), vec![], at(0)));
    assert!(desk.reserve(&id("ben"), call(1), vec![], at(0)));
    desk.ended(&id("ben"), call(1), OfferOutcome::Answered, at(1));
    assert!(desk.reserve(&id("cho"), call(2), vec![], at(0)));
    let holders = |desk: &Desk| ["ana", "ben", "cho"].map(|name| desk.holder(&id(name)));
    assert_eq!(holders(&desk), [Some(call(1)), Some(call(1)), Some(call(2))]);
    desk.call_over(call(1), at(9));
    assert_eq!(holders(&desk), [None, None, Some(call(2))]);
}

#[test]
fn what_another_call_says_of_an_analyst_is_ignored() {
    let mut desk = all_signed_in(&["ana"]);
    let ana = id("ana");
    assert!(desk.reserve(&ana, call(1), vec![], at(0)));
    desk.ended(&ana, call(2), OfferOutcome::NoAnswer, at(1));
    desk.hung_up(&ana, call(2), at(1), SECOND);
    assert_eq!(desk.status(&ana, at(1)), Status::Reserved { call: call(1) });
    assert_eq!(desk.missed(&ana), (0, 0));
}

#[test]
fn only_what_may_free_somebody_wakes_the_waiting() {
    let mut desk = all_signed_in(&["ana"]);
    let ana = id("ana");
    assert!(desk.take_freed());
    assert!(!desk.take_freed());
    desk.declare(&ana, Presence::Paused { reason: None }, at(1));
    assert!(!desk.take_freed());
    desk.declare(&ana, Presence::Available, at(2));
    assert!(desk.take_freed());
    desk.set_reachable(&ana, false);
    assert!(!desk.take_freed());
    desk.set_reachable(&ana, true);
    assert!(desk.take_freed());
    // Wrap-up begins: the wrap-up rung may ring them.
    engage(&mut desk, "ana");
    desk.hung_up(&ana, call(999), at(3), SECOND);
    assert!(desk.take_freed());
}

#[test]
fn the_longest_wait_comes_first_and_keeps_its_place() {
    let mut line = WaitingLine::new();
    assert!(line.join(call(3), at(300), Rank::Caller(Priority::Normal), charting()));
    assert!(line.join(call(1), at(100), Rank::Caller(Priority::Normal), charting()));
    assert!(line.join(call(2), at(100), Rank::Caller(Priority::Normal), charting()));
    assert!(line.join(call(1), at(900), Rank::Caller(Priority::Normal), charting()));
    assert_eq!(line.in_order().collect::<Vec<_>>(), [call(1), call(2), call(3)]);
    line.leave(call(1));
    line.leave(call(1));
    assert_eq!(line.in_order().collect::<Vec<_>>(), [call(2), call(3)]);
}

#[test]
fn urgent_calls_wait_before_all_others_and_no_more_than_the_bound_do() {
    let mut line = WaitingLine::new();
    line.join(call(1), at(100), Rank::Caller(Priority::Normal), charting());
    for number in 0..=MAX_URGENT as u128 {
        line.join(call(1_000 + number), at(200), Rank::Caller(Priority::Urgent), charting());
    }
    let order: Vec<_> = line.in_order().collect();
    assert_eq!(order.len(), MAX_URGENT + 2);
    assert_eq!(order[0], call(1_000));
    assert_eq!(order[MAX_URGENT], call(1), "after those that are urgent");
    assert_eq!(order[MAX_URGENT + 1], call(1_000 + MAX_URGENT as u128), "one too many waits in its turn");
    // A place that was given is kept, also when urgent ones leave.
    line.leave(call(1_000));
    assert_eq!(line.in_order().last(), Some(call(1_000 + MAX_URGENT as u128)));
}

#[test]
fn callbacks_wait_behind_every_caller_and_are_in_the_way_of_the_same_system_alone() {
    let mut line = WaitingLine::new();
    line.join(call(1), at(100), Rank::Callback, charting());
    assert!(!line.take_news(), "nobody is on the line");
    assert!(!line.caller_waits_for(&charting()));
    assert!(line.anybody_waits_for(&charting()), "it has found nobody yet");
    line.join(call(2), at(900), Rank::Caller(Priority::Normal), charting());
    assert!(line.take_news());
    assert!(!line.take_news(), "once");
    assert_eq!(line.in_order().collect::<Vec<_>>(), [call(2), call(1)]);
    assert_eq!((line.callers(), line.len()), (1, 2));
    assert!(line.caller_waits_for(&need_of("epic-prod", None)));
    assert!(line.caller_waits_for(&Need { system: None, ..charting() }), "it may be anybody's");
    assert!(!line.caller_waits_for(&need_of("meridian-lab", None)));
    line.leave(call(2));
    assert!(!line.caller_waits_for(&charting()));
}

//! The rows of HOTLINE.md that concern ringing, as scripts in virtual time.

use super::fixture::*;
use super::world::*;
use crate::routing::OfferOutcome::*;
use crate::routing::*;
use crate::time::Duration;

/// One call, #1, at time zero; then each input at its millisecond; then on to `until`. The whole log must be `expected`.
fn ladder(mut world: World, script: &[(u64, HuntInput)], until: u64, expected: &[&str]) -> World {
    world.begin(1, Hunting::standard(), charting(), None);
    for (millis, input) in script {
        world.run_to(*millis);
        world.give(call(1), input.clone());
    }
    world.run_to(until);
    assert_eq!(world.log, expected, "\n{}", world.log.join("\n"));
    world
}

fn day(names: &[&str]) -> World {
    World::new(staff(names.iter().map(|name| charter(name))), all_signed_in(names))
}

#[test]
fn a_known_ward_phone_rings_two_at_once_and_the_first_to_answer_wins() {
    let world = ladder(
        day(&["ana", "ben", "cho", "dee"]),
        &[(200, ringing("ana")), (250, ringing("ben")), (3_000, ended("ben", Answered))],
        200_000,
        &[
            "0.000 #1 ring ana (qualified)",
            "0.000 #1 Ringing",
            "0.000 #1 ring ben (qualified)",
            "3.000 #1 withdraw ana LostRace",
        ],
    );
    assert_eq!(world.desk.missed(&id("ana")), (0, 0));
    assert_eq!(world.desk.holder(&id("ben")), Some(call(1)));
}

#[test]
fn a_phone_that_gives_no_sign_within_a_second_does_not_count() {
    ladder(
        day(&["ana", "ben", "cho"]),
        &[(1_200, ringing("ben")), (2_000, ended("ben", Answered))],
        200_000,
        &[
            "0.000 #1 ring ana (qualified)",
            "0.000 #1 Ringing",
            "1.000 #1 ring ben (qualified)",
            "2.000 #1 withdraw ana LostRace",
        ],
    );
}

#[test]
fn a_silent_phone_that_rings_after_all_counts_again_and_may_win() {
    ladder(
        day(&["ana", "ben", "cho"]),
        &[(1_500, ringing("ana")), (1_600, ringing("ben")), (2_500, ended("ana", Answered))],
        200_000,
        &[
            "0.000 #1 ring ana (qualified)",
            "0.000 #1 Ringing",
            "1.000 #1 ring ben (qualified)",
            "2.500 #1 withdraw ben LostRace",
        ],
    );
}

#[test]
fn busy_declined_and_unreachable_move_on_at_once_and_are_not_tried_again() {
    ladder(
        day(&["ana", "ben", "cho"]),
        &[
            (100, ended("ana", Unreachable)),
            (300, ringing("ben")),
            (900, ended("ben", Declined)),
            (1_000, ended("cho", Busy)),
        ],
        10_500,
        &[
            "0.000 #1 ring ana (qualified)",
            "0.000 #1 Ringing",
            "0.100 #1 ring ben (qualified)",
            "0.900 #1 ring cho (qualified)",
            "1.000 #1 WaitingSince { since: 1.000000s }",
        ],
    );
}

#[test]
fn no_answer_moves_on_when_the_ring_time_is_over() {
    let world = ladder(
        day(&["ana", "ben", "cho"]),
        &[(200, ringing("ana")), (12_100, ringing("ben")), (15_000, ended("ben", Answered))],
        200_000,
        &[
            "0.000 #1 ring ana (qualified)",
            "0.000 #1 Ringing",
            "12.000 #1 withdraw ana NoAnswer",
            "12.000 #1 ring ben (qualified)",
        ],
    );
    assert_eq!(world.desk.missed(&id("ana")), (1, 1));
}

#[test]
fn at_night_the_on_call_phone_rings_at_once_and_wins_by_pressing_one() {
    ladder(
        World::new(staff([charter("ana"), on_call("oto")]), Desk::new()),
        &[
            (3_000, ringing("oto")),
            (9_000, HuntInput::PickedUp { analyst: id("oto") }),
            (13_000, ended("oto", Answered)),
        ],
        200_000,
        &[
            "0.000 #1 WaitingSince { since: 0.000000s }",
            "0.000 #1 ring oto outside (backup)",
            "0.000 #1 TryingOnCall { busy: 0 }",
            "10.000 #1 BookCallback",
        ],
    );
}

#[test]
fn an_outside_phone_has_four_seconds_to_ring_before_the_next_rings_as_well() {
    ladder(
        World::new(staff([on_call("oto"), on_call("pia")]), Desk::new()),
        &[(3_900, ringing("oto")), (6_000, ended("oto", Answered))],
        20_000,
        &[
            "0.000 #1 WaitingSince { since: 0.000000s }",
            "0.000 #1 ring oto outside (backup)",
            "0.000 #1 TryingOnCall { busy: 0 }",
        ],
    );
    ladder(
        World::new(staff([on_call("oto"), on_call("pia")]), Desk::new()),
        &[(5_000, ringing("pia")), (6_000, ended("pia", Answered))],
        20_000,
        &[
            "0.000 #1 WaitingSince { since: 0.000000s }",
            "0.000 #1 ring oto outside (backup)",
            "0.000 #1 TryingOnCall { busy: 0 }",
            "4.000 #1 ring pia outside (backup)",
            "6.000 #1 withdraw oto LostRace",
        ],
    );
}

#[test]
fn a_voicemail_never_wins() {
    let world = ladder(
        World::new(staff([on_call("oto"), on_call("pia")]), Desk::new()),
        &[(2_000, ringing("oto")), (5_000, HuntInput::PickedUp { analyst: id("oto") }), (16_000, ringing("pia"))],
        17_000,
        &[
            "0.000 #1 WaitingSince { since: 0.000000s }",
            "0.000 #1 ring oto outside (backup)",
            "0.000 #1 TryingOnCall { busy: 0 }",
            "10.000 #1 BookCallback",
            "15.000 #1 withdraw oto NotAccepted",
            "15.000 #1 ring pia outside (backup)",
        ],
    );
    assert_eq!(world.desk.missed(&id("oto")), (1, 1));
}

#[test]
fn with_nobody_qualified_free_wrap_up_and_on_call_ring_together_and_a_supervisor_at_20_s() {
    let people = [charter("ana"), charter("ben"), on_call("oto"), supervisor("sue")];
    let mut desk = all_signed_in(&["ana", "ben", "sue"]);
    engage(&mut desk, "ana");
    engage(&mut desk, "ben");
    desk.hung_up(&id("ben"), call(999), at(0), Duration::from_secs(300));
    // Longer rings than declared by default, so that all three are seen together.
    let mut hunting = Hunting::standard();
    hunting.rungs[1].ring_for = Duration::from_secs(60);
    let mut world = World::new(staff(people), desk);
    world.begin(1, hunting, charting(), None);
    world.give(call(1), ringing("ben"));
    world.give(call(1), ringing("oto"));
    world.run_to(20_100);
    world.give(call(1), ringing("sue"));
    world.run_to(100_000);
    let expected = [
        "0.000 #1 WaitingSince { since: 0.000000s }",
        "0.000 #1 AllBusy { busy: 2 }",
        "0.000 #1 ring ben (backup)",
        "0.000 #1 Ringing",
        "0.000 #1 ring oto outside (backup)",
        "0.000 #1 TryingOnCall { busy: 2 }",
        "10.000 #1 BookCallback",
        "20.000 #1 ring sue (supervisor)",
        "40.000 #1 withdraw sue NoAnswer",
        "60.000 #1 withdraw ben NoAnswer",
        "60.000 #1 withdraw oto NoAnswer",
        "90.000 #1 NobodyFree",
    ];
    assert_eq!(world.log, expected, "\n{}", world.log.join("\n"));
}

#[test]
fn waiting_ends_after_90_s_with_a_callback_booked_since_10() {
    let mut desk = all_signed_in(&["ana"]);
    engage(&mut desk, "ana");
    ladder(
        World::new(staff([charter("ana")]), desk),
        &[],
        200_000,
        &[
            "0.000 #1 WaitingSince { since: 0.000000s }",
            "0.000 #1 AllBusy { busy: 1 }",
            "10.000 #1 BookCallback",
            "90.000 #1 NobodyFree",
        ],
    );
}

#[test]
fn waiting_for_nobody_ends_when_the_callback_is_booked() {
    ladder(
        World::new(staff([charter("ana")]), Desk::new()),
        &[],
        200_000,
        &["0.000 #1 WaitingSince { since: 0.000000s }", "10.000 #1 BookCallback", "10.000 #1 NobodyFree"],
    );
}

#[test]
fn somebody_who_signs_in_while_a_call_waits_is_rung() {
    let mut world = World::new(staff([charter("ana")]), Desk::new());
    world.begin(1, Hunting::standard(), charting(), None);
    world.run_to(4_000);
    world.desk.declare(&id("ana"), Presence::Available, world.now);
    world.desk.set_reachable(&id("ana"), true);
    world.run_to(4_500);
    assert_eq!(
        world.log,
        ["0.000 #1 WaitingSince { since: 0.000000s }", "4.000 #1 ring ana (qualified)", "4.000 #1 Ringing"]
    );
}

#[test]
fn a_freed_analyst_is_rung_beside_the_on_call_phone() {
    let mut desk = all_signed_in(&["ana"]);
    engage(&mut desk, "ana");
    let mut world = World::new(staff([charter("ana"), on_call("oto")]), desk);
    world.begin(1, Hunting::standard(), charting(), None);
    world.give(call(1), ringing("oto"));
    world.run_to(5_000);
    world.desk.hung_up(&id("ana"), call(999), world.now, Duration::ZERO);
    world.run_to(5_500);
    world.give(call(1), ended("ana", Answered));
    assert_eq!(
        world.log[3..],
        [
            "0.000 #1 TryingOnCall { busy: 1 }",
            "5.000 #1 ring ana (qualified)",
            "5.000 #1 Ringing",
            "5.500 #1 withdraw oto LostRace"
        ]
    );
}

#[test]
fn a_freed_analyst_goes_to_the_call_that_has_waited_longest() {
    let mut desk = all_signed_in(&["ana"]);
    engage(&mut desk, "ana");
    let mut world = World::new(staff([charter("ana")]), desk);
    // Call 7 waits first, though its number is higher.
    world.begin(7, Hunting::standard(), charting(), None);
    world.run_to(2_000);
    world.begin(3, Hunting::standard(), charting(), None);
    world.run_to(6_000);
    world.log.clear();
    world.desk.hung_up(&id("ana"), call(999), world.now, Duration::ZERO);
    world.run_to(6_500);
    world.give(call(7), ended("ana", Declined));
    world.run_to(6_600);
    assert_eq!(
        world.log,
        ["6.000 #7 ring ana (qualified)", "6.000 #7 Ringing", "6.500 #3 ring ana (qualified)", "6.500 #3 Ringing"]
    );
}

#[test]
fn an_on_call_phone_rings_for_one_call_at_a_time() {
    let mut world = World::new(staff([on_call("oto")]), Desk::new());
    world.begin(1, Hunting::standard(), charting(), None);
    world.give(call(1), ringing("oto"));
    world.run_to(1_000);
    world.begin(2, Hunting::standard(), charting(), None);
    world.run_to(8_000);
    world.give(call(1), ended("oto", Declined));
    world.run_to(8_100);
    assert_eq!(
        world.log,
        [
            "0.000 #1 WaitingSince { since: 0.000000s }",
            "0.000 #1 ring oto outside (backup)",
            "0.000 #1 TryingOnCall { busy: 0 }",
            "1.000 #2 WaitingSince { since: 1.000000s }",
            "8.000 #2 ring oto outside (backup)",
            "8.000 #2 TryingOnCall { busy: 0 }",
        ]
    );
}

#[test]
fn a_caller_who_leaves_withdraws_every_offer() {
    let world = ladder(
        day(&["ana", "ben", "cho", "dee"]),
        &[(300, ringing("ana")), (1_300, ringing("cho")), (5_000, HuntInput::Stop), (5_100, ended("ana", Answered))],
        200_000,
        &[
            "0.000 #1 ring ana (qualified)",
            "0.000 #1 Ringing",
            "0.000 #1 ring ben (qualified)",
            "1.000 #1 ring cho (qualified)",
            "5.000 #1 withdraw ana Withdrawn",
            "5.000 #1 withdraw ben Withdrawn",
            "5.000 #1 withdraw cho Withdrawn",
        ],
    );
    assert_eq!(world.held_by(call(1)).len(), 0);
    assert_eq!(world.desk.missed(&id("ana")), (0, 0));
}

#[test]
fn the_same_problem_again_rings_the_same_analyst_first() {
    let mut world = day(&["ana", "ben", "cho"]);
    world.begin(1, Hunting::standard(), charting(), Some(id("cho")));
    world.give(call(1), ringing("cho"));
    world.run_to(2_000);
    world.give(call(1), ended("cho", Answered));
    assert_eq!(world.log, ["0.000 #1 ring cho (qualified)", "0.000 #1 Ringing"]);
}

#[test]
fn a_declared_rung_begins_at_its_time_though_others_still_ring() {
    let mut desk = all_signed_in(&["ana", "sue"]);
    desk.take_freed();
    let mut hunting = Hunting::standard();
    hunting.rungs[0].ring_for = Duration::from_secs(30);
    let mut world = World::new(staff([charter("ana"), supervisor("sue")]), desk);
    world.begin(1, hunting, charting(), None);
    world.give(call(1), ringing("ana"));
    world.run_to(21_000);
    assert_eq!(world.log, ["0.000 #1 ring ana (qualified)", "0.000 #1 Ringing", "20.000 #1 ring sue (supervisor)"]);
}

#[test]
fn an_outside_phone_picked_up_at_the_last_moment_may_still_press_one() {
    let mut hunting = Hunting::standard();
    hunting.rungs[1].ring_for = Duration::from_secs(120);
    let mut world = World::new(staff([on_call("oto")]), Desk::new());
    world.begin(1, hunting.clone(), charting(), None);
    world.give(call(1), ringing("oto"));
    world.run_to(88_000);
    world.give(call(1), HuntInput::PickedUp { analyst: id("oto") });
    world.run_to(95_000);
    world.give(call(1), ended("oto", Answered));
    world.run_to(200_000);
    assert_eq!(world.log.last().map(String::as_str), Some("10.000 #1 BookCallback"));
    // The same, without a key.
    let mut world = World::new(staff([on_call("oto")]), Desk::new());
    world.begin(1, hunting, charting(), None);
    world.give(call(1), ringing("oto"));
    world.run_to(88_000);
    world.give(call(1), HuntInput::PickedUp { analyst: id("oto") });
    world.run_to(200_000);
    assert_eq!(world.log[world.log.len() - 2..], ["98.000 #1 withdraw oto NotAccepted", "98.000 #1 NobodyFree"]);
}

#[test]
fn a_refused_lease_rings_the_next_and_one_granted_late_is_given_back() {
    let staff = staff(["ana", "ben"].map(charter));
    let desk = all_signed_in(&["ana", "ben"]);
    let mut hunt = Hunt::new(Hunting::standard(), charting(), None);
    let reserves = |hunt: &mut Hunt| -> Vec<String> {
        std::iter::from_fn(|| hunt.poll())
            .filter_map(|action| match action {
                HuntAction::Reserve { analyst, .. } => Some(format!("reserve {analyst}")),
                HuntAction::Withdraw { analyst, .. } => Some(format!("give back {analyst}")),
                HuntAction::Ring { .. } | HuntAction::Decided(_) | HuntAction::News(_) => None,
            })
            .collect()
    };
    hunt.handle(at(0), HuntInput::Begin, &staff, &desk, monday());
    assert_eq!(reserves(&mut hunt), ["reserve ana"]);
    hunt.handle(at(5), HuntInput::Reserved { analyst: id("ana"), granted: false }, &staff, &desk, monday());
    assert_eq!(reserves(&mut hunt), ["reserve ben"]);
    // Ben's home node says nothing.
    assert_eq!(hunt.poll_timeout(), Some(at(1_005)));
    hunt.handle(at(1_005), HuntInput::Tick, &staff, &desk, monday());
    assert_eq!(reserves(&mut hunt), ["give back ben"]);
    hunt.handle(at(1_200), HuntInput::Reserved { analyst: id("ben"), granted: true }, &staff, &desk, monday());
    assert_eq!(reserves(&mut hunt), ["give back ben"]);
    // After the next change of the desk both may be asked again.
    hunt.handle(at(1_300), HuntInput::Freed, &staff, &desk, monday());
    assert_eq!(reserves(&mut hunt), ["reserve ana"]);
}

#[test]
fn the_standard_ladder_passes_its_own_check_and_mistakes_are_named() {
    assert_eq!(Hunting::standard().check(), []);
    let mut wrong = Hunting::standard();
    wrong.rungs[0].who.clear();
    wrong.rungs[1].ring_for = Duration::from_secs(1);
    wrong.rungs[2].after = Some(Duration::from_secs(5));
    wrong.rungs.push(wrong.rungs[0].clone());
    wrong.at_once = 0;
    wrong.give_up_after = Duration::from_secs(9);
    let words: Vec<String> = wrong.check().iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "rung qualified names nobody",
            "rung backup rings for less than 3 s: nobody answers so fast",
            "rung supervisor begins before the rung above it",
            "two rungs are called qualified",
            "rung qualified names nobody",
            "at_once is 0; it must be 1 to 5",
            "give_up_after must be longer than book_callback_after and at most 300 s",
        ]
    );
    wrong.rungs.clear();
    assert_eq!(wrong.check()[0], HuntingError::NoRungs);
}

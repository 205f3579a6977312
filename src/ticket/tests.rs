use super::super::script::{Script, at, call, caller, decision, need, opened};
use super::super::*;
use super::*;
use crate::bridge::Codec;
use crate::digit::DigitSource;
use crate::identity::{Confidence, Source, Sourced};

fn helped_call() -> Script {
    let mut script = Script::new();
    script
        .open(4172, 0.0)
        .from(0.0, "4-west", "epic")
        .event(0.05, Event::Answered)
        .need(0.06, "charting", "epic")
        .event(0.07, decision("ada", "Holds charting for epic; idle longest, 12 min."))
        .offer(0.1, 1, "ada")
        .offer(0.1, 2, "ben")
        .ringing(0.3, 1, "ada")
        .event(0.4, Event::Confirmed)
        .event(0.9, Event::Spoken { prompts: vec!["ringing".into()], words: "Ringing your analyst.".to_owned() })
        .event(4.0, Event::AnalystAnswered { offer: OfferId(1), analyst: "ada".into() })
        .offer_ended(4.0, 1, "ada", OfferOutcome::Answered)
        .offer_ended(4.0, 2, "ben", OfferOutcome::LostRace)
        .event(4.1, Event::Bridged { with: Party::Analyst })
        .event(4.5, Event::HumanHeard);
    script
}

#[test]
fn a_helped_call_is_a_ticket_with_times_offers_and_owner() {
    let mut script = helped_call();
    script.ended(64.0, HangupCause::Normal, Party::Caller);
    let ticket = script.ticket();
    assert_eq!(ticket.number, TicketNumber(4172));
    assert_eq!(ticket.seconds_to_human(), Some(4.5));
    assert_eq!(ticket.first_offer, Some(at(0.1)));
    assert_eq!(ticket.answered, Some(at(0.05)));
    assert_eq!(ticket.analyst().map(AnalystId::as_str), Some("ada"));
    assert_eq!(ticket.unit_name(), Some("4-WEST"));
    let outcomes: Vec<_> = ticket.offers.iter().map(|offer| (offer.analyst.as_str(), offer.outcome)).collect();
    assert_eq!(outcomes, [("ada", Some(OfferOutcome::Answered)), ("ben", Some(OfferOutcome::LostRace))]);
    assert_eq!(ticket.offers[0].ringing, Some(at(0.3)));
    assert_eq!(ticket.state(), Lifecycle::WrapUpDue);
}

#[test]
fn the_lifecycle_follows_the_call() {
    let mut script = helped_call();
    assert_eq!(script.ticket().state(), Lifecycle::Open);
    script.ended(64.0, HangupCause::Normal, Party::Caller);
    assert_eq!(script.ticket().state(), Lifecycle::WrapUpDue);
    script.disposition(70.0, "ada", DispositionCode::Open, None);
    assert_eq!(script.ticket().state(), Lifecycle::Working);
    script.disposition(90.0, "ada", DispositionCode::Solved, Some(true));
    assert_eq!(script.ticket().state(), Lifecycle::Closed);
    assert!(!script.ticket().reopened());
    assert_eq!(script.ticket().solved(), Some(true));
    script.disposition(99.0, "ada", DispositionCode::Open, None);
    assert_eq!(script.ticket().state(), Lifecycle::Working);
    assert!(script.ticket().reopened());
}

#[test]
fn a_caller_who_leaves_closes_the_ticket_and_withdraws_its_offers() {
    let mut script = Script::new();
    script.open(1, 0.0).offer(0.1, 1, "ada").ended(5.0, HangupCause::Abandoned, Party::Caller);
    let ticket = script.ticket();
    assert_eq!(ticket.offers[0].outcome, Some(OfferOutcome::Withdrawn));
    assert_eq!(ticket.state(), Lifecycle::Closed);
    assert_eq!(ticket.end, Some(End { at: at(5.0), cause: HangupCause::Abandoned, by: Party::Caller }));
}

#[test]
fn a_callback_is_due_until_both_spoke() {
    let mut script = Script::new();
    script.open(1, 0.0).booked(10.0, 60.0, CallbackReason::Waiting).ended(12.0, HangupCause::Abandoned, Party::Caller);
    assert_eq!(script.ticket().state(), Lifecycle::CallbackDue);
    let continued = CallOpened { continues: Some(call(1)), ..opened(1) };
    script.push(60.0, Some(call(2)), Event::CallOpened(continued));
    assert_eq!(script.ticket().state(), Lifecycle::CallbackDue, "still owed while the ward is called");
    script.on(2).helped(70.0, 1, "ada").ended(100.0, HangupCause::Normal, Party::Caller);
    script.on(1).event(100.0, Event::CallbackAttempted { attempt: 1, outcome: CallbackOutcome::BothSpoke });
    script.event(100.0, Event::CallbackClosed);
    let ticket = script.ticket();
    assert_eq!(ticket.call, call(1));
    assert_eq!(ticket.callback.as_ref().map(|callback| callback.state), Some(CallbackState::Done));
    assert_eq!(ticket.state(), Lifecycle::WrapUpDue);
    assert_eq!(ticket.seconds_to_human(), Some(70.0));
    assert!(!ticket.heard_in_own_call());
    assert_eq!(ticket.end.as_ref().map(|end| end.cause), Some(HangupCause::Abandoned));
}

#[test]
fn an_attempt_on_the_callers_own_call_id_is_a_callback_too() {
    let mut script = Script::new();
    script.open(1, 0.0).booked(10.0, 60.0, CallbackReason::Waiting).ended(12.0, HangupCause::Abandoned, Party::Caller);
    script.offer(60.0, 2, "ada");
    assert!(script.ticket().up);
    assert_eq!(script.ticket().state(), Lifecycle::CallbackDue, "still owed while an analyst is looked for");
    let told = explain(&script.ticket(), &jiff::tz::TimeZone::UTC);
    assert!(told.ends_with("The caller is being called back now."), "{told}");
    script.event(80.0, Event::CallbackAttempted { attempt: 1, outcome: CallbackOutcome::NoAnalyst });
    assert_eq!(script.ticket().state(), Lifecycle::CallbackDue);
    assert_eq!(script.ticket().offers[0].outcome, Some(OfferOutcome::Withdrawn));
    script.helped(120.0, 3, "ada");
    assert_eq!(script.ticket().callback.map(|callback| callback.state), Some(CallbackState::Due));
    script.event(180.0, Event::CallbackAttempted { attempt: 2, outcome: CallbackOutcome::BothSpoke });
    script.event(180.0, Event::CallbackClosed);
    let ticket = script.ticket();
    assert_eq!(ticket.callback.as_ref().map(|callback| callback.state), Some(CallbackState::Done));
    assert_eq!((ticket.state(), ticket.heard_in_own_call()), (Lifecycle::WrapUpDue, false));
    assert_eq!((ticket.seconds_to_human(), ticket.last_end), (Some(120.0), Some(at(180.0))));
}

#[test]
fn a_callback_that_an_answer_makes_needless_lapses() {
    let mut script = Script::new();
    script.open(1, 0.0).booked(10.0, 60.0, CallbackReason::Waiting).offer(11.0, 1, "ada");
    script.event(15.0, Event::AnalystAnswered { offer: OfferId(1), analyst: "ada".into() });
    script.event(15.0, Event::CallbackClosed).event(15.2, Event::HumanHeard);
    let callback = script.ticket().callback.unwrap();
    assert_eq!((callback.state, callback.closed), (CallbackState::Lapsed, Some(at(15.0))));
}

#[test]
fn a_callback_closed_as_done_without_both_speaking_is_still_due() {
    let mut script = Script::new();
    script.open(1, 0.0).booked(10.0, 60.0, CallbackReason::Asked).ended(12.0, HangupCause::PlanEnded, Party::Desk);
    script.event(60.0, Event::CallbackAttempted { attempt: 3, outcome: CallbackOutcome::ClinicianNoAnswer });
    script.event(61.0, Event::CallbackClosed);
    let callback = script.ticket().callback.unwrap();
    assert_eq!((callback.state, callback.attempts, callback.closed), (CallbackState::Due, 3, None));
}

#[test]
fn a_callback_that_wardline_has_given_up_is_owed_until_a_person_sets_a_disposition() {
    let failed = || {
        let mut script = Script::new();
        script.open(1, 0.0).booked(10.0, 60.0, CallbackReason::Asked).ended(12.0, HangupCause::PlanEnded, Party::Desk);
        script.event(60.0, Event::CallbackAttempted { attempt: 3, outcome: CallbackOutcome::ClinicianNoAnswer });
        script.event(60.0, Event::CallbackGivenUp);
        script
    };
    let ticket = failed().ticket();
    assert_eq!(ticket.callback.as_ref().map(|callback| callback.state), Some(CallbackState::Failed));
    assert_eq!((ticket.state(), ticket.owes_callback()), (Lifecycle::CallbackDue, true));
    for (code, state) in [(DispositionCode::Solved, Lifecycle::Closed), (DispositionCode::Open, Lifecycle::Working)] {
        let mut script = failed();
        script.event(9_000.0, set(code));
        let ticket = script.ticket();
        let callback = ticket.callback.clone().unwrap();
        assert_eq!((callback.state, callback.closed), (CallbackState::Settled, Some(at(9_000.0))));
        assert_eq!((ticket.state(), ticket.owes_callback()), (state, false));
    }
}

#[test]
fn a_callback_that_is_still_tried_is_settled_by_a_word_that_ends_the_matter_only() {
    for (code, state) in [
        (DispositionCode::Open, CallbackState::Due),
        (DispositionCode::Solved, CallbackState::Settled),
        (DispositionCode::NotForUs, CallbackState::Settled),
        (DispositionCode::Test, CallbackState::Settled),
    ] {
        let mut script = Script::new();
        script.open(1, 0.0).booked(10.0, 60.0, CallbackReason::Waiting);
        script.event(11.0, set(code));
        assert_eq!(script.ticket().callback.map(|callback| callback.state), Some(CallbackState::Due), "still up");
        script.ended(12.0, HangupCause::Abandoned, Party::Caller).event(30.0, set(code));
        assert_eq!(script.ticket().callback.map(|callback| callback.state), Some(state), "{code:?}");
    }
}

fn set(code: DispositionCode) -> Event {
    Event::DispositionSet { by: "ada".into(), disposition: Disposition { code, solved: None, note: None } }
}

#[test]
fn an_analyst_who_answers_after_all_lets_the_callback_lapse() {
    let mut script = Script::new();
    script.open(1, 0.0).booked(10.0, 60.0, CallbackReason::Waiting).helped(15.0, 1, "ada");
    script.ended(50.0, HangupCause::Normal, Party::Analyst);
    let ticket = script.ticket();
    assert_eq!(ticket.callback.as_ref().map(|callback| callback.state), Some(CallbackState::Lapsed));
    assert_eq!(ticket.state(), Lifecycle::WrapUpDue);
}

#[test]
fn the_operators_voice_is_not_an_analysts() {
    let mut script = Script::new();
    script.open(1, 0.0).event(3.0, Event::Bridged { with: Party::Target }).event(3.2, Event::HumanHeard);
    let ticket = script.ticket();
    assert_eq!((ticket.human_heard, ticket.target_heard), (None, Some(at(3.2))));
}

#[test]
fn hold_counts_within_the_first_minute_and_by_our_side_only() {
    let mut script = helped_call();
    script
        .event(10.0, Event::Held { by: Party::Analyst })
        .event(20.0, Event::Resumed { by: Party::Analyst })
        .event(30.0, Event::Held { by: Party::Caller })
        .event(35.0, Event::Resumed { by: Party::Caller })
        .event(60.0, Event::Held { by: Party::Analyst })
        .ended(90.0, HangupCause::Normal, Party::Caller);
    // 10..20, and 60..64.5: heard at 4.5.
    assert!((script.ticket().hold_in_first_minute_s() - 14.5).abs() < 1e-6);
}

#[test]
fn a_record_applied_twice_changes_nothing() {
    let mut script = helped_call();
    script.ended(64.0, HangupCause::Normal, Party::Caller);
    let once = script.ticket();
    let mut twice = once.clone();
    for record in &script.records {
        twice.apply(record);
    }
    assert_eq!(once, twice);
}

#[test]
fn there_is_exactly_one_ticket_for_each_call_opened() {
    let mut script = Script::new();
    for number in 1..=5 {
        script.open(number, number as f64).ended(number as f64 + 1.0, HangupCause::Abandoned, Party::Caller);
    }
    let doubled: Vec<Record> = script.records.iter().chain(&script.records).cloned().collect();
    let numbers: Vec<u64> = fold(&doubled).into_keys().map(|number| number.0).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[test]
fn only_the_same_trouble_within_72_hours_is_a_repeat() {
    let mut script = Script::new();
    script.open(1, 0.0).from(0.0, "4-west", "epic");
    script.open(2, 3_600.0).from(3_600.0, "4-west", "epic");
    script.open(3, 3_700.0).from(3_700.0, "5-east", "epic");
    script.open(4, 72.5 * 3_600.0).from(72.5 * 3_600.0, "4-west", "epic");
    let tickets: Vec<Ticket> = fold(&script.records).into_values().collect();
    let repeat = Repeat { earlier: TicketNumber(1), by: RepeatBy::UnitAndSystem, hours: 1, minutes: 60 };
    assert_eq!(tickets[1].repeats(&tickets[0]), Some(repeat));
    assert_eq!(tickets[0].repeats(&tickets[1]), None);
    assert_eq!(tickets[2].repeats(&tickets[0]), None);
    assert_eq!(tickets[3].repeats(&tickets[0]), None);
    assert_eq!(tickets[3].repeats(&tickets[1]).map(|repeat| repeat.hours), Some(71));
}

#[test]
fn the_same_person_repeats_from_another_unit() {
    let mut script = Script::new();
    for (number, unit) in [(1, "4-west"), (2, "5-east")] {
        let mut caller = caller(unit, "epic");
        let (value, source, confidence) = ("rn-17".into(), Source::Keyed, Confidence::Claimed);
        caller.person = Some(Sourced { value, source, confidence, at: at(0.0) });
        script.open(number, 0.0).event(0.0, Event::CallerIdentified { caller: Box::new(caller) });
    }
    let tickets: Vec<Ticket> = fold(&script.records).into_values().collect();
    assert_eq!(tickets[1].repeats(&tickets[0]).map(|repeat| repeat.by), Some(RepeatBy::Person));
}

#[test]
fn media_quality_is_the_worst_of_what_was_measured() {
    let measured = |received, lost| {
        let report = MediaReport { codec: Some(Codec::Pcmu), received, lost, ..MediaReport::default() };
        Event::MediaMeasured { party: Party::Caller, report: Box::new(report) }
    };
    let mut script = helped_call();
    assert_eq!(script.ticket().media_quality(), MediaQuality::Unmeasured);
    script.event(10.0, measured(1_000, 1));
    assert_eq!(script.ticket().media_quality(), MediaQuality::Good);
    script.event(11.0, Event::MediaProblem { party: Party::Caller, problem: MediaProblem::OneWay });
    assert_eq!(script.ticket().media_quality(), MediaQuality::Poor);
    script.event(12.0, Event::MediaProblem { party: Party::Caller, problem: MediaProblem::Recovered });
    assert_eq!(script.ticket().media_quality(), MediaQuality::Fair);
    script.event(15.0, measured(1_000, 100));
    assert_eq!(script.ticket().media_quality(), MediaQuality::Poor);
}

#[test]
fn the_timeline_reads_as_dated_lines() {
    let ticket = helped_call().ticket();
    let lines: Vec<&str> = ticket.timeline().iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        lines,
        [
            "Call from 4710 to 7000 over trunk pbx.",
            "Caller: 4-WEST, extension 4710, epic production, person unknown.",
            "Wardline answered.",
            "Needed: charting of epic (the place says it).",
            "Rung qualified chose ada: Holds charting for epic; idle longest, 12 min.",
            "Ringing ada (rung qualified).",
            "Ringing ben (rung qualified).",
            "ada's phone rings.",
            "The caller's phone confirmed.",
            "Said \"Ringing your analyst.\"",
            "ada answered.",
            "ben was not needed: somebody else was first.",
            "Caller joined with the analyst.",
            "The caller hears a human.",
        ]
    );
    assert_eq!(ticket.timeline()[9].at, at(0.9));
}

fn new_york() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get("America/New_York").unwrap()
}

fn said(script: &Script) -> Vec<String> {
    script.ticket().timeline().iter().skip(1).map(|line| line.text.clone()).collect()
}

#[test]
fn the_timeline_reads_well_when_little_is_known_and_nobody_is_chosen() {
    let Event::RouteDecided { mut decision } = decision("ada", "") else { unreachable!() };
    decision.chosen.clear();
    decision.passed_over = vec![PassedOver { analyst: "ben".into(), because: "on a call".to_owned() }];
    decision.others = [(2, "behind in line"), (31, "off shift")]
        .map(|(count, because)| Others { because: because.to_owned(), count })
        .into();
    decision.inputs.unlisted = 33;
    let unmapped = Need { system: None, module: None, ..need("", "") };
    let mut script = Script::new();
    script
        .open(1, 0.0)
        .event(0.0, Event::QuestionSkipped { step: "question".into() })
        .event(0.0, Event::NeedSettled { need: unmapped, by: NeedSource::Place })
        .event(0.1, Event::RouteDecided { decision })
        .booked(10.0, 60.0, CallbackReason::Waiting)
        .ended(12.0, HangupCause::Abandoned, Party::Caller);
    assert_eq!(
        said(&script),
        [
            "Nothing asked (step question): no answer would change who is rung.",
            "Needed: any analyst (nothing more is known).",
            "Rung qualified chose nobody. Passed over: ben (on a call). And 33 others: 2 behind in line, 31 off shift.",
            "Callback to 4710 booked, due in 50 s: the caller has waited.",
            "The caller left before a human answered.",
        ]
    );
}

#[test]
fn a_target_of_the_plan_is_no_transfer() {
    let ended = |target: &str, ok| Event::TransferEnded { target: target.to_owned(), ok };
    let mut script = Script::new();
    script
        .open(1, 0.0)
        .event(1.0, Event::TargetRung { target: "operator".into() })
        .event(7.0, ended("operator", false))
        .event(8.0, Event::TargetRung { target: "operator".into() })
        .event(9.0, ended("operator", true))
        .event(20.0, ended("not a declared transfer target", false))
        .event(30.0, Event::TransferAsked { target: "operator".to_owned() })
        .event(40.0, ended("operator", false))
        .event(50.0, Event::TransferAsked { target: "operator".to_owned() })
        .event(60.0, ended("operator", true));
    assert_eq!(
        said(&script),
        [
            "Ringing operator.",
            "operator did not take the call.",
            "Ringing operator.",
            "operator answered.",
            "Transfer refused: not a declared transfer target.",
            "Transfer to operator asked for.",
            "Transfer to operator failed; the caller is back.",
            "Transfer to operator asked for.",
            "Transferred to operator.",
        ]
    );
}

#[test]
fn every_end_of_a_call_is_a_sentence() {
    let table = [
        (HangupCause::Normal, Party::Analyst, "The analyst hung up"),
        (HangupCause::Normal, Party::Desk, "Wardline hung up"),
        (HangupCause::Abandoned, Party::Caller, "The caller left before a human answered"),
        (HangupCause::PlanEnded, Party::Desk, "The call ended as the dial plan says"),
        (HangupCause::PeerLost, Party::Caller, "The call ended because the phone stopped answering (the caller)"),
    ];
    for (cause, by, sentence) in table {
        assert_eq!(cause.words(by), sentence);
    }
}

#[test]
fn explain_shows_the_hospitals_time_minutes_and_no_negative_zero() {
    let mut script = Script::new();
    script.open(1, 0.0).from(0.0, "4-west", "epic").ended(9.0, HangupCause::Abandoned, Party::Caller);
    script.open(2, 2_400.0).from(2_400.0, "4-west", "epic").offer(2_399.999, 1, "ada");
    script.event(2_401.0, Event::Held { by: Party::Caller }).booked(2_410.0, 2_460.0, CallbackReason::Waiting);
    script.ended(2_412.0, HangupCause::Abandoned, Party::Caller);
    let mut tickets: Vec<Ticket> = fold(&script.records).into_values().collect();
    let mut ticket = tickets.remove(1);
    ticket.repeats.extend(ticket.repeats(&tickets[0]));
    let told = explain(&ticket, &new_york());
    for part in [
        "Ticket 2: on 2026-11-23 07:40:00 EST from",
        "ada was rung 0.0 s after the INVITE",
        "The caller had the desk on hold once. ",
        "The caller left before a human answered; the call lasted 12 s.",
        "it is due on 2026-11-23 07:41:00 EST, after 0 attempts.",
        "It repeats ticket 1 of the same unit and system, 40 min earlier.",
    ] {
        assert!(told.contains(part), "{part}\nis not in\n{told}");
    }
}

#[test]
fn explain_tells_the_callers_holds_from_the_desks_own() {
    let mut script = helped_call();
    for (from, by) in [(10.0, Party::Caller), (20.0, Party::Caller), (30.0, Party::Analyst)] {
        script.event(from, Event::Held { by }).event(from + 5.0, Event::Resumed { by });
    }
    let told = explain(&script.ended(90.0, HangupCause::Normal, Party::Caller).ticket(), &new_york());
    assert!(told.contains("The desk had the caller on hold once, 5 s of it in the first minute."), "{told}");
    assert!(told.contains("The caller had the desk on hold 2 times."), "{told}");
}

#[test]
fn explain_tells_the_call_in_a_paragraph() {
    let mut script = helped_call();
    script.event(2.0, Event::KeyPressed { digit: Digit::D1, source: DigitSource::Info });
    script.ended(64.0, HangupCause::Normal, Party::Caller);
    script.disposition(70.0, "ada", DispositionCode::Solved, Some(true));
    assert_eq!(
        explain(&script.ticket(), &new_york()),
        "Ticket 4172: on 2026-11-23 07:00:00 EST from 4-WEST, extension 4710, epic production, person unknown, to 7000. \
         Wardline said \"Ringing your analyst.\"; the caller pressed 1. \
         It was about charting of epic (the place says it). \
         ada was rung 0.1 s after the INVITE (rung qualified, because: Holds charting for epic; idle longest, 12 min) \
         and answered. \
         ben was rung 0.1 s after the INVITE (rung qualified) and was not needed: somebody else was first. \
         The caller heard ada 4.5 s after the INVITE. \
         The caller hung up; the call lasted 64 s. \
         ada set the disposition: solved, solved at first contact."
    );
}

#[test]
fn explain_tells_every_way_of_pressing_keys_and_no_digit_of_a_secret() {
    let key = |digit| Event::KeyPressed { digit, source: DigitSource::TelephoneEvent };
    let number = |step: &str, accepted| Event::Collected { step: step.into(), accepted };
    let talking = Event::KeyInTalk { by: Party::Caller };
    let heard = |keys| {
        let report = Box::new(MediaReport { keys, ..MediaReport::default() });
        Event::MediaMeasured { party: Party::Caller, report }
    };
    let table = [
        (vec![], "no key was pressed."),
        (vec![heard(0)], "no key was pressed."),
        (vec![Event::KeyInTalk { by: Party::Analyst }], "no key was pressed."),
        (vec![key(Digit::D1), key(Digit::D0)], "the caller pressed 2 keys (10)."),
        (vec![talking.clone()], "the caller pressed a key while talking."),
        (vec![number("badge", true)], "the caller keyed a number (badge) that was accepted."),
        (vec![heard(3)], "the caller pressed 3 keys that nothing had asked for."),
        (
            vec![key(Digit::D1), number("badge", true), number("pin", false), talking.clone(), talking, heard(13)],
            "the caller pressed 1, keyed a number (badge) that was accepted, keyed a number (pin) that was not accepted \
             and pressed 2 keys while talking.",
        ),
    ];
    for (events, sentence) in table {
        let mut script = helped_call();
        for (after, event) in (0..).map(f64::from).zip(events) {
            script.event(6.0 + after, event);
        }
        let told = explain(&script.ticket(), &new_york());
        assert!(told.contains(&format!("\"Ringing your analyst.\"; {sentence}")), "{sentence}\nis not in\n{told}");
    }
}

#[test]
fn a_ticket_survives_json() {
    let mut script = helped_call();
    script.booked(5.0, 60.0, CallbackReason::Waiting).event(6.0, Event::Held { by: Party::Analyst });
    let mut ticket = script.ticket();
    ticket.timeline.clear();
    let json = serde_json::to_string(&ticket).unwrap();
    assert_eq!(serde_json::from_str::<Ticket>(&json).unwrap(), ticket);
}

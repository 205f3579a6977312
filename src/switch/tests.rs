//! What only the switch's own books show: questions to the edge, and what a fault of ours leaves behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::call::fault;
use crate::config::{self, Surroundings};
use crate::ids::{Extension, HospitalId};
use crate::routing::Presence;
use crate::sip::{Flow, Message, Method, Request, Response, Status};

mod short_calls;

/// The sample desk, which owes 4710 a call.
pub(super) fn owing(call: CallId) -> Switch {
    let wall: Timestamp = "2026-11-24T15:00:00Z".parse().expect("a time");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config");
    let surroundings = Surroundings { variables: BTreeMap::new(), now: wall };
    let config = config::load(&folder, &surroundings).expect("the sample is whole").config;
    let hospital = config.hospitals.values().next().expect("a hospital");
    let (dialled, hotline) = hospital.hotlines.iter().next().expect("a hotline");
    let owed = OwedCallback {
        call,
        ticket: TicketNumber(1000),
        hospital: hospital.id.clone(),
        plan: hotline.plan.clone(),
        language: hospital.languages[0].clone(),
        dialled: dialled.to_string(),
        number: Extension::new("4710"),
        waits_for: None,
        booked: wall,
        due: wall,
        attempts: 0,
        failed: false,
        caller: None,
        need: None,
        test: false,
    };
    let memory = Memory { callbacks: vec![owed], ..Memory::blank([7; 32]) };
    Switch::new(Arc::new(config), memory, [7; 32], Instant::ZERO, wall)
}

/// Everything that is due until then happens, and nobody outside says a word.
fn run_until(switch: &mut Switch, end: Instant) -> Vec<Action> {
    let mut actions = Vec::new();
    loop {
        actions.extend(std::iter::from_fn(|| switch.poll_action()));
        let Some(at) = switch.poll_timeout().filter(|at| *at <= end) else { return actions };
        switch.handle(at, Input::Timeout);
    }
}

/// On-call people need no sign-in; everybody else is let in here.
fn sign_everybody_in(switch: &mut Switch) {
    let everybody: Vec<AnalystId> = switch.config.staff.iter().map(|analyst| analyst.id.clone()).collect();
    for analyst in &everybody {
        switch.desk.declare(analyst, Presence::Available, Instant::ZERO);
    }
}

#[test]
fn a_question_beyond_the_bound_is_answered_no_at_once_and_none_is_forgotten() {
    let mut switch = owing(CallId(ulid::Ulid(7)));
    sign_everybody_in(&mut switch);
    let others = 10_000 - switch.queries.len() as u64;
    for other in 0..others {
        let analyst = AnalystId::new("somebody");
        switch.queries.insert(QueryId(1_000_000 + other), Pending::Reserve { call: CallId(ulid::Ulid(9)), analyst });
    }
    let actions = run_until(&mut switch, Instant::ZERO + Duration::from_secs(60));
    assert!(switch.status().counters["query_refused"] > 0);
    assert!(!actions.iter().any(|action| matches!(action, Action::Query { .. })), "nothing is asked without room");
    assert_eq!(switch.queries.len(), 10_000, "and all that was asked is still awaited");
    // One is answered: there is room for one more.
    switch.handle(
        Instant::ZERO + Duration::from_secs(60),
        Input::Answer { query: QueryId(1_000_000), answer: Answer::Reserved(false) },
    );
    let actions = run_until(&mut switch, Instant::ZERO + Duration::from_secs(600));
    assert!(actions.iter().any(|action| matches!(action, Action::Query { .. })), "the callback's next try asks again");
}

/// The analysts whom a call holds.
fn held(switch: &Switch, call: CallId) -> usize {
    switch.config.staff.iter().filter(|analyst| switch.desk.holder(&analyst.id) == Some(call)).count()
}

/// A callback's attempt that rings analysts: everything a call can hold but a place in the line.
fn ringing(call: CallId) -> (Switch, Instant) {
    let mut switch = owing(call);
    sign_everybody_in(&mut switch);
    let mut now = Instant::ZERO;
    while held(&switch, call) == 0 {
        now = switch.poll_timeout().expect("a callback is due");
        switch.handle(now, Input::Timeout);
        for action in std::iter::from_fn(|| switch.poll_action()).collect::<Vec<_>>() {
            if let Action::Query { id, query: Query::Reserve { .. } } = action {
                switch.handle(now, Input::Answer { query: id, answer: Answer::Reserved(true) });
            }
        }
    }
    let status = switch.status();
    assert!(status.ports_used > 0 && status.legs > 0 && status.dialogs > 0, "{status:?}");
    (switch, now)
}

fn break_quietly(call: &mut Call, step: impl FnOnce(&mut Call)) {
    step(call);
    std::panic::resume_unwind(Box::new("a fault made on purpose"));
}

/// However it broke: nobody and nothing is held at once, and nothing is left once its phones' silence is over.
#[track_caller]
fn expect_nothing_held(mut switch: Switch, now: Instant, call: CallId) {
    assert_eq!(held(&switch, call), 0, "analysts");
    let status = switch.status();
    assert_eq!((status.ports_used, status.waiting), (0, 0), "{status:?}");
    assert!(status.ports_resting > 0, "a port rests before another call may have it");
    assert_eq!(status.counters["call_fault"], 1);
    let actions = run_until(&mut switch, now + Duration::from_secs(70));
    let status = switch.status();
    let left = (status.calls, status.legs, status.dialogs, status.transactions, status.timers);
    assert_eq!(left, (0, 0, 0, 0, 0), "{status:?}");
    assert!(status.callbacks + status.callbacks_failed == 1, "what is owed is owed on: {status:?}");
    let records: Vec<&Event> = actions
        .iter()
        .filter_map(|action| if let Action::Record(record) = action { Some(&record.event) } else { None })
        .collect();
    let offers = |of: fn(&Event) -> bool| records.iter().filter(|event| of(event)).count();
    assert!(offers(|event| matches!(event, Event::OfferEnded { .. })) > 0, "{records:?}");
}

#[test]
fn a_call_that_breaks_holds_nobody_and_nothing() {
    let call = CallId(ulid::Ulid(7));
    let (mut switch, now) = ringing(call);
    switch.step_call(now, call, |call, ctx| {
        // In the middle of opening a leg.
        ctx.take_port();
        break_quietly(call, |_| {});
    });
    expect_nothing_held(switch, now, call);
}

#[test]
fn a_call_that_breaks_again_at_its_ending_holds_nobody_and_nothing() {
    let call = CallId(ulid::Ulid(7));
    let (mut switch, now) = ringing(call);
    switch.step_call(now, call, |call, ctx| {
        ctx.take_port();
        break_quietly(call, |call| call.breaks_at_the_end = true);
    });
    expect_nothing_held(switch, now, call);
}

#[test]
fn a_leg_that_broke_is_cancelled_when_its_phone_rings_and_let_go_when_it_answers() {
    let call = CallId(ulid::Ulid(7));
    let (mut switch, now) = ringing(call);
    switch.step_call(now, call, |call, _| {
        for leg in call.leg_ids() {
            call.drop_leg(leg);
        }
        break_quietly(call, |_| {});
    });
    assert_eq!(switch.status().legs, 0, "its legs are forgotten");
    let sent: Vec<(Flow, Request)> = std::iter::from_fn(|| switch.poll_action()).filter_map(request).collect();
    let (flow, invite) = sent.into_iter().next().expect("an INVITE is out");
    let mut answer = |status: Status| {
        let response =
            Response::to_request(&invite, status).with_to_tag("phone").with_header("Contact", "<sip:p@127.0.0.1>");
        switch.handle(now, Input::Message { flow, bytes: response.to_bytes() });
        let sent = std::iter::from_fn(|| switch.poll_action()).filter_map(request);
        sent.map(|(_, request)| request.method).collect::<Vec<Method>>()
    };
    assert_eq!(answer(Status::RINGING), [Method::Cancel]);
    assert_eq!(answer(Status::RINGING), [], "once");
    assert_eq!(answer(Status::OK), [Method::Ack, Method::Bye]);
}

fn request(action: Action) -> Option<(Flow, Request)> {
    let Action::Transmit { flow, bytes } = action else { return None };
    match Message::parse(&bytes).expect("we write what can be read") {
        Message::Request(request) => Some((flow, request)),
        Message::Response(_) => None,
    }
}

const SDP: &str =
    "v=0\r\no=w 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n";

/// An INVITE from a PBX to the sample's listener, and how it is answered.
fn invite(switch: &mut Switch, from_pbx: &str, number: &str, hotline: &str) -> (u16, Vec<Event>) {
    let flow = Flow {
        transport: crate::sip::Transport::Udp,
        local: "127.0.0.1:5060".parse().expect("an address"),
        remote: from_pbx.parse().expect("an address"),
        conn: None,
    };
    let text = format!(
        "INVITE sip:{hotline}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {from_pbx};branch=z9hG4bK-{from_pbx}-{hotline}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{number}@pbx>;tag=a\r\nTo: <sip:{hotline}@127.0.0.1>\r\n\
         Call-ID: {from_pbx}-{hotline}\r\nCSeq: 1 INVITE\r\nContact: <sip:{number}@{from_pbx}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    );
    switch.handle(Instant::ZERO, Input::Message { flow, bytes: text.into_bytes().into() });
    let (mut status, mut events) = (0, Vec::new());
    while let Some(action) = switch.poll_action() {
        match action {
            Action::Record(record) => events.push(record.event),
            Action::Transmit { flow, bytes } if flow.remote.to_string() == from_pbx => {
                if let Ok(Message::Response(response)) = Message::parse(&bytes) {
                    status = response.status.code();
                }
            }
            Action::Transmit { .. }
            | Action::CloseStream { .. }
            | Action::Media(_)
            | Action::Query { .. }
            | Action::PeerNames(_)
            | Action::TurnedDown(_)
            | Action::Reply { .. } => {}
        }
    }
    (status, events)
}

#[test]
fn an_invite_that_breaks_anywhere_as_it_opens_a_call_is_500_leaves_no_ticket_and_holds_nothing() {
    // After nothing, after the ticket's first line, ... after the last offer.
    for effects in 0.. {
        let mut switch = owing(CallId(ulid::Ulid(7)));
        sign_everybody_in(&mut switch);
        while switch.poll_action().is_some() {}
        let unused = switch.next_ticket;
        fault::after(effects);
        let (status, events) = invite(&mut switch, "127.0.0.1:5070", "4700", "7100");
        if fault::withdrawn() {
            assert_eq!(status, 200, "it wants no more than {effects} things");
            assert!(effects > 10, "{effects}");
            return;
        }
        assert_eq!((status, &events), (500, &Vec::new()), "after {effects}");
        let busy = switch.config.staff.iter().filter(|analyst| switch.desk.holder(&analyst.id).is_some());
        assert_eq!(busy.count(), 0, "after {effects}");
        let seen = switch.status();
        let held = (seen.calls, seen.legs, seen.dialogs, seen.ports_used, seen.waiting, switch.queries.len());
        assert_eq!(held, (0, 0, 0, 0, 0, 0), "after {effects}: {seen:?}");
        assert_eq!((seen.ports_resting, seen.counters["call_fault"]), (1, 1), "after {effects}");
        // A copy of the INVITE is no new call, and the next caller gets the number that was not used.
        assert_eq!(invite(&mut switch, "127.0.0.1:5070", "4700", "7100"), (500, Vec::new()), "after {effects}");
        let (status, events) = invite(&mut switch, "127.0.0.1:5071", "4711", "7100");
        let opened =
            events.iter().find_map(|event| if let Event::CallOpened(opened) = event { Some(opened) } else { None });
        assert_eq!((status, opened.map(|opened| opened.ticket)), (200, Some(unused)), "after {effects}");
    }
}

/// Everybody whom the events name: rung, considered or passed over.
fn named(events: &[Event]) -> BTreeSet<AnalystId> {
    let mut named = BTreeSet::new();
    for event in events {
        if let Event::RouteDecided { decision } = event {
            named.extend(decision.chosen.iter().map(|choice| choice.analyst.clone()));
            named.extend(decision.passed_over.iter().map(|passed| passed.analyst.clone()));
            named.extend(decision.inputs.people.iter().map(|person| person.id.clone()));
        }
    }
    named
}

#[test]
fn hospitals_side_by_side_have_phones_people_and_hotlines_of_their_own() {
    let mut switch = owing(CallId(ulid::Ulid(7)));
    sign_everybody_in(&mut switch);
    let (mercy, cedar) = ("127.0.0.1:5070", "192.0.2.10:5060");
    let staff = |hospital: &str| -> BTreeSet<AnalystId> {
        let of = |hospitals: &BTreeSet<HospitalId>| hospitals.iter().any(|id| id.as_str() == hospital);
        let config = Arc::clone(&switch.config);
        config.staff.iter().filter(|analyst| of(&analyst.hospitals)).map(|analyst| analyst.id.clone()).collect()
    };
    let (of_mercy, of_cedar) = (staff("mercy-harbor"), staff("cedar-point"));
    assert!(of_mercy.is_disjoint(&of_cedar), "so that each name says whose it is");
    // The same extension stands in two places.
    for (pbx, hotline, hospital, unit, theirs) in
        [(mercy, "7100", "mercy-harbor", "4 West", &of_mercy), (cedar, "6100", "cedar-point", "Emergency", &of_cedar)]
    {
        let (status, events) = invite(&mut switch, pbx, "4700", hotline);
        assert_eq!(status, 200, "{hospital}");
        let opened =
            events.iter().find_map(|event| if let Event::CallOpened(opened) = event { Some(opened) } else { None });
        assert_eq!(opened.map(|opened| opened.hospital.as_str()), Some(hospital));
        let place = events.iter().find_map(|event| {
            let Event::CallerIdentified { caller } = event else { return None };
            caller.place.as_ref().map(|place| place.value.unit_name.clone())
        });
        assert_eq!(place.as_deref(), Some(unit));
        let named = named(&events);
        assert!(!named.is_empty() && named.is_subset(theirs), "{hospital}: {named:?}");
    }
    // The other's hotline is no number here.
    for (pbx, hotline) in [(mercy, "6100"), (cedar, "7100")] {
        let (status, events) = invite(&mut switch, pbx, "4700", hotline);
        assert_eq!((status, events.len()), (404, 0), "{hotline} over {pbx}");
    }
}

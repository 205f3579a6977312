//! What only the switch's own books show: questions to the edge, and what a fault of ours leaves behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::config::{self, Surroundings};
use crate::ids::Extension;
use crate::routing::Presence;

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
    assert!(switch.status().counters.get("query_refused").is_some_and(|refused| *refused > 0));
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

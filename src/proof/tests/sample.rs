//! The sample plan with the rendered prompts. Expected times are worked out by hand from the lengths of the WAVs.

use std::fs;
use std::path::Path;

use crate::diagnostic::Report;
use crate::ids::Language;
use crate::ivr::{Known, Plan, Prompts};
use crate::proof::{Bound, Proof, judge, prove};
use crate::time::Duration;

pub const SAMPLE: &str = include_str!("../../../sip-config/plans/hotline.toml");

/// Proof and findings of a plan that speaks the rendered prompts.
fn loaded(text: &str) -> (Plan, Prompts, Proof, Report) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
    let mut report = Report::new();
    let prompts = Prompts::load(&[Language::new("en")], |path| fs::read(root.join(path)), &mut report);
    let known = Known { prompts: Some(&prompts), ..Known::default() };
    let plan = Plan::load("plans/hotline.toml", text, &known, &mut report);
    assert!(!report.has_errors(), "{:#?}", report.diagnostics());
    let plan = plan.expect("no errors, so a plan");
    let proof = prove(&plan, &known.longest().expect("the prompts are there"));
    judge(&plan, &proof, &mut report);
    (plan, prompts, proof, report)
}

pub fn proved(text: &str) -> (Proof, Report) {
    let (_, _, proof, report) = loaded(text);
    (proof, report)
}

/// The same with what a picture of it is made of.
pub fn rendered(text: &str) -> (Plan, Prompts, Proof) {
    let (plan, prompts, proof, _) = loaded(text);
    (plan, prompts, proof)
}

fn told(bound: &Option<Bound>) -> (Duration, String, String) {
    let bound = bound.as_ref().expect("a bound");
    (bound.within, bound.witness.path(), bound.witness.to_string())
}

#[test]
fn phones_ring_by_6_8_seconds_at_the_worst() {
    let (proof, report) = proved(SAMPLE);
    assert!(report.is_empty(), "{:#?}", report.diagnostics());
    // No ACK: speech at 1.0; desk-question is 3.695 s; playback's grace 0.25; the wait for a key 1.5; margin 0.3.
    let (within, path, witness) = told(&proof.first_offer);
    assert_eq!(within, Duration::from_micros(6_745_000));
    assert_eq!(path, "who → question (silence) → ring");
    assert_eq!(witness, "0 INVITE · 1 question: speaks 3.7, waits 1.5, silence → ring · 6.45 phones ring · 0.3 margin");
    // The first rung asks for the qualification, so it is the same offer.
    assert_eq!(told(&proof.qualified_offer).0, Duration::from_micros(6_745_000));
    let later: Vec<_> = proof.coverage.later.iter().map(|later| (later.rung.as_str(), later.within)).collect();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(later, [("backup", seconds(12)), ("supervisor", seconds(20))]);
}

#[test]
fn the_longest_call_waits_twice_and_then_asks_for_a_silent_operator() {
    let (proof, _) = proved(SAMPLE);
    let micros = [
        // The known problem in 4 s, after 1.0, and 0.25; then phones ring for 90 s.
        1_000_000 + 4_000_000 + 250_000 + 90_000_000,
        // At the last instant a call back is asked for, and kept or not within 1 s: "Done. We will call Labor and
        // Delivery." 0.515 + 0.745 + 1.155. "Or stay on." 0.845, and 2 s of silence. Phones ring for 90 s again.
        1_000_000 + 2_415_000 + 250_000,
        845_000 + 250_000 + 2_000_000 + 90_000_000,
        // "Nobody is free. We will call Labor and Delivery back." 1.075 + 0.745 + 1.155 + 0.555; into it key 9.
        1_000_000 + 3_530_000 + 250_000,
        // The operator rings. "No answer. Hang up and dial" 1.785, then four times "zero" 0.525.
        6_000_000 + 1_000_000 + 3_885_000 + 250_000,
        300_000,
    ];
    let (within, path, _) = told(&proof.end);
    assert_eq!(within, Duration::from_micros(micros.iter().sum()));
    assert_eq!(
        path,
        "who → known-problem → known-problem-rings → known-problem-waits (key 1) → when-fixed → stay (silence) → ring → \
         connect (gives up) → nobody (key 9) → operator (no answer) → operator-silent"
    );
}

#[test]
fn ways_past_the_analysts_are_named() {
    let (proof, _) = proved(SAMPLE);
    let named: Vec<_> = proof
        .no_analyst
        .iter()
        .map(|past| {
            let from = past.from.as_ref().map_or("anywhere", |step| step.as_str());
            format!("{} from {from}: {}", past.to, past.exit.and_then(|exit| exit.told()).unwrap_or_default())
        })
        .collect();
    assert_eq!(named, ["operator from anywhere: key 9", "operator from patient: silence"]);
}

//! What was proved of each plan, for people and for scripts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::ids::PlanId;
use crate::proof::{Bound, Coverage, Detour, LaterRung, Proof, Stay, Walked, Witness, seconds};
use crate::routing::Who;
use crate::time::Duration;

/// One block a plan: each bound with its worst path, then the same path in seconds.
pub fn text(proofs: &BTreeMap<PlanId, Proof>) -> String {
    let mut text = String::new();
    for (plan, proof) in proofs {
        let indent = " ".repeat(plan.as_str().chars().count() + 2);
        let mut first = Some(format!("{plan}: "));
        let mut line = |line: String| {
            let head = first.take().unwrap_or_else(|| indent.clone());
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{head}{line}");
        };
        for (name, bound, given) in bounds(proof) {
            let Some(bound) = bound else { continue };
            let (within, limit) = (tenths(bound.within), format!("(limit {} s)", seconds(bound.limit)));
            line(format!("{name:<15} ≤ {within:>5} s {limit:<13} by {}", bound.witness.path()));
            line(format!("{:<15}   {}", "", bound.witness));
            if given {
                line(format!("{:<15}   {}", "", told(&proof.coverage)));
            }
        }
        if !proof.no_analyst.is_empty() {
            line(format!("{:<15}   {}", "no analyst", detours(&proof.no_analyst)));
        }
    }
    text
}

/// By plan: `first_offer`, `qualified_offer`, `end`, each with its witness; what was assumed; what goes past the analysts.
pub fn json(proofs: &BTreeMap<PlanId, Proof>) -> Value {
    let plan = |(plan, proof): (&PlanId, &Proof)| {
        let (first, qualified, end) = (&proof.first_offer, &proof.qualified_offer, &proof.end);
        let value = json!({
            "first_offer": first.as_ref().map(bound), "qualified_offer": qualified.as_ref().map(bound),
            "end": end.as_ref().map(bound), "coverage": coverage(&proof.coverage),
            "no_analyst": proof.no_analyst.iter().map(detour).collect::<Vec<_>>(),
        });
        (plan.to_string(), value)
    };
    Value::Object(proofs.iter().map(plan).collect())
}

fn bounds(proof: &Proof) -> [(&'static str, Option<&Bound>, bool); 3] {
    [
        ("first offer", proof.first_offer.as_ref(), false),
        ("qualified offer", proof.qualified_offer.as_ref(), true),
        ("end", proof.end.as_ref(), false),
    ]
}

/// Rounded up: "6.8".
fn tenths(span: Duration) -> String {
    let tenths = span.as_micros().div_ceil(100_000);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn told(coverage: &Coverage) -> String {
    let Some(rung) = &coverage.rung else { return "no rung asks for the qualification".to_owned() };
    let who = |who: &[Who]| who.iter().map(|who| who.as_str()).collect::<Vec<_>>().join(" or ");
    let later = |later: &LaterRung| match later.within {
        Some(within) => format!("{} after {} s at the most", later.rung, seconds(within)),
        None => format!("{} when all before have been rung", later.rung),
    };
    let mut text = format!("given that somebody {} can be rung (rung {rung})", who(&coverage.who));
    if !coverage.later.is_empty() {
        let rungs: Vec<String> = coverage.later.iter().map(later).collect();
        let _ = write!(text, "; else {}", rungs.join(", "));
    }
    text
}

fn detours(detours: &[Detour]) -> String {
    let way = |detour: &Detour| {
        let exit = detour.exit.and_then(|exit| exit.told());
        match (&detour.from, exit) {
            (Some(from), Some(exit)) => format!("{from} ({exit})"),
            (Some(from), None) => from.to_string(),
            (None, Some(exit)) => exit,
            (None, None) => "at once".to_owned(),
        }
    };
    let told: Vec<String> = detours.iter().map(|detour| format!("{} by {}", detour.to, way(detour))).collect();
    told.join(", ")
}

fn bound(bound: &Bound) -> Value {
    json!({
        "within_s": bound.within.as_secs_f64(), "limit_s": bound.limit.as_secs_f64(), "path": bound.witness.path(),
        "witness": witness(&bound.witness),
    })
}

fn witness(witness: &Witness) -> Value {
    let steps: Vec<Value> = witness.walked.iter().map(step).collect();
    json!({ "told": witness.to_string(), "at_s": witness.at.as_secs_f64(), "outcome": witness.outcome.to_string(), "steps": steps })
}

fn step(walked: &Walked) -> Value {
    let spoken = walked.stay.spoken();
    let (wait, times, tries) = match walked.stay {
        Stay::Passes | Stay::Speaks { .. } => (None, 1, 1),
        Stay::Promises { wait, .. } => (Some(wait), 1, 1),
        Stay::Asks { wait, tries, .. } => (Some(wait), 1, tries),
        Stay::Number { wait, digits, tries, .. } => (Some(wait), digits, tries),
        Stay::Waits { give_up_after, .. } => (Some(give_up_after), 1, 1),
        Stay::Dials { ring_for } => (Some(ring_for), 1, 1),
    };
    json!({
        "step": walked.step, "entered_s": walked.entered.as_secs_f64(), "left_s": walked.left.as_secs_f64(),
        "speaks_from_s": spoken.map(|spoken| spoken.from.as_secs_f64()),
        "speaks_s": spoken.map(|spoken| spoken.length.as_secs_f64()),
        "waits_s": wait.map(|wait| wait.as_secs_f64()), "keys": times, "tries": tries,
        "by": walked.exit.and_then(|exit| exit.told()),
    })
}

fn coverage(coverage: &Coverage) -> Value {
    let later = |later: &LaterRung| json!({ "rung": later.rung, "who": later.who, "within_s": later.within.map(|within| within.as_secs_f64()) });
    json!({
        "rung": coverage.rung, "who": coverage.who, "within_s": coverage.within.map(|within| within.as_secs_f64()),
        "later": coverage.later.iter().map(later).collect::<Vec<_>>(),
    })
}

fn detour(detour: &Detour) -> Value {
    json!({ "to": detour.to, "from": detour.from, "by": detour.exit.and_then(|exit| exit.told()) })
}

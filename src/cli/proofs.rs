//! What was proved of each plan, for people and for scripts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::ids::PlanId;
use crate::ivr::draw::Goal;
use crate::proof::{Bound, Coverage, Detour, Exit, LaterRung, MARGIN, Outcome, Proof, Stay, Walked, Witness, seconds};
use crate::time::Duration;

/// Names of steps that are longer push what follows them to the right.
const MAX_NAME: usize = 24;

/// One block a plan: each bound with its worst path, one line a step, narrow enough for a terminal of 80 columns.
pub fn text(proofs: &BTreeMap<PlanId, Proof>) -> String {
    let mut text = String::new();
    for (plan, proof) in proofs {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{plan}, at the worst, in seconds from the INVITE:");
        let mut before: Option<&Witness> = None;
        for (name, bound, given) in bounds(proof) {
            let Some(bound) = bound else { continue };
            let same = before.is_some_and(|before| *before == bound.witness);
            let path = if same { " by the same path" } else { "" };
            let limit = format!("(limit {} s)", seconds(bound.limit));
            let _ = writeln!(
                text,
                "{}",
                format!("  {name:<15} ≤ {:>5} s {limit:<13}{path}", tenths(bound.within)).trim_end()
            );
            if !same {
                text.push_str(&path_text(&bound.witness));
            }
            if given {
                text.push_str(&given_text(&proof.coverage));
            }
            before = Some(&bound.witness);
        }
        for (number, way) in detours(&proof.no_analyst).into_iter().enumerate() {
            let _ = writeln!(text, "  {:<15}   {way}", if number == 0 { "no analyst" } else { "" });
        }
    }
    text
}

/// One line a step: when what it does begins, its name, what it does, and what ends that.
fn path_text(witness: &Witness) -> String {
    let mut text = String::new();
    let names = witness.walked.iter().map(|walked| walked.step.as_str().chars().count());
    let width = names.max().unwrap_or_default().min(MAX_NAME);
    let mut line = |at: &str, name: &str, what: &str| {
        let _ = writeln!(text, "{}", format!("      {at:>7}  {name:<width$}  {what}").trim_end());
    };
    for walked in &witness.walked {
        let arrived = walked.exit.is_none().then(|| witness.outcome.to_string());
        // A step that only leads on may still say which key led on.
        let passed = || walked.exit.and_then(Exit::told);
        let what = arrived.or_else(|| walked.told()).or_else(passed).unwrap_or_default();
        line(&seconds(walked.begins()), walked.step.as_str(), &what);
    }
    if witness.outcome == Outcome::Over {
        line(&seconds(witness.at), "", &witness.outcome.to_string());
    }
    line(&format!("+ {}", seconds(MARGIN)), "", "margin");
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
        (Goal::FirstOffer.name(), proof.first_offer.as_ref(), false),
        (Goal::QualifiedOffer.name(), proof.qualified_offer.as_ref(), true),
        (Goal::End.name(), proof.end.as_ref(), false),
    ]
}

/// Rounded up: "6.8".
fn tenths(span: Duration) -> String {
    let tenths = span.as_micros().div_ceil(100_000);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// What the bound takes for granted, and what comes where it fails: one line a rung.
fn given_text(coverage: &Coverage) -> String {
    let Some(rung) = &coverage.rung else { return "      no rung asks for the qualification\n".to_owned() };
    let who = coverage.who.iter().map(|who| who.as_str()).collect::<Vec<_>>().join(" or ");
    let mut text = format!("      given that somebody {who} can be rung (rung {rung}); else\n");
    for later in &coverage.later {
        let _ = match later.within {
            Some(within) => writeln!(text, "        {} after {} s at the most", later.rung, seconds(within)),
            None => writeln!(text, "        {} when all before have been rung", later.rung),
        };
    }
    if coverage.later.is_empty() {
        text = text.replace("; else", "");
    }
    text
}

/// Each way past the analysts: "operator by key 9".
fn detours(detours: &[Detour]) -> Vec<String> {
    let way = |detour: &Detour| {
        let exit = detour.exit.and_then(|exit| exit.told());
        match (&detour.from, exit) {
            (Some(from), Some(exit)) => format!("{from} ({exit})"),
            (Some(from), None) => from.to_string(),
            (None, Some(exit)) => exit,
            (None, None) => "at once".to_owned(),
        }
    };
    detours.iter().map(|detour| format!("{} by {}", detour.to, way(detour))).collect()
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
        Stay::Passes | Stay::Speaks { .. } | Stay::Unpromised { .. } => (None, 1, 1),
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

//! What a plan declares, held against what was proved: over a limit it is refused, with the worst path as the reason.

use crate::diagnostic::{Diagnostic, Report};
use crate::ivr::Plan;
use crate::ivr::plan::Limit;
use crate::proof::{Bound, MARGIN, Proof, Witness, seconds};

/// Findings of one plan. It is sound when none of them is an error.
pub fn judge(plan: &Plan, proof: &Proof, report: &mut Report) {
    let limits = &plan.limits;
    let bounds = [
        (
            &proof.first_offer,
            &limits.first_offer,
            "first_offer_within",
            "the first offer may come",
            "ring sooner: ask less, or while phones ring",
        ),
        (
            &proof.qualified_offer,
            &limits.qualified_offer,
            "qualified_offer_within",
            "the first offer to somebody qualified may come",
            "ring analysts sooner, or begin their rung sooner",
        ),
        (
            &proof.end,
            &limits.end,
            "ends_within",
            "a call that reaches nobody may end",
            "give up sooner, or lead it to its end sooner",
        ),
    ];
    for (bound, limit, key, what, remedy) in bounds {
        if let Some(bound) = bound.as_ref().filter(|bound| !bound.holds()) {
            let enough = bound.within.as_micros().div_ceil(1_000_000);
            let remedy = format!("{remedy}; or, if it must be so, declare {key} = \"{enough}s\"");
            report.push(too_late(plan, bound, limit, what, &remedy));
        }
    }
    if let (Some(rung), None) = (&proof.coverage.rung, proof.coverage.within) {
        let what = format!("nothing bounds when rung `{rung}` begins, the first that asks for the qualification");
        let finding = Diagnostic::error(&plan.file, limits.qualified_offer.span.clone(), what)
            .why("it waits until everybody before it has let the phone ring")
            .remedy("give it `after`, less than `give_up_after`, or declare it first");
        report.push(finding);
    }
    if let Some(witness) = &proof.rings_nobody {
        let last = witness.walked.last().map_or(0..0, |walked| walked.span.clone());
        let finding = Diagnostic::error(&plan.file, last, "a call may end here, and nobody was rung");
        let finding = finding
            .why("a path that rings nobody is marked below; a callback rings nobody where there is no number to call")
            .remedy(
                "lead every way through an `alert` or a `transfer`, or ask for a callback number before it is booked",
            );
        report.push(told(plan, witness, finding));
    }
}

fn too_late(plan: &Plan, bound: &Bound, limit: &Limit, what: &str, remedy: &str) -> Diagnostic {
    let (within, most) = (seconds(bound.within), seconds(limit.within));
    let what = format!("{what} {within} s after the INVITE; the limit is {most} s");
    let why = format!("{} s of it are margin; the worst path is marked below", seconds(MARGIN));
    let finding = Diagnostic::error(&plan.file, limit.span.clone(), what).why(why);
    told(plan, &bound.witness, finding.remedy(remedy))
}

/// The steps that take time, each at its place, and where the path arrives.
fn told(plan: &Plan, witness: &Witness, mut finding: Diagnostic) -> Diagnostic {
    for walked in &witness.walked {
        let arrived = || walked.exit.is_none().then(|| witness.outcome.to_string());
        if let Some(what) = walked.told().or_else(arrived) {
            let label = format!("at {} s: {what}", seconds(walked.begins()));
            finding = finding.related(&plan.file, walked.span.clone(), label);
        }
    }
    finding
}

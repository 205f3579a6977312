//! The proof of the proof: thousands of plans, each walked by callers who do their worst, and by the witness itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::any_plan::{WILD, plan, prompts, text};
use super::caller::{Seen, adversary};
use super::replay::{is_exact, replay};
use crate::ivr::{Longest, Plan, Prompts};
use crate::proof::{Bound, MARGIN, Proof, prove};
use crate::time::{Duration, Instant};

const PLANS: u64 = 2_500;
const CALLERS: u64 = 25;

fn longest(prompts: &Prompts) -> Longest<'_> {
    Longest::new(prompts, &BTreeSet::new(), Some(4))
}

/// Without the margin and what the rungs add.
fn instant(bound: Option<&Bound>, more: Duration) -> Option<Instant> {
    bound.map(|bound| Instant::ZERO + (bound.within - MARGIN - more))
}

fn is_within(seen: Option<Instant>, bound: Option<Instant>) -> bool {
    seen.is_none_or(|seen| bound.is_some_and(|bound| seen <= bound))
}

fn no_later_than_proved(seen: Seen, proof: &Proof) -> bool {
    let delay = proof.coverage.within.expect("the standard ladder begins with the qualified");
    is_within(seen.offer, instant(proof.first_offer.as_ref(), Duration::ZERO))
        && is_within(seen.alert, instant(proof.qualified_offer.as_ref(), delay))
        && is_within(seen.over, instant(proof.end.as_ref(), Duration::ZERO))
}

/// Somebody was rung, or the caller has asked to be called; whoever rang had time to answer; and nobody is hung up on who
/// was neither booked nor told that no call back can be.
fn served(seen: Seen, proof: &Proof) -> bool {
    let reached = seen.offer.is_some() || seen.asked || proof.rings_nobody.is_some();
    !seen.hurried && (seen.over.is_none() || (reached && seen.promised))
}

#[test]
fn no_caller_outlasts_the_bounds() {
    let mut refused = 0;
    for (languages, spoken) in [(1, "en"), (2, "de")] {
        let prompts = prompts(languages);
        for seed in 0..PLANS {
            let Some(plan) = plan(seed, &prompts) else {
                refused += 1;
                continue;
            };
            let proof = prove(&plan, &longest(&prompts));
            for caller in 0..CALLERS {
                let seen = adversary(&plan, &prompts, spoken, seed << 32 | caller);
                assert!(
                    no_later_than_proved(seen, &proof) && served(seen, &proof),
                    "plan {seed}, caller {caller}: {seen:?}\n{proof:#?}\n{}",
                    text(seed)
                );
            }
        }
    }
    assert!(refused > PLANS / 10 && refused < 2 * PLANS / WILD, "{refused} refused");
}

type What = fn(&Seen) -> Option<Instant>;

fn attained(plan: &Arc<Plan>, prompts: &Arc<Prompts>, bound: &Bound, seen: What) -> bool {
    let longest = longest(prompts);
    if !is_exact(plan, &longest, &bound.witness) {
        return false;
    }
    let told = replay(plan, prompts, &longest, &bound.witness);
    assert_eq!(seen(&told), Some(Instant::ZERO + bound.witness.at), "{}", bound.witness);
    assert_eq!(bound.within, bound.witness.at + MARGIN);
    true
}

#[test]
fn every_witness_is_attained_to_the_microsecond() {
    let prompts = prompts(1);
    let (mut exact, mut all) = (0, 0);
    for seed in 0..PLANS {
        let Some(plan) = plan(seed, &prompts) else { continue };
        let proof = prove(&plan, &longest(&prompts));
        let wanted: [(_, What); 3] = [
            (&proof.first_offer, |seen| seen.offer),
            (&proof.qualified_offer, |seen| seen.alert),
            (&proof.end, |seen| seen.over),
        ];
        for (bound, seen) in wanted {
            if let Some(bound) = bound {
                all += 1;
                exact += u64::from(attained(&plan, &prompts, bound, seen));
            }
        }
        if let Some(witness) = &proof.rings_nobody {
            let seen = replay(&plan, &prompts, &longest(&prompts), witness);
            assert_eq!((seen.offer, seen.over), (None, Some(Instant::ZERO + witness.at)), "plan {seed}: {witness}");
        }
    }
    // What is left are paths that book one callback twice, or keep the caller busy until ringing has given up.
    assert!(exact * 5 > all * 4 && exact < all, "{exact} of {all}");
}

//! The figures of random days, beside the same figures computed from how the day was made: by HOTLINE's words, and by
//! nothing of the code that is judged.

use super::super::script::{Script, at, call, opened};
use super::super::*;
use super::*;

const HOUR: f64 = 3_600.0;
/// Calls begin within so many hours: repeats reach over 24 h and over 72 h.
const HOURS: u64 = 160;

struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What really happened to one caller.
struct Caller {
    number: u64,
    begins: f64,
    unit: u64,
    system: u64,
    told: bool,
    test: bool,
    way: Way,
    says: Option<DispositionCode>,
    owners: u64,
    hold: Option<(f64, f64)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Seconds until an analyst's voice.
    Helped(f64),
    /// Left after so long.
    Left(f64),
    /// Left, and was owed a call back: its first word, if it came.
    Owed(f64, Option<f64>),
    /// Nobody came; the desk ended it.
    Ended(f64),
}

fn drawn(rng: &mut Rng, number: u64) -> Caller {
    let seconds = |rng: &mut Rng, most: u64| rng.below(most * 10) as f64 / 10.0 + 0.3;
    let way = match rng.below(10) {
        0..=3 => Way::Helped(seconds(rng, 15)),
        4 => Way::Helped(seconds(rng, 200)),
        5 | 6 => Way::Left(seconds(rng, 12)),
        7 | 8 => Way::Owed(seconds(rng, 100), rng.chance(60).then(|| 300.0 + seconds(rng, 500))),
        _ => Way::Ended(seconds(rng, 120)),
    };
    let heard = matches!(way, Way::Helped(_) | Way::Owed(_, Some(_)));
    let codes = [DispositionCode::Solved, DispositionCode::Open, DispositionCode::NotForUs, DispositionCode::Test];
    Caller {
        number,
        begins: rng.below(HOURS * 36_000) as f64 / 10.0,
        unit: rng.below(6),
        system: rng.below(2),
        told: rng.chance(20),
        test: rng.chance(5),
        says: (heard && rng.chance(60)).then(|| codes[usize::try_from(rng.below(4)).expect("below four")]),
        owners: 1 + u64::from(matches!(way, Way::Helped(_)) && rng.chance(15)),
        hold: (matches!(way, Way::Helped(_)) && rng.chance(20))
            .then(|| (1.0 + rng.below(80) as f64, 1.0 + rng.below(40) as f64)),
        way,
    }
}

/// The records of it, as the desk would write them.
fn write(script: &mut Script, caller: &Caller) {
    let Caller { number, begins, .. } = *caller;
    let opening = CallOpened { test: caller.test, ..opened(number) };
    script.push(begins, Some(call(number)), Event::CallOpened(opening));
    script.on(number).from(begins, &format!("unit-{}", caller.unit), &format!("system-{}", caller.system));
    if caller.told {
        let incident = crate::ids::IncidentId(1);
        script.event(begins + 0.1, Event::IncidentTold { incident, note: String::new() });
    }
    match caller.way {
        Way::Helped(wait) => {
            let heard = begins + wait;
            script.helped(heard, number * 10, "ada");
            if let Some((after, lasts)) = caller.hold {
                script.event(heard + after, Event::Held { by: Party::Analyst });
                script.event(heard + after + lasts, Event::Resumed { by: Party::Analyst });
            }
            if caller.owners == 2 {
                let (offer, analyst) = (crate::ids::OfferId(number * 10 + 1), "ben".into());
                script.event(heard + 200.0, Event::AnalystAnswered { offer, analyst });
            }
            script.ended(heard + 300.0, HangupCause::Normal, Party::Caller);
        }
        Way::Left(after) => {
            script.ended(begins + after, HangupCause::Abandoned, Party::Caller);
        }
        Way::Owed(after, word) => {
            script.booked(begins + after, begins + after + 20.0, CallbackReason::Abandoned);
            script.ended(begins + after, HangupCause::Abandoned, Party::Caller);
            if let Some(word) = word {
                script.helped(begins + word, number * 10, "ada");
                script.event(
                    begins + word + 60.0,
                    Event::CallbackAttempted { attempt: 1, outcome: CallbackOutcome::BothSpoke },
                );
                script.event(begins + word + 60.0, Event::CallbackClosed);
            }
        }
        Way::Ended(after) => {
            script.ended(begins + after, HangupCause::PlanEnded, Party::Desk);
        }
    }
    if let Some(code) = caller.says {
        script.disposition(begins + 2_000.0, "ada", code, None);
    }
}

fn rounded(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| (part as f64 * 1_000.0 / whole as f64).round() / 10.0)
}

fn left_out(caller: &Caller) -> bool {
    caller.test || matches!(caller.says, Some(DispositionCode::NotForUs | DispositionCode::Test))
}

/// How long before it the nearest call with the same trouble came, in hours; `None`: none within 72.
fn repeats_after(caller: &Caller, all: &[&Caller]) -> Option<f64> {
    let gap = |other: &&&Caller| (caller.begins - other.begins) / HOUR;
    let same = |other: &&&Caller| (other.unit, other.system) == (caller.unit, caller.system);
    let gaps = all.iter().filter(same).map(|other| gap(&other)).filter(|gap| *gap > 0.0 && *gap < 72.0);
    gaps.reduce(f64::min)
}

/// How many of them it holds for.
fn of(counted: &[&Caller], holds: impl Fn(&Caller) -> bool) -> usize {
    counted.iter().filter(|caller| holds(caller)).count()
}

/// Long waits and callbacks stay in, as failures.
fn expect_waits(human: &SecondsToHuman, counted: &[&Caller], seed: u64) {
    let wait = |caller: &&Caller| match caller.way {
        Way::Helped(wait) => Some(wait),
        Way::Owed(_, word) => Some(word.unwrap_or(f64::INFINITY)),
        Way::Left(after) | Way::Ended(after) => (after > 90.0).then_some(f64::INFINITY),
    };
    let mut waits: Vec<f64> = counted.iter().filter_map(wait).collect();
    waits.sort_by(f64::total_cmp);
    assert_eq!(human.calls, waits.len(), "seed {seed}");
    for (shown, tenths) in [(human.p50, 5), (human.p90, 9), (human.max, 10)] {
        let rank = (waits.len() * tenths).div_ceil(10).max(1);
        let near = match (shown, waits.get(rank - 1)) {
            (Some(Wait::Seconds(shown)), Some(wait)) => (shown - wait).abs() < 0.001,
            (Some(Wait::Never), Some(wait)) => wait.is_infinite(),
            (shown, wait) => shown.is_none() && wait.is_none(),
        };
        assert!(near, "seed {seed}: {shown:?} is not rank {rank} of {waits:?}");
    }
    let failed = |caller: &Caller| match caller.way {
        Way::Helped(wait) | Way::Left(wait) | Way::Ended(wait) => wait > 90.0,
        Way::Owed(..) => true,
    };
    assert_eq!(human.failures, of(counted, failed), "seed {seed}");
    assert_eq!(human.within_10_s, waits.iter().filter(|wait| **wait <= 10.0).count(), "seed {seed}");
}

/// A callback takes nobody out of the count of those who left.
fn expect_left(report: &Report, counted: &[&Caller], seed: u64) {
    let left = |caller: &Caller| matches!(caller.way, Way::Left(_) | Way::Owed(..));
    let brief = |caller: &Caller| match caller.way {
        Way::Left(after) | Way::Owed(after, _) | Way::Ended(after) => after < 5.0,
        Way::Helped(_) => false,
    };
    let (gone, briefly) = (of(counted, left), of(counted, |caller| left(caller) && brief(caller)));
    let shown = &report.abandonment;
    assert_eq!((shown.abandoned, shown.rate), (gone, rounded(gone, counted.len())), "seed {seed}");
    assert_eq!(shown.rate_without_short, rounded(gone - briefly, counted.len() - of(counted, brief)), "seed {seed}");
    let owed = of(counted, |caller| matches!(caller.way, Way::Owed(..)));
    let spoke = of(counted, |caller| matches!(caller.way, Way::Owed(_, Some(_))));
    assert_eq!((report.callbacks.booked, report.callbacks.done), (owed, spoke), "seed {seed}");
}

fn expect_repeats(report: &Report, counted: &[&Caller], seed: u64) {
    let within = |hours: f64, told: bool| {
        of(counted, |caller| caller.told == told && repeats_after(caller, counted).is_some_and(|gap| gap < hours))
    };
    let again = &report.repeats;
    let expected = (within(24.0, false), within(72.0, false), within(72.0, true));
    assert_eq!((again.within_24_h, again.within_72_h, again.of_incidents), expected, "seed {seed}");
    let returned = |caller: &Caller| {
        let later = |other: &Caller| (0.0..72.0).contains(&((other.begins - caller.begins) / HOUR));
        let same = |other: &Caller| (other.unit, other.system) == (caller.unit, caller.system);
        counted.iter().any(|other| other.number != caller.number && same(other) && later(other))
    };
    let heard = |caller: &Caller| matches!(caller.way, Way::Helped(_) | Way::Owed(_, Some(_)));
    let solved = |caller: &Caller| {
        heard(caller) && caller.owners == 1 && caller.says != Some(DispositionCode::Open) && !returned(caller)
    };
    let first = &report.first_contact;
    assert_eq!((first.calls, first.resolved), (of(counted, heard), of(counted, solved)), "seed {seed}");
}

#[test]
fn random_days_have_the_figures_that_their_making_says() {
    for seed in 0..300 {
        let mut rng = Rng(seed);
        let callers: Vec<Caller> = (1..=40).map(|number| drawn(&mut rng, number)).collect();
        let mut script = Script::new();
        callers.iter().for_each(|caller| write(&mut script, caller));
        script.records.sort_by_key(|record| record.at);
        let tickets: Vec<Ticket> = fold(&script.records).into_values().collect();
        let period = Period { from: at(0.0), to: at(HOURS as f64 * HOUR) };
        let report = figures(&tickets, period, None, at(1_000.0 * HOUR));
        let counted: Vec<&Caller> = callers.iter().filter(|caller| !left_out(caller)).collect();
        expect_waits(&report.seconds_to_human, &counted, seed);
        expect_left(&report, &counted, seed);
        expect_repeats(&report, &counted, seed);
        let held = |caller: &&Caller| caller.hold.map_or(0.0, |(after, lasts)| (60.0 - after).clamp(0.0, lasts));
        let total: f64 = counted.iter().map(held).sum();
        assert!((report.hold.total_s - total).abs() < 0.001, "seed {seed}: {} not {total}", report.hold.total_s);
        let listed: usize = report.exclusions.iter().map(|exclusion| exclusion.tickets.len()).sum();
        assert_eq!((report.tickets, listed), (callers.len(), callers.len() - counted.len()), "seed {seed}");
    }
}

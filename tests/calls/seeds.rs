//! Ten thousand random days of the desk. Each seed makes its own phones, network, callers and accidents; after each the
//! invariants must hold. A failing seed prints itself; `WARDLINE_SEED=n cargo test --test calls seeds` tells its story.

use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use wardline::config::Config;
use wardline::ids::{AnalystId, OfferId};
use wardline::sip::Transport;
use wardline::switch::Command;
use wardline::ticket::{AnalystStateRecord, Event};

use crate::phone::{Hold, Pickup, Timed};
use crate::publishes::other_plan;
use crate::setting::desk_with;
use crate::world::{Act, EVERYBODY, Fault, Net, Rng, World};

/// Overridden by WARDLINE_SEEDS.
const SEEDS: u64 = 10_000;
/// Failures that are told; one cause breaks many seeds.
const MAX_TOLD: usize = 5;
/// Calls begin within this time, and everything a script does happens within twice that.
const BUSY_MS: u64 = 30_000;

const CALLERS: [&str; 7] = ["4710", "4711", "4712", "5310", "7741", "5100", "outside"];
const ANALYSTS: [&str; 9] = ["ana", "ben", "cho", "dev", "eva", "finn", "gus", "hal", "ivy"];

#[test]
#[allow(clippy::disallowed_methods)] // Measures; nothing is decided by it.
fn seeds() {
    if let Some(seed) = number("WARDLINE_SEED") {
        let mut world = play(seed);
        world.expect_quiet();
        let _ = write!(std::io::stdout(), "{}", world.story());
        return;
    }
    let mut failed = Vec::new();
    let mut told = String::new();
    let (begun, seeds) = (Instant::now(), number("WARDLINE_SEEDS").unwrap_or(SEEDS));
    for seed in 0..seeds {
        if let Err(why) = catch_unwind(AssertUnwindSafe(|| play(seed).expect_quiet())) {
            if failed.len() < MAX_TOLD {
                let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
                let last: Vec<&str> = why.lines().rev().take_while(|line| !line.starts_with("-- status")).collect();
                let _ = writeln!(told, "seed {seed}: {}", last.into_iter().rev().collect::<Vec<_>>().join("; "));
            }
            failed.push(seed);
        }
    }
    let _ = writeln!(std::io::stderr(), "{seeds} seeds took {:.1} s", begun.elapsed().as_secs_f64());
    assert!(failed.is_empty(), "{} seeds break an invariant: {failed:?}\n{told}", failed.len());
}

/// The invariant itself: a phone that rings on after its offer ended is found.
#[test]
fn a_phone_that_rings_on_after_its_offer_is_told() {
    let mut world = World::new(&["ana"]);
    world.dial("4710");
    world.run_to(1_000);
    let sent = world.events().find_map(|(_, event)| {
        let Event::OfferSent { offer, .. } = event else { return None };
        Some(*offer)
    });
    let (ana, offer) = (AnalystId::new("ana"), sent.expect("an offer"));
    world.expect_hush(&ana, OfferId(0));
    assert_eq!(world.offers.faults, Vec::<String>::new(), "it rings for a later offer");
    world.expect_hush(&ana, offer);
    assert_eq!(std::mem::take(&mut world.offers.faults).len(), 1);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// One day: everything is drawn from the seed before it begins, but for what the network does.
fn play(seed: u64) -> World {
    let mut rng = Rng::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let signed_in: Vec<&str> = EVERYBODY.into_iter().filter(|_| rng.chance(65)).collect();
    let mut world = World::seeded(seed, &signed_in);
    world.net = net(&mut rng);
    for analyst in ANALYSTS {
        let pickup = pickup(&mut rng);
        world.pickup(analyst, pickup);
    }
    let operator = if rng.chance(50) { Pickup::Answers(1_500) } else { Pickup::Rings };
    world.pickup("4000", operator);
    let target = pickup(&mut rng);
    world.pickup("4780", target);
    for _ in 0..rng.range(1, 4) {
        call(&mut world, &mut rng);
    }
    for analyst in ANALYSTS {
        analysts_day(&mut world, &mut rng, analyst);
    }
    accidents(&mut world, &mut rng);
    world.run_to(2 * BUSY_MS);
    world
}

fn net(rng: &mut Rng) -> Net {
    let lossy = rng.chance(60);
    let percent = |rng: &mut Rng, most: u64| if lossy { rng.range(0, most) } else { 0 };
    let (loss_percent, copy_percent) = (percent(rng, 20), percent(rng, 15));
    let spread = if rng.chance(30) { rng.range(2, 200) } else { rng.range(2, 12) };
    Net { loss_percent, copy_percent, delay: (1, 1 + spread), reserve_delay: (0, 30) }
}

fn pickup(rng: &mut Rng) -> Pickup {
    match rng.range(0, 20) {
        0..=7 => Pickup::Answers(rng.range(0, 9_000)),
        8 => Pickup::AnswersReliably(rng.range(0, 9_000)),
        9 => Pickup::AnswersEarly(rng.range(0, 5_000)),
        10..=12 => Pickup::Rings,
        13..=15 => Pickup::Refuses(*rng.pick(&[404, 408, 480, 486, 500, 503, 600, 603]), rng.range(0, 4_000)),
        16 => Pickup::Redirects(vec!["sip:elsewhere@10.0.9.9".to_owned(), "sip:desk@10.0.0.10".to_owned()]),
        17 | 18 => Pickup::Dead,
        _ => Pickup::Gone,
    }
}

/// A caller dials, perhaps presses keys, and hangs up at any instant.
fn call(world: &mut World, rng: &mut Rng) {
    let name = *rng.pick(&CALLERS);
    let phone = world.index(name);
    let begin = rng.range(0, BUSY_MS);
    world.at(begin, Act::Dial { phone, number: "7100".to_owned(), sdp: !rng.chance(15) });
    for _ in 0..rng.range(0, 4) {
        let key = char::from(*rng.pick(b"0123459*#"));
        let at = begin + rng.range(0, 15_000);
        let by_info = rng.chance(20);
        world.at(at, if by_info { Act::Info { phone, key } } else { Act::Press { phone, key } });
    }
    let patience = match rng.range(0, 10) {
        0..=2 => rng.range(0, 1_500),
        3..=5 => rng.range(0, 20_000),
        6 => 2 * BUSY_MS,
        _ => BUSY_MS,
    };
    world.at(begin + patience, Act::HangUp { phone });
    if rng.chance(15) {
        hold(world, rng, phone, begin);
    }
    if rng.chance(10) {
        world.phones[phone].acks = false;
    }
    timed(world, rng, phone);
    if rng.chance(5) {
        world.at(begin + rng.range(0, 20_000), Act::Pickup { phone, pickup: Pickup::Dead });
    }
    if rng.chance(15) {
        world.phones[phone].transport = Transport::Tcp;
        if rng.chance(30) {
            world.at(begin + rng.range(0, 20_000), Act::CloseStream { phone });
        }
    }
    // A callback may reach this phone later.
    world.phones[phone].pickup = pickup(rng);
    if matches!(world.phones[phone].pickup, Pickup::Dead | Pickup::Gone) {
        world.phones[phone].pickup = Pickup::Rings;
    }
}

fn hold(world: &mut World, rng: &mut Rng, phone: usize, begin: u64) {
    let at = begin + rng.range(1_000, 15_000);
    let hold = *rng.pick(&[Hold::SendOnly, Hold::Inactive, Hold::ZeroAddress]);
    world.at(at, Act::Reinvite { phone, hold });
    world.at(at + rng.range(1, 5_000), Act::Reinvite { phone, hold: Hold::No });
}

/// Some phones keep session timers (RFC 4028), the shortest of which run out within the day.
fn timed(world: &mut World, rng: &mut Rng, phone: usize) {
    if rng.chance(25) {
        let interval = *rng.pick(&[60, 90, 90, 90, 1_800]);
        let least = *rng.pick(&[60, 90, 90, 3_600]);
        let (refreshes, forgets, updates) = (rng.chance(50), rng.chance(20), rng.chance(50));
        world.phones[phone].timed = Some(Timed { interval, least, refreshes, forgets, updates });
    }
}

/// Analysts press keys, hold, transfer, hang up, and phones break.
fn analysts_day(world: &mut World, rng: &mut Rng, name: &str) {
    let phone = world.index(name);
    timed(world, rng, phone);
    for _ in 0..rng.range(0, 5) {
        let at = rng.range(0, 2 * BUSY_MS);
        let act = match rng.range(0, 10) {
            0..=3 => Act::Press { phone, key: *rng.pick(&['1', '2']) },
            4 | 5 => Act::HangUp { phone },
            6 => Act::Refer { phone, to: (*rng.pick(&["4000", "4780", "911", "4710"])).to_owned() },
            7 => Act::Reinvite { phone, hold: *rng.pick(&[Hold::SendOnly, Hold::No]) },
            8 => Act::Pickup { phone, pickup: pickup(rng) },
            _ => Act::Pickup { phone, pickup: Pickup::Dead },
        };
        world.at(at, act);
    }
}

thread_local! {
    /// The same people and numbers; plans and rungs differ.
    static VERSIONS: [Arc<Config>; 2] = [desk_with(&[]), other_plan()];
}

/// What befalls the desk as a whole.
fn accidents(world: &mut World, rng: &mut Rng) {
    let at = rng.range(0, BUSY_MS);
    match rng.range(0, 14) {
        0 => world.at(at, Act::Command(Command::Drain { actor: "test".to_owned() })),
        1 => world.at(at, Act::Command(Command::HangUpAll { actor: "test".to_owned() })),
        2 | 3 => {
            let state =
                *rng.pick(&[AnalystStateRecord::SignedOut, AnalystStateRecord::Available, AnalystStateRecord::Paused]);
            let analyst = AnalystId::new(rng.pick::<&str>(&EVERYBODY));
            let set = Command::SetAnalystState { analyst, state, actor: "test".to_owned(), reason: None };
            world.at(at, Act::Command(set));
        }
        4 => {
            world.leases_refused.insert(AnalystId::new(rng.pick::<&str>(&EVERYBODY)));
        }
        5 => world.mute_queries = true,
        6 | 7 => world.journal_ms = rng.range(1, 400),
        8 => world.journal_stuck = true,
        9 | 10 => {
            let versions = VERSIONS.with(|versions| versions.clone());
            for number in 0..rng.range(1, 6) {
                let config = Arc::clone(rng.pick(&versions));
                world.at(at + number * rng.range(0, 4_000), Act::Publish(config));
            }
        }
        11 | 12 => world.at(at, Act::Break(*rng.pick(&[Fault::AtOnce, Fault::WithAPort]))),
        _ => {}
    }
}

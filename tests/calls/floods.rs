//! Floods of strangers, with forged sources and with their own: what they take is bounded, calls and phones go on.

use wardline::sip::Transport;

use crate::phone::Pickup;
use crate::raw::{Hand, Raw, header, status};
use crate::world::{Seen, World};

/// The home of the user zoe, who is not registered at the start.
const ZOE_AT: &str = "10.0.3.21:5060";
/// The phone of the analyst cho, which is.
const CHO_AT: &str = "10.0.2.3:5060";

/// A REGISTER with credentials that nobody asked for, number `n` of its kind.
fn junk(source: &str, user: &str, n: usize) -> Raw {
    let mut raw = Raw::new("REGISTER", &format!("junk-{n}"), source);
    raw.uri = "sip:desk.test".to_owned();
    raw.from = format!("<sip:{user}@desk.test>;tag=r");
    raw.to = format!("<sip:{user}@desk.test>");
    raw.line(&format!(
        "Authorization: Digest username=\"{user}\", realm=\"desk.test\", nonce=\"{n:058x}\", uri=\"sip:desk.test\", \
         response=\"{:064x}\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\"",
        0
    ));
    raw
}

/// Sends `per_second` of what `make` gives, evenly, for so many seconds; what was seen of it is forgotten each second.
fn flood(world: &mut World, seconds: usize, per_second: usize, mut make: impl FnMut(usize) -> Raw) -> Flooded {
    let mut flooded = Flooded::default();
    for second in 0..seconds {
        for n in 0..per_second {
            let raw = make(second * per_second + n);
            world.send_raw(&raw.source, raw.transport, raw.text());
            let answers = std::mem::take(&mut world.seen);
            flooded.answers += answers.iter().filter(|(_, seen)| matches!(seen, Seen::Sent { .. })).count();
        }
        world.run(1_000);
        flooded.most_transactions = flooded.most_transactions.max(world.status().transactions);
    }
    flooded
}

#[derive(Default)]
struct Flooded {
    answers: usize,
    most_transactions: usize,
}

fn is_answered(world: &mut World) {
    world.pickup("ana", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(3_000);
    assert_eq!(world.joined().last().map(|(_, who)| who.clone()), Some("4710 = ana".to_owned()), "as ever");
    world.hang_up("4710");
}

#[test]
fn c50_a_flood_of_made_up_credentials_takes_no_transactions_and_calls_go_on() {
    let mut world = World::new(&["ana"]);
    // 28,800 from as many sources, in as long as a transaction over UDP lasts.
    let forged = |n: usize| format!("198.{}.{}.{}:5060", 18 + n / 65_536, n / 256 % 256, n % 256);
    let flooded = flood(&mut world, 32, 900, |n| junk(&forged(n), "zoe", n));
    assert!(flooded.most_transactions <= 10, "{}", flooded.most_transactions);
    // 3,000 in 10 s, in at most four such windows and the one that had begun.
    assert!((3_000..=15_000).contains(&flooded.answers), "{}", flooded.answers);
    is_answered(&mut world);
    world.expect_quiet();
}

#[test]
fn c50_a_flood_with_a_phones_address_takes_no_transactions_either() {
    let mut world = World::new(&["ana", "cho"]);
    let flooded = flood(&mut world, 10, 900, |n| junk(CHO_AT, "cho", n));
    assert!(flooded.most_transactions <= 10, "{}", flooded.most_transactions);
    is_answered(&mut world);
    world.expect_quiet();
}

#[test]
fn c50_a_source_that_was_challenged_and_guesses_gets_few_transactions() {
    let mut world = World::new(&["ana"]);
    let source = "203.0.113.9:5060";
    let mut first = junk(source, "zoe", 0);
    first.lines = String::new();
    let challenge = first.send(&mut world);
    let nonce = header(&challenge, "WWW-Authenticate").split('"').nth(3).expect("a nonce").to_owned();
    let flooded = flood(&mut world, 10, 900, |n| {
        let mut raw = junk(source, &format!("user{n}"), n + 1);
        raw.lines = raw.lines.replace(&format!("{:058x}", n + 1), &nonce);
        raw
    });
    // Twenty guesses, then a lock.
    assert!(flooded.most_transactions <= 50, "{}", flooded.most_transactions);
    is_answered(&mut world);
    world.expect_quiet();
}

#[test]
fn c50_copies_of_a_register_without_a_transaction_get_the_same_tag() {
    let mut world = World::new(&["ana"]);
    let raw = junk("203.0.113.9:5060", "zoe", 1);
    let (one, two) = (raw.send(&mut world), raw.send(&mut world));
    assert_eq!((status(&one), status(&two)), (401, 401));
    assert_eq!(header(&one, "To"), header(&two, "To"));
    assert!(header(&one, "To").contains(";tag="), "{one}");
    let other = junk("203.0.113.9:5060", "zoe", 2).send(&mut world);
    assert_ne!(header(&one, "To"), header(&other, "To"));
    assert_eq!(world.status().transactions, 0);
    world.expect_quiet();
}

#[test]
fn c45_nobody_is_locked_out_by_credentials_with_nonces_that_were_never_given() {
    let mut world = World::new(&["ana", "cho"]);
    for n in 0..100 {
        for (source, user) in [(ZOE_AT, "zoe"), (CHO_AT, "cho"), ("203.0.113.9:5060", "zoe")] {
            let raw = junk(source, user, n);
            world.send_raw(&raw.source, Transport::Udp, raw.text());
        }
    }
    // A nonce that was given to somebody else is as good as none.
    let mut zoe = Hand::new("zoe", "secret-zoe", "203.0.113.10:5060");
    zoe.call_id = "elsewhere".to_owned();
    let mut asks = junk(&zoe.source, "zoe", 200);
    asks.lines = String::new();
    zoe.learn(&asks.send(&mut world));
    zoe.password = "guess".to_owned();
    ZOE_AT.clone_into(&mut zoe.source);
    for _ in 0..30 {
        assert_eq!(status(&zoe.register(&mut world, "zoe", &[])), 401);
    }
    assert_eq!(world.counter("registration_locked"), 0);
    world.run(10_000);
    let mut zoe = Hand::new("zoe", "secret-zoe", ZOE_AT);
    assert_eq!(status(&zoe.register(&mut world, "zoe", &["Contact: <sip:zoe@10.0.3.21>"])), 200);
    let mut cho = Hand::new("cho", "secret-cho", CHO_AT);
    assert_eq!(status(&cho.register(&mut world, "cho", &["Contact: <sip:cho@10.0.2.3>"])), 200);
    world.expect_quiet();
}

#[test]
fn c45_a_phone_that_is_registered_stays_when_its_address_is_locked() {
    let mut world = World::new(&["ana", "cho"]);
    for n in 0..20 {
        let name = format!("user{n}");
        assert_eq!(status(&Hand::new(&name, "guess", CHO_AT).register(&mut world, &name, &[])), 401);
    }
    assert_eq!(world.counter("registration_locked"), 1);
    let mut zoe = Hand::new("zoe", "secret-zoe", CHO_AT);
    assert_eq!(status(&zoe.register(&mut world, "zoe", &["Contact: <sip:zoe@10.0.2.3>"])), 403, "who comes anew waits");
    let mut cho = Hand::new("cho", "secret-cho", CHO_AT);
    assert_eq!(status(&cho.register(&mut world, "cho", &["Contact: <sip:cho@10.0.2.3>"])), 200, "who was there stays");
    world.expect_quiet();
}

#[test]
fn c45_locks_beyond_sixty_in_a_minute_are_counted_and_not_written() {
    let mut world = World::new(&["ana"]);
    for n in 0..100 {
        let mut hand = Hand::new(&format!("user{n}"), "guess", &format!("203.0.113.{n}:5060"));
        for _ in 0..5 {
            let response = hand.register(&mut world, &format!("user{n}"), &[]);
            assert_eq!(status(&response), 401);
            hand.learn(&response);
        }
    }
    let rows = |world: &World| {
        let is_lock = |record: &&wardline::ticket::Record| matches!(&record.event, wardline::ticket::Event::Audit { actor, .. } if actor == "registrar");
        world.records.iter().filter(is_lock).count()
    };
    assert_eq!((world.counter("registration_locked"), rows(&world)), (100, 60));
    world.run(60_000);
    let mut hand = Hand::new("late", "guess", "203.0.113.200:5060");
    for _ in 0..5 {
        let response = hand.register(&mut world, "late", &[]);
        hand.learn(&response);
    }
    assert_eq!((world.counter("registration_locked"), rows(&world)), (101, 61));
    world.expect_quiet();
}

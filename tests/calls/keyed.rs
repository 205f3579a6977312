//! Numbers that callers key: PINs and their locks (line F76), ticket numbers, numbers to call back at.

use std::sync::Arc;

use wardline::config::Config;
use wardline::identity::{Confidence, Source, Suspect};
use wardline::ids::{AnalystId, ClinicianId, HospitalId, TicketNumber};
use wardline::switch::{Command, Reply};
use wardline::ticket::{CallbackReason, CallbackState, Event, Party, Ticket};
use wardline::time::Duration;

use crate::phone::{Phone, Pickup};
use crate::restart::killed;
use crate::setting::{SAMPLE, desk_with};
use crate::world::{DESK, PBX, World};

const BADGE: &str = "204170";
const PIN: &str = "274913";

/// Phones ring; meanwhile badge and PIN are asked for.
const VERIFY: &str = r#"
name = "hotline"
start = "ring"
person = "ring"
operator = "operator"
ends_within = "200s"

[steps.ring]
type = "alert"
next = "badge"

[steps.badge]
type = "collect"
number = "badge"
digits = 6
say = ["key-badge"]
accepted = "pin"
rejected = "refused"
silence = "connect"

[steps.pin]
type = "collect"
number = "pin"
digits = 6
say = ["key-pin"]
accepted = "verified"
rejected = "refused"
silence = "connect"

[steps.verified]
type = "play"
say = ["thank-you"]
next = "connect"

[steps.refused]
type = "play"
say = ["not-taken"]
next = "connect"

[steps.connect]
type = "connect"
give_up = "nobody"

[steps.nobody]
type = "callback"
cause = "nobody-free"
say = ["we-will-call"]

[steps.operator]
type = "transfer"
target = "operator"
say = ["connecting-operator"]
no_answer = "nobody"
"#;

fn key(world: &mut World, phone: &str, keys: &str) {
    for key in keys.chars() {
        world.press(phone, key);
        world.run(100);
    }
}

fn words(world: &World, phone: &str) -> Vec<String> {
    let spoken = world.heard(phone).into_iter().map(|(_, words)| words);
    spoken.filter(|words| words.starts_with('"')).collect()
}

/// A call that keys both, and is put down. What was heard after the PIN.
fn call(world: &mut World, phone: &str, badge: &str, pin: &str) -> String {
    world.seen.clear();
    world.dial(phone);
    world.run(2_000);
    key(world, phone, badge);
    key(world, phone, pin);
    world.run(2_000);
    let heard = words(world, phone).pop().unwrap_or_else(|| panic!("nothing is said to {phone}:\n{}", world.ladder()));
    world.hang_up(phone);
    world.run(3_000);
    heard
}

const RIGHT: &str = "\"Thank you.\"";
const REFUSED: &str = "\"That was not accepted.\"";

fn rao() -> Suspect {
    Suspect::Person(ClinicianId::new("anika-rao"))
}

/// When locks began, by suspect.
fn locks(world: &World) -> Vec<(Suspect, u32)> {
    let mut locks = Vec::new();
    for (_, event) in world.events() {
        if let Event::WrongCounted(tally) = event
            && tally.locked_until.is_some()
        {
            locks.push((tally.suspect.clone(), tally.locks));
        }
    }
    locks
}

fn audits(world: &World) -> Vec<String> {
    let mut audits = Vec::new();
    for record in &world.records {
        if let Event::Audit { actor, action, object, .. } = &record.event {
            audits.push(format!("{actor}: {action}: {object}"));
        }
    }
    audits
}

fn last_ticket(world: &World) -> Ticket {
    world.tickets().into_values().max_by_key(|ticket| ticket.number).expect("a ticket")
}

/// Another calling number behind the PBX.
fn another_phone(world: &mut World, number: &str) {
    let address = |text: &str| text.parse().expect("an address");
    world.phones.push(Phone::new(number, number, address(PBX), address(DESK)));
}

#[test]
fn the_right_pin_verifies_the_person_whose_badge_was_keyed() {
    let mut world = World::planned(VERIFY, &["ana"]);
    assert_eq!(call(&mut world, "4710", BADGE, PIN), RIGHT);
    let person = last_ticket(&world).caller.and_then(|caller| caller.person).expect("a person");
    assert_eq!(
        (person.value.as_str(), person.confidence, person.source),
        ("anika-rao", Confidence::Verified, Source::Pin)
    );
    assert_eq!(call(&mut world, "4710", BADGE, "274914"), REFUSED);
    let person = last_ticket(&world).caller.and_then(|caller| caller.person).expect("a person");
    assert_eq!(person.confidence, Confidence::Claimed);
    // Somebody who has no PIN has none that is right.
    assert_eq!(call(&mut world, "4710", "318205", PIN), REFUSED);
}

#[test]
fn f76_five_wrong_pins_lock_the_person_across_calls_and_the_right_one_is_refused_likewise() {
    let mut world = World::planned(VERIFY, &["ana"]);
    for wrong in ["111222", "111223", "111224", "111225", "111226"] {
        assert_eq!(call(&mut world, "4710", BADGE, wrong), REFUSED);
    }
    assert_eq!(locks(&world), [(rao(), 1)]);
    assert!(
        audits(&world).contains(&"lockout: lock for 900 s after 5 wrong PINs: person anika-rao of harbor".to_owned())
    );
    // During the lock the right PIN takes the very way of a wrong one: the same records, the same words.
    let kinds = |world: &World| -> Vec<String> {
        let ticket = last_ticket(world);
        let kinds = ticket.timeline.iter().map(|line| format!("{} {}", line.kind, line.text));
        let own = |kind: &String| !kind.starts_with("call-opened") && !kind.starts_with("route-decided");
        kinds.filter(own).collect()
    };
    assert_eq!(call(&mut world, "4710", BADGE, "999999"), REFUSED);
    let wrong = kinds(&world);
    assert_eq!(call(&mut world, "4710", BADGE, PIN), REFUSED);
    assert_eq!(kinds(&world), wrong);
    let ticket = last_ticket(&world);
    assert!(
        ticket.timeline.iter().any(|line| line.text == "Keyed number not accepted (pin)."),
        "{:?}",
        ticket.timeline
    );
    assert_eq!(locks(&world).len(), 1, "nothing is counted during a lock");
    // It ends by itself.
    world.run(900_000);
    assert_eq!(call(&mut world, "4710", BADGE, PIN), RIGHT);
}

#[test]
fn f76_wrong_pins_are_counted_whatever_number_they_come_from() {
    let mut world = World::planned(VERIFY, &["ana"]);
    for (phone, wrong) in [("4710", "1"), ("4711", "2"), ("5310", "3"), ("outside", "4"), ("7741", "5")] {
        assert_eq!(call(&mut world, phone, BADGE, &format!("11122{wrong}")), REFUSED);
    }
    assert_eq!(locks(&world), [(rao(), 1)]);
    assert_eq!(call(&mut world, "4712", BADGE, PIN), REFUSED, "from a number that has tried nothing");
}

#[test]
fn f76_the_right_pin_forgets_the_wrong_ones_before_it() {
    let mut world = World::planned(VERIFY, &["ana"]);
    for _ in 0..3 {
        for wrong in ["111222", "111223", "111224", "111225"] {
            assert_eq!(call(&mut world, "4710", BADGE, wrong), REFUSED);
        }
        assert_eq!(call(&mut world, "4710", BADGE, PIN), RIGHT);
    }
    assert_eq!(locks(&world), []);
}

#[test]
fn f76_twenty_calls_at_once_get_five_tries_together() {
    let mut world = World::planned(VERIFY, &["ana"]);
    let phones: Vec<String> = (0..20).map(|number| format!("{}", 4750 + number)).collect();
    for phone in &phones {
        another_phone(&mut world, phone);
        world.dial(phone);
        world.run(10);
    }
    world.run(2_000);
    // All but the last digit; nineteen will be wrong, and the last caller's right.
    for place in 0..11 {
        for (number, phone) in phones.iter().enumerate() {
            let pin = if number == 19 { PIN } else { "583037" };
            let keys: Vec<char> = BADGE.chars().chain(pin.chars()).collect();
            world.press(phone, keys[place]);
        }
        world.run(100);
    }
    world.seen.clear();
    let judged = world.records.len();
    for (number, phone) in phones.iter().enumerate() {
        world.press(phone, if number == 19 { '3' } else { '7' });
    }
    world.run(50);
    let after = || world.records.iter().skip(judged).map(|record| &record.event);
    let verdicts: Vec<bool> = after()
        .filter_map(|event| if let Event::Collected { accepted, .. } = event { Some(*accepted) } else { None })
        .collect();
    assert_eq!(verdicts, [false; 20], "the right one among them");
    let counted = after().filter(|event| matches!(event, Event::WrongCounted(tally) if tally.suspect == rao())).count();
    assert_eq!(counted, 5);
    assert_eq!(locks(&world), [(rao(), 1)]);
    for phone in &phones {
        world.hang_up(phone);
    }
    world.run(60_000);
}

#[test]
fn f76_a_lock_survives_kill_9_and_so_do_wrong_pins_before_one() {
    let mut world = World::planned(VERIFY, &["ana"]);
    for wrong in ["111222", "111223", "111224"] {
        assert_eq!(call(&mut world, "4710", BADGE, wrong), REFUSED);
    }
    killed(&mut world);
    for wrong in ["111225", "111226"] {
        assert_eq!(call(&mut world, "4710", BADGE, wrong), REFUSED);
    }
    assert_eq!(locks(&world), [(rao(), 1)]);
    killed(&mut world);
    assert_eq!(call(&mut world, "4710", BADGE, PIN), REFUSED);
    // The lock ends when it would have ended: the wall clock went on.
    world.run(900_000);
    killed(&mut world);
    assert_eq!(call(&mut world, "4710", BADGE, PIN), RIGHT);
}

fn verify_with(edit: &str) -> Arc<Config> {
    desk_with(&[("hospital", "[hotlines.7100]", &format!("{edit}\n[hotlines.7100]")), ("hotline", SAMPLE, VERIFY)])
}

#[test]
fn f76_one_calling_number_cannot_try_all_badges() {
    let mut world = World::planned(VERIFY, &["ana"]);
    world.publish(&verify_with("[lockout]\nwrong_from_number = 3\nwrong_for_person = 10\n"));
    assert_eq!(call(&mut world, "4710", "000001", ""), REFUSED);
    assert_eq!(call(&mut world, "4710", "318205", "111222"), REFUSED);
    assert_eq!(call(&mut world, "4710", BADGE, "111222"), REFUSED);
    assert_eq!(locks(&world), [(Suspect::Number("4710".to_owned()), 1)]);
    assert_eq!(call(&mut world, "4710", BADGE, ""), REFUSED, "a badge, too, is not taken from it any more");
    assert_eq!(call(&mut world, "4711", BADGE, PIN), RIGHT, "others are not locked");
}

#[test]
fn f76_an_admin_sees_a_lock_and_lifts_it() {
    let mut world = World::planned(VERIFY, &["ana"]);
    for wrong in ["111222", "111223", "111224", "111225", "111226"] {
        call(&mut world, "4710", BADGE, wrong);
    }
    let Reply::Tallies { tallies } = world.command(Command::Tallies) else { panic!("tallies") };
    let seen: Vec<(Suspect, u32, bool)> =
        tallies.iter().map(|tally| (tally.suspect.clone(), tally.wrong, tally.locked_until.is_some())).collect();
    assert_eq!(seen, [(rao(), 0, true), (Suspect::Number("4710".to_owned()), 5, false)]);
    let clear = || Command::ClearTally { hospital: HospitalId::new("harbor"), suspect: rao(), actor: "ann".to_owned() };
    assert!(matches!(world.command(clear()), Reply::Done));
    assert!(audits(&world).contains(&"ann: unlock: person anika-rao of harbor".to_owned()));
    assert!(matches!(world.command(clear()), Reply::Refused { .. }), "there is nothing to lift any more");
    killed(&mut world);
    assert_eq!(call(&mut world, "4710", BADGE, PIN), RIGHT);
}

#[test]
fn f76_what_is_keyed_stands_in_no_record_and_no_story() {
    // The plan asks for four digits; the caller keys all six, before the question as well.
    let four = VERIFY.replace("number = \"pin\"\ndigits = 6", "number = \"pin\"\ndigits = 4");
    let mut world = World::planned(&four, &["ana"]);
    call(&mut world, "4710", BADGE, PIN);
    assert_eq!(call(&mut world, "4710", BADGE, "911"), "\"Connecting the hospital operator.\"");
    call(&mut world, "4710", BADGE, "583037");
    let keyed = world.events().filter(|(_, event)| matches!(event, Event::KeyPressed { .. })).count();
    assert_eq!(keyed, 0, "of badge and PIN not one key");
    let mut told = serde_json::to_string(&world.records).expect("JSON");
    told += &world.tickets().into_values().map(|ticket| format!("{ticket:?}")).collect::<String>();
    told += &format!("{:?}", world.status());
    for secret in [BADGE, PIN, "2749", "583037", "5830"] {
        assert!(!told.contains(secret), "{secret}");
    }
}

/// The sample plan, begun by a question for a number.
fn asking(number: &str) -> String {
    let question = format!(
        "\n[steps.number]\ntype = \"collect\"\nnumber = \"{number}\"\ndigits = 12\nwait = \"500ms\"\nsay = [\"key-ticket\"]\n\
         accepted = \"who\"\nrejected = \"who\"\nsilence = \"who\"\n"
    );
    let limits = "first_offer_within = \"20s\"\nqualified_offer_within = \"20s\"\nends_within = \"230s\"";
    SAMPLE.replacen("start = \"who\"", "start = \"number\"", 1).replacen("ends_within = \"210s\"", limits, 1)
        + &question
}

fn rung(world: &World) -> Vec<String> {
    world.rung().into_iter().map(|(_, analyst)| analyst).collect()
}

#[test]
fn a_ticket_number_links_the_call_and_rings_its_analyst_first_also_after_a_restart() {
    let mut world = World::planned(&asking("ticket"), &["ana", "ben", "cho", "dev"]);
    world.pickup("ana", Pickup::Answers(500));
    world.dial("4710");
    world.run(5_000);
    world.hang_up("4710");
    world.run(120_000);
    assert_eq!(last_ticket(&world).number, TicketNumber(1_000));
    assert_eq!(rung(&world)[0], "ana");
    world.pickup("ana", Pickup::Rings);
    // From elsewhere: neither number nor unit lead to Ana, who is last in line by now.
    let follow = |world: &mut World, keys: &str| {
        let before = rung(world).len();
        world.dial("5100");
        world.run(1_000);
        key(world, "5100", keys);
        world.run(2_000);
        world.hang_up("5100");
        world.run(60_000);
        (rung(world)[before].clone(), last_ticket(world).follows)
    };
    assert_eq!(follow(&mut world, "1000"), ("ana".to_owned(), Some(TicketNumber(1_000))));
    assert_eq!(follow(&mut world, "1234"), ("ben".to_owned(), None), "no such ticket");
    killed(&mut world);
    assert_eq!(world.status().calls, 0);
    let ticket = last_ticket(&world);
    assert_eq!(ticket.follows, None);
    let line = "The caller keyed ticket 1000: this call is about it.";
    assert!(world.tickets().into_values().any(|ticket| ticket.timeline.iter().any(|told| told.text == line)));
}

#[test]
fn a_ticket_is_known_after_a_restart() {
    let mut world = World::planned(&asking("ticket"), &["ana"]);
    world.pickup("ana", Pickup::Answers(500));
    world.dial("4710");
    world.run(5_000);
    world.hang_up("4710");
    world.run(120_000);
    killed(&mut world);
    world.dial("5100");
    world.run(1_000);
    key(&mut world, "5100", "1000");
    world.run(2_000);
    assert_eq!(last_ticket(&world).follows, Some(TicketNumber(1_000)));
}

/// The caller keys where to be called back, and nobody is free.
fn call_back_at(world: &mut World, keys: &str) -> Option<String> {
    world.dial("4710");
    world.run(1_000);
    key(world, "4710", keys);
    world.run(2_000);
    world.hang_up("4710");
    world.run(5_000);
    let ticket = last_ticket(world);
    ticket.callback.map(|callback| callback.number.to_string())
}

#[test]
fn a_callback_goes_to_the_number_that_was_keyed_also_after_a_restart() {
    let mut world = World::planned(&asking("callback-number"), &[]);
    for other in ["hal", "ivy"] {
        world.pickup(other, Pickup::Refuses(486, 0));
    }
    assert_eq!(call_back_at(&mut world, "5310").as_deref(), Some("5310"));
    let keyed = last_ticket(&world).caller.and_then(|caller| caller.call_back).expect("keyed");
    assert_eq!((keyed.value.as_str(), keyed.confidence, keyed.source), ("5310", Confidence::Claimed, Source::Keyed));
    killed(&mut world);
    let (state, actor) = (wardline::ticket::AnalystStateRecord::Available, "test".to_owned());
    world.command(Command::SetAnalystState { analyst: AnalystId::new("ana"), state, actor, reason: None });
    world.pickup("ana", Pickup::Answers(500));
    world.pickup("5310", Pickup::Answers(500));
    world.seen.clear();
    world.run(600_000);
    assert_eq!(world.sent("desk", "4710", "INVITE").len(), 0);
    assert_eq!(world.sent("desk", "5310", "INVITE").len(), 1, "{}", world.ladder());
    world.hang_up("5310");
    world.run(20_000);
    let callback = last_ticket(&world).callback.expect("a callback");
    assert_eq!((callback.state, callback.reason), (CallbackState::Done, CallbackReason::Abandoned));
}

#[test]
fn no_emergency_no_code_number_and_nothing_outside_is_called_back() {
    let mut world = World::planned(&asking("callback-number"), &[]);
    for other in ["hal", "ivy"] {
        world.pickup(other, Pickup::Refuses(486, 0));
    }
    for refused in ["5555", "7100", "9911", "53100", "12125550188", "112"] {
        assert_eq!(call_back_at(&mut world, refused).as_deref(), Some("4710"), "{refused}");
    }
}

#[test]
fn a_number_outside_is_called_back_where_the_hospital_allows_it() {
    let allowed = desk_with(&[
        ("hospital", "[hotlines.7099]", "callbacks_outside = [\"1202555*\", \"11*\"]\n[hotlines.7099]"),
        ("hotline", SAMPLE, &asking("callback-number")),
    ]);
    let mut world = World::planned(&asking("callback-number"), &[]);
    world.publish(&allowed);
    world.config = Arc::clone(&allowed);
    for other in ["hal", "ivy"] {
        world.pickup(other, Pickup::Refuses(486, 0));
    }
    assert_eq!(call_back_at(&mut world, "12025550199").as_deref(), Some("12025550199"));
    assert_eq!(call_back_at(&mut world, "12125550188").as_deref(), Some("4710"));
    // The trunk would dial 9, and 911 would answer at the third digit.
    assert_eq!(call_back_at(&mut world, "11202555123").as_deref(), Some("4710"));
    let (state, actor) = (wardline::ticket::AnalystStateRecord::Available, "test".to_owned());
    world.command(Command::SetAnalystState { analyst: AnalystId::new("ana"), state, actor, reason: None });
    world.pickup("ana", Pickup::Answers(500));
    another_phone(&mut world, "912025550199");
    world.seen.clear();
    world.run_until(world.now + Duration::from_secs(600));
    assert_eq!(world.sent("desk", "912025550199", "INVITE").len(), 3, "with the trunk's prefix:\n{}", world.ladder());
}

// -- While two talk -----------------------------------------------------------------------------------------------------

#[test]
fn keys_of_a_talk_are_on_the_record_without_their_digits_and_the_analysts_answer_is_a_disposition() {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::Answers(1_000));
    world.dial("4710");
    world.run(6_000);
    world.press("4710", '7');
    world.run(200);
    world.press("ana", '3');
    world.run(200);
    let in_talk = |world: &World| -> Vec<Party> {
        let party = |event: &Event| if let Event::KeyInTalk { by } = event { Some(*by) } else { None };
        world.events().filter_map(|(_, event)| party(event)).collect()
    };
    assert_eq!(in_talk(&world), [Party::Caller, Party::Analyst]);
    for _ in 0..80 {
        world.press("4710", '9');
        world.run(200);
    }
    assert_eq!(in_talk(&world).len(), 64, "whoever dials on for longer is not written down");
    world.hang_up("4710");
    world.run(2_000);
    world.press("ana", '1');
    world.run(3_000);
    assert_eq!(in_talk(&world).len(), 64);
    assert!(!world.events().any(|(_, event)| matches!(event, Event::KeyPressed { .. })), "no digit is kept");
    assert!(world.events().any(|(_, event)| matches!(event, Event::DispositionSet { .. })), "{}", world.ladder());
}

//! SIP-BEHAVIOUR.md, part C: registrar and authentication, through the whole switch.

use std::collections::BTreeSet;

use wardline::registrar::Account;
use wardline::sip::digest::{Algorithm, ha1};
use wardline::sip::{Method, Transport};
use wardline::switch::Input;
use wardline::ticket::Event;
use wardline::time::Duration;

use crate::lines_a::talking;
use crate::phone::{Pickup, State, Timed};
use crate::raw::{Hand, header, headers, status};
use crate::setting::known_config;
use crate::world::{GENERALISTS, PBX, Seen, World};

/// Where zoe's phones are: no trunk and no fixed phone is there.
const HOME: &str = "10.0.3.7:5060";

fn zoe() -> Hand {
    Hand::new("zoe", "secret-zoe", HOME)
}

fn contact(number: usize) -> String {
    format!("Contact: <sip:zoe@10.0.3.7:{}>", 5_060 + number)
}

/// Audit lines: who, what, to what.
fn audit(world: &World) -> Vec<(String, String, String)> {
    let lines = world.records.iter().filter_map(|record| {
        let Event::Audit { actor, action, object, .. } = &record.event else { return None };
        Some((actor.clone(), action.clone(), object.clone()))
    });
    lines.collect()
}

#[test]
fn c41_contact_star_with_expires_0_removes_all_and_anything_else_with_it_is_400() {
    let mut world = World::new(&["ana"]);
    let mut zoe = zoe();
    let both = zoe.register(&mut world, "zoe", &[&contact(0), &contact(1)]);
    assert_eq!((status(&both), headers(&both, "Contact").len()), (200, 2));
    for lines in [
        &["Contact: *", "Expires: 60"][..],
        &["Contact: *"][..],
        &["Contact: *", &contact(2), "Expires: 0"][..],
        &[&contact(2), "Contact: *", "Expires: 0"][..],
    ] {
        assert_eq!(status(&zoe.register(&mut world, "zoe", lines)), 400, "{lines:?}");
        assert_eq!(world.status().bindings, 2, "{lines:?}: nothing changed");
    }
    let gone = zoe.register(&mut world, "zoe", &["Contact: *", "Expires: 0"]);
    assert_eq!((status(&gone), headers(&gone, "Contact").len(), world.status().bindings), (200, 0, 0));
    world.expect_quiet();
}

#[test]
fn c42_a_short_expiry_is_423_a_huge_one_is_bounded_and_a_negative_one_is_400() {
    let mut world = World::new(&["ana"]);
    let mut zoe = zoe();
    let brief = zoe.register(&mut world, "zoe", &[&contact(0), "Expires: 5"]);
    assert_eq!((status(&brief), header(&brief, "Min-Expires")), (423, "60"));
    let brief = zoe.register(&mut world, "zoe", &[&format!("{};expires=59", contact(0))]);
    assert_eq!((status(&brief), world.status().bindings), (423, 0));
    for negative in [&[&contact(0)[..], "Expires: -5"][..], &[&format!("{};expires=-1", contact(0))[..]][..]] {
        assert_eq!(status(&zoe.register(&mut world, "zoe", negative)), 400, "{negative:?}");
    }
    for huge in ["3601", "4294967295", "4294967296", "99999999999999999999999"] {
        let bound = zoe.register(&mut world, "zoe", &[&contact(0), &format!("Expires: {huge}")]);
        assert_eq!(status(&bound), 200, "{huge}");
        assert_eq!(header(&bound, "Contact"), "<sip:zoe@10.0.3.7:5060>;expires=3600", "{huge}");
    }
    world.run(3_601_000);
    assert_eq!(world.status().bindings, 0, "and it does expire");
    world.expect_quiet();
}

#[test]
fn c43_a_register_with_a_lower_cseq_changes_nothing() {
    let mut world = World::new(&["ana"]);
    let mut zoe = zoe();
    zoe.cseq = 20;
    assert_eq!(status(&zoe.register(&mut world, "zoe", &[&contact(0), "Expires: 600"])), 200);
    let last = zoe.cseq;
    for (cseq, lines) in [
        (last - 9, &[&contact(0)[..], "Expires: 3600"][..]),
        (last - 8, &[&contact(0)[..], "Expires: 0"][..]),
        (last - 7, &["Contact: *", "Expires: 0"][..]),
    ] {
        zoe.cseq = cseq;
        assert_eq!(status(&zoe.register(&mut world, "zoe", lines)), 500, "{lines:?}");
    }
    zoe.cseq = last;
    let now = zoe.register(&mut world, "zoe", &[]);
    assert_eq!(header(&now, "Contact"), "<sip:zoe@10.0.3.7:5060>;expires=600", "as before");
    // Another Call-ID counts anew.
    (zoe.call_id, zoe.cseq) = ("after-a-restart".to_owned(), 0);
    assert_eq!(status(&zoe.register(&mut world, "zoe", &[&contact(0), "Expires: 900"])), 200);
    world.expect_quiet();
}

/// A response without what must differ each time.
fn faceless(response: &str, user: &str) -> String {
    let lines = response.lines().map(|line| {
        let end = ["nonce=\"", ";tag=", "branch="].iter().filter_map(|at| line.find(at)).min().unwrap_or(line.len());
        line[..end].replace(user, "USER")
    });
    lines.filter(|line| !line.starts_with("CSeq")).collect::<Vec<String>>().join("\n")
}

#[test]
fn c45_guessing_meets_one_answer_for_known_and_unknown_users_then_a_lock_that_is_audited() {
    let mut world = World::new(&["ana"]);
    let mut known = Hand::new("zoe", "guess", "10.0.3.21:5060");
    let mut unknown = Hand::new("nil", "guess", "10.0.3.22:5060");
    for attempt in 1..=6 {
        let (one, other) =
            (known.register(&mut world, "zoe", &[&contact(0)]), unknown.register(&mut world, "nil", &[&contact(0)]));
        let expected = if attempt <= 5 { 401 } else { 403 };
        assert_eq!(status(&one), expected, "attempt {attempt}");
        assert_eq!(
            faceless(&one, "zoe"),
            faceless(&other, "nil").replace("10.0.3.22", "10.0.3.21"),
            "attempt {attempt}"
        );
        if expected == 401 {
            assert!(!one.contains("stale=true"), "who does not know the password hears nothing of nonces");
            known.learn(&one);
            unknown.learn(&other);
        }
    }
    let mut right = zoe();
    right.call_id = "hand-at-home".to_owned();
    assert_eq!(
        status(&right.register(&mut world, "zoe", &[&contact(0)])),
        403,
        "the right password too, from elsewhere"
    );
    let locks: Vec<_> = audit(&world).into_iter().map(|(_, _, object)| object).collect();
    assert_eq!(locks, ["user zoe", "user nil"]);
    assert_eq!(world.counter("registration_locked"), 2);
    world.run(31_000);
    assert_eq!(status(&right.register(&mut world, "zoe", &[&contact(0)])), 200, "30 s later it is open again");
    world.expect_quiet();
}

#[test]
fn c45_a_source_that_tries_many_names_is_locked_and_calls_go_on() {
    let mut world = World::new(&GENERALISTS);
    world.pickup("ana", Pickup::Refuses(486, 0));
    world.pickup("ben", Pickup::Refuses(486, 0));
    world.pickup("cho", Pickup::Answers(1_000));
    let scanner = "10.0.3.99:5060";
    let statuses: Vec<u16> = (0..25)
        .map(|number| {
            let name = format!("user{number}");
            status(&Hand::new(&name, "guess", scanner).register(&mut world, &name, &[&contact(0)]))
        })
        .collect();
    assert_eq!(statuses, [[401; 20].as_slice(), &[403; 5]].concat());
    assert_eq!(status(&Hand::new("zoe", "secret-zoe", scanner).register(&mut world, "zoe", &[&contact(0)])), 403);
    assert_eq!(status(&zoe().register(&mut world, "zoe", &[&contact(0)])), 200, "from elsewhere nothing is locked");
    world.dial("4710");
    world.run_to(3_000);
    assert_eq!(world.joined().last().map(|(_, who)| who.clone()), Some("4710 = cho".to_owned()), "as ever");
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn c46_somebody_elses_address_is_403_and_audited() {
    let mut world = World::new(&GENERALISTS);
    let before = world.status().bindings;
    let mut zoe = zoe();
    assert_eq!(status(&zoe.register(&mut world, "cho", &[&contact(0)])), 403);
    assert_eq!(status(&zoe.register(&mut world, "cho", &["Contact: *", "Expires: 0"])), 403);
    assert_eq!(world.status().bindings, before);
    let lines = audit(&world);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].0, "zoe");
    assert!(lines[0].2.contains("cho@desk.test"), "{lines:?}");
    world.dial("4710");
    world.run_to(13_000);
    assert_eq!(
        world.labels_to("cho").iter().filter(|label| label.starts_with("INVITE")).count(),
        1,
        "still at its own"
    );
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn c47_contacts_of_one_address_are_capped() {
    let mut world = World::new(&["ana"]);
    let mut zoe = zoe();
    let many: Vec<String> = (0..1_000).map(contact).collect();
    let lines: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(status(&zoe.register(&mut world, "zoe", &lines[..200])), 403, "more than ten at once");
    let joined =
        format!("Contact: {}", (0..1_000).map(|number| contact(number).split_off(9)).collect::<Vec<_>>().join(","));
    assert_eq!(status(&zoe.register(&mut world, "zoe", &[&joined])), 403);
    assert_eq!(world.status().bindings, 0);
    for line in lines {
        let response = zoe.register(&mut world, "zoe", &[line]);
        assert!([200, 403].contains(&status(&response)), "{response}");
        assert!(world.status().bindings <= 10);
    }
    assert_eq!(world.status().bindings, 10);
    world.run(3_601_000);
    assert_eq!(world.status().bindings, 0);
    world.expect_quiet();
}

/// Phones of the storm, each with an account and an address of its own.
const STORM: usize = 10_000;
const STORM_WITHIN_MS: u64 = 60_000;

/// Each phone sends at its ms, and again as SIP does over UDP, until it is registered; returns when the last one was.
fn storm(world: &mut World, phones: &mut [Hand], begins: impl Fn(usize) -> u64) -> u64 {
    let begin = world.now;
    let mut last = 0;
    // When, who, and the pause until it sends once more.
    let mut due: BTreeSet<(u64, usize, u64)> = (0..phones.len()).map(|who| (begins(who), who, 500)).collect();
    while let Some((ms, who, pause)) = due.pop_first() {
        assert!(ms <= STORM_WITHIN_MS, "{} phones still wait", due.len() + 1);
        world.run_until(begin + Duration::from_millis(ms));
        let phone = &mut phones[who];
        let user = phone.user.clone();
        let contact = format!("Contact: <sip:{user}@{}>", phone.source);
        let response = phone.register(world, &user, &[&contact]);
        match status(&response) {
            200 => last = ms,
            401 => {
                phone.learn(&response);
                due.insert((ms, who, pause));
            }
            0 => {
                due.insert((ms + pause, who, (pause * 2).min(4_000)));
            }
            other => panic!("{other} to {user}"),
        }
        world.seen.retain(|(_, seen)| !matches!(seen, Seen::Sent { to, .. } if to.starts_with("10.7.")));
    }
    last
}

#[test]
fn c47_ten_thousand_phones_register_and_refresh_within_a_minute_and_calls_are_unaffected() {
    let mut world = World::new(&["ana"]);
    world.pickup("ana", Pickup::Answers(1_000));
    let accounts = (0..STORM).map(|number| Account {
        user: format!("p{number}"),
        ha1_md5: None,
        ha1_sha256: Some(ha1(Algorithm::Sha256, &format!("p{number}"), "desk.test", "pw")),
        digest: Default::default(),
    });
    world.handle(Input::Accounts(accounts.collect()));
    let mut phones: Vec<Hand> = (0..STORM)
        .map(|number| {
            Hand::new(&format!("p{number}"), "pw", &format!("10.7.{}.{}:5060", number / 200, number % 200 + 1))
        })
        .collect();
    world.dial("4710");
    // Switched on within half a minute, as after a power cut.
    let last = storm(&mut world, &mut phones, |number| number as u64 * 3);
    assert!((29_997..=STORM_WITHIN_MS).contains(&last), "{last}");
    assert_eq!(world.status().bindings, STORM);
    assert_eq!(world.rung(), [(5, "ana".to_owned())]);
    assert_eq!(world.joined(), [(1_015, "4710 = ana".to_owned())]);
    // All within ten seconds, with nonces that have expired meanwhile: no budget of strangers is spent on them.
    world.run(1_800_000);
    assert_eq!(storm(&mut world, &mut phones, |number| number as u64), STORM as u64 - 1, "nobody had to send twice");
    assert_eq!(world.status().bindings, STORM);
    assert_eq!(world.status().calls, 1);
    world.hang_up("4710");
    // And the storm of expiries.
    world.run(3_601_000);
    assert_eq!(world.status().bindings, 0);
    world.expect_quiet();
}

#[test]
fn c51_a_registered_phone_is_who_its_password_says_whatever_its_headers_claim() {
    let mut world = World::new(&["ana"]);
    let home = "Contact: <sip:cho@10.0.3.7:5060>";
    let mut cho = Hand::new("cho", "secret-cho", HOME);
    assert_eq!(status(&cho.register(&mut world, "cho", &[home])), 200);
    let (_, foreign) = cho.invite(&mut world, "zoe", &[]);
    assert_eq!(status(&foreign), 403, "From names somebody else");
    assert_eq!((world.tickets().len(), world.rung().len()), (0, 0));
    let claims = [
        "P-Asserted-Identity: <sip:4710@10.0.1.1>",
        "P-Asserted-Identity : <sip:4710@10.0.1.1>",
        "P-Asserted-Identity\t: <sip:4710@10.0.1.1>",
        "p-aSSerted-identity:\r\n <sip:4710@10.0.1.1>",
        "Remote-Party-ID: <sip:4710@10.0.1.1>;party=calling",
        "Diversion: <sip:4710@10.0.1.1>",
        "History-Info: <sip:4710@10.0.1.1>;index=1",
    ];
    for claim in claims {
        let mut world = World::new(&["ana"]);
        let mut cho = Hand::new("cho", "secret-cho", HOME);
        cho.register(&mut world, "cho", &[home]);
        let (invite, answer) = cho.invite(&mut world, "cho", &[claim]);
        assert_eq!(status(&answer), 200, "{claim:?}");
        invite.next("ACK", &answer).send(&mut world);
        world.run(100);
        let ticket = world.ticket();
        assert_eq!(ticket.calling, "cho", "{claim:?}: the ticket shows who it was");
        assert_eq!(ticket.unit_name(), None, "{claim:?}");
        assert_eq!(status(&invite.next("BYE", &answer).send(&mut world)), 200);
        world.expect_quiet();
    }
    let (_, refused) = cho.invite(&mut world, "cho", &["P-Asserted-Identity\0: <sip:4710@10.0.1.1>"]);
    assert_eq!(status(&refused), 400, "no header name has a NUL");
    assert_eq!(world.tickets().len(), 0);
}

#[test]
fn c51_an_untrusted_trunk_asserts_nothing() {
    let mut world = World::untrusting(&["ana"]);
    for claim in ["P-Asserted-Identity: <sip:4710@10.0.1.1>\r\n", "P-Asserted-Identity : <sip:4710@10.0.1.1>\r\n"] {
        world.phone("7741").headers = claim.to_owned();
        world.dial("7741");
        world.run(500);
        let ticket = world.tickets().into_values().next_back().expect("a ticket");
        assert_eq!((ticket.calling.as_str(), ticket.unit_name()), ("7741", None), "{claim:?}");
        world.hang_up("7741");
        world.run(500);
    }
    world.expect_quiet();
}

#[test]
fn c44_a_replayed_register_is_refused() {
    let mut world = World::new(&GENERALISTS);
    assert_eq!(world.status().bindings, 1, "cho has registered");
    let replay = world.phone("cho").credentials();
    world.with_phone("cho", |phone, now| phone.send_register(now, &replay));
    world.run(1_000);
    // The same nonce and count once more: a new challenge, which the phone answers.
    assert_eq!(world.phone("cho").replies, [(Method::Register, 200), (Method::Register, 200)]);
    assert_eq!(world.phone("cho").challenged, 2);
    world.expect_quiet();
}

#[test]
fn c49_our_bye_is_challenged_and_no_password_is_spent_on_it() {
    let mut world = talking();
    world.phone("4710").challenges_bye = true;
    world.hang_up("ana");
    world.run(5_000);
    let byes = world.sent("desk", "4710", "BYE");
    assert_eq!(byes.len(), 1, "no second BYE with credentials: {byes:?}");
    assert!(!world.seen_text("desk", "4710", "BYE").contains("Authorization"));
    world.phone("4710").sessions[0].state = State::Over;
    world.expect_quiet();
}

#[test]
fn c50_requests_without_credentials() {
    let mut world = World::new(&GENERALISTS);
    for method in ["BYE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER", "CANCEL", "ACK", "DANCE"] {
        world.send_raw(PBX, Transport::Udp, request(method, PBX));
        world.run(50);
    }
    let expected = [
        "481 BYE",
        "200 OPTIONS",
        "405 MESSAGE",
        "489 SUBSCRIBE",
        "405 PUBLISH",
        "405 REFER",
        "481 CANCEL",
        "501 DANCE",
    ];
    assert_eq!(world.labels_to_pbx(), expected);
    world.expect_quiet();
}

#[test]
fn c50_strangers_get_403_a_few_times_and_their_acks_nothing() {
    let mut world = World::new(&GENERALISTS);
    let stranger = "203.0.113.9:5060";
    for _ in 0..20 {
        world.send_raw(stranger, Transport::Udp, request("INVITE", stranger));
        world.send_raw(stranger, Transport::Udp, request("ACK", stranger));
    }
    world.run(1_000);
    assert_eq!(world.labels_to(stranger), ["403 INVITE"; 5]);
    assert_eq!(world.tickets().len(), 0);
    world.expect_quiet();
}

#[test]
fn c51_a_trusted_trunk_may_assert_who_calls() {
    let mut world = World::new(&GENERALISTS);
    world.phone("7741").headers = "P-Asserted-Identity: <sip:4710@10.0.1.1>\r\n".to_owned();
    world.dial("7741");
    world.run_to(1_000);
    assert_eq!(world.ticket().unit_name(), Some("4 West"));
    world.hang_up("7741");
    world.expect_quiet();
}

fn request(method: &str, source: &str) -> String {
    format!(
        "{method} sip:7100@10.0.0.10 SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK-{method}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:someone@10.0.1.1>;tag=a\r\nTo: <sip:7100@10.0.0.10>\r\n\
         Call-ID: plain-{method}\r\nCSeq: 7 {method}\r\nContact: <sip:someone@{source}>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A desk whose PBX knows it by a password, with these analysts.
fn known(signed_in: &[&str]) -> World {
    World::configured(known_config(), signed_in)
}

#[test]
fn c48_a_pbx_that_asks_for_a_password_is_told_it_for_every_request() {
    let mut world = known(&["dev"]);
    world.phone("dev").demands = Some("secret-pbx");
    world.phone("dev").timed = Some(Timed::DESK_REFRESHES);
    world.pickup("dev", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(1_000_000);
    assert_eq!(world.joined().len(), 1, "{}", world.ladder());
    world.hang_up("4710");
    world.run(60_000);
    for (method, times) in [("INVITE +sdp", 2), ("UPDATE", 2), ("BYE", 2)] {
        assert_eq!(world.sent("desk", "dev", method).len(), times, "{method}: {}", world.ladder());
    }
    assert_eq!(world.phone("dev").told.len(), 3, "once for each");
    let kept = format!("{:?} {:?}", world.records, world.config.node);
    assert!(!kept.contains("secret-pbx"), "neither journaled nor shown");
    world.expect_quiet();
}

#[test]
fn c48_a_pbx_that_is_never_content_is_left_and_the_next_analyst_rung() {
    let mut world = known(&["dev", "ana"]);
    world.phone("dev").demands = Some("another password");
    world.pickup("ana", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(5_000);
    assert_eq!(world.sent("desk", "dev", "INVITE +sdp").len(), 2, "{}", world.ladder());
    assert_eq!(world.joined().len(), 1);
    world.hang_up("4710");
    world.expect_quiet();
}

#[test]
fn c49_a_phone_that_is_not_the_trunks_is_told_nothing() {
    let mut world = known(&["ana", "ben"]);
    world.phone("ana").demands = Some("secret-pbx");
    world.pickup("ben", Pickup::Answers(1_000));
    world.dial("4710");
    world.run_to(5_000);
    assert_eq!(world.sent("desk", "ana", "INVITE +sdp").len(), 1, "{}", world.ladder());
    assert!(world.phone("ana").told.is_empty());
    assert_eq!(world.joined().len(), 1, "the next one takes the call");
    world.hang_up("4710");
    world.expect_quiet();
}

// -- Emergency numbers ----------------------------------------------------------------------------------------------------

/// A phone that registers with us has no other way out: whoever dials 911 at it must reach a human, not a 404.
#[test]
fn an_analysts_phone_that_dials_911_rings_the_hospital_operator_at_once_and_nobody_else() {
    for number in ["911", "9911", "112"] {
        let mut world = World::new(&["ana"]);
        world.pickup("4000", Pickup::Answers(1_000));
        let mut cho = Hand::new("cho", "secret-cho", HOME);
        assert_eq!(status(&cho.register(&mut world, "cho", &["Contact: <sip:cho@10.0.3.7:5060>"])), 200);
        let (invite, answer) = cho.dial(&mut world, number);
        assert_eq!(status(&answer), 200, "{number}");
        invite.next("ACK", &answer).send(&mut world);
        world.run(3_000);
        let ticket = world.ticket();
        assert_eq!((ticket.dialled.as_str(), ticket.calling.as_str()), (number, "cho"));
        assert!(ticket.offers.is_empty(), "{number}: no analyst is rung");
        assert_eq!(ticket.targets, ["operator"], "{number}: {}", world.ladder());
        assert_eq!(status(&invite.next("BYE", &answer).send(&mut world)), 200);
        world.expect_quiet();
    }
}

#[test]
fn what_is_no_hotline_and_no_emergency_is_404_and_so_is_911_from_the_pbx_which_has_a_way_out() {
    let mut world = World::new(&["ana"]);
    let mut cho = Hand::new("cho", "secret-cho", HOME);
    assert_eq!(status(&cho.register(&mut world, "cho", &["Contact: <sip:cho@10.0.3.7:5060>"])), 200);
    let (_, answer) = cho.dial(&mut world, "9110");
    assert_eq!(status(&answer), 404);
    world.with_phone("4710", |phone, now| _ = phone.dial(now, "911", true));
    world.run(1_000);
    assert_eq!(world.phone("4710").sessions[0].finals, [404]);
    assert_eq!(world.tickets().len(), 0);
}

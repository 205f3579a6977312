//! Registration and authentication by the lines of the checklist.

use std::net::SocketAddr;

use super::*;
use crate::ids::ConnId;
use crate::sip::digest::{Algorithm, Challenge, RequestLine, ha1, work};
use crate::sip::{Method, Transport};

const REALM: &str = "desk.example";
const HOME: &str = "192.0.2.10:5060";
const ELSEWHERE: &str = "198.51.100.66:5060";

fn account(user: &str) -> Account {
    let secret = format!("secret of {user}");
    Account {
        user: user.to_owned(),
        ha1_md5: Some(ha1(Algorithm::Md5, user, REALM, &secret)),
        ha1_sha256: Some(ha1(Algorithm::Sha256, user, REALM, &secret)),
        digest: DigestPolicy::Both,
    }
}

fn start() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

/// A registrar, its time, and the phones' side of the digest.
struct World {
    registrar: Registrar,
    seconds: u64,
    random: u64,
    cseq: u32,
    remote: SocketAddr,
}

impl World {
    fn new() -> World {
        World::with(RegistrarConfig::new(REALM), [account("anna"), account("bert")])
    }

    fn with(config: RegistrarConfig, accounts: impl IntoIterator<Item = Account>) -> World {
        let registrar = Registrar::new(config, accounts, NonceKey::new([1; 32]));
        World { registrar, seconds: 1000, random: 0, cseq: 0, remote: HOME.parse().unwrap() }
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.seconds * 1000)
    }

    fn wall(&self) -> Timestamp {
        start().checked_add(Duration::from_secs(self.seconds)).unwrap()
    }

    fn arrival(&mut self) -> Arrival {
        self.random += 1;
        let local = "192.0.2.1:5060".parse().unwrap();
        let flow = Flow { transport: Transport::Udp, local, remote: self.remote, conn: None };
        Arrival { now: self.now(), wall: self.wall(), flow, random: self.random }
    }

    fn request(&mut self, user: &str, lines: &[(&str, &str)]) -> Request {
        self.cseq += 1;
        let mut request = Request::new(Method::Register, Uri::parse("sip:desk.example").unwrap());
        request.headers.push("Via", "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1");
        request.headers.push("From", format!("<sip:{user}@desk.example>;tag=f"));
        request.headers.push("To", format!("<sip:{user}@desk.example>"));
        request.headers.push("Call-ID", "reg@phone");
        request.headers.push("CSeq", format!("{} REGISTER", self.cseq));
        for (name, value) in lines {
            request.headers.set(name, value);
        }
        request
    }

    fn send(&mut self, request: &Request) -> Outcome {
        let at = self.arrival();
        self.registrar.register(at, request)
    }

    /// Challenged, then with credentials of `user`.
    fn register(&mut self, user: &str, lines: &[(&str, &str)]) -> Outcome {
        let request = self.request(user, lines);
        self.register_as(user, &format!("secret of {user}"), request)
    }

    fn register_as(&mut self, user: &str, password: &str, mut request: Request) -> Outcome {
        let challenged = self.send(&request);
        assert_eq!(challenged.response.status, Status::UNAUTHORIZED);
        sign(&mut request, &challenged.response, Algorithm::Sha256, user, password, 1);
        self.send(&request)
    }

    fn contacts(&self, user: &str) -> Vec<String> {
        self.registrar.bindings(user, self.now()).iter().map(|binding| binding.contact.to_string()).collect()
    }
}

fn challenges(response: &Response) -> Vec<Challenge> {
    response.headers.all("WWW-Authenticate").map(|value| Challenge::parse(value).unwrap()).collect()
}

fn sign(request: &mut Request, response: &Response, algorithm: Algorithm, user: &str, password: &str, count: u32) {
    let challenge = challenges(response).into_iter().find(|challenge| challenge.algorithm == algorithm).unwrap();
    let uri = request.uri.to_string();
    let line = RequestLine { method: &request.method, uri: &uri };
    request.headers.set("Authorization", challenge.answer(user, password, line, "cnonce", count));
}

fn code(outcome: &Outcome) -> u16 {
    outcome.response.status.code()
}

fn bindings_changed(changes: &[Change]) -> usize {
    changes.iter().filter(|change| matches!(change, Change::BindingSet(_) | Change::BindingRemoved { .. })).count()
}

const CONTACT: &str = "<sip:anna@192.0.2.10:5060>";

#[test]
fn a_phone_registers_is_listed_and_found_by_its_flow() {
    let mut world = World::new();
    let lines = [("Contact", "\"Anna\" <sip:anna@10.0.0.7:5060>;q=0.5;expires=600"), ("User-Agent", "baresip")];
    let outcome = world.register("anna", &lines);
    assert_eq!(code(&outcome), 200);
    assert_eq!(outcome.response.headers.get("Contact"), Some("<sip:anna@10.0.0.7:5060>;q=0.5;expires=600"));
    assert!(outcome.response.headers.to().unwrap().tag().is_some());
    let expires = Timestamp::from_second(1_700_001_600).unwrap();
    let record = BindingRecord {
        aor: "sip:anna@desk.example".into(),
        contact: "<sip:anna@10.0.0.7:5060>;q=0.5".into(),
        flow: Flow {
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: HOME.parse().unwrap(),
            conn: None,
        },
        expires,
        call_id: "reg@phone".into(),
        cseq: 1,
        user_agent: Some("baresip".into()),
    };
    assert!(matches!(&outcome.changes[..], [Change::NonceUsed(_), Change::BindingSet(set)] if *set == record));
    let binding = world.registrar.bindings("anna", world.now())[0].clone();
    assert_eq!(binding.flow.remote.to_string(), HOME);
    assert_eq!(binding.request_uri().to_string(), "sip:anna@10.0.0.7:5060");

    // Without Contact: a question.
    let asked = world.register("anna", &[]);
    assert_eq!((code(&asked), asked.response.headers.all("Contact").count()), (200, 1));
    assert_eq!(bindings_changed(&asked.changes), 0);

    world.seconds += 600;
    assert_eq!(world.registrar.poll_timeout(), Some(world.now()));
    assert_eq!(world.contacts("anna"), [""; 0]);
    let gone = Change::BindingRemoved { aor: record.aor, contact: record.contact };
    assert_eq!(world.registrar.handle_timeout(world.now()), [gone]);
    assert!(world.registrar.is_empty());
    assert_eq!(world.registrar.poll_timeout(), None);
}

#[test]
fn several_phones_ring_in_the_order_of_their_preference() {
    let mut world = World::new();
    world.register("anna", &[("Contact", "<sip:anna@10.0.0.1>;q=0.1, <sip:anna@10.0.0.2>;q=0.9")]);
    world.seconds += 1;
    world.register("anna", &[("Contact", "<sip:anna@10.0.0.3>;q=0.1")]);
    let expected = ["<sip:anna@10.0.0.2>;q=0.9", "<sip:anna@10.0.0.3>;q=0.1", "<sip:anna@10.0.0.1>;q=0.1"];
    assert_eq!(world.contacts("anna"), expected);
}

#[test]
fn a_device_that_comes_back_at_another_port_replaces_itself() {
    let mut world = World::new();
    world.register("anna", &[("Contact", "<sip:anna@10.0.0.1:5060>;+sip.instance=\"<urn:uuid:1>\"")]);
    let again = world.register("anna", &[("Contact", "<sip:anna@10.0.0.1:6070>;+sip.instance=\"<urn:uuid:1>\"")]);
    assert_eq!(bindings_changed(&again.changes), 2);
    assert_eq!(world.contacts("anna"), ["<sip:anna@10.0.0.1:6070>;+sip.instance=\"<urn:uuid:1>\""]);
}

#[test]
fn c41_contact_star_removes_all_with_expires_0_and_is_400_otherwise() {
    let mut world = World::new();
    world.register("anna", &[("Contact", "<sip:anna@10.0.0.1>, <sip:anna@10.0.0.2>")]);
    let wrong: [&[(&str, &str)]; 4] = [
        &[("Contact", "*")],
        &[("Contact", "*"), ("Expires", "60")],
        &[("Contact", "*, <sip:anna@10.0.0.3>"), ("Expires", "0")],
        &[("Contact", "<sip:anna@10.0.0.3>, *"), ("Expires", "0")],
    ];
    for lines in wrong {
        let outcome = world.register("anna", lines);
        assert_eq!((code(&outcome), bindings_changed(&outcome.changes)), (400, 0), "{lines:?}");
    }
    assert_eq!(world.contacts("anna").len(), 2);
    let outcome = world.register("anna", &[("Contact", "*"), ("Expires", "0")]);
    assert_eq!((code(&outcome), bindings_changed(&outcome.changes)), (200, 2));
    assert_eq!(outcome.response.headers.get("Contact"), None);
    assert!(world.registrar.is_empty());
}

#[test]
fn c42_expiry_too_small_is_423_huge_is_bounded_negative_is_400() {
    let mut world = World::new();
    let cases = [
        ("", "30", 423, None),
        (";expires=59", "600", 423, None),
        (";expires=60", "1", 200, Some("60")),
        ("", "99999999999999999999", 200, Some("3600")),
        (";expires=4294967296", "600", 200, Some("3600")),
        (";expires=soon", "600", 200, Some("3600")),
        (";expires=-1", "600", 400, None),
        ("", "-60", 400, None),
    ];
    for (own, header, status, granted) in cases {
        let contact = format!("{CONTACT}{own}");
        let outcome = world.register("anna", &[("Contact", contact.as_str()), ("Expires", header)]);
        assert_eq!(code(&outcome), status, "{own} {header}");
        let min = (status == 423).then_some("60");
        assert_eq!(outcome.response.headers.get("Min-Expires"), min);
        if let Some(granted) = granted {
            let expected = format!("{CONTACT};expires={granted}");
            assert_eq!(outcome.response.headers.get("Contact"), Some(expected.as_str()), "{own} {header}");
        }
    }
    // One brief contact refuses the whole request.
    let both = world.register("bert", &[("Contact", "<sip:bert@10.0.0.1>, <sip:bert@10.0.0.2>;expires=5")]);
    assert_eq!((code(&both), world.contacts("bert").len()), (423, 0));
    let gone = world.register("anna", &[("Contact", CONTACT), ("Expires", "0")]);
    assert_eq!((code(&gone), world.registrar.len()), (200, 0));
}

#[test]
fn c43_a_cseq_that_goes_back_changes_nothing() {
    let mut world = World::new();
    world.cseq = 10;
    world.register("anna", &[("Contact", CONTACT)]);
    let expires = world.registrar.bindings("anna", world.now())[0].expires;
    world.seconds += 10;
    for (lines, cseq) in [([("Contact", CONTACT), ("Expires", "0")], 9), ([("Contact", "*"), ("Expires", "0")], 10)] {
        // The signed request carries the number set here plus one.
        world.cseq = cseq - 1;
        let outcome = world.register("anna", &lines);
        assert_eq!((code(&outcome), bindings_changed(&outcome.changes)), (500, 0));
    }
    assert_eq!(world.registrar.bindings("anna", world.now())[0].expires, expires);
    // Another Call-ID, as after a restart of the phone, begins anew.
    world.cseq = 0;
    let outcome = world.register("anna", &[("Contact", CONTACT), ("Call-ID", "other@phone")]);
    assert_eq!(code(&outcome), 200);
    assert_eq!(world.contacts("anna"), [CONTACT]);
}

#[test]
fn c44_sha_256_is_offered_first_then_md5_and_both_are_taken() {
    let mut world = World::new();
    let mut request = world.request("anna", &[("Contact", CONTACT)]);
    let challenged = world.send(&request).response;
    let offered: Vec<Algorithm> = challenges(&challenged).iter().map(|challenge| challenge.algorithm).collect();
    assert_eq!(offered, [Algorithm::Sha256, Algorithm::Md5]);
    assert!(challenges(&challenged).iter().all(|challenge| challenge.qop_auth && !challenge.stale));
    for (count, algorithm) in [(77, Algorithm::Md5), (78, Algorithm::Sha256)] {
        request.headers.set("CSeq", format!("{count} REGISTER"));
        sign(&mut request, &challenged, algorithm, "anna", "secret of anna", count);
        assert_eq!(code(&world.send(&request)), 200, "{algorithm:?}");
    }
}

#[test]
fn an_old_phones_account_is_offered_md5_alone() {
    let old = Account { digest: DigestPolicy::Md5Only, ..account("old") };
    let mut world = World::with(RegistrarConfig::new(REALM), [old]);
    let request = world.request("old", &[]);
    let challenged = world.send(&request).response;
    let offered: Vec<Algorithm> = challenges(&challenged).iter().map(|challenge| challenge.algorithm).collect();
    assert_eq!(offered, [Algorithm::Md5]);
}

#[test]
fn c44_a_replay_and_a_lower_count_are_refused_and_told_stale() {
    let mut world = World::new();
    let mut request = world.request("anna", &[("Contact", CONTACT)]);
    let challenged = world.send(&request).response;
    sign(&mut request, &challenged, Algorithm::Sha256, "anna", "secret of anna", 5);
    assert_eq!(code(&world.send(&request)), 200);
    let mut lower = request.clone();
    sign(&mut lower, &challenged, Algorithm::Sha256, "anna", "secret of anna", 4);
    for replay in [&request, &lower] {
        let outcome = world.send(replay);
        assert_eq!((code(&outcome), outcome.changes.len()), (401, 0));
        assert!(challenges(&outcome.response).iter().all(|challenge| challenge.stale));
    }
}

#[test]
fn c44_an_expired_nonce_is_stale_once_and_wrong_credentials_never_hear_of_it() {
    let mut world = World::new();
    let mut request = world.request("anna", &[("Contact", CONTACT)]);
    let challenged = world.send(&request).response;
    world.seconds += 300;
    let mut wrong = request.clone();
    sign(&mut wrong, &challenged, Algorithm::Sha256, "anna", "guess", 1);
    assert!(!challenges(&world.send(&wrong).response)[0].stale);
    sign(&mut request, &challenged, Algorithm::Sha256, "anna", "secret of anna", 1);
    let stale = world.send(&request).response;
    assert!(challenges(&stale)[0].stale);
    sign(&mut request, &stale, Algorithm::Sha256, "anna", "secret of anna", 1);
    assert_eq!(code(&world.send(&request)), 200);
}

#[test]
fn c44_a_restart_keeps_nonces_counts_and_bindings() {
    let mut before = World::new();
    let mut request = before.request("anna", &[("Contact", CONTACT)]);
    let challenged = before.send(&request).response;
    sign(&mut request, &challenged, Algorithm::Sha256, "anna", "secret of anna", 1);
    let changes = before.send(&request).changes;
    let (mut bindings, mut nonces) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::BindingSet(record) => bindings.push(record),
            Change::NonceUsed(record) => nonces.push(record),
            Change::BindingRemoved { .. } | Change::Locked(_) | Change::ForeignAor { .. } => {}
        }
    }
    let foreign = BindingRecord { aor: "sip:gone@desk.example".into(), ..bindings[0].clone() };
    let old = BindingRecord { contact: "<sip:anna@10.0.0.9>".into(), expires: before.wall(), ..bindings[0].clone() };
    bindings.extend([foreign, old]);

    let mut after = World::new();
    // Monotonic time begins anew; the wall clock has gone on by 100 s.
    let wall = before.wall().checked_add(Duration::from_secs(100)).unwrap();
    let gone = after.registrar.restore(bindings, nonces, Instant::from_millis(5_000), wall);
    let removed = |aor: &str, contact: &str| Change::BindingRemoved { aor: aor.into(), contact: contact.into() };
    let expected = [removed("sip:gone@desk.example", CONTACT), removed("sip:anna@desk.example", "<sip:anna@10.0.0.9>")];
    assert_eq!(gone, expected);
    let restored = after.registrar.bindings("anna", Instant::from_millis(5_000))[0].clone();
    assert_eq!(restored.expires, Instant::from_millis(3_505_000));

    // The same request again is a replay; the next count of the same nonce needs no new challenge.
    assert_eq!(code(&after.send(&request)), 401);
    request.headers.set("CSeq", "2 REGISTER");
    sign(&mut request, &challenged, Algorithm::Sha256, "anna", "secret of anna", 2);
    assert_eq!(code(&after.send(&request)), 200);
}

#[test]
fn c45_known_and_unknown_users_get_the_same_answers() {
    let ladder = |user: &str| {
        let mut world = World::with(RegistrarConfig::new(REALM), [account("anna")]);
        let mut seen = Vec::new();
        for _ in 0..7 {
            let mut request = world.request(user, &[("Contact", CONTACT)]);
            let challenged = world.send(&request).response;
            if challenged.status == Status::UNAUTHORIZED {
                sign(&mut request, &challenged, Algorithm::Md5, user, "guess", 1);
            }
            let outcome = world.send(&request);
            let locks = outcome.changes.len();
            seen.push((String::from_utf8(outcome.response.to_bytes().to_vec()).unwrap(), locks));
        }
        seen
    };
    let unknown: Vec<(String, usize)> =
        ladder("zora").into_iter().map(|(text, locks)| (text.replace("zora", "anna"), locks)).collect();
    assert_eq!(ladder("anna"), unknown);
    let locks: Vec<usize> = unknown.iter().map(|(_, locks)| *locks).collect();
    assert_eq!(locks, [0, 0, 0, 0, 1, 0, 0]);
    assert!(unknown[5].0.starts_with("SIP/2.0 403 "));
}

/// Accounts with all digests, with MD5 alone, with SHA-256 alone, and nobody's name; guessed by either digest, and locked.
#[test]
fn c45_known_and_unknown_users_take_the_same_work() {
    let accounts = || {
        let old = Account { ha1_sha256: None, ..account("bert") };
        let new = Account { ha1_md5: None, ..account("cleo") };
        [account("anna"), old, new]
    };
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let work = |user: &str| {
            let mut world = World::with(RegistrarConfig::new(REALM), accounts());
            let mut done = Vec::new();
            for _ in 0..7 {
                let mut request = world.request(user, &[("Contact", CONTACT)]);
                let challenged = World::with(RegistrarConfig::new(REALM), accounts()).send(&request).response;
                sign(&mut request, &challenged, algorithm, user, "guess", 1);
                work::taken();
                let outcome = world.send(&request);
                done.push((code(&outcome), work::taken()));
            }
            done
        };
        let unknown = work("zora");
        for known in ["anna", "bert", "cleo"] {
            assert_eq!(work(known), unknown, "{known}, by {}", algorithm.as_str());
        }
        let codes: Vec<u16> = unknown.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [401, 401, 401, 401, 401, 403, 403], "{}", algorithm.as_str());
        // HA2, then the response of a secret as long as any: 32 or 64 digits, whoever asks.
        let digits = if algorithm == Algorithm::Md5 { 32 } else { 64 };
        for (_, hashed) in &unknown {
            let [(first, method), (second, whole)] = hashed.as_slice() else { panic!("{hashed:?}") };
            assert_eq!((*first, *second, *method), (algorithm, algorithm, "REGISTERsip:desk.example".len()));
            assert!(*whole > 2 * digits, "{hashed:?}");
        }
    }
}

#[test]
fn c45_of_names_that_nobody_has_as_many_are_offered_md5_alone_as_of_those_that_somebody_has() {
    let offered = |world: &mut World, user: &str| {
        let request = world.request(user, &[]);
        challenges(&world.send(&request).response).len()
    };
    let of = |old: usize| {
        let accounts = (0..8).map(|number| {
            let digest = if number < old { DigestPolicy::Md5Only } else { DigestPolicy::Both };
            Account { digest, ..account(&format!("user-{number}")) }
        });
        let mut world = World::with(RegistrarConfig::new(REALM), accounts.collect::<Vec<Account>>());
        let once: Vec<usize> = (0..800).map(|number| offered(&mut world, &format!("nobody-{number}"))).collect();
        let again: Vec<usize> = (0..800).map(|number| offered(&mut world, &format!("nobody-{number}"))).collect();
        assert_eq!(once, again, "each name is answered as before");
        once.into_iter().filter(|offers| *offers == 1).count()
    };
    assert_eq!((of(0), of(8)), (0, 800));
    let quarter = of(2);
    assert!((150..250).contains(&quarter), "{quarter} of 800");
}

#[test]
fn c45_a_lock_refuses_the_right_password_too_but_not_the_phone_that_is_registered() {
    let mut world = World::new();
    assert_eq!(code(&world.register("anna", &[("Contact", CONTACT)])), 200);
    world.remote = ELSEWHERE.parse().unwrap();
    for _ in 0..5 {
        let request = world.request("anna", &[("Contact", CONTACT)]);
        assert_eq!(code(&world.register_as("anna", "guess", request)), 401);
    }
    assert_eq!(code(&world.register("anna", &[("Contact", CONTACT)])), 403);
    world.remote = HOME.parse().unwrap();
    assert_eq!(code(&world.register("anna", &[("Contact", CONTACT)])), 200);
    world.remote = ELSEWHERE.parse().unwrap();
    world.seconds += 30;
    assert_eq!(code(&world.register("anna", &[("Contact", CONTACT)])), 200);
}

/// A phone that knew the wrong password for an hour has locked its user and its own address.
#[test]
fn c45_a_new_password_is_in_force_at_once_at_the_phone_that_was_locked_and_another_users_lock_stays() {
    let mut world = World::new();
    let wrong = |world: &mut World, user: &str| {
        let request = world.request(user, &[("Contact", CONTACT)]);
        code(&world.register_as(user, "wrong", request))
    };
    for pause in [30, 60, 120, 0] {
        for _ in 0..5 {
            assert_eq!(wrong(&mut world, "anna"), 401);
        }
        world.seconds += pause;
    }
    assert_eq!(world.registrar.locked_for(world.now(), "anna"), Some(Duration::from_secs(240)));
    let unsigned = world.request("anna", &[("Contact", CONTACT)]);
    assert_eq!(code(&world.send(&unsigned)), 403, "its address is locked as well");
    world.remote = ELSEWHERE.parse().unwrap();
    for _ in 0..5 {
        assert_eq!(wrong(&mut world, "bert"), 401);
    }
    let new = Account { ha1_sha256: Some(ha1(Algorithm::Sha256, "anna", REALM, "new")), ..account("anna") };
    world.registrar.set_accounts([new, account("bert")]);
    let left = ["anna", "bert"].map(|user| world.registrar.locked_for(world.now(), user));
    assert_eq!(left, [None, Some(Duration::from_secs(30))]);
    world.remote = HOME.parse().unwrap();
    let request = world.request("anna", &[("Contact", CONTACT)]);
    assert_eq!(code(&world.register_as("anna", "new", request)), 200);
}

#[test]
fn c45_a_locked_address_does_not_lock_out_the_phone_that_is_registered_there() {
    let mut world = World::new();
    assert_eq!(code(&world.register("anna", &[("Contact", CONTACT)])), 200);
    for number in 0..20 {
        let user = format!("user{number}");
        let request = world.request(&user, &[]);
        assert_eq!(code(&world.register_as(&user, "guess", request)), 401);
    }
    assert_eq!(code(&world.register("anna", &[("Contact", CONTACT)])), 200);
    assert_eq!(code(&world.register("bert", &[("Contact", CONTACT)])), 403, "who comes anew waits");
    world.remote = ELSEWHERE.parse().unwrap();
    assert_eq!(code(&world.register("bert", &[("Contact", CONTACT)])), 200);
}

#[test]
fn c45_wrong_answers_to_nonces_that_the_source_was_not_given_are_not_counted_and_say_nothing() {
    let mut world = World::new();
    let mut request = world.request("anna", &[("Contact", CONTACT)]);
    world.remote = ELSEWHERE.parse().unwrap();
    let given_elsewhere = world.send(&request).response;
    world.remote = HOME.parse().unwrap();
    let mut made_up = challenges(&given_elsewhere)[0].clone();
    made_up.nonce = "0".repeat(58);
    for nonce in [challenges(&given_elsewhere)[0].clone(), made_up] {
        for (n, password) in (1..).zip(["guess", "secret of anna"].repeat(50)) {
            let line = RequestLine { method: &Method::Register, uri: "sip:desk.example" };
            request.headers.set("Authorization", nonce.answer("anna", password, line, "cnonce", n));
            let outcome = world.send(&request);
            assert_eq!((code(&outcome), outcome.changes.len()), (401, 0), "{n}");
            assert!(challenges(&outcome.response).iter().all(|challenge| !challenge.stale), "{n}: {password}");
        }
    }
    assert_eq!(code(&world.register("anna", &[("Contact", CONTACT)])), 200);
}

#[test]
fn c45_an_expired_nonce_is_no_way_to_guess_without_being_counted() {
    let mut world = World::new();
    let mut request = world.request("anna", &[("Contact", CONTACT)]);
    let challenged = world.send(&request).response;
    world.seconds += 300;
    let mut locks = 0;
    for count in 1..=5 {
        sign(&mut request, &challenged, Algorithm::Sha256, "anna", "guess", count);
        locks += world.send(&request).changes.len();
    }
    assert_eq!(locks, 1);
    assert_eq!(code(&world.send(&request)), 403);
}

#[test]
fn c44_a_nonce_survives_a_new_port_of_the_nat_and_not_another_address() {
    let mut world = World::new();
    let mut request = world.request("anna", &[("Contact", CONTACT)]);
    let challenged = world.send(&request).response;
    for (count, (remote, status)) in (1..).zip([("192.0.2.10:40001", 200), (ELSEWHERE, 401), ("192.0.2.10:9", 200)]) {
        world.remote = remote.parse().unwrap();
        request.headers.set("CSeq", format!("{} REGISTER", 100 + count));
        sign(&mut request, &challenged, Algorithm::Sha256, "anna", "secret of anna", count);
        assert_eq!(code(&world.send(&request)), status, "{remote}");
    }
}

#[test]
fn a_home_is_an_address_with_a_live_binding() {
    let mut world = World::new();
    let (home, elsewhere): (SocketAddr, SocketAddr) = (HOME.parse().unwrap(), ELSEWHERE.parse().unwrap());
    let homes = |world: &World| [home, elsewhere].map(|address| world.registrar.is_home(address.ip()));
    world.register("anna", &[("Contact", CONTACT)]);
    world.register("bert", &[("Contact", "<sip:bert@192.0.2.10>")]);
    assert_eq!(homes(&world), [true, false]);
    world.register("anna", &[("Contact", "*"), ("Expires", "0")]);
    assert_eq!(homes(&world), [true, false], "bert is still there");
    world.remote = elsewhere;
    world.register("bert", &[("Contact", "<sip:bert@192.0.2.10>")]);
    assert_eq!(homes(&world), [false, true]);
    world.seconds += 3600;
    world.registrar.handle_timeout(world.now());
    assert_eq!(homes(&world), [false, false]);
}

#[test]
fn c46_someone_elses_address_is_403_and_audited() {
    let mut world = World::new();
    let request = world.request("bert", &[("Contact", CONTACT)]);
    let outcome = world.register_as("anna", "secret of anna", request);
    assert_eq!(code(&outcome), 403);
    let foreign = Change::ForeignAor { user: "anna".into(), aor: "sip:bert@desk.example".into() };
    assert_eq!(outcome.changes.last(), Some(&foreign));
    assert!(world.registrar.is_empty());
}

#[test]
fn an_unknown_domain_is_404_when_domains_are_named() {
    let config = RegistrarConfig { domains: vec![Host::parse("192.0.2.1").unwrap()], ..RegistrarConfig::new(REALM) };
    let mut world = World::with(config, [account("anna")]);
    for (to, status) in [
        ("<sip:anna@elsewhere.example>", 404),
        ("<sip:anna@192.0.2.1:5060>", 200),
        ("<sip:anna@DESK.example>", 200),
        ("<sip:a%6Ena@desk.example>", 200),
        ("<tel:anna>", 400),
    ] {
        assert_eq!(code(&world.register("anna", &[("To", to), ("Contact", CONTACT)])), status, "{to}");
    }
}

#[test]
fn contacts_that_cannot_be_called_are_400() {
    let mut world = World::new();
    let long = format!("<sip:anna@10.0.0.1;x={}>", "y".repeat(600));
    for contact in ["<tel:4710>", "<mailto:anna@desk.example>", "<sips:anna@10.0.0.1>", "<sip:anna@10.0.0.1", &long] {
        let outcome = world.register("anna", &[("Contact", contact)]);
        assert_eq!((code(&outcome), bindings_changed(&outcome.changes)), (400, 0), "{contact}");
    }
}

#[test]
fn c47_contacts_of_one_user_are_capped() {
    let mut world = World::new();
    for number in 0..1_000 {
        world.seconds += 1;
        let contact = format!("<sip:anna@10.0.0.1:{}>", 10_000 + number);
        assert_eq!(code(&world.register("anna", &[("Contact", contact.as_str())])), 200);
    }
    let contacts = world.contacts("anna");
    assert_eq!(contacts.len(), 10);
    assert_eq!(contacts[0], "<sip:anna@10.0.0.1:10999>");
    let many: Vec<String> = (0..11).map(|number| format!("<sip:bert@10.0.0.{number}>")).collect();
    assert_eq!(code(&world.register("bert", &[("Contact", many.join(", ").as_str())])), 403);
}

#[test]
fn c47_ten_thousand_addresses_register_expire_and_leave_nothing() {
    let users: Vec<String> = (0..10_000).map(|number| format!("u{number}")).collect();
    let mut world = World::with(RegistrarConfig::new(REALM), users.iter().map(|user| account(user)));
    for user in &users {
        let contact = format!("<sip:{user}@10.0.0.1>");
        assert_eq!(code(&world.register(user, &[("Contact", contact.as_str())])), 200);
    }
    assert_eq!(world.registrar.len(), 10_000);
    world.seconds += 3600;
    assert_eq!(world.registrar.handle_timeout(world.now()).len(), 10_000);
    assert_eq!((world.registrar.len(), world.registrar.poll_timeout()), (0, None));
}

#[test]
fn an_invite_is_verified_as_well_and_other_schemes_are_challenged() {
    let mut world = World::new();
    let mut invite = world.request("anna", &[]);
    invite.method = Method::Invite;
    invite.uri = Uri::parse("sip:4000@desk.example").unwrap();
    invite.headers.set("Authorization", "NoOneKnowsThisScheme opaque-data=here");
    let at = world.arrival();
    let Auth::Refused { response, .. } = world.registrar.authenticate(at, &invite) else { panic!("granted") };
    assert_eq!(response.status, Status::UNAUTHORIZED);
    sign(&mut invite, &response, Algorithm::Sha256, "anna", "secret of anna", 1);
    let mut other = invite.clone();
    other.uri = Uri::parse("sip:4999@desk.example").unwrap();
    let at = world.arrival();
    let Auth::Refused { response, .. } = world.registrar.authenticate(at, &other) else { panic!("granted") };
    assert_eq!(response.status, Status::BAD_REQUEST);
    let at = world.arrival();
    assert!(matches!(world.registrar.authenticate(at, &invite), Auth::Granted { user, .. } if user == "anna"));
}

#[test]
fn a_closed_connection_and_a_lost_account_leave_no_false_path() {
    let mut world = World::new();
    let mut request = world.request("anna", &[("Contact", CONTACT)]);
    let challenged = world.send(&request).response;
    sign(&mut request, &challenged, Algorithm::Sha256, "anna", "secret of anna", 1);
    let mut at = world.arrival();
    at.flow = Flow { transport: Transport::Tcp, conn: Some(ConnId(9)), ..at.flow };
    world.registrar.register(at, &request);
    world.registrar.stream_closed(ConnId(9));
    assert_eq!(world.registrar.bindings("anna", world.now())[0].flow.conn, None);
    let gone = world.registrar.set_accounts([account("bert")]);
    assert_eq!(gone.len(), 1);
    assert!(world.registrar.is_empty());
}

//! The list of the sample hospital: each line open and green, by calls as their records tell them.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use ulid::Ulid;

use super::*;
use crate::bridge::{Codec, MediaReport};
use crate::config::cover::Gaps;
use crate::config::{Config, Surroundings, load};
use crate::digit::{Digit, DigitSource};
use crate::identity::{
    Directory, DirectoryParts, NumberRules, Numbers, Phone, Signalled, System, Unit, claim_extension, identify,
};
use crate::ids::{AnalystId, CallId, Extension, HospitalId, OfferId, RungId, Seq, TargetId, TicketNumber};
use crate::routing::{OfferOutcome, PhoneUse};
use crate::ticket::{
    CallOpened, Confirmation, Event, HangupCause, MediaProblem, Party, Record, Standing, Standings, Ticket, Vouched,
};

/// Tuesday morning in Mercy Harbor.
const NOW: &str = "2026-12-01T15:00:00Z";
const HOLE: &str = "tidewater-lab for 20 h: Mon–Fri 14:30–15:30, every week";

fn now() -> Timestamp {
    NOW.parse().expect("a time")
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

struct Desk {
    config: Config,
    standings: Standings,
    gaps: Gaps,
}

fn desk() -> Desk {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config");
    let surroundings = Surroundings { variables: std::collections::BTreeMap::new(), now: now() };
    let config = load(&folder, &surroundings).expect("the sample is valid").config;
    Desk { config, standings: Standings::default(), gaps: holes(&[HOLE]) }
}

fn holes(told: &[&str]) -> Gaps {
    Gaps { holes: told.iter().map(|hole| (*hole).to_owned()).collect(), elsewhere: Vec::new() }
}

fn mercy() -> HospitalId {
    HospitalId::new("mercy-harbor")
}

impl Desk {
    fn list(&self, tickets: &[Ticket]) -> Checklist {
        let hospital = self.config.hospital(&mercy()).expect("the sample's first");
        let mut evidence = Evidence::new(self.standings.of(&mercy()), now());
        tickets.iter().for_each(|ticket| evidence.take(hospital, ticket));
        let Desk { config, standings, gaps } = self;
        checklist(&Subject { config, hospital, standings, gaps }, &evidence)
    }

    fn line(&self, point: Point, tickets: &[Ticket]) -> Line {
        self.list(tickets).lines.into_iter().find(|line| line.point == point).expect("every point has a line")
    }

    /// A call of this phone, as the trunk signals it.
    fn call(&self, from: &str) -> Call {
        let directory = &self.config.hospital(&mercy()).expect("the hospital").directory;
        let signalled = Signalled { from: Some(from.to_owned()), trusted: true, ..Signalled::default() };
        let caller = identify(&signalled, &NumberRules::default(), directory, now());
        Call { opened: ago(600), from: from.to_owned(), test: false, events: vec![identified(caller)] }
    }
}

fn identified(caller: crate::identity::Caller) -> Event {
    Event::CallerIdentified { caller: Box::new(caller) }
}

struct Call {
    opened: Timestamp,
    from: String,
    test: bool,
    events: Vec<Event>,
}

impl Call {
    fn at(self, opened: Timestamp) -> Call {
        Call { opened, ..self }
    }

    fn with(mut self, event: Event) -> Call {
        self.events.push(event);
        self
    }

    fn key(self) -> Call {
        self.with(Event::KeyPressed {
            digit: Digit::from_char('1').expect("a key"),
            source: DigitSource::TelephoneEvent,
        })
    }

    fn measured(self, party: Party, received: u64, codec: Option<Codec>) -> Call {
        let report = Box::new(MediaReport { codec, received, sent: 500, ..MediaReport::default() });
        self.with(Event::MediaMeasured { party, report })
    }

    fn answered_by(self, analyst: &str, outside: bool) -> Call {
        let (offer, analyst) = (OfferId(1), AnalystId::new(analyst));
        self.with(Event::OfferSent { offer, analyst: analyst.clone(), rung: RungId::new("qualified"), outside })
            .with(Event::AnalystAnswered { offer, analyst })
    }

    fn talked(self) -> Call {
        self.with(Event::Bridged { with: Party::Analyst })
            .with(Event::HumanHeard)
            .measured(Party::Caller, 500, Some(Codec::Pcmu))
            .measured(Party::Analyst, 480, Some(Codec::G722))
    }

    fn target(self, target: &str) -> Call {
        self.with(Event::TargetRung { target: TargetId::new(target) })
            .with(Event::TransferEnded { target: target.to_owned(), ok: true })
            .with(Event::Bridged { with: Party::Target })
            .with(Event::HumanHeard)
    }

    fn ticket(self) -> Ticket {
        let call = Some(CallId(Ulid::from_parts(1, 1)));
        let opened = Event::CallOpened(CallOpened {
            ticket: TicketNumber(1000),
            hospital: mercy(),
            plan: "hotline".into(),
            language: "en".into(),
            trunk: Some("lab-pbx".into()),
            calling: self.from,
            dialled: "7100".to_owned(),
            sip_call_id: "1@pbx".to_owned(),
            test: self.test,
            rehearsal: true,
            continues: None,
        });
        let end = Event::CallEnded { cause: HangupCause::Normal, by: Party::Caller };
        let record = |(seq, event)| Record { seq: Seq(seq), at: self.opened, call, event };
        let mut records = (1..).zip([opened].into_iter().chain(self.events).chain([end])).map(record);
        let mut ticket = Ticket::open(&records.next().expect("the first")).expect("a ticket");
        records.for_each(|record| ticket.apply(&record));
        ticket
    }
}

fn is_green(line: &Line) -> bool {
    line.progress == Progress::Green
}

// -- The walk-round ---------------------------------------------------------------------------------------------------

#[test]
fn before_anything_is_shown_only_the_unmapped_line_is_green_and_units_are_named() {
    let list = desk().list(&[]);
    let green: Vec<Point> = list.lines.iter().filter(|line| is_green(line)).map(|line| line.point).collect();
    assert_eq!(green, [Point::Unmapped]);
    assert!(!list.green);
    let units = &list.lines[0];
    assert_eq!(units.found, "0 of 10 units have called from a phone that the map puts there");
    assert_eq!(units.missing.len(), 10);
    assert!(units.missing.contains(&"Oncology".to_owned()));
    assert_eq!(units.next.as_deref(), Some("call 7100 from a phone of each; the greeting names the unit"));
    assert!(
        list.lines.iter().all(|line| is_green(line) || line.progress == Progress::NotAvailable || line.next.is_some())
    );
}

#[test]
fn a_call_from_a_mapped_phone_turns_its_own_unit_green_and_no_other() {
    let desk = desk();
    let line = desk.line(Point::Units, &[desk.call("4710").ticket()]);
    assert_eq!(line.found, "1 of 10 units has called from a phone that the map puts there");
    assert!(!line.missing.contains(&"4 West".to_owned()));
    assert_eq!(line.missing.len(), 9);
}

#[test]
fn a_place_that_was_keyed_or_that_the_map_has_changed_shows_no_phone() {
    let desk = desk();
    let directory = &desk.config.hospital(&mercy()).expect("the hospital").directory;
    let signalled = Signalled { from: Some("7741".to_owned()), trusted: true, ..Signalled::default() };
    let mut caller = identify(&signalled, &NumberRules::default(), directory, now());
    assert!(claim_extension(&mut caller, &Extension::new("4710"), directory, now()));
    let keyed = desk.call("7741").with(identified(caller)).ticket();
    assert_eq!(keyed.unit_name(), Some("4 West"));
    assert_eq!(desk.line(Point::Units, std::slice::from_ref(&keyed)).missing.len(), 10);
    assert_eq!(desk.line(Point::Unmapped, &[keyed]).missing, ["7741 (once)"]);
    // The map said 4 West when the call came, and says ICU now.
    let mut moved = desk.call("4710").ticket();
    let place = moved.caller.as_mut().and_then(|caller| caller.place.as_mut()).expect("a place");
    place.value.unit = "icu".into();
    assert_eq!(desk.line(Point::Units, &[moved]).missing.len(), 10);
}

#[test]
fn calls_that_are_too_old_or_test_calls_show_nothing() {
    let desk = desk();
    let old = desk.call("4710").at(now() - SignedDuration::from_hours(24 * EVIDENCE_DAYS + 1)).ticket();
    let canary = Call { test: true, ..desk.call("4710") }.ticket();
    assert_eq!(desk.line(Point::Units, &[old, canary]).missing.len(), 10);
}

#[test]
fn audio_is_green_for_a_unit_when_both_sides_were_received_and_none_stayed_silent() {
    let desk = desk();
    let seen = |call: Call| desk.list(&[call.ticket()]).units.into_iter().find(|unit| unit.called).expect("a unit");
    assert!(seen(desk.call("4710").talked()).audio);
    let bridged = || desk.call("4710").with(Event::Bridged { with: Party::Analyst });
    let asked = bridged().with(Event::HumanHeard).measured(Party::Caller, 500, None);
    assert!(seen(asked).audio, "also while the analyst is still asked whether it is solved");
    assert!(!seen(bridged().with(Event::HumanHeard)).audio, "nothing is known of the caller's side yet");
    assert!(!seen(bridged().measured(Party::Caller, 500, None)).audio, "nobody heard the analyst");
    assert!(!seen(desk.call("4710").talked().measured(Party::Caller, 0, None)).audio);
    let silent = |problem| Event::MediaProblem { party: Party::Caller, problem };
    let one_way = desk.call("4710").talked().with(silent(MediaProblem::OneWay));
    assert!(!seen(one_way).audio);
    let back = desk.call("4710").talked().with(silent(MediaProblem::OneWay)).with(silent(MediaProblem::Recovered));
    assert!(seen(back).audio);
    let line = desk.line(Point::Audio, &[desk.call("4710").ticket()]);
    assert_eq!(
        (line.found.as_str(), line.missing.as_slice()),
        ("heard both ways from 0 of 10 units", &["4 West".to_owned()][..])
    );
}

#[test]
fn a_key_counts_whether_the_plan_or_the_analyst_heard_it() {
    let desk = desk();
    let heard = |call: Call| desk.line(Point::Keys, &[call.ticket()]).missing.is_empty();
    assert!(!heard(desk.call("4710").talked()));
    assert!(heard(desk.call("4710").key()));
    assert!(heard(desk.call("4710").with(Event::KeyInTalk { by: Party::Caller })), "while the call is still up");
    assert!(!heard(desk.call("4710").with(Event::KeyInTalk { by: Party::Analyst })));
    let report = Box::new(MediaReport { keys: 1, ..MediaReport::default() });
    assert!(heard(desk.call("4710").with(Event::MediaMeasured { party: Party::Caller, report })));
}

#[test]
fn the_codec_line_names_what_was_agreed() {
    let desk = desk();
    let g722 = desk.call("4720").talked().measured(Party::Caller, 9, Some(Codec::G722)).ticket();
    let line = desk.line(Point::Codec, &[desk.call("4710").talked().ticket(), g722, desk.call("4740").ticket()]);
    assert_eq!(line.found, "a codec was agreed with 2 of 10 units (G722, PCMU)");
    assert_eq!(line.missing, ["Emergency"]);
}

#[test]
fn an_unmapped_phone_of_today_is_named_with_its_count() {
    let desk = desk();
    let (twice, outside) = (desk.call("7741").ticket(), desk.call("12025550188").ticket());
    // Midnight in Mercy Harbor was at 05:00 UTC.
    let yesterday = desk.call("7742").at("2026-12-01T04:59:00Z".parse().expect("a time")).ticket();
    let personal = desk.call("5100").ticket();
    let line = desk.line(Point::Unmapped, &[twice.clone(), twice, outside, yesterday, personal]);
    assert_eq!(line.found, "1 phone called today that is not on the map");
    assert_eq!(line.missing, ["7741 (2 times)"]);
    let text = render(&desk.list(&[desk.call("7741").ticket()]), &TimeZone::UTC, |_, word| word.to_owned());
    assert!(text.contains("called: 7741 (once)"), "{text}");
}

/// With only these of the hospital's phones on the map, of its units and of its systems.
fn with_map(phones: fn(&Phone) -> bool, units: fn(&Unit) -> bool, systems: fn(&System) -> bool) -> Desk {
    let mut desk = desk();
    let hospital = desk.config.hospitals.get_mut(&mercy()).expect("the hospital");
    let whole = &hospital.directory;
    let parts = DirectoryParts {
        sites: whole.sites().cloned().collect(),
        units: whole.units().filter(|unit| units(unit)).cloned().collect(),
        systems: whole.systems().filter(|system| systems(system)).cloned().collect(),
        phones: whole.phones().iter().filter(|phone| phones(phone)).cloned().collect(),
        ..DirectoryParts::default()
    };
    hospital.directory = Directory::new(mercy(), parts);
    desk
}

#[test]
fn a_hospital_without_a_unit_has_shown_nothing() {
    let desk = with_map(|_| false, |_| false, |_| true);
    for point in [Point::Units, Point::Audio, Point::Keys, Point::Codec] {
        let line = desk.line(point, &[]);
        assert_eq!((line.progress, line.found.as_str()), (Progress::Open, "no unit is on the map"), "{point:?}");
        assert!(line.next.is_some_and(|next| next.contains("`wardline import phones`")), "{point:?}");
    }
}

#[test]
fn a_unit_without_a_phone_on_the_map_is_told_with_both_ways_out() {
    let out = "no phone of Oncology is on the map: `wardline import phones`, or take it out of [units] if nobody calls \
               from there; then `wardline publish`";
    let elsewhere: fn(&Phone) -> bool = |phone| phone.unit.as_ref().is_none_or(|unit| unit.as_str() != "oncology");
    let line = with_map(elsewhere, |_| true, |_| true).line(Point::Units, &[]);
    assert!(line.missing.contains(&"Oncology (no phone of it is on the map)".to_owned()), "{line:?}");
    assert!(line.missing.contains(&"4 West".to_owned()), "{line:?}");
    let call = "call 7100 from a phone of each; the greeting names the unit";
    assert_eq!(line.next, Some(format!("{call}; {out}")));
    let alone = with_map(elsewhere, |unit| unit.id.as_str() == "oncology", |_| true).line(Point::Units, &[]);
    assert_eq!(alone.next.as_deref(), Some(out), "nobody is sent to call from a phone that there is not");
}

// -- People -----------------------------------------------------------------------------------------------------------

#[test]
fn an_analyst_who_answered_at_the_desk_is_not_missing_and_one_who_only_rang_is() {
    let desk = desk();
    let offer = OfferId(2);
    let rang =
        Event::OfferSent { offer, analyst: "lena-brandt".into(), rung: RungId::new("qualified"), outside: false };
    let ended = Event::OfferEnded { offer, analyst: "lena-brandt".into(), outcome: OfferOutcome::NoAnswer };
    let line = desk
        .line(Point::Analysts, &[desk.call("4710").with(rang).with(ended).answered_by("amara-osei", false).ticket()]);
    assert_eq!(line.found, "1 of 11 analysts have answered a ring at the desk");
    assert!(line.missing.contains(&"Lena Brandt".to_owned()) && !line.missing.contains(&"Amara Osei".to_owned()));
}

#[test]
fn a_mobile_that_pressed_1_shows_the_on_call_phone_and_not_the_desk_phone() {
    let desk = desk();
    let mobile = [desk.call("4710").answered_by("dana-kowalski", true).ticket()];
    let line = desk.line(Point::OnCall, &mobile);
    assert_eq!(
        (line.found.as_str(), &line.missing[..]),
        ("1 of 2 on-call phones have pressed 1", &["Victor Lindqvist".to_owned()][..])
    );
    assert!(desk.line(Point::Analysts, &mobile).missing.contains(&"Dana Kowalski".to_owned()));
    let at_desk = [desk.call("4710").answered_by("dana-kowalski", false).ticket()];
    assert!(desk.line(Point::OnCall, &at_desk).missing.contains(&"Dana Kowalski".to_owned()));
}

// -- Beyond the desk --------------------------------------------------------------------------------------------------

#[test]
fn the_operator_counts_when_heard_and_another_target_does_not() {
    let desk = desk();
    assert!(is_green(&desk.line(Point::Operator, &[desk.call("4710").target("operator").ticket()])));
    assert!(!is_green(&desk.line(Point::Operator, &[desk.call("4710").target("pharmacy").ticket()])));
    let rang = Event::TransferEnded { target: "operator".to_owned(), ok: false };
    assert!(!is_green(&desk.line(Point::Operator, &[desk.call("4710").with(rang).ticket()])));
    // An answer without a voice may be a machine.
    let silent = Event::TransferEnded { target: "operator".to_owned(), ok: true };
    assert!(!is_green(&desk.line(Point::Operator, &[desk.call("4710").with(silent).ticket()])));
}

fn said(item: Vouched, at: Timestamp) -> Confirmation {
    Confirmation { item, by: "J. Kim".to_owned(), note: "dialled on 4 West".to_owned(), at }
}

#[test]
fn what_a_person_confirmed_is_green_with_name_day_and_note() {
    let mut desk = desk();
    for (item, point) in [
        (Vouched::Places, Point::Places),
        (Vouched::CodeNumber, Point::CodeNumber),
        (Vouched::Emergency, Point::Emergency),
    ] {
        let open = desk.line(point, &[]);
        assert!(!is_green(&open));
        let confirm = format!("golive confirm {} --hospital mercy-harbor", item.as_str());
        assert!(open.next.is_some_and(|next| next.contains(&confirm)));
        desk.standings.confirm(mercy(), said(item, ago(60)));
        let line = desk.line(point, &[]);
        assert!(is_green(&line));
        assert!(line.found.ends_with("; J. Kim on 2026-12-01: dialled on 4 West"), "{}", line.found);
    }
}

#[test]
fn back_in_rehearsal_nothing_that_was_shown_before_counts() {
    let mut desk = desk();
    let calls = [desk.call("4710").talked().answered_by("amara-osei", false).target("operator").ticket()];
    desk.standings.confirm(mercy(), said(Vouched::Emergency, ago(600)));
    let before = desk.list(&calls);
    assert!(is_green(before.lines.iter().find(|line| line.point == Point::Operator).expect("a line")));
    let back = Standing::Returned { by: "J. Kim".to_owned(), reason: "a new PBX".to_owned(), at: ago(300) };
    desk.standings.set(mercy(), back);
    let after = desk.list(&calls);
    assert_eq!(after.counts_from, ago(300));
    for point in [Point::Operator, Point::Emergency, Point::Analysts] {
        assert!(!is_green(after.lines.iter().find(|line| line.point == point).expect("a line")), "{point:?}");
    }
    assert!(after.units.iter().all(|unit| !unit.called));
}

/// What a whole walk-round leaves behind, where the rota has no hole.
fn walked(desk: &mut Desk) -> Vec<Ticket> {
    desk.gaps = Gaps::default();
    for item in Vouched::ALL {
        desk.standings.confirm(mercy(), said(item, ago(60)));
    }
    let hospital = desk.config.hospital(&mercy()).expect("the hospital");
    let phone = |unit: &crate::identity::Unit| {
        let mut phones = hospital.directory.phones().iter();
        let phone = phones.find(|phone| phone.unit.as_ref() == Some(&unit.id)).expect("a phone");
        match &phone.numbers {
            Numbers::One(number) => number.to_string(),
            Numbers::Range { first, .. } => first.to_string(),
        }
    };
    let mut tickets: Vec<Ticket> =
        hospital.directory.units().map(|unit| desk.call(&phone(unit)).key().talked().ticket()).collect();
    for analyst in desk.config.staff.of(&mercy()) {
        tickets.push(desk.call("4710").answered_by(analyst.id.as_str(), false).ticket());
        if analyst.phones.iter().any(|phone| phone.usage == PhoneUse::OnCall) {
            tickets.push(desk.call("4710").answered_by(analyst.id.as_str(), true).ticket());
        }
    }
    tickets.push(desk.call("4710").target("operator").ticket());
    tickets
}

#[test]
fn after_the_walk_round_every_line_is_green_and_declaring_is_next() {
    let mut desk = desk();
    let tickets = walked(&mut desk);
    let list = desk.list(&tickets);
    assert!(list.green, "{list:#?}");
    let text = render(&list, &TimeZone::UTC, |_, word| word.to_owned());
    let next = "Every line is green. Next: `wardline golive declare --hospital mercy-harbor --by NAME`.\n";
    assert!(text.ends_with(next), "{text}");
}

#[test]
fn a_hole_in_the_rota_alone_keeps_a_walked_hospital_from_going_live_and_is_named() {
    let mut desk = desk();
    let tickets = walked(&mut desk);
    desk.gaps = holes(&[HOLE]);
    let list = desk.list(&tickets);
    assert!(!list.green);
    let open: Vec<&Line> = list.open().collect();
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!((open[0].point, open[0].missing.as_slice()), (Point::Coverage, [HOLE.to_owned()].as_slice()));
    assert!(open[0].next.as_deref().is_some_and(|next| next.starts_with("see `wardline coverage`")), "{open:#?}");
}

#[test]
fn without_a_system_nothing_is_covered() {
    let mut desk = with_map(|_| true, |_| true, |_| false);
    desk.gaps = Gaps::default();
    let line = desk.line(Point::Coverage, &[]);
    assert_eq!(line.progress, Progress::Open);
    assert_eq!(line.found, "no system is declared, so there is nothing that anybody covers");
    assert!(line.next.is_some_and(|next| next.contains("[systems]")));
}

#[test]
fn a_rota_that_is_kept_elsewhere_is_green_by_a_persons_word_which_fills_no_hole() {
    let mut desk = desk();
    let unsaid = "no shifts are declared for tidewater-lab";
    desk.gaps = Gaps { holes: Vec::new(), elsewhere: vec!["tidewater-lab".to_owned()] };
    let line = desk.line(Point::Coverage, &[]);
    assert_eq!((line.progress, line.found.as_str()), (Progress::Open, unsaid));
    assert!(
        line.next.is_some_and(|next| next.contains("`wardline golive confirm rota --hospital mercy-harbor --by NAME"))
    );
    desk.gaps.holes = vec![HOLE.to_owned()];
    assert_eq!(desk.line(Point::Coverage, &[]).missing, [HOLE, unsaid]);

    let note = "the lab's own plan, kept by its head".to_owned();
    desk.standings.confirm(mercy(), Confirmation { item: Vouched::Rota, by: "J. Kim".to_owned(), note, at: ago(60) });
    assert_eq!(desk.line(Point::Coverage, &[]).missing, [HOLE], "a hole in declared shifts stays one");
    desk.gaps.holes.clear();
    let line = desk.line(Point::Coverage, &[]);
    assert_eq!(line.progress, Progress::Green);
    let told = "whose rota is kept elsewhere; J. Kim on 2026-12-01: the lab's own plan, kept by its head";
    assert_eq!(line.found, format!("{unsaid}, {told}"));
}

#[test]
fn the_text_says_standing_what_is_open_and_what_to_do_next() {
    let mut desk = desk();
    desk.standings
        .set(mercy(), Standing::Overridden { by: "J. Kim".to_owned(), reason: "Friday".to_owned(), at: ago(60) });
    let text = render(&desk.list(&[]), &TimeZone::UTC, |_, word| word.to_owned());
    assert!(
        text.starts_with(
            "Mercy Harbor (mercy-harbor) is live since 2026-12-01 14:59 UTC, overridden by J. Kim: Friday.\n"
        ),
        "{text}"
    );
    assert!(text.contains("later  consent      calls are not recorded in this version"), "{text}");
    assert!(
        text.ends_with("Next, for units: call 7100 from a phone of each; the greeting names the unit.\n"),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever part of a walk-round has been walked, in whatever order: more of it turns no line from green to open.
    #[test]
    fn more_calls_never_take_back_what_was_shown(
        order in Just((0..64usize).collect::<Vec<_>>()).prop_shuffle(),
        part in 0..64usize,
    ) {
        let mut desk = desk();
        let all = walked(&mut desk);
        let shuffled: Vec<Ticket> = order.iter().filter_map(|place| all.get(*place).cloned()).collect();
        let part = part.min(shuffled.len());
        let (before, after) = (desk.list(&shuffled[..part]), desk.list(&shuffled));
        prop_assert!(after.green);
        prop_assert_eq!(&after, &desk.list(&all), "the order changes nothing");
        for (before, after) in before.lines.iter().zip(&after.lines) {
            prop_assert!(!is_green(before) || is_green(after));
            prop_assert!(after.missing.iter().all(|name| before.missing.contains(name)));
        }
    }
}

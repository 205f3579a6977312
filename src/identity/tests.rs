//! Who calls, from what headers: one row a case.

use jiff::Timestamp;

use super::*;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn phone(numbers: Numbers, class: PhoneClass, unit: Option<&str>) -> Phone {
    let unit = unit.map(UnitId::new);
    Phone { numbers, class, unit, room: None, workstation: None, system: None, module: None, person: None }
}

fn one(number: &str) -> Numbers {
    Numbers::One(Extension::new(number))
}

fn system(id: &str, environment: &str) -> System {
    System {
        id: SystemId::new(id),
        name: id.to_owned(),
        product: "Meridian".to_owned(),
        instance: id.to_owned(),
        environment: environment.to_owned(),
        releases: Some(crate::release::ReleaseLine::new("2025.2", Vec::new())),
        modules: vec![ModuleId::new("charting")],
        spoken: None,
    }
}

/// 4 West has 4700–4719, of which 4710 is a workstation of the training system; 5100 is Dr. Rao's own phone.
fn mercy() -> Directory {
    let ward = phone(Numbers::Range { digits: 4, first: 4700, last: 4719 }, PhoneClass::Ward, Some("4-west"));
    let mut trainer = phone(one("4710"), PhoneClass::Office, Some("4-west"));
    trainer.system = Some(SystemId::new("training"));
    trainer.module = Some(ModuleId::new("charting"));
    let mut personal = phone(one("5100"), PhoneClass::Office, None);
    personal.person = Some(ClinicianId::new("rao"));
    Directory::new(
        HospitalId::new("mercy"),
        DirectoryParts {
            sites: vec![Site { id: SiteId::new("main"), name: "Main".to_owned() }],
            units: vec![Unit {
                id: UnitId::new("4-west"),
                site: SiteId::new("main"),
                name: "4 West".to_owned(),
                spoken: None,
                system: Some(SystemId::new("prod")),
            }],
            systems: vec![system("prod", "production"), system("training", "training")],
            phones: vec![ward, trainer, personal],
            clinicians: vec![Clinician {
                id: ClinicianId::new("rao"),
                name: "Dr. Rao".to_owned(),
                role: None,
                badge: Some("20417".to_owned()),
                language: None,
            }],
            inside_digits: vec![4],
        },
    )
}

fn rules() -> NumberRules {
    NumberRules { strip: vec!["8".to_owned(), "+1555010".to_owned()] }
}

#[derive(Default)]
struct Row {
    name: &'static str,
    asserted: Option<&'static str>,
    remote_party: Option<&'static str>,
    from: Option<&'static str>,
    diversion: &'static [&'static str],
    untrusted: bool,
    registered: Option<&'static str>,
    /// number, extension, unit, system, person; then the number's source and the place's confidence.
    expect: [Option<&'static str>; 5],
    source: Option<Source>,
    place: Option<(Source, Confidence)>,
}

const FOUR_WEST: Option<&str> = Some("4-west");
const MAP_CLAIMED: Option<(Source, Confidence)> = Some((Source::ExtensionMap, Confidence::Claimed));

fn header_rows() -> Vec<Row> {
    vec![
        Row {
            name: "asserted identity stands before From",
            asserted: Some("4701"),
            from: Some("5100"),
            expect: [Some("4701"), Some("4701"), FOUR_WEST, Some("prod"), None],
            source: Some(Source::AssertedIdentity),
            place: MAP_CLAIMED,
            ..Row::default()
        },
        Row {
            name: "Remote-Party-ID stands before From",
            remote_party: Some("84719"),
            from: Some("5100"),
            expect: [Some("84719"), Some("4719"), FOUR_WEST, Some("prod"), None],
            source: Some(Source::RemotePartyId),
            place: MAP_CLAIMED,
            ..Row::default()
        },
        Row {
            name: "an anonymous asserted identity gives way to From",
            asserted: Some("anonymous"),
            from: Some("+1 555 010 4702"),
            expect: [Some("+15550104702"), Some("4702"), FOUR_WEST, Some("prod"), None],
            source: Some(Source::From),
            place: MAP_CLAIMED,
            ..Row::default()
        },
        Row {
            name: "an outside asserted identity is not displaced by a ward number in From",
            asserted: Some("+12025550100"),
            from: Some("4701"),
            expect: [Some("+12025550100"), None, None, None, None],
            source: Some(Source::AssertedIdentity),
            place: None,
            ..Row::default()
        },
        Row {
            name: "an untrusted trunk's trust headers are ignored and its From is a rumour",
            asserted: Some("5100"),
            remote_party: Some("5100"),
            from: Some("4701"),
            diversion: &["4710"],
            untrusted: true,
            expect: [Some("4701"), Some("4701"), FOUR_WEST, Some("prod"), None],
            source: Some(Source::From),
            place: Some((Source::ExtensionMap, Confidence::Unknown)),
            ..Row::default()
        },
        Row {
            name: "a person is not named on the word of an untrusted trunk",
            from: Some("5100"),
            untrusted: true,
            expect: [Some("5100"), Some("5100"), None, None, None],
            source: Some(Source::From),
            place: None,
            ..Row::default()
        },
    ]
}

fn map_rows() -> Vec<Row> {
    vec![
        Row {
            name: "a single number is more specific than its range",
            from: Some("4710"),
            expect: [Some("4710"), Some("4710"), FOUR_WEST, Some("training"), None],
            source: Some(Source::From),
            place: MAP_CLAIMED,
            ..Row::default()
        },
        Row {
            name: "a personal phone names its person",
            from: Some("5100"),
            expect: [Some("5100"), Some("5100"), None, None, Some("rao")],
            source: Some(Source::From),
            place: None,
            ..Row::default()
        },
        Row {
            name: "an unmapped inside number is an extension without a place",
            from: Some("7741"),
            expect: [Some("7741"), Some("7741"), None, None, None],
            source: Some(Source::From),
            place: None,
            ..Row::default()
        },
        Row {
            name: "an anonymous call is placed by the phone that passed it on",
            from: Some("anonymous"),
            diversion: &["anonymous", "4703"],
            expect: [None, Some("4703"), FOUR_WEST, Some("prod"), None],
            source: None,
            place: Some((Source::Diversion, Confidence::Claimed)),
            ..Row::default()
        },
        Row {
            name: "a forwarded personal phone does not name its owner",
            from: Some("+12025550100"),
            diversion: &["5100"],
            expect: [Some("+12025550100"), None, None, None, None],
            source: Some(Source::From),
            place: None,
            ..Row::default()
        },
        Row {
            name: "a registered phone is verified, whatever its headers say",
            registered: Some("4705"),
            asserted: Some("5100"),
            from: Some("5100"),
            untrusted: true,
            expect: [Some("4705"), Some("4705"), FOUR_WEST, Some("prod"), None],
            source: Some(Source::Registration),
            place: Some((Source::ExtensionMap, Confidence::Verified)),
            ..Row::default()
        },
        Row { name: "nothing at all still makes a caller", ..Row::default() },
    ]
}

fn check(row: &Row) {
    let signalled = Signalled {
        asserted: row.asserted.map(str::to_owned),
        remote_party: row.remote_party.map(str::to_owned),
        from: row.from.map(str::to_owned),
        diversion: row.diversion.iter().map(|&text| text.to_owned()).collect(),
        trusted: !row.untrusted,
        registered: row.registered.map(Extension::new),
    };
    let caller = identify(&signalled, &rules(), &mercy(), AT);
    let found = [
        caller.number.as_ref().map(|number| number.value.as_str()),
        caller.extension.as_ref().map(|extension| extension.value.as_str()),
        caller.place.as_ref().map(|place| place.value.unit.as_str()),
        caller.ehr.as_ref().map(|ehr| ehr.value.system.as_str()),
        caller.person.as_ref().map(|person| person.value.as_str()),
    ];
    assert_eq!(found, row.expect, "{}", row.name);
    assert_eq!(caller.number.as_ref().map(|number| number.source), row.source, "{}", row.name);
    assert_eq!(caller.place.map(|place| (place.source, place.confidence)), row.place, "{}", row.name);
    assert!(caller.person.is_none_or(|person| person.confidence == Confidence::Claimed), "{}", row.name);
}

#[test]
fn headers_are_believed_in_their_order_and_only_from_trusted_trunks() {
    header_rows().iter().for_each(check);
}

#[test]
fn the_extension_map_gives_place_context_and_person() {
    map_rows().iter().for_each(check);
}

#[test]
fn a_keyed_badge_is_a_claim_and_an_unknown_one_changes_nothing() {
    let directory = mercy();
    let mut caller = identify(&Signalled::default(), &rules(), &directory, AT);
    assert_eq!(claim_badge(&mut caller, "99999", &directory, AT), None);
    assert_eq!(caller.person, None);
    let name = claim_badge(&mut caller, "20417", &directory, AT).map(|person| person.name.as_str());
    assert_eq!(name, Some("Dr. Rao"));
    let person = caller.person.expect("claimed above");
    assert_eq!((person.source, person.confidence), (Source::Keyed, Confidence::Claimed));
}

#[test]
fn a_keyed_extension_places_an_unmapped_phone() {
    let directory = mercy();
    let signalled = Signalled { from: Some("7741".to_owned()), trusted: true, ..Signalled::default() };
    let mut caller = identify(&signalled, &rules(), &directory, AT);
    assert!(!claim_extension(&mut caller, &Extension::new("7742"), &directory, AT));
    assert!(claim_extension(&mut caller, &Extension::new("4704"), &directory, AT));
    assert_eq!(caller.place.map(|place| place.value.unit_name), Some("4 West".to_owned()));
    assert_eq!(caller.extension.map(|extension| extension.source), Some(Source::Keyed));
}

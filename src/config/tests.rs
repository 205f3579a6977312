//! The sample loads, and broken files are refused with the right place and words.

mod dial_plans;
mod grammar;
mod refusals;
mod releases;

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Diagnostic, Severity};
use crate::identity::{Confidence, Signalled, identify};
use crate::ids::{AnalystId, SystemId, UnitId};
use crate::routing::PhoneKind;

const NODE: &str = r#"name = "t1"
[listeners.main]
bind = "127.0.0.1:5060"
transports = ["udp", "tcp"]
[media]
bind = "127.0.0.1"
ports = "20000-20999"
[trunks.pbx]
hospital = "mercy"
peers = ["10.0.0.0/24"]
host = "10.0.0.5"
trusted = true
plain = "a test"
"#;

const HOSPITAL: &str = r#"id = "mercy"
name = "Mercy"
time_zone = "America/New_York"
languages = ["en"]
trunk = "pbx"
operator = "4000"
code_numbers = ["5555"]
hotlines.7100 = { plan = "hotline" }
sites.main = { name = "Main" }
systems.prod = { product = "Meridian", modules = ["charting", "orders"] }
units.icu = { site = "main", name = "ICU", system = "prod" }
extensions = [
  { number = "4700-4719", unit = "icu" },
  { number = "4710", unit = "icu", module = "orders" },
]
[people.rao]
name = "Dr. Rao"
badge = "204170"
"#;

const ANALYSTS: &str = r#"[analysts.amara]
name = "Amara"
hospitals = ["mercy"]
phones = [{ register = "amara" }]
qualifications = [{ system = "prod", modules = ["*"] }]
[analysts.lena]
name = "Lena"
hospitals = ["mercy"]
phones = [{ trunk = "pbx", number = "4801" }]
qualifications = [{ system = "prod", modules = ["charting"] }]
"#;

const PLAN: &str = r#"name = "hotline"
language = "en"
start = "question"
person = "ring"
operator = "operator"
[hunting]
at_once = 2
book_callback_after = "10s"
give_up_after = "90s"
rungs = [{ name = "qualified", who = ["qualified"], ring_for = "12s" }]
[steps.question]
type = "menu"
say = ["desk-question"]
keys.1 = { module = "charting", next = "ring" }
silence = "ring"
wrong = "ring"
[steps.ring]
type = "alert"
next = "connect"
[steps.connect]
type = "connect"
ringing = ["ringing"]
all_busy = ["{module|our}", "analysts-on-calls"]
give_up = "nobody"
[steps.nobody]
type = "callback"
cause = "nobody-free"
say = ["nobody-free"]
no_number = ["nobody-free", "call-again"]
[steps.operator]
type = "transfer"
target = "operator"
say = ["connecting-operator"]
no_answer = "nobody"
"#;

/// A second hospital, for isolation.
const CEDAR: &str = r#"id = "cedar"
name = "Cedar"
time_zone = "America/Chicago"
languages = ["en"]
trunk = "cedar-pbx"
operator = "1000"
hotlines.6100 = { plan = "hotline" }
sites.main = { name = "Main" }
systems.lantern = { product = "Lantern", modules = ["charting"] }
units.surgery = { site = "main", name = "Surgery" }
extensions = [{ number = "4700", unit = "surgery" }]
"#;

const CEDAR_TRUNK: &str =
    "trusted = true\nplain = \"a test\"\n[trunks.cedar-pbx]\nhospital = \"cedar\"\npeers = [\"10.9.0.1\"]\n";

fn surroundings() -> Surroundings {
    let now = "2026-06-01T12:00:00Z".parse().expect("a timestamp");
    Surroundings { variables: BTreeMap::new(), now }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn file(name: &str, text: &str) -> File {
    let stem = name.rsplit('/').next().unwrap_or(name).to_owned();
    File { name: format!("sip-config/{name}.toml"), stem, bytes: text.as_bytes().to_vec() }
}

fn folder(node: &str, hospitals: &[&str], analysts: &str) -> Folder {
    let names = ["hospital", "hospital-2", "hospital-3"];
    Folder {
        name: "sip-config".to_owned(),
        base: root(),
        node: Some(file("wardline", node)),
        hospitals: names.iter().zip(hospitals).map(|(name, text)| file(name, text)).collect(),
        analysts: vec![file("analysts", analysts)],
        plans: vec![file("plans/hotline", PLAN)],
        ..Folder::default()
    }
}

fn try_folder(folder: &Folder) -> Result<Loaded, Report> {
    compose(folder, &surroundings(), Report::new())
}

fn findings(result: Result<Loaded, Report>) -> Report {
    result.map_or_else(|report| report, |loaded| loaded.warnings)
}

/// "sip-config/hospital.toml:3:13".
fn place(report: &Report, finding: &Diagnostic) -> String {
    match report.position(&finding.file, finding.span.start) {
        Some(position) => format!("{}:{position}", finding.file),
        None => finding.file.to_string(),
    }
}

fn words(finding: &Diagnostic) -> String {
    let related = finding.related.iter().map(|related| related.label.as_str());
    let parts = [Some(finding.what.as_str()), finding.why.as_deref(), finding.remedy.as_deref()];
    let nearest = finding.nearest.as_ref().map(|nearest| format!("did you mean `{nearest}`")).unwrap_or_default();
    parts.into_iter().flatten().chain(related).collect::<Vec<_>>().join(" | ") + &nearest
}

/// One change to one file, and the only finding that must come of it.
struct Broken {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    at: &'static str,
    says: &'static [&'static str],
    severity: Severity,
}

const fn broken(
    file: &'static str,
    from: &'static str,
    to: &'static str,
    at: &'static str,
    says: &'static [&'static str],
) -> Broken {
    Broken { file, from, to, at, says, severity: Severity::Error }
}

const fn warned(
    file: &'static str,
    from: &'static str,
    to: &'static str,
    at: &'static str,
    says: &'static [&'static str],
) -> Broken {
    Broken { severity: Severity::Warning, ..broken(file, from, to, at, says) }
}

fn check(rows: &[Broken]) {
    let failures: Vec<String> = rows.iter().filter_map(|row| failure(row).err()).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn failure(row: &Broken) -> Result<(), String> {
    let change = |name: &str, text: &str| {
        if row.file != name {
            return text.to_owned();
        }
        assert!(text.contains(row.from), "{name} has no {:?}", row.from);
        text.replacen(row.from, row.to, 1)
    };
    let (node, hospital) = (change("wardline", NODE), change("hospital", HOSPITAL));
    let report = findings(try_folder(&folder(&node, &[&hospital], &change("analysts", ANALYSTS))));
    let shown = render::text(&report, false);
    let at = format!("sip-config/{}", row.at);
    let wrong = |why: &str| Err(format!("{:?} at {at}: {why}\n{shown}", row.to));
    let [finding] = report.diagnostics() else { return wrong("one finding is due") };
    if place(&report, finding) != at || finding.severity != row.severity {
        return wrong("another place or severity is due");
    }
    if let Some(part) = row.says.iter().find(|part| !words(finding).contains(**part)) {
        return wrong(&format!("{part:?} is not said"));
    }
    // Whatever is found can be drawn at its place.
    if shown.contains(&at) { Ok(()) } else { wrong("its place is not drawn") }
}

#[test]
fn the_base_of_these_tests_is_whole() {
    let report = findings(try_folder(&folder(NODE, &[HOSPITAL], ANALYSTS)));
    assert_eq!(render::text(&report, false), "");
    let node = NODE.replace("trusted = true\n", CEDAR_TRUNK);
    let report = findings(try_folder(&folder(&node, &[HOSPITAL, CEDAR], ANALYSTS)));
    assert_eq!(render::text(&report, false), "");
}

#[test]
fn unknown_keys_and_wrong_types_name_place_and_remedy() {
    check(&[
        broken(
            "wardline",
            "trusted",
            "trustd",
            "wardline.toml:12:1",
            &["unknown key `trustd` in trunk `pbx`", "did you mean `trusted`"],
        ),
        broken(
            "wardline",
            "name = \"t1\"",
            "name = \"t1\"\nstore = \"elsewhere.db\"",
            "wardline.toml:2:1",
            &["unknown key `store`"],
        ),
        broken(
            "wardline",
            "name = \"t1\"",
            "name = 5",
            "wardline.toml:1:8",
            &["`name` of wardline.toml must be text", "found the integer 5", "\"5\""],
        ),
        broken(
            "wardline",
            "trusted = true",
            "trusted = \"yes\"",
            "wardline.toml:12:11",
            &["must be true or false", "without quotes"],
        ),
        broken(
            "wardline",
            "trusted = true",
            "probe = \"30\"",
            "wardline.toml:12:9",
            &["`probe` of trunk `pbx` must be a duration", "\"8s\""],
        ),
        broken("wardline", "trusted = true", "probe = \"1s\"", "wardline.toml:12:9", &["at least 5s"]),
        broken(
            "wardline",
            "10.0.0.0/24",
            "10.0.0.0/33",
            "wardline.toml:10:10",
            &["must be an address or a CIDR network", "10.1.0.0/16"],
        ),
        broken("wardline", "\"10.0.0.5\"", "\"10.0.0.500\"", "wardline.toml:11:8", &["must be a host or address"]),
        broken(
            "wardline",
            "trusted = true",
            "transport = \"ucp\"",
            "wardline.toml:12:13",
            &["must be a transport", "did you mean `udp`"],
        ),
        broken(
            "wardline",
            "bind = \"127.0.0.1:5060\"",
            "",
            "wardline.toml:2:1",
            &["listener `main` has no `bind`", "bind = "],
        ),
        broken("hospital", "America/New_York", "America/New_Yrok", "hospital.toml:3:13", &["must be a time zone"]),
        broken(
            "hospital",
            "4700-4719",
            "4700-471",
            "hospital.toml:13:14",
            &["an extension or a range", "equally many digits"],
        ),
        broken(
            "hospital",
            "number = \"4710\"",
            "number = 4710",
            "hospital.toml:14:14",
            &["found the integer 4710", "\"4710\""],
        ),
        broken(
            "hospital",
            "unit = \"icu\" },",
            "unit = \"icu\", class = \"wart\" },",
            "hospital.toml:13:49",
            &["a phone class", "did you mean `ward`"],
        ),
        broken("hospital", "name = \"Mercy\"", "name = \"Mercy", "hospital.toml:2:14", &["this is not TOML"]),
        broken(
            "analysts",
            "name = \"Lena\"",
            "nmae = \"Lena\"\nname = \"L\"",
            "analysts.toml:7:1",
            &["unknown key `nmae` in analyst `lena`", "did you mean `name`"],
        ),
        broken(
            "analysts",
            "[analysts.lena]",
            "[analysts.\"Lena B\"]",
            "analysts.toml:6:11",
            &["cannot name a analyst", "hyphens"],
        ),
    ]);
}

#[test]
fn sockets_and_ports_are_checked() {
    check(&[
        broken("wardline", "20000-20999", "20001-20999", "wardline.toml:7:9", &["even port", "\"20002-20999\""]),
        broken("wardline", "20000-20999", "20000-20005", "wardline.toml:7:9", &["holds 3 pairs, at least 8"]),
        warned(
            "wardline",
            "20000-20999",
            "20000-20399",
            "wardline.toml:7:9",
            &["200 port pairs are few for 100 calls"],
        ),
        broken(
            "wardline",
            "20000-20999",
            "5000-5999",
            "wardline.toml:3:8",
            &["port 5060 lies in the media port range"],
        ),
        broken(
            "wardline",
            "127.0.0.1:5060",
            "0.0.0.0:5060",
            "wardline.toml:3:8",
            &["cannot be told", "add `advertised`"],
        ),
        broken(
            "wardline",
            "[media]",
            "[listeners.b]\nbind = \"127.0.0.1:5060\"\n[media]",
            "wardline.toml:6:8",
            &["bind the same address", "bound here already"],
        ),
        broken(
            "wardline",
            "[media]",
            "[listeners.b]\nbind = \"0.0.0.0:5060\"\nadvertised = \"10.0.0.1:5060\"\n[media]",
            "wardline.toml:6:8",
            &["bind the same address"],
        ),
        broken(
            "wardline",
            "[\"udp\", \"tcp\"]",
            "[\"tcp\"]",
            "wardline.toml:8:1",
            &["no listener speaks udp for trunk `pbx`"],
        ),
        broken("wardline", "\"10.0.0.5\"", "\"127.0.0.1:5060\"", "wardline.toml:11:1", &["our own listener `main`"]),
        broken(
            "wardline",
            "trusted = true",
            "plain = \"a test\"\n[trunks.b]\nhospital = \"mercy\"\npeers = [\"10.0.0.7\"]",
            "wardline.toml:15:10",
            &["10.0.0.7/32 of trunk `b`", "overlap"],
        ),
    ]);
}

#[test]
fn nothing_goes_in_clear_without_a_word_and_the_word_is_a_reason() {
    const WHY: &str = "plain = \"a test\"";
    // 121 characters.
    const LONG: &str = "plain = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
                        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"";
    check(&[
        broken(
            "wardline",
            WHY,
            "",
            "wardline.toml:8:1",
            &["trunk `pbx` goes unencrypted and does not say why", "transport = \"tls\"", "plain = \"isolated"],
        ),
        broken("wardline", WHY, "plain = \" \"", "wardline.toml:13:9", &["`plain` of trunk `pbx` must be text"]),
        broken("wardline", WHY, "plain = \"a\\nb\"", "wardline.toml:13:9", &["without line breaks"]),
        broken("wardline", WHY, LONG, "wardline.toml:13:9", &["longer than 120"]),
    ]);
}

#[test]
fn a_trunk_over_tls_has_no_reason_to_go_in_clear() {
    let encrypted = "[listeners.encrypted]\nbind = \"127.0.0.1:5061\"\ntransports = [\"tls\"]\n[tls]\n\
                     certificate = \"a.pem\"\nkey = \"a.key\"\nauthorities = \"ca.pem\"\n[media]";
    let node = NODE.replace("[media]", encrypted).replace("trusted = true", "transport = \"tls\"");
    let said = render::text(&findings(try_folder(&folder(&node, &[HOSPITAL], ANALYSTS))), false);
    assert!(said.starts_with("error: trunk `pbx` speaks TLS, and says why it goes unencrypted"), "{said}");
    let node = node.replace("plain = \"a test\"\n", "");
    try_folder(&folder(&node, &[HOSPITAL], ANALYSTS)).expect("a whole configuration");
}

#[test]
fn b37_the_keys_of_media_never_go_in_clear() {
    check(&[broken(
        "wardline",
        "trusted = true",
        "srtp = true",
        "wardline.toml:12:1",
        &["the keys of trunk `pbx`'s media would go in clear", "transport = \"tls\""],
    )]);
}

#[test]
fn references_between_files_name_the_nearest() {
    check(&[
        broken(
            "wardline",
            "hospital = \"mercy\"",
            "hospital = \"mercey\"",
            "wardline.toml:9:12",
            &["unknown hospital `mercey`", "did you mean `mercy`"],
        ),
        broken(
            "hospital",
            "trunk = \"pbx\"",
            "trunk = \"pxb\"",
            "hospital.toml:5:9",
            &["unknown trunk `pxb`", "did you mean `pbx`"],
        ),
        broken(
            "hospital",
            "plan = \"hotline\"",
            "plan = \"hotlien\"",
            "hospital.toml:8:26",
            &["unknown plan", "did you mean `hotline`"],
        ),
        broken(
            "hospital",
            "languages = [\"en\"]",
            "languages = [\"en\", \"xx\"]",
            "hospital.toml:4:20",
            &["no prompts are installed in `xx`"],
        ),
        broken(
            "hospital",
            "site = \"main\"",
            "site = \"mian\"",
            "hospital.toml:11:22",
            &["unknown site", "did you mean `main`"],
        ),
        broken(
            "hospital",
            "\"4700-4719\", unit = \"icu\"",
            "\"4700-4719\", unit = \"ciu\"",
            "hospital.toml:13:34",
            &["unknown unit", "did you mean `icu`"],
        ),
        broken(
            "hospital",
            "module = \"orders\"",
            "module = \"order\"",
            "hospital.toml:14:45",
            &["unknown module", "did you mean `orders`"],
        ),
        broken(
            "hospital",
            "module = \"orders\"",
            "person = \"rau\"",
            "hospital.toml:14:45",
            &["unknown person", "did you mean `rao`"],
        ),
        broken(
            "hospital",
            "name = \"ICU\", ",
            "name = \"ICU\", spoken = \"unit-ico\", ",
            "hospital.toml:11:53",
            &["unknown prompt in `en` `unit-ico`", "did you mean `unit-icu`"],
        ),
        warned(
            "hospital",
            "units.icu = ",
            "units.attic = { site = \"main\" }\nunits.icu = ",
            "hospital.toml:11:7",
            &["name of unit `attic` is not recorded", "`unit-attic`"],
        ),
        broken(
            "analysts",
            "modules = [\"charting\"]",
            "modules = [\"chart\"]",
            "analysts.toml:10:49",
            &["unknown module of `prod` `chart`", "did you mean `charting`"],
        ),
        broken(
            "analysts",
            "system = \"prod\", modules = [\"*\"]",
            "system = \"prud\", modules = [\"*\"]",
            "analysts.toml:5:30",
            &["unknown system", "did you mean `prod`"],
        ),
        broken(
            "analysts",
            "trunk = \"pbx\"",
            "trunk = \"pbx2\"",
            "analysts.toml:9:21",
            &["unknown trunk", "did you mean `pbx`"],
        ),
    ]);
}

#[test]
fn numbers_and_people_that_clash_are_refused() {
    check(&[
        broken(
            "hospital",
            "module = \"orders\" },",
            "module = \"orders\" },\n  { number = \"4710\", unit = \"icu\" },",
            "hospital.toml:15:14",
            &["extension 4710 is declared twice", "first declared here"],
        ),
        broken(
            "hospital",
            "module = \"orders\" },",
            "module = \"orders\" },\n  { number = \"4715-4729\", unit = \"icu\" },",
            "hospital.toml:15:14",
            &["overlap in 4715-4719", "the other range"],
        ),
        broken(
            "hospital",
            "\"5555\"",
            "\"7101\"",
            "hospital.toml:7:17",
            &["code number 7101 and hotline 7100 differ in one digit"],
        ),
        broken(
            "hospital",
            "\"5555\"",
            "\"1555\"",
            "hospital.toml:7:17",
            &["begins with 1, a key of plan `hotline`", "the hotline's plan"],
        ),
        broken(
            "hospital",
            "operator = \"4000\"",
            "operator = \"7100\"",
            "hospital.toml:6:12",
            &["the operator cannot be the hotline 7100"],
        ),
        broken(
            "hospital",
            "hotlines.7100",
            "hotlines.4701",
            "hospital.toml:8:10",
            &["hotline 4701 is also an extension"],
        ),
        broken(
            "hospital",
            "badge = \"204170\"",
            "badge = \"204170\"\n[people.bell]\nname = \"B\"\nbadge = \"204170\"",
            "hospital.toml:21:9",
            &["two people have this badge", "first used here"],
        ),
        broken(
            "analysts",
            "phones = [{ register = \"amara\" }]",
            "",
            "analysts.toml:1:11",
            &["analyst `amara` has no phone"],
        ),
        broken(
            "analysts",
            "{ trunk = \"pbx\", number = \"4801\" }",
            "{ register = \"amara\" }",
            "analysts.toml:9:24",
            &["two phones register as `amara`"],
        ),
        broken(
            "analysts",
            "{ register = \"amara\" }",
            "{ register = \"amara\", digest = \"sha\" }",
            "analysts.toml:4:42",
            &["a digest", "write \"md5\""],
        ),
        broken(
            "analysts",
            "{ trunk = \"pbx\", number = \"4801\" }",
            "{ trunk = \"pbx\", number = \"4801\", digest = \"md5\" }",
            "analysts.toml:9:11",
            &["`digest` belongs to a phone that registers"],
        ),
        broken("analysts", "trunk = \"pbx\", number", "number", "analysts.toml:9:11", &["exactly one way"]),
        broken(
            "analysts",
            "{ trunk = \"pbx\", number = \"4801\" }",
            "{ sip = \"sip:lena@phone.nowhere.example\" }",
            "analysts.toml:9:19",
            &["IP address", "write the phone's address, or let it register"],
        ),
        broken(
            "analysts",
            "{ trunk = \"pbx\", number = \"4801\" }",
            "{ sip = \"sips:lena@10.1.2.3\" }",
            "analysts.toml:9:19",
            &["must be a SIP address", "sip:lena@10.1.2.3:5062"],
        ),
        warned(
            "analysts",
            "modules = [\"charting\"]",
            "modules = [\"charting\"], valid_until = \"2026-05-31\"",
            "analysts.toml:10:76",
            &["of `lena` expired on 2026-05-31"],
        ),
        warned(
            "analysts",
            "qualifications = [{ system = \"prod\", modules = [\"charting\"] }]",
            "",
            "analysts.toml:6:11",
            &["holds no qualification"],
        ),
    ]);
}

#[test]
fn a_call_never_leaves_over_another_hospitals_trunk() {
    let node = NODE.replace("trusted = true\n", CEDAR_TRUNK);
    let analysts = ANALYSTS.replace("trunk = \"pbx\"", "trunk = \"cedar-pbx\"");
    let hospital = HOSPITAL.replace("trunk = \"pbx\"", "trunk = \"cedar-pbx\"");
    let report = findings(try_folder(&folder(&node, &[&hospital, CEDAR], &analysts)));
    let places: Vec<String> = report.diagnostics().iter().map(|finding| place(&report, finding)).collect();
    assert_eq!(places, ["sip-config/analysts.toml:9:21", "sip-config/hospital.toml:5:9"]);
    let what = "trunk `cedar-pbx` belongs to hospital `cedar`, not to `mercy`";
    assert!(report.diagnostics().iter().all(|finding| finding.what == what));
}

#[test]
fn all_errors_of_all_files_come_at_once_and_in_order() {
    let node = NODE.replace("trusted", "trustd").replace("20000-20999", "20999");
    let hospital =
        HOSPITAL.replace("id = \"mercy\"", "id = \"mercy\"\nzone = 1").replace("site = \"main\"", "site = \"x\"");
    let analysts = ANALYSTS.replace("[\"charting\"]", "\"charting\"");
    let report = findings(try_folder(&folder(&node, &[&hospital], &analysts)));
    let places: Vec<String> = report.diagnostics().iter().map(|finding| place(&report, finding)).collect();
    let expected = [
        "sip-config/analysts.toml:10:48",
        "sip-config/hospital.toml:2:1",
        "sip-config/hospital.toml:12:22",
        "sip-config/wardline.toml:7:9",
        "sip-config/wardline.toml:12:1",
    ];
    assert_eq!(places, expected, "{}", render::text(&report, false));
}

#[test]
fn a_secret_written_in_clear_is_never_shown() {
    let node = NODE.replace("trusted = true", "password = \"hunter2\"");
    let report = findings(try_folder(&folder(&node, &[HOSPITAL], ANALYSTS)));
    let shown = render::text(&report, false);
    assert!(shown.contains("unknown key `password` in trunk `pbx`") && !shown.contains("hunter2"), "{shown}");
    assert!(!format!("{report:?}").contains("hunter2"));
}

#[test]
fn the_environment_overrides_the_file_and_is_checked_like_it() {
    let mut surroundings = surroundings();
    let mut set = |name: &str, value: &str| surroundings.variables.insert(name.to_owned(), value.to_owned());
    set("WARDLINE__MEDIA__PORTS", "30000-30999");
    set("WARDLINE__MAX_CALLS", "50");
    set("WARDLINE__TRUNKS__PBX__PEERS", "10.1.0.0/24, 10.2.0.9");
    set("WARDLINE_CONFIG", "elsewhere");
    let folder = folder(NODE, &[HOSPITAL], ANALYSTS);
    let config = compose(&folder, &surroundings, Report::new()).expect("a whole configuration").config;
    assert_eq!((config.node.media.first_port, config.node.max_calls), (30_000, 50));
    assert_eq!(config.trunk_of("10.2.0.9".parse().expect("address")).map(|trunk| trunk.id.as_str()), Some("pbx"));
    let plain = try_folder(&folder).expect("a whole configuration").config;
    assert_ne!(plain.version, config.version);

    surroundings.variables.clear();
    surroundings.variables.insert("WARDLINE__MEDIA__PROTS".to_owned(), "x".to_owned());
    let report = findings(compose(&folder, &surroundings, Report::new()));
    let [finding] = report.diagnostics() else { panic!("{}", render::text(&report, false)) };
    assert_eq!(place(&report, finding), "environment:1:1");
    assert_eq!(finding.nearest.as_deref(), Some("ports"));
}

#[test]
fn a_finding_is_drawn_like_a_compilers_and_as_json() {
    let node = NODE.replace("trusted", "trustd");
    let report = findings(try_folder(&folder(&node, &[HOSPITAL], ANALYSTS)));
    let expected = "\
error: unknown key `trustd` in trunk `pbx`
  --> sip-config/wardline.toml:12:1
   |
12 | trustd = true
   | ^^^^^^
   |
   = help: did you mean `trusted`?

1 error
";
    assert_eq!(render::text(&report, false), expected);
    assert!(render::text(&report, true).contains("\u{1b}["));
    let json = render::json(&report);
    assert_eq!(json["findings"][0]["line"], 12);
    assert_eq!(json["findings"][0]["severity"], "error");
    assert_eq!(json["findings"][0]["nearest"], "trusted");
}

fn sample() -> Loaded {
    load(&root().join("sip-config"), &surroundings())
        .unwrap_or_else(|report| panic!("{}", render::text(&report, false)))
}

#[test]
fn the_sample_loads_without_an_error_and_without_a_warning_of_its_own() {
    let loaded = sample();
    let own = loaded.warnings.diagnostics().iter().filter(|finding| !finding.file.contains("plans/"));
    assert_eq!(own.count(), 0, "{}", render::text(&loaded.warnings, false));
    let config = loaded.config;
    let phones = config.hospitals.values().flat_map(|hospital| hospital.directory.phones());
    let extensions: u64 = phones.map(|phone| phone.numbers.count()).sum();
    assert!(extensions >= 60, "{extensions}");
    let victor = config.staff.get(&AnalystId::new("victor-lindqvist")).expect("the supervisor");
    assert!(victor.supervisor && victor.phones.iter().any(|phone| phone.outside));
    let amara = config.staff.by_user("amara").expect("a registered phone");
    assert_eq!(amara.phones[0].kind, PhoneKind::Registered { user: "amara".to_owned() });
}

#[test]
fn the_samples_hospitals_share_numbers_but_no_places() {
    let config = sample().config;
    let place = |source: &str, dialled: &str| {
        let trunk = config.trunk_of(source.parse().expect("an address"))?;
        let (hospital, _) = config.hotline(trunk, dialled)?;
        let signalled = Signalled { from: Some("4710".to_owned()), trusted: trunk.trusted, ..Signalled::default() };
        let caller = identify(&signalled, &trunk.numbers, &hospital.directory, surroundings().now);
        let place = caller.place.expect("mapped");
        let ehr = caller.ehr.expect("a system");
        Some((place.value.unit, ehr.value.system, ehr.value.module.is_some(), place.confidence))
    };
    let ward = (UnitId::new("4-west"), SystemId::new("meridian-prod"), true, Confidence::Claimed);
    assert_eq!(place("127.0.0.9", "7100"), Some(ward.clone()));
    assert_eq!(place("127.0.0.9", "+15550107100"), Some(ward));
    let cedar = (UnitId::new("surgery"), SystemId::new("cedar-ehr"), false, Confidence::Claimed);
    assert_eq!(place("192.0.2.10", "6100"), Some(cedar));
    assert_eq!(place("192.0.2.10", "7100"), None);
    assert_eq!(place("203.0.113.1", "7100"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever bytes stand in the files, loading ends in a report that can be drawn.
    #[test]
    fn no_bytes_make_loading_panic(
        which in 0_usize..3,
        at in 0_usize..2_000,
        cut in 0_usize..40,
        bytes in prop::collection::vec(any::<u8>(), 0..12),
        text in "[\\[\\]{}=\"'#.,\\-a-z0-9 \n]{0,40}",
    ) {
        let mut folder = folder(NODE, &[HOSPITAL], ANALYSTS);
        let file = match which {
            0 => folder.node.as_mut().expect("set above"),
            1 => &mut folder.hospitals[0],
            _ => &mut folder.analysts[0],
        };
        let start = at % file.bytes.len();
        let end = (start + cut).min(file.bytes.len());
        let insert = if bytes.len() % 3 == 0 { bytes } else { text.into_bytes() };
        file.bytes.splice(start..end, insert);
        let report = findings(try_folder(&folder));
        let _ = render::text(&report, true);
        let _ = render::json(&report).to_string();
    }
}

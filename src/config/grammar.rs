//! Everything that may be written in wardline.toml, hospital*.toml and analysts*.toml. See [`crate::grammar`].

mod node;

use crate::config::import::grammar::IMPORT;
use crate::config::lockout::LOCKOUT;
use crate::config::raw_hospital::MAX_PHONES;
use crate::config::raw_node::{MAX_CALLS, MAX_WORKERS, MIN_PROBE, MIN_SESSION_TIMER};
use crate::config::values::MAX_DURATION;
use crate::grammar::{BLANK, Choice, DURATION_PATTERN, Form, Kind, Need, Table, key};
use crate::identity::PhoneClass;
use crate::ivr::condition::DAY_NAMES;
use crate::ivr::grammar::{HOURS, ID, LANGUAGE, NUMBERS};
use crate::release::MAX_GO_LIVES;
use crate::routing::staff::MAX_PHONES as MAX_PHONES_EACH;
use crate::routing::{Level, MAX_INCIDENTS};
use crate::time::Duration;
use node::{CANARY, REGISTRATION, TLS};

mod cases;

pub use cases::{CASES, MAX_DEEDS};

/// The files that admins write, by the names that `wardline schema` knows.
pub static FILES: &[&Table] =
    &[&NODE, &HOSPITAL, &ANALYSTS, &crate::ivr::grammar::PLAN, &crate::ivr::grammar::MANIFEST, &CASES, &IMPORT];

// -- Forms -----------------------------------------------------------------------------------------------------------------

static NAME: Form = Form { name: "name", pattern: "[a-z0-9_-]{1,40}" };
static PATH: Form = Form { name: "path", pattern: "[^\\r\\n]+" };
static SOCKET: Form = Form { name: "address and port", pattern: "(\\[[0-9a-fA-F:.%]+\\]|[0-9.]+):[0-9]{1,5}" };
static ADDRESS: Form = Form { name: "IP address", pattern: "[0-9a-fA-F:.]+" };
static NETWORK: Form = Form { name: "address or network", pattern: "[0-9a-fA-F:.]+(/[0-9]{1,3})?" };
static HOST: Form = Form { name: "host or address, with a port if you like", pattern: "[A-Za-z0-9_.:\\[\\]-]+" };
static CERTIFIED: Form = Form { name: "name in a certificate", pattern: "[A-Za-z0-9_.:-]+" };
static PORTS: Form = Form { name: "port range", pattern: "[0-9]{1,5} *- *[0-9]{1,5}" };
static DIALLED: Form = Form { name: "number to dial", pattern: "\\+?[0-9*#]{1,20}" };
pub static EXTENSIONS: Form = Form { name: "extension or range", pattern: "[0-9]{1,15}( *- *[0-9]{1,15})?" };
static ZONE: Form = Form { name: "time zone", pattern: "[A-Za-z0-9_+/-]+" };
static DATE: Form = Form { name: "date", pattern: "[0-9]{4}-[0-9]{2}-[0-9]{2}" };
static TIME: Form = Form { name: "time of day", pattern: "[0-9]{2}:[0-9]{2}(:[0-9]{2})?" };
static BADGE: Form = Form { name: "digits", pattern: "[0-9]{1,12}" };
static REALM: Form = Form { name: "domain", pattern: "[^\"\\\\ ]+" };
static SIP: Form = Form { name: "SIP address", pattern: "sip:.+" };
static MOMENT: Form =
    Form { name: "date and time", pattern: "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?" };
static MODULE: Form = Form { name: "module, or `*` for all", pattern: "[^\\s]+" };

const ANY_TIME: Kind = Kind::Duration { least: Duration::ZERO, most: MAX_DURATION };
pub const REFERENCE: Kind = Kind::Form(&ID);
const SPOKEN: Kind = Kind::Form(&ID);
const ADVERTISED: Need = Need::Without("`bind`");
const OWN_ID: Need = Need::Without("its id");

// -- wardline.toml ---------------------------------------------------------------------------------------------------------

pub static NODE: Table = Table {
    name: "wardline",
    subject: "wardline.toml",
    written: "wardline.toml",
    doc: "This node: where it listens, whom it talks to, where its data lie. Any value may be overridden by the \
          environment: `WARDLINE__MEDIA__PORTS=30000-30999` stands for `ports` in `[media]`. Relative paths start from the \
          folder that holds sip-config/.",
    keys: &[
        key!("name", Kind::Text, Need::Required, "name of this node, in the log's line `ready`"),
        key!("data_dir", Kind::Form(&PATH), Need::Default("\"data\""), "journal, database (`wardline.db`) and keys"),
        key!(
            "control_socket",
            Kind::Form(&PATH),
            Need::Without("`control.sock` in `data_dir`"),
            "where the command line reaches the server"
        ),
        key!(
            "metrics",
            Kind::Form(&SOCKET),
            Need::Without("not served"),
            "address of `/healthz`, `/readyz` and `/metrics`"
        ),
        key!(
            "max_calls",
            Kind::Number { least: 1, most: MAX_CALLS as u64 },
            Need::Default("100"),
            "calls at once; further ones get 503"
        ),
        key!("drain", ANY_TIME, Need::Default("\"60s\""), "how long a stopping node lets calls go on"),
        key!("log", Kind::Table(&LOG), Need::Without("the defaults"), "what is logged, and how"),
        key!(
            "listeners",
            Kind::Named(&LISTENER, &NAME),
            Need::Required,
            "addresses that phones and the PBX send SIP to"
        ),
        key!("media", Kind::Table(&MEDIA), Need::Required, "where RTP is received"),
        key!(
            "tls",
            Kind::Table(&TLS),
            Need::Without("no TLS"),
            "certificates, for listeners and trunks that speak TLS"
        ),
        key!(
            "registration",
            Kind::Table(&REGISTRATION),
            Need::Without("the defaults"),
            "analysts' phones that register here"
        ),
        key!("trunks", Kind::Named(&TRUNK, &NAME), Need::Required, "peers towards PBX or carrier"),
        key!("canary", Kind::Table(&CANARY), Need::Without("no test call"), "a test call through the whole desk"),
    ],
    example: r#"name = "ward-1"
data_dir = "/var/lib/wardline"
metrics = "127.0.0.1:9464"
max_calls = 200

[listeners.voice]
bind = "10.20.0.5:5060"

[media]
bind = "10.20.0.5"
ports = "20000-21999"
workers = 2

[registration]
realm = "desk.hospital.example"

[trunks.pbx]
hospital = "mercy-harbor"
peers = ["10.20.0.10", "10.20.0.11"]
host = "pbx.voice.hospital.example"
plain = "isolated voice network"
trusted = true
probe = "30s"
outside_prefix = "9"
strip_prefixes = ["+1555010"]
"#,
    ..BLANK
};

static LOG: Table = Table {
    name: "log",
    subject: "`log`",
    written: "[log]",
    doc: "The node's log, on standard error.",
    keys: &[
        key!("filter", Kind::Text, Need::Default("\"info\""), "what is logged: `info`, `wardline=debug` and the like"),
        key!(
            "format",
            Kind::Words(&["auto", "text", "json"]),
            Need::Default("\"auto\""),
            "`auto` is text on a terminal, JSON otherwise"
        ),
    ],
    example: "[log]\nfilter = \"wardline=debug\"\nformat = \"json\"\n",
    ..BLANK
};

static LISTENER: Table = Table {
    name: "listener",
    subject: "a listener",
    written: "[listeners.NAME]",
    doc: "A socket for SIP. A node needs at least one.",
    keys: &[
        key!("bind", Kind::Form(&SOCKET), Need::Required, "address and port for SIP"),
        key!(
            "transports",
            Kind::List(&Kind::Words(&["udp", "tcp", "tls"])),
            Need::Default("[\"udp\", \"tcp\"]"),
            "what it speaks; `tls` has a port of its own, usually 5061"
        ),
        key!(
            "advertised",
            Kind::Form(&SOCKET),
            ADVERTISED,
            "what Via and Contact say; needed with 0.0.0.0 or behind NAT"
        ),
    ],
    example: "[listeners.voice]\nbind = \"0.0.0.0:5060\"\nadvertised = \"10.20.0.5:5060\"\n",
    ..BLANK
};

static MEDIA: Table = Table {
    name: "media",
    subject: "`media`",
    written: "[media]",
    doc: "Ports and threads for sound. A call with two analysts rung takes three pairs of ports.",
    keys: &[
        key!("bind", Kind::Form(&ADDRESS), Need::Required, "address for RTP"),
        key!("advertised", Kind::Form(&ADDRESS), ADVERTISED, "what SDP says"),
        key!("ports", Kind::Form(&PORTS), Need::Required, "first even, last odd, at least eight pairs"),
        key!("workers", Kind::Number { least: 1, most: MAX_WORKERS as u64 }, Need::Default("1"), "media threads"),
        key!("quarantine", ANY_TIME, Need::Default("\"30s\""), "how long a port rests before it is used again"),
    ],
    example: "[media]\nbind = \"10.20.0.5\"\nports = \"20000-21999\"\nworkers = 2\n",
    ..BLANK
};

static TRUNK: Table = Table {
    name: "trunk",
    subject: "a trunk",
    written: "[trunks.NAME]",
    doc: "A peer towards PBX or carrier. Calls over a trunk belong to one hospital.",
    keys: &[
        key!("hospital", REFERENCE, Need::Required, "the one hospital that its calls belong to"),
        key!("peers", Kind::List(&Kind::Form(&NETWORK)), Need::Without("nobody but `host`"), "who may call over it"),
        key!(
            "host",
            Kind::Form(&HOST),
            Need::Without("the one address in `peers`"),
            "where our calls go; a name is found by SRV and A"
        ),
        key!(
            "transport",
            Kind::Words(&["udp", "tcp", "tls"]),
            Need::Default("\"udp\""),
            "for our calls; with `tls` it takes calls by TLS alone"
        ),
        key!(
            "srtp",
            Kind::Flag,
            Need::Default("false"),
            "with `tls`: media is secured (SRTP, keys in SDP, RFC 4568), and calls without are refused"
        ),
        key!(
            "certificate_names",
            Kind::List(&Kind::Form(&CERTIFIED)),
            Need::Without("`host`, for our calls"),
            "with `tls`: names, one of which its certificate must bear; a peer that shows one is known by it"
        ),
        key!("listener", REFERENCE, Need::Without("any that fits"), "which listener speaks to it"),
        key!(
            "trusted",
            Kind::Flag,
            Need::Default("false"),
            "P-Asserted-Identity, Remote-Party-ID, Diversion and History-Info count"
        ),
        key!("nat", Kind::Flag, Need::Default("false"), "take its media from wherever it comes first"),
        key!(
            "probe",
            Kind::Duration { least: MIN_PROBE, most: MAX_DURATION },
            Need::Without("never"),
            "ask with OPTIONS this often whether it is there"
        ),
        key!(
            "max_calls",
            Kind::Number { least: 1, most: MAX_CALLS as u64 },
            Need::Without("no limit of its own"),
            "calls at once over this trunk"
        ),
        key!(
            "auth",
            Kind::Table(&AUTH),
            Need::Without("a challenge is taken as a refusal"),
            "who we are to a peer that asks for a password on our calls"
        ),
        key!(
            "session_timer",
            Kind::Duration { least: MIN_SESSION_TIMER, most: MAX_DURATION },
            Need::Default("\"30m\""),
            "how long a call may go unconfirmed by either side (RFC 4028); half-way it is confirmed"
        ),
        key!(
            "plain",
            Kind::Text,
            Need::Without("it must be `tls`"),
            "why it goes unencrypted, in one line; `check` and `doctor` repeat it"
        ),
        key!(
            "outside_prefix",
            Kind::Form(&DIALLED),
            Need::Without("none"),
            "dialled before numbers that leave the hospital"
        ),
        key!(
            "strip_prefixes",
            Kind::List(&Kind::Form(&DIALLED)),
            Need::Default("[]"),
            "what the PBX writes before an extension"
        ),
    ],
    choice: Choice::Some(&["peers", "host"]),
    example: "[trunks.pbx]\nhospital = \"mercy-harbor\"\npeers = [\"10.20.0.10\"]\nplain = \"isolated voice network\"\ntrusted = true\nprobe = \"30s\"\noutside_prefix = \"9\"\n",
    ..BLANK
};

static AUTH: Table = Table {
    name: "auth",
    subject: "`auth`",
    written: "[trunks.NAME.auth]",
    doc: "What answers a 401 or 407 of the trunk's peer, and of nobody else (digest, MD5 or SHA-256).",
    keys: &[
        key!("user", Kind::Text, Need::Required, "the user name that the peer knows us by"),
        key!("realm", Kind::Text, Need::Without("whichever the peer names"), "the only realm that is answered"),
        key!("password", Kind::Table(&PASSWORD), Need::Required, "where the password is found"),
    ],
    example: "[trunks.pbx.auth]\nuser = \"wardline\"\nrealm = \"pbx.mercy-harbor.example\"\npassword = { env = \"PBX_PASSWORD\" }\n",
    ..BLANK
};

static PASSWORD: Table = Table {
    name: "password",
    subject: "`password`",
    written: "password = { … }",
    doc: "A password by reference: none stands in a file, as files are published, kept, compared and shown.",
    keys: &[key!("env", Kind::Text, Need::Required, "the environment variable of `wardline serve` that holds it")],
    example: "[trunks.pbx.auth]\nuser = \"wardline\"\npassword = { env = \"PBX_PASSWORD\" }\n",
    ..BLANK
};

// -- hospital.toml ---------------------------------------------------------------------------------------------------------

pub static HOSPITAL: Table = Table {
    name: "hospital",
    subject: "a hospital's file",
    written: "hospital.toml, hospital-*.toml",
    doc: "One hospital: its numbers, places, systems and people. Numbers to dial stand in quotes.",
    keys: &[
        key!("id", REFERENCE, Need::Required, "how other files call it"),
        key!("name", Kind::Text, Need::Required, "how people call it"),
        key!("time_zone", Kind::Form(&ZONE), Need::Required, "of shifts, holidays, conditions on hours and reports"),
        key!(
            "languages",
            Kind::List(&Kind::Form(&LANGUAGE)),
            Need::Required,
            "folders of prompts/; the first is the one the desk begins with"
        ),
        key!("trunk", REFERENCE, Need::Required, "callbacks and the operator are dialled over it"),
        key!("operator", Kind::Form(&DIALLED), Need::Required, "key 9, and emergencies"),
        key!(
            "code_numbers",
            Kind::List(&Kind::Form(&DIALLED)),
            Need::Default("[]"),
            "told in an emergency, never dialled"
        ),
        key!(
            "inside_digits",
            Kind::List(&Kind::Number { least: 1, most: 20 }),
            Need::Without("the lengths on the map"),
            "numbers of these lengths are inside, mapped or not"
        ),
        key!(
            "holidays",
            Kind::List(&Kind::Form(&DATE)),
            Need::Default("[]"),
            "no shifts; whoever is on call has the whole day"
        ),
        key!(
            "callbacks_outside",
            Kind::List(&Kind::Form(&NUMBERS)),
            Need::Default("[]"),
            "numbers outside at which callers may ask to be called back, dialled with the trunk's `outside_prefix`"
        ),
        key!("lockout", Kind::Table(&LOCKOUT), Need::Without("the defaults"), "when wrong PINs and badges lock"),
        key!("calendars", Kind::Named(&CALENDAR, &NAME), Need::Without("none"), "times that plans ask for by name"),
        key!("hotlines", Kind::Named(&HOTLINE, &DIALLED), Need::Required, "what callers dial"),
        key!("sites", Kind::Named(&SITE, &NAME), Need::Without("none"), "campuses and buildings"),
        key!("systems", Kind::Named(&SYSTEM, &NAME), Need::Without("none"), "EHR installations"),
        key!("units", Kind::Named(&UNIT, &NAME), Need::Without("none"), "wards, clinics, departments"),
        key!("extensions", Kind::Tables(&EXTENSION, MAX_PHONES), Need::Without("no map"), "the extension map"),
        key!("people", Kind::Named(&PERSON, &NAME), Need::Without("nobody"), "clinicians who call"),
        key!(
            "targets",
            Kind::Named(&TARGET, &NAME),
            Need::Without("the operator alone"),
            "where calls may be transferred to"
        ),
    ],
    example: r#"id = "mercy-harbor"
name = "Mercy Harbor"
time_zone = "America/New_York"
languages = ["en"]
trunk = "pbx"
operator = "4000"
code_numbers = ["5555"]
hotlines.7100 = { plan = "hotline" }
sites.harbor = { name = "Harbor campus" }
systems.meridian-prod = { product = "Meridian", release = "2026.1", modules = ["charting", "orders"] }

[units]
4-west = { site = "harbor", name = "4 West", system = "meridian-prod" }

[[extensions]]
number = "4700-4715"
unit = "4-west"
"#,
    ..BLANK
};

static CALENDAR: Table = Table {
    name: "calendar",
    subject: "a calendar",
    written: "[calendars.ID]",
    doc: "Times by name, on the hospital's clock, for the condition `calendar`. All that is written must hold.",
    keys: &[
        key!("days", Kind::List(&Kind::Words(&DAY_NAMES)), Need::Default("[]"), "days of the week; none: all"),
        key!("hours", Kind::Form(&HOURS), Need::Without("all day"), "its hours, the end left out; may cross midnight"),
        key!("holiday", Kind::Flag, Need::Without("either"), "only on holidays, or on no holiday"),
        key!("from", Kind::Form(&DATE), Need::Without("always"), "from this day on"),
        key!("until", Kind::Form(&DATE), Need::Without("for ever"), "to the end of this day"),
    ],
    example: "[calendars.clinic-hours]\ndays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]\nhours = \"08:00-17:00\"\nholiday = false\n",
    ..BLANK
};

static HOTLINE: Table = Table {
    name: "hotline",
    subject: "a hotline",
    written: "[hotlines.NUMBER]",
    doc: "A number that callers dial. It differs from every code number in at least two digits.",
    keys: &[
        key!("plan", REFERENCE, Need::Required, "the plan that answers: a file in plans/, without `.toml`"),
        key!("language", Kind::Form(&LANGUAGE), Need::Without("the hospital's first"), "one of the hospital's"),
    ],
    example: "[hotlines.7100]\nplan = \"hotline\"\n",
    ..BLANK
};

static SITE: Table = Table {
    name: "site",
    subject: "a site",
    written: "[sites.ID]",
    doc: "A campus or building.",
    keys: &[key!("name", Kind::Text, Need::Required, "as it is shown")],
    example: "[sites.harbor]\nname = \"Harbor campus\"\n",
    ..BLANK
};

static SYSTEM: Table = Table {
    name: "system",
    subject: "a system",
    written: "[systems.ID]",
    doc: "A running EHR installation. Its modules are what analysts' qualifications and menu keys name.",
    keys: &[
        key!("name", Kind::Text, OWN_ID, "as it is shown"),
        key!("product", Kind::Text, Need::Required, "the product"),
        key!("instance", Kind::Text, OWN_ID, "which installation of it"),
        key!("environment", Kind::Text, Need::Default("\"production\""), "production, training and the like; shown"),
        key!(
            "release",
            Kind::Text,
            Need::Without("unknown: releases restrict nobody"),
            "what runs until the first of `releases`; qualifications count for releases"
        ),
        key!(
            "releases",
            Kind::Tables(&RELEASE, MAX_GO_LIVES),
            Need::Without("none announced"),
            "what goes live after `release`, in order; those that are past stay"
        ),
        key!("modules", Kind::List(&REFERENCE), Need::Required, "what it is made of"),
        key!("spoken", SPOKEN, Need::Without("`system-ID`"), "the prompt that names it"),
    ],
    example: "[systems.meridian-prod]\nname = \"Meridian inpatient\"\nproduct = \"Meridian\"\nrelease = \"2026.1\"\nmodules = [\"charting\", \"orders\", \"sign-in\"]\n",
    ..BLANK
};

static RELEASE: Table = Table {
    name: "release",
    subject: "a release",
    written: "releases = [{ … }]",
    doc: "A release of a system that goes live. From that instant, qualifications for older ones are stale until `wardline \
          analysts attest` renews them.",
    keys: &[
        key!("release", Kind::Text, Need::Required, "its name, as `releases` of qualifications have it"),
        key!("from", Kind::Form(&MOMENT), Need::Required, "when it goes live, on the hospital's clock"),
    ],
    example: "[systems.meridian-prod]\nproduct = \"Meridian\"\nrelease = \"2026.1\"\nreleases = [{ release = \"2026.2\", from = \"2027-03-06T02:00\" }]\nmodules = [\"charting\", \"orders\"]\n",
    ..BLANK
};

static UNIT: Table = Table {
    name: "unit",
    subject: "a unit",
    written: "[units.ID]",
    doc: "A ward, clinic or department.",
    keys: &[
        key!("site", REFERENCE, Need::Required, "where it is"),
        key!("name", Kind::Text, OWN_ID, "as it is shown"),
        key!("system", REFERENCE, Need::Without("unknown"), "the EHR that its phones stand at"),
        key!("spoken", SPOKEN, Need::Without("`unit-ID`"), "the prompt that names it"),
    ],
    example: "[units]\n4-west = { site = \"harbor\", name = \"4 West\", system = \"meridian-prod\" }\n",
    ..BLANK
};

static EXTENSION: Table = Table {
    name: "extension",
    subject: "an extension",
    written: "[[extensions]]",
    doc: "A phone, or a range of like phones. A single number inside a range is an exception from it.",
    keys: &[
        key!("number", Kind::Form(&EXTENSIONS), Need::Required, "`\"4710\"`, or `\"4700-4715\"`"),
        key!(
            "class",
            Kind::Words(&PhoneClass::NAMES),
            Need::Default("\"ward\""),
            "what kind of phone; a silent `patient` phone goes to the operator"
        ),
        key!("unit", REFERENCE, Need::Without("none"), "where it stands"),
        key!("system", REFERENCE, Need::Without("the unit's"), "the EHR that it stands at"),
        key!("module", REFERENCE, Need::Without("unknown"), "the one module that is used there"),
        key!("person", REFERENCE, Need::Without("nobody's"), "whose phone it is; shown as a claim"),
        key!("room", Kind::Text, Need::Without("unknown"), "shown to the analyst"),
        key!("workstation", Kind::Text, Need::Without("unknown"), "shown to the analyst"),
    ],
    choice: Choice::Some(&["unit", "person"]),
    example: r#"[[extensions]]
number = "4700-4715"
unit = "4-west"

[[extensions]]
number = "4710"                 # the exception: this workstation runs one module
unit = "4-west"
module = "orders"
"#,
    ..BLANK
};

static PERSON: Table = Table {
    name: "person",
    subject: "a person",
    written: "[people.ID]",
    doc: "A clinician. Names are shown, never spoken.",
    keys: &[
        key!("name", Kind::Text, Need::Required, "as it is shown"),
        key!("role", Kind::Text, Need::Without("unknown"), "shown beside the name"),
        key!("badge", Kind::Form(&BADGE), Need::Without("none"), "what may be keyed; a claim, never a proof"),
        key!("phones", Kind::List(&Kind::Form(&DIALLED)), Need::Default("[]"), "their own numbers"),
        key!("language", Kind::Form(&LANGUAGE), Need::Without("unknown"), "what they are best spoken to in"),
    ],
    example: "[people.anika-rao]\nname = \"Dr. Anika Rao\"\nrole = \"hospitalist\"\nbadge = \"204170\"\nphones = [\"5101\"]\n",
    ..BLANK
};

static TARGET: Table = Table {
    name: "target",
    subject: "a target",
    written: "[targets.ID]",
    doc: "Where analysts and plans may transfer a call to, besides `operator`, which every hospital has.",
    keys: &[
        key!("number", Kind::Form(&DIALLED), Need::Required, "what is dialled"),
        key!("name", Kind::Text, OWN_ID, "as it is shown"),
        key!("trunk", REFERENCE, Need::Without("the hospital's"), "dialled over it; one of the same hospital"),
        key!("outside", Kind::Flag, Need::Default("false"), "dialled with the trunk's `outside_prefix`"),
    ],
    example: "[targets.pharmacy]\nname = \"Inpatient pharmacy\"\nnumber = \"4780\"\n",
    ..BLANK
};

// -- analysts.toml ---------------------------------------------------------------------------------------------------------

pub static ANALYSTS: Table = Table {
    name: "analysts",
    subject: "analysts.toml",
    written: "analysts.toml, analysts-*.toml",
    doc: "Who takes calls.",
    keys: &[key!("analysts", Kind::Named(&ANALYST, &NAME), Need::Without("nobody"), "the people, by id")],
    example: r#"[analysts.amara-osei]
name = "Amara Osei"
hospitals = ["mercy-harbor"]
phones = [{ register = "amara" }]
qualifications = [{ system = "meridian-prod", modules = ["*"], level = "expert" }]
"#,
    ..BLANK
};

static ANALYST: Table = Table {
    name: "analyst",
    subject: "an analyst",
    written: "[analysts.ID]",
    doc: "Nobody unqualified is rung but by a rung that the plan declares.",
    keys: &[
        key!("name", Kind::Text, Need::Required, "as it is shown"),
        key!("hospitals", Kind::List(&REFERENCE), Need::Required, "whose calls"),
        key!("sites", Kind::List(&REFERENCE), Need::Without("all"), "calls of which sites"),
        key!("languages", Kind::List(&Kind::Form(&LANGUAGE)), Need::Default("[\"en\"]"), "calls in which languages"),
        key!("phones", Kind::Tables(&PHONE, MAX_PHONES_EACH), Need::Required, "at least one"),
        key!(
            "qualifications",
            Kind::Tables(&QUALIFICATION, MAX_HELD),
            Need::Without("none: only a supervisor is rung"),
            "what they may take"
        ),
        key!(
            "shifts",
            Kind::Tables(&SHIFT, MAX_SPANS),
            Need::Without("on shift whenever signed in"),
            "when they work at the desk"
        ),
        key!(
            "on_call",
            Kind::Tables(&SHIFT, MAX_SPANS),
            Need::Without("never"),
            "when their on-call phone is rung; needs no sign-in"
        ),
        key!(
            "supervisor",
            Kind::Flag,
            Need::Default("false"),
            "rung by the supervisor rung, whatever the qualification"
        ),
    ],
    example: r#"[analysts.dana-kowalski]
name = "Dana Kowalski"
hospitals = ["mercy-harbor"]
phones = [
    { register = "dana" },
    { trunk = "pbx", number = "12025550117", outside = true, role = "on-call" },
]
qualifications = [{ system = "meridian-prod", modules = ["*"], level = "expert" }]
shifts = [{ days = ["mon", "wed"], from = "13:00", to = "17:00" }]
on_call = [{ days = ["mon", "tue", "wed", "thu", "fri"], from = "19:00", to = "07:00" }]
"#,
    ..BLANK
};

/// Qualifications of one person: more than any hospital has systems.
const MAX_HELD: usize = 200;
/// Shifts or on-call duties of one person's week.
const MAX_SPANS: usize = 200;

static PHONE: Table = Table {
    name: "phone",
    subject: "a phone",
    written: "phones = [{ … }]",
    doc: "Reached in exactly one way: it registers here, stands at a fixed address, or is dialled over a trunk.",
    keys: &[
        key!(
            "register",
            Kind::Text,
            Need::Without("not registered"),
            "user name of a phone that registers here, with a password"
        ),
        key!(
            "sip",
            Kind::Form(&SIP),
            Need::Without("no fixed address"),
            "`\"sip:user@10.1.2.3:5062\"`: an address, not a name"
        ),
        key!("trunk", REFERENCE, Need::Without("not dialled"), "with `number`: an extension of the PBX, or a mobile"),
        key!("number", Kind::Form(&DIALLED), Need::Without("not dialled"), "what is dialled over `trunk`"),
        key!(
            "outside",
            Kind::Flag,
            Need::Default("false"),
            "wins a call only by pressing 1, so that a voicemail never does"
        ),
        key!("role", Kind::Words(&["desk", "on-call"]), Need::Default("\"desk\""), "which duty rings it"),
        key!(
            "digest",
            Kind::Words(&["md5"]),
            Need::Without("SHA-256 first, then MD5"),
            "for an old phone that gives up when SHA-256 is offered; with `register`"
        ),
    ],
    choice: Choice::One(&["register", "sip", "trunk"]),
    example: "[analysts.amara]\nname = \"Amara\"\nhospitals = [\"mercy-harbor\"]\nphones = [{ register = \"amara\" }, { trunk = \"pbx\", number = \"4905\" }]\n",
    ..BLANK
};

static QUALIFICATION: Table = Table {
    name: "qualification",
    subject: "a qualification",
    written: "qualifications = [{ … }]",
    doc: "What an analyst may take.",
    keys: &[
        key!("system", REFERENCE, Need::Required, "the EHR installation"),
        key!("modules", Kind::List(&Kind::Form(&MODULE)), Need::Required, "its modules; `[\"*\"]` for all"),
        key!("level", Kind::Words(&Level::NAMES), Need::Default("\"basic\""), "how well"),
        key!(
            "releases",
            Kind::List(&Kind::Text),
            Need::Without("`release` of the system, and what had gone live when it was given"),
            "for these releases of the system"
        ),
        key!(
            "attested",
            Kind::Form(&DATE),
            Need::Without("`valid_from`"),
            "when it was given: without `releases`, it counts for what had gone live before this day"
        ),
        key!("evidence", Kind::Text, Need::Without("not said"), "what shows it: a course, a test, a signed list"),
        key!("valid_from", Kind::Form(&DATE), Need::Without("always"), "from this day on"),
        key!("valid_until", Kind::Form(&DATE), Need::Without("for good"), "until the end of this day"),
        key!("hospital", REFERENCE, Need::Without("all of the analyst's"), "at this hospital only"),
    ],
    example: "[analysts.lena]\nname = \"Lena\"\nhospitals = [\"mercy-harbor\"]\nphones = [{ register = \"lena\" }]\nqualifications = [{ system = \"meridian-prod\", modules = [\"charting\"], level = \"advanced\", valid_until = \"2027-03-31\" }]\n",
    ..BLANK
};

static SHIFT: Table = Table {
    name: "shift",
    subject: "a shift",
    written: "shifts = [{ … }]",
    doc: "Hours of the week, in the time zone of the analyst's first hospital.",
    keys: &[
        key!("days", Kind::List(&Kind::Words(&DAY_NAMES)), Need::Required, "the days on which it begins"),
        key!("from", Kind::Form(&TIME), Need::Required, "its begin"),
        key!("to", Kind::Form(&TIME), Need::Required, "its end; may lie on the next day"),
    ],
    example: "[analysts.ruth]\nname = \"Ruth\"\nhospitals = [\"mercy-harbor\"]\nphones = [{ register = \"ruth\" }]\nshifts = [{ days = [\"sat\", \"sun\"], from = \"19:00\", to = \"07:00\" }]\n",
    ..BLANK
};

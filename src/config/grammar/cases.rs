//! Everything that may be written in cases/*.toml: situations, and what has to come of them.

use super::*;

/// Cases of one file; more are more than anybody reads.
const MAX_CASES: usize = 2_000;
/// Deeds of one case.
pub const MAX_DEEDS: usize = 100;

static SINCE: Form = Form { name: "time since the INVITE", pattern: DURATION_PATTERN };
static HELPED: Form = Form { name: "time and analyst", pattern: "[0-9.]+(ms|s|m|h|d) .+" };
static PIN_OF: Form = Form { name: "person and PIN", pattern: "[^ ]+ +[0-9]{4,12}" };
static TICKET_OF: Form = Form { name: "ticket and analyst", pattern: "[0-9]+ +.+" };
static DEED: Form = Form { name: "time and deed", pattern: "[0-9.]+(ms|s|m|h|d) .+" };

pub static CASES: Table = Table {
    name: "cases",
    subject: "a file of cases",
    written: "cases/*.toml",
    doc: "What the desk must do in each of many situations: `wardline simulate --script` plays them.",
    keys: &[
        key!("hospital", REFERENCE, Need::Without("the only one"), "where the cases that say nothing else are"),
        key!("dial", Kind::Form(&DIALLED), Need::Without("the hospital's first hotline"), "what they dial"),
        key!("at", Kind::Form(&MOMENT), Need::Without("each case says it"), "when they are"),
        key!("cases", Kind::Tables(&CALL_CASE, MAX_CASES), Need::Required, "the situations"),
    ],
    example: r#"hospital = "mercy-harbor"
dial = "7100"
at = "2026-11-24T10:00"

[[cases]]
name = "a known ward phone is asked nothing"
from = "4712"
do = ["6s amara-osei answers", "40s hang up"]
[cases.expect]
skipped = ["question"]
first_offer_within = "0.1s"
answered_by = "amara-osei"
"#,
    ..BLANK
};

const PEOPLE: Kind = Kind::List(&REFERENCE);

static CALL_CASE: Table = Table {
    name: "call",
    subject: "a case",
    written: "[[cases]]",
    doc: "One call: who calls when, who is there, what people do, and what has to come of it.",
    keys: &[
        key!("name", Kind::Text, Need::Required, "what the case shows"),
        key!("from", Kind::Text, Need::Without("withheld"), "the calling number"),
        key!("hospital", REFERENCE, Need::Without("the file's"), "where it is"),
        key!("dial", Kind::Form(&DIALLED), Need::Without("the file's"), "what is dialled"),
        key!(
            "digits",
            Kind::Form(&DIALLED),
            Need::Without("none"),
            "keys that the PBX sends behind it: `7100,,3` is key 3"
        ),
        key!("at", Kind::Form(&MOMENT), Need::Without("the file's"), "the hospital's clock; shifts follow from it"),
        key!("until", Kind::Form(&SINCE), Need::Without("180 s"), "how long the case goes on at most"),
        key!(
            "do",
            Kind::List(&Kind::Form(&DEED)),
            Need::Default("[]"),
            "what people do, in order, each with its time since the INVITE"
        ),
        key!("only", PEOPLE, Need::Without("all on shift"), "these are available, and nobody else is signed in"),
        key!("available", PEOPLE, Need::Default("[]"), "signed in and free"),
        key!("paused", PEOPLE, Need::Default("[]"), "signed in, paused"),
        key!("signed_out", PEOPLE, Need::Default("[]"), "not signed in"),
        key!("busy", PEOPLE, Need::Default("[]"), "on a call"),
        key!("silent", PEOPLE, Need::Default("[]"), "their phones never say that they ring"),
        key!(
            "incidents",
            Kind::Tables(&INCIDENT, MAX_INCIDENTS),
            Need::Without("none"),
            "known problems that are active"
        ),
        key!("open_ticket", Kind::Flag, Need::Default("false"), "the calling number has a ticket that is not closed"),
        key!(
            "pins",
            Kind::List(&Kind::Form(&PIN_OF)),
            Need::Default("[]"),
            "people's PINs: `\"anika-rao 274913\"`, invented"
        ),
        key!(
            "tickets",
            Kind::List(&Kind::Form(&TICKET_OF)),
            Need::Default("[]"),
            "earlier tickets, each with who had it"
        ),
        key!("helped", Kind::Form(&HELPED), Need::Without("nobody"), "how long ago who took the caller's last call"),
        key!("expect", Kind::Table(&EXPECT), Need::Without("nothing"), "what has to come of it"),
    ],
    example: r#"[[cases]]
name = "at night the on-call analyst's mobile is rung at once"
from = "4712"
at = "2026-11-24T03:00"
only = []
do = ["8s dana-kowalski answers", "12s dana-kowalski keys 1"]
expect = { rung = ["dana-kowalski"], answered_by = "dana-kowalski" }
"#,
    ..BLANK
};

static INCIDENT: Table = Table {
    name: "incident",
    subject: "an incident",
    written: "incidents = [{ … }]",
    doc: "A known problem, as `wardline incidents open` takes it.",
    keys: &[
        key!("system", REFERENCE, Need::Required, "which system has it"),
        key!("module", REFERENCE, Need::Without("all of it"), "only this module"),
        key!("sites", Kind::List(&REFERENCE), Need::Default("[]"), "only at these sites"),
        key!("prompt", SPOKEN, Need::Required, "what callers hear"),
        key!("note", Kind::Text, Need::Without("nothing"), "what analysts read"),
        key!("down", Kind::Flag, Need::Default("false"), "the system does not work at all"),
    ],
    example: r#"[[cases]]
name = "a known problem is told"
from = "4712"
incidents = [{ system = "meridian-prod", module = "charting", prompt = "known-problem-charting" }]
"#,
    ..BLANK
};

static EXPECT: Table = Table {
    name: "expect",
    subject: "`expect`",
    written: "[cases.expect]",
    doc: "What is not written does not matter.",
    keys: &[
        key!("steps", Kind::List(&Kind::Text), Need::Without("any"), "every step, in order"),
        key!("skipped", Kind::List(&Kind::Text), Need::Without("any"), "questions that were left out"),
        key!("need", Kind::Text, Need::Without("any"), "`system/module`, `system`, or `any`"),
        key!("rung", PEOPLE, Need::Without("any"), "everybody who was rung, in order"),
        key!(
            "first_offer_within",
            Kind::Form(&SINCE),
            Need::Without("any"),
            "from the INVITE to the first offer, or the first ringing of a target"
        ),
        key!(
            "says",
            Kind::List(&Kind::Text),
            Need::Without("any"),
            "spoken one after the other; other words may stand between"
        ),
        key!("target", REFERENCE, Need::Without("any"), "the target that was rung"),
        key!("answered_by", REFERENCE, Need::Without("any"), "who has talked with the caller"),
        key!(
            "callback",
            Kind::Text,
            Need::Without("any"),
            "`waiting`, `asked`, `nobody-free`, `operator-silent`, `abandoned` or `none`"
        ),
        key!("ends", Kind::Text, Need::Without("any"), "`normal`, `abandoned`, `plan-ended` and the like, or `up`"),
    ],
    example: r#"[[cases]]
name = "key nine reaches the operator"
from = "4712"
do = ["1s 9"]
[cases.expect]
target = "operator"
"#,
    ..BLANK
};

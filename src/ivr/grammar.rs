//! Everything that may be written in a dial plan and in a manifest of prompts. See [`crate::grammar`].

use std::time::Duration;

use crate::grammar::{BLANK, Choice, Form, Kind, Need, Table, key};
use crate::identity::PhoneClass;
use crate::ivr::condition::DAY_NAMES;
use crate::ivr::facts::{CallbackCause, Origin};
use crate::ivr::plan::{
    Keyed, MAX_DIGITS, MAX_LIMIT, MAX_TARGET_RING, MAX_TRIES, MAX_WAIT, MAX_WHILE_RINGING, MAX_WORDS, MIN_DIGITS,
};
use crate::routing::rungs::{MAX_AT_ONCE, MAX_GIVE_UP, MAX_RUNGS, MIN_RING};
use crate::routing::{Level, Priority, Who};

/// Cases of one branch: more are not read by people.
pub const MAX_CASES: usize = 100;
/// How far back calls are remembered ([`crate::routing::continuity::REMEMBERED`]).
const MAX_REPEAT: Duration = Duration::from_secs(72 * 3_600);
/// Values of one condition.
pub const MAX_CHOICES: usize = 500;

// -- Forms -----------------------------------------------------------------------------------------------------------------

pub static STEP: Form = Form { name: "name of a step", pattern: "[^\\s]+" };
pub static STEP_NAME: Form = Form { name: "name of a step", pattern: ".+" };
pub static WORD: Form = Form {
    name: "prompt, `{slot}` or `{slot|prompt}`",
    pattern: "(\\{(unit|module|system|code)(\\|[a-z0-9-]+)?\\}|[a-z0-9-]+)",
};
pub static ID: Form = Form { name: "id", pattern: "[^\\s]+" };
pub static LANGUAGE: Form = Form { name: "language", pattern: "[A-Za-z0-9-]{2,8}" };
pub static NUMBERS: Form = Form { name: "number, or `77*` for its beginning", pattern: "\\+?[0-9]+\\*?" };
pub static HOURS: Form = Form { name: "hours", pattern: "[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}" };

const SAY: Kind = Kind::OneOrMore(&Kind::Form(&WORD), MAX_WORDS);
const TO_STEP: Kind = Kind::Form(&STEP);
const IDS: Kind = Kind::OneOrMore(&Kind::Form(&ID), MAX_CHOICES);
const CLASSES: Kind = Kind::OneOrMore(&Kind::Words(&PhoneClass::NAMES), PhoneClass::NAMES.len());
const TRIES: Kind = Kind::Number { least: 1, most: MAX_TRIES as u64 };
const DIGITS: Kind = Kind::Number { least: MIN_DIGITS as u64, most: MAX_DIGITS as u64 };
const HUNTING_TIME: Kind = Kind::Duration { least: Duration::ZERO, most: MAX_GIVE_UP };
const LIMIT: Kind = Kind::Duration { least: Duration::ZERO, most: MAX_LIMIT };
const WAIT: Kind = Kind::Duration { least: Duration::ZERO, most: MAX_WAIT };
const KEYED: Kind = Kind::Words(&Keyed::NAMES);
const NO_WORDS: Need = Need::Without("nothing is said");

// -- The plan --------------------------------------------------------------------------------------------------------------

pub static PLAN: Table = Table {
    name: "plan",
    subject: "a plan",
    written: "plans/*.toml",
    doc: "What callers hear and who is rung: named steps that only lead forward. Keys 0 (a person, now) and 9 (the \
          operator, and 911) belong to every plan and cannot be given another meaning.",
    keys: &[
        key!("name", Kind::Form(&ID), Need::Required, "the file's name without `.toml`"),
        key!(
            "language",
            Kind::Form(&LANGUAGE),
            Need::Default("\"en\""),
            "the language that the plan is written for; a hotline may speak it in another"
        ),
        key!("start", TO_STEP, Need::Required, "the step in which a call begins"),
        key!(
            "person",
            TO_STEP,
            Need::Required,
            "the `alert` step of key 0: rings a person, anywhere before phones ring"
        ),
        key!("operator", TO_STEP, Need::Required, "the `transfer` step of key 9 and of 911"),
        key!(
            "call_back_abandoned",
            CLASSES,
            Need::Default("[]"),
            "classes of phones that are called back when the caller hangs up before a human answered"
        ),
        key!(
            "first_offer_within",
            LIMIT,
            Need::Default("\"8s\""),
            "no path may take longer from the INVITE to the first offer to anybody; `wardline check` proves it"
        ),
        key!(
            "qualified_offer_within",
            LIMIT,
            Need::Default("\"8s\""),
            "the same to the first offer to somebody of the first rung that asks for the qualification"
        ),
        key!(
            "ends_within",
            LIMIT,
            Need::Default("\"120s\""),
            "the same to the end of a call that reaches nobody, its last words included"
        ),
        key!(
            "hunting",
            Kind::Table(&HUNTING),
            Need::Without("the ladder of the example below"),
            "who is rung, and for how long"
        ),
        key!("steps", Kind::Steps(STEPS), Need::Required, "the steps by name, at most 500"),
    ],
    example: r#"name = "hotline"
language = "en"
start = "ring"
person = "ring"
operator = "operator"
call_back_abandoned = ["ward"]

[steps.ring]
type = "alert"
next = "connect"

[steps.connect]
type = "connect"
ringing = ["ringing"]
give_up = "nobody"

[steps.nobody]
type = "callback"
cause = "nobody-free"
say = ["nobody-free", "we-will-call", "{unit|you}", "back"]

[steps.operator]
type = "transfer"
target = "operator"
say = ["connecting-operator"]
no_answer = "nobody"
"#,
    ..BLANK
};

pub static HUNTING: Table = Table {
    name: "hunting",
    subject: "`hunting`",
    written: "[hunting]",
    doc: "The ladder: rungs widen the search in time. A rung begins at once when those before it have nobody to ring.",
    keys: &[
        key!(
            "at_once",
            Kind::Number { least: 1, most: MAX_AT_ONCE as u64 },
            Need::Default("2"),
            "people of one rung who are rung at once, those on call counted apart; one where three or fewer are free"
        ),
        key!(
            "book_callback_after",
            HUNTING_TIME,
            Need::Default("\"10s\""),
            "a callback is booked after so much waiting"
        ),
        key!(
            "give_up_after",
            Kind::Duration { least: MIN_RING, most: MAX_GIVE_UP },
            Need::Default("\"90s\""),
            "the call then goes on at `give_up` of its `connect` step"
        ),
        key!(
            "rungs",
            Kind::Tables(&RUNG, MAX_RUNGS),
            Need::Without("the three of the example"),
            "the rungs, in their order"
        ),
    ],
    example: r#"[hunting]
at_once = 2
book_callback_after = "10s"
give_up_after = "90s"
rungs = [
    { name = "qualified", who = ["qualified"], ring_for = "12s" },
    { name = "backup", who = ["wrap-up", "on-call"], ring_for = "20s", after = "12s" },
    { name = "supervisor", who = ["supervisor"], ring_for = "20s", after = "20s" },
]
"#,
    ..BLANK
};

pub static RUNG: Table = Table {
    name: "rung",
    subject: "a rung",
    written: "rungs = [{ … }]",
    doc: "One step of the ladder. Everybody but supervisors must hold the call's qualification.",
    keys: &[
        key!("name", Kind::Text, Need::Required, "its name on tickets"),
        key!(
            "who",
            Kind::OneOrMore(&Kind::Words(&Who::NAMES), Who::NAMES.len()),
            Need::Required,
            "the groups that are rung together"
        ),
        key!(
            "ring_for",
            Kind::Duration { least: MIN_RING, most: MAX_GIVE_UP },
            Need::Required,
            "how long one phone rings before its analyst counts as not answering"
        ),
        key!(
            "after",
            HUNTING_TIME,
            Need::Without("when the rungs before have nobody left"),
            "begins at the latest then, counted from the start"
        ),
    ],
    example: r#"[hunting]
rungs = [{ name = "everybody", who = ["qualified", "wrap-up", "on-call"], ring_for = "30s" }]
"#,
    ..BLANK
};

// -- Steps -----------------------------------------------------------------------------------------------------------------

/// Every step, in the order in which a call usually meets them.
pub static STEPS: &[&Table] =
    &[&PLAY, &NOTICE, &MENU, &COLLECT, &BRANCH, &SET, &ALERT, &CONNECT, &CALLBACK, &TRANSFER, &HANGUP];

pub static PLAY: Table = Table {
    name: "play",
    subject: "a `play` step",
    written: "[steps.NAME] type = \"play\"",
    doc: "Speaks, and goes on. A key cuts the words and is kept for the next question.",
    tag: Some("play"),
    keys: &[
        key!("say", SAY, Need::Required, "what is said"),
        key!("next", TO_STEP, Need::Required, "the step after it"),
    ],
    example: r#"[steps.greet]
type = "play"
say = ["desk", "{unit}"]
next = "connect"
"#,
    ..BLANK
};

pub static NOTICE: Table = Table {
    name: "notice",
    subject: "a `notice` step",
    written: "[steps.NAME] type = \"notice\"",
    doc: "Tells of the known problem that concerns the caller (`wardline incidents open`), links the ticket to it, and goes \
          on. Any key cuts it; where there is no such problem, nothing is said.",
    tag: Some("notice"),
    keys: &[
        key!("say", SAY, Need::Without("the incident's own prompt"), "what is said"),
        key!("next", TO_STEP, Need::Required, "the step after it"),
    ],
    example: r#"[steps.known-problem]
type = "notice"
next = "ring"
"#,
    ..BLANK
};

pub static MENU: Table = Table {
    name: "menu",
    subject: "a `menu` step",
    written: "[steps.NAME] type = \"menu\"",
    doc: "Asks for one key. Silence and a wrong key each have a way out, so nobody is held.",
    tag: Some("menu"),
    keys: &[
        key!("say", SAY, Need::Required, "the question"),
        key!("keys", Kind::Keypad(Some(&ANSWER)), Need::Without("any key is a wrong one"), "what each key does"),
        key!("silence", TO_STEP, Need::Required, "where no key leads, in the last try"),
        key!("wrong", TO_STEP, Need::Required, "where a key that is not offered leads, in the last try"),
        key!("wait", WAIT, Need::Default("\"1.5s\""), "how long a key is waited for after the words"),
        key!("tries", TRIES, Need::Default("1"), "how often the question is asked"),
        key!(
            "ask",
            Kind::Words(&["always", "if-it-matters"]),
            Need::Default("\"always\""),
            "`if-it-matters`: asked only if an answer would change who is rung"
        ),
        key!(
            "skip",
            TO_STEP,
            Need::Without("only with `ask`"),
            "where the call goes unasked; needed with `if-it-matters`"
        ),
    ],
    example: r#"[steps.question]
type = "menu"
ask = "if-it-matters"
skip = "known"
say = ["desk-question"]
keys.1 = { module = "charting", next = "ring" }
keys.2 = "ring"
silence = "ring"
wrong = "ring"
wait = "1.5s"
"#,
    ..BLANK
};

/// What a key or a step settles of the need.
static NEED: Table = Table {
    name: "need",
    keys: &[
        key!("system", Kind::Form(&ID), Need::Without("the place's"), "the EHR installation that the call is about"),
        key!("module", Kind::Form(&ID), Need::Without("the place's"), "the module that it is about"),
        key!("language", Kind::Form(&LANGUAGE), Need::Without("stays"), "spoken from here on, and by whoever is rung"),
        key!("level", Kind::Words(&Level::NAMES), Need::Without("any"), "the least level of whoever is rung"),
    ],
    ..BLANK
};

pub static ANSWER: Table = Table {
    name: "answer",
    subject: "a key",
    written: "keys.1 = { … }",
    doc: "What one key means: the name of a step in quotes, or this table. Keys are 1 to 8, `*` and `#`.",
    keys: &[key!("next", TO_STEP, Need::Required, "the step that the key leads to")],
    with: Some(&NEED),
    example: r#"[steps.language]
type = "menu"
say = ["desk-question"]
keys.2 = { module = "orders", level = "advanced", next = "ring" }
silence = "ring"
wrong = "ring"
"#,
    ..BLANK
};

pub static COLLECT: Table = Table {
    name: "collect",
    subject: "a `collect` step",
    written: "[steps.NAME] type = \"collect\"",
    doc: "Asks for a number and looks it up in the hospital's directory. While digits are keyed, 0 and 9 are digits; alone \
          before the time-out they mean what they always mean, and 911 goes to the operator.",
    tag: Some("collect"),
    keys: &[
        key!("say", SAY, Need::Required, "the question"),
        key!("number", KEYED, Need::Required, "what is keyed"),
        key!("digits", DIGITS, Need::Default("20"), "it is complete after so many digits, after `#`, or after `wait`"),
        key!("wait", WAIT, Need::Default("\"3s\""), "how long the next digit is waited for"),
        key!("tries", TRIES, Need::Default("1"), "how often the question is asked"),
        key!("accepted", TO_STEP, Need::Required, "the directory knows the number"),
        key!("rejected", TO_STEP, Need::Required, "it does not, in the last try"),
        key!("silence", TO_STEP, Need::Required, "nothing was keyed, in the last try"),
    ],
    example: r#"[steps.badge]
type = "collect"
say = ["key-badge"]
number = "badge"
digits = 6
accepted = "ring"
rejected = "ring"
silence = "ring"
"#,
    ..BLANK
};

pub static BRANCH: Table = Table {
    name: "branch",
    subject: "a `branch` step",
    written: "[steps.NAME] type = \"branch\"",
    doc: "Goes where the first case that holds says. Takes no time.",
    tag: Some("branch"),
    keys: &[
        key!("cases", Kind::Tables(&CASE, MAX_CASES), Need::Required, "conditions, each with where it leads"),
        key!("else", TO_STEP, Need::Required, "where the call goes when none holds"),
    ],
    example: r#"[steps.who]
type = "branch"
cases = [
    { class = "patient", next = "operator" },
    { hours = "19:00-07:00", on_shift = false, next = "ring" },
]
else = "question"
"#,
    ..BLANK
};

pub static CASE: Table = Table {
    name: "case",
    subject: "a case",
    written: "cases = [{ … }]",
    doc: "Conditions, all of which must hold, and where the call then goes.",
    keys: &[key!("next", TO_STEP, Need::Required, "the step that the case leads to")],
    with: Some(&CONDITION),
    example: r#"[steps.calendar]
type = "branch"
cases = [{ days = ["sat", "sun"], from = "inside", mapped = false, next = "ring" }]
else = "question"
"#,
    ..BLANK
};

pub static CONDITION: Table = Table {
    name: "condition",
    subject: "a condition",
    written: "when = { … }",
    doc: "All that is written must hold. Of a list, one must.",
    keys: &[
        key!("class", CLASSES, Need::Without("any"), "the class of the calling phone"),
        key!("from", Kind::Words(&Origin::NAMES), Need::Without("either"), "which side of the PBX the call comes from"),
        key!("mapped", Kind::Flag, Need::Without("either"), "whether the calling phone stands in the extension map"),
        key!(
            "person_known",
            Kind::Flag,
            Need::Without("either"),
            "whether the caller's name is known, if only as a claim"
        ),
        key!("on_shift", Kind::Flag, Need::Without("either"), "whether anybody of the hospital is on shift now"),
        key!("incident", Kind::Flag, Need::Without("either"), "whether a known problem concerns the caller"),
        key!(
            "system_down",
            Kind::Flag,
            Need::Without("either"),
            "whether the caller's system does not work at all (`wardline incidents open --down`)"
        ),
        key!(
            "open_ticket",
            Kind::Flag,
            Need::Without("either"),
            "whether the calling number, unit or person has a ticket of the last 72 hours that is not closed"
        ),
        key!(
            "repeat_within",
            Kind::Duration { least: Duration::ZERO, most: MAX_REPEAT },
            Need::Without("either"),
            "an analyst took a call of this number, or of this unit about this module, so long ago at most"
        ),
        key!("holiday", Kind::Flag, Need::Without("either"), "whether the call's day is a holiday of the hospital"),
        key!("calendar", IDS, Need::Without("any"), "calendars of the hospital's file that hold at the call"),
        key!(
            "digits",
            Kind::OneOrMore(&Kind::Form(&NUMBERS), MAX_CHOICES),
            Need::Without("any"),
            "digits that came behind the dialled number (`7100,,3`); they also count as keyed ahead"
        ),
        key!("unit", IDS, Need::Without("any"), "the unit of the calling phone"),
        key!("site", IDS, Need::Without("any"), "its site"),
        key!("trunk", IDS, Need::Without("any"), "the trunk that the call came over"),
        key!("language", Kind::OneOrMore(&Kind::Form(&LANGUAGE), 20), Need::Without("any"), "the language in force"),
        key!(
            "extension",
            Kind::OneOrMore(&Kind::Form(&NUMBERS), MAX_CHOICES),
            Need::Without("any"),
            "the calling number"
        ),
        key!(
            "dialled",
            Kind::OneOrMore(&Kind::Form(&NUMBERS), MAX_CHOICES),
            Need::Without("any"),
            "the number that was dialled"
        ),
        key!(
            "hours",
            Kind::Form(&HOURS),
            Need::Without("any"),
            "the hospital's clock at the call, the end left out; may cross midnight"
        ),
        key!(
            "days",
            Kind::OneOrMore(&Kind::Words(&DAY_NAMES), DAY_NAMES.len()),
            Need::Without("any"),
            "the day of the week at the call"
        ),
    ],
    example: r#"[steps.connect]
type = "connect"
asks = [{ at = "5s", when = { mapped = true, person_known = false }, number = "badge", say = ["key-badge"] }]
give_up = "nobody"
"#,
    ..BLANK
};

pub static SET: Table = Table {
    name: "set",
    subject: "a `set` step",
    written: "[steps.NAME] type = \"set\"",
    doc: "Settles something of the need, and goes on. Once phones ring it changes nobody who is rung: it is noted.",
    tag: Some("set"),
    keys: &[
        key!(
            "priority",
            Kind::Words(&Priority::NAMES),
            Need::Without("as others"),
            "`urgent`: where calls wait, it waits before those that are not; at most 20 calls do at a time"
        ),
        key!("next", TO_STEP, Need::Required, "the step after it"),
    ],
    with: Some(&NEED),
    example: r#"[steps.urgent]
type = "set"
module = "medication"
priority = "urgent"
next = "ring"
"#,
    ..BLANK
};

pub static ALERT: Table = Table {
    name: "alert",
    subject: "an `alert` step",
    written: "[steps.NAME] type = \"alert\"",
    doc: "Phones ring from here, by the ladder of `[hunting]`; the plan goes on at once, and comes to a `connect` unless the \
          caller chooses otherwise by a key. A call passes one `alert` only, and another for those who stay on after a \
          callback of cause `incident`.",
    tag: Some("alert"),
    keys: &[key!("next", TO_STEP, Need::Required, "what the caller meets while phones ring")],
    with: Some(&NEED),
    example: r#"[steps.ring]
type = "alert"
next = "connect"
"#,
    ..BLANK
};

pub static CONNECT: Table = Table {
    name: "connect",
    subject: "a `connect` step",
    written: "[steps.NAME] type = \"connect\"",
    doc: "Holds the caller while phones ring; an answer cuts whatever is said. Times count from when ringing began.",
    tag: Some("connect"),
    keys: &[
        key!("ringing", SAY, NO_WORDS, "said when a qualified analyst's phone rings"),
        key!("on_call", SAY, NO_WORDS, "said when nobody is signed in and the on-call phone rings"),
        key!("all_busy", SAY, NO_WORDS, "said when all who are qualified are on calls"),
        key!(
            "asks",
            Kind::Tables(&RING_ASK, MAX_WHILE_RINGING),
            Need::Without("nothing is asked"),
            "numbers asked for meanwhile"
        ),
        key!(
            "waiting",
            Kind::Tables(&ANNOUNCEMENT, MAX_WHILE_RINGING),
            Need::Without("nothing is said"),
            "what is said after some waiting"
        ),
        key!("give_up", TO_STEP, Need::Required, "nobody came within `give_up_after`"),
    ],
    example: r#"[steps.connect]
type = "connect"
ringing = ["ringing"]
on_call = ["calling-on-call"]
all_busy = ["{module|our}", "analysts-on-calls"]
waiting = [{ at = "10s", say = ["callback-offer"], keys = { 1 = "asked" } }]
give_up = "nobody"
"#,
    ..BLANK
};

pub static RING_ASK: Table = Table {
    name: "ring-ask",
    subject: "a question",
    written: "asks = [{ … }]",
    doc: "A number asked for while phones ring, once. Whoever just waits loses nothing.",
    keys: &[
        key!("at", HUNTING_TIME, Need::Required, "how long after ringing began"),
        key!("when", Kind::Table(&CONDITION), Need::Without("always"), "whom it is asked"),
        key!("say", SAY, Need::Required, "the question"),
        key!("number", KEYED, Need::Required, "what is keyed"),
        key!("digits", DIGITS, Need::Default("20"), "it is complete after so many digits, after `#`, or after `wait`"),
        key!("wait", WAIT, Need::Default("\"3s\""), "how long the next digit is waited for"),
        key!("accepted", SAY, NO_WORDS, "said when the directory knows the number"),
    ],
    example: r#"[steps.connect]
type = "connect"
ringing = ["ringing"]
asks = [
    { at = "2s", when = { mapped = false }, number = "extension", digits = 4, say = ["key-extension"], accepted = ["thank-you"] },
]
give_up = "nobody"
"#,
    ..BLANK
};

pub static ANNOUNCEMENT: Table = Table {
    name: "announcement",
    subject: "an announcement",
    written: "waiting = [{ … }]",
    doc: "Said once; its keys work from then on.",
    keys: &[
        key!("at", HUNTING_TIME, Need::Required, "how long after ringing began"),
        key!("say", SAY, Need::Required, "what is said"),
        key!("keys", Kind::Keypad(None), Need::Without("no key does anything"), "the step that each key leads to"),
    ],
    example: r#"[steps.connect]
type = "connect"
ringing = ["ringing"]
waiting = [{ at = "20s", say = ["or-stay-on"] }]
give_up = "nobody"
"#,
    ..BLANK
};

pub static CALLBACK: Table = Table {
    name: "callback",
    subject: "a `callback` step",
    written: "[steps.NAME] type = \"callback\"",
    doc: "Withdraws what rings, books a callback, says so, and ends the call or goes on.",
    tag: Some("callback"),
    keys: &[
        key!("cause", Kind::Words(&CallbackCause::NAMES), Need::Required, "why, for the ticket"),
        key!("say", SAY, Need::Required, "what is said"),
        key!(
            "no_number",
            SAY,
            Need::Without("\"Sorry, a fault. Please call again.\""),
            "said instead where there is no number that could be called"
        ),
        key!("next", TO_STEP, Need::Without("the call ends"), "the step after it"),
    ],
    example: r#"[steps.asked]
type = "callback"
cause = "asked"
say = ["done", "we-will-call", "{unit|you}"]
no_number = ["call-again"]
"#,
    ..BLANK
};

pub static TRANSFER: Table = Table {
    name: "transfer",
    subject: "a `transfer` step",
    written: "[steps.NAME] type = \"transfer\"",
    doc: "Withdraws what rings, and rings a target that the hospital declares. Key 9 reaches the operator all the while.",
    tag: Some("transfer"),
    keys: &[
        key!("target", Kind::Form(&ID), Need::Required, "`operator`, or one of `[targets.ID]`"),
        key!("say", SAY, NO_WORDS, "what is said while it rings"),
        key!(
            "ring_for",
            Kind::Duration { least: MIN_RING, most: MAX_TARGET_RING },
            Need::Default("\"6s\""),
            "how long it rings"
        ),
        key!("no_answer", TO_STEP, Need::Required, "the step after that"),
    ],
    example: r#"[steps.pharmacy]
type = "transfer"
target = "pharmacy"
say = ["transferring"]
ring_for = "20s"
no_answer = "nobody"
"#,
    ..BLANK
};

pub static HANGUP: Table = Table {
    name: "hangup",
    subject: "a `hangup` step",
    written: "[steps.NAME] type = \"hangup\"",
    doc: "Says its words and ends the call. Only a call whose caller a `callback` step has spoken to may come here: somebody \
          calls back, or there is no number to call.",
    tag: Some("hangup"),
    keys: &[key!("say", SAY, NO_WORDS, "the last words")],
    example: r#"[steps.end]
type = "hangup"
say = ["goodbye"]
"#,
    ..BLANK
};

// -- Prompts ---------------------------------------------------------------------------------------------------------------

pub static MANIFEST: Table = Table {
    name: "prompts",
    subject: "the manifest",
    written: "prompts/LANGUAGE/manifest.toml",
    doc: "The spoken words of one language, by prompt id; the id is also the WAV's name. `make prompts` renders what is \
          missing; a recording of your own may replace any WAV (16 kHz, 16 bit, mono, at most 4 s).",
    keys: &[
        key!("language", Kind::Form(&LANGUAGE), Need::Without("the folder's name"), "the folder's name"),
        key!("prompts", Kind::Texts, Need::Without("no prompt"), "what is spoken, as tickets quote it"),
        key!(
            "sounds",
            Kind::Texts,
            Need::Without("no sound"),
            "tones and music: what is heard; no bound on their length"
        ),
        key!(
            "say-as",
            Kind::Texts,
            Need::Without("as written"),
            "how the voice engine must write what it would say wrongly"
        ),
    ],
    choice: Choice::Free,
    example: r#"language = "en"

[prompts]
desk = "Clinical service desk."
unit-4-west = "four west."

[sounds]
hold = "hold music"
"#,
    ..BLANK
};

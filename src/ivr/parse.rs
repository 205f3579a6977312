//! A plan's TOML, step by step, into typed steps that still name each other. What can be judged of a step alone is
//! judged here; how steps hang together is judged in [`crate::ivr::check`].

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::digit::Digit;
use crate::identity::PhoneClass;
use crate::ids::{
    CalendarId, Extension, Language, ModuleId, PromptId, RungId, SiteId, StepId, SystemId, TargetId, TrunkId, UnitId,
};
use crate::ivr::condition::{Condition, Hours, Pattern, weekday};
use crate::ivr::facts::{CallbackCause, NeedPatch, Origin};
use crate::ivr::grammar::{ANSWER, STEPS};
use crate::ivr::longest::Longest;
use crate::ivr::plan::{
    Alert, Announcement, Answer, Branch, Callback, Case, Collect, Connect, ENDS_WITHIN, Hangup, Keyed, Limit, Limits,
    MAX_DIGITS, MAX_STEPS, Menu, Notice, Number, OFFER_WITHIN, Play, Set, Slot, StepKind, Transfer, Utterance, Word,
};
use crate::ivr::prompts::Prompts;
use crate::ivr::read::{Reader, Spanned, Table};
use crate::routing::{Hunting, Level, Priority, Rung, Who};

/// Default wait for a key after a question (HOTLINE.md: "1.5 wait").
const WAIT: Duration = Duration::from_millis(1_500);
/// Default wait between the digits of a number.
const DIGIT_WAIT: Duration = Duration::from_secs(3);
/// Default ringing of a transfer target (HOTLINE.md: "no answer in 6 s").
/// Declared names that a finding lists.
const MAX_NAMED: usize = 12;
const TARGET_RING: Duration = Duration::from_secs(6);

/// A step's name where it is referred to.
pub(super) type Name = Spanned<String>;

/// What else is declared, for names that point out of the plan. A set that is `None` is not checked against.
#[derive(Clone, Debug, Default)]
pub struct Known<'a> {
    pub prompts: Option<&'a Prompts>,
    pub targets: Option<BTreeSet<TargetId>>,
    pub systems: Option<BTreeSet<SystemId>>,
    pub modules: Option<BTreeSet<ModuleId>>,
    pub units: Option<BTreeSet<UnitId>>,
    pub sites: Option<BTreeSet<SiteId>>,
    pub trunks: Option<BTreeSet<TrunkId>>,
    pub calendars: Option<BTreeSet<CalendarId>>,
    /// Prompts that units name for themselves, instead of `unit-…`.
    pub spoken_units: BTreeSet<PromptId>,
    /// Numbers that callers dial.
    pub hotlines: Option<BTreeSet<Extension>>,
    /// Of the longest code number, as `{code}` speaks it.
    pub code_digits: Option<u32>,
}

impl Known<'_> {
    /// Measures what is spoken, when the prompts are known.
    pub fn longest(&self) -> Option<Longest<'_>> {
        Some(Longest::new(self.prompts?, &self.spoken_units, self.code_digits))
    }
}

/// A plan as written: steps by name.
#[derive(Debug)]
pub(super) struct RawPlan {
    pub name: Option<Name>,
    pub language: Language,
    pub language_span: Range<usize>,
    pub start: Option<Name>,
    pub person: Option<Name>,
    pub operator: Option<Name>,
    pub call_back_abandoned: Vec<PhoneClass>,
    pub hunting: Hunting,
    pub limits: Limits,
    /// In the file's order.
    pub steps: Vec<RawStep>,
    /// Every step's name, also of those that could not be read.
    pub names: BTreeSet<String>,
    /// Where utterances stand, to point at what is too long.
    pub spoken: Vec<(Range<usize>, Utterance)>,
}

#[derive(Debug)]
pub(super) struct RawStep {
    pub id: StepId,
    pub span: Range<usize>,
    pub kind: StepKind<Name>,
}

/// Reads one plan.
pub(super) struct Parser<'r, 'k> {
    pub reader: Reader<'r>,
    pub known: &'k Known<'k>,
    pub language: Language,
    spoken: Vec<(Range<usize>, Utterance)>,
    /// Of `hunting`, once that has been read.
    give_up_after: Duration,
}

impl<'r, 'k> Parser<'r, 'k> {
    pub(super) fn new(reader: Reader<'r>, known: &'k Known<'k>) -> Parser<'r, 'k> {
        Parser {
            reader,
            known,
            language: Language::new("en"),
            spoken: Vec::new(),
            give_up_after: Hunting::standard().give_up_after,
        }
    }

    pub(super) fn plan(mut self, root: &Table) -> RawPlan {
        self.reader.only(root);
        let language = self.reader.string(root, "language");
        let language_span = language.as_ref().map_or(0..0, |language| language.span.clone());
        if let Some(language) = language {
            self.language = Language::new(&language.value);
        }
        let name = self.needed_name(root, "the plan", "name");
        let start = self.needed_name(root, "the plan", "start");
        let person = self.needed_name(root, "the plan", "person");
        let operator = self.needed_name(root, "the plan", "operator");
        let call_back_abandoned = self.classes(root, "call_back_abandoned");
        let place = name.as_ref().map_or(0..0, |name| name.span.clone());
        let limits = Limits {
            first_offer: self.limit(root, "first_offer_within", OFFER_WITHIN, &place),
            qualified_offer: self.limit(root, "qualified_offer_within", OFFER_WITHIN, &place),
            end: self.limit(root, "ends_within", ENDS_WITHIN, &place),
        };
        let hunting = self.hunting(root);
        let (mut steps, mut names) = (Vec::new(), BTreeSet::new());
        let table = self.reader.table(root, "steps");
        if let Some(table) = self.reader.required(root, "the plan", "steps", table) {
            for key in table.keys() {
                names.insert(key.value.clone());
                if names.len() > MAX_STEPS {
                    let what = format!("more than {MAX_STEPS} steps");
                    self.reader.error(key.span, what, "split the plan");
                    break;
                }
                let Some(step) = self.reader.table(&table, &key.value) else { continue };
                if let Some(kind) = self.step(&step) {
                    steps.push(RawStep { id: StepId::new(&key.value), span: key.span, kind });
                }
            }
        }
        RawPlan {
            name,
            language: self.language,
            language_span,
            start,
            person,
            operator,
            call_back_abandoned,
            hunting,
            limits,
            steps,
            names,
            spoken: self.spoken,
        }
    }

    fn limit(&mut self, root: &Table, key: &str, usual: Duration, name: &Range<usize>) -> Limit {
        match self.reader.duration(root, key) {
            Some(within) => Limit { within, span: root.value_span(key) },
            None => Limit { within: usual, span: name.clone() },
        }
    }

    // -- Hunting ---------------------------------------------------------------------------------------------------------

    /// The ladder; HOTLINE.md's where none is written.
    fn hunting(&mut self, root: &Table) -> Hunting {
        let mut hunting = Hunting::standard();
        let Some(table) = self.reader.table(root, "hunting") else { return hunting };
        self.reader.only(&table);
        if let Some(at_once) = self.reader.number(&table, "at_once") {
            hunting.at_once = at_once;
        }
        if let Some(after) = self.reader.duration(&table, "book_callback_after") {
            hunting.book_callback_after = after;
        }
        if let Some(after) = self.reader.duration(&table, "give_up_after") {
            hunting.give_up_after = after;
        }
        if let Some(rungs) = self.reader.tables(&table, "rungs") {
            let complete = rungs.len();
            hunting.rungs = rungs.iter().filter_map(|rung| self.rung(rung)).collect();
            // A rung that could not be read has been reported; what its absence breaks is no news.
            if hunting.rungs.len() < complete {
                return Hunting::standard();
            }
        }
        if !hunting.rungs.is_empty() && !hunting.rungs.iter().any(|rung| rung.who.contains(&Who::Qualified)) {
            let what = "no rung rings `qualified`: analysts who are free are never rung";
            let finding = Diagnostic::warning(&self.reader.file, table.value_span("rungs"), what);
            self.reader.push(finding.remedy("name `qualified` in the first rung"));
        }
        let rungs = self.reader.tables(&table, "rungs").unwrap_or_default();
        for (table, rung) in rungs.iter().zip(&hunting.rungs) {
            let late = rung.after.filter(|after| *after >= hunting.give_up_after);
            if let Some(after) = late {
                let what = format!("rung `{}` never begins by its time", rung.id);
                self.too_late(table.value_span("after"), what, after, hunting.give_up_after);
            }
        }
        self.give_up_after = hunting.give_up_after;
        for error in hunting.check() {
            self.reader.error(table.span.clone(), error.to_string(), "change `hunting`");
        }
        hunting
    }

    fn too_late(&mut self, span: Range<usize>, what: impl Into<String>, at: Duration, give_up: Duration) {
        let why =
            format!("ringing gives up after {} s, and this comes after {}", give_up.as_secs_f64(), at.as_secs_f64());
        let finding = Diagnostic::warning(&self.reader.file, span, what).why(why);
        self.reader.push(finding.remedy("let it come sooner, or `give_up_after` later"));
    }

    fn rung(&mut self, table: &Table) -> Option<Rung> {
        self.reader.only(table);
        let id = self.reader.string(table, "name");
        let id = self.reader.required(table, "the rung", "name", id);
        let who = self.reader.strings(table, "who");
        let who = self.reader.required(table, "the rung", "who", who);
        let ring_for = self.reader.duration(table, "ring_for");
        let ring_for = self.reader.required(table, "the rung", "ring_for", ring_for);
        let after = self.reader.duration(table, "after");
        let who = who?;
        let written = who.len();
        let who = self.each(who, "group of people", table.words("who"), Who::from_name);
        if who.len() < written {
            return None;
        }
        Some(Rung { id: RungId::new(&id?.value), who, ring_for: ring_for?, after })
    }

    // -- Steps -----------------------------------------------------------------------------------------------------------

    fn step(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let kind = self.reader.string(table, "type");
        let kind = self.reader.required(table, "the step", "type", kind)?;
        let Some(grammar) = STEPS.iter().find(|step| step.tag == Some(kind.value.as_str())) else {
            let known = StepKind::<Name>::NAMES;
            let diagnostic =
                Diagnostic::error(&self.reader.file, kind.span, format!("unknown step type `{}`", kind.value))
                    .nearest(&kind.value, known)
                    .remedy(format!("use one of: {}", known.join(", ")));
            self.reader.push(diagnostic);
            return None;
        };
        let table = &table.clone().of(grammar);
        self.reader.only(table);
        match grammar.name {
            "play" => self.play(table),
            "notice" => self.notice(table),
            "menu" => self.menu(table),
            "collect" => self.collect(table),
            "branch" => self.branch(table),
            "alert" => self.alert(table),
            "set" => self.set(table),
            "connect" => self.connect(table),
            "callback" => self.callback(table),
            "transfer" => self.transfer(table),
            "hangup" => Some(StepKind::Hangup(Hangup { say: self.say(table, "say") })),
            other => unreachable!("the grammar's step `{other}` has no reader; a test reads one of each"),
        }
    }

    fn play(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let say = self.needed_say(table);
        let next = self.needed_name(table, "the step", "next");
        Some(StepKind::Play(Play { say: say?, next: next? }))
    }

    fn notice(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let say = self.say(table, "say");
        let next = self.needed_name(table, "the step", "next");
        Some(StepKind::Notice(Notice { say: (!say.0.is_empty()).then_some(say), next: next? }))
    }

    fn menu(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let say = self.needed_say(table);
        let silence = self.needed_name(table, "the menu", "silence");
        let wrong = self.needed_name(table, "the menu", "wrong");
        let wait = self.reader.duration(table, "wait").unwrap_or(WAIT);
        let tries = self.reader.number(table, "tries").unwrap_or(1);
        let mut keys = BTreeMap::new();
        if let Some(table) = self.reader.table(table, "keys") {
            for key in table.keys() {
                if let (Some(digit), Some(answer)) = (self.menu_key(&key), self.answer(&table, &key)) {
                    keys.insert(digit, answer);
                }
            }
        }
        let skip = self.skip(table, &keys)?;
        Some(StepKind::Menu(Menu { say: say?, keys, silence: silence?, wrong: wrong?, wait, tries, skip }))
    }

    /// `ask = "if-it-matters"` with `skip`; `None` when they do not fit together.
    #[expect(clippy::option_option, reason = "outer: readable at all; inner: the question may be skipped")]
    fn skip(&mut self, table: &Table, keys: &BTreeMap<Digit, Answer<Name>>) -> Option<Option<Name>> {
        let ask = self.reader.string(table, "ask");
        let skip = self.reader.string(table, "skip");
        let if_it_matters = match ask.as_ref().map(|ask| ask.value.as_str()) {
            None | Some("always") => false,
            Some("if-it-matters") => true,
            Some(other) => {
                let what = format!("`ask` is \"{other}\"");
                self.reader.error(table.value_span("ask"), what, "write \"always\" or \"if-it-matters\"");
                return None;
            }
        };
        match (if_it_matters, skip) {
            (false, None) => Some(None),
            (false, Some(skip)) => {
                self.reader.error(skip.span, "`skip` without `ask = \"if-it-matters\"`", "remove it, or add `ask`");
                None
            }
            (true, None) => {
                let what = "the menu may be skipped, but does not say where to";
                self.reader.error(table.value_span("ask"), what, "add `skip`, the step to go to unasked");
                None
            }
            (true, Some(skip)) => {
                if keys.values().all(|answer| answer.set.is_empty()) {
                    let what = "no answer says anything of the need, so the question never matters";
                    self.reader.error(table.value_span("ask"), what, "give a key a `module` or `system`");
                    return None;
                }
                Some(Some(skip))
            }
        }
    }

    /// A key of a menu or an announcement.
    fn menu_key(&mut self, key: &Name) -> Option<Digit> {
        let mut letters = key.value.chars();
        let digit = letters.next().filter(|_| letters.next().is_none()).and_then(Digit::from_char);
        match digit {
            None => {
                self.reader.error(
                    key.span.clone(),
                    format!("`{}` is no key of a phone", key.value),
                    "use 1 to 8, * or #",
                );
                None
            }
            Some(Digit::D0 | Digit::D9) => {
                let what = format!("key `{}` has its meaning in every plan", key.value);
                let diagnostic = Diagnostic::error(&self.reader.file, key.span.clone(), what)
                    .why("0 rings a person, 9 the hospital operator: somebody keying 911 reaches a human at once")
                    .remedy("use 1 to 8, * or #");
                self.reader.push(diagnostic);
                None
            }
            some => some,
        }
    }

    /// `1 = "step"`, or `1 = { module = "charting", next = "step" }`.
    fn answer(&mut self, table: &Table, key: &Name) -> Option<Answer<Name>> {
        if table.is_text(&key.value) {
            let next = self.reader.string(table, &key.value)?;
            return Some(Answer { set: NeedPatch::default(), next });
        }
        let table = self.reader.table(table, &key.value)?.of(&ANSWER);
        self.reader.only(&table);
        let set = self.patch(&table);
        let next = self.needed_name(&table, "the key", "next");
        Some(Answer { set, next: next? })
    }

    fn collect(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let say = self.needed_say(table);
        let number = self.number(table);
        let tries = self.reader.number(table, "tries").unwrap_or(1);
        let accepted = self.needed_name(table, "the step", "accepted");
        let rejected = self.needed_name(table, "the step", "rejected");
        let silence = self.needed_name(table, "the step", "silence");
        Some(StepKind::Collect(Collect {
            say: say?,
            number: number?,
            tries,
            accepted: accepted?,
            rejected: rejected?,
            silence: silence?,
        }))
    }

    fn number(&mut self, table: &Table) -> Option<Number> {
        let what = self.reader.string(table, "number");
        let what = self.reader.required(table, "the question", "number", what)?;
        let digits = self.reader.number(table, "digits").unwrap_or(MAX_DIGITS);
        let wait = self.reader.duration(table, "wait").unwrap_or(DIGIT_WAIT);
        let what = self.one(what, "number", table.words("number"), Keyed::from_name)?;
        Some(Number { what, digits, wait })
    }

    fn branch(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let otherwise = self.needed_name(table, "the branch", "else");
        let tables = self.reader.tables(table, "cases");
        let tables = self.reader.required(table, "the branch", "cases", tables)?;
        let mut cases: Vec<Case<Name>> = Vec::with_capacity(tables.len());
        let mut written: Vec<(Condition, Range<usize>)> = Vec::with_capacity(tables.len());
        for table in &tables {
            self.reader.only(table);
            let before = self.reader.report.errors();
            let when = self.condition(table);
            // What could not be read would seem to hold always.
            let whole = self.reader.report.errors() == before;
            if when.is_empty() && table.keys().len() <= 1 {
                self.reader.error(table.span.clone(), "the case has no condition", "write it as `else`");
            }
            if let Some((_, first)) = written.iter().find(|(earlier, _)| whole && earlier.covers(&when)) {
                let finding = Diagnostic::warning(&self.reader.file, table.span.clone(), "this case never comes")
                    .why("wherever it holds, one above it does")
                    .remedy("put the narrower case first, or remove this one")
                    .related(&self.reader.file, first.clone(), "this one is taken before");
                self.reader.push(finding);
            }
            if whole {
                written.push((when.clone(), table.span.clone()));
            }
            if let Some(next) = self.needed_name(table, "the case", "next") {
                cases.push(Case { when, next });
            }
        }
        Some(StepKind::Branch(Branch { cases, otherwise: otherwise? }))
    }

    fn set(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let set = self.patch(table);
        let priority = self.reader.string(table, "priority");
        let priority =
            priority.and_then(|name| self.one(name, "priority", table.words("priority"), Priority::from_name));
        let next = self.needed_name(table, "the step", "next");
        if set.is_empty() && priority.is_none() {
            self.reader.error(table.span.clone(), "the step sets nothing", "add `module`, `priority` or another");
            return None;
        }
        Some(StepKind::Set(Set { set, priority, next: next? }))
    }

    fn alert(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let set = self.patch(table);
        let next = self.needed_name(table, "the step", "next");
        Some(StepKind::Alert(Alert { set, next: next? }))
    }

    fn connect(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let ringing = self.say(table, "ringing");
        let on_call = self.say(table, "on_call");
        let all_busy = self.say(table, "all_busy");
        let give_up = self.needed_name(table, "the step", "give_up");
        let (mut asks, mut waiting) = (Vec::new(), Vec::new());
        for table in self.reader.tables(table, "asks").unwrap_or_default() {
            self.reader.only(&table);
            let at = self.reader.duration(&table, "at");
            let at = self.reader.required(&table, "the question", "at", at);
            if let Some(at) = at.filter(|at| *at >= self.give_up_after) {
                self.too_late(table.value_span("at"), "this question is never asked", at, self.give_up_after);
            }
            let say = self.needed_say(&table);
            let number = self.number(&table);
            let accepted = self.say(&table, "accepted");
            let when = match self.reader.table(&table, "when") {
                Some(when) => {
                    self.reader.only(&when);
                    self.condition(&when)
                }
                None => Condition::default(),
            };
            if let (Some(at), Some(say), Some(number)) = (at, say, number) {
                asks.push(crate::ivr::plan::RingAsk { at, when, say, number, accepted });
            }
        }
        for table in self.reader.tables(table, "waiting").unwrap_or_default() {
            waiting.extend(self.announcement(&table));
        }
        asks.sort_by_key(|ask| ask.at);
        waiting.sort_by_key(|said| said.at);
        Some(StepKind::Connect(Connect { ringing, on_call, all_busy, asks, waiting, give_up: give_up? }))
    }

    fn announcement(&mut self, table: &Table) -> Option<Announcement<Name>> {
        self.reader.only(table);
        let at = self.reader.duration(table, "at");
        let at = self.reader.required(table, "the announcement", "at", at);
        if let Some(at) = at.filter(|at| *at >= self.give_up_after) {
            let what = "this announcement comes only where nobody can be rung";
            self.too_late(table.value_span("at"), what, at, self.give_up_after);
        }
        let say = self.needed_say(table);
        let mut keys = BTreeMap::new();
        if let Some(table) = self.reader.table(table, "keys") {
            for key in table.keys() {
                let digit = self.menu_key(&key);
                let next = self.reader.string(&table, &key.value);
                if let (Some(digit), Some(next)) = (digit, next) {
                    keys.insert(digit, next);
                }
            }
        }
        Some(Announcement { at: at?, say: say?, keys })
    }

    fn callback(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let cause = self.reader.string(table, "cause");
        let cause = self.reader.required(table, "the step", "cause", cause);
        let say = self.needed_say(table);
        let no_number = self.say(table, "no_number");
        let next = self.reader.string(table, "next");
        let cause = self.one(cause?, "cause", table.words("cause"), CallbackCause::from_name);
        Some(StepKind::Callback(Callback { cause: cause?, say: say?, no_number, next }))
    }

    fn transfer(&mut self, table: &Table) -> Option<StepKind<Name>> {
        let target = self.reader.string(table, "target");
        let target = self.reader.required(table, "the step", "target", target);
        let say = self.say(table, "say");
        let ring_for = self.reader.duration(table, "ring_for").unwrap_or(TARGET_RING);
        let no_answer = self.needed_name(table, "the step", "no_answer");
        let target = target?;
        let id = TargetId::new(&target.value);
        self.declared(self.known.targets.as_ref(), &id, &target, "target");
        Some(StepKind::Transfer(Transfer { target: id, say, ring_for, no_answer: no_answer? }))
    }

    // -- Parts of steps ----------------------------------------------------------------------------------------------------

    fn needed_name(&mut self, table: &Table, of: &str, key: &str) -> Option<Name> {
        let name = self.reader.string(table, key);
        self.reader.required(table, of, key, name)
    }

    fn needed_say(&mut self, table: &Table) -> Option<Utterance> {
        if !table.has("say") {
            self.reader.error(table.span.clone(), "nothing is said here", "add `say`, a list of prompts");
            return None;
        }
        Some(self.say(table, "say"))
    }

    /// Prompts and `{slots}`; empty when absent.
    fn say(&mut self, table: &Table, key: &str) -> Utterance {
        let Some(texts) = self.reader.strings(table, key) else { return Utterance::default() };
        let words = texts.into_iter().filter_map(|text| self.word(text)).collect();
        let utterance = Utterance(words);
        self.spoken.push((table.value_span(key), utterance.clone()));
        utterance
    }

    fn word(&mut self, text: Name) -> Option<Word> {
        let Some(inside) = text.value.strip_prefix('{').and_then(|inside| inside.strip_suffix('}')) else {
            return self.prompt(&text.value, &text.span).map(Word::Prompt);
        };
        let (name, otherwise) = match inside.split_once('|') {
            Some((name, otherwise)) => (name, Some(self.prompt(otherwise, &text.span)?)),
            None => (inside, None),
        };
        let name = Spanned { value: name.to_owned(), span: text.span };
        let slot = self.one(name, "slot", &Slot::NAMES, Slot::from_name)?;
        Some(Word::Slot { slot, otherwise })
    }

    fn prompt(&mut self, id: &str, span: &Range<usize>) -> Option<PromptId> {
        let prompt = PromptId::new(id);
        let Some(prompts) = self.known.prompts else { return Some(prompt) };
        // A language that is not there at all is reported once, where it is named.
        if !prompts.has_language(&self.language) || prompts.contains(&self.language, &prompt) {
            return Some(prompt);
        }
        let what = format!("no prompt `{id}` in prompts/{}/manifest.toml", self.language);
        let names: Vec<&str> = prompts.of(&self.language).map(|(name, _)| name.as_str()).collect();
        let diagnostic = Diagnostic::error(&self.reader.file, span.clone(), what)
            .nearest(id, names)
            .remedy("add its words to the manifest and run `make prompts`");
        self.reader.push(diagnostic);
        None
    }

    fn patch(&mut self, table: &Table) -> NeedPatch {
        let system = self.reader.string(table, "system");
        let module = self.reader.string(table, "module");
        let language = self.reader.string(table, "language");
        let level = self.reader.string(table, "level");
        let level = level.and_then(|level| self.one(level, "level", table.words("level"), Level::from_name));
        NeedPatch {
            system: system.map(|name| self.id(self.known.systems.as_ref(), &name, "system", SystemId::new)),
            module: module.map(|name| self.id(self.known.modules.as_ref(), &name, "module", ModuleId::new)),
            language: language.map(|name| self.spoken_language(&name)),
            level,
        }
    }

    fn condition(&mut self, table: &Table) -> Condition {
        let known = self.known;
        let from = self.reader.string(table, "from");
        let days = self.reader.strings(table, "days").unwrap_or_default();
        let hours = self.reader.string(table, "hours");
        let languages = self.reader.strings(table, "language").unwrap_or_default();
        Condition {
            class: self.classes(table, "class"),
            from: from.and_then(|from| self.one(from, "origin", table.words("from"), Origin::from_name)),
            mapped: self.reader.bool(table, "mapped"),
            person_known: self.reader.bool(table, "person_known"),
            on_shift: self.reader.bool(table, "on_shift"),
            incident: self.reader.bool(table, "incident"),
            system_down: self.reader.bool(table, "system_down"),
            open_ticket: self.reader.bool(table, "open_ticket"),
            repeat_within: self.reader.duration(table, "repeat_within"),
            holiday: self.reader.bool(table, "holiday"),
            calendar: self.id_list(table, "calendar", known.calendars.as_ref(), CalendarId::new),
            digits: self.patterns(table, "digits"),
            unit: self.id_list(table, "unit", known.units.as_ref(), UnitId::new),
            site: self.id_list(table, "site", known.sites.as_ref(), SiteId::new),
            trunk: self.id_list(table, "trunk", known.trunks.as_ref(), TrunkId::new),
            language: languages.iter().map(|name| self.spoken_language(name)).collect(),
            extension: self.patterns(table, "extension"),
            dialled: self.dialled(table),
            hours: hours.and_then(|text| {
                let hours = Hours::parse(&text.value);
                if hours.is_none() {
                    self.reader.error(text.span, format!("\"{}\" are no hours", text.value), "write \"07:00-19:00\"");
                }
                hours
            }),
            days: self.each(days, "day", table.words("days"), weekday),
        }
    }

    fn classes(&mut self, table: &Table, key: &str) -> Vec<PhoneClass> {
        let names = self.reader.strings(table, key).unwrap_or_default();
        self.each(names, "phone class", table.words(key), PhoneClass::from_name)
    }

    /// Numbers of hotlines.
    fn dialled(&mut self, table: &Table) -> Vec<Pattern> {
        let texts = self.reader.strings(table, "dialled").unwrap_or_default();
        if let Some(hotlines) = &self.known.hotlines {
            for text in &texts {
                let pattern = Pattern::parse(&text.value);
                // As the PBX may write it: behind what the trunk takes off.
                let is_one = |number: &Extension| {
                    let number = number.as_str();
                    pattern.as_ref().is_none_or(|pattern| pattern.matches(number)) || text.value.ends_with(number)
                };
                if !hotlines.iter().any(is_one) {
                    let what = format!("{} is no hotline of the plan", text.value);
                    let finding = Diagnostic::warning(&self.reader.file, text.span.clone(), what)
                        .nearest(&text.value, hotlines.iter().map(Extension::as_str))
                        .why("nobody who dials it comes to this plan")
                        .remedy("declare the hotline in the hospital's file, or take the number out");
                    self.reader.push(finding);
                }
            }
        }
        self.each_pattern(texts)
    }

    fn patterns(&mut self, table: &Table, key: &str) -> Vec<Pattern> {
        let texts = self.reader.strings(table, key).unwrap_or_default();
        self.each_pattern(texts)
    }

    fn each_pattern(&mut self, texts: Vec<Name>) -> Vec<Pattern> {
        let mut patterns = Vec::with_capacity(texts.len());
        for text in texts {
            match Pattern::parse(&text.value) {
                Some(pattern) => patterns.push(pattern),
                None => {
                    let what = format!("\"{}\" is no number", text.value);
                    self.reader.error(
                        text.span,
                        what,
                        "write digits, with * at the end for every number that begins so",
                    );
                }
            }
        }
        patterns
    }

    /// A language that prompts are installed in.
    fn spoken_language(&mut self, name: &Name) -> Language {
        let language = Language::new(&name.value);
        if let Some(prompts) = self.known.prompts
            && !prompts.has_language(&language)
        {
            let what = format!("no prompts are installed in `{language}`");
            let installed: Vec<&str> = prompts.languages().map(Language::as_str).collect();
            let diagnostic = Diagnostic::error(&self.reader.file, name.span.clone(), what)
                .nearest(&name.value, installed)
                .remedy(format!("add prompts/{language}/"));
            self.reader.push(diagnostic);
        }
        language
    }

    fn id_list<T: Ord + Borrow<str>>(
        &mut self,
        table: &Table,
        key: &str,
        declared: Option<&BTreeSet<T>>,
        make: fn(&str) -> T,
    ) -> Vec<T> {
        let names = self.reader.strings(table, key).unwrap_or_default();
        names.iter().map(|name| self.id(declared, name, key, make)).collect()
    }

    fn id<T: Ord + Borrow<str>>(
        &mut self,
        declared: Option<&BTreeSet<T>>,
        name: &Name,
        what: &str,
        make: fn(&str) -> T,
    ) -> T {
        let id = make(&name.value);
        self.declared(declared, &id, name, what);
        id
    }

    fn declared<T: Ord + Borrow<str>>(&mut self, declared: Option<&BTreeSet<T>>, id: &T, name: &Name, what: &str) {
        let Some(declared) = declared else { return };
        if !declared.contains::<T>(id) {
            let missing = format!("{what} `{}` is not declared", name.value);
            let finding = Diagnostic::error(&self.reader.file, name.span.clone(), missing);
            let finding = finding.nearest(&name.value, declared.iter().map(Borrow::borrow));
            let file = if what == "trunk" { "wardline.toml" } else { "the hospital's file" };
            let names: Vec<&str> = declared.iter().map(Borrow::borrow).take(MAX_NAMED).collect();
            // Where a nearest name stands above, the others are no help.
            let remedy = match names.as_slice() {
                [] => format!("declare it in {file}"),
                [..] if finding.nearest.is_some() => format!("declare it in {file}, or use one that is"),
                [..] => format!("declare it in {file}, or use one of: {}", names.join(", ")),
            };
            self.reader.push(finding.remedy(remedy));
        }
    }

    /// One of a few words.
    fn one<T>(&mut self, name: Name, what: &str, known: &[&str], of: impl Fn(&str) -> Option<T>) -> Option<T> {
        let found = of(&name.value);
        if found.is_none() {
            let diagnostic =
                Diagnostic::error(&self.reader.file, name.span, format!("unknown {what} `{}`", name.value))
                    .nearest(&name.value, known.iter().copied())
                    .remedy(format!("use one of: {}", known.join(", ")));
            self.reader.push(diagnostic);
        }
        found
    }

    fn each<T>(&mut self, names: Vec<Name>, what: &str, known: &[&str], of: impl Fn(&str) -> Option<T>) -> Vec<T> {
        names.into_iter().filter_map(|name| self.one(name, what, known, &of)).collect()
    }
}

//! Boxes and arrows of a plan, with the words on them; nothing of where they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Weekday;

use crate::identity::PhoneClass;
use crate::ids::PromptId;
use crate::ivr::condition::{Condition, Pattern};
use crate::ivr::draw::{Goal, Hop, Slowest};
use crate::ivr::plan::{Branch, Connect, LONGEST_PROMPT};
use crate::ivr::promise::PROMISE_WITHIN;
use crate::ivr::timing::PLAY_GRACE;
use crate::ivr::{At, Longest, NeedPatch, Origin, Plan, Prompts, Slot, StepKind, Utterance, Way, Word};

/// Letters of one line of a box and of an arrow.
const BOX_LINE: usize = 30;
const ARROW_LINE: usize = 20;
/// Lines of words in one box; longer ones are cut.
const BOX_LINES: usize = 3;

#[derive(Debug)]
pub struct Chart {
    pub title: String,
    /// What the picture shows, for those who do not see it.
    pub description: String,
    pub boxes: Vec<Box>,
    pub arrows: Vec<Arrow>,
}

/// What a box is, which gives it its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Where a call enters: the INVITE, key 0, key 9.
    Entry,
    Says,
    Branches,
    Rings,
    /// Ends: a person, the operator or another target, a callback, a hang-up.
    Person,
    Target,
    Callback,
    Hangup,
}

#[derive(Debug)]
pub struct Box {
    pub id: String,
    pub look: Look,
    pub name: String,
    /// The type of a step.
    pub kind: &'static str,
    pub lines: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Arrow {
    pub from: String,
    pub to: String,
    pub lines: Vec<String>,
    /// The slowest paths that go this way, each with its instant from the INVITE.
    pub marks: BTreeMap<Goal, Duration>,
}

impl Arrow {
    fn plain(from: &str, to: String, lines: Vec<String>) -> Arrow {
        Arrow { from: from.to_owned(), to, lines, marks: BTreeMap::new() }
    }
}

pub fn of(plan: &Plan, prompts: &Prompts, slowest: &[Slowest]) -> Chart {
    let drawing = Drawing { plan, prompts };
    let mut boxes = vec![
        entry("call", "a call comes in"),
        entry("key-0", "key 0, before phones ring"),
        entry("key-9", "key 9, or 911"),
    ];
    let mut arrows = vec![
        Arrow::plain("call", drawing.id(plan.start), Vec::new()),
        Arrow::plain("key-0", drawing.id(plan.person), Vec::new()),
        Arrow::plain("key-9", drawing.id(plan.operator), Vec::new()),
    ];
    for step in plan.steps() {
        let id = format!("step-{}", step.id);
        let (look, lines) = drawing.step(&step.kind);
        boxes.push(Box { id: id.clone(), look, name: step.id.to_string(), kind: step.kind.name(), lines });
        arrows.extend(drawing.ways(&id, &step.kind));
        if let Some((end, look, name)) = reached(&step.kind) {
            if !boxes.iter().any(|known| known.id == end) {
                boxes.push(Box { id: end.clone(), look, name, kind: "", lines: Vec::new() });
            }
            arrows.push(Arrow::plain(&id, end, vec!["answers".to_owned()]));
        }
    }
    for path in slowest {
        for arrow in arrows.iter_mut().filter(|arrow| arrow.from == "call") {
            arrow.marks.insert(path.to, Duration::ZERO);
        }
        for hop in &path.hops {
            drawing.mark(path.to, hop, &mut arrows);
        }
    }
    let steps: Vec<String> = plan.steps().iter().map(|step| format!("{} ({})", step.id, step.kind.name())).collect();
    Chart {
        title: format!("Dial plan {}", plan.id),
        description: format!("A call begins at {}. Steps in order: {}.", plan.step(plan.start).id, steps.join(", ")),
        boxes,
        arrows,
    }
}

fn entry(id: &str, name: &str) -> Box {
    Box { id: id.to_owned(), look: Look::Entry, name: name.to_owned(), kind: "", lines: Vec::new() }
}

/// Whom a step may bring the caller to: an end of the picture that is no step.
fn reached(kind: &StepKind) -> Option<(String, Look, String)> {
    match kind {
        StepKind::Connect(_) => Some(("end-analyst".to_owned(), Look::Person, "talks with an analyst".to_owned())),
        StepKind::Transfer(step) => {
            Some((format!("end-{}", step.target), Look::Target, format!("talks with: {}", step.target)))
        }
        StepKind::Play(_)
        | StepKind::Notice(_)
        | StepKind::Menu(_)
        | StepKind::Collect(_)
        | StepKind::Branch(_)
        | StepKind::Set(_)
        | StepKind::Alert(_)
        | StepKind::Callback(_)
        | StepKind::Hangup(_) => None,
    }
}

struct Drawing<'a> {
    plan: &'a Plan,
    prompts: &'a Prompts,
}

impl Drawing<'_> {
    fn id(&self, at: At) -> String {
        format!("step-{}", self.plan.step(at).id)
    }

    // -- Boxes -------------------------------------------------------------------------------------------------------------

    fn step(&self, kind: &StepKind) -> (Look, Vec<String>) {
        match kind {
            StepKind::Play(step) => (Look::Says, self.quoted(&step.say)),
            StepKind::Notice(step) => match &step.say {
                Some(say) => (Look::Says, self.quoted(say)),
                None => (Look::Says, vec!["says what is known".to_owned()]),
            },
            StepKind::Menu(step) => {
                let mut lines = self.quoted(&step.say);
                if step.skip.is_some() {
                    lines.push("asked only if it matters".to_owned());
                }
                if step.tries > 1 {
                    lines.push(format!("asked {} times", step.tries));
                }
                (Look::Says, lines)
            }
            StepKind::Collect(step) => (Look::Says, self.quoted(&step.say)),
            StepKind::Branch(_) => (Look::Branches, vec!["which way?".to_owned()]),
            StepKind::Set(step) => {
                let urgent = step.priority.map(|priority| priority.as_str().to_owned());
                let what: Vec<String> = need_words(&step.set).into_iter().chain(urgent).collect();
                (Look::Branches, wrapped(&what.join(", "), BOX_LINE))
            }
            StepKind::Alert(step) => {
                let need = need_words(&step.set);
                let for_whom = if need.is_empty() { String::new() } else { format!(": {}", need.join(", ")) };
                (Look::Rings, wrapped(&format!("analysts' phones ring{for_whom}"), BOX_LINE))
            }
            StepKind::Connect(step) => (Look::Rings, self.connect(step)),
            StepKind::Callback(step) => (Look::Callback, self.quoted(&step.say)),
            StepKind::Transfer(step) => {
                let mut lines = self.quoted(&step.say);
                lines.push(format!("rings {} for {}", step.target, seconds(step.ring_for)));
                (Look::Target, lines)
            }
            StepKind::Hangup(step) => (Look::Hangup, self.quoted(&step.say)),
        }
    }

    fn connect(&self, step: &Connect<At>) -> Vec<String> {
        let mut lines = self.quoted(&step.ringing);
        for ask in &step.asks {
            lines.push(format!("{} “{}”", seconds(ask.at), short(&self.words(&ask.say), BOX_LINE - 6)));
        }
        for said in &step.waiting {
            lines.push(format!("{} “{}”", seconds(said.at), short(&self.words(&said.say), BOX_LINE - 6)));
        }
        lines
    }

    /// In quotes, wrapped, with its length.
    fn quoted(&self, say: &Utterance) -> Vec<String> {
        if say.0.is_empty() {
            return Vec::new();
        }
        let mut lines = wrapped(&format!("“{}”", self.words(say)), BOX_LINE);
        if lines.len() > BOX_LINES {
            lines.truncate(BOX_LINES);
            if let Some(last) = lines.last_mut() {
                last.push_str(" …”");
            }
        }
        lines
    }

    fn words(&self, say: &Utterance) -> String {
        let language = &self.plan.language;
        let of = |prompt: &PromptId| {
            self.prompts.get(language, prompt).map_or_else(|| prompt.to_string(), |prompt| prompt.words.to_string())
        };
        let words = say.0.iter().map(|word| match word {
            Word::Prompt(prompt) => of(prompt),
            Word::Slot { slot, .. } => format!("({})", slot_name(*slot)),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    // -- Arrows ------------------------------------------------------------------------------------------------------------

    /// One arrow for each step that is led to, with everything that leads there.
    fn ways(&self, id: &str, kind: &StepKind) -> Vec<Arrow> {
        let mut by_target: BTreeMap<At, Vec<Way>> = BTreeMap::new();
        for (way, to) in kind.ways() {
            by_target.entry(*to).or_default().push(way);
        }
        let arrow = |(to, ways): (At, Vec<Way>)| Arrow::plain(id, self.id(to), self.labels(kind, &ways));
        by_target.into_iter().map(arrow).collect()
    }

    /// Keys that jump from anywhere have an arrow of their own only where a slowest path takes them.
    fn mark(&self, goal: Goal, hop: &Hop, arrows: &mut Vec<Arrow>) {
        let (from, to) = (self.id(hop.from), self.id(hop.to));
        let there = arrows.iter().position(|arrow| arrow.from == from && arrow.to == to);
        let index = there.unwrap_or(arrows.len());
        if there.is_none() {
            arrows.push(Arrow::plain(&from, to, Vec::new()));
        }
        let Some(arrow) = arrows.get_mut(index) else { return };
        arrow.marks.insert(goal, hop.at);
        let jump = hop.jump.map(|key| format!("key {}", key.as_char()));
        arrow.lines.extend(jump.filter(|jump| !arrow.lines.contains(jump)));
    }

    fn labels(&self, kind: &StepKind, ways: &[Way]) -> Vec<String> {
        let mut keys = Vec::new();
        let mut lines = Vec::new();
        let after = self.after(kind).map(|longest| format!(" {}", seconds(longest))).unwrap_or_default();
        for way in ways {
            match way {
                Way::Key(digit) => keys.push(digit.as_char().to_string()),
                Way::Next => lines.extend(self.after(kind).map(seconds)),
                Way::Silence => lines.push(format!("silence{after}")),
                Way::Wrong => lines.push("another key".to_owned()),
                Way::Skip => lines.push("unasked 0 s".to_owned()),
                Way::Accepted => lines.push("known number".to_owned()),
                Way::Rejected => lines.push("unknown number".to_owned()),
                Way::Case(number) => lines.extend(case(kind, *number)),
                Way::Otherwise => lines.push("else".to_owned()),
                Way::NoAnswer => lines.push(format!("no answer{after}")),
                Way::GiveUp => lines.push(format!("gives up{after}")),
            }
        }
        match keys.as_slice() {
            [] => {}
            [one] => lines.insert(0, format!("key {one}")),
            many => lines.insert(0, format!("keys {}", many.join(" "))),
        }
        lines
    }

    /// How long the step takes at most, by the prompts' real lengths, as the prover counts it.
    fn after(&self, kind: &StepKind) -> Option<Duration> {
        let longest = Longest::new(self.prompts, &BTreeSet::new(), None);
        let say = |say: &Utterance| match say.0.as_slice() {
            [] => Duration::ZERO,
            [..] => longest.in_language(&self.plan.language, say) + PLAY_GRACE,
        };
        match kind {
            StepKind::Play(step) => Some(say(&step.say)),
            // The words of an incident are bounded where it is opened.
            StepKind::Notice(step) => Some(step.say.as_ref().map_or(LONGEST_PROMPT + PLAY_GRACE, say)),
            StepKind::Menu(step) => Some((say(&step.say) + step.wait) * u32::from(step.tries)),
            StepKind::Collect(step) => {
                Some((say(&step.say) + step.number.wait * u32::from(step.number.digits)) * u32::from(step.tries))
            }
            StepKind::Callback(step) => Some(PROMISE_WITHIN + say(&step.say)),
            StepKind::Transfer(step) => Some(step.ring_for),
            StepKind::Connect(_) => Some(self.plan.hunting.give_up_after),
            StepKind::Branch(_) | StepKind::Set(_) | StepKind::Alert(_) | StepKind::Hangup(_) => None,
        }
    }
}

fn need_words(set: &NeedPatch) -> Vec<String> {
    let words = [
        set.system.as_ref().map(ToString::to_string),
        set.module.as_ref().map(ToString::to_string),
        set.language.as_ref().map(|language| language.as_str().to_owned()),
        set.level.map(|level| level.as_str().to_owned()),
    ];
    words.into_iter().flatten().collect()
}

/// "5.5 s".
pub fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_secs_f64() * 10.0).round() / 10.0;
    format!("{tenths} s")
}

fn slot_name(slot: Slot) -> &'static str {
    match slot {
        Slot::Unit => "unit",
        Slot::Module => "module",
        Slot::System => "system",
        Slot::Code => "code number",
    }
}

fn case(kind: &StepKind, number: usize) -> Vec<String> {
    let StepKind::Branch(Branch { cases, .. }) = kind else { return Vec::new() };
    cases.get(number).map(|case| wrapped(&told(&case.when), ARROW_LINE)).unwrap_or_default()
}

/// A condition in words: "patient phone, from outside".
fn told(when: &Condition) -> String {
    let mut parts = Vec::new();
    let either = |items: Vec<String>, what: &str| (!items.is_empty()).then(|| format!("{what}{}", items.join(" or ")));
    let classes = when.class.iter().map(|class| match class {
        PhoneClass::Ward => "ward",
        PhoneClass::Office => "office",
        PhoneClass::Patient => "patient",
        PhoneClass::Public => "public",
    });
    let classes: Vec<&str> = classes.collect();
    parts.extend((!classes.is_empty()).then(|| format!("{} phone", classes.join(" or "))));
    parts.extend(when.from.map(|from| match from {
        Origin::Inside => "from inside".to_owned(),
        Origin::Outside => "from outside".to_owned(),
    }));
    let yes_no = |value: Option<bool>, yes: &str, no: &str| value.map(|value| if value { yes } else { no }.to_owned());
    parts.extend(yes_no(when.mapped, "phone on the map", "phone not on the map"));
    parts.extend(yes_no(when.person_known, "known caller", "unknown caller"));
    parts.extend(yes_no(when.on_shift, "somebody on shift", "nobody on shift"));
    parts.extend(yes_no(when.incident, "known problem", "no known problem"));
    parts.extend(yes_no(when.open_ticket, "open ticket", "no open ticket"));
    parts.extend(when.repeat_within.map(|within| format!("helped within {} min", within.as_secs() / 60)));
    parts.extend(yes_no(when.holiday, "holiday", "no holiday"));
    parts.extend(either(when.calendar.iter().map(ToString::to_string).collect(), "calendar "));
    parts.extend(either(when.digits.iter().map(number).collect(), "digits "));
    parts.extend(yes_no(when.system_down, "system is down", "system is up"));
    parts.extend(either(when.unit.iter().map(ToString::to_string).collect(), "unit "));
    parts.extend(either(when.site.iter().map(ToString::to_string).collect(), "site "));
    parts.extend(either(when.trunk.iter().map(ToString::to_string).collect(), "trunk "));
    parts.extend(either(when.language.iter().map(ToString::to_string).collect(), "language "));
    parts.extend(either(when.extension.iter().map(number).collect(), "calls from "));
    parts.extend(either(when.dialled.iter().map(number).collect(), "dialled "));
    parts.extend(when.hours.map(|hours| format!("{}–{}", hours.from.strftime("%H:%M"), hours.to.strftime("%H:%M"))));
    parts.extend(either(when.days.iter().map(|day| day_name(*day).to_owned()).collect(), ""));
    parts.join(", ")
}

fn number(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Whole(number) => number.clone(),
        Pattern::Beginning(start) => format!("{start}…"),
    }
}

fn day_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}

/// Lines of at most so many letters, broken at blanks; a longer word stands alone.
pub fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn short(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let whole = wrapped(text, letters.saturating_sub(2)).into_iter().next().unwrap_or_default();
    format!("{} …", whole.trim_end_matches(','))
}

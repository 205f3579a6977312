//! How the steps of a plan hang together: every name leads somewhere, nothing is circular or unreachable, every way
//! rings somebody before it waits, lets them ring, and no way ends before a callback was booked or refused in words.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use toml_edit::Document;

use crate::diagnostic::{Diagnostic, Report};
use crate::ids::{Language, PlanId, PromptId, TargetId};
use crate::ivr::facts::CallbackCause;
use crate::ivr::grammar::PLAN;
use crate::ivr::parse::{Known, Name, Parser, RawPlan, RawStep};
use crate::ivr::plan::{At, Declared, LONGEST_PROMPT, Plan, Step, StepKind, Utterance, Way, Word};
use crate::ivr::prompts::Prompts;
use crate::ivr::read::{Reader, Table, not_toml};

/// Longest text that is read as a plan.
pub const MAX_PLAN_BYTES: usize = 1 << 20;
/// The target that every hospital has.
const OPERATOR: &str = "operator";

impl Plan {
    /// Reads and checks one plan. Everything that is wrong goes into `report`, all at once; `Some` only when nothing is.
    ///
    /// `file` is the name diagnostics use ("plans/hotline.toml"); its text is added to the report's sources.
    pub fn load(file: &str, text: &str, known: &Known, report: &mut Report) -> Option<Plan> {
        let file = report.add_source(file, text);
        let before = report.errors();
        if text.len() > MAX_PLAN_BYTES {
            report.push(Diagnostic::error(&file, 0..0, "the plan is longer than 1 MiB").remedy("split it"));
            return None;
        }
        let document = match Document::parse(text) {
            Ok(document) => document,
            Err(error) => {
                report.push(not_toml(&file, text, &error));
                return None;
            }
        };
        let reader = Reader { file: Arc::clone(&file), report };
        let raw = Parser::new(reader, known).plan(&Table::new(document.as_table(), 0..0).of(&PLAN));
        let mut check = Check { file, report, raw: &raw, targets: known.targets.as_ref() };
        check.spoken(known);
        let graph = check.resolve();
        let order = graph.as_ref().and_then(|graph| check.order(graph));
        if let (Some(graph), Some(order)) = (&graph, &order) {
            check.flow(graph, order);
        }
        let file = check.file;
        if report.errors() > before {
            return None;
        }
        build(raw, file, &graph?, &order?)
    }
}

/// Steps by number, where they lead, and where a call may enter: start, person, operator.
struct Graph {
    next: Vec<Vec<(Way, usize)>>,
    entries: [usize; 3],
    by_name: BTreeMap<String, usize>,
}

struct Check<'a> {
    file: Arc<str>,
    report: &'a mut Report,
    raw: &'a RawPlan,
    /// Those that are declared; `None`: not checked.
    targets: Option<&'a BTreeSet<TargetId>>,
}

/// What has happened on the ways to a step.
#[derive(Clone, Copy)]
struct Before {
    /// Phones ring, on every way.
    ringing: bool,
    /// Phones rang on some way.
    may_have_rung: bool,
    /// On some way phones were made to ring, and the caller has neither waited for them nor chosen anything since.
    unawaited: bool,
    /// A callback was booked, or the caller told that there is no number to call, on every way.
    promised: bool,
}

impl Check<'_> {
    fn error(&mut self, span: Range<usize>, what: impl Into<String>, remedy: &str) {
        self.report.push(Diagnostic::error(&self.file, span, what).remedy(remedy));
    }

    // -- Words -----------------------------------------------------------------------------------------------------------

    /// Every language holds every prompt, and no utterance is too long in any.
    fn spoken(&mut self, known: &Known) {
        let (Some(prompts), Some(longest)) = (known.prompts, known.longest()) else { return };
        let raw = self.raw;
        if !prompts.has_language(&raw.language) {
            let what = format!("no prompts are installed in `{}`", raw.language);
            self.error(raw.language_span.clone(), what, "run `make prompts`, or use an installed language");
            return;
        }
        for language in prompts.languages() {
            let mut missing = BTreeSet::new();
            for (span, utterance) in &raw.spoken {
                if *language != raw.language {
                    self.translated(prompts, language, span, utterance, &mut missing);
                }
                let length = longest.in_language(language, utterance);
                if length > LONGEST_PROMPT {
                    let what = format!("up to {:.2} s of {language} speech in one breath", length.as_secs_f64());
                    let diagnostic = Diagnostic::error(&self.file, span.clone(), what)
                        .why("callers listen for 4 s, and what follows waits for it")
                        .remedy("say it in fewer words, or in two steps");
                    self.report.push(diagnostic);
                }
            }
        }
    }

    fn translated(
        &mut self,
        prompts: &Prompts,
        language: &Language,
        span: &Range<usize>,
        utterance: &Utterance,
        missing: &mut BTreeSet<PromptId>,
    ) {
        for prompt in utterance.0.iter().filter_map(Word::prompt) {
            if !prompts.contains(language, prompt) && missing.insert(prompt.clone()) {
                let what = format!("prompt `{prompt}` is missing in language `{language}`");
                self.error(span.clone(), what, "add its words to that language's manifest and run `make prompts`");
            }
        }
    }

    // -- Names -----------------------------------------------------------------------------------------------------------

    /// Every name becomes a number. `None` when one leads nowhere (reported, unless its step could not be read).
    fn resolve(&mut self) -> Option<Graph> {
        let raw = self.raw;
        let by_name: BTreeMap<String, usize> =
            raw.steps.iter().enumerate().map(|(index, step)| (step.id.to_string(), index)).collect();
        let mut complete = raw.steps.len() == raw.names.len();
        let mut next = Vec::with_capacity(raw.steps.len());
        for step in &raw.steps {
            let mut ways = Vec::new();
            for (way, name) in step.kind.ways() {
                match self.find(name, &by_name) {
                    Some(index) => ways.push((way, index)),
                    None => complete = false,
                }
            }
            next.push(ways);
        }
        let start = raw.start.as_ref().and_then(|name| self.find(name, &by_name));
        let person = raw.person.as_ref().and_then(|name| self.find(name, &by_name));
        let operator = raw.operator.as_ref().and_then(|name| self.find(name, &by_name));
        // What else such an entry would make wrong follows from it, and is not told.
        complete &= self.must_be("person", raw.person.as_ref(), person, "alert");
        complete &= self.must_be("operator", raw.operator.as_ref(), operator, "transfer");
        self.operator_is_rung(operator);
        let entries = [start?, person?, operator?];
        complete.then_some(Graph { next, entries, by_name })
    }

    fn find(&mut self, name: &Name, by_name: &BTreeMap<String, usize>) -> Option<usize> {
        let found = by_name.get(&name.value).copied();
        if found.is_none() && !self.raw.names.contains(&name.value) {
            let diagnostic =
                Diagnostic::error(&self.file, name.span.clone(), format!("there is no step `{}`", name.value))
                    .nearest(&name.value, self.raw.names.iter().map(String::as_str))
                    .remedy("add the step, or use the name of one that is there");
            self.report.push(diagnostic);
        }
        found
    }

    /// `0` rings somebody and `9` reaches the operator without a detour.
    fn must_be(&mut self, key: &str, name: Option<&Name>, index: Option<usize>, kind: &str) -> bool {
        let step = index.and_then(|index| self.raw.steps.get(index));
        if let (Some(name), Some(step)) = (name, step)
            && step.kind.name() != kind
        {
            let what = format!("`{key}` names a step of type `{}`", step.kind.name());
            self.error(name.span.clone(), what, &format!("name a step of type `{kind}`"));
            return false;
        }
        true
    }

    /// Somebody keying 911 reaches the hospital's own operator, not some other desk and not a number outside.
    fn operator_is_rung(&mut self, index: Option<usize>) {
        let raw = self.raw;
        let step = index.and_then(|index| raw.steps.get(index));
        let (Some(name), Some(RawStep { kind: StepKind::Transfer(step), id, span })) = (&raw.operator, step) else {
            return;
        };
        // A target that does not exist has been reported.
        let exists = self.targets.is_none_or(|targets| targets.contains(&step.target));
        if step.target.as_str() != OPERATOR && exists {
            let what = format!("key 9 and 911 ring `{}`, not the hospital operator", step.target);
            let diagnostic = Diagnostic::error(&self.file, name.span.clone(), what)
                .why("who keys 911 must reach the human who can send help")
                .remedy(format!("write target = \"{OPERATOR}\" in step `{id}`, or name a step that has it"))
                .related(&self.file, span.clone(), "this step");
            self.report.push(diagnostic);
        }
    }

    // -- Order -----------------------------------------------------------------------------------------------------------

    /// Every step before those it leads to. `None` when steps go round in a circle; unreachable ones are reported too.
    fn order(&mut self, graph: &Graph) -> Option<Vec<usize>> {
        let mut finished = Vec::with_capacity(graph.next.len());
        let mut mark = vec![Mark::New; graph.next.len()];
        for entry in graph.entries {
            if let Some(circle) = walk(graph, entry, &mut mark, &mut finished) {
                self.circle(&circle);
                return None;
            }
        }
        for (step, mark) in self.raw.steps.iter().zip(&mark) {
            if *mark == Mark::New {
                let diagnostic = Diagnostic::error(
                    &self.file,
                    step.span.clone(),
                    format!("no call ever reaches step `{}`", step.id),
                )
                .remedy("lead a step to it, or remove it");
                self.report.push(diagnostic);
            }
        }
        finished.reverse();
        Some(finished)
    }

    fn circle(&mut self, circle: &[usize]) {
        // Told from the step that stands first in the file.
        let first = circle.iter().enumerate().min_by_key(|(_, index)| **index).map_or(0, |(place, _)| place);
        let circle: Vec<usize> = circle.iter().cycle().skip(first).take(circle.len()).copied().collect();
        let steps: Vec<&RawStep> = circle.iter().filter_map(|index| self.raw.steps.get(*index)).collect();
        let Some((first, rest)) = steps.split_first() else { return };
        let mut names: Vec<String> = steps.iter().map(|step| step.id.to_string()).collect();
        names.push(first.id.to_string());
        let mut diagnostic =
            Diagnostic::error(&self.file, first.span.clone(), format!("steps go round: {}", names.join(" → ")))
                .why("a caller could be held in it for ever")
                .remedy("lead the last one on to a person; asking again is `tries` of a menu");
        for step in rest {
            diagnostic = diagnostic.related(&self.file, step.span.clone(), "then here");
        }
        self.report.push(diagnostic);
    }

    // -- Flow ------------------------------------------------------------------------------------------------------------

    /// Walks all ways at once, in order: what must and what may have happened before each step.
    fn flow(&mut self, graph: &Graph, order: &[usize]) {
        let mut before: Vec<Option<Before>> = vec![None; graph.next.len()];
        let [start, person, operator] = graph.entries;
        // `9` may be pressed while phones ring.
        for (entry, may_have_rung) in [(start, false), (person, false), (operator, true)] {
            merge(&mut before, entry, Before { ringing: false, may_have_rung, unawaited: false, promised: false });
        }
        for &index in order {
            let (Some(step), Some(Some(here))) = (self.raw.steps.get(index), before.get(index).copied()) else {
                continue;
            };
            let after = self.step_flow(step, here);
            for &(way, next) in graph.next.get(index).into_iter().flatten() {
                let chosen = matches!(way, Way::Key(_));
                merge(&mut before, next, Before { unawaited: after.unawaited && !chosen, ..after });
            }
        }
    }

    /// Nobody can answer a phone that is withdrawn in the instant in which it begins to ring.
    fn withdraws(&mut self, step: &RawStep, here: Before) {
        if here.unawaited {
            let what = format!("step `{}` may withdraw phones that hardly rang", step.id);
            let finding = Diagnostic::error(&self.file, step.span.clone(), what)
                .why("a way leads to it from an `alert`, and on it the caller neither waits nor chooses")
                .remedy("lead that way through a `connect`, or by a key that the caller presses");
            self.report.push(finding);
        }
    }

    fn step_flow(&mut self, step: &RawStep, here: Before) -> Before {
        match &step.kind {
            StepKind::Alert(_) => {
                if here.may_have_rung {
                    let what = format!("step `{}` may ring a second time", step.id);
                    self.error(
                        step.span.clone(),
                        what,
                        "ring once a call: lead the ways apart, or let the operator end it",
                    );
                }
                Before { ringing: true, may_have_rung: true, unawaited: true, ..here }
            }
            StepKind::Connect(_) => {
                if !here.ringing {
                    let what = format!("step `{}` may wait for a person while no phone rings", step.id);
                    self.error(step.span.clone(), what, "lead every way to it through an `alert` step");
                }
                Before { ringing: false, unawaited: false, ..here }
            }
            StepKind::Callback(callback) => {
                self.withdraws(step, here);
                // What rang is withdrawn: whoever stays on is rung for anew.
                let again = callback.cause == CallbackCause::Incident;
                let may_have_rung = here.may_have_rung && !again;
                Before { ringing: false, may_have_rung, unawaited: false, promised: true }
            }
            StepKind::Transfer(_) => {
                self.withdraws(step, here);
                Before { ringing: false, unawaited: false, ..here }
            }
            StepKind::Hangup(_) => {
                self.withdraws(step, here);
                if !here.promised {
                    let what = format!("step `{}` may end a call that was promised nothing", step.id);
                    let finding = Diagnostic::error(&self.file, step.span.clone(), what)
                        .why("whoever reached nobody is called back, or hears that there is no number to call")
                        .remedy("lead every way to it through a `callback`, or to a `callback` instead");
                    self.report.push(finding);
                }
                here
            }
            StepKind::Play(_)
            | StepKind::Notice(_)
            | StepKind::Menu(_)
            | StepKind::Collect(_)
            | StepKind::Branch(_)
            | StepKind::Set(_) => here,
        }
    }
}

fn merge(before: &mut [Option<Before>], index: usize, coming: Before) {
    if let Some(slot) = before.get_mut(index) {
        *slot = Some(match *slot {
            None => coming,
            Some(there) => Before {
                ringing: there.ringing && coming.ringing,
                may_have_rung: there.may_have_rung || coming.may_have_rung,
                unawaited: there.unawaited || coming.unawaited,
                promised: there.promised && coming.promised,
            },
        });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// On the way that is being walked.
    Open,
    Done,
}

/// Depth first from `entry`; finished steps are appended after all they lead to. Returns a circle when there is one.
fn walk(graph: &Graph, entry: usize, mark: &mut [Mark], finished: &mut Vec<usize>) -> Option<Vec<usize>> {
    // Steps of the way, each with how many of its ways have been walked.
    let mut way: Vec<(usize, usize)> = Vec::new();
    if mark.get(entry) == Some(&Mark::New) {
        way.push((entry, 0));
        set(mark, entry, Mark::Open);
    }
    while let Some((index, walked)) = way.last_mut() {
        let index = *index;
        let next = graph.next.get(index).and_then(|ways| ways.get(*walked)).map(|(_, next)| *next);
        *walked += 1;
        let Some(next) = next else {
            set(mark, index, Mark::Done);
            finished.push(index);
            way.pop();
            continue;
        };
        match mark.get(next) {
            Some(Mark::New) => {
                set(mark, next, Mark::Open);
                way.push((next, 0));
            }
            Some(Mark::Open) => {
                let circle = way.iter().map(|(index, _)| *index).skip_while(|index| *index != next);
                return Some(circle.collect());
            }
            Some(Mark::Done) | None => {}
        }
    }
    None
}

fn set(mark: &mut [Mark], index: usize, to: Mark) {
    if let Some(slot) = mark.get_mut(index) {
        *slot = to;
    }
}

/// Everything is proved: steps in their order, names as places in it.
fn build(raw: RawPlan, file: Arc<str>, graph: &Graph, order: &[usize]) -> Option<Plan> {
    let mut places: Vec<Option<At>> = vec![None; order.len()];
    for (place, &index) in order.iter().enumerate() {
        *places.get_mut(index)? = Some(At::new(place));
    }
    let at = |index: usize| places.get(index).copied().flatten();
    let mut ordered: Vec<(At, Step)> = Vec::with_capacity(order.len());
    for (index, RawStep { id, span, kind }) in raw.steps.into_iter().enumerate() {
        let mut whole = true;
        let here = at(index)?;
        let kind = kind.map(|name| {
            let next = graph.by_name.get(&name.value).and_then(|index| at(*index));
            whole &= next.is_some_and(|next| next > here);
            next.unwrap_or(here)
        });
        if !whole {
            return None;
        }
        ordered.push((here, Step { id, kind, span }));
    }
    ordered.sort_by_key(|(at, _)| *at);
    let steps = ordered.into_iter().map(|(_, step)| step).collect();
    let [start, person, operator] = graph.entries;
    let name = raw.name?;
    let declared = Declared {
        id: PlanId::new(&name.value),
        named: name.span,
        file,
        language: raw.language,
        hunting: Arc::new(raw.hunting),
        start: at(start)?,
        person: at(person)?,
        operator: at(operator)?,
        call_back_abandoned: raw.call_back_abandoned,
        limits: raw.limits,
    };
    Some(Plan { declared, steps })
}

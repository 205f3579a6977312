//! Whom to ring now: the hard filter, then continuity, then longest idle. A pure function of a [`Snapshot`], which the
//! decision keeps, so that it can be made again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::ids::{AnalystId, RungId};
use crate::routing::decision::{
    Behind, Choice, Decision, Held, Others, PassedOver, Person, PhoneState, Presence, Snapshot, WithThisCall,
};
use crate::routing::desk::Desk;
use crate::routing::need::Need;
use crate::routing::qualify::{self, Fit, Refusal};
use crate::routing::rungs::{Hunting, Rung, Who};
use crate::routing::staff::{Analyst, Modules, Phone, PhoneKind, Qualification, Staff};
use crate::time::{Duration, Instant};

/// With this many free or fewer, one is rung at a time: ringing two would leave nobody for the next call.
pub const FEW: usize = 3;
/// How many of the next in line a decision lists by name, and how many of those refused. More are counted by reason.
pub const MAX_NEXT_LISTED: usize = 6;
pub const MAX_REFUSED_LISTED: usize = 10;

static NOTHING_YET: BTreeMap<AnalystId, WithThisCall> = BTreeMap::new();

/// One choice to be made.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub rung: &'a Rung,
    pub at_once: u8,
    /// What the call has had to do with analysts so far; who is not named has had nothing.
    pub so_far: &'a BTreeMap<AnalystId, WithThisCall>,
    pub continuity: Option<&'a AnalystId>,
    pub now: Instant,
    pub wall: Timestamp,
}

impl<'a> Ask<'a> {
    /// For a call that has rung nobody yet.
    pub fn first(rung: &'a Rung, at_once: u8, now: Instant, wall: Timestamp) -> Ask<'a> {
        Ask { rung, at_once, so_far: &NOTHING_YET, continuity: None, now, wall }
    }
}

/// Whom to ring, and why them. As many more of the rung as make up N with those whose phones
/// already ring.
pub fn choose(staff: &Staff, desk: &Desk, need: &Need, ask: &Ask<'_>) -> Decision {
    decide(need.clone(), ask.rung.id.clone(), &survey(staff, desk, need, ask))
}

/// Makes the decision again from what it kept.
pub fn replay(decision: &Decision) -> Vec<AnalystId> {
    pick(&decision.inputs, &decision.need).chosen.into_iter().map(|picked| picked.person.id.clone()).collect()
}

/// A question that a plan could ask: the need as it is, and as each answer would make it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub base: &'a Need,
    pub options: &'a [Need],
    pub hunting: &'a Hunting,
    pub continuity: Option<&'a AnalystId>,
    pub now: Instant,
    pub wall: Timestamp,
}

/// Whether any answer changes who would be rung first, or by which rung. A repeat call that goes back to its analyst is
/// asked nothing.
pub fn would_change(staff: &Staff, desk: &Desk, question: &Question<'_>) -> bool {
    let Some(first_rung) = question.hunting.rungs.first() else { return false };
    let ask = Ask {
        continuity: question.continuity,
        ..Ask::first(first_rung, question.hunting.at_once, question.now, question.wall)
    };
    let first = |need: &Need| -> Option<(usize, Vec<AnalystId>)> {
        let mut snapshot = survey(staff, desk, need, &ask);
        question.hunting.rungs.iter().enumerate().find_map(|(position, rung)| {
            snapshot.who.clone_from(&rung.who);
            let chosen: Vec<_> = pick(&snapshot, need).chosen.iter().map(|picked| picked.person.id.clone()).collect();
            (!chosen.is_empty()).then_some((position, chosen))
        })
    };
    let base = first(question.base);
    let goes_back =
        base.as_ref().is_some_and(|(position, chosen)| *position == 0 && chosen.first() == question.continuity);
    !goes_back && question.options.iter().any(|option| first(option) != base)
}

// -- The snapshot ------------------------------------------------------------------------------------------------------

/// The people of the hospital as they are. Only `who` depends on the rung, so a hunt looks once for all its rungs.
pub(super) fn survey(staff: &Staff, desk: &Desk, need: &Need, ask: &Ask<'_>) -> Snapshot {
    let mut lines: BTreeMap<&PhoneKind, u16> = BTreeMap::new();
    let in_use = desk.phones_in_use();
    let people = staff.of(&need.hospital).map(|analyst| {
        let phones = phones(analyst, desk, &in_use, &mut lines);
        person(staff, analyst, desk, need, ask, phones)
    });
    let people = people.collect();
    let (who, continuity) = (ask.rung.who.clone(), ask.continuity.cloned());
    Snapshot { who, at_once: ask.at_once, continuity, people, unlisted: 0, behind: Behind::default() }
}

/// `lines` numbers each phone of the hospital's people once, shared ones alike.
fn phones<'a>(
    analyst: &'a Analyst,
    desk: &Desk,
    in_use: &BTreeMap<&PhoneKind, &AnalystId>,
    lines: &mut BTreeMap<&'a PhoneKind, u16>,
) -> Vec<PhoneState> {
    let registered = desk.reachable(&analyst.id);
    let state = |phone: &'a Phone| {
        let next = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        PhoneState {
            usage: phone.usage,
            outside: phone.outside,
            reachable: match &phone.kind {
                PhoneKind::Registered { .. } => registered,
                PhoneKind::Sip { .. } | PhoneKind::Trunk { .. } => true,
            },
            taken: in_use.get(&phone.kind).is_some_and(|user| **user != analyst.id),
            line: *lines.entry(&phone.kind).or_insert(next),
        }
    };
    analyst.phones.iter().map(state).collect()
}

fn person(
    staff: &Staff,
    analyst: &Analyst,
    desk: &Desk,
    need: &Need,
    ask: &Ask<'_>,
    phones: Vec<PhoneState>,
) -> Person {
    let concerns = |held: &Held| need.system.as_ref().is_none_or(|system| *system == held.qualification.system);
    let mut qualifications = staff.held(analyst, &need.hospital, ask.wall);
    qualifications.retain(concerns);
    let idle = desk.idle_for(&analyst.id, ask.now).as_millis();
    Person {
        id: analyst.id.clone(),
        today: analyst.today(ask.wall),
        of_hospital: analyst.hospitals.contains(&need.hospital),
        of_site: match (&analyst.sites, &need.site) {
            (Some(sites), Some(site)) => sites.contains(site),
            (None, _) | (_, None) => true,
        },
        languages: analyst.languages.iter().cloned().collect(),
        qualifications,
        supervisor: analyst.supervisor,
        on_shift: analyst.on_shift(ask.wall),
        on_call: analyst.on_call(ask.wall),
        presence: desk.presence(&analyst.id),
        occupied: desk.occupied(&analyst.id),
        wrap_up: desk.in_wrap_up(&analyst.id),
        idle_ms: u64::try_from(idle).unwrap_or(u64::MAX),
        phones,
        with_this_call: ask.so_far.get(&analyst.id).copied().unwrap_or(WithThisCall::Nothing),
    }
}

/// Somebody as well placed as the files allow, whatever the rota says: signed in, free, on shift and on call, with every
/// phone in reach. What the filter still refuses, no change of the desk and no hour gives.
pub fn at_best(staff: &Staff, analyst: &Analyst, need: &Need, wall: Timestamp) -> Person {
    let phones = (0..).zip(&analyst.phones).map(|(line, phone)| PhoneState {
        usage: phone.usage,
        outside: phone.outside,
        reachable: true,
        taken: false,
        line,
    });
    let rung = Rung { id: RungId::new(""), who: Vec::new(), ring_for: Duration::ZERO, after: None };
    let ask = Ask::first(&rung, 1, Instant::from_millis(0), wall);
    let person = person(staff, analyst, &Desk::new(), need, &ask, phones.collect());
    Person { on_shift: true, on_call: true, presence: Presence::Available, ..person }
}

// -- The choice --------------------------------------------------------------------------------------------------------

struct Picked<'a> {
    person: &'a Person,
    who: Who,
    fit: Fit<'a>,
    /// Position in the order of idle time.
    place: usize,
}

struct Pick<'a> {
    chosen: Vec<Picked<'a>>,
    /// Everybody else, by id, with the reason that tells most.
    refused: BTreeMap<&'a AnalystId, Why>,
}

enum Why {
    Refused(Refusal),
    /// Fits, but enough others ring.
    NotNeeded {
        idle_ms: u64,
        /// Which of the rung's groups, and the place in its line.
        place: (usize, usize),
    },
}

/// Whether the rung whose groups stand in `inputs` has anybody to ring, without the words: a hunt
/// that waits asks this after every change of the desk.
pub(super) fn has_candidate(inputs: &Snapshot, need: &Need) -> bool {
    let fits = |who: &Who| inputs.people.iter().any(|person| qualify::judge(person, *who, need).is_ok());
    inputs.who.iter().any(fits) && !pick(inputs, need).chosen.is_empty()
}

fn pick<'a>(inputs: &'a Snapshot, need: &Need) -> Pick<'a> {
    let mut pick = Pick { chosen: Vec::new(), refused: BTreeMap::new() };
    let judged: Vec<Group<'_>> = inputs.who.iter().map(|who| Group::judge(inputs, *who, need)).collect();
    let mut wanted = [Bound::AtWork, Bound::OnCall].map(|bound| (bound, wanted(inputs, bound, &judged)));
    // Two people who share a phone are not rung together: it is one phone.
    let mut lines: BTreeSet<u16> = BTreeSet::new();
    for (group, Group { who, people }) in judged.into_iter().enumerate() {
        let mut fitting: Vec<(&Person, Fit<'a>)> = Vec::new();
        for (person, judged) in people {
            if pick.chosen.iter().any(|picked| picked.person.id == person.id) {
                continue;
            }
            match judged {
                Ok(fit) => fitting.push((person, fit)),
                Err(refusal) => pick.note(&person.id, Why::Refused(refusal)),
            }
        }
        fitting.sort_by_key(|(person, _)| {
            let goes_back = inputs.continuity.as_ref() == Some(&person.id);
            (!goes_back, Reverse(person.idle_ms), &person.id)
        });
        let wanted = wanted.iter_mut().find(|(bound, _)| *bound == Bound::of(who)).map(|(_, wanted)| wanted);
        let Some(wanted) = wanted else { continue };
        for (place, (person, mut fit)) in fitting.into_iter().enumerate() {
            let line_of = |position: &usize| person.phones.get(*position).map(|phone| phone.line);
            fit.phones.retain(|position| line_of(position).is_some_and(|line| !lines.contains(&line)));
            if *wanted == 0 {
                pick.note(&person.id, Why::NotNeeded { idle_ms: person.idle_ms, place: (group, place) });
            } else if fit.phones.is_empty() {
                pick.note(&person.id, Why::Refused(Refusal::PhoneTaken));
            } else {
                *wanted -= 1;
                lines.extend(fit.phones.iter().filter_map(line_of));
                pick.refused.remove(&person.id);
                pick.chosen.push(Picked { person, who, fit, place });
            }
        }
    }
    pick
}

/// One group of a rung, everybody judged.
struct Group<'a> {
    who: Who,
    people: Vec<(&'a Person, Result<Fit<'a>, Refusal>)>,
}

impl<'a> Group<'a> {
    fn judge(inputs: &'a Snapshot, who: Who, need: &Need) -> Group<'a> {
        let judge = |person: &'a Person| (person, qualify::judge(person, who, need));
        Group { who, people: inputs.people.iter().map(judge).collect() }
    }
}

/// What N bounds: the phones of a rung's people at work, all its groups together. Those on call are counted apart, as
/// HOTLINE.md has wrap-up and on-call rung together: one person who finishes a call must not keep the on-call phone still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    AtWork,
    OnCall,
}

impl Bound {
    fn of(who: Who) -> Bound {
        match who {
            Who::Qualified | Who::WrapUp | Who::Supervisor => Bound::AtWork,
            Who::OnCall => Bound::OnCall,
        }
    }
}

impl<'a> Pick<'a> {
    /// Keeps the first reason, unless it only says that somebody is of another group.
    fn note(&mut self, analyst: &'a AnalystId, why: Why) {
        let says_little = match self.refused.get(analyst) {
            None => true,
            Some(Why::Refused(refusal)) => refusal.is_group(),
            Some(Why::NotNeeded { .. }) => false,
        };
        if says_little {
            self.refused.insert(analyst, why);
        }
    }
}

/// How many more to ring. A phone that gives no sign of ringing does not count as ringing, but its analyst still counts as
/// free: a silent phone must not make N smaller.
fn wanted(inputs: &Snapshot, bound: Bound, judged: &[Group<'_>]) -> usize {
    let groups = || judged.iter().filter(|group| Bound::of(group.who) == bound);
    let fitting = groups().flat_map(|group| &group.people).filter(|(_, judged)| judged.is_ok());
    let mut free: BTreeSet<&AnalystId> = fitting.map(|(person, _)| &person.id).collect();
    let mut ringing = 0;
    for person in &inputs.people {
        if let WithThisCall::Rung { who, counts } = person.with_this_call
            && groups().any(|group| group.who == who)
        {
            free.insert(&person.id);
            ringing += usize::from(counts);
        }
    }
    let behind = match bound {
        Bound::AtWork => inputs.behind.at_work,
        Bound::OnCall => inputs.behind.on_call,
    };
    let at_once = if free.len() + behind <= FEW { 1 } else { usize::from(inputs.at_once) };
    at_once.saturating_sub(ringing)
}

// -- The words ---------------------------------------------------------------------------------------------------------

pub(super) fn decide(need: Need, rung: RungId, inputs: &Snapshot) -> Decision {
    let pick = pick(inputs, &need);
    let chosen = pick.chosen.iter().map(|picked| choice(picked, &need, inputs.continuity.as_ref())).collect();
    let named: BTreeSet<&AnalystId> = pick.chosen.iter().map(|picked| &picked.person.id).collect();
    let (listed, others) = pick.listed(inputs.continuity.as_ref());
    let kept = kept(inputs, &need, &named, &listed);
    let passed_over = listed.into_iter().map(|(analyst, why)| passed_over(analyst, why)).collect();
    Decision { need, rung, chosen, passed_over, others, inputs: kept }
}

impl<'a> Pick<'a> {
    /// Who of those passed over is named: the next in line, then the analyst of the last call, then those who are busy
    /// or away, then those who may not take it. The others are counted.
    fn listed(&self, continuity: Option<&AnalystId>) -> (Vec<(&'a AnalystId, &Why)>, Vec<Others>) {
        let (mut next, mut refused) = (Vec::new(), Vec::new());
        for (analyst, why) in &self.refused {
            match why {
                Why::NotNeeded { place, .. } => next.push((*place, (*analyst, why))),
                Why::Refused(refusal) => {
                    refused.push(((continuity != Some(*analyst), refusal.is_lasting()), (*analyst, why)));
                }
            }
        }
        // Both sorts are stable, and both begin by id.
        next.sort_by_key(|(place, _)| *place);
        refused.sort_by_key(|(order, _)| *order);
        let more_next = next.split_off(next.len().min(MAX_NEXT_LISTED));
        let more_refused = refused.split_off(refused.len().min(MAX_REFUSED_LISTED));
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let unnamed = more_next.iter().map(|(_, other)| other).chain(more_refused.iter().map(|(_, other)| other));
        for (_, why) in unnamed {
            *counts.entry(why.in_short()).or_default() += 1;
        }
        let others = counts.into_iter().map(|(because, count)| Others { because: because.to_owned(), count });
        let listed = next.into_iter().map(|(_, listed)| listed);
        (listed.chain(refused.into_iter().map(|(_, listed)| listed)).collect(), others.collect())
    }
}

/// The inputs that a decision keeps: of all who are named or ring already, and of the others how many fit each group.
/// Somebody who was not picked can be left out of a line without changing who is, as long as the line stays as long.
fn kept(inputs: &Snapshot, need: &Need, chosen: &BTreeSet<&AnalystId>, listed: &[(&AnalystId, &Why)]) -> Snapshot {
    let named: BTreeSet<&AnalystId> =
        listed.iter().map(|(analyst, _)| *analyst).chain(chosen.iter().copied()).collect();
    let rings = |person: &Person| matches!(person.with_this_call, WithThisCall::Rung { .. });
    let (people, others): (Vec<&Person>, Vec<&Person>) =
        inputs.people.iter().partition(|person| named.contains(&person.id) || rings(person));
    let fitting = |bound: Bound| {
        let groups = || inputs.who.iter().filter(|who| Bound::of(**who) == bound);
        others.iter().filter(|person| groups().any(|who| qualify::judge(person, *who, need).is_ok())).count()
    };
    let behind = Behind { at_work: fitting(Bound::AtWork), on_call: fitting(Bound::OnCall) };
    Snapshot {
        who: inputs.who.clone(),
        at_once: inputs.at_once,
        continuity: inputs.continuity.clone(),
        people: people.into_iter().cloned().collect(),
        unlisted: others.len(),
        behind,
    }
}

fn choice(picked: &Picked<'_>, need: &Need, continuity: Option<&AnalystId>) -> Choice {
    let holds = picked
        .fit
        .qualification
        .map_or_else(|| "Supervisor, rung whatever the qualification".to_owned(), |q| holds(q, need));
    let idle = span(picked.person.idle_ms);
    let goes_back = continuity == Some(&picked.person.id);
    let why = match picked.who {
        Who::Qualified | Who::WrapUp | Who::OnCall if goes_back => "took the last call from here".to_owned(),
        Who::Qualified if picked.place == 0 => format!("idle longest, {idle}"),
        Who::Qualified => format!("idle next longest, {idle}"),
        Who::WrapUp => "finishing the last call".to_owned(),
        Who::OnCall => "on call now".to_owned(),
        Who::Supervisor => "nobody below could take it".to_owned(),
    };
    Choice {
        analyst: picked.person.id.clone(),
        who: picked.who,
        phones: picked.fit.phones.clone(),
        because: format!("{holds}; {why}."),
    }
}

impl Why {
    fn in_short(&self) -> &'static str {
        match self {
            Why::Refused(refusal) => refusal.in_short(),
            Why::NotNeeded { .. } => "behind in line",
        }
    }
}

fn passed_over(analyst: &AnalystId, why: &Why) -> PassedOver {
    let because = match why {
        Why::Refused(refusal) => refusal.to_string(),
        Why::NotNeeded { idle_ms, .. } => format!("fits, but others are rung first (idle {})", span(*idle_ms)),
    };
    PassedOver { analyst: analyst.clone(), because }
}

fn holds(held: &Qualification, need: &Need) -> String {
    let modules = match (&need.module, &held.modules) {
        (Some(module), _) => module.to_string(),
        (None, Modules::All) => "all modules".to_owned(),
        (None, Modules::Only(modules)) => {
            let names: Vec<&str> = modules.iter().map(|module| module.as_str()).collect();
            names.join(", ")
        }
    };
    format!("Holds {modules} ({}) for {}", held.level.as_str(), held.system)
}

fn span(idle_ms: u64) -> String {
    match idle_ms / 1_000 {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

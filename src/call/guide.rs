//! The plan speaks while phones ring: effects of the interpreter carried out, keys and ends of playback given back.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::call::context::Context;
use crate::call::open::ACK_WITHIN;
use crate::call::ring::{Offer, TargetRing};
use crate::call::{Call, OpenTickets, Stage};
use crate::digit::{Digit, DigitSource};
use crate::ids::{AnalystId, IncidentId, LegId, PromptId, TrunkId};
use crate::ivr::prompts::{HOLD, RINGBACK};
use crate::ivr::timing::{SPEECH_AFTER_200, SPEECH_AFTER_ACK};
use crate::ivr::{self, Facts, Input, Interpreter, KnownProblem, NeedPatch, Origin, Plan, SettledBy};
use crate::routing::{Continuity, Desk, Hunt, Hunting, Incidents, Need, Question, Staff, would_change};
use crate::ticket::{Event, HangupCause, NeedSource, Party};
use crate::time::{Duration, Instant};

/// The stage in which nobody has the call yet.
pub(super) struct Guided {
    /// `None` on a callback: nobody is spoken to before an analyst answers.
    pub(super) guide: Option<Interpreter>,
    pub(super) hunting: Option<Arc<Hunting>>,
    pub(super) hunt: Option<Hunt>,
    pub(super) offers: BTreeMap<AnalystId, Offer>,
    pub(super) target: Option<TargetRing>,
    /// A transfer or a phone that is gone left the caller alone.
    pub(super) left_alone: bool,
    /// Speech begins at the first of these two: ACK + 0.4 s, 200 + 1.0 s.
    speech_at: Option<Instant>,
    ack: Ack,
}

/// What of a plan's facts does not change in the call.
pub(super) struct CameBy {
    pub(super) trunk: Option<TrunkId>,
    pub(super) dialled: String,
    pub(super) digits: Option<String>,
}

/// The caller's ACK, and with it the certainty that somebody is there to be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ack {
    /// Offers went out beside our 200 all the same.
    Awaited {
        until: Instant,
    },
    /// None in time: nobody is rung, until it comes.
    Late,
    Here,
}

impl Guided {
    pub(super) fn new(now: Instant) -> Guided {
        Guided {
            guide: None,
            hunting: None,
            hunt: None,
            offers: BTreeMap::new(),
            target: None,
            left_alone: false,
            speech_at: Some(now + SPEECH_AFTER_200),
            ack: Ack::Awaited { until: now + ACK_WITHIN },
        }
    }

    /// Ringing anew: for a callback, where nobody listens yet (`None`), or for a caller who was left alone.
    pub(super) fn again(hunting: Arc<Hunting>, guide: Option<Interpreter>) -> Guided {
        Guided {
            left_alone: guide.is_some(),
            guide,
            hunting: Some(hunting),
            hunt: None,
            offers: BTreeMap::new(),
            target: None,
            speech_at: None,
            ack: Ack::Here,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let guide = self.guide.as_ref().and_then(Interpreter::poll_timeout);
        let hunt = self.hunt.as_ref().and_then(Hunt::poll_timeout);
        let offers = self.offers.values().filter_map(Offer::poll_timeout);
        let ack_by = match self.ack {
            Ack::Awaited { until } => Some(until),
            Ack::Late | Ack::Here => None,
        };
        [guide, hunt, self.speech_at, ack_by].into_iter().flatten().chain(offers).min()
    }

    pub(super) fn is_ringing(&self) -> bool {
        !self.offers.is_empty() || self.target.is_some()
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.hunt.as_ref().is_some_and(|hunt| hunt.waiting_since().is_some())
    }
}

/// The desk as the plan may ask it, frozen for one input.
struct World<'a> {
    staff: &'a Staff,
    desk: &'a Desk,
    continuity: &'a Continuity,
    incidents: &'a Incidents,
    open_tickets: &'a OpenTickets,
    call: &'a Call,
    hunting: &'a Hunting,
    now: Instant,
    wall: jiff::Timestamp,
}

impl ivr::World for World<'_> {
    fn would_change(&self, options: &[NeedPatch]) -> bool {
        let answers: Vec<Need> = options.iter().map(|patch| patched(&self.call.need, patch)).collect();
        let question = Question {
            base: &self.call.need,
            options: &answers,
            hunting: self.hunting,
            continuity: self.call.earlier(self.continuity, self.wall),
            now: self.now,
            wall: self.wall,
        };
        would_change(self.staff, self.desk, &question)
    }

    fn on_shift(&self) -> bool {
        let present = |id: &AnalystId| self.desk.presence(id) != crate::routing::Presence::SignedOut;
        self.staff.of(&self.call.hospital).any(|analyst| analyst.on_shift(self.wall) && present(&analyst.id))
    }

    fn incident(&self, settled: &NeedPatch) -> Option<KnownProblem> {
        let incident = self.incidents.find(&patched(&self.call.need, settled))?;
        Some(KnownProblem { id: incident.id, prompt: incident.what.prompt.clone() })
    }

    fn system_down(&self, settled: &NeedPatch) -> bool {
        self.incidents.is_down(&patched(&self.call.need, settled))
    }

    fn open_ticket(&self) -> bool {
        self.open_tickets.has(&self.call.hospital, &self.call.owner())
    }

    fn last_helped(&self, settled: &NeedPatch) -> Option<Duration> {
        let owner = self.call.owner();
        let need = patched(&self.call.need, settled);
        let (number, unit) = (owner.number.as_deref(), owner.unit.as_ref());
        let earlier = self.continuity.find(&need.hospital, number, unit, need.module.as_ref(), self.wall)?;
        Some(Duration::try_from(self.wall.duration_since(earlier.at)).unwrap_or_default())
    }
}

/// The need as an answer makes it.
fn patched(need: &Need, patch: &NeedPatch) -> Need {
    let mut need = need.clone();
    if let Some(system) = &patch.system {
        if need.system.as_ref() != Some(system) {
            // The release of another system says nothing of this one.
            need.release = None;
        }
        need.system = Some(system.clone());
    }
    if let Some(module) = &patch.module {
        need.module = Some(module.clone());
    }
    if let Some(language) = &patch.language {
        need.language = language.clone();
    }
    if let Some(level) = patch.level {
        need.level = level;
    }
    need
}

impl Call {
    /// At the INVITE: everything that needs no speech happens now; offers go out beside our 200.
    pub(super) fn begin_plan(&mut self, ctx: &mut Context<'_>, plan: Arc<Plan>, came_by: CameBy, emergency: bool) {
        let facts = self.facts(ctx, came_by);
        let interpreter = Interpreter::new(plan, Arc::clone(&ctx.config.prompts), facts);
        if let Stage::Guided(guided) = &mut self.stage {
            guided.guide = Some(interpreter);
        }
        self.with_guide(ctx, |guide, now, world| match emergency {
            true => guide.begin_at_operator(now, world),
            false => guide.begin(now, world),
        });
    }

    pub(super) fn facts(&self, ctx: &Context<'_>, came_by: CameBy) -> Facts {
        let origin = if self.caller.extension.is_some() { Origin::Inside } else { Origin::Outside };
        let mut facts = Facts::unknown(origin, self.language.clone());
        facts.class = self.caller.class.as_ref().map(|class| class.value);
        facts.mapped = self.caller.class.is_some();
        facts.person_known = self.caller.person.is_some();
        facts.extension = self.caller.extension.as_ref().map(|extension| extension.value.clone());
        facts.trunk = came_by.trunk;
        facts.dialled = came_by.dialled;
        facts.digits = came_by.digits;
        // An attempt that fails is made again by itself, if at all.
        facts.can_call_back = self.call_back_number().is_some() && !self.is_callback_attempt();
        facts.system = self.need.system.clone();
        facts.module = self.need.module.clone();
        if let Some(place) = &self.caller.place {
            facts.site = Some(place.value.site.clone());
            facts.unit = Some(place.value.unit.clone());
        }
        facts.unit_prompt = self.unit_prompt(ctx);
        if let Some(hospital) = self.hospital(ctx) {
            let local = hospital.time_zone.to_datetime(ctx.wall);
            facts.local_time = local.time();
            facts.weekday = local.weekday();
            facts.holiday = hospital.holidays.contains(&local.date());
            let held = hospital.calendars.iter().filter(|(_, calendar)| calendar.holds(local, facts.holiday));
            facts.calendars = held.map(|(id, _)| id.clone()).collect();
            facts.code_number = hospital.code_numbers.first().map(ToString::to_string);
        }
        facts
    }

    /// The recording of the unit's name in the call's language.
    pub(super) fn unit_prompt(&self, ctx: &Context<'_>) -> Option<PromptId> {
        let place = self.caller.place.as_ref()?;
        let unit = self.hospital(ctx)?.directory.unit(&place.value.unit)?;
        unit.spoken.clone().filter(|prompt| ctx.config.prompts.contains(&self.language, prompt))
    }

    // -- Inputs of the stage -----------------------------------------------------------------------------------------

    /// The caller's ACK: speech may begin soon, and offers that were withdrawn for want of it come back.
    pub(super) fn caller_confirmed(&mut self, ctx: &mut Context<'_>) {
        ctx.record(Event::Confirmed);
        let Stage::Guided(guided) = &mut self.stage else { return };
        let late = std::mem::replace(&mut guided.ack, Ack::Here) == Ack::Late;
        let soon = ctx.now + SPEECH_AFTER_ACK;
        guided.speech_at = guided.speech_at.map(|at| at.min(soon));
        if late && let Some(hunting) = guided.hunting.clone() {
            self.begin_hunt(ctx, &hunting);
        }
    }

    pub(super) fn guided_timeout(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        let Stage::Guided(guided) = &mut self.stage else { return };
        if matches!(guided.ack, Ack::Awaited { until } if until <= now) {
            guided.ack = Ack::Late;
            self.stop_hunt(ctx);
        }
        let Stage::Guided(guided) = &mut self.stage else { return };
        if guided.speech_at.is_some_and(|at| at <= now) {
            guided.speech_at = None;
            self.guide_input(ctx, Input::Start);
        }
        self.offers_timeout(ctx);
        self.hunt_timeout(ctx);
        let Stage::Guided(guided) = &mut self.stage else { return };
        if guided.guide.as_ref().and_then(Interpreter::poll_timeout).is_some_and(|at| at <= now) {
            self.guide_input(ctx, Input::Timeout);
        }
    }

    pub(super) fn guided_key(&mut self, ctx: &mut Context<'_>, leg: LegId, digit: Digit, source: DigitSource) {
        if self.caller_leg == Some(leg) {
            if self.key_matters(digit, ctx.now) {
                ctx.record(Event::KeyPressed { digit, source });
            }
            self.guide_input(ctx, Input::Key(digit));
        } else {
            self.offer_key(ctx, leg, digit);
        }
    }

    /// A badge number or a PIN is a person's: its digits stay out of the journal, also when they are keyed before the
    /// question or are more than were asked for; the verdict comes as `Collected`.
    fn key_matters(&self, digit: Digit, now: Instant) -> bool {
        let Stage::Guided(guided) = &self.stage else { return false };
        guided.guide.as_ref().is_some_and(|guide| !guide.hides_keys(now) && guide.acts_on(digit))
    }

    pub(super) fn guided_words_done(&mut self, ctx: &mut Context<'_>, leg: LegId) {
        if self.caller_leg != Some(leg) {
            self.offer_words_done(ctx, leg);
        } else {
            self.guide_input(ctx, Input::SpokenDone);
        }
    }

    pub(super) fn play_ringback(&mut self, ctx: &mut Context<'_>) {
        let language = self.language.clone();
        if let Some(leg) = self.caller_leg() {
            leg.play_loop(ctx, &language, PromptId::new(RINGBACK));
        }
    }

    pub(super) fn guide_input(&mut self, ctx: &mut Context<'_>, input: Input) {
        self.with_guide(ctx, |guide, now, world| guide.handle(now, input, world));
    }

    /// Runs the interpreter with the desk as it is now, then carries out what it wants.
    pub(super) fn with_guide(
        &mut self,
        ctx: &mut Context<'_>,
        step: impl FnOnce(&mut Interpreter, Instant, &dyn ivr::World),
    ) {
        let Stage::Guided(guided) = &mut self.stage else { return };
        let Some(mut guide) = guided.guide.take() else { return };
        let hunting = Arc::clone(&self.plan.hunting);
        let world = World {
            staff: ctx.staff,
            desk: ctx.desk,
            continuity: ctx.continuity,
            incidents: ctx.incidents,
            open_tickets: ctx.open_tickets,
            call: self,
            hunting: &hunting,
            now: ctx.now,
            wall: ctx.wall,
        };
        step(&mut guide, ctx.now, &world);
        let effects: Vec<ivr::Effect> = std::iter::from_fn(|| guide.poll_effect()).collect();
        if let Stage::Guided(guided) = &mut self.stage {
            guided.guide = Some(guide);
        }
        self.plan_effects.extend(effects);
        if std::mem::replace(&mut self.carrying, true) {
            // An effect has made the plan go on; what it wants now comes after what it wanted before.
            return;
        }
        while let Some(effect) = self.plan_effects.pop_front() {
            self.guide_effect(ctx, effect);
        }
        self.carrying = false;
    }

    // -- Effects -----------------------------------------------------------------------------------------------------

    fn guide_effect(&mut self, ctx: &mut Context<'_>, effect: ivr::Effect) {
        match effect {
            ivr::Effect::Entered(step) => ctx.record(Event::StepEntered { step }),
            ivr::Effect::Skipped(step) => ctx.record(Event::QuestionSkipped { step }),
            ivr::Effect::Say { language, prompts } => {
                let words = ctx.config.prompts.words(&language, &prompts);
                ctx.record(Event::Spoken { prompts: prompts.clone(), words });
                self.language = language.clone();
                if let Some(leg) = self.caller_leg() {
                    leg.say(ctx, &language, &prompts);
                }
            }
            ivr::Effect::StopSaying => {
                if let Some(leg) = self.caller_leg() {
                    leg.stop_playing(ctx);
                }
            }
            ivr::Effect::Ringback => self.play_ringback(ctx),
            ivr::Effect::Hold => {
                let language = self.language.clone();
                if let Some(leg) = self.caller_leg() {
                    leg.play_loop(ctx, &language, PromptId::new(HOLD));
                }
            }
            ivr::Effect::Told { incident } => self.told(ctx, incident),
            ivr::Effect::Set(patch) => self.set(ctx, &patch),
            ivr::Effect::Prioritise(priority) => {
                self.priority = priority;
                ctx.record(Event::PrioritySet { priority });
            }
            ivr::Effect::Alert { hunting, by } => self.alert(ctx, hunting, by),
            ivr::Effect::Withdraw => {
                // A late ACK must not bring back what the plan has withdrawn.
                if let Stage::Guided(guided) = &mut self.stage {
                    guided.hunting = None;
                }
                self.stop_hunt(ctx);
                self.stop_target();
            }
            ivr::Effect::BookCallback { cause } => self.book_callback(ctx, cause),
            ivr::Effect::CancelCallback => self.cancel_callback(ctx),
            ivr::Effect::Check { step, what, digits } => self.number_keyed(ctx, step, what, &digits),
            ivr::Effect::Dial { target } => self.ring_target(ctx, target),
            ivr::Effect::Hangup => self.finish(ctx, HangupCause::PlanEnded, Party::Desk),
        }
    }

    /// Once phones ring it changes nobody who is rung: the ticket notes it.
    fn set(&mut self, ctx: &mut Context<'_>, patch: &NeedPatch) {
        self.need = patched(&self.need, patch);
        if matches!(&self.stage, Stage::Guided(guided) if guided.hunting.is_some()) {
            ctx.record(Event::NeedSettled { need: self.need.clone(), by: NeedSource::Plan });
        }
    }

    /// The ticket is linked to what the caller is told.
    fn told(&mut self, ctx: &mut Context<'_>, incident: IncidentId) {
        self.incident = Some(incident);
        let note = ctx.incidents.get(incident).map(|incident| incident.what.note.clone());
        ctx.record(Event::IncidentTold { incident, note: note.unwrap_or_default() });
    }

    fn alert(&mut self, ctx: &mut Context<'_>, hunting: Arc<Hunting>, by: SettledBy) {
        let by = match by {
            SettledBy::Place => NeedSource::Place,
            SettledBy::Key => NeedSource::Key,
            SettledBy::NoKey => NeedSource::NoKey,
            SettledBy::Plan => NeedSource::Plan,
        };
        ctx.record(Event::NeedSettled { need: self.need.clone(), by });
        let Stage::Guided(guided) = &mut self.stage else { return };
        guided.hunting = Some(Arc::clone(&hunting));
        if guided.ack != Ack::Late {
            self.begin_hunt(ctx, &hunting);
        }
    }
}

//! Offers: what the hunt decides becomes INVITEs, and what the phones answer goes back to the hunt.
//!
//! ```text
//!  Reserve ─granted─▶ INVITE to each phone ─180─▶ rings ─200─▶ inside: wins
//!     │                     │                        └────────▶ outside: "Press one to accept." ─1─▶ wins
//!     └─refused             └─ busy, declined, unreachable (all phones): the hunt moves on
//! ```
//! One analyst's phones are one offer: the first of them to answer speaks for it, the others are cancelled.

use std::sync::Arc;

use crate::bridge::pair::preferred_beside;
use crate::call::context::{Context, Effect, Target};
use crate::call::leg::{Leg, LegPlan, Role};
use crate::call::{Call, MAX_LEGS, Stage};
use crate::dialog::{Invite, LocalIdentity, Reason, RejectSource, Rejection, Usage};
use crate::digit::Digit;
use crate::ids::{AnalystId, LegId, OfferId, RungId, TargetId};
use crate::ivr::whisper::{AcceptWhisper, WhisperEffect, WhisperInput};
use crate::ivr::{self, Input};
use crate::routing::{ACCEPT_WITHIN, Hunt, HuntAction, HuntInput, HuntNews, Hunting, OfferOutcome, Phone, Rank};
use crate::sip::{NameAddr, Status, Uri};
use crate::ticket::{CallbackOutcome, Event, Party};
use crate::time::{Duration, Instant};

/// A lease outlives the ringing it is for by this much: the time an outside phone may take to accept, and one turn of the
/// loop with room, so that the hunt's own timers end the offer first.
const LEASE_MARGIN: Duration = ACCEPT_WITHIN.saturating_add(Duration::from_secs(2));

/// One analyst being alerted for this call.
pub(super) struct Offer {
    pub(super) id: OfferId,
    outside: bool,
    /// Legs that may still answer.
    legs: Vec<LegId>,
    rings: bool,
    /// An outside phone has answered and is asked to press 1.
    accepting: Option<(LegId, AcceptWhisper)>,
}

impl Offer {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.accepting.as_ref().and_then(|(_, whisper)| whisper.poll_timeout())
    }
}

/// A declared target being rung: the operator, a transfer.
pub(super) struct TargetRing {
    pub(super) target: TargetId,
    pub(super) leg: LegId,
}

impl Call {
    // -- The hunt ----------------------------------------------------------------------------------------------------

    pub(super) fn begin_hunt(&mut self, ctx: &mut Context<'_>, hunting: &Arc<Hunting>) {
        let earlier = self.earlier(ctx.continuity, ctx.wall).cloned();
        let continuity = earlier.filter(|analyst| !self.lost.contains(analyst));
        let hunt = Hunt::new((**hunting).clone(), self.need.clone(), continuity).without(&self.lost);
        if let Stage::Guided(guided) = &mut self.stage {
            guided.hunt = Some(hunt);
        }
        self.hunt_input(ctx, HuntInput::Begin);
    }

    /// Who had the ticket that was keyed, who took this caller's last call, or this unit's about this module.
    pub(super) fn earlier<'a>(
        &'a self,
        continuity: &'a crate::routing::Continuity,
        wall: jiff::Timestamp,
    ) -> Option<&'a AnalystId> {
        if let Some(analyst) = self.follows.as_ref().and_then(|follows| follows.analyst.as_ref()) {
            return Some(analyst);
        }
        let number = self.caller.number.as_ref().map(|number| number.value.as_str());
        let unit = self.caller.place.as_ref().map(|place| &place.value.unit);
        let earlier = continuity.find(&self.hospital, number, unit, self.need.module.as_ref(), wall)?;
        Some(&earlier.analyst)
    }

    pub(super) fn stop_hunt(&mut self, ctx: &mut Context<'_>) {
        self.hunt_input(ctx, HuntInput::Stop);
        ctx.line.leave(self.id);
    }

    pub(super) fn hunt_again(&mut self, ctx: &mut Context<'_>) {
        self.hunt_input(ctx, HuntInput::Freed);
    }

    pub(super) fn hunt_timeout(&mut self, ctx: &mut Context<'_>) {
        let Stage::Guided(guided) = &self.stage else { return };
        if guided.hunt.as_ref().and_then(Hunt::poll_timeout).is_some_and(|at| at <= ctx.now) {
            self.hunt_input(ctx, HuntInput::Tick);
        }
    }

    pub(super) fn lease_answered(&mut self, ctx: &mut Context<'_>, analyst: &AnalystId, granted: bool) {
        if !granted {
            ctx.desk.refused(analyst, self.id);
        }
        let Stage::Guided(guided) = &self.stage else { return };
        if guided.hunt.is_none() {
            return;
        }
        self.hunt_input(ctx, HuntInput::Reserved { analyst: analyst.clone(), granted });
    }

    fn hunt_input(&mut self, ctx: &mut Context<'_>, input: HuntInput) {
        if self.makes_room(ctx, &input) {
            self.attempt_failed(ctx, CallbackOutcome::PutOff);
            return;
        }
        let Stage::Guided(guided) = &mut self.stage else { return };
        let Some(hunt) = &mut guided.hunt else { return };
        hunt.handle(ctx.now, input, ctx.staff, ctx.desk, ctx.wall);
        let actions: Vec<HuntAction> = std::iter::from_fn(|| hunt.poll()).collect();
        for action in actions {
            self.hunt_action(ctx, action);
        }
        self.note_what_rings(ctx);
    }

    /// Whether a callback that looks on for its analyst would take one from a caller who waits.
    fn makes_room(&self, ctx: &Context<'_>, input: &HuntInput) -> bool {
        let goes_on = match input {
            HuntInput::Stop | HuntInput::Ended { outcome: OfferOutcome::Answered, .. } => false,
            HuntInput::Begin
            | HuntInput::Reserved { .. }
            | HuntInput::Ringing { .. }
            | HuntInput::PickedUp { .. }
            | HuntInput::Ended { .. }
            | HuntInput::Freed
            | HuntInput::Tick => true,
        };
        goes_on && self.seeks_analyst() && ctx.line.caller_waits_for(&self.need)
    }

    /// The caller is told that a phone rings only while one does.
    fn note_what_rings(&mut self, ctx: &mut Context<'_>) {
        let Stage::Guided(guided) = &self.stage else { return };
        let (Some(hunt), Some(guide)) = (&guided.hunt, &guided.guide) else { return };
        if hunt.is_over() {
            return;
        }
        let (silent, told) = (hunt.alerting().next().is_none(), guide.nothing_rings());
        match (silent, told) {
            (true, false) => self.guide_input(ctx, Input::Hunting(ivr::HuntNews::NobodyFree)),
            (false, true) => self.guide_input(ctx, Input::RingsAgain),
            (true, true) | (false, false) => {}
        }
    }

    fn hunt_action(&mut self, ctx: &mut Context<'_>, action: HuntAction) {
        match action {
            HuntAction::Reserve { analyst, phones } => {
                // This node's own lease is taken at once, so that no other call decides on the same analyst; the
                // answer of `Effect::Reserve` says whether the analyst's home node agrees.
                let kinds = phones.into_iter().map(|phone| phone.kind).collect();
                if ctx.desk.reserve(&analyst, self.id, kinds, ctx.now) {
                    ctx.want(Effect::Reserve { analyst });
                } else {
                    self.hunt_input(ctx, HuntInput::Reserved { analyst, granted: false });
                }
            }
            HuntAction::Ring { analyst, phones, rung, ring_for, outside } => {
                self.ring(ctx, &analyst, &phones, rung, ring_for, outside);
            }
            HuntAction::Withdraw { analyst, outcome } => self.end_offer(ctx, &analyst, outcome),
            HuntAction::Decided(decision) => ctx.record(Event::RouteDecided { decision }),
            HuntAction::News(news) => self.hunt_news(ctx, news),
        }
    }

    fn hunt_news(&mut self, ctx: &mut Context<'_>, news: HuntNews) {
        let news = match news {
            HuntNews::Ringing => ivr::HuntNews::Ringing,
            HuntNews::TryingOnCall { busy: 0 } => ivr::HuntNews::OnCall,
            HuntNews::TryingOnCall { .. } | HuntNews::AllBusy { .. } => ivr::HuntNews::AllBusy,
            HuntNews::WaitingSince { since } => {
                let rank = if self.is_without_caller() { Rank::Callback } else { Rank::Caller(self.priority) };
                ctx.line.join(self.id, since, rank, self.need.clone());
                return;
            }
            // The plan books it, and says so to the caller.
            HuntNews::BookCallback => return,
            HuntNews::NobodyFree => {
                ctx.line.leave(self.id);
                if self.is_without_caller() {
                    self.attempt_failed(ctx, CallbackOutcome::NoAnalyst);
                    return;
                }
                ivr::HuntNews::NobodyFree
            }
        };
        self.guide_input(ctx, Input::Hunting(news));
    }

    // -- Ringing -----------------------------------------------------------------------------------------------------

    fn ring(
        &mut self,
        ctx: &mut Context<'_>,
        analyst: &AnalystId,
        phones: &[Phone],
        rung: RungId,
        ring_for: Duration,
        outside: bool,
    ) {
        ctx.desk.offered(analyst, self.id, ctx.now, ctx.now + ring_for + LEASE_MARGIN);
        let id = ctx.numbers.offer();
        ctx.record(Event::OfferSent { offer: id, analyst: analyst.clone(), rung, outside });
        let targets: Vec<Target> =
            phones.iter().flat_map(|phone| ctx.reach.phone(&phone.kind, phone.outside)).collect();
        let role = Role::Analyst { analyst: analyst.clone(), offer: id };
        let legs = targets.into_iter().filter_map(|target| self.invite(ctx, role.clone(), target)).collect();
        let offer = Offer { id, outside, legs, rings: false, accepting: None };
        let nowhere = offer.legs.is_empty();
        if let Stage::Guided(guided) = &mut self.stage {
            guided.offers.insert(analyst.clone(), offer);
        }
        if nowhere {
            self.offer_failed(ctx, analyst, OfferOutcome::Unreachable);
        }
    }

    /// Sends an INVITE with our SDP offer. `None`: no port is left, or the call has too many legs.
    pub(super) fn invite(&mut self, ctx: &mut Context<'_>, role: Role, target: Target) -> Option<LegId> {
        if self.legs.len() >= MAX_LEGS {
            return None;
        }
        let caller = self.caller_leg.and_then(|id| self.legs.get(&id)).map(|leg| &leg.negotiation);
        let plan = LegPlan {
            role: role.clone(),
            flow: target.flow,
            pinned: target.pinned,
            trunk: target.trunk.clone(),
            prefer: caller.and_then(preferred_beside),
            others: target.others,
        };
        let (port, mut negotiation) = Leg::negotiation(ctx, &plan)?;
        let sdp = negotiation.offer();
        let contact = Uri::at(Some("wardline"), target.advertised);
        let contact = target.flow.transport.mark(contact);
        let sip_call_id = format!("{}{}", ctx.numbers.token(), ctx.numbers.token());
        let invite = Invite {
            request_uri: target.request_uri,
            from: self.shown_from(&role, target.advertised),
            to: NameAddr::new(target.to),
            call_id: sip_call_id.clone(),
            local: LocalIdentity {
                contact,
                tag: ctx.numbers.token(),
                seed: ctx.numbers.bits(),
                session: Some(ctx.config.node.session_timer(target.trunk.as_ref())),
            },
            route: Vec::new(),
            headers: self.shown_headers(&role),
            sdp: Some(sdp),
        };
        let usage = Usage::uac(invite);
        let id = ctx.numbers.leg();
        let leg = Leg::open(ctx, self.id, id, plan, usage, (port, negotiation), sip_call_id);
        self.legs.insert(id, leg);
        Some(id)
    }

    /// What a phone shows: the calling extension as the From user, the unit as display name.
    fn shown_from(&self, role: &Role, advertised: std::net::SocketAddr) -> NameAddr {
        let number = self.call_back_number().map(|number| number.to_string());
        let number = number.or_else(|| self.caller.number.as_ref().map(|number| number.value.clone()));
        let desk = matches!(role, Role::Caller);
        let user = if desk { Some("servicedesk".to_owned()) } else { number };
        let from = NameAddr::new(Uri::at(Some(user.as_deref().unwrap_or("anonymous")), advertised));
        let display = match (&self.caller.place, role) {
            (_, Role::Caller) => "Clinical service desk".to_owned(),
            (Some(place), _) => place.value.unit_name.clone(),
            (None, _) => "Unmapped phone".to_owned(),
        };
        from.with_display(&display)
    }

    /// For analysts' phones with a second line: what the call is about, and which ticket. Nobody else's business.
    fn shown_headers(&self, role: &Role) -> Vec<(String, String)> {
        if !matches!(role, Role::Analyst { .. }) {
            return Vec::new();
        }
        let system = self.need.system.as_ref().map(ToString::to_string);
        let module = self.need.module.as_ref().map(ToString::to_string);
        let about: Vec<String> = system.into_iter().chain(module).collect();
        let subject = format!("Ticket {} {}", self.ticket, about.join(" "));
        vec![("Subject".to_owned(), subject.trim_end().to_owned())]
    }

    /// The first of the offer's phones rings.
    pub(super) fn leg_rings(&mut self, ctx: &mut Context<'_>, leg: LegId) {
        self.clinician_rings(leg);
        let Some((analyst, offer)) = self.offer_of(leg) else { return };
        if !std::mem::replace(&mut offer.rings, true) {
            let id = offer.id;
            ctx.record(Event::OfferRinging { offer: id, analyst: analyst.clone() });
            self.hunt_input(ctx, HuntInput::Ringing { analyst });
        }
    }

    /// A phone of ours was picked up.
    pub(super) fn leg_answered(&mut self, ctx: &mut Context<'_>, id: LegId, sdp: Option<&[u8]>) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let agreed = sdp.is_some_and(|sdp| leg.negotiation.accept_answer(sdp).is_ok());
        if !agreed {
            leg.usage.bye(Some(&Reason::sip(Status::NOT_ACCEPTABLE_HERE, "No usable answer")));
            self.leg_rejected(ctx, id, Status::NOT_ACCEPTABLE_HERE);
            return;
        }
        leg.apply_session(ctx);
        match (&leg.role, &self.stage) {
            (Role::Analyst { analyst, .. }, Stage::Guided(_)) => {
                let analyst = analyst.clone();
                self.offer_answered(ctx, &analyst, id);
            }
            (Role::Target(_), Stage::Guided(_)) => self.target_answered(ctx, id),
            (Role::Target(_), Stage::Talking(_)) => self.transfer_answered(ctx, id),
            (Role::Caller, Stage::Dialling(_)) => self.clinician_answered(ctx, id),
            // Nobody waits for this phone any more.
            (Role::Analyst { .. } | Role::Target(_) | Role::Caller, _) => leg.usage.bye(None),
        }
    }

    fn offer_answered(&mut self, ctx: &mut Context<'_>, analyst: &AnalystId, id: LegId) {
        let words = (self.unit_prompt(ctx), self.need.module.as_ref().map(ivr::prompts::module_prompt));
        let callback = self.is_callback_attempt();
        let Stage::Guided(guided) = &mut self.stage else { return };
        let Some(offer) = guided.offers.get_mut(analyst).filter(|offer| offer.accepting.is_none()) else {
            // Another phone of the same analyst was faster.
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.usage.bye(None);
            }
            return;
        };
        if !offer.outside {
            self.win(ctx, analyst, id);
            return;
        }
        let module = words.1.filter(|prompt| ctx.config.prompts.contains(&self.language, prompt));
        let mut whisper = AcceptWhisper::new(callback, words.0, module);
        whisper.handle(ctx.now, WhisperInput::Start);
        offer.accepting = Some((id, whisper));
        let others: Vec<LegId> = offer.legs.iter().copied().filter(|leg| *leg != id).collect();
        self.cancel_legs(&others, None);
        self.hunt_input(ctx, HuntInput::PickedUp { analyst: analyst.clone() });
        self.whisper_effects(ctx, analyst);
    }

    // -- The outside phone's whisper ---------------------------------------------------------------------------------

    pub(super) fn offer_key(&mut self, ctx: &mut Context<'_>, leg: LegId, digit: Digit) {
        self.whisper_input(ctx, leg, WhisperInput::Key(digit));
    }

    pub(super) fn offer_words_done(&mut self, ctx: &mut Context<'_>, leg: LegId) {
        self.whisper_input(ctx, leg, WhisperInput::SpokenDone);
    }

    pub(super) fn offers_timeout(&mut self, ctx: &mut Context<'_>) {
        let Stage::Guided(guided) = &self.stage else { return };
        let due = |offer: &&Offer| offer.poll_timeout().is_some_and(|at| at <= ctx.now);
        let legs: Vec<LegId> = guided.offers.values().filter(due).filter_map(Offer::accepting_leg).collect();
        for leg in legs {
            self.whisper_input(ctx, leg, WhisperInput::Timeout);
        }
    }

    fn whisper_input(&mut self, ctx: &mut Context<'_>, leg: LegId, input: WhisperInput) {
        let now = ctx.now;
        let Some((analyst, offer)) = self.offer_of(leg) else { return };
        if let Some((accepting, whisper)) = &mut offer.accepting
            && *accepting == leg
        {
            whisper.handle(now, input);
            self.whisper_effects(ctx, &analyst);
        }
    }

    fn whisper_effects(&mut self, ctx: &mut Context<'_>, analyst: &AnalystId) {
        loop {
            let Stage::Guided(guided) = &mut self.stage else { return };
            let Some(offer) = guided.offers.get_mut(analyst) else { return };
            let Some((id, whisper)) = &mut offer.accepting else { return };
            let (id, Some(effect)) = (*id, whisper.poll_effect()) else { return };
            match effect {
                WhisperEffect::Say(prompts) => {
                    let language = self.language.clone();
                    if let Some(leg) = self.legs.get_mut(&id) {
                        leg.say(ctx, &language, &prompts);
                    }
                }
                WhisperEffect::StopSaying => {
                    if let Some(leg) = self.legs.get_mut(&id) {
                        leg.stop_playing(ctx);
                    }
                }
                WhisperEffect::Accepted => self.win(ctx, analyst, id),
                WhisperEffect::Refused => self.offer_failed(ctx, analyst, OfferOutcome::NotAccepted),
                // Words of the other dialog.
                WhisperEffect::Solved(_) | WhisperEffect::Unanswered => {}
            }
        }
    }

    // -- How offers end ----------------------------------------------------------------------------------------------

    /// First come, first served: this analyst has the call, all others lose the race.
    fn win(&mut self, ctx: &mut Context<'_>, analyst: &AnalystId, id: LegId) {
        let Stage::Guided(guided) = &mut self.stage else { return };
        let Some(offer) = guided.offers.remove(analyst) else { return };
        let others: Vec<LegId> = offer.legs.iter().copied().filter(|leg| *leg != id).collect();
        self.cancel_legs(&others, None);
        ctx.desk.ended(analyst, self.id, OfferOutcome::Answered, ctx.now);
        ctx.record(Event::OfferEnded { offer: offer.id, analyst: analyst.clone(), outcome: OfferOutcome::Answered });
        ctx.record(Event::AnalystAnswered { offer: offer.id, analyst: analyst.clone() });
        self.hunt_input(ctx, HuntInput::Ended { analyst: analyst.clone(), outcome: OfferOutcome::Answered });
        self.guide_input(ctx, Input::Answered);
        // What the plan booked it has taken back, but for what stood before it.
        self.cancel_callback(ctx);
        self.stop_target();
        ctx.line.leave(self.id);
        self.remember(ctx, analyst);
        self.spoke.retain(|earlier| earlier != analyst);
        self.spoke.push(analyst.clone());
        if self.caller_leg.is_some() {
            self.talk(ctx, id, Party::Analyst);
        } else {
            self.dial_clinician(ctx, id);
        }
    }

    /// All phones of the offer are out of the race by themselves; the hunt moves on.
    fn offer_failed(&mut self, ctx: &mut Context<'_>, analyst: &AnalystId, outcome: OfferOutcome) {
        self.end_offer(ctx, analyst, outcome);
        self.hunt_input(ctx, HuntInput::Ended { analyst: analyst.clone(), outcome });
    }

    /// Stops the analyst's phones and gives the lease back.
    fn end_offer(&mut self, ctx: &mut Context<'_>, analyst: &AnalystId, outcome: OfferOutcome) {
        ctx.desk.ended(analyst, self.id, outcome, ctx.now);
        let Stage::Guided(guided) = &mut self.stage else { return };
        let Some(offer) = guided.offers.remove(analyst) else { return };
        let reason = (outcome == OfferOutcome::LostRace).then(Reason::completed_elsewhere);
        self.cancel_legs(&offer.legs, reason.as_ref());
        ctx.record(Event::OfferEnded { offer: offer.id, analyst: analyst.clone(), outcome });
    }

    pub(super) fn cancel_legs(&mut self, legs: &[LegId], reason: Option<&Reason>) {
        for id in legs {
            if let Some(leg) = self.legs.get_mut(id) {
                leg.usage.bye(reason);
            }
        }
    }

    /// Our INVITE came to nothing. When that says that this address of the trunk does not serve, rather than that the phone
    /// refuses, the same offer goes on at the trunk's next address (RFC 3263 section 4.3): at most as many as it has.
    pub(super) fn invite_rejected(&mut self, ctx: &mut Context<'_>, id: LegId, rejection: &Rejection) {
        let not_served = match rejection.source {
            RejectSource::TimedOut | RejectSource::Unreachable => true,
            RejectSource::Peer => rejection.status == Status::SERVICE_UNAVAILABLE,
        };
        let wanted = not_served && self.place_of(id).is_some();
        let leg = self.legs.get_mut(&id).filter(|_| wanted);
        let next = leg.and_then(|leg| Some((leg.role.clone(), leg.next_target()?)));
        let instead = next.and_then(|(role, target)| self.invite(ctx, role, target));
        match (instead, self.place_of(id)) {
            (Some(instead), Some(place)) => *place = instead,
            (Some(_) | None, _) => self.leg_rejected(ctx, id, rejection.status),
        }
    }

    /// Where the call keeps a leg whose phone rings.
    fn place_of(&mut self, id: LegId) -> Option<&mut LegId> {
        match &mut self.stage {
            Stage::Guided(guided) => {
                let target = guided.target.as_mut().map(|ring| &mut ring.leg);
                let offers = guided.offers.values_mut().flat_map(|offer| &mut offer.legs);
                offers.chain(target).find(|leg| **leg == id)
            }
            Stage::Talking(talk) => talk.transfer.as_mut().map(|ring| &mut ring.leg).filter(|leg| **leg == id),
            Stage::Dialling(dialling) => dialling.clinician.as_mut().filter(|leg| **leg == id),
            Stage::Survey(_) | Stage::Over => None,
        }
    }

    /// A called phone said no, or nobody is there.
    pub(super) fn leg_rejected(&mut self, ctx: &mut Context<'_>, id: LegId, status: Status) {
        let Some(leg) = self.legs.get(&id) else { return };
        match (&leg.role, &self.stage) {
            (Role::Analyst { .. }, _) => self.analyst_leg_gone(ctx, id, outcome_of(status)),
            (Role::Target(_), Stage::Guided(_)) => self.target_failed(ctx, id),
            (Role::Target(_), _) => self.transfer_failed(ctx, id, status),
            (Role::Caller, Stage::Dialling(_)) => self.clinician_refused(ctx, id, status),
            (Role::Caller, _) => {}
        }
    }

    /// One phone of an offer is gone; the offer fails when it was the last, or the one that had answered.
    pub(super) fn analyst_leg_gone(&mut self, ctx: &mut Context<'_>, id: LegId, outcome: OfferOutcome) {
        let Some((analyst, offer)) = self.offer_of(id) else { return };
        offer.legs.retain(|leg| *leg != id);
        let was_accepting = offer.accepting_leg() == Some(id);
        if was_accepting {
            self.offer_failed(ctx, &analyst, OfferOutcome::NotAccepted);
        } else if offer.legs.is_empty() {
            self.offer_failed(ctx, &analyst, outcome);
        }
    }

    fn offer_of(&mut self, leg: LegId) -> Option<(AnalystId, &mut Offer)> {
        let Stage::Guided(guided) = &mut self.stage else { return None };
        let (analyst, offer) = guided.offers.iter_mut().find(|(_, offer)| offer.legs.contains(&leg))?;
        Some((analyst.clone(), offer))
    }

    // -- Declared targets of the plan --------------------------------------------------------------------------------

    pub(super) fn ring_target(&mut self, ctx: &mut Context<'_>, target: TargetId) {
        ctx.record(Event::TargetRung { target: target.clone() });
        let leg = self
            .declared_target(ctx, &target)
            .and_then(|reached| self.invite(ctx, Role::Target(target.clone()), reached));
        match (leg, &mut self.stage) {
            (Some(leg), Stage::Guided(guided)) => guided.target = Some(TargetRing { target, leg }),
            (Some(_), _) => {}
            (None, _) => self.guide_input(ctx, Input::TargetFailed),
        }
    }

    pub(super) fn declared_target(&self, ctx: &Context<'_>, target: &TargetId) -> Option<Target> {
        let declared = self.hospital(ctx)?.targets.get(target)?;
        ctx.reach.number(&declared.trunk, declared.number.as_str(), declared.outside)
    }

    pub(super) fn stop_target(&mut self) {
        let Stage::Guided(guided) = &mut self.stage else { return };
        if let Some(ring) = guided.target.take() {
            self.cancel_legs(&[ring.leg], None);
        }
    }

    fn target_answered(&mut self, ctx: &mut Context<'_>, id: LegId) {
        let Stage::Guided(guided) = &mut self.stage else { return };
        let Some(ring) = guided.target.take_if(|ring| ring.leg == id) else {
            self.cancel_legs(&[id], None);
            return;
        };
        ctx.record(Event::TransferEnded { target: ring.target.to_string(), ok: true });
        self.guide_input(ctx, Input::TargetAnswered);
        self.stop_hunt(ctx);
        self.talk(ctx, id, Party::Target);
    }

    pub(super) fn target_failed(&mut self, ctx: &mut Context<'_>, id: LegId) {
        let Stage::Guided(guided) = &mut self.stage else { return };
        if let Some(ring) = guided.target.take_if(|ring| ring.leg == id) {
            ctx.record(Event::TransferEnded { target: ring.target.to_string(), ok: false });
            self.guide_input(ctx, Input::TargetFailed);
        }
    }
}

impl Offer {
    fn accepting_leg(&self) -> Option<LegId> {
        self.accepting.as_ref().map(|(leg, _)| *leg)
    }
}

/// What a refusal of an analyst's phone means for the offer.
fn outcome_of(status: Status) -> OfferOutcome {
    match status.code() {
        486 | 600 => OfferOutcome::Busy,
        603 => OfferOutcome::Declined,
        408 | 487 => OfferOutcome::NoAnswer,
        _ => OfferOutcome::Unreachable,
    }
}

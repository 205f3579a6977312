//! One call: a caller's whole contact, from the INVITE to the ticket's last line.
//!
//! ```text
//!              plan + hunt                analyst answers             caller leaves
//!  incoming ──▶ Guided ────────────────────▶ Talking ───────────────────▶ Survey ──▶ Over
//!                 │ │    (operator, target) ▲ │                            "Solved?"   ▲
//!                 │ └───────────────────────┘ └── analyst leaves, or both ─────────────┤
//!                 └── caller leaves, plan ends ────────────────────────────────────────┘
//!
//!  callback ──▶ Guided (no caller yet) ── analyst answers ──▶ Dialling ── clinician answers ──▶ Talking
//! ```
//!
//! The switch gives a call its inputs one by one with a [`Context`]; the call leaves [`Effect`]s there. Every entry point
//! ends in [`Call::settle`], which carries what the legs report to the stage until nothing is left to say.
//!
//! Files in the order a call meets them: `open` (the INVITE), `guide` (the plan speaks), `keyed`, `ring` (offers), `talk` (the
//! bridge), `transfer`, `ending` (who left, the survey, the ticket's last line), `callback`.

pub mod media;

mod callback;
mod context;
mod ending;
mod guide;
mod keyed;
mod known_tickets;
mod leg;
mod open_tickets;
mod open;
mod ports;
mod ring;
mod talk;
mod transfer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::bridge::pair::expects_media;
use crate::call::media::MediaEvent;
use crate::config::Hospital;
use crate::dialog::{Failure, UsageEvent};
use crate::digit::{Digit, DigitSource};
use crate::identity::Caller;
use crate::ids::{AnalystId, CallId, HospitalId, IncidentId, Language, LegId, ServerKey, TicketNumber, TrunkId};
use crate::ivr::{self, Plan};
use crate::routing::{Need, Priority};
use crate::sip::{CSeq, Flow, Method, Request, Response, Status};
use crate::ticket::{DispositionCode, Event, HangupCause, MediaProblem, Party};
use crate::time::{Duration, Instant};

pub use callback::{Aftermath, CallbackDue, CallbackState, NEXT_ATTEMPT_AFTER, TRY_FOR, Tries};
#[cfg(test)]
pub use context::fault;
pub use context::{Context, Effect, Numbers, Reach, Target};
pub use known_tickets::{KnownTicket, KnownTickets, MAX_KNOWN};
pub use leg::Leg;
pub use open::{Incoming, Refused};
pub use open_tickets::{EndedTicket, MAX_TICKETS, OpenTickets, Owner};
pub use ports::Ports;

use ending::Survey;
use guide::Guided;
use keyed::Follows;
use talk::Talk;

/// No call lasts longer: a forgotten bridge between two machines ends some day (line F77).
const MAX_CALL: Duration = Duration::from_secs(4 * 3600);
/// Legs of one call, those that are still saying goodbye included.
const MAX_LEGS: usize = 64;
/// Leg events handled for one input; more would be a loop of ours.
const MAX_SETTLE: usize = 256;

pub struct Call {
    pub id: CallId,
    pub ticket: TicketNumber,
    pub hospital: HospitalId,
    plan: Arc<Plan>,
    language: Language,
    pub caller: Caller,
    /// The known problem that the caller was told of.
    incident: Option<IncidentId>,
    follows: Option<Follows>,
    need: Need,
    priority: Priority,
    /// What a person has said of how it ended.
    disposition: Option<DispositionCode>,
    pub test: bool,
    trunk: Option<TrunkId>,
    opened: Instant,
    /// The caller's leg; a callback has none until the clinician is dialled.
    caller_leg: Option<LegId>,
    legs: BTreeMap<LegId, Leg>,
    stage: Stage,
    callback: CallbackState,
    /// A person has dealt with what this call owes.
    callback_settled: bool,
    /// Analysts who spoke on this call, the last of them last: they owe the disposition.
    spoke: Vec<AnalystId>,
    /// Analysts whose phones were gone in mid-call: they are not rung for it again.
    lost: BTreeSet<AnalystId>,
    /// How often the caller was left alone and others were rung.
    returns: u8,
    ended: bool,
    attempt_settled: bool,
    /// What the plan wants, in order, also when carrying out one thing makes it want another.
    plan_effects: VecDeque<crate::ivr::Effect>,
    carrying: bool,
    /// Its ending is a fault of ours, too.
    #[cfg(test)]
    pub breaks_at_the_end: bool,
}

enum Stage {
    Guided(Box<Guided>),
    /// An analyst is on the line, the clinician's phone rings (a callback).
    Dialling(callback::Dialling),
    Talking(Talk),
    Survey(Survey),
    Over,
}

/// A leg event or a key, waiting for its turn.
enum Pending {
    Usage(LegId, UsageEvent),
    Key(LegId, Digit, DigitSource),
    WordsDone(LegId),
}

impl Call {
    // -- Inputs ------------------------------------------------------------------------------------------------------

    /// A request inside a dialog, and the way it came.
    pub fn request(&mut self, ctx: &mut Context<'_>, leg: LegId, server: ServerKey, request: &Request, flow: Flow) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            let admitted = leg.usage.receive_request(ctx.now, server, request);
            if admitted && matches!(request.method, Method::Invite | Method::Update) {
                leg.follow(flow);
            }
        }
        self.settle(ctx, VecDeque::new());
    }

    pub fn ack(&mut self, ctx: &mut Context<'_>, leg: LegId, request: &Request) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.usage.receive_ack(request);
        }
        self.settle(ctx, VecDeque::new());
    }

    pub fn cancelled(&mut self, ctx: &mut Context<'_>, leg: LegId, invite: ServerKey, cancel: &Request) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.usage.receive_cancel(invite, cancel);
        }
        self.settle(ctx, VecDeque::new());
    }

    /// A response, and the way it came: who asks for a password must be the one whose it is.
    pub fn response(&mut self, ctx: &mut Context<'_>, leg: LegId, response: &Response, flow: Flow) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            let asks = matches!(response.status, Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED);
            let credentials = leg.credentials(ctx, flow).filter(|_| asks);
            if !credentials.is_some_and(|credentials| leg.usage.answer_challenge(response, credentials)) {
                leg.usage.receive_response(ctx.now, response);
            }
        }
        self.settle(ctx, VecDeque::new());
    }

    /// A request of ours found nobody: timer B/F, ICMP, a refused connection.
    pub fn failed(&mut self, ctx: &mut Context<'_>, leg: LegId, cseq: &CSeq, failure: Failure) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.usage.request_failed(cseq, failure);
        }
        self.settle(ctx, VecDeque::new());
    }

    /// The stream of an unanswered INVITE is gone (line D55).
    pub fn caller_unreachable(&mut self, ctx: &mut Context<'_>, leg: LegId) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.usage.caller_unreachable();
        }
        self.settle(ctx, VecDeque::new());
    }

    pub fn media(&mut self, ctx: &mut Context<'_>, leg: LegId, event: MediaEvent) {
        let mut pending = VecDeque::new();
        let Some(open) = self.legs.get_mut(&leg) else { return };
        match event {
            MediaEvent::PlayDone { play, .. } => {
                if open.play_done(play) {
                    pending.push_back(Pending::WordsDone(leg));
                }
            }
            MediaEvent::Key { digit, source, .. } => pending.push_back(Pending::Key(leg, digit, source)),
            MediaEvent::FirstRtp { .. } => {
                open.heard = true;
                self.note_human(ctx, leg);
            }
            MediaEvent::Silent { rtcp_alive, .. } => self.went_silent(ctx, leg, rtcp_alive),
            MediaEvent::Revived { .. } => {
                if open.silent_since.take().is_some() {
                    let party = open.role.party();
                    ctx.record(Event::MediaProblem { party, problem: MediaProblem::Recovered });
                }
            }
            MediaEvent::Report { report, last, .. } => {
                if last {
                    open.media_reported();
                }
                // A phone that was only rung has nothing to measure.
                if last && open.negotiation.session().is_some() {
                    let party = open.role.party();
                    ctx.record(Event::MediaMeasured { party, report: Box::new(report) });
                }
            }
            MediaEvent::OpenFailed { .. } => {
                if self.caller_leg == Some(leg) {
                    self.hang_up(ctx, HangupCause::NoCapacity);
                    return;
                }
                // Another program holds the port: this phone could hear nobody, so the search goes on at once.
                open.usage.bye(None);
                self.leg_rejected(ctx, leg, Status::SERVICE_UNAVAILABLE);
            }
        }
        self.settle(ctx, pending);
    }

    /// The answer to [`Effect::Reserve`].
    pub fn reserved(&mut self, ctx: &mut Context<'_>, analyst: &AnalystId, granted: bool) {
        self.lease_answered(ctx, analyst, granted);
        self.settle(ctx, VecDeque::new());
    }

    /// The callback that this call booked last is kept for good.
    pub fn callback_kept(&mut self, ctx: &mut Context<'_>) {
        self.guide_input(ctx, ivr::Input::Kept);
        self.settle(ctx, VecDeque::new());
    }

    /// The desk changed: somebody may be free for this call.
    pub fn desk_freed(&mut self, ctx: &mut Context<'_>) {
        self.hunt_again(ctx);
        self.settle(ctx, VecDeque::new());
    }

    pub fn timeout(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        let mut pending = VecDeque::new();
        for (id, leg) in &mut self.legs {
            if leg.usage.poll_timeout().is_some_and(|at| at <= now) {
                leg.usage.handle_timeout(now);
            }
            leg.expire_media(now);
            if leg.play_overdue(now) {
                pending.push_back(Pending::WordsDone(*id));
            }
        }
        for leg in self.dead_legs(now) {
            self.leg_lost(ctx, leg, HangupCause::RtpTimeout);
        }
        if self.opened + MAX_CALL <= now {
            self.hang_up(ctx, HangupCause::TooLong);
        } else {
            self.stage_timeout(ctx);
        }
        self.settle(ctx, pending);
    }

    /// Ends the call from our side: shutdown, its longest length, a fault of ours.
    pub fn hang_up(&mut self, ctx: &mut Context<'_>, cause: HangupCause) {
        // Nobody chose this ending: who can be called back is.
        if !matches!(self.stage, Stage::Survey(_) | Stage::Over) {
            self.owe_for(ctx, cause);
        }
        self.finish(ctx, cause, Party::Desk);
        self.settle(ctx, VecDeque::new());
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let legs = self.legs.values().filter_map(Leg::poll_timeout);
        let silent = self.legs.values().filter_map(Leg::dead_at);
        let stage = match &self.stage {
            Stage::Guided(guided) => guided.poll_timeout(),
            Stage::Dialling(dialling) => Some(dialling.until()),
            Stage::Talking(talk) => talk.poll_timeout(),
            Stage::Survey(survey) => Some(survey.until()),
            Stage::Over => None,
        };
        let longest = (!matches!(self.stage, Stage::Over)).then_some(self.opened + MAX_CALL);
        let silent = silent.filter(|_| !matches!(self.stage, Stage::Over));
        legs.chain(silent).chain(stage).chain(longest).min()
    }

    /// Nothing is left: every leg has said goodbye and given its port back.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over) && self.legs.is_empty()
    }

    // -- What is read ------------------------------------------------------------------------------------------------

    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    pub fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.get(&id)
    }

    /// What the call came over.
    pub fn trunk(&self) -> Option<&TrunkId> {
        self.trunk.as_ref()
    }

    pub fn opened(&self) -> Instant {
        self.opened
    }

    pub fn need(&self) -> &Need {
        &self.need
    }

    pub fn callback(&self) -> &CallbackState {
        &self.callback
    }

    /// In a word, for the board.
    pub fn stage_name(&self) -> &'static str {
        match &self.stage {
            Stage::Guided(_) if self.is_without_caller() => "calling back",
            Stage::Guided(guided) if guided.is_waiting() => "waiting",
            Stage::Guided(guided) if guided.is_ringing() => "ringing",
            Stage::Guided(_) => "ivr",
            Stage::Dialling(_) => "calling back",
            Stage::Talking(_) => "talking",
            Stage::Survey(_) => "survey",
            Stage::Over => "ending",
        }
    }

    // -- Carrying on -------------------------------------------------------------------------------------------------

    /// Hands everything the legs report to the stage, until they have nothing more to say.
    fn settle(&mut self, ctx: &mut Context<'_>, mut pending: VecDeque<Pending>) {
        for _ in 0..MAX_SETTLE {
            for (id, leg) in &mut self.legs {
                pending.extend(leg.drain(ctx).into_iter().map(|event| Pending::Usage(*id, event)));
            }
            match pending.pop_front() {
                Some(Pending::Usage(leg, event)) => self.usage_event(ctx, leg, event),
                Some(Pending::Key(leg, digit, source)) => self.key(ctx, leg, digit, source),
                Some(Pending::WordsDone(leg)) => self.words_done(ctx, leg),
                None => break,
            }
        }
        self.sweep(ctx);
    }

    /// What a leg's signalling says, by kind. What it means depends on the stage.
    fn usage_event(&mut self, ctx: &mut Context<'_>, id: LegId, event: UsageEvent) {
        match event {
            UsageEvent::Ringing { .. } => self.leg_rings(ctx, id),
            // Early media from a called phone is not passed on: callers hear our own ringback (lines B33, B34).
            UsageEvent::EarlyMedia { .. } => self.leg_rings(ctx, id),
            UsageEvent::Answered { sdp } => self.leg_answered(ctx, id, sdp.as_deref()),
            UsageEvent::Rejected(rejection) => self.invite_rejected(ctx, id, &rejection),
            UsageEvent::Redirected { status, .. } => self.leg_rejected(ctx, id, status),
            UsageEvent::Confirmed { sdp } => self.leg_confirmed(ctx, id, sdp.as_deref()),
            UsageEvent::NoAck => self.leg_lost(ctx, id, HangupCause::NoAck),
            UsageEvent::NoAnswerInAck => self.leg_lost(ctx, id, HangupCause::MediaRefused),
            UsageEvent::Offer { sdp } => self.leg_offers(ctx, id, sdp.as_deref()),
            UsageEvent::OfferAnswered { sdp } => self.leg_offer_answered(ctx, id, &sdp),
            UsageEvent::OfferWithdrawn | UsageEvent::OfferRefused { .. } => {
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.negotiation.rollback();
                }
            }
            // The only offers of ours in mid-call are refreshes that say the same again.
            UsageEvent::OfferAgain | UsageEvent::RefreshDue => self.leg_refresh(id),
            UsageEvent::SessionExpired => self.leg_lost(ctx, id, HangupCause::SessionExpired),
            UsageEvent::Info { content_type, body } => self.leg_info(ctx, id, content_type.as_deref(), &body),
            UsageEvent::Refer(refer) => self.leg_refers(ctx, id, &refer),
            UsageEvent::ProbeAnswered => {}
            UsageEvent::PeerLost => self.leg_lost(ctx, id, HangupCause::PeerLost),
            UsageEvent::Ended { by_peer, .. } => {
                if by_peer {
                    self.leg_left(ctx, id);
                }
            }
        }
    }

    fn stage_timeout(&mut self, ctx: &mut Context<'_>) {
        match &self.stage {
            Stage::Guided(_) => self.guided_timeout(ctx),
            Stage::Dialling(_) => self.dialling_timeout(ctx),
            Stage::Talking(_) => self.talk_timeout(ctx),
            Stage::Survey(_) => self.survey_timeout(ctx),
            Stage::Over => {}
        }
    }

    /// Frees the media of legs whose signalling is over, and forgets them once nothing is left to wait for.
    fn sweep(&mut self, ctx: &mut Context<'_>) {
        let mut gone = Vec::new();
        for (id, leg) in &mut self.legs {
            if leg.usage.has_ended() {
                leg.close_media(ctx);
            }
            if leg.usage.is_finished() && leg.media_gone() {
                gone.push(*id);
            }
        }
        for id in gone {
            self.legs.remove(&id);
            ctx.want(Effect::LegClosed { leg: id });
        }
    }

    fn key(&mut self, ctx: &mut Context<'_>, id: LegId, digit: Digit, source: DigitSource) {
        let fresh = self.legs.get_mut(&id).is_some_and(|leg| leg.keys.is_new(ctx.now, digit, source));
        if !fresh {
            return;
        }
        match &self.stage {
            Stage::Guided(_) => self.guided_key(ctx, id, digit, source),
            Stage::Talking(_) => self.talk_key(ctx, id, digit, source),
            Stage::Survey(_) => self.survey_key(ctx, id, digit),
            Stage::Dialling(_) | Stage::Over => {}
        }
    }

    fn words_done(&mut self, ctx: &mut Context<'_>, id: LegId) {
        match &self.stage {
            Stage::Guided(_) => self.guided_words_done(ctx, id),
            Stage::Dialling(_) => self.dialling_words_done(ctx, id),
            Stage::Survey(_) => self.survey_words_done(ctx, id),
            Stage::Talking(_) | Stage::Over => {}
        }
    }

    // -- Media trouble -----------------------------------------------------------------------------------------------

    /// RTP that was due has stopped (line E68): first ask the phone whether it is there; silence by voice activity
    /// detection and comfort noise is legal.
    fn went_silent(&mut self, ctx: &mut Context<'_>, id: LegId, rtcp_alive: bool) {
        let others_silent = self.legs.values().any(|leg| leg.id != id && leg.silent_since.is_some());
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if !expects_media(&leg.negotiation) {
            return;
        }
        leg.usage.options_probe();
        // The worker says so again and again; the silence began with its first word.
        if rtcp_alive || leg.silent_since.is_some() {
            return;
        }
        leg.silent_since = Some(ctx.now);
        let problem = if others_silent { MediaProblem::Dead } else { MediaProblem::OneWay };
        ctx.record(Event::MediaProblem { party: leg.role.party(), problem });
    }

    /// Those that should be heard and have been silent beyond bearing.
    fn dead_legs(&self, now: Instant) -> Vec<LegId> {
        let is_dead = |leg: &&Leg| leg.dead_at().is_some_and(|at| at <= now);
        let watched = self.legs.values().filter(|_| !matches!(self.stage, Stage::Over));
        watched.filter(is_dead).map(|leg| leg.id).collect()
    }

    // -- Small look-ups ----------------------------------------------------------------------------------------------

    fn caller_leg(&mut self) -> Option<&mut Leg> {
        let id = self.caller_leg?;
        self.legs.get_mut(&id)
    }

    fn hospital<'a>(&self, ctx: &Context<'a>) -> Option<&'a Hospital> {
        ctx.config.hospital(&self.hospital)
    }
}

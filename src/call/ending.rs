//! How calls end: who left, what that means for the others, the analyst's "Solved?", the ticket's last line.

use crate::call::callback::CallbackState;
use crate::call::context::Context;
use crate::call::leg::Role;
use crate::call::media::MediaCommand;
use crate::call::{Call, Stage};
use crate::dialog::Reason;
use crate::digit::Digit;
use crate::ids::{AnalystId, LegId, PromptId};
use crate::ivr::Input;
use crate::ivr::prompts::A_FAULT;
use crate::ivr::whisper::{SolvedQuestion, WhisperEffect, WhisperInput};
use crate::routing::OfferOutcome;
use crate::sip::Status;
use crate::ticket::{CallbackReason, Disposition, DispositionCode, Event, HangupCause, MediaProblem, Party};
use crate::time::{Duration, Instant};

/// Time to finish the notes before the next call; an answer to "Solved?" ends it at once.
const WRAP_UP: Duration = Duration::from_secs(30);
/// The question, its pause and ten seconds; then the phone is let go whatever happened.
const SURVEY_AT_MOST: Duration = Duration::from_secs(15);

/// Whoever leaves sooner after our answer has misdialled, or thought better of it, and has not even heard "Clinical service
/// desk." to its end: nobody is woken for that.
const MISDIALLED_WITHIN: Duration = Duration::from_secs(2);

/// The caller has hung up; the analyst at a plain phone is asked for the disposition.
pub(super) struct Survey {
    leg: LegId,
    analyst: AnalystId,
    question: SolvedQuestion,
    until: Instant,
}

impl Survey {
    pub(super) fn until(&self) -> Instant {
        self.question.poll_timeout().map_or(self.until, |at| at.min(self.until))
    }
}

impl Call {
    /// A phone hung up, or its signalling ended otherwise by the peer.
    pub(super) fn leg_left(&mut self, ctx: &mut Context<'_>, id: LegId) {
        if self.caller_leg == Some(id) {
            self.caller_left(ctx);
            return;
        }
        let Some(role) = self.legs.get(&id).map(|leg| leg.role.clone()) else { return };
        match (&self.stage, role) {
            (Stage::Guided(_), Role::Analyst { .. }) => self.analyst_leg_gone(ctx, id, OfferOutcome::NotAccepted),
            (Stage::Guided(_), Role::Target(_)) => self.target_failed(ctx, id),
            (Stage::Dialling(_), Role::Analyst { .. }) => self.dialling_analyst_left(ctx),
            (Stage::Talking(talk), _) if talk.peer == id => {
                if talk.transfer.is_some() {
                    self.transferer_left(ctx, id);
                } else {
                    let by = talk.with;
                    self.finish(ctx, HangupCause::Normal, by);
                }
            }
            (Stage::Talking(_), Role::Target(_)) => self.transfer_failed(ctx, id, Status::TEMPORARILY_UNAVAILABLE),
            (Stage::Survey(survey), _) if survey.leg == id => self.survey_over(ctx, None),
            (Stage::Guided(_) | Stage::Dialling(_) | Stage::Talking(_) | Stage::Survey(_) | Stage::Over, _) => {}
        }
    }

    /// A phone is gone that has not hung up: no ACK, no answer, no audio any more. It is let go, and whoever is still there
    /// is not: a caller is given the next analyst, an analyst is asked how it ended.
    pub(super) fn leg_lost(&mut self, ctx: &mut Context<'_>, id: LegId, cause: HangupCause) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.usage.bye(reason_of(cause).as_ref());
        }
        let bridged = matches!(&self.stage, Stage::Talking(talk) if talk.peer == id && talk.transfer.is_none());
        if self.caller_leg == Some(id) {
            self.caller_lost(ctx, cause);
        } else if !bridged {
            self.leg_left(ctx, id);
        } else if self.caller_is_there() {
            self.peer_lost(ctx, id);
        } else {
            // Both are gone.
            self.owe_for(ctx, cause);
            self.finish(ctx, cause, Party::Desk);
        }
    }

    fn caller_lost(&mut self, ctx: &mut Context<'_>, cause: HangupCause) {
        match &self.stage {
            Stage::Guided(_) => {
                self.caller_gone_from_plan(ctx);
                // Whoever never confirmed our answer may never have been there.
                if !matches!(cause, HangupCause::NoAck | HangupCause::MediaRefused) {
                    self.owe_for(ctx, cause);
                }
                self.finish(ctx, cause, Party::Desk);
            }
            Stage::Talking(_) => {
                self.owe_for(ctx, cause);
                self.leave_analyst(ctx, cause, Party::Desk);
            }
            Stage::Dialling(_) | Stage::Survey(_) | Stage::Over => {}
        }
    }

    /// The caller is on the line and was heard of late.
    fn caller_is_there(&mut self) -> bool {
        self.caller_leg().is_some_and(|leg| !leg.usage.has_ended() && leg.silent_since.is_none())
    }

    /// The caller's analyst, or whoever it was, is gone in the middle of the call: others are rung.
    fn peer_lost(&mut self, ctx: &mut Context<'_>, id: LegId) {
        let Some(party) = self.legs.get(&id).map(|leg| leg.role.party()) else { return };
        ctx.record(Event::MediaProblem { party, problem: MediaProblem::Gone });
        if let Some(caller) = self.caller_leg {
            ctx.media(MediaCommand::Unbridge { a: caller, b: id });
        }
        self.free_analyst(ctx, id);
        if let Some(Role::Analyst { analyst, .. }) = self.legs.get(&id).map(|leg| &leg.role) {
            self.lost.insert(analyst.clone());
        }
        let fault = Some(PromptId::new(A_FAULT)).filter(|words| ctx.config.prompts.contains(&self.language, words));
        self.return_to_desk(ctx, fault);
    }

    /// A callback for an ending that nobody chose, where none is owed yet.
    pub(super) fn owe_for(&mut self, ctx: &mut Context<'_>, cause: HangupCause) {
        if self.callback == CallbackState::None {
            self.owe(ctx, callback_reason(cause));
        }
    }

    fn caller_left(&mut self, ctx: &mut Context<'_>) {
        match &self.stage {
            Stage::Guided(_) => {
                self.caller_gone_from_plan(ctx);
                // Where a call back is owed nothing is lost, yet no human answered: callbacks must not empty the count of
                // those who left. Whom a transfer left alone has spoken with somebody.
                let answered = !self.spoke.is_empty();
                let cause = if answered { HangupCause::Normal } else { HangupCause::Abandoned };
                self.finish(ctx, cause, Party::Caller);
            }
            Stage::Talking(_) => self.leave_analyst(ctx, HangupCause::Normal, Party::Caller),
            // A callback's ward is the caller once it has answered.
            Stage::Dialling(_) | Stage::Survey(_) | Stage::Over => {}
        }
    }

    /// The plan may owe the caller something (a mapped ward is called back), but not for a misdial.
    fn caller_gone_from_plan(&mut self, ctx: &mut Context<'_>) {
        if self.opened + MISDIALLED_WITHIN > ctx.now {
            return;
        }
        self.guide_input(ctx, Input::CallerGone);
        // Whom we left alone is owed more than a plan says of those who leave.
        let alone = matches!(&self.stage, Stage::Guided(guided) if guided.left_alone);
        if alone && self.callback == CallbackState::None {
            self.owe(ctx, CallbackReason::Abandoned);
        }
    }

    // -- "Solved? One yes, two no." ------------------------------------------------------------------------------------

    /// The caller is gone: an analyst who is still there is asked how it ended.
    fn leave_analyst(&mut self, ctx: &mut Context<'_>, cause: HangupCause, by: Party) {
        let Stage::Talking(talk) = &self.stage else { return };
        let peer = talk.peer;
        let is_there = self.legs.get(&peer).is_some_and(|leg| !leg.usage.has_ended());
        match self.talking_analyst().filter(|_| is_there) {
            Some(analyst) => self.ask_solved(ctx, peer, analyst, cause, by),
            None => self.finish(ctx, cause, by),
        }
    }

    fn ask_solved(&mut self, ctx: &mut Context<'_>, peer: LegId, analyst: AnalystId, cause: HangupCause, by: Party) {
        if let Some(caller) = self.caller_leg {
            ctx.media(MediaCommand::Unbridge { a: caller, b: peer });
        }
        self.stop_transfer(ctx);
        self.note_end(ctx, cause, by);
        let mut question = SolvedQuestion::new();
        question.handle(ctx.now, WhisperInput::Start);
        self.stage = Stage::Survey(Survey { leg: peer, analyst, question, until: ctx.now + SURVEY_AT_MOST });
        self.survey_effects(ctx);
    }

    pub(super) fn survey_key(&mut self, ctx: &mut Context<'_>, id: LegId, digit: Digit) {
        self.survey_input(ctx, id, WhisperInput::Key(digit));
    }

    pub(super) fn survey_words_done(&mut self, ctx: &mut Context<'_>, id: LegId) {
        self.survey_input(ctx, id, WhisperInput::SpokenDone);
    }

    pub(super) fn survey_timeout(&mut self, ctx: &mut Context<'_>) {
        let Stage::Survey(survey) = &self.stage else { return };
        if survey.until <= ctx.now {
            self.survey_over(ctx, None);
        } else if survey.question.poll_timeout().is_some_and(|at| at <= ctx.now) {
            let leg = survey.leg;
            self.survey_input(ctx, leg, WhisperInput::Timeout);
        }
    }

    fn survey_input(&mut self, ctx: &mut Context<'_>, id: LegId, input: WhisperInput) {
        if let Stage::Survey(survey) = &mut self.stage
            && survey.leg == id
        {
            survey.question.handle(ctx.now, input);
            self.survey_effects(ctx);
        }
    }

    fn survey_effects(&mut self, ctx: &mut Context<'_>) {
        loop {
            let Stage::Survey(survey) = &mut self.stage else { return };
            let (id, Some(effect)) = (survey.leg, survey.question.poll_effect()) else { return };
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
                WhisperEffect::Solved(solved) => self.survey_over(ctx, Some(solved)),
                WhisperEffect::Unanswered => self.survey_over(ctx, None),
                // Words of the other dialog.
                WhisperEffect::Accepted | WhisperEffect::Refused => {}
            }
        }
    }

    /// The analyst is let go; without an answer the disposition stays due.
    fn survey_over(&mut self, ctx: &mut Context<'_>, solved: Option<bool>) {
        let Stage::Survey(survey) = std::mem::replace(&mut self.stage, Stage::Over) else { return };
        let mut wrap_up = WRAP_UP;
        if let Some(solved) = solved {
            wrap_up = Duration::ZERO;
            let code = if solved { DispositionCode::Solved } else { DispositionCode::Open };
            let disposition = Disposition { code, solved: Some(solved), note: None };
            ctx.record(Event::DispositionSet { by: survey.analyst.clone(), disposition });
            self.callback_settled(code);
        }
        ctx.desk.hung_up(&survey.analyst, self.id, ctx.now, wrap_up);
        self.let_all_go(ctx, None);
    }

    // -- The end -----------------------------------------------------------------------------------------------------

    /// Ends the call for everybody: phones, desk, waiting line, ticket. Only the first ending counts.
    pub(super) fn finish(&mut self, ctx: &mut Context<'_>, cause: HangupCause, by: Party) {
        #[cfg(test)]
        assert!(!self.breaks_at_the_end, "a fault made on purpose");
        if matches!(self.stage, Stage::Over) {
            return;
        }
        if let Some(analyst) = self.talking_analyst() {
            ctx.desk.hung_up(&analyst, self.id, ctx.now, WRAP_UP);
        }
        self.stop_hunt(ctx);
        self.stop_target();
        self.stop_transfer(ctx);
        self.note_end(ctx, cause, by);
        self.stage = Stage::Over;
        ctx.desk.call_over(self.id, ctx.now);
        ctx.line.leave(self.id);
        self.let_all_go(ctx, reason_of(cause).as_ref());
    }

    /// The ticket's last line of the call itself, once.
    fn note_end(&mut self, ctx: &mut Context<'_>, cause: HangupCause, by: Party) {
        if !std::mem::replace(&mut self.ended, true) {
            ctx.record(Event::CallEnded { cause, by });
        }
        self.settle_callback(ctx, cause);
    }

    pub(super) fn let_all_go(&mut self, ctx: &mut Context<'_>, reason: Option<&Reason>) {
        for leg in self.legs.values_mut() {
            leg.usage.bye(reason);
            leg.close_media(ctx);
        }
    }

    // -- After a fault of ours ---------------------------------------------------------------------------------------

    /// A step of this call broke, and [`Call::hang_up`] may have done nothing or half of it: no offer stays open on the
    /// ticket, it has its last line, and the stage takes no step any more.
    pub fn close_book(&mut self, ctx: &mut Context<'_>) {
        self.note_end(ctx, HangupCause::InternalError, Party::Desk);
        if let Stage::Guided(guided) = std::mem::replace(&mut self.stage, Stage::Over) {
            for (analyst, offer) in guided.offers {
                ctx.record(Event::OfferEnded { offer: offer.id, analyst, outcome: OfferOutcome::Withdrawn });
            }
        }
    }

    /// One phone of it hears BYE or CANCEL, and its media path is given back.
    pub fn let_go(&mut self, ctx: &mut Context<'_>, leg: LegId) {
        let Some(leg) = self.legs.get_mut(&leg) else { return };
        leg.usage.bye(reason_of(HangupCause::InternalError).as_ref());
        // What it still has to say is for nobody.
        leg.drain(ctx);
        leg.close_media(ctx);
    }

    /// Not even that went well: nothing of it is touched any more.
    pub fn drop_leg(&mut self, leg: LegId) {
        self.legs.remove(&leg);
    }

    pub fn leg_ids(&self) -> Vec<LegId> {
        self.legs.keys().copied().collect()
    }

    /// This leg's analyst leaves the call, which goes on without.
    pub(super) fn free_analyst(&mut self, ctx: &mut Context<'_>, leg: LegId) {
        if let Some(Role::Analyst { analyst, .. }) = self.legs.get(&leg).map(|leg| &leg.role) {
            ctx.desk.hung_up(analyst, self.id, ctx.now, WRAP_UP);
        }
    }

    /// Who owes the disposition.
    pub fn last_analyst(&self) -> Option<&AnalystId> {
        self.spoke.last()
    }
}

/// Why somebody is called back whose call ended so.
fn callback_reason(cause: HangupCause) -> CallbackReason {
    match cause {
        HangupCause::NoAck
        | HangupCause::MediaRefused
        | HangupCause::RtpTimeout
        | HangupCause::PeerLost
        | HangupCause::SessionExpired => CallbackReason::LineLost,
        HangupCause::TooLong => CallbackReason::TooLong,
        HangupCause::Shutdown => CallbackReason::Shutdown,
        HangupCause::Abandoned => CallbackReason::Abandoned,
        HangupCause::Normal
        | HangupCause::PlanEnded
        | HangupCause::Transferred
        | HangupCause::NoCapacity
        | HangupCause::NodeFailure
        | HangupCause::InternalError => CallbackReason::NodeFailure,
    }
}

/// What phones may show of an ending that nobody there asked for.
fn reason_of(cause: HangupCause) -> Option<Reason> {
    match cause {
        HangupCause::RtpTimeout => Some(Reason::sip(Status::REQUEST_TIMEOUT, "No media")),
        HangupCause::NoCapacity => Some(Reason::sip(Status::SERVICE_UNAVAILABLE, "No capacity")),
        HangupCause::Shutdown => Some(Reason::sip(Status::SERVICE_UNAVAILABLE, "Maintenance")),
        HangupCause::InternalError => Some(Reason::sip(Status::SERVER_INTERNAL_ERROR, "Fault")),
        HangupCause::Normal
        | HangupCause::Abandoned
        | HangupCause::NoAck
        | HangupCause::MediaRefused
        | HangupCause::PeerLost
        | HangupCause::SessionExpired
        | HangupCause::TooLong
        | HangupCause::PlanEnded
        | HangupCause::Transferred
        | HangupCause::NodeFailure => None,
    }
}

//! Blind transfer by REFER (RFC 3515), to declared targets alone. The caller stays with the analyst until the target
//! answers; when it does not, nothing has changed for the caller.

use std::sync::Arc;

use crate::bridge::transfer::{Declared, TransferRefusal, judge};
use crate::call::callback::CallbackState;
use crate::call::context::Context;
use crate::call::guide::{CameBy, Guided};
use crate::call::leg::Role;
use crate::call::media::MediaCommand;
use crate::call::{Call, Stage};
use crate::dialog::ReferRequest;
use crate::ids::{LegId, PromptId, TargetId};
use crate::ivr::Interpreter;
use crate::sip::{Headers, Status, Uri};
use crate::ticket::{CallbackReason, Event, HangupCause, Party};
use crate::time::{Duration, Instant};

/// How long a target may ring before the caller goes back to the analyst.
const TARGET_RINGS_FOR: Duration = Duration::from_secs(20);

/// How often others are rung for a caller who was left alone.
const MAX_RETURNS: u8 = 2;

/// A target being rung while the analyst still has the caller.
pub(super) struct Transfer {
    target: TargetId,
    pub(super) leg: LegId,
    pub(super) until: Instant,
}

impl Call {
    /// "Transfer" was pressed on a phone of the bridge.
    pub(super) fn leg_refers(&mut self, ctx: &mut Context<'_>, id: LegId, refer: &ReferRequest) {
        let verdict = self.judge_refer(ctx, id, refer);
        let target = match verdict {
            Ok(target) => target,
            Err(refusal) => {
                ctx.record(Event::TransferEnded { target: refusal.to_string(), ok: false });
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.usage.refer_refuse(refusal.status());
                }
                return;
            }
        };
        ctx.record(Event::TransferAsked { target: target.to_string() });
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.usage.refer_accept();
        }
        let reached = self.declared_target(ctx, &target);
        let leg = reached.and_then(|reached| self.invite(ctx, Role::Target(target.clone()), reached));
        match (leg, &mut self.stage) {
            (Some(leg), Stage::Talking(talk)) => {
                talk.transfer = Some(Transfer { target, leg, until: ctx.now + TARGET_RINGS_FOR });
            }
            (Some(_) | None, _) => {
                ctx.record(Event::TransferEnded { target: target.to_string(), ok: false });
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.usage.notify_refer(Status::SERVICE_UNAVAILABLE, "Target unreachable");
                }
            }
        }
    }

    /// Only the far side of the caller may transfer, one transfer at a time, to the hospital's declared targets.
    fn judge_refer(&self, ctx: &Context<'_>, id: LegId, refer: &ReferRequest) -> Result<TargetId, TransferRefusal> {
        let allowed = matches!(&self.stage, Stage::Talking(talk) if talk.peer == id && talk.transfer.is_none());
        let hospital = self.hospital(ctx).filter(|_| allowed).ok_or(TransferRefusal::Undeclared)?;
        let declared: Vec<Declared> = hospital
            .targets
            .values()
            .map(|target| Declared { id: target.id.clone(), number: target.number.clone() })
            .collect();
        let ours = |uri: &Uri| {
            let realm = uri.host.to_string().eq_ignore_ascii_case(&ctx.config.node.registration.realm);
            let listeners = ctx.config.node.listeners.values();
            realm
                || uri.host.ip().is_some_and(|ip| {
                    listeners.into_iter().any(|listener| listener.advertised.ip() == ip || listener.bind.ip() == ip)
                })
        };
        let mut headers = Headers::new();
        headers.push("Refer-To", &refer.refer_to);
        judge(&headers, &declared, ours).map(|transfer| transfer.target)
    }

    /// The target took the call: it replaces the analyst, who is done.
    pub(super) fn transfer_answered(&mut self, ctx: &mut Context<'_>, id: LegId) {
        let (Some(caller), Stage::Talking(talk)) = (self.caller_leg, &mut self.stage) else { return };
        let Some(transfer) = talk.transfer.take_if(|transfer| transfer.leg == id) else { return };
        let analyst = talk.peer;
        ctx.record(Event::TransferEnded { target: transfer.target.to_string(), ok: true });
        ctx.media(MediaCommand::Unbridge { a: caller, b: analyst });
        if let Some(leg) = self.legs.get_mut(&analyst) {
            leg.usage.notify_refer(Status::OK, "OK");
            leg.usage.bye(None);
        }
        self.free_analyst(ctx, analyst);
        self.talk(ctx, id, Party::Target);
    }

    /// The target did not take it: the caller is still, or again, with the analyst.
    pub(super) fn transfer_failed(&mut self, ctx: &mut Context<'_>, id: LegId, status: Status) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let Some(transfer) = talk.transfer.take_if(|transfer| transfer.leg == id) else { return };
        let peer = talk.peer;
        ctx.record(Event::TransferEnded { target: transfer.target.to_string(), ok: false });
        match self.legs.get_mut(&peer).filter(|leg| !leg.usage.has_ended()) {
            Some(leg) => leg.usage.notify_refer(status, "Transfer failed"),
            // The analyst hung up when the transfer began: ring again, the same analyst first.
            None => self.return_to_desk(ctx, None),
        }
    }

    /// There is no caller to transfer any more: the target stops ringing, and who asked for it is told.
    pub(super) fn stop_transfer(&mut self, ctx: &mut Context<'_>) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let Some(transfer) = talk.transfer.take() else { return };
        let peer = talk.peer;
        ctx.record(Event::TransferEnded { target: transfer.target.to_string(), ok: false });
        if let Some(leg) = self.legs.get_mut(&peer).filter(|leg| !leg.usage.has_ended()) {
            leg.usage.notify_refer(Status::REQUEST_TERMINATED, "Caller gone");
        }
        if let Some(leg) = self.legs.get_mut(&transfer.leg) {
            leg.usage.bye(None);
        }
    }

    /// The analyst hung up while the target rings: the caller hears ringback, the transfer goes on.
    pub(super) fn transferer_left(&mut self, ctx: &mut Context<'_>, analyst: LegId) {
        if let Some(caller) = self.caller_leg {
            ctx.media(MediaCommand::Unbridge { a: caller, b: analyst });
        }
        self.free_analyst(ctx, analyst);
        self.play_ringback(ctx);
    }

    /// Back to the plan and its hunt with a caller who was left alone: by a transfer, or by a phone that is gone, of which
    /// `fault` speaks first. Who was left alone too often is given the plan's last words instead, and called back.
    pub(super) fn return_to_desk(&mut self, ctx: &mut Context<'_>, fault: Option<PromptId>) {
        if self.caller_leg.is_none() {
            self.finish(ctx, HangupCause::Transferred, Party::Desk);
            return;
        }
        self.returns = self.returns.saturating_add(1);
        let rings = self.returns <= MAX_RETURNS;
        let came_by = CameBy { trunk: self.trunk.clone(), dialled: String::new(), digits: None };
        let facts = self.facts(ctx, came_by);
        let mut guide = Interpreter::new(Arc::clone(&self.plan), Arc::clone(&ctx.config.prompts), facts);
        if matches!(self.callback, CallbackState::Owed { reason: CallbackReason::Incident }) {
            guide.owes_for_incident();
        }
        let hunting = Arc::clone(&self.plan.hunting);
        self.stage = Stage::Guided(Box::new(Guided::again(Arc::clone(&hunting), Some(guide))));
        self.play_ringback(ctx);
        let mut seeks = false;
        self.with_guide(ctx, |guide, now, world| seeks = guide.begin_again(now, fault, rings, world));
        if seeks {
            self.begin_hunt(ctx, &hunting);
        }
    }
}

//! The INVITE: media, identity, need, the 200, and the plan's first steps, all within one input.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::bridge::Refusal;
use crate::call::callback::CallbackState;
use crate::call::context::Context;
use crate::call::guide::{CameBy, Guided};
use crate::call::leg::{Leg, LegPlan, Role};
use crate::call::{Call, Stage};
use crate::config::Hospital;
use crate::dialog::{DialogError, LocalIdentity, Usage};
use crate::identity::{Caller, NumberRules, Signalled, identify};
use crate::ids::{CallId, Language, ServerKey, TicketNumber, TrunkId};
use crate::ivr::Plan;
use crate::routing::{Level, Need, Priority};
use crate::sip::{Flow, Request, Status};
use crate::ticket::{CallOpened, Event};
use crate::time::Duration;

/// Offers went out with our 200; a caller who has not acknowledged by then rings nobody any more.
pub(super) const ACK_WITHIN: Duration = Duration::from_secs(2);

/// A call that may be opened: everything the switch found out about the INVITE.
pub struct Incoming<'a> {
    pub call: CallId,
    pub ticket: TicketNumber,
    pub server: ServerKey,
    pub request: &'a Request,
    pub flow: Flow,
    /// The phone registered with us: spoken to on its own flow.
    pub pinned: bool,
    pub trunk: Option<TrunkId>,
    pub hospital: &'a Hospital,
    pub plan: Arc<Plan>,
    pub language: Language,
    pub signalled: Signalled,
    pub rules: &'a NumberRules,
    pub dialled: String,
    /// Digits that came behind the number.
    pub digits: Option<String>,
    /// An emergency number was dialled at a phone that has no PBX: the operator is rung, and nobody is asked anything.
    pub emergency: bool,
    pub identity: LocalIdentity,
    pub test: bool,
    /// The hospital is not live yet.
    pub rehearsal: bool,
}

/// Why an INVITE opens no call: the answer it gets. No ticket: nothing was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub status: Status,
    /// What the answer says besides: Warning, or Accept.
    pub header: Option<(&'static str, String)>,
    pub reason: String,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        let header = refusal.warning.map(|warning| ("Warning", warning));
        Refused { status: refusal.status, header, reason: refusal.reason }
    }
}

impl From<DialogError> for Refused {
    fn from(error: DialogError) -> Refused {
        let header = error.header().map(|(name, value)| (name, value.to_owned()));
        Refused { status: error.status(), header, reason: error.to_string() }
    }
}

impl Call {
    /// Opens the call and answers it: ticket, media leg, 200 with SDP, and already the first offer to an analyst.
    ///
    /// # Errors
    /// The refusal to send when there is no port, or no session to agree on; then nothing of the call exists.
    pub fn incoming(ctx: &mut Context<'_>, incoming: Incoming<'_>) -> Result<Call, Refused> {
        let plan = LegPlan {
            role: Role::Caller,
            flow: incoming.flow,
            pinned: incoming.pinned,
            trunk: incoming.trunk.clone(),
            prefer: None,
            others: Vec::new(),
        };
        let Some((port, mut negotiation)) = Leg::negotiation(ctx, &plan) else {
            let reason = "every media port is in use".to_owned();
            return Err(Refused { status: Status::SERVICE_UNAVAILABLE, header: None, reason });
        };
        let usage = Usage::uas(incoming.server, incoming.request, incoming.identity.clone());
        let opened = usage.map_err(Refused::from).and_then(|usage| {
            let sdp = match usage.initial_offer() {
                Some(offer) => negotiation.answer(offer)?,
                None => negotiation.offer(),
            };
            Ok((sdp, usage))
        });
        let (sdp, mut usage) = match opened {
            Ok(opened) => opened,
            Err(refused) => {
                ctx.ports.give_back(ctx.now, port);
                return Err(refused);
            }
        };
        let sip_call_id = incoming.request.headers.call_id().to_owned();
        let id = ctx.numbers.leg();
        let mut call = Call::accepted(ctx, &incoming, id);
        usage.answer(ctx.now, &sdp);
        let mut leg = Leg::open(ctx, call.id, id, plan, usage, (port, negotiation), sip_call_id);
        leg.apply_session(ctx);
        call.legs.insert(id, leg);
        ctx.record(Event::Answered);
        let origin = CameBy { trunk: incoming.trunk, dialled: incoming.dialled, digits: incoming.digits };
        call.begin_plan(ctx, incoming.plan, origin, incoming.emergency);
        call.settle(ctx, VecDeque::new());
        Ok(call)
    }

    /// The call as a value, with its first two records.
    fn accepted(ctx: &mut Context<'_>, incoming: &Incoming<'_>, leg: crate::ids::LegId) -> Call {
        let caller = identify(&incoming.signalled, incoming.rules, &incoming.hospital.directory, ctx.wall);
        let need = need_of(&caller, &incoming.language);
        ctx.record(Event::CallOpened(CallOpened {
            ticket: incoming.ticket,
            hospital: incoming.hospital.id.clone(),
            plan: incoming.plan.id.clone(),
            language: incoming.language.clone(),
            trunk: incoming.trunk.clone(),
            calling: calling(&caller, &incoming.signalled),
            dialled: incoming.dialled.clone(),
            sip_call_id: incoming.request.headers.call_id().to_owned(),
            test: incoming.test,
            rehearsal: incoming.rehearsal,
            continues: None,
        }));
        ctx.record(Event::CallerIdentified { caller: Box::new(caller.clone()) });
        Call {
            id: incoming.call,
            ticket: incoming.ticket,
            hospital: incoming.hospital.id.clone(),
            plan: Arc::clone(&incoming.plan),
            language: incoming.language.clone(),
            caller,
            incident: None,
            follows: None,
            need,
            priority: Priority::Normal,
            disposition: None,
            test: incoming.test,
            trunk: incoming.trunk.clone(),
            opened: ctx.now,
            caller_leg: Some(leg),
            legs: BTreeMap::new(),
            stage: Stage::Guided(Box::new(Guided::new(ctx.now))),
            callback: CallbackState::None,
            callback_settled: false,
            spoke: Vec::new(),
            lost: BTreeSet::new(),
            returns: 0,
            ended: false,
            attempt_settled: false,
            plan_effects: VecDeque::new(),
            carrying: false,
            #[cfg(test)]
            breaks_at_the_end: false,
        }
    }
}

/// What the place alone says of the need.
pub(super) fn need_of(caller: &Caller, language: &Language) -> Need {
    let ehr = caller.ehr.as_ref().map(|ehr| &ehr.value);
    Need {
        hospital: caller.hospital.clone(),
        site: caller.place.as_ref().map(|place| place.value.site.clone()),
        system: ehr.map(|ehr| ehr.system.clone()),
        module: ehr.and_then(|ehr| ehr.module.clone()),
        release: ehr.and_then(|ehr| ehr.release.clone()),
        language: language.clone(),
        level: Level::default(),
    }
}

/// The number that calls. A registered phone whose user name is no number is named by it all the same: its password
/// says who it is (line C51).
fn calling(caller: &Caller, signalled: &Signalled) -> String {
    let number = caller.number.as_ref().map(|number| number.value.clone());
    number.or_else(|| signalled.registered.as_ref().map(|user| user.to_string())).unwrap_or_default()
}

//! Everything that is remembered. Each [`Record`] is appended to the journal before the packets of the same batch
//! leave; tickets, call records, bindings and reports are projections of these.
//!
//! Secrets never stand here: a keyed PIN or a password is recorded as its verdict.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bridge::MediaReport;
use crate::digit::{Digit, DigitSource};
use crate::identity::{Caller, Suspect, Tally};
use crate::ids::{
    AnalystId, CallId, Extension, HospitalId, IncidentId, Language, OfferId, PlanId, PromptId, RungId, Seq, StepId,
    TargetId, TicketNumber, TrunkId,
};
pub use crate::registrar::BindingRecord;
use crate::routing::{Attestation, Decision, Incident, Need, OfferOutcome, Priority};

use super::standing::{Confirmation, Standing};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub seq: Seq,
    pub at: Timestamp,
    /// The call this belongs to; `None` for what concerns the desk as a whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub call: Option<CallId>,
    #[serde(flatten)]
    pub event: Event,
}

/// Which side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    Caller,
    Analyst,
    /// The hospital operator or another declared target.
    Target,
    /// Wardline itself.
    Desk,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    // -- A call, in the order things happen ------------------------------------------------------------------------
    /// The INVITE was accepted: the call and its ticket exist.
    CallOpened(CallOpened),
    CallerIdentified {
        caller: Box<Caller>,
    },
    /// Our 200 left.
    Answered,
    /// The caller's ACK came.
    Confirmed,
    StepEntered {
        step: StepId,
    },
    /// A playback began. `words` is what the manifest says of the prompts, joined.
    Spoken {
        prompts: Vec<PromptId>,
        words: String,
    },
    /// A key outside a secret `collect`.
    KeyPressed {
        digit: Digit,
        source: DigitSource,
    },
    /// A key of one of two who talk. It belongs to the other phone, and may be part of what nobody else should know: which key
    /// it was is not kept.
    KeyInTalk {
        by: Party,
    },
    /// A secret or a badge was keyed; only the verdict is kept.
    Collected {
        step: StepId,
        accepted: bool,
    },
    /// The caller keyed the number of an earlier ticket.
    TicketLinked {
        ticket: TicketNumber,
    },
    NeedSettled {
        need: Need,
        by: NeedSource,
    },
    /// A question was left out because no answer to it would change who is rung.
    QuestionSkipped {
        step: StepId,
    },
    /// How it is ranked among calls that wait.
    PrioritySet {
        priority: Priority,
    },
    /// The caller was told of a known problem: the ticket is linked to it.
    IncidentTold {
        incident: IncidentId,
        note: String,
    },
    RouteDecided {
        decision: Box<Decision>,
    },
    OfferSent {
        offer: OfferId,
        analyst: AnalystId,
        rung: RungId,
        outside: bool,
    },
    /// The phone rings (first 180/183).
    OfferRinging {
        offer: OfferId,
        analyst: AnalystId,
    },
    OfferEnded {
        offer: OfferId,
        analyst: AnalystId,
        outcome: OfferOutcome,
    },
    /// The winner. Exactly one a call, unless it is transferred or called back.
    AnalystAnswered {
        offer: OfferId,
        analyst: AnalystId,
    },
    Bridged {
        with: Party,
    },
    /// First RTP of the human's voice: "seconds to human" ends here.
    HumanHeard,
    Held {
        by: Party,
    },
    Resumed {
        by: Party,
    },
    TransferAsked {
        target: String,
    },
    TransferEnded {
        target: String,
        ok: bool,
    },
    TargetRung {
        target: TargetId,
    },
    MediaProblem {
        party: Party,
        problem: MediaProblem,
    },
    MediaMeasured {
        party: Party,
        report: Box<MediaReport>,
    },
    /// Keyed or set by the analyst.
    DispositionSet {
        by: AnalystId,
        disposition: Disposition,
    },
    CallEnded {
        cause: HangupCause,
        by: Party,
    },

    // -- Callbacks: owed until both spoke, or a person has dealt with them --------------------------------------------
    CallbackBooked {
        number: Extension,
        due: Timestamp,
        reason: CallbackReason,
    },
    /// `attempt`: attempts so far, this one among them only if the ward's phone was rung ([`CallbackOutcome::rang`]).
    CallbackAttempted {
        attempt: u8,
        outcome: CallbackOutcome,
    },
    /// Wardline tries no more by itself. It stays owed until a person deals with it.
    CallbackGivenUp,
    /// Both spoke, or it is not needed any more.
    CallbackClosed,

    // -- The desk --------------------------------------------------------------------------------------------------------
    /// A process began to serve. Calls still open before this record were cut by a failure of the node.
    NodeStarted {
        version: String,
        config: String,
    },
    /// A whole shutdown: nothing was cut.
    NodeStopped,
    AnalystStateSet {
        analyst: AnalystId,
        state: AnalystStateRecord,
        reason: Option<String>,
    },
    IncidentOpened(Box<Incident>),
    /// A qualification counts for a release from now on.
    Attested(Box<Attestation>),
    /// What callers wait for: their call backs are due now.
    IncidentResolved {
        incident: IncidentId,
        by: String,
    },
    /// A hospital went live, or back to rehearsal.
    StandingSet {
        hospital: HospitalId,
        standing: Standing,
    },
    /// What no record shows, by a person's word.
    ItemConfirmed {
        hospital: HospitalId,
        confirmation: Confirmation,
    },
    BindingSet(BindingRecord),
    BindingRemoved {
        aor: String,
        contact: String,
    },
    /// Highest nonce count seen, so that a replay stays refused after a restart.
    NonceUsed {
        nonce: String,
        count: u32,
        expires: Timestamp,
    },
    /// A wrong PIN or badge was counted, and may have begun a lock; never what was keyed.
    WrongCounted(Box<Tally>),
    /// The right PIN was keyed, or an admin has lifted the lock.
    TallyCleared {
        hospital: HospitalId,
        suspect: Suspect,
    },
    /// Who did what to what, and why. Append-only.
    Audit {
        actor: String,
        action: String,
        object: String,
        reason: Option<String>,
    },
}

impl Event {
    /// The name this event has in the journal and in the store ("call-opened").
    pub fn kind(&self) -> &'static str {
        match self {
            Event::CallOpened(_) => "call-opened",
            Event::CallerIdentified { .. } => "caller-identified",
            Event::Answered => "answered",
            Event::Confirmed => "confirmed",
            Event::StepEntered { .. } => "step-entered",
            Event::Spoken { .. } => "spoken",
            Event::KeyPressed { .. } => "key-pressed",
            Event::KeyInTalk { .. } => "key-in-talk",
            Event::Collected { .. } => "collected",
            Event::TicketLinked { .. } => "ticket-linked",
            Event::NeedSettled { .. } => "need-settled",
            Event::QuestionSkipped { .. } => "question-skipped",
            Event::PrioritySet { .. } => "priority-set",
            Event::IncidentTold { .. } => "incident-told",
            Event::RouteDecided { .. } => "route-decided",
            Event::OfferSent { .. } => "offer-sent",
            Event::OfferRinging { .. } => "offer-ringing",
            Event::OfferEnded { .. } => "offer-ended",
            Event::AnalystAnswered { .. } => "analyst-answered",
            Event::Bridged { .. } => "bridged",
            Event::HumanHeard => "human-heard",
            Event::Held { .. } => "held",
            Event::Resumed { .. } => "resumed",
            Event::TransferAsked { .. } => "transfer-asked",
            Event::TransferEnded { .. } => "transfer-ended",
            Event::TargetRung { .. } => "target-rung",
            Event::MediaProblem { .. } => "media-problem",
            Event::MediaMeasured { .. } => "media-measured",
            Event::DispositionSet { .. } => "disposition-set",
            Event::CallEnded { .. } => "call-ended",
            Event::CallbackBooked { .. } => "callback-booked",
            Event::CallbackAttempted { .. } => "callback-attempted",
            Event::CallbackGivenUp => "callback-given-up",
            Event::CallbackClosed => "callback-closed",
            Event::NodeStarted { .. } => "node-started",
            Event::NodeStopped => "node-stopped",
            Event::AnalystStateSet { .. } => "analyst-state-set",
            Event::IncidentOpened(_) => "incident-opened",
            Event::IncidentResolved { .. } => "incident-resolved",
            Event::Attested(_) => "attested",
            Event::StandingSet { .. } => "standing-set",
            Event::ItemConfirmed { .. } => "item-confirmed",
            Event::BindingSet(_) => "binding-set",
            Event::BindingRemoved { .. } => "binding-removed",
            Event::NonceUsed { .. } => "nonce-used",
            Event::WrongCounted(_) => "wrong-counted",
            Event::TallyCleared { .. } => "tally-cleared",
            Event::Audit { .. } => "audit",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallOpened {
    pub ticket: TicketNumber,
    pub hospital: HospitalId,
    pub plan: PlanId,
    pub language: Language,
    /// `None` when a registered phone of ours called.
    pub trunk: Option<TrunkId>,
    /// As signalled; empty when anonymous.
    pub calling: String,
    pub dialled: String,
    /// SIP Call-ID of the caller's leg.
    pub sip_call_id: String,
    /// A call of the canary: left out of every figure.
    pub test: bool,
    /// The hospital was in rehearsal: left out of the figures. Calls from before there was a rehearsal were in none.
    #[serde(default)]
    pub rehearsal: bool,
    /// Set when this call works off a callback of an earlier one, whose ticket it continues.
    pub continues: Option<CallId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeedSource {
    /// The place says it all.
    Place,
    Key,
    /// Silence or a wrong key.
    NoKey,
    Plan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaProblem {
    /// No RTP at all while it was due.
    Dead,
    /// One side is heard, the other not.
    OneWay,
    /// RTP and RTCP came back.
    Recovered,
    /// Keys were pressed and lost.
    KeysLost,
    /// The phone is gone in mid-call, and others are rung for the caller.
    Gone,
}

/// How signalling ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HangupCause {
    /// A BYE after the bridge.
    Normal,
    /// The caller left before a human answered.
    Abandoned,
    NoAck,
    /// No common codec or a broken SDP.
    MediaRefused,
    RtpTimeout,
    /// A peer stopped answering signalling.
    PeerLost,
    /// Nobody confirmed the session in time (RFC 4028).
    SessionExpired,
    /// It had lasted as long as any call may.
    TooLong,
    /// The plan ended the call: callback booked, message left, or hangup step.
    PlanEnded,
    Transferred,
    NoCapacity,
    NodeFailure,
    Shutdown,
    /// A fault of ours in this one call.
    InternalError,
}

/// How the call ended for the desk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition {
    pub code: DispositionCode,
    /// Solved at first contact, by the analyst's word.
    pub solved: Option<bool>,
    pub note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DispositionCode {
    Solved,
    /// Work goes on after the call.
    Open,
    /// Patients, visitors, wrong number.
    NotForUs,
    Test,
}

impl DispositionCode {
    pub fn as_str(self) -> &'static str {
        match self {
            DispositionCode::Solved => "solved",
            DispositionCode::Open => "open",
            DispositionCode::NotForUs => "not-for-us",
            DispositionCode::Test => "test",
        }
    }

    /// Nobody has to call back any more, though Wardline would still try.
    pub fn settles_callback(self) -> bool {
        match self {
            DispositionCode::Solved | DispositionCode::NotForUs | DispositionCode::Test => true,
            DispositionCode::Open => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallbackReason {
    /// Booked by itself after 10 s of waiting.
    Waiting,
    /// The caller pressed for it.
    Asked,
    NobodyFree,
    OperatorSilent,
    /// A mapped ward phone hung up before a human answered.
    Abandoned,
    NodeFailure,
    /// A phone of the call was gone in the middle of it.
    LineLost,
    /// The call had lasted as long as any may.
    TooLong,
    /// Wardline was stopped.
    Shutdown,
    /// The caller wants to be called when the known problem is fixed: not tried before.
    Incident,
    /// The known problem is fixed.
    IncidentResolved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallbackOutcome {
    /// The ward's phone was not rung.
    NoAnalyst,
    /// It made room for a caller who waits on the line.
    PutOff,
    /// The analyst hung up before the ward's phone rang.
    AnalystLeft,
    /// There is no way to the ward: its PBX does not answer or does not serve, or no port is left.
    NoWay,
    /// The PBX says that the ward's phone is not there.
    ClinicianUnreachable,
    /// The ward's phone was busy, and was not rung.
    ClinicianBusy,
    /// A stop or a failure of the node cut the attempt; whether the ward's phone was rung is not known.
    Cut,
    /// The ward's phone rang, and nobody picked it up.
    ClinicianNoAnswer,
    BothSpoke,
    /// The ward's phone rang; one of the two left, was gone, or was not heard. Or a fault of ours ended the attempt, wherever
    /// it was.
    Failed,
}

impl CallbackOutcome {
    /// Whether the ward's phone was rung: only then it counts as an attempt.
    pub fn rang(self) -> bool {
        match self {
            CallbackOutcome::NoAnalyst
            | CallbackOutcome::PutOff
            | CallbackOutcome::AnalystLeft
            | CallbackOutcome::NoWay
            | CallbackOutcome::ClinicianUnreachable
            | CallbackOutcome::ClinicianBusy
            | CallbackOutcome::Cut => false,
            CallbackOutcome::ClinicianNoAnswer | CallbackOutcome::BothSpoke | CallbackOutcome::Failed => true,
        }
    }
}

/// What an analyst declares. Ringing, on call and wrap-up are derived from the calls themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnalystStateRecord {
    SignedOut,
    Available,
    Paused,
}

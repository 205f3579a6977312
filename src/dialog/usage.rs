//! One leg: the INVITE usage of a dialog (RFC 5057), from the INVITE to the last response to its BYE.
//!
//! ```text
//!   their INVITE --> Incoming --answer--> Confirmed --BYE, either side--> Closing --> Over
//!                        |                   ^  |                            ^
//!                        | reject, CANCEL    |  | no ACK, peer lost          |
//!                        +-------------> Over|  +----------------------------+
//!   our INVITE ----> Outgoing ---2xx---------+                               |
//!                        | refusal, failure --> Over                         |
//!                        +-- cancelled, yet 2xx -----------------------------+
//! ```
//!
//! Each phase is a type of its own in its own file; an input consumes the phase and returns the next one.

use thiserror::Error;

use super::closing::Closing;
use super::confirmed::Confirmed;
use super::context::Context;
use super::event::{EndCause, Failure, Output, Reason};
use super::state::{Dialog, DialogError, DialogId};
use super::uac::{Invite, Outgoing};
use super::uas::Incoming;
use crate::ids::ServerKey;
use crate::sip::digest::Credentials;
use crate::sip::{CSeq, Method, Request, Response, Status, Uri};
use crate::time::{Duration, Instant};

/// Who we are in one dialog.
#[derive(Clone, Debug)]
pub struct LocalIdentity {
    /// Where the peer sends its requests.
    pub contact: Uri,
    /// Unique in space and time (19.3); made by the caller.
    pub tag: String,
    /// Any number that differs from leg to leg: the delays after glare are drawn from it.
    pub seed: u64,
    /// The session interval that we ask for (RFC 4028); `None`: no session timer.
    pub session: Option<Duration>,
}

/// The command does not fit the leg's state; nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotNow {
    #[error("an offer is under way")]
    OfferUnderWay,
    #[error("the leg is not confirmed")]
    NotConfirmed,
}

/// See the file's head.
#[derive(Debug)]
pub struct Usage {
    context: Context,
    phase: Phase,
}

#[derive(Debug)]
pub(super) enum Phase {
    Incoming(Box<Incoming>),
    Outgoing(Box<Outgoing>),
    Confirmed(Box<Confirmed>),
    Closing(Box<Closing>),
    Over,
}

impl Usage {
    // Both beginnings.

    /// A leg that calls us. Nothing is sent yet. On error answer [`DialogError::response`].
    pub fn uas(server: ServerKey, invite: &Request, local: LocalIdentity) -> Result<Usage, DialogError> {
        let context = Context::new(local);
        let incoming = Incoming::new(server, invite, &context)?;
        Ok(Usage { context, phase: Phase::Incoming(Box::new(incoming)) })
    }

    /// A leg that we call: the INVITE is in the outputs.
    pub fn uac(invite: Invite) -> Usage {
        let mut context = Context::new(invite.local.clone());
        let phase = Phase::Outgoing(Box::new(Outgoing::start(&mut context, invite)));
        Usage { context, phase }
    }

    // What can be asked.

    pub fn poll_output(&mut self) -> Option<Output> {
        self.context.pop()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Incoming(incoming) => incoming.deadline(),
            Phase::Outgoing(_) | Phase::Over => None,
            Phase::Confirmed(confirmed) => {
                [confirmed.deadline(), self.context.timer.deadline()].into_iter().flatten().min()
            }
            Phase::Closing(closing) => closing.deadline(),
        }
    }

    /// The leg is over for the call: [`UsageEvent::Ended`](super::UsageEvent::Ended) is out.
    pub fn has_ended(&self) -> bool {
        self.context.has_ended()
    }

    /// Nothing is left to send or to wait for: drop it.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Over) && !self.context.has_output()
    }

    /// Our tag, by which requests find this leg (To for the peer's requests).
    pub fn local_tag(&self) -> &str {
        &self.context.local.tag
    }

    /// `None` while our INVITE has no answer, and when all is over.
    pub fn dialog(&self) -> Option<&Dialog> {
        match &self.phase {
            Phase::Incoming(incoming) => Some(incoming.dialog()),
            Phase::Outgoing(outgoing) => outgoing.dialog(),
            Phase::Confirmed(confirmed) => Some(confirmed.dialog()),
            Phase::Closing(closing) => Some(closing.dialog()),
            Phase::Over => None,
        }
    }

    pub fn id(&self) -> Option<&DialogId> {
        self.dialog().map(Dialog::id)
    }

    /// The offer of the peer's INVITE. `None`: a late offer is wanted, or this is no unanswered leg that calls us.
    pub fn initial_offer(&self) -> Option<&bytes::Bytes> {
        match &self.phase {
            Phase::Incoming(incoming) => incoming.offer(),
            Phase::Outgoing(_) | Phase::Confirmed(_) | Phase::Closing(_) | Phase::Over => None,
        }
    }

    // What the network brings.

    /// A request inside the dialog, or one that the peer believes to be: anything but ACK and CANCEL. Always answered,
    /// some after the call has decided. Returns whether it was one: of another From tag, or out of order, it says nothing of
    /// where the peer is.
    pub fn receive_request(&mut self, now: Instant, server: ServerKey, request: &Request) -> bool {
        self.context.admitted = false;
        self.step(|phase, cx| match phase {
            Phase::Incoming(incoming) => incoming.request(cx, now, server, request),
            Phase::Outgoing(outgoing) => outgoing.request(cx, server, request),
            Phase::Confirmed(confirmed) => confirmed.request(cx, now, server, request),
            Phase::Closing(closing) => closing.request(cx, server, request),
            Phase::Over => {
                // A BYE that crosses ours has nothing left to end, and is content (15.1.2).
                let status = if request.method == Method::Bye { Status::OK } else { Status::NO_SUCH_TRANSACTION };
                cx.reply(server, request, status);
                Phase::Over
            }
        });
        self.context.admitted
    }

    /// A CANCEL of the INVITE `invite`; the CANCEL itself is answered already. After our 2xx it changes nothing (9.2).
    pub fn receive_cancel(&mut self, invite: ServerKey, cancel: &Request) {
        self.step(|phase, cx| match phase {
            Phase::Incoming(incoming) => incoming.cancel(cx, invite, cancel),
            Phase::Confirmed(confirmed) => confirmed.cancel(cx, invite),
            phase @ (Phase::Outgoing(_) | Phase::Closing(_) | Phase::Over) => phase,
        });
    }

    /// An ACK to a 2xx, by dialog and CSeq number, whatever its branch (13.2.2.4). A stray one is ignored.
    pub fn receive_ack(&mut self, ack: &Request) {
        self.step(|phase, cx| match phase {
            Phase::Confirmed(confirmed) => confirmed.ack(cx, ack),
            Phase::Closing(closing) => closing.ack(cx, ack),
            phase @ (Phase::Incoming(_) | Phase::Outgoing(_) | Phase::Over) => phase,
        });
    }

    /// Any response to a request of this leg, copies of 2xx included.
    pub fn receive_response(&mut self, now: Instant, response: &Response) {
        let Ok(cseq) = response.headers.cseq() else { return };
        if response.status.is_final() {
            self.context.challenges.forget(&cseq);
        }
        self.step(|phase, cx| match phase {
            Phase::Outgoing(outgoing) => outgoing.response(cx, now, &cseq, response),
            Phase::Confirmed(confirmed) => confirmed.response(cx, now, &cseq, response),
            Phase::Closing(closing) => closing.response(cx, &cseq, response),
            phase @ (Phase::Incoming(_) | Phase::Over) => phase,
        });
    }

    /// A 401 or 407 from the peer whom `credentials` belong to: the request goes out again with the answer. False: it does not,
    /// and the response is one like any other.
    pub fn answer_challenge(&mut self, response: &Response, credentials: &Credentials) -> bool {
        let Ok(cseq) = response.headers.cseq() else { return false };
        let cx = &mut self.context;
        let cnonce = format!("{:016x}", cx.draw(u64::MAX));
        let Some(answered) = cx.challenges.answer(&cseq, response, credentials, &cnonce) else { return false };
        let taken = match &mut self.phase {
            Phase::Outgoing(outgoing) => outgoing.challenged(cx, &cseq, answered),
            Phase::Confirmed(confirmed) => confirmed.challenged(cx, &cseq, answered),
            Phase::Closing(closing) => closing.challenged(cx, &cseq, answered),
            Phase::Incoming(_) | Phase::Over => false,
        };
        if taken {
            cx.challenges.forget(&cseq);
        }
        taken
    }

    /// A request of this leg got no final response.
    pub fn request_failed(&mut self, cseq: &CSeq, failure: Failure) {
        self.context.challenges.forget(cseq);
        self.step(|phase, cx| match phase {
            Phase::Outgoing(outgoing) => outgoing.failed(cx, cseq, failure),
            Phase::Confirmed(confirmed) => confirmed.failed(cx, cseq, failure),
            Phase::Closing(closing) => closing.failed(cseq),
            phase @ (Phase::Incoming(_) | Phase::Over) => phase,
        });
    }

    /// The caller cannot be reached any more before our final response (its stream closed, line D55).
    pub fn caller_unreachable(&mut self) {
        self.step(|phase, cx| match phase {
            Phase::Incoming(_) => {
                cx.end(true, EndCause::PeerLost, None);
                Phase::Over
            }
            phase @ (Phase::Outgoing(_) | Phase::Confirmed(_) | Phase::Closing(_) | Phase::Over) => phase,
        });
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.step(|phase, cx| match phase {
            Phase::Incoming(incoming) => incoming.timeout(cx, now),
            Phase::Confirmed(confirmed) => confirmed.timeout(cx, now),
            Phase::Closing(closing) => closing.timeout(cx, now),
            phase @ (Phase::Outgoing(_) | Phase::Over) => phase,
        });
    }

    // What the call commands. A command that does not fit the phase does nothing, unless it says otherwise.

    /// 180 to the leg that calls us.
    pub fn ring(&mut self, now: Instant) {
        self.progress(now, Status::RINGING, None);
    }

    /// Another provisional response, with early media if `sdp`. Reliably if the caller wants it so (RFC 3262 section 3); then
    /// the latest waits for the PRACK of the one before.
    pub fn progress(&mut self, now: Instant, status: Status, sdp: Option<&str>) {
        if let Phase::Incoming(incoming) = &mut self.phase {
            incoming.progress(&mut self.context, now, status, sdp);
        }
    }

    /// 200 to the leg that calls us, with our answer, or our offer if it made none. Repeated until its ACK.
    pub fn answer(&mut self, now: Instant, sdp: &str) {
        self.step(|phase, cx| match phase {
            Phase::Incoming(incoming) => incoming.answer(cx, now, sdp),
            phase @ (Phase::Outgoing(_) | Phase::Confirmed(_) | Phase::Closing(_) | Phase::Over) => phase,
        });
    }

    /// A final refusal (300 to 699) of the leg that calls us, with extra headers (Retry-After, Warning, Contact).
    pub fn reject(&mut self, status: Status, headers: &[(&str, &str)]) {
        self.step(|phase, cx| match phase {
            Phase::Incoming(incoming) => incoming.reject(cx, status, headers),
            phase @ (Phase::Outgoing(_) | Phase::Confirmed(_) | Phase::Closing(_) | Phase::Over) => phase,
        });
    }

    /// Offers anew: `sdp`, or `None` to ask the peer for an offer ([`UsageEvent::Offer`](super::UsageEvent::Offer)).
    pub fn reinvite(&mut self, sdp: Option<&str>) -> Result<(), NotNow> {
        match &mut self.phase {
            Phase::Confirmed(confirmed) => confirmed.reinvite(&mut self.context, sdp),
            Phase::Incoming(_) | Phase::Outgoing(_) | Phase::Closing(_) | Phase::Over => Err(NotNow::NotConfirmed),
        }
    }

    /// Answers [`UsageEvent::Offer`](super::UsageEvent::Offer): with our answer, or our offer when it asked for one.
    pub fn accept_offer(&mut self, now: Instant, sdp: &str) {
        match &mut self.phase {
            Phase::Confirmed(confirmed) => confirmed.accept_offer(&mut self.context, now, sdp),
            Phase::Incoming(_) | Phase::Outgoing(_) | Phase::Closing(_) | Phase::Over => {}
        }
    }

    /// Refuses it (488); the session goes on as before. An offer that came in a 2xx cannot be refused: the leg ends.
    pub fn reject_offer(&mut self, status: Status, headers: &[(&str, &str)]) {
        self.step(|phase, cx| match phase {
            Phase::Confirmed(confirmed) => confirmed.reject_offer(cx, status, headers),
            phase @ (Phase::Incoming(_) | Phase::Outgoing(_) | Phase::Closing(_) | Phase::Over) => phase,
        });
    }

    /// Ends the leg in whatever phase it is: BYE (held back until the ACK is here, section 15), CANCEL, or 480.
    pub fn bye(&mut self, reason: Option<&Reason>) {
        self.step(|phase, cx| match phase {
            Phase::Incoming(incoming) => incoming.reject(cx, Status::TEMPORARILY_UNAVAILABLE, &[]),
            Phase::Outgoing(outgoing) => outgoing.cancel(cx, reason),
            Phase::Confirmed(confirmed) => {
                cx.end(false, EndCause::Bye, reason.map(Reason::to_string));
                confirmed.hang_up(cx, reason)
            }
            // A step of ours broke and took the phase with it; nothing else is over without having ended.
            Phase::Over if !cx.has_ended() => Closing::of_wreck(cx, reason),
            phase @ (Phase::Closing(_) | Phase::Over) => phase,
        });
    }

    /// Withdraws our INVITE (9.1): at once, or after its first provisional response. If a 2xx crosses it, ACK and BYE
    /// follow by themselves. A leg that is confirmed meanwhile gets BYE.
    pub fn cancel(&mut self, reason: Option<&Reason>) {
        self.bye(reason);
    }

    /// INFO with a body.
    pub fn info(&mut self, content_type: &str, body: bytes::Bytes) {
        if let Phase::Confirmed(confirmed) = &mut self.phase {
            confirmed.info(&mut self.context, content_type, body);
        }
    }

    /// OPTIONS inside the dialog: does the peer still know it?
    pub fn options_probe(&mut self) {
        if let Phase::Confirmed(confirmed) = &mut self.phase {
            confirmed.probe(&mut self.context);
        }
    }

    /// 202 to the REFER, and a first NOTIFY (RFC 3515 section 2.4.4).
    pub fn refer_accept(&mut self) {
        if let Phase::Confirmed(confirmed) = &mut self.phase {
            confirmed.refer_accept(&mut self.context);
        }
    }

    pub fn refer_refuse(&mut self, status: Status) {
        if let Phase::Confirmed(confirmed) = &mut self.phase {
            confirmed.refer_refuse(&mut self.context, status);
        }
    }

    /// How the transfer goes; a final status ends the subscription (RFC 3515 section 2.4.5).
    pub fn notify_refer(&mut self, status: Status, phrase: &str) {
        if let Phase::Confirmed(confirmed) = &mut self.phase {
            confirmed.notify_refer(&mut self.context, status, phrase);
        }
    }

    pub(super) fn step(&mut self, input: impl FnOnce(Phase, &mut Context) -> Phase) {
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        self.phase = input(phase, &mut self.context);
        if let Phase::Confirmed(confirmed) = &self.phase
            && self.context.farewell.is_none()
        {
            self.context.farewell = Some(confirmed.dialog().clone());
        }
    }
}

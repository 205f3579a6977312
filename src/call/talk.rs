//! The bridge: two legs joined, hold and resume, keys, and what re-INVITEs change.

use std::collections::BTreeSet;

use crate::bridge::pair::{Hears, hears};
use crate::call::context::Context;
use crate::call::leg::Role;
use crate::call::media::MediaCommand;
use crate::call::transfer::Transfer;
use crate::call::{Call, Stage};
use crate::digit::{Digit, DigitSource};
use crate::ids::{AnalystId, LegId, PromptId};
use crate::ivr::prompts::HOLD;
use crate::routing::Earlier;
use crate::sip::Status;
use crate::ticket::{Event, HangupCause, Party};
use crate::time::{Duration, Instant};

/// Length of a key that came by INFO and goes on by telephone-event.
const KEY_LENGTH: Duration = Duration::from_millis(160);
/// Keys of one talk that stand on the record; whoever dials on for longer is not written down.
const MAX_TALK_KEYS: u32 = 64;

/// Caller and peer hear each other.
pub(super) struct Talk {
    /// The other side of the bridge: an analyst, or a target.
    pub(super) peer: LegId,
    pub(super) with: Party,
    /// "Seconds to human" is measured.
    human_heard: bool,
    /// Keys that are on the record.
    keys: u32,
    /// Whoever has put the other on hold.
    holders: BTreeSet<LegId>,
    pub(super) transfer: Option<Transfer>,
}

impl Talk {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.transfer.as_ref().map(|transfer| transfer.until)
    }
}

impl Call {
    /// Joins the caller with `peer`. An answer pre-empts whatever was being said.
    pub(super) fn talk(&mut self, ctx: &mut Context<'_>, peer: LegId, with: Party) {
        let Some(caller) = self.caller_leg else { return };
        if let Some(leg) = self.legs.get_mut(&caller) {
            leg.stop_playing(ctx);
        }
        if let Some(leg) = self.legs.get_mut(&peer) {
            leg.stop_playing(ctx);
        }
        ctx.media(MediaCommand::Bridge { a: caller, b: peer });
        ctx.record(Event::Bridged { with });
        self.stage =
            Stage::Talking(Talk { peer, with, human_heard: false, keys: 0, holders: BTreeSet::new(), transfer: None });
        if self.legs.get(&peer).is_some_and(|leg| leg.heard) {
            self.note_human(ctx, peer);
        }
        self.apply_hearing(ctx);
    }

    /// First RTP of a human's voice on the bridge: "seconds to human" ends here.
    pub(super) fn note_human(&mut self, ctx: &mut Context<'_>, leg: LegId) {
        if let Stage::Talking(talk) = &mut self.stage
            && talk.peer == leg
            && !std::mem::replace(&mut talk.human_heard, true)
        {
            ctx.record(Event::HumanHeard);
        }
    }

    /// This analyst took the call: a repeat within 72 h goes back to them.
    pub(super) fn remember(&self, ctx: &mut Context<'_>, analyst: &AnalystId) {
        ctx.continuity.note(Earlier {
            call: self.id,
            at: ctx.wall,
            analyst: analyst.clone(),
            hospital: self.hospital.clone(),
            caller: self.caller.number.as_ref().map(|number| number.value.clone()),
            unit: self.caller.place.as_ref().map(|place| place.value.unit.clone()),
            system: self.need.system.clone(),
            module: self.need.module.clone(),
        });
    }

    // -- Offers in mid-call: hold, resume, another address, another codec --------------------------------------------

    /// A re-INVITE or UPDATE of either side. Without SDP it asks for a full offer of ours (line B40).
    pub(super) fn leg_offers(&mut self, ctx: &mut Context<'_>, id: LegId, sdp: Option<&[u8]>) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let ours = match sdp {
            Some(sdp) => leg.negotiation.answer(sdp),
            None => Ok(leg.negotiation.offer()),
        };
        match ours {
            Ok(ours) => {
                leg.usage.accept_offer(ctx.now, &ours);
                if sdp.is_some() {
                    self.session_changed(ctx, id);
                }
            }
            Err(refusal) => {
                let warning = refusal.warning.as_deref().map(|warning| ("Warning", warning));
                leg.usage.reject_offer(refusal.status, warning.as_slice());
            }
        }
    }

    /// The session timer wants a re-INVITE (RFC 4028 section 7.4): the description in force, with its `o=` as it is. Put off
    /// where another offer is under way; the timer asks again.
    pub(super) fn leg_refresh(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if let Some(sdp) = leg.negotiation.refresh()
            && leg.usage.reinvite(Some(&sdp)).is_err()
        {
            leg.negotiation.rollback();
        }
    }

    /// The answer to an offer of ours in mid-call.
    pub(super) fn leg_offer_answered(&mut self, ctx: &mut Context<'_>, id: LegId, sdp: &[u8]) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match leg.negotiation.accept_answer(sdp) {
            Ok(()) => self.session_changed(ctx, id),
            Err(_) => leg.negotiation.rollback(),
        }
    }

    fn session_changed(&mut self, ctx: &mut Context<'_>, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.apply_session(ctx);
        let (holds, party) = (leg.negotiation.held_by_peer(), leg.role.party());
        // A new session is a new chance to be heard.
        leg.silent_since = None;
        if let Stage::Talking(talk) = &mut self.stage {
            let changed = if holds { talk.holders.insert(id) } else { talk.holders.remove(&id) };
            match (changed, holds) {
                (true, true) => ctx.record(Event::Held { by: party }),
                (true, false) => ctx.record(Event::Resumed { by: party }),
                (false, _) => {}
            }
        }
        self.apply_hearing(ctx);
    }

    /// Gives each side of the bridge what it should hear now: the other, or hold music.
    pub(super) fn apply_hearing(&mut self, ctx: &mut Context<'_>) {
        let (Some(caller), Stage::Talking(talk)) = (self.caller_leg, &self.stage) else { return };
        let language = self.language.clone();
        for (listener, other) in [(caller, talk.peer), (talk.peer, caller)] {
            let (Some(a), Some(b)) = (self.legs.get(&listener), self.legs.get(&other)) else { continue };
            let hears = hears(&a.negotiation, &b.negotiation);
            let Some(leg) = self.legs.get_mut(&listener) else { continue };
            match hears {
                Hears::Peer | Hears::Nothing => leg.stop_playing(ctx),
                Hears::HoldMusic => leg.play_loop(ctx, &language, PromptId::new(HOLD)),
            }
        }
    }

    /// The caller's ACK, with the answer to a late offer in it.
    pub(super) fn leg_confirmed(&mut self, ctx: &mut Context<'_>, id: LegId, sdp: Option<&[u8]>) {
        if let (Some(sdp), Some(leg)) = (sdp, self.legs.get_mut(&id)) {
            match leg.negotiation.accept_answer(sdp) {
                Ok(()) => leg.apply_session(ctx),
                Err(_) => {
                    if self.caller_leg == Some(id) {
                        self.finish(ctx, HangupCause::MediaRefused, Party::Desk);
                    } else {
                        leg.usage.bye(None);
                    }
                    return;
                }
            }
        }
        if self.caller_leg == Some(id) {
            self.caller_confirmed(ctx);
        }
    }

    // -- Keys --------------------------------------------------------------------------------------------------------

    /// INFO with a key (application/dtmf-relay, application/dtmf). Other INFO is answered and ignored.
    pub(super) fn leg_info(&mut self, ctx: &mut Context<'_>, id: LegId, content_type: Option<&str>, body: &[u8]) {
        if let Some(digit) = content_type.and_then(|kind| info_digit(kind, body)) {
            self.key(ctx, id, digit, DigitSource::Info);
        }
    }

    /// Keys of a bridged phone belong to the other phone: telephone-event is relayed by the media worker, what came by INFO
    /// is sent on here. The record says that there was one, and not which.
    pub(super) fn talk_key(&mut self, ctx: &mut Context<'_>, id: LegId, digit: Digit, source: DigitSource) {
        let (Some(caller), Stage::Talking(talk)) = (self.caller_leg, &mut self.stage) else { return };
        let (by, other) = if id == caller { (Party::Caller, talk.peer) } else { (talk.with, caller) };
        if talk.keys < MAX_TALK_KEYS {
            talk.keys += 1;
            ctx.record(Event::KeyInTalk { by });
        }
        if source == DigitSource::Info {
            ctx.media(MediaCommand::SendDigit { leg: other, digit, duration: KEY_LENGTH });
        }
    }

    pub(super) fn talk_timeout(&mut self, ctx: &mut Context<'_>) {
        let Stage::Talking(talk) = &self.stage else { return };
        let due = talk.transfer.as_ref().filter(|transfer| transfer.until <= ctx.now);
        if let Some(leg) = due.map(|transfer| transfer.leg) {
            if let Some(leg) = self.legs.get_mut(&leg) {
                leg.usage.bye(None);
            }
            self.transfer_failed(ctx, leg, Status::REQUEST_TIMEOUT);
        }
    }

    /// The analyst on the bridge, if it is one.
    pub(super) fn talking_analyst(&self) -> Option<AnalystId> {
        let Stage::Talking(talk) = &self.stage else { return None };
        match self.legs.get(&talk.peer).map(|leg| &leg.role) {
            Some(Role::Analyst { analyst, .. }) => Some(analyst.clone()),
            Some(Role::Caller | Role::Target(_)) | None => None,
        }
    }
}

/// The key in an INFO body: "Signal=5" of application/dtmf-relay, or the bare digit of application/dtmf.
fn info_digit(content_type: &str, body: &[u8]) -> Option<Digit> {
    let text = std::str::from_utf8(body).ok()?;
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let value = match kind.as_str() {
        "application/dtmf-relay" => text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value.trim())
        })?,
        "application/dtmf" => text.trim(),
        _ => return None,
    };
    // Some phones write the event's number (RFC 4733 section 3.2) instead of its key.
    let numbered = value.len() > 1;
    if numbered {
        return value.parse().ok().and_then(Digit::from_event);
    }
    value.chars().next().and_then(Digit::from_char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e65_a_key_is_read_from_both_kinds_of_info() {
        let relay = |text: &str| info_digit("application/dtmf-relay", text.as_bytes());
        assert_eq!(relay("Signal=5\r\nDuration=160\r\n"), Some(Digit::D5));
        assert_eq!(relay("Signal= # \r\nDuration=160\r\n"), Some(Digit::Pound));
        assert_eq!(relay("Signal=10\r\n"), Some(Digit::Star));
        assert_eq!(relay("Duration=160\r\n"), None);
        assert_eq!(info_digit("application/dtmf; charset=utf-8", b"7\r\n"), Some(Digit::D7));
        assert_eq!(info_digit("application/dtmf", b"\xff"), None);
        assert_eq!(info_digit("text/plain", b"7"), None);
    }
}

//! What each analyst does right now. Two things are declared (signed in or paused; the phone is registered), the rest
//! follows from calls. One analyst is held by at most one call: [`Desk::reserve`] is the only way in, and it refuses.
//!
//! ```text
//!            reserve            offered             ended(Answered)
//!   Free ─────────────▶ Reserved ──────▶ Offered ───────────────────▶ OnCall
//!    ▲   lease expired     │               │ ended(anything else)        │ hung_up
//!    └─────────────────────┴───────────────┴─────────────────────────────┘ (wrap-up runs beside, until it ends)
//! ```
//!
//! States change only by these calls, never by time passing: [`Desk::expire`] ends leases and wrap-ups that are due, and
//! [`Desk::take_freed`] then says that waiting calls should look again, so that a new call never overtakes them.

use std::collections::BTreeMap;

use crate::ids::{AnalystId, CallId};
use crate::routing::decision::{Occupied, Presence};
use crate::routing::need::OfferOutcome;
use crate::routing::staff::{PhoneKind, Staff};
use crate::time::{Duration, Instant};

/// A lease that no offer follows lapses after this long: the answer of a home node and one turn of the loop, with room.
pub const LEASE: Duration = Duration::from_secs(5);
/// Nobody wraps up longer than this without saying so: a forgotten one frees itself.
pub const MAX_WRAP_UP: Duration = Duration::from_secs(15 * 60);

/// The live states of all analysts. Who was never heard of is signed out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desk {
    seats: BTreeMap<AnalystId, Seat>,
    freed: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Seat {
    presence: Presence,
    reachable: bool,
    held: Held,
    wrap_up: Option<WrapUp>,
    idle_since: Instant,
    /// Idle time before this process began.
    idle_before: Duration,
    missed: u32,
    missed_in_a_row: u32,
}

#[derive(Clone, Debug, PartialEq)]
enum Held {
    Free,
    Reserved { call: CallId, phones: Vec<PhoneKind>, until: Instant },
    Offered { call: CallId, phones: Vec<PhoneKind>, since: Instant, until: Instant },
    OnCall { call: CallId, phones: Vec<PhoneKind>, since: Instant },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WrapUp {
    call: CallId,
    until: Instant,
}

/// One analyst's state as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    SignedOut,
    Paused {
        reason: Option<String>,
    },
    /// Signed in; free to be rung if a phone is reachable.
    Idle {
        for_how_long: Duration,
        reachable: bool,
    },
    Reserved {
        call: CallId,
    },
    Offered {
        call: CallId,
        since: Instant,
    },
    OnCall {
        call: CallId,
        since: Instant,
    },
    WrapUp {
        call: CallId,
        until: Instant,
    },
}

impl Seat {
    fn new() -> Seat {
        Seat {
            presence: Presence::SignedOut,
            reachable: false,
            held: Held::Free,
            wrap_up: None,
            idle_since: Instant::ZERO,
            idle_before: Duration::ZERO,
            missed: 0,
            missed_in_a_row: 0,
        }
    }

    fn idle_from(&mut self, now: Instant) {
        self.idle_since = now;
        self.idle_before = Duration::ZERO;
    }

    fn holder(&self) -> Option<CallId> {
        match &self.held {
            Held::Free => None,
            Held::Reserved { call, .. } | Held::Offered { call, .. } | Held::OnCall { call, .. } => Some(*call),
        }
    }

    fn phones(&self) -> &[PhoneKind] {
        match &self.held {
            Held::Free => &[],
            Held::Reserved { phones, .. } | Held::Offered { phones, .. } | Held::OnCall { phones, .. } => phones,
        }
    }
}

impl Desk {
    pub fn new() -> Desk {
        Desk::default()
    }

    // -- What is declared --------------------------------------------------------------------------------------------

    /// The analyst, or a lead for them, says so. Signing in starts the count of missed rings anew.
    pub fn declare(&mut self, analyst: &AnalystId, presence: Presence, now: Instant) {
        let seat = self.seat(analyst);
        if presence == Presence::Available && seat.presence != Presence::Available {
            if seat.presence == Presence::SignedOut {
                seat.missed = 0;
                seat.missed_in_a_row = 0;
            }
            seat.idle_from(now);
            self.freed = true;
        }
        self.seat(analyst).presence = presence;
    }

    /// A registered phone of the analyst has a binding, or has lost its last.
    pub fn set_reachable(&mut self, analyst: &AnalystId, reachable: bool) {
        self.seat(analyst).reachable = reachable;
        self.freed |= reachable;
    }

    /// After a restart: as the journal left it. `idle_for` counts from the end of the last call.
    pub fn restore(&mut self, analyst: &AnalystId, presence: Presence, idle_for: Duration, missed: u32, now: Instant) {
        let seat = self.seat(analyst);
        seat.presence = presence;
        seat.idle_since = now;
        seat.idle_before = idle_for;
        seat.missed = missed;
        self.freed = true;
    }

    /// Forgets people who left the staff, unless a call holds them: they go when it ends and this is called again.
    pub fn keep_only(&mut self, staff: &Staff) {
        self.seats.retain(|id, seat| staff.get(id).is_some() || seat.held != Held::Free);
    }

    // -- What calls do, in the order they do it ----------------------------------------------------------------------

    /// Leases the analyst to the call until `now + LEASE`. `false` when any call has them (this one, too), or another
    /// analyst is held at one of these phones: a shared on-call mobile rings for one call at a time.
    pub fn reserve(&mut self, analyst: &AnalystId, call: CallId, phones: Vec<PhoneKind>, now: Instant) -> bool {
        let shared =
            self.seats.iter().any(|(id, seat)| id != analyst && seat.phones().iter().any(|p| phones.contains(p)));
        let seat = self.seat(analyst);
        if shared || seat.held != Held::Free {
            return false;
        }
        seat.held = Held::Reserved { call, phones, until: now + LEASE };
        true
    }

    /// The analyst's home node refused the lease: the seat is nobody's again. Not news of somebody free, as the analyst
    /// is taken elsewhere; waiting calls would ask again at once, and again.
    pub fn refused(&mut self, analyst: &AnalystId, call: CallId) {
        let seat = self.seat(analyst);
        if matches!(&seat.held, Held::Reserved { call: holder, .. } if *holder == call) {
            seat.held = Held::Free;
        }
    }

    /// The phones are being rung. The lease now lasts until `until`: a little longer than they may ring.
    pub fn offered(&mut self, analyst: &AnalystId, call: CallId, now: Instant, until: Instant) -> bool {
        let seat = self.seat(analyst);
        match &seat.held {
            Held::Reserved { call: holder, phones, .. } if *holder == call => {
                seat.held = Held::Offered { call, phones: phones.clone(), since: now, until };
                true
            }
            Held::Free | Held::Reserved { .. } | Held::Offered { .. } | Held::OnCall { .. } => false,
        }
    }

    /// The offer ended. Answering holds the analyst; all else frees them. Losing a race and a withdrawn offer cost nothing:
    /// neither a missed ring nor the place in the order of idle time. Whoever did not take a call goes to that order's
    /// end, so that the next call does not ring the same silent phone first.
    pub fn ended(&mut self, analyst: &AnalystId, call: CallId, outcome: OfferOutcome, now: Instant) {
        let seat = self.seat(analyst);
        if seat.holder() != Some(call) || matches!(seat.held, Held::OnCall { .. }) {
            return;
        }
        match outcome {
            OfferOutcome::Answered => {
                let phones = seat.phones().to_vec();
                seat.held = Held::OnCall { call, phones, since: now };
                seat.wrap_up = None;
                seat.missed_in_a_row = 0;
                return;
            }
            OfferOutcome::LostRace | OfferOutcome::Withdrawn => {}
            OfferOutcome::NoAnswer | OfferOutcome::NotAccepted => {
                seat.missed = seat.missed.saturating_add(1);
                seat.missed_in_a_row = seat.missed_in_a_row.saturating_add(1);
                seat.idle_from(now);
            }
            OfferOutcome::Busy | OfferOutcome::Declined | OfferOutcome::Unreachable => seat.idle_from(now),
        }
        seat.held = Held::Free;
        self.freed = true;
    }

    /// The analyst talks on a call that is not carried here, and stays on it.
    pub fn elsewhere(&mut self, analyst: &AnalystId, call: CallId, now: Instant) {
        self.seat(analyst).held = Held::OnCall { call, phones: Vec::new(), since: now };
    }

    /// The conversation is over; `wrap_up` (at most [`MAX_WRAP_UP`]) to finish the notes, zero for none.
    pub fn hung_up(&mut self, analyst: &AnalystId, call: CallId, now: Instant, wrap_up: Duration) {
        let seat = self.seat(analyst);
        if seat.holder() != Some(call) {
            return;
        }
        seat.held = Held::Free;
        seat.idle_from(now);
        seat.wrap_up = (!wrap_up.is_zero()).then(|| WrapUp { call, until: now + wrap_up.min(MAX_WRAP_UP) });
        self.freed = true;
    }

    /// Done with this call: idle from now. The wrap-up of another call goes on.
    pub fn finish_wrap_up(&mut self, analyst: &AnalystId, call: CallId, now: Instant) {
        let seat = self.seat(analyst);
        if seat.wrap_up.take_if(|wrap_up| wrap_up.call == call).is_some() {
            seat.idle_from(now);
            self.freed = true;
        }
    }

    /// The call is gone, however it went: whoever it still holds is free.
    pub fn call_over(&mut self, call: CallId, now: Instant) {
        for seat in self.seats.values_mut().filter(|seat| seat.holder() == Some(call)) {
            if matches!(seat.held, Held::OnCall { .. }) {
                seat.idle_from(now);
            }
            seat.held = Held::Free;
            self.freed = true;
        }
    }

    // -- Time --------------------------------------------------------------------------------------------------------

    /// Ends what is due at `now`. Returns the leases that lapsed, each a fault worth logging: offers end by themselves.
    pub fn expire(&mut self, now: Instant) -> Vec<(AnalystId, CallId)> {
        let mut lapsed = Vec::new();
        for (id, seat) in &mut self.seats {
            if let Some(wrap_up) = seat.wrap_up.filter(|wrap_up| wrap_up.until <= now) {
                seat.wrap_up = None;
                seat.idle_from(wrap_up.until);
                self.freed = true;
            }
            match &seat.held {
                Held::Reserved { call, until, .. } | Held::Offered { call, until, .. } if *until <= now => {
                    lapsed.push((id.clone(), *call));
                    seat.held = Held::Free;
                    self.freed = true;
                }
                Held::Free | Held::Reserved { .. } | Held::Offered { .. } | Held::OnCall { .. } => {}
            }
        }
        lapsed
    }

    /// When [`Desk::expire`] next has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = |seat: &Seat| {
            let lease = match &seat.held {
                Held::Reserved { until, .. } | Held::Offered { until, .. } => Some(*until),
                Held::Free | Held::OnCall { .. } => None,
            };
            lease.into_iter().chain(seat.wrap_up.map(|wrap_up| wrap_up.until)).min()
        };
        self.seats.values().filter_map(due).min()
    }

    /// Whether anybody may have become available since the last time this was asked. The switch then gives `Freed` to the
    /// waiting calls, the longest wait first.
    pub fn take_freed(&mut self) -> bool {
        std::mem::take(&mut self.freed)
    }

    /// A shift or on-call duty began or ended, or the staff changed: waiting calls look again.
    pub fn shifts_changed(&mut self) {
        self.freed = true;
    }

    // -- What is read ------------------------------------------------------------------------------------------------

    pub fn status(&self, analyst: &AnalystId, now: Instant) -> Status {
        let Some(seat) = self.seats.get(analyst) else { return Status::SignedOut };
        match &seat.held {
            Held::Reserved { call, .. } => return Status::Reserved { call: *call },
            Held::Offered { call, since, .. } => return Status::Offered { call: *call, since: *since },
            Held::OnCall { call, since, .. } => return Status::OnCall { call: *call, since: *since },
            Held::Free => {}
        }
        match (&seat.presence, seat.wrap_up) {
            (Presence::SignedOut, _) => Status::SignedOut,
            (Presence::Paused { reason }, _) => Status::Paused { reason: reason.clone() },
            (Presence::Available, Some(wrap_up)) => Status::WrapUp { call: wrap_up.call, until: wrap_up.until },
            (Presence::Available, None) => {
                Status::Idle { for_how_long: self.idle_for(analyst, now), reachable: seat.reachable }
            }
        }
    }

    pub fn presence(&self, analyst: &AnalystId) -> Presence {
        self.seats.get(analyst).map_or(Presence::SignedOut, |seat| seat.presence.clone())
    }

    pub fn occupied(&self, analyst: &AnalystId) -> Occupied {
        match self.seats.get(analyst).map(|seat| &seat.held) {
            None | Some(Held::Free) => Occupied::Free,
            Some(Held::Reserved { .. } | Held::Offered { .. }) => Occupied::Ringing,
            Some(Held::OnCall { .. }) => Occupied::OnCall,
        }
    }

    /// The call that has the analyst, if any.
    pub fn holder(&self, analyst: &AnalystId) -> Option<CallId> {
        self.seats.get(analyst).and_then(Seat::holder)
    }

    pub fn in_wrap_up(&self, analyst: &AnalystId) -> bool {
        self.seats.get(analyst).is_some_and(|seat| seat.wrap_up.is_some())
    }

    pub fn reachable(&self, analyst: &AnalystId) -> bool {
        self.seats.get(analyst).is_some_and(|seat| seat.reachable)
    }

    /// Time since the last call, missed ring or sign-in; zero for who never was here.
    pub fn idle_for(&self, analyst: &AnalystId, now: Instant) -> Duration {
        self.seats.get(analyst).map_or(Duration::ZERO, |seat| now.since(seat.idle_since) + seat.idle_before)
    }

    /// Rings missed since sign-in, and those since the last answered call.
    pub fn missed(&self, analyst: &AnalystId) -> (u32, u32) {
        self.seats.get(analyst).map_or((0, 0), |seat| (seat.missed, seat.missed_in_a_row))
    }

    /// Phones at which somebody is rung or talks, and who.
    pub fn phones_in_use(&self) -> BTreeMap<&PhoneKind, &AnalystId> {
        self.seats.iter().flat_map(|(id, seat)| seat.phones().iter().map(move |phone| (phone, id))).collect()
    }

    fn seat(&mut self, analyst: &AnalystId) -> &mut Seat {
        self.seats.entry(analyst.clone()).or_insert_with(Seat::new)
    }
}

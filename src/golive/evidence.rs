//! What the tickets show, taken one at a time: which units have called and how it sounded, who has answered, what was
//! reached.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::bridge::Codec;
use crate::config::Hospital;
use crate::identity::Source;
use crate::ids::{AnalystId, Extension, UnitId};
use crate::routing::OfferOutcome;
use crate::ticket::{Standing, Ticket};

/// A call that is older shows nothing of today's phones.
pub const EVIDENCE_DAYS: i64 = 90;
/// Unmapped numbers that are told apart; a dialler gone mad is one number more at the most.
const MAX_UNMAPPED: usize = 1_000;
/// The target that key 9 rings.
const OPERATOR: &str = "operator";

/// What has been shown of one hospital.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Calls from here on count.
    pub since: Timestamp,
    now: Timestamp,
    pub(super) units: BTreeMap<UnitId, Shown>,
    /// Phones that are not on the map, with how often they called today.
    pub(super) unmapped: BTreeMap<Extension, usize>,
    /// Whose phone inside the hospital was answered.
    pub(super) answered: BTreeSet<AnalystId>,
    /// Whose phone outside was answered, with 1 pressed.
    pub(super) accepted: BTreeSet<AnalystId>,
    pub(super) operator: bool,
}

/// What calls of one unit have shown, together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub audio: bool,
    pub keys: bool,
    pub codecs: BTreeSet<&'static str>,
}

impl Evidence {
    pub fn new(standing: &Standing, now: Timestamp) -> Evidence {
        let oldest = now.checked_sub(SignedDuration::from_hours(24 * EVIDENCE_DAYS)).unwrap_or(Timestamp::MIN);
        Evidence {
            since: standing.counts_from().map_or(oldest, |from| from.max(oldest)),
            now,
            units: BTreeMap::new(),
            unmapped: BTreeMap::new(),
            answered: BTreeSet::new(),
            accepted: BTreeSet::new(),
            operator: false,
        }
    }

    /// Takes a ticket; one of another hospital, of a test call or from before counts for nothing.
    pub fn take(&mut self, hospital: &Hospital, ticket: &Ticket) {
        if ticket.hospital != hospital.id || ticket.test || ticket.opened < self.since {
            return;
        }
        self.place(hospital, ticket);
        self.phone(hospital, ticket);
        for offer in ticket.offers.iter().filter(|offer| offer.outcome == Some(OfferOutcome::Answered)) {
            let who = if offer.outside { &mut self.accepted } else { &mut self.answered };
            who.insert(offer.analyst.clone());
        }
        self.operator |= ticket.target_heard.is_some() && ticket.targets.iter().any(|target| target == OPERATOR);
    }

    /// The unit counts if the phone's own number says it, and the map that is in force says the same.
    fn place(&mut self, hospital: &Hospital, ticket: &Ticket) {
        let Some(extension) = own_extension(ticket) else { return };
        let today = hospital.directory.phone(extension).and_then(|phone| phone.unit.as_ref());
        let Some(unit) = ticket.unit().filter(|unit| Some(*unit) == today) else { return };
        let shown = self.units.entry(unit.clone()).or_default();
        let media = ticket.caller_media();
        shown.audio |= ticket.heard_both_ways();
        shown.keys |= !ticket.keys.is_empty() || !ticket.collected.is_empty() || ticket.keys_in_talk > 0;
        shown.keys |= media.is_some_and(|report| report.keys > 0);
        shown.codecs.extend(media.and_then(|report| report.codec).map(Codec::name));
    }

    /// A phone of the hospital that called today and is not on the map now.
    fn phone(&mut self, hospital: &Hospital, ticket: &Ticket) {
        let day = |at: Timestamp| at.to_zoned(hospital.time_zone.clone()).date();
        if day(ticket.opened) != day(self.now) {
            return;
        }
        let keyed = || Some(Extension::new(&ticket.calling)).filter(|_| was_keyed(ticket));
        let Some(number) = own_extension(ticket).cloned().or_else(keyed) else { return };
        let known = self.unmapped.contains_key(&number) || self.unmapped.len() < MAX_UNMAPPED;
        if known && hospital.directory.phone(&number).is_none() {
            *self.unmapped.entry(number).or_default() += 1;
        }
    }
}

/// The extension that the caller's phone sent itself: not one that was keyed, or that passed the call on.
fn own_extension(ticket: &Ticket) -> Option<&Extension> {
    let extension = ticket.caller.as_ref()?.extension.as_ref()?;
    match extension.source {
        Source::Keyed | Source::Pin | Source::Diversion => None,
        Source::AssertedIdentity
        | Source::RemotePartyId
        | Source::From
        | Source::ExtensionMap
        | Source::Registration
        | Source::Trunk => Some(&extension.value),
    }
}

/// Only callers from unmapped phones are asked where they stand.
fn was_keyed(ticket: &Ticket) -> bool {
    let extension = ticket.caller.as_ref().and_then(|caller| caller.extension.as_ref());
    extension.is_some_and(|extension| extension.source == Source::Keyed)
}

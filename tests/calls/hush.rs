//! An offer that ended rings no phone: watched all the time, whatever else a day holds.

use std::collections::BTreeMap;

use wardline::ids::{AnalystId, OfferId};
use wardline::ticket::Event;
use wardline::time::Duration;

use crate::phone::{Pickup, State};
use crate::world::World;

/// The latest offer to each analyst, and what was wrong about those that ended.
#[derive(Debug, Default)]
pub struct Offers {
    latest: BTreeMap<AnalystId, OfferId>,
    pub faults: Vec<String>,
}

/// A phone is silent so soon after its offer ended: the CANCEL's way and its phone's own steps.
const HUSH_WITHIN: Duration = Duration::from_secs(1);
/// The same where packets are lost: as long as a CANCEL is sent again (64*T1), and the wait before it for a 1xx.
const HUSH_WITHIN_LOSS: Duration = Duration::from_secs(66);

impl World {
    /// Keeps the latest offers; when one ends, says whose phone must be silent, and how soon.
    pub fn note_offer(&mut self, event: &Event) -> Option<(AnalystId, OfferId, Duration)> {
        if let Event::OfferSent { offer, analyst, .. } = event {
            self.offers.latest.insert(analyst.clone(), *offer);
        }
        let Event::OfferEnded { offer, analyst, .. } = event else { return None };
        let patience = if self.net.loss_percent == 0 { HUSH_WITHIN } else { HUSH_WITHIN_LOSS };
        Some((analyst.clone(), *offer, patience + Duration::from_millis(2 * self.journal_ms)))
    }

    /// No phone of theirs rings for this offer, which has ended. What rings after a later offer is judged by that one's end;
    /// a phone that was dead may have missed its CANCEL.
    pub fn expect_hush(&mut self, analyst: &AnalystId, offer: OfferId) {
        if self.offers.latest.get(analyst) != Some(&offer) {
            return;
        }
        let Some(phone) = self.phones.iter().find(|phone| phone.name == analyst.as_str()) else { return };
        // ICMP speaks for an address: behind the PBX's, one absent phone ends the offers to all of them.
        let gone = self.phones.iter().any(|other| other.addr == phone.addr && other.pickup == Pickup::Gone);
        if phone.was_deaf || gone || phone.pickup == Pickup::Dead {
            return;
        }
        if phone.sessions.iter().any(|session| !session.caller && session.state == State::Ringing) {
            let ms = self.now.since(self.t0).as_millis();
            self.offers.faults.push(format!("{analyst} rings on at {ms} ms though the offer has ended"));
        }
    }
}

//! Earlier tickets by the number that callers are told: a caller may key it, and goes back to whoever had it.

use std::collections::BTreeMap;

use crate::ids::{AnalystId, HospitalId, TicketNumber};

/// Tickets remembered at once, the newest: months of a small desk, weeks of a large one.
pub const MAX_KNOWN: usize = 20_000;

/// A ticket whose call has ended. Calls of the canary are not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTicket {
    pub number: TicketNumber,
    pub hospital: HospitalId,
    /// Who had it last.
    pub analyst: Option<AnalystId>,
}

#[derive(Clone, Debug, Default)]
pub struct KnownTickets {
    tickets: BTreeMap<TicketNumber, KnownTicket>,
}

impl KnownTickets {
    /// A call has ended, or an attempt to call back, which found nobody if it names no analyst.
    pub fn note(&mut self, ticket: KnownTicket) {
        let analyst = self.tickets.remove(&ticket.number).and_then(|known| known.analyst);
        self.tickets.insert(ticket.number, KnownTicket { analyst: ticket.analyst.or(analyst), ..ticket });
        while self.tickets.len() > MAX_KNOWN {
            self.tickets.pop_first();
        }
    }

    /// What was keyed, if it is a ticket of this hospital.
    pub fn find(&self, hospital: &HospitalId, keyed: &str) -> Option<&KnownTicket> {
        let number = TicketNumber(keyed.parse().ok()?);
        self.tickets.get(&number).filter(|ticket| ticket.hospital == *hospital)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(number: u64, analyst: Option<&str>) -> KnownTicket {
        let (number, hospital) = (TicketNumber(number), HospitalId::new("harbor"));
        KnownTicket { number, hospital, analyst: analyst.map(AnalystId::new) }
    }

    #[test]
    fn a_ticket_is_known_in_its_own_hospital_with_whoever_had_it_last() {
        let mut tickets = KnownTickets::default();
        tickets.note(ticket(1_042, Some("ana")));
        let found = |tickets: &KnownTickets, keyed: &str| {
            tickets.find(&HospitalId::new("harbor"), keyed).map(|ticket| ticket.analyst.clone())
        };
        assert_eq!(found(&tickets, "1042"), Some(Some(AnalystId::new("ana"))));
        tickets.note(ticket(1_042, None));
        assert_eq!(found(&tickets, "1042"), Some(Some(AnalystId::new("ana"))), "an attempt that found nobody");
        tickets.note(ticket(1_042, Some("ben")));
        assert_eq!(found(&tickets, "1042"), Some(Some(AnalystId::new("ben"))));
        assert_eq!(tickets.find(&HospitalId::new("cedar"), "1042"), None);
        for keyed in ["1043", "", "10421", "99999999999999999999"] {
            assert_eq!(found(&tickets, keyed), None, "{keyed}");
        }
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let mut tickets = KnownTickets::default();
        for number in 1..=MAX_KNOWN as u64 + 5 {
            tickets.note(ticket(number, None));
        }
        assert_eq!(tickets.tickets.len(), MAX_KNOWN);
        assert_eq!(tickets.find(&HospitalId::new("harbor"), "5"), None);
        assert!(tickets.find(&HospitalId::new("harbor"), "6").is_some());
    }
}

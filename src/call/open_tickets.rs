//! Which tickets are not closed yet, by whom they came: a plan may ask whether this caller has one.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::{CallId, ClinicianId, HospitalId, UnitId};

/// Tickets remembered at once: as many as continuity remembers calls. The oldest are forgotten first.
pub const MAX_TICKETS: usize = 20_000;

/// Whose ticket it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The calling number; `None` when it was withheld.
    pub number: Option<String>,
    pub unit: Option<UnitId>,
    pub person: Option<ClinicianId>,
}

impl Owner {
    /// The same phone, unit or person.
    fn shares(&self, other: &Owner) -> bool {
        let number = self.number.is_some() && self.number == other.number;
        let unit = self.unit.is_some() && self.unit == other.unit;
        number || unit || (self.person.is_some() && self.person == other.person)
    }
}

/// A ticket whose call has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedTicket {
    pub call: CallId,
    pub hospital: HospitalId,
    pub owner: Owner,
    /// Its disposition is due, a call back is owed, or work goes on.
    pub open: bool,
}

#[derive(Clone, Debug, Default)]
pub struct OpenTickets {
    tickets: BTreeMap<CallId, EndedTicket>,
    order: VecDeque<CallId>,
}

impl OpenTickets {
    /// A call has ended, or an attempt to call back.
    pub fn note(&mut self, ticket: EndedTicket) {
        if !self.tickets.contains_key(&ticket.call) {
            if self.order.len() >= MAX_TICKETS
                && let Some(oldest) = self.order.pop_front()
            {
                self.tickets.remove(&oldest);
            }
            self.order.push_back(ticket.call);
        }
        self.tickets.insert(ticket.call, ticket);
    }

    /// A person has said how it ended.
    pub fn set(&mut self, call: CallId, open: bool) {
        if let Some(ticket) = self.tickets.get_mut(&call) {
            ticket.open = open;
        }
    }

    pub fn has(&self, hospital: &HospitalId, owner: &Owner) -> bool {
        self.tickets.values().any(|ticket| ticket.open && ticket.hospital == *hospital && ticket.owner.shares(owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(number: u128, unit: &str) -> EndedTicket {
        let owner = Owner { unit: Some(UnitId::new(unit)), ..Owner::default() };
        let call = CallId(ulid::Ulid::from_parts(number as u64, number));
        EndedTicket { call, hospital: HospitalId::new("harbor"), owner, open: true }
    }

    #[test]
    fn an_open_ticket_is_found_by_unit_until_somebody_closes_it_and_in_its_own_hospital_alone() {
        let mut open = OpenTickets::default();
        let one = ticket(1, "icu");
        open.note(one.clone());
        assert!(open.has(&one.hospital, &one.owner));
        assert!(!open.has(&HospitalId::new("cedar"), &one.owner));
        assert!(!open.has(&one.hospital, &ticket(2, "lab").owner));
        assert!(!open.has(&one.hospital, &Owner::default()), "nobody is everybody");
        open.set(one.call, false);
        assert!(!open.has(&one.hospital, &one.owner));
        open.set(one.call, true);
        assert!(open.has(&one.hospital, &one.owner), "opened again");
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let mut open = OpenTickets::default();
        for number in 0..=MAX_TICKETS as u128 {
            open.note(ticket(number, if number == 0 { "icu" } else { "lab" }));
        }
        assert_eq!(open.tickets.len(), MAX_TICKETS);
        assert!(!open.has(&HospitalId::new("harbor"), &ticket(0, "icu").owner));
    }
}

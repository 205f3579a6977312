//! Whether a trunk's calls all show one number: then the PBX sends its own instead of each phone's, and nobody knows which
//! phone calls.

use std::collections::BTreeMap;

use crate::ids::TrunkId;
use crate::ticket::Ticket;

/// With fewer calls one ward that tries the desk looks the same.
pub const MIN_CALLS: usize = 20;
/// More than so many of a hundred.
pub const MAX_SHARE_PERCENT: usize = 90;
/// Calls that are looked at, the newest.
pub const MAX_CALLS: usize = 500;

/// A trunk whose calls look alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneNumber {
    pub trunk: TrunkId,
    /// As signalled; empty when withheld.
    pub number: String,
    /// Calls that show it, of all.
    pub shown: usize,
    pub calls: usize,
}

/// Trunks of which more than [`MAX_SHARE_PERCENT`] of at least [`MIN_CALLS`] calls show the same number. Test calls and
/// callbacks of ours do not count.
pub fn one_number<'a>(tickets: impl IntoIterator<Item = &'a Ticket>) -> Vec<OneNumber> {
    let mut trunks: BTreeMap<&TrunkId, BTreeMap<&str, usize>> = BTreeMap::new();
    for ticket in tickets.into_iter().filter(|ticket| !ticket.test && ticket.continues.is_none()).take(MAX_CALLS) {
        let Some(trunk) = &ticket.trunk else { continue };
        *trunks.entry(trunk).or_default().entry(ticket.calling.as_str()).or_default() += 1;
    }
    let judged = trunks.into_iter().filter_map(|(trunk, numbers)| {
        let calls: usize = numbers.values().sum();
        let (number, shown) = numbers.into_iter().max_by_key(|(_, shown)| *shown)?;
        let alike = calls >= MIN_CALLS && shown * 100 > calls * MAX_SHARE_PERCENT;
        alike.then(|| OneNumber { trunk: trunk.clone(), number: number.to_owned(), shown, calls })
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::script::Script;

    fn ticket(number: u64, calling: &str) -> Ticket {
        let mut script = Script::new();
        script.open(number, 0.0);
        let ticket = script.ticket();
        Ticket { trunk: Some(TrunkId::new("pbx")), calling: calling.to_owned(), ..ticket }
    }

    fn tickets(alike: usize, others: usize) -> Vec<Ticket> {
        let calling = (0..alike).map(|_| "5550100".to_owned()).chain((0..others).map(|other| format!("47{other:02}")));
        calling.zip(1..).map(|(calling, number)| ticket(number, &calling)).collect()
    }

    #[test]
    fn twenty_calls_with_one_number_are_told_and_nineteen_are_not() {
        let told = one_number(&tickets(20, 0));
        let wanted = OneNumber { trunk: TrunkId::new("pbx"), number: "5550100".to_owned(), shown: 20, calls: 20 };
        assert_eq!(told, [wanted]);
        assert!(one_number(&tickets(19, 0)).is_empty());
    }

    #[test]
    fn more_than_nine_of_ten_have_to_look_alike() {
        assert_eq!(one_number(&tickets(91, 9)).len(), 1);
        assert!(one_number(&tickets(90, 10)).is_empty());
    }

    #[test]
    fn test_calls_and_the_desks_own_callbacks_do_not_count() {
        let mut all = tickets(20, 0);
        all[0].test = true;
        assert!(one_number(&all).is_empty());
        let mut all = tickets(20, 0);
        all[0].continues = Some(all[1].call);
        assert!(one_number(&all).is_empty());
    }

    #[test]
    fn trunks_are_judged_apart() {
        let mut all = tickets(40, 0);
        for ticket in all.iter_mut().skip(20) {
            ticket.trunk = Some(TrunkId::new("carrier"));
            ticket.calling = String::new();
        }
        let told: Vec<(String, String)> =
            one_number(&all).into_iter().map(|found| (found.trunk.to_string(), found.number)).collect();
        let pair = |trunk: &str, number: &str| (trunk.to_owned(), number.to_owned());
        assert_eq!(told, [pair("carrier", ""), pair("pbx", "5550100")]);
    }
}

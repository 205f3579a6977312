//! Two hundred versions come into force while SIPp's calls are up, begin and end: none is lost, and both sides hear each other.

use std::time::Duration;

use crate::desk::{Analyst, Desk};
use crate::node::Node;
use crate::peer::{beside_others, free_ports, until};
use crate::sipp::{Load, Sipp};

/// One a second, each of 8 s: enough to be there for all versions of a machine that does other things, too.
const CALLS: usize = 25;
const PUBLISHES: u64 = 200;
const FIRST_EXTENSION: usize = 4_701;

#[test]
fn two_hundred_publishes_during_calls_lose_none_of_them() {
    let _machine = beside_others();
    let port = free_ports(2);
    let staff = (0..CALLS).map(|number| Analyst::fixed(&format!("a{number:03}"), port)).collect();
    let node = Node::start(&Desk { at_once: 1, ..Desk::of(staff) });
    let mut desk = Sipp::analysts(&node, port).listening(port);
    let load = Load { calls: CALLS, per_second: 1, hold: Duration::from_secs(8), first_extension: FIRST_EXTENSION };
    let mut wards = Sipp::wards(&node, &load);
    until("a call is up", Duration::from_secs(20), || (node.figure("calls") > 0).then_some(()));
    let mut amid = 0;
    for number in 1..=PUBLISHES {
        node.publish(number);
        amid += u64::from(wards.runs());
    }
    println!("{amid} of {PUBLISHES} versions while calls were up");
    assert!(amid * 2 > PUBLISHES, "the calls were over after {amid} versions");
    let wards = wards.figures(Duration::from_secs(60));
    let desk = desk.last_figures(Duration::from_secs(60));
    let calls = CALLS as u64;
    assert_eq!((wards["SuccessfulCall(C)"], desk["SuccessfulCall(C)"]), (calls, calls));
    node.assert_empties();
    let tickets = node.tickets();
    assert_eq!(tickets.len(), CALLS);
    for ticket in &tickets {
        assert_eq!(ticket["end"]["cause"], "normal", "{ticket:#}");
        assert!(ticket["human_heard"].is_string(), "{ticket:#}");
        for report in ticket["media"].as_array().expect("reports") {
            assert!(report[1]["received"].as_u64().is_some_and(|packets| packets > 50), "{ticket:#}");
        }
    }
    node.stop();
}

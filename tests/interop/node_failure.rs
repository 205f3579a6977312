//! kill -9 in mid-call, and a new process on the same folder.

use serde_json::{Value, json};

use crate::desk::{Analyst, Desk};
use crate::node::Node;
use crate::peer::{beside_others, free_ports, let_them_talk};
use crate::pjsua::{ANALYST_HZ, Pjsua, Setup, WARD_HZ};
use crate::tone::assert_heard;

#[test]
fn a_killed_node_loses_no_ticket_and_no_registration_and_calls_back_whom_it_cut() {
    let _machine = beside_others();
    let pbx = free_ports(2);
    let mut node = Node::start(&Desk { pbx, ..Desk::of(vec![Analyst::registered("amara")]) });
    let mut analyst = Pjsua::start(&node, &Setup::analyst("amara"));
    // The PBX of this desk is this one phone: the call back comes to it.
    let mut ward = Pjsua::start(&node, &Setup { port: pbx, answers: true, ..Setup::ward("4700") });

    // A whole call, and its word.
    ward.call(&node.hotline(false));
    analyst.expect_call("CONFIRMED");
    let_them_talk(1.0);
    ward.tell("hangup");
    let_them_talk(0.5);
    analyst.tell("rfc2833 1");
    analyst.expect_call("DISCONNECTED");
    node.assert_empties();

    // A call that is cut.
    ward.call(&node.hotline(false));
    analyst.expect_call("CONFIRMED");
    let_them_talk(1.0);
    assert_eq!(node.tickets().len(), 2);
    node.kill();
    let before = node.tickets();
    assert_eq!(before.len(), 2, "both tickets are read from a dead node's folder");
    node.run();
    assert_eq!(node.figure("bindings"), 1, "the registration was kept");
    // Both put the dead call down; the call back comes 5 s after the start, the analyst first.
    ward.tell("hangup");
    analyst.tell("hangup");
    ward.expect_call("DISCONNECTED");
    analyst.expect_call("DISCONNECTED");
    let cut = second(&node);
    assert_eq!(cut["end"]["cause"], "node-failure", "{cut:#}");
    assert_eq!(cut["callback"]["reason"], "node-failure");
    assert_eq!(cut["callback"]["number"], "4700");

    analyst.expect_call("CONFIRMED");
    ward.expect_call("CONFIRMED");
    let_them_talk(0.5);
    let heard = (ward.record("ward-heard"), analyst.record("analyst-heard"));
    let_them_talk(2.0);
    ward.stop_recording();
    analyst.stop_recording();
    analyst.tell("hangup");
    ward.expect_call("DISCONNECTED");
    node.assert_empties();
    assert_heard("ward, called back", &heard.0, ANALYST_HZ, 1.5);
    assert_heard("analyst, calling back", &heard.1, WARD_HZ, 1.5);

    let tickets = node.tickets();
    assert_eq!(tickets.len(), 2, "{tickets:#?}");
    let cut = second(&node);
    assert_eq!(cut["callback"]["state"], "done", "{cut:#}");
    assert_eq!(cut["callback"]["both_spoke"], true);
    let first = tickets.iter().find(|ticket| ticket["number"] != cut["number"]).expect("the whole call's");
    assert_eq!(first["end"]["cause"], "normal");
    assert_eq!(first["dispositions"][0]["disposition"]["solved"], json!(true));
    node.stop();
}

/// The newer ticket.
fn second(node: &Node) -> Value {
    node.tickets().into_iter().max_by_key(|ticket| ticket["number"].as_u64()).expect("a ticket")
}

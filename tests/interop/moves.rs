//! What happens to a call after it was answered: hold, resume, blind transfer.

use serde_json::{Value, json};

use crate::desk::{Analyst, Desk, OPERATOR};
use crate::node::Node;
use crate::peer::{beside_others, free_ports, let_them_talk};
use crate::pjsua::{ANALYST_HZ, OPERATOR_HZ, Pjsua, Setup, WARD_HZ};
use crate::tone::{assert_heard, assert_not_heard};

/// How long each part of a call is recorded.
const PART_S: f64 = 1.5;
/// What of it must be the other side's tone: the rest is the change itself.
const HEARD_S: f64 = 1.0;

/// One side puts the other on hold and takes it back; the other hears music meanwhile.
fn hold_and_resume(tcp: bool, codec: &'static str, holder_is_analyst: bool) {
    let _machine = beside_others();
    let node = Node::start(&Desk::of(vec![Analyst::registered("amara")]));
    let mut analyst = Pjsua::start(&node, &Setup { tcp, codec, ..Setup::analyst("amara") });
    let mut ward = Pjsua::start(&node, &Setup { tcp, codec, ..Setup::ward("4700") });
    ward.call(&node.hotline(tcp));
    analyst.expect_call("CONFIRMED");
    let_them_talk(0.5);
    let (holder, held, hz, by) = if holder_is_analyst {
        (&mut analyst, &mut ward, ANALYST_HZ, "analyst")
    } else {
        (&mut ward, &mut analyst, WARD_HZ, "caller")
    };
    let before = held.record("before");
    let_them_talk(PART_S);
    holder.tell("hold");
    holder.expect("media", |told| told["state"] == "local-hold");
    let during = held.record("during");
    let_them_talk(PART_S);
    holder.tell("resume");
    holder.expect("media", |told| told["state"] == "active");
    let_them_talk(0.3);
    let after = held.record("after");
    let_them_talk(PART_S);
    held.stop_recording();
    analyst.tell("hangup");
    ward.expect_call("DISCONNECTED");

    node.assert_empties();
    assert_heard("before the hold", &before, hz, HEARD_S);
    assert_not_heard("on hold", &during, hz, 0.3);
    let music = crate::tone::Sound::read(&during);
    let power: f64 = music.samples.iter().map(|sample| sample * sample).sum::<f64>() / music.samples.len() as f64;
    assert!(power > 1e-6, "hold music is heard: {power}");
    assert_heard("after the hold", &after, hz, HEARD_S);
    let ticket = node.only_ticket();
    let holds = ticket["holds"].as_array().expect("holds");
    assert_eq!(holds.len(), 1, "{ticket:#}");
    assert_eq!(holds[0]["by"], by);
    assert!(holds[0]["to"].is_string());
    assert_eq!(ticket["end"]["by"], "analyst");
    assert_eq!(ticket["problems"], json!([]));
    node.stop();
}

#[test]
fn an_analyst_on_udp_holds_and_resumes() {
    hold_and_resume(false, "PCMU", true);
}

#[test]
fn a_ward_on_tcp_holds_and_resumes() {
    hold_and_resume(true, "PCMA", false);
}

#[test]
fn a_blind_transfer_reaches_the_operator() {
    let _machine = beside_others();
    let pbx = free_ports(2);
    let node = Node::start(&Desk { pbx, ..Desk::of(vec![Analyst::registered("amara")]) });
    let operator =
        Setup { name: "operator", port: pbx, tone: OPERATOR_HZ, registers: false, ..Setup::analyst(OPERATOR) };
    let mut operator = Pjsua::start(&node, &operator);
    let mut analyst = Pjsua::start(&node, &Setup { codec: "PCMA", ..Setup::analyst("amara") });
    let mut ward = Pjsua::start(&node, &Setup::ward("4700"));
    ward.call(&node.hotline(false));
    analyst.expect_call("CONFIRMED");
    // The ward hears the analyst before it is passed on.
    let_them_talk(PART_S);

    analyst.tell(&format!("transfer {}", node.uri(OPERATOR, false)));
    operator.expect_call("CONFIRMED");
    analyst.expect("transfer", |told| told["code"] == 200);
    analyst.expect_call("DISCONNECTED");
    let moved = (ward.record("with-operator"), operator.record("operator-heard"));
    let_them_talk(PART_S);
    ward.stop_recording();
    operator.stop_recording();
    ward.tell("hangup");
    operator.expect_call("DISCONNECTED");

    node.assert_empties();
    assert_heard("ward", &moved.0, OPERATOR_HZ, HEARD_S);
    assert_heard("operator", &moved.1, WARD_HZ, HEARD_S);
    let ticket = node.only_ticket();
    let ended = |transfer: &Value| transfer["target"] == "operator" && transfer["ok"] == true;
    assert!(ticket["transfers"].as_array().is_some_and(|all| all.iter().any(ended)), "{ticket:#}");
    assert_eq!(ticket["owners"], json!(["amara"]));
    assert!(ticket["human_heard"].is_string() && ticket["target_heard"].is_string(), "{ticket:#}");
    node.stop();
}

#[test]
fn a_transfer_to_somebody_undeclared_is_refused_and_the_call_goes_on() {
    let _machine = beside_others();
    let node = Node::start(&Desk::of(vec![Analyst::registered("amara")]));
    let mut analyst = Pjsua::start(&node, &Setup::analyst("amara"));
    let mut ward = Pjsua::start(&node, &Setup::ward("4700"));
    ward.call(&node.hotline(false));
    analyst.expect_call("CONFIRMED");
    analyst.tell(&format!("transfer {}", node.uri("4999", false)));
    analyst.expect("transfer", |told| told["code"] == 403);
    let still = ward.record("with-analyst");
    let_them_talk(PART_S);
    ward.stop_recording();
    analyst.tell("hangup");
    ward.expect_call("DISCONNECTED");
    node.assert_empties();
    assert_heard("ward, after the refusal", &still, ANALYST_HZ, HEARD_S);
    assert_eq!(node.only_ticket()["owners"], json!(["amara"]));
    node.stop();
}

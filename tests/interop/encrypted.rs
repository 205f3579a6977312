//! SIP over TLS: who is served, who is refused and told why, and what a renewed certificate does to a call.

use std::time::Duration;

use serde_json::json;

use crate::baresip::{self, Baresip};
use crate::desk::{Analyst, Desk, PBX_NAME};
use crate::node::Node;
use crate::papers::Authority;
use crate::peer::{beside_others, free_ports, let_them_talk, until};
use crate::pjsua::{ANALYST_HZ, OPERATOR_HZ, Pjsua, Setup, WARD_HZ};
use crate::tone::assert_heard;

/// How long each part of a call is recorded.
const PART_S: f64 = 1.5;
/// What of it must be the other side's tone.
const HEARD_S: f64 = 1.0;
const TOLD_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn baresip_over_tls_is_heard_both_ways() {
    let _machine = beside_others();
    let authority = Authority::new();
    let node = Node::start(&Desk { authority: Some(&authority), ..Desk::of(vec![Analyst::old("amara")]) });
    let papers = authority.sign(node.folder(), "phones", &[PBX_NAME]);
    let papers = Some(&papers);
    let setup = baresip::Setup { papers, ..baresip::Setup::ward("amara") };
    let (codec, tone) = ("G722/16000", ANALYST_HZ);
    let mut analyst = Baresip::start(&node, &baresip::Setup { name: "analyst", codec, tone, registers: true, ..setup });
    let mut ward = Baresip::start(&node, &baresip::Setup { papers, ..baresip::Setup::ward("4700") });
    ward.dial(&node.encrypted_hotline());
    ward.expect("CALL_ESTABLISHED");
    analyst.expect("CALL_ESTABLISHED");
    let_them_talk(PART_S + 1.0);
    ward.hang_up();
    ward.expect("CALL_CLOSED");
    // "Solved? One yes, two no."
    analyst.press('1');
    analyst.expect("CALL_CLOSED");

    node.assert_empties();
    assert_heard("ward", &ward.heard(), ANALYST_HZ, HEARD_S);
    assert_heard("analyst", &analyst.heard(), WARD_HZ, HEARD_S);
    let ticket = node.only_ticket();
    assert_eq!((&ticket["owners"], &ticket["problems"]), (&json!(["amara"]), &json!([])), "{ticket:#}");
    node.stop();
}

/// D58: whoever is connected stays so; whoever connects next is shown the new certificate.
#[test]
fn d58_a_call_over_tls_goes_on_while_its_certificates_are_renewed() {
    let _machine = beside_others();
    let (old, new) = (Authority::new(), Authority::new());
    let node = Node::start(&Desk { authority: Some(&old), ..Desk::of(vec![Analyst::registered("amara")]) });
    let papers = old.sign(node.folder(), "phones", &[PBX_NAME]);
    let papers = Some(&papers);
    let mut analyst = Pjsua::start(&node, &Setup { papers, ..Setup::analyst("amara") });
    let mut ward = Pjsua::start(&node, &Setup { papers, ..Setup::ward("4700") });
    ward.call(&node.encrypted_hotline());
    analyst.expect_call("CONFIRMED");

    node.renew(&new);
    let mut late = Pjsua::start(&node, &Setup { name: "late", papers, ..Setup::ward("4701") });
    late.tell(&format!("call {}", node.encrypted_hotline()));
    assert_eq!(late.expect_call("DISCONNECTED")["code"], 503, "it believes the old authority alone");
    let renewed = new.sign(node.folder(), "renewed", &[PBX_NAME]);
    let mut next = Pjsua::start(&node, &Setup { name: "next", papers: Some(&renewed), ..Setup::ward("4702") });
    next.call(&node.encrypted_hotline());
    next.tell("hangup");
    next.expect_call("DISCONNECTED");

    let (heard_by_ward, heard_by_analyst) = (ward.record("ward-after"), analyst.record("analyst-after"));
    let_them_talk(PART_S);
    ward.stop_recording();
    analyst.stop_recording();
    analyst.tell("hangup");
    ward.expect_call("DISCONNECTED");
    node.assert_empties();
    assert_heard("ward", &heard_by_ward, ANALYST_HZ, HEARD_S);
    assert_heard("analyst", &heard_by_analyst, WARD_HZ, HEARD_S);
    node.stop();
}

/// D58: an address alone is not enough for somebody whose certificate bears another's name.
#[test]
fn d58_a_caller_whose_certificate_names_another_is_refused() {
    let _machine = beside_others();
    let authority = Authority::new();
    let node = Node::start(&Desk { authority: Some(&authority), ..Desk::of(vec![Analyst::registered("amara")]) });
    let papers = authority.sign(node.folder(), "other", &["other.example"]);
    let mut ward = Pjsua::start(&node, &Setup { papers: Some(&papers), ..Setup::ward("4700") });
    ward.tell(&format!("call {}", node.encrypted_hotline()));
    assert_eq!(ward.expect_call("DISCONNECTED")["code"], 403);
    let mut clear = Pjsua::start(&node, &Setup { name: "clear", ..Setup::ward("4700") });
    clear.tell(&format!("call {}", node.hotline(false)));
    assert_eq!(clear.expect_call("DISCONNECTED")["code"], 403, "nothing comes in clear over an encrypted trunk");
    assert_eq!(node.tickets(), Vec::<serde_json::Value>::new());
    node.stop();
}

/// The trunk's media is SRTP, the analyst's RTP; keys by telephone-event come through both.
#[test]
fn secured_media_of_the_trunk_is_joined_with_an_analyst_in_clear() {
    let _machine = beside_others();
    let authority = Authority::new();
    let desk = Desk { authority: Some(&authority), srtp: true, ..Desk::of(vec![Analyst::registered("amara")]) };
    let node = Node::start(&desk);
    let papers = authority.sign(node.folder(), "phones", &[PBX_NAME]);
    let papers = Some(&papers);
    let mut analyst = Pjsua::start(&node, &Setup::analyst("amara"));
    let mut ward = Pjsua::start(&node, &Setup { papers, srtp: true, ..Setup::ward("4700") });
    ward.call(&node.encrypted_hotline());
    analyst.expect_call("CONFIRMED");
    let (heard_by_ward, heard_by_analyst) = (ward.record("ward-heard"), analyst.record("analyst-heard"));
    let_them_talk(PART_S);
    ward.stop_recording();
    analyst.stop_recording();
    ward.tell("rfc2833 5");
    analyst.expect("digit", |told| told["digit"] == "5");
    analyst.tell("hangup");
    ward.expect_call("DISCONNECTED");
    let mut clear = Pjsua::start(&node, &Setup { name: "clear", papers, ..Setup::ward("4701") });
    clear.tell(&format!("call {}", node.encrypted_hotline()));
    assert_eq!(clear.expect_call("DISCONNECTED")["code"], 488, "B37: RTP in clear is refused");
    node.assert_empties();
    assert_heard("ward", &heard_by_ward, ANALYST_HZ, HEARD_S);
    assert_heard("analyst", &heard_by_analyst, WARD_HZ, HEARD_S);
    assert_eq!(node.figure("media_troubles_total{kind=\"forged\"}"), 0);
    node.stop();
}

/// A desk whose PBX, with the operator, is at the other end of a connection that we make; the ward asks for the operator.
fn ask_for_the_operator(authority: &Authority, names: &[&str], srtp: bool) -> (Node, Pjsua, Pjsua) {
    let pbx = free_ports(2);
    let desk = Desk { authority: Some(authority), srtp, pbx, ..Desk::of(vec![Analyst::registered("amara")]) };
    let node = Node::start(&desk);
    let papers = authority.sign(node.folder(), "pbx", names);
    let operator =
        Setup { name: "operator", port: pbx, answers: true, tone: OPERATOR_HZ, ..Setup::ward(crate::desk::OPERATOR) };
    let operator = Pjsua::start(&node, &Setup { papers: Some(&papers), srtp, ..operator });
    let ward = authority.sign(node.folder(), "ward", &[PBX_NAME]);
    let mut ward = Pjsua::start(&node, &Setup { papers: Some(&ward), srtp, ..Setup::ward("4700") });
    ward.call(&node.encrypted_hotline());
    let_them_talk(1.0);
    ward.tell("rfc2833 9");
    (node, operator, ward)
}

fn talk_with_the_operator(srtp: bool) {
    let _machine = beside_others();
    let (node, mut operator, mut ward) = ask_for_the_operator(&Authority::new(), &[PBX_NAME], srtp);
    operator.expect_call("CONFIRMED");
    let (heard_by_ward, heard_by_operator) = (ward.record("ward-heard"), operator.record("operator-heard"));
    let_them_talk(PART_S);
    ward.stop_recording();
    operator.stop_recording();
    ward.tell("hangup");
    operator.expect_call("DISCONNECTED");
    node.assert_empties();
    assert_heard("ward", &heard_by_ward, OPERATOR_HZ, HEARD_S);
    assert_heard("operator", &heard_by_operator, WARD_HZ, HEARD_S);
    node.stop();
}

#[test]
fn the_operator_behind_an_encrypted_trunk_is_reached_and_heard() {
    talk_with_the_operator(false);
}

#[test]
fn the_operator_behind_a_trunk_with_secured_media_is_reached_and_heard() {
    talk_with_the_operator(true);
}

/// D58: the log says which name was wanted and which was shown, as only a person can set that right.
#[test]
fn d58_a_pbx_that_shows_anothers_certificate_is_not_called_and_the_log_says_why() {
    let _machine = beside_others();
    let (node, operator, mut ward) = ask_for_the_operator(&Authority::new(), &["other.example"], false);
    let why = until("the log says why", TOLD_WITHIN, || {
        node.log().lines().find(|line| line.contains("the handshake with a peer failed")).map(str::to_owned)
    });
    let wanted = format!("certificate not valid for name \"{PBX_NAME}\"; certificate is only valid for other.example");
    assert!(why.contains(&wanted), "{why}");
    ward.tell("hangup");
    ward.expect_call("DISCONNECTED");
    node.assert_empties();
    assert!(operator.told().iter().all(|told| told["event"] != "incoming"), "it heard nothing of the call");
    node.stop();
}

//! A ward phone calls, an analyst answers, both hear each other: baresip on both sides, by codec and transport.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;

use crate::baresip::{Baresip, Setup};
use crate::desk::{Analyst, Desk};
use crate::linphone::Linphone;
use crate::node::Node;
use crate::peer::{LOCAL, beside_others, let_them_talk};
use crate::pjsua::{ANALYST_HZ, WARD_HZ};
use crate::tone::assert_heard;

/// What each side is to have heard of the other, at least.
const TALK_S: f64 = 2.0;

struct Case {
    ward_codec: &'static str,
    analyst_codec: &'static str,
    ward_tcp: bool,
    analyst_tcp: bool,
    /// Where everybody is.
    local: IpAddr,
    /// As tickets name them: caller, analyst.
    agreed: [&'static str; 2],
}

fn talk(case: &Case) {
    let _machine = beside_others();
    let node = Node::start(&Desk::at(case.local, vec![Analyst::old("amara")]));
    let (tcp, codec) = (case.analyst_tcp, case.analyst_codec);
    let analyst = Setup { name: "analyst", codec, tone: ANALYST_HZ, tcp, registers: true, ..Setup::ward("amara") };
    let mut analyst = Baresip::start(&node, &analyst);
    let tcp = case.ward_tcp;
    let ward = Setup { codec: case.ward_codec, tcp, ..Setup::ward("4700") };
    let mut ward = Baresip::start(&node, &ward);

    ward.dial(&node.hotline(tcp));
    ward.expect("CALL_ESTABLISHED");
    analyst.expect("CALL_ESTABLISHED");
    let_them_talk(TALK_S + 1.0);
    ward.hang_up();
    ward.expect("CALL_CLOSED");
    // "Solved? One yes, two no."
    analyst.press('1');
    analyst.expect("CALL_CLOSED");

    node.assert_empties();
    assert_heard("ward", &ward.heard(), ANALYST_HZ, TALK_S);
    assert_heard("analyst", &analyst.heard(), WARD_HZ, TALK_S);
    assert_ticket(&node.only_ticket(), case.agreed);
    node.stop();
}

/// Who called from where, who was rung and answered, how it ended, and how the audio was.
fn assert_ticket(ticket: &Value, agreed: [&str; 2]) {
    assert_eq!(ticket["calling"], "4700", "{ticket:#}");
    assert_eq!(ticket["caller"]["place"]["value"]["unit"], "4-west", "{ticket:#}");
    assert_eq!(ticket["need"]["system"], "ehr");
    assert_eq!(ticket["owners"], serde_json::json!(["amara"]));
    assert_eq!(ticket["end"]["cause"], "normal");
    assert_eq!(ticket["end"]["by"], "caller");
    assert_eq!(ticket["dispositions"][0]["disposition"]["solved"], true, "{ticket:#}");
    assert_eq!(ticket["up"], false);
    assert!(ticket["human_heard"].is_string(), "{ticket:#}");
    assert_eq!(ticket["problems"], serde_json::json!([]));
    for (party, codec) in [("caller", agreed[0]), ("analyst", agreed[1])] {
        let reports = ticket["media"].as_array().expect("reports");
        let report = reports.iter().find(|report| report[0] == party);
        let report = report.unwrap_or_else(|| panic!("no report of the {party}: {ticket:#}"));
        assert_eq!(report[1]["codec"], codec, "{report}");
        let packets = |key: &str| report[1][key].as_u64().expect("a count");
        assert!(packets("received") > 100 && packets("sent") > 100 && packets("lost") == 0, "{report}");
    }
}

const PCMA: &str = "PCMA/8000";
const PCMU: &str = "PCMU/8000";
const G722: &str = "G722/16000";

/// Both by UDP on IPv4.
fn case(ward_codec: &'static str, analyst_codec: &'static str, agreed: [&'static str; 2]) -> Case {
    Case { ward_codec, analyst_codec, ward_tcp: false, analyst_tcp: false, local: LOCAL.into(), agreed }
}

#[test]
fn baresip_pcma_over_udp_is_heard_both_ways() {
    talk(&case(PCMA, PCMA, ["PCMA", "PCMA"]));
}

#[test]
fn baresip_g722_over_tcp_is_heard_both_ways() {
    talk(&Case { ward_tcp: true, analyst_tcp: true, ..case(G722, G722, ["G722", "G722"]) });
}

#[test]
fn baresip_pcmu_at_the_ward_and_g722_at_the_desk_are_transcoded() {
    talk(&case(PCMU, G722, ["PCMU", "G722"]));
}

#[test]
fn baresip_on_tcp_with_g722_calls_one_on_udp_with_pcma() {
    talk(&Case { ward_tcp: true, ..case(G722, PCMA, ["G722", "PCMA"]) });
}

#[test]
fn baresip_over_ipv6_is_heard_both_ways() {
    talk(&Case { local: Ipv6Addr::LOCALHOST.into(), ..case(PCMA, PCMA, ["PCMA", "PCMA"]) });
}

#[test]
fn baresip_over_ipv6_on_tcp_calls_one_on_udp() {
    talk(&Case { local: Ipv6Addr::LOCALHOST.into(), ward_tcp: true, ..case(PCMU, G722, ["PCMU", "G722"]) });
}

/// As the README has it: it registers by SHA-256, answers by hand, and sends its key as telephone-event.
#[test]
fn linphone_at_the_ward_and_at_the_desk_is_heard_both_ways() {
    let _machine = beside_others();
    let node = Node::start(&Desk::of(vec![Analyst::registered("amara")]));
    let mut analyst = Linphone::analyst(&node, "amara", ANALYST_HZ);
    let mut ward = Linphone::ward(&node, "4700", WARD_HZ);
    ward.tell(&format!("call {}", node.hotline(false)));
    ward.expect("connected.");
    analyst.expect("Receiving new incoming call from \"4 West\" <sip:4700@");
    analyst.tell("answer");
    analyst.expect("Media streams established");
    let_them_talk(TALK_S + 1.0);
    ward.tell("terminate");
    ward.expect("ended");
    // "Solved? One yes, two no."
    analyst.tell("1");
    analyst.expect("ended");

    node.assert_empties();
    assert_heard("ward", &ward.quit(), ANALYST_HZ, TALK_S);
    assert_heard("analyst", &analyst.quit(), WARD_HZ, TALK_S);
    assert_ticket(&node.only_ticket(), ["PCMU", "PCMU"]);
    node.stop();
}

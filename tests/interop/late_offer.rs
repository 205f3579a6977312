//! A PBX that lets the other side offer (INVITE without SDP, RFC 3264 section 5), on hold and back likewise.

use std::time::Duration;

use serde_json::json;

use crate::desk::{Analyst, Desk};
use crate::node::Node;
use crate::peer::{beside_others, let_them_talk, until};
use crate::pjsua::{ANALYST_HZ, Pjsua, Setup};
use crate::sipp::Sipp;
use crate::tone::{Sound, assert_heard, assert_not_heard};

/// Between its steps: longer than what is recorded of each, by far.
const STEP: Duration = Duration::from_secs(5);
const PART_S: f64 = 1.5;
const SOON: Duration = Duration::from_secs(10);

/// The ward sends back what it hears, so the analyst hears itself only while audio goes both ways.
#[test]
fn a_pbx_that_lets_us_offer_holds_and_resumes() {
    let _machine = beside_others();
    let node = Node::start(&Desk::of(vec![Analyst::registered("amara")]));
    let mut analyst = Pjsua::start(&node, &Setup::analyst("amara"));
    let mut ward = Sipp::late_ward(&node, 4_700, STEP);
    analyst.expect_call("CONFIRMED");
    let_them_talk(0.3);
    let before = analyst.record("before");
    let_them_talk(PART_S);
    analyst.stop_recording();
    until("the ward holds", SOON, || node.only_ticket()["holds"][0]["from"].is_string().then_some(()));
    let_them_talk(0.3);
    let during = analyst.record("during");
    let_them_talk(PART_S);
    analyst.stop_recording();
    until("the ward resumes", SOON, || node.only_ticket()["holds"][0]["to"].is_string().then_some(()));
    let_them_talk(0.3);
    let after = analyst.record("after");
    let_them_talk(PART_S);
    analyst.stop_recording();
    let figures = ward.figures(SOON);
    assert_eq!(figures["SuccessfulCall(C)"], 1, "{figures:?}");
    // "Solved? One yes, two no."
    analyst.tell("rfc2833 1");
    analyst.expect_call("DISCONNECTED");

    node.assert_empties();
    assert_heard("analyst, before the hold", &before, ANALYST_HZ, 1.0);
    // The last of it may still lie in the phone's own jitter buffer.
    assert_not_heard("analyst, on hold", &during, ANALYST_HZ, 0.3);
    let music = Sound::read(&during);
    let power: f64 = music.samples.iter().map(|sample| sample * sample).sum::<f64>() / music.samples.len() as f64;
    assert!(power > 1e-6, "hold music is heard: {power}");
    assert_heard("analyst, after the hold", &after, ANALYST_HZ, 1.0);
    let ticket = node.only_ticket();
    assert_eq!(ticket["holds"].as_array().map(Vec::len), Some(1), "{ticket:#}");
    assert_eq!((&ticket["holds"][0]["by"], &ticket["end"]["by"]), (&json!("caller"), &json!("caller")));
    assert_eq!(ticket["dispositions"][0]["disposition"]["solved"], true, "{ticket:#}");
    assert_eq!(ticket["problems"], json!([]));
    node.stop();
}

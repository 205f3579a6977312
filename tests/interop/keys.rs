//! A menu answered by each way that phones send keys, and keys that go through to the other side of the bridge.

use serde_json::json;

use crate::desk::{Analyst, Desk, Phone};
use crate::node::Node;
use crate::peer::{beside_others, let_them_talk};
use crate::pjsua::{ANALYST_HZ, Pjsua, Setup, WARD_HZ};
use crate::tone::{assert_heard, write_key};

/// How the ward phone sends its key, and how the records name that.
enum Method {
    TelephoneEvent,
    Info,
    /// Two tones in the audio, from a phone that knows no telephone-event.
    InBand,
}

/// The outpatients' system is shared out by module, so the desk asks; two is sign-in.
fn answer_the_menu(method: &Method, named: &str) {
    let _machine = beside_others();
    let analyst = |id: &str, module| Analyst { id: id.to_owned(), phone: Phone::Registers, module: Some(module) };
    // Nobody rings Edith's phone; without her nobody could take what key three asks for.
    let edith =
        Analyst { id: "edith".to_owned(), phone: Phone::Fixed { port: 9, tcp: false }, module: Some("equipment") };
    let node = Node::start(&Desk::of(vec![analyst("charlie", "charting"), analyst("sigrid", "sign-in"), edith]));
    let mut right = Pjsua::start(&node, &Setup::analyst("sigrid"));
    let wrong = Pjsua::start(&node, &Setup::analyst("charlie"));
    let telephone_event = !matches!(method, Method::InBand);
    let mut ward = Pjsua::start(&node, &Setup { telephone_event, ..Setup::ward("5310") });

    ward.call(&node.hotline(false));
    let_them_talk(1.0);
    match method {
        Method::TelephoneEvent => ward.tell("rfc2833 2"),
        Method::Info => ward.tell("info 2"),
        Method::InBand => {
            let key = node.file("key-2.wav");
            write_key(&key, 16_000, '2');
            ward.tell(&format!("play {}", key.display()));
        }
    }
    right.expect_call("CONFIRMED");
    if matches!(method, Method::InBand) {
        ward.tell(&format!("play {}", node.file("ward-tone.wav").display()));
    }
    let heard = (ward.record("ward-heard"), right.record("analyst-heard"));
    let_them_talk(1.5);
    if telephone_event {
        // The analyst's phone gets it as telephone-event, however the ward sent it.
        ward.tell(if matches!(method, Method::Info) { "info 5" } else { "rfc2833 5" });
        right.expect("digit", |told| told["digit"] == "5");
    }
    let_them_talk(1.0);
    ward.stop_recording();
    right.stop_recording();
    ward.tell("hangup");
    // "Solved? One yes, two no."
    let_them_talk(0.5);
    right.tell("rfc2833 2");
    right.expect_call("DISCONNECTED");

    node.assert_empties();
    assert_heard("ward", &heard.0, ANALYST_HZ, 1.5);
    assert_heard("analyst", &heard.1, WARD_HZ, 1.5);
    assert!(!wrong.told().iter().any(|told| told["event"] == "incoming"), "only who is qualified is rung");
    let ticket = node.only_ticket();
    assert_eq!(ticket["keys"][0], "2", "{ticket:#}");
    assert_eq!(ticket["need"]["module"], "sign-in");
    assert_eq!(ticket["need_by"], "key");
    assert_eq!(ticket["owners"], json!(["sigrid"]));
    assert_eq!(ticket["dispositions"][0]["disposition"]["solved"], false);
    let pressed = node.records(&ticket).into_iter().find(|record| record["kind"] == "key-pressed");
    assert_eq!(pressed.expect("a record of the key")["source"], named);
    node.stop();
}

#[test]
fn a_menu_is_answered_by_telephone_event() {
    answer_the_menu(&Method::TelephoneEvent, "telephone-event");
}

#[test]
fn a_menu_is_answered_by_info() {
    answer_the_menu(&Method::Info, "info");
}

#[test]
fn a_menu_is_answered_by_tones_in_the_audio() {
    answer_the_menu(&Method::InBand, "in-band");
}

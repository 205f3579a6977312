//! The session timer (RFC 4028) and UPDATE, line by line of the checklist.

use super::*;

const TIMER: &str = "h=Supported:timer";
const ALLOWED: &str = "h=Allow:INVITE,_UPDATE";

// Who refreshes, and how often.

#[test]
fn f74_the_2xx_to_a_phone_says_who_refreshes() {
    let cases = [
        // The phone asks to do it itself; asks us; leaves it to us; only knows of it.
        (vec![TIMER, "h=Session-Expires:600;refresher=uac"], "se=600;refresher=uac"),
        (vec![TIMER, "h=x:600;refresher=uas"], "se=600;refresher=uas"),
        (vec![TIMER, "h=Session-Expires:600"], "se=600;refresher=uas"),
        (vec![TIMER], "se=1800;refresher=uas"),
        // We shorten it, but not below what the phone bears.
        (vec![TIMER, "h=Session-Expires:7200;refresher=uac"], "se=1800;refresher=uac"),
        (vec![TIMER, "h=Session-Expires:7200;refresher=uac", "h=Min-SE:3600"], "se=3600;refresher=uac"),
        // A proxy asks for a phone that knows nothing of it.
        (vec!["h=Session-Expires:600"], "se=600;refresher=uas"),
    ];
    for (words, says) in cases {
        called_timed(&words, &format!("0 ! answer A\n0 > 200 INVITE 1 {says} sdp=A\n9 ."));
    }
    for words in [vec![], vec!["h=Session-Expires:60"]] {
        called_timed(&words, "0 ! answer A\n0 > 200 INVITE 1 sdp=A\n9 .");
    }
    let mut usage = called_timed(&[TIMER, "h=Session-Expires:600;refresher=uac"], "9 .");
    usage.answer(Instant::ZERO, "A");
    let Some(Output::Respond { response, .. }) = usage.poll_output() else { panic!() };
    assert_eq!(response.headers.get("Require"), Some("timer"), "RFC 4028 section 9: the phone must know");
}

#[test]
fn f74_an_interval_below_90_s_gets_422() {
    let words = ["INVITE", "1", "to=-", "sdp=O", TIMER, "h=Session-Expires:89"];
    let invite = peer_request(&words);
    let error = Usage::uas(ServerKey(1), &invite, timed()).err().unwrap();
    let response = error.response(&invite, "us");
    assert_eq!((response.status.code(), response.headers.get("Min-SE")), (422, Some("90")));
    called_timed(
        &[TIMER],
        "0 ! answer A
         0 > 200 INVITE 1 se=1800;refresher=uas sdp=A
         1 < ACK 1
         1 * confirmed -
         2 < UPDATE 2 h=Supported:timer h=Session-Expires:60
         2 > 422 UPDATE 2 min=90
         3 < INVITE 3 sdp=P h=Supported:timer h=Session-Expires:60
         3 > 422 INVITE 3 min=90
         9 .",
    );
}

#[test]
fn f74_a_422_to_our_invite_is_taken_and_the_call_goes_on() {
    calling_timed(
        "1 < 422 1 INVITE h=Min-SE:3600
         1 > INVITE 2 se=3600 sdp=O
         2 < 422 2 INVITE h=Min-SE:7200
         2 > INVITE 3 se=7200 sdp=O
         3 < 180 3 INVITE
         3 * ringing 180
         4 < 200 3 INVITE sdp=A h=Session-Expires:7200;refresher=uas
         4 > ACK 3
         4 * answered A
         9 .",
    );
    // One that names nothing greater is a refusal like any other, and there is an end to it.
    for refused in ["h=Min-SE:60", "h=Min-SE:9999999", "h=X:y"] {
        calling_timed(&format!("1 < 422 1 INVITE {refused}\n1 * rejected 422 Peer\n1 * ended by peer Rejected\n9 ."));
    }
    calling_timed(
        "1 < 422 1 INVITE h=Min-SE:100
         1 > INVITE 2 se=1800 sdp=O
         2 < 422 2 INVITE h=Min-SE:100
         2 > INVITE 3 se=1800 sdp=O
         3 < 422 3 INVITE h=Min-SE:100
         3 > INVITE 4 se=1800 sdp=O
         4 < 422 4 INVITE h=Min-SE:100
         4 * rejected 422 Peer
         4 * ended by peer Rejected
         9 .",
    );
    // Whoever has hung up calls nobody anew.
    calling_timed(
        "1 < 180 1 INVITE\n1 * ringing 180\n2 ! bye\n2 > CANCEL\n2 * ended by us Cancelled
         3 < 422 1 INVITE h=Min-SE:3600\n9 .",
    );
}

// Our refreshes.

#[test]
fn f74_we_refresh_by_update_where_the_phone_allows_it() {
    calling_timed(&format!(
        "0 < 200 1 INVITE sdp=A {ALLOWED} h=Session-Expires:600;refresher=uac
         0 > ACK 1
         0 * answered A
         300000 > UPDATE 2 se=600;refresher=uac
         300010 < 200 2 UPDATE h=Session-Expires:600;refresher=uac
         600010 > UPDATE 3 se=600;refresher=uac
         600020 < 200 3 UPDATE
         9999999 .",
    ));
}

#[test]
fn f74_we_refresh_by_re_invite_where_it_does_not() {
    calling_timed(
        "0 < 200 1 INVITE sdp=A h=Session-Expires:600;refresher=uac
         0 > ACK 1
         0 * answered A
         300000 * refresh due
         300000 ! reinvite O
         300000 > INVITE 2 se=600;refresher=uac sdp=O
         300010 < 200 2 INVITE sdp=A h=Session-Expires:600;refresher=uac
         300010 > ACK 2
         300010 * offer answered A
         600010 * refresh due
         600011 .",
    );
    // An UPDATE that is no method to the phone after all.
    calling_timed(&format!(
        "0 < 200 1 INVITE sdp=A {ALLOWED} h=Session-Expires:600;refresher=uac
         0 > ACK 1
         0 * answered A
         300000 > UPDATE 2 se=600;refresher=uac
         300010 < 405 2 UPDATE
         300010 * refresh due
         300011 ! reinvite O
         300011 > INVITE 3 se=600;refresher=uac sdp=O
         300012 .",
    ));
}

#[test]
fn f74_glare_and_422_put_a_refresh_off_and_no_more() {
    calling_timed(&format!(
        "0 < 200 1 INVITE sdp=A {ALLOWED} h=Session-Expires:600;refresher=uac
         0 > ACK 1
         0 * answered A
         300000 > UPDATE 2 se=600;refresher=uac
         300010 < 500 2 UPDATE h=Retry-After:7
         307010 > UPDATE 3 se=600;refresher=uac
         307020 < 422 3 UPDATE h=Min-SE:900
         307020 > UPDATE 4 se=900;refresher=uac
         307030 < 200 4 UPDATE h=Session-Expires:900;refresher=uac
         757029 .",
    ));
    // The owner of the Call-ID waits 2.1 to 4 s (14.1).
    let usage = calling_timed(&format!(
        "0 < 200 1 INVITE sdp=A {ALLOWED} h=Session-Expires:600;refresher=uac
         0 > ACK 1
         0 * answered A
         300000 > UPDATE 2 se=600;refresher=uac
         300010 < 491 2 UPDATE
         300011 .",
    ));
    let again = usage.poll_timeout().unwrap().since(Instant::from_millis(300_010));
    assert!((Duration::from_millis(2_100)..=Duration::from_secs(4)).contains(&again), "{again:?}");
    calling_timed(
        "0 < 200 1 INVITE sdp=A h=Session-Expires:600;refresher=uac
         0 > ACK 1
         0 * answered A
         300000 * refresh due
         300000 ! reinvite O
         300000 > INVITE 2 se=600;refresher=uac sdp=O
         300010 < 422 2 INVITE h=Min-SE:900
         300010 * offer put off 422
         300010 * offer again
         300011 ! reinvite O
         300011 > INVITE 3 se=900;refresher=uac sdp=O
         300012 .",
    );
}

#[test]
fn f74_a_refresh_waits_for_the_offer_that_is_under_way() {
    calling_timed(&format!(
        "0 < 200 1 INVITE sdp=A {ALLOWED} h=Session-Expires:600;refresher=uac
         0 > ACK 1
         0 * answered A
         299990 < INVITE 2 sdp=P h=Supported:timer h=Session-Expires:600;refresher=uas
         299990 * offer P
         300200 ! accept Q
         300200 > 200 INVITE 2 se=600;refresher=uas sdp=Q
         300300 < ACK 2
         600199 .",
    ));
}

#[test]
fn f74_refreshes_that_get_no_answer_end_the_call_before_its_expiry() {
    // 600 s: the BYE comes 32 s before; the refreshes before it at half of what is left.
    let usage = calling_timed(&format!(
        "0 < 200 1 INVITE sdp=A {ALLOWED} h=Session-Expires:600;refresher=uac
         0 > ACK 1
         0 * answered A
         300000 > UPDATE 2 se=600;refresher=uac
         332000 ! failed UPDATE 2
         434000 > UPDATE 3 se=600;refresher=uac
         466000 ! failed UPDATE 3
         501000 > UPDATE 4 se=600;refresher=uac
         533000 ! failed UPDATE 4
         534500 > UPDATE 5 se=600;refresher=uac
         568000 * session expired
         568000 * ended by us SessionExpired
         568000 > BYE 6
         600000 ! failed BYE 6
         999999 .",
    ));
    assert!(usage.is_finished());
    // 90 s: a third, 30 s, is less than 32.
    calling_timed(&format!(
        "0 < 200 1 INVITE sdp=A {ALLOWED} h=Session-Expires:90;refresher=uac
         0 > ACK 1
         0 * answered A
         45000 > UPDATE 2 se=90;refresher=uac
         60000 * session expired
         60000 * ended by us SessionExpired
         60000 > BYE 3
         99999 .",
    ));
}

#[test]
fn f74_a_refresh_of_a_dialog_that_the_phone_does_not_know_ends_it() {
    let usage = calling_timed(&format!(
        "0 < 200 1 INVITE sdp=A {ALLOWED} h=Session-Expires:600;refresher=uac
         0 > ACK 1
         0 * answered A
         300000 > UPDATE 2 se=600;refresher=uac
         300010 < 481 2 UPDATE
         300010 * peer lost
         300010 * ended by peer PeerLost
         999999 .",
    ));
    assert!(usage.is_finished());
}

// The peer's refreshes.

#[test]
fn f74_a_phone_that_refreshes_keeps_the_call_and_one_that_stops_loses_it() {
    called_timed(
        &[TIMER, "h=Session-Expires:600;refresher=uac"],
        "0 ! answer A
         0 > 200 INVITE 1 se=600;refresher=uac sdp=A
         10 < ACK 1
         10 * confirmed -
         300000 < UPDATE 2 h=Supported:timer h=Session-Expires:600;refresher=uac
         300000 > 200 UPDATE 2 se=600;refresher=uac
         600000 < INVITE 3 sdp=P h=Supported:timer h=Session-Expires:600;refresher=uac
         600000 * offer P
         600000 ! accept Q
         600000 > 200 INVITE 3 se=600;refresher=uac sdp=Q
         600010 < ACK 3
         1168000 * session expired
         1168000 * ended by us SessionExpired
         1168000 > BYE 1
         1168010 < 200 1 BYE
         9999999 .",
    );
}

#[test]
fn f74_a_refresh_may_hand_over_the_refreshing_or_end_the_timer() {
    called_timed(
        &[TIMER, ALLOWED, "h=Session-Expires:600;refresher=uac"],
        "0 ! answer A
         0 > 200 INVITE 1 se=600;refresher=uac sdp=A
         10 < ACK 1
         10 * confirmed -
         1000 < UPDATE 2 h=Supported:timer h=Session-Expires:600;refresher=uas
         1000 > 200 UPDATE 2 se=600;refresher=uas
         301000 > UPDATE 1 se=600;refresher=uac
         301010 < 200 1 UPDATE h=Session-Expires:600;refresher=uas
         302000 < UPDATE 3
         302000 > 200 UPDATE 3
         9999999 .",
    );
}

#[test]
fn an_ended_leg_keeps_no_session_timer() {
    let usage = calling_timed(&format!(
        "0 < 200 1 INVITE sdp=A {ALLOWED} h=Session-Expires:600;refresher=uac
         0 > ACK 1
         0 * answered A
         9 < BYE 1
         9 > 200 BYE 1
         9 * ended by peer Bye
         9999999 .",
    ));
    assert_eq!(usage.poll_timeout(), None);
}

// UPDATE.

#[test]
fn a16_an_update_in_a_confirmed_dialog_brings_an_offer_and_gets_an_answer() {
    talking(
        "1 < UPDATE 2 sdp=P
         1 * offer P
         2 < UPDATE 3 sdp=R
         2 > 500 UPDATE 3 retry
         3 ! accept Q
         3 > 200 UPDATE 2 sdp=Q
         4 ! reinvite X
         4 > INVITE 1 sdp=X
         5 < UPDATE 4 sdp=S
         5 > 491 UPDATE 4
         6 < UPDATE 5
         6 > 200 UPDATE 5
         9 .",
    );
}

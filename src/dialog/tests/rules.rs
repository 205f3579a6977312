//! The rules, line by line of the checklist.

use super::*;

// A leg that calls us.

#[test]
fn a2_the_200_is_repeated_until_the_ack() {
    called(
        false,
        "0 ! ring
         0 > 180 INVITE 1
         100 ! answer A
         100 > 200 INVITE 1 sdp=A
         600 > 200 INVITE 1 sdp=A
         1600 > 200 INVITE 1 sdp=A
         3600 > 200 INVITE 1 sdp=A
         7600 > 200 INVITE 1 sdp=A
         11600 > 200 INVITE 1 sdp=A
         12000 < ACK 1
         12000 * confirmed -
         60000 .",
    );
}

#[test]
fn a3_without_any_ack_the_call_ends_by_bye_after_64_t1() {
    let usage = called(
        false,
        "0 ! answer A
         0 > 200 INVITE 1 sdp=A
         500 > 200 INVITE 1 sdp=A
         1500 > 200 INVITE 1 sdp=A
         3500 > 200 INVITE 1 sdp=A
         7500 > 200 INVITE 1 sdp=A
         11500 > 200 INVITE 1 sdp=A
         15500 > 200 INVITE 1 sdp=A
         19500 > 200 INVITE 1 sdp=A
         23500 > 200 INVITE 1 sdp=A
         27500 > 200 INVITE 1 sdp=A
         31500 > 200 INVITE 1 sdp=A
         32000 * no ACK
         32000 * ended by us NoAck
         32000 > BYE 1
         33000 ! failed BYE 1
         60000 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a6_a_cancel_ends_the_leg_with_487_and_its_reason() {
    let usage = called(
        false,
        "0 ! ring
         0 > 180 INVITE 1
         9 < CANCEL 1 h=Reason:SIP;cause=200
         9 > 487 INVITE 1
         9 * ended by peer Cancelled SIP;cause=200
         99 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a7_a_cancel_after_our_200_changes_nothing() {
    let usage = called(
        false,
        "0 ! answer A\n0 > 200 INVITE 1 sdp=A\n1 < CANCEL 1\n2 < ACK 1\n2 * confirmed -\n3 < BYE 2\n3 > 200 BYE 2
         3 * ended by peer Bye\n9 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a15_a_second_invite_before_the_first_is_final_gets_500_and_retry_after() {
    called(false, "0 < INVITE 2 sdp=P\n0 > 500 INVITE 2 retry\n9 .");
}

#[test]
fn a16_updates_in_an_early_dialog() {
    called(
        false,
        "0 ! ring\n0 > 180 INVITE 1\n1 < UPDATE 2\n1 > 200 UPDATE 2\n2 < UPDATE 3 sdp=P\n2 > 500 UPDATE 3 retry\n9 .",
    );
    called(true, "0 ! ring\n0 > 180 INVITE 1\n2 < UPDATE 3 sdp=P\n2 > 491 UPDATE 3\n9 .");
}

#[test]
fn a18_an_ack_with_another_number_is_ignored() {
    called(
        false,
        "0 ! answer A\n0 > 200 INVITE 1 sdp=A\n1 < ACK 2\n500 > 200 INVITE 1 sdp=A\n600 < ACK 1\n600 * confirmed -\n9000 .",
    );
}

#[test]
fn a19_a_bye_in_an_early_dialog_ends_the_leg() {
    let usage = called(
        false,
        "0 ! ring\n0 > 180 INVITE 1\n1 < BYE 2\n1 > 200 BYE 2\n1 > 487 INVITE 1\n1 * ended by peer Bye\n9 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a20_requests_with_unknown_tags_get_481() {
    talking(
        "1 < INFO 2 from=stranger\n1 > 481 INFO 2\n2 < BYE 3 to=nobody\n2 > 481 BYE 3\n3 < BYE 4 from=-\n3 > 481 BYE 4\n9 .",
    );
    assert_eq!(no_dialog(&peer_request(&["BYE", "1"]), "t").unwrap().status, Status::NO_SUCH_TRANSACTION);
    assert_eq!(no_dialog(&peer_request(&["ACK", "1"]), "t"), None);
}

#[test]
fn a22_a_lower_number_gets_500_and_a_gap_is_fine() {
    talking(
        "1 < INFO 9 body=x\n1 > 200 INFO 9\n1 * info text/plain x\n2 < INFO 8\n2 > 500 INFO 8\n3 < BYE 10\n3 > 200 BYE 10
         3 * ended by peer Bye\n9 .",
    );
}

#[test]
fn b26_a_late_offer_is_answered_in_the_ack() {
    called(true, "0 ! answer A\n0 > 200 INVITE 1 sdp=A\n1 < ACK 1 sdp=B\n1 * confirmed B\n9 .");
}

#[test]
fn b27_an_ack_without_the_answer_ends_the_call_at_once() {
    let usage = called(
        true,
        "0 ! answer A
         0 > 200 INVITE 1 sdp=A
         1 < ACK 1
         1 * no answer in ACK
         1 * ended by us NoAnswerInAck
         1 > BYE 1
         2 < 200 1 BYE
         9 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn our_refusal_ends_the_leg() {
    assert!(called(false, "0 ! reject 503\n0 > 503 INVITE 1\n0 * ended by us Rejected\n9 .").is_finished());
    assert!(called(false, "0 ! bye\n0 > 480 INVITE 1\n0 * ended by us Rejected\n9 .").is_finished());
    assert!(called(false, "0 ! gone\n0 * ended by peer PeerLost\n9 .").is_finished());
}

#[test]
fn our_bye_waits_for_the_ack_while_the_200_is_repeated() {
    let usage = called(
        false,
        "0 ! answer A
         0 > 200 INVITE 1 sdp=A
         1 ! bye
         1 * ended by us Bye
         500 > 200 INVITE 1 sdp=A
         600 < ACK 1
         600 > BYE 1
         700 < 200 1 BYE
         9000 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn an_invite_that_makes_no_dialog_is_refused() {
    let refusal = |words: &[&str]| {
        let invite = peer_request(words);
        let error = Usage::uas(ServerKey(1), &invite, local()).err().unwrap();
        (error.status().code(), error.response(&invite, "us").to_bytes())
    };
    assert_eq!(refusal(&["INVITE", "1", "to=-", "contact=-", "sdp=O"]).0, 400, "only a peer without tags may do so");
    let (status, text) = refusal(&["INVITE", "1", "to=-", "body=hello"]);
    assert!(status == 415 && String::from_utf8(text.to_vec()).unwrap().contains("\r\nAccept: application/sdp\r\n"));
    let (status, text) = refusal(&["INVITE", "1", "to=-", "sdp=O", "h=Content-Encoding:gzip"]);
    assert!(status == 415 && String::from_utf8(text.to_vec()).unwrap().contains("\r\nAccept-Encoding: identity\r\n"));
}

#[test]
fn the_offer_is_found_in_a_multipart_body() {
    let mut invite = peer_request(&["INVITE", "1", "to=-"]);
    invite.headers.set("Content-Type", "multipart/mixed;boundary=\"b1\"");
    invite.body = Bytes::from_static(
        b"--b1\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n--b1\r\nContent-Type: application/SDP\r\n\r\nv=0\r\n--b1--\r\n",
    );
    let usage = Usage::uas(ServerKey(1), &invite, local()).unwrap();
    assert_eq!(usage.initial_offer().map(|offer| offer.to_vec()), Some(b"v=0".to_vec()));
    invite.body = Bytes::from_static(b"--b1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b1--\r\n");
    assert!(Usage::uas(ServerKey(1), &invite, local()).is_err());
}

// A leg that we call.

#[test]
fn early_media_comes_once_and_serves_as_the_answer_of_a_bare_200() {
    calling(
        false,
        "0 < 100 1 INVITE to=-
         1 < 180 1 INVITE
         1 * ringing 180
         2 < 183 1 INVITE sdp=E
         2 * ringing 183
         2 * early E
         3 < 183 1 INVITE sdp=E
         3 * ringing 183
         4 < 200 1 INVITE
         4 > ACK 1
         4 * answered E
         5 < 200 1 INVITE
         5 > ACK 1
         9 .",
    );
}

#[test]
fn a7_a_200_that_crosses_our_cancel_gets_ack_and_bye() {
    let usage = calling(
        false,
        "0 < 180 1 INVITE
         0 * ringing 180
         1 ! elsewhere
         1 > CANCEL SIP;cause=200;text=\"Call completed elsewhere\"
         1 * ended by us Cancelled SIP;cause=200;text=\"Call completed elsewhere\"
         2 < 200 1 INVITE sdp=A
         2 > ACK 1
         2 > BYE 2
         3 < 200 1 INVITE sdp=A
         3 > ACK 1
         4 < 200 2 BYE
         9 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a25_a_cancel_waits_for_the_first_provisional_response() {
    let usage = calling(
        false,
        "0 ! bye\n0 * ended by us Cancelled\n1 < 100 1 INVITE to=-\n1 > CANCEL\n2 < 200 1 CANCEL\n3 < 487 1 INVITE\n9 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a25_a_cancelled_invite_without_any_answer_is_forgotten() {
    let script = "0 ! bye\n0 * ended by us Cancelled\n1 < 180 1 INVITE\n1 > CANCEL\n2 ! failed CANCEL 1\n3 ! failed INVITE 1\n9 .";
    assert!(calling(false, script).is_finished());
}

#[test]
fn a10_the_first_of_several_200s_wins_and_the_others_get_ack_and_bye() {
    calling(
        false,
        "0 < 180 1 INVITE to=other
         0 * ringing 180
         1 < 200 1 INVITE sdp=A
         1 > ACK 1
         1 * answered A
         2 < 200 1 INVITE to=other sdp=B
         2 > ACK 1 to=other
         2 > BYE 2 to=other
         3 < 200 1 INVITE to=other sdp=B
         3 > ACK 1 to=other
         4 < 200 2 BYE to=other
         5 ! info x
         5 > INFO 2
         9 .",
    );
}

#[test]
fn a19_responses_without_a_to_tag_end_the_leg() {
    let usage = calling(
        false,
        "0 < 200 1 INVITE to=- sdp=A\n0 > ACK 1\n0 * ended by peer BrokenPeer\n0 > BYE 2\n1 < 200 2 BYE to=-\n9 .",
    );
    assert!(usage.is_finished());
    let usage = calling(
        false,
        "0 < 183 1 INVITE to=- sdp=A\n0 > CANCEL\n0 * ended by peer BrokenPeer\n1 < 487 1 INVITE to=-\n9 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a19_a_callee_that_hangs_up_early_withdraws_our_invite() {
    let usage = calling(
        false,
        "0 < 180 1 INVITE\n0 * ringing 180\n1 < BYE 5\n1 > 200 BYE 5\n1 > CANCEL\n1 * ended by peer Bye\n2 < 487 1 INVITE\n9 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a16_updates_of_a_ringing_phone() {
    calling(
        false,
        "0 < 183 1 INVITE
         0 * ringing 183
         1 < UPDATE 5
         1 > 200 UPDATE 5
         2 < UPDATE 6 sdp=P
         2 > 491 UPDATE 6
         3 < UPDATE 7 from=stranger
         3 > 481 UPDATE 7
         4 < UPDATE 3
         4 > 500 UPDATE 3
         9 .",
    );
}

#[test]
fn refusals_say_why() {
    let finished = |script: &str| assert!(calling(false, script).is_finished());
    finished("0 < 486 1 INVITE\n0 * rejected 486 Peer\n0 * ended by peer Rejected\n9 .");
    finished(
        "0 < 503 1 INVITE h=Retry-After:18_(busy)\n0 * rejected 503 Peer retry=18\n0 * ended by peer Rejected\n9 .",
    );
    // C48, C49: nobody's password is computed for a challenge.
    finished("0 < 407 1 INVITE\n0 * rejected 407 Peer\n0 * ended by peer Rejected\n9 .");
    finished("0 ! failed INVITE 1\n0 * rejected 408 TimedOut\n0 * ended by peer Rejected\n9 .");
    finished("0 ! unreachable INVITE 1\n0 * rejected 503 Unreachable\n0 * ended by peer Rejected\n9 .");
    finished("0 < 302 1 INVITE\n0 * redirected 302 sip:a@192.0.2.9:5062\n0 * ended by peer Rejected\n9 .");
}

#[test]
fn an_invite_without_offer_takes_the_offer_of_the_200_and_answers_in_the_ack() {
    calling(
        true,
        "0 < 200 1 INVITE sdp=P\n0 * answered -\n0 * offer P\n1 < 200 1 INVITE sdp=P\n2 ! accept Q\n2 > ACK 1 sdp=Q
         3 < 200 1 INVITE sdp=P\n3 > ACK 1 sdp=Q\n9 .",
    );
    calling(
        true,
        "0 < 200 1 INVITE sdp=P\n0 * answered -\n0 * offer P\n2 ! deny 488\n2 * ended by us Bye\n2 > ACK 1\n2 > BYE 2\n9 .",
    );
}

// Offers in the middle of a call.

#[test]
fn a11_glare_is_answered_491_and_our_own_retry_waits_its_time() {
    for (usage, owns_call_id) in [
        (talking_to("0 ! reinvite P\n0 > INVITE 2 sdp=P\n9 ."), true),
        (talking("0 ! reinvite P\n0 > INVITE 1 sdp=P\n9 ."), false),
    ] {
        let mut usage = usage;
        let number = if owns_call_id { "2" } else { "1" };
        usage.receive_request(Instant::ZERO, ServerKey(9), &peer_request(&["INVITE", "7", "sdp=X"]));
        assert_eq!(output_words(usage.poll_output().unwrap()), "> 491 INVITE 7");
        usage.receive_response(Instant::from_millis(100), &peer_response(&["491", number, "INVITE"]));
        assert_eq!(output_words(usage.poll_output().unwrap()), "* offer put off 491");
        let delay = usage.poll_timeout().unwrap().since(Instant::from_millis(100)).as_millis();
        let bounds = if owns_call_id { 2100..=4000 } else { 0..=2000 };
        assert!(bounds.contains(&delay) && delay % 10 == 0, "{delay} ms");
        usage.handle_timeout(Instant::from_millis(4100));
        assert_eq!(output_words(usage.poll_output().unwrap()), "* offer again");
        assert_eq!(usage.reinvite(Some("Q")), Ok(()));
    }
}

#[test]
fn a11_glare_without_end_counts_as_refused() {
    let mut usage = talking_to("0 .");
    let mut now = Instant::ZERO;
    for number in 2..=6 {
        usage.reinvite(Some("P")).unwrap();
        usage.receive_response(now, &peer_response(&["491", &number.to_string(), "INVITE"]));
        now = usage.poll_timeout().unwrap();
        usage.handle_timeout(now);
    }
    usage.reinvite(Some("P")).unwrap();
    while usage.poll_output().is_some() {}
    usage.receive_response(now, &peer_response(&["491", "7", "INVITE"]));
    assert_eq!(output_words(usage.poll_output().unwrap()), "* offer refused 491");
    assert_eq!(usage.poll_timeout(), None);
}

#[test]
fn a12_a_bye_overtakes_a_reinvite_of_either_side() {
    let usage = talking(
        "1 < INVITE 2 sdp=P
         1 * offer P
         2 < BYE 3
         2 > 200 BYE 3
         2 > 487 INVITE 2
         2 * offer withdrawn
         2 * ended by peer Bye
         9 .",
    );
    assert!(usage.is_finished());
    let usage = talking(
        "1 ! reinvite P\n1 > INVITE 1 sdp=P\n2 < BYE 2\n2 > 200 BYE 2\n2 * ended by peer Bye\n3 < 487 1 INVITE\n9 .",
    );
    assert!(usage.is_finished());
    let usage = talking(
        "1 ! reinvite P\n1 > INVITE 1 sdp=P\n2 ! bye\n2 * ended by us Bye\n2 > BYE 2\n3 < 200 1 INVITE sdp=Q\n3 > ACK 1
         4 < 200 2 BYE\n9 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a13_a_reinvite_without_offer_after_our_bye_gets_481() {
    let usage = talking(
        "1 ! bye\n1 * ended by us Bye\n1 > BYE 1\n2 < INVITE 2\n2 > 481 INVITE 2\n3 < ACK 2\n4 < 200 1 BYE\n9 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a14_byes_cross_and_the_leg_ends_once() {
    let usage = talking(
        "1 ! bye\n1 * ended by us Bye\n1 > BYE 1\n2 < BYE 2\n2 > 200 BYE 2\n3 < 481 1 BYE\n4 < BYE 3\n4 > 200 BYE 3\n9 .",
    );
    assert!(usage.is_finished());
}

#[test]
fn a15_a_second_reinvite_before_the_first_is_answered_gets_500() {
    talking(
        "1 < INVITE 2 sdp=P
         1 * offer P
         2 < INVITE 3 sdp=P
         2 > 500 INVITE 3 retry
         3 < UPDATE 4 sdp=P
         3 > 500 UPDATE 4 retry
         4 ! accept Q
         4 > 200 INVITE 2 sdp=Q
         5 < ACK 2
         6 < UPDATE 5 sdp=R
         6 * offer R
         7 ! accept S
         7 > 200 UPDATE 5 sdp=S
         9000 .",
    );
}

#[test]
fn a15_a_500_with_retry_after_to_our_reinvite_is_tried_again_then() {
    talking(
        "1 ! reinvite P\n1 > INVITE 1 sdp=P\n2 < 500 1 INVITE h=Retry-After:3\n2 * offer put off 500\n3002 * offer again\n4000 .",
    );
}

#[test]
fn b35_the_old_session_goes_on_when_our_reinvite_is_refused_or_dies() {
    talking("1 ! reinvite P\n1 > INVITE 1 sdp=P\n2 < 488 1 INVITE\n2 * offer refused 488\n9 .");
    // A probe then finds out whether the peer is there at all.
    talking(
        "1 ! reinvite P\n1 > INVITE 1 sdp=P\n2 ! failed INVITE 1\n2 * offer refused 408\n2 > OPTIONS 2\n3 < 200 2 OPTIONS
         3 * probe answered\n9 .",
    );
}

#[test]
fn a_peer_that_has_lost_the_dialog_ends_the_leg() {
    let lost = "2 * peer lost\n2 * ended by peer PeerLost";
    let script = format!("1 ! reinvite P\n1 > INVITE 1 sdp=P\n2 < 481 1 INVITE\n{lost}\n9 .");
    assert!(talking(&script).is_finished());
    assert!(talking(&format!("1 ! probe\n1 > OPTIONS 1\n2 < 481 1 OPTIONS\n{lost}\n9 .")).is_finished());
    let silent = format!("1 ! probe\n1 > OPTIONS 1\n2 ! failed OPTIONS 1\n{lost}\n2 > BYE 2\n3 ! failed BYE 2\n9 .");
    assert!(talking(&silent).is_finished());
}

#[test]
fn b40_a_reinvite_without_offer_gets_our_full_offer() {
    talking(
        "1 < INVITE 2
         1 * offer -
         2 ! accept F
         2 > 200 INVITE 2 sdp=F
         502 > 200 INVITE 2 sdp=F
         600 < ACK 2 sdp=G
         600 * offer answered G
         700 < INVITE 3
         700 * offer -
         800 ! accept F
         800 > 200 INVITE 3 sdp=F
         900 < ACK 3
         900 * offer refused 488
         9000 .",
    );
}

#[test]
fn a_reinvite_is_refused_cancelled_or_not_acknowledged() {
    talking("1 < INVITE 2 sdp=P\n1 * offer P\n2 ! deny 488\n2 > 488 INVITE 2\n9 .");
    talking("1 < INVITE 2 sdp=P\n1 * offer P\n2 < CANCEL 2\n2 > 487 INVITE 2\n2 * offer withdrawn\n9 .");
    talking("1 < INVITE 2 body=x\n1 > 415 INVITE 2\n9 .");
}

#[test]
fn a_reinvite_stands_for_the_lost_ack() {
    called(
        false,
        "0 ! answer A\n0 > 200 INVITE 1 sdp=A\n9 < INVITE 2 sdp=P\n9 * confirmed -\n9 * offer P\n10 ! accept Q
         10 > 200 INVITE 2 sdp=Q\n11 < ACK 2\n9000 .",
    );
    // Not when our late offer still waits for its answer.
    called(true, "0 ! answer A\n0 > 200 INVITE 1 sdp=A\n9 < INVITE 2 sdp=P\n9 > 491 INVITE 2\n99 .");
}

#[test]
fn one_offer_at_a_time() {
    talking("1 < INVITE 2 sdp=P\n1 * offer P\n2 ! reinvite X\n2 not now\n9 .");
    talking(
        "1 ! reinvite X\n1 > INVITE 1 sdp=X\n2 ! reinvite Y\n2 not now\n3 < 200 1 INVITE sdp=Z\n3 > ACK 1\n3 * offer answered Z\n9 .",
    );
}

#[test]
fn a_reinvite_of_ours_without_offer_takes_theirs() {
    talking("1 ! reinvite -\n1 > INVITE 1\n2 < 200 1 INVITE sdp=P\n2 * offer P\n3 ! accept Q\n3 > ACK 1 sdp=Q\n9 .");
}

// Other requests.

#[test]
fn plain_requests_in_a_dialog_are_answered() {
    talking(
        "1 < OPTIONS 2
         1 > 200 OPTIONS 2
         2 < UPDATE 3
         2 > 200 UPDATE 3
         3 < NOTIFY 4
         3 > 481 NOTIFY 4
         4 < PRACK 5 h=RAck:1_1_INVITE
         4 > 481 PRACK 5
         5 < SUBSCRIBE 6
         5 > 489 SUBSCRIBE 6
         6 < MESSAGE 7 body=x
         6 > 405 MESSAGE 7
         7 < FOO 8
         7 > 501 FOO 8
         9 .",
    );
}

#[test]
fn a_transfer_is_accepted_and_reported() {
    talking(
        "1 < REFER 2 h=Refer-To:<sip:pharmacy@h?Replaces=c9%3Bto-tag%3Dx>
         1 * refer pharmacy c9;to-tag=x
         2 < REFER 3 h=Refer-To:<sip:x@h>
         2 > 491 REFER 3
         3 ! refer yes
         3 > 202 REFER 2
         3 > NOTIFY 1 refer;id=2 active SIP/2.0 100 Trying
         4 < 200 1 NOTIFY
         5 ! notify 180
         5 > NOTIFY 2 refer;id=2 active SIP/2.0 180 Ringing
         6 ! notify 200
         6 > NOTIFY 3 refer;id=2 terminated SIP/2.0 200 OK
         7 ! notify 200
         9 .",
    );
}

#[test]
fn a_transfer_is_refused_unreported_or_overtaken() {
    talking("1 < REFER 2 h=Refer-To:<sip:x@h>\n1 * refer x\n2 ! refer 603\n2 > 603 REFER 2\n9 .");
    talking("1 < REFER 2\n1 > 400 REFER 2\n9 .");
    talking("1 < REFER 2 h=Refer-To:<sip:x@h> h=Refer-Sub:false\n1 * refer x\n2 ! refer yes\n2 > 202 REFER 2\n9 .");
    talking(
        "1 < REFER 2 h=Refer-To:<sip:x@h>\n1 * refer x\n2 < BYE 3\n2 > 200 BYE 3\n2 > 487 REFER 2\n2 * ended by peer Bye\n9 .",
    );
}

// Dialog state.

#[test]
fn requests_take_the_record_route_in_order_as_callee_and_reversed_as_caller() {
    let routes = ["h=Record-Route:<sip:p2.example;lr>,_<sip:p1.example;lr>"];
    let invite = peer_request(&["INVITE", "1", "to=-", routes[0]]);
    let mut callee = Dialog::of_callee(&invite, "us").unwrap();
    let bye = callee.request(Method::Bye);
    let routed: Vec<&str> = bye.headers.all("Route").collect();
    assert_eq!(routed, ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]);
    assert_eq!(bye.uri.to_string(), "sip:w@192.0.2.9:5062");
    assert_eq!(callee.next_hop().to_string(), "sip:p2.example;lr");

    let response = peer_response(&["200", "1", "INVITE", routes[0]]);
    let caller = Dialog::of_stray(&response).unwrap();
    assert_eq!(caller.ack(1).headers.all("Route").collect::<Vec<_>>(), ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
}

#[test]
fn a_strict_router_gets_itself_in_the_request_uri_and_the_target_at_the_end() {
    let invite = peer_request(&["INVITE", "1", "to=-", "h=Record-Route:<sip:strict.example>,_<sip:p1.example;lr>"]);
    let mut dialog = Dialog::of_callee(&invite, "us").unwrap();
    let bye = dialog.request(Method::Bye);
    assert_eq!(bye.uri.to_string(), "sip:strict.example");
    let routed: Vec<&str> = bye.headers.all("Route").collect();
    assert_eq!(routed, ["<sip:p1.example;lr>", "<sip:w@192.0.2.9:5062>"]);
    assert_eq!(dialog.next_hop().to_string(), "sip:strict.example");
}

#[test]
fn d62_a_target_refresh_moves_our_requests() {
    let mut usage = talking("1 < UPDATE 2 contact=sip:w@192.0.2.9:7777\n1 > 200 UPDATE 2\n9 .");
    usage.bye(None);
    usage.poll_output();
    let Some(Output::Request { request, next_hop }) = usage.poll_output() else { panic!() };
    assert_eq!(
        (request.uri.to_string(), next_hop.to_string()),
        ("sip:w@192.0.2.9:7777".into(), "sip:w@192.0.2.9:7777".into())
    );
}

#[test]
fn our_invite_is_complete() {
    let mut usage = Usage::uac(our_invite(Some("v=0")));
    let Some(Output::Request { request, .. }) = usage.poll_output() else { panic!() };
    assert_eq!(
        String::from_utf8(request.to_bytes().to_vec()).unwrap(),
        "INVITE sip:a@192.0.2.9 SIP/2.0\r\nFrom: \"4 West\" <sip:4710@192.0.2.1>;tag=us\r\nTo: <sip:a@192.0.2.9>\r\n\
         Call-ID: c1\r\nCSeq: 1 INVITE\r\nContact: <sip:desk@192.0.2.1:5060>\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY\r\nSupported: 100rel, norefersub\r\n\
         Subject: 4 West\r\nContent-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=0"
    );
}

#[test]
fn a_stray_200_gets_ack_and_bye() {
    let (ack, bye, next_hop) = hang_up_stray(&peer_response(&["200", "4", "INVITE", "sdp=A"])).unwrap();
    assert_eq!((ack.headers.get("CSeq"), bye.headers.get("CSeq")), (Some("4 ACK"), Some("5 BYE")));
    assert_eq!(bye.headers.get("To"), Some("<sip:a@192.0.2.9>;tag=peer"));
    assert_eq!(next_hop.to_string(), "sip:a@192.0.2.9:5062");
}

#[test]
fn each_copy_of_a_2xx_gets_the_same_ack() {
    let mut usage = calling(false, "0 < 180 1 INVITE\n0 * ringing 180");
    let mut ack = |to: &str| {
        usage.receive_response(Instant::ZERO, &peer_response(&["200", "1", "INVITE", "sdp=A", to]));
        let acks: Vec<Output> =
            std::iter::from_fn(|| usage.poll_output()).filter(|output| matches!(output, Output::Ack { .. })).collect();
        assert_eq!(acks.len(), 1, "{acks:?}");
        acks
    };
    let first = ack("to=peer");
    let fork = ack("to=other");
    assert_eq!(ack("to=peer"), first);
    assert_eq!(ack("to=other"), fork);
    assert_ne!(first, fork, "another fork, another branch");
}

#[test]
fn a_leg_whose_step_breaks_still_says_bye_or_cancel() {
    let usage = talking(
        "5 ! probe\n5 > OPTIONS 1\n6 ! break\n7 ! bye\n7 * ended by us Bye\n7 > BYE 1048577\n8 < 200 1048577 BYE\n9 .",
    );
    assert!(usage.is_finished());
    let usage = calling(
        false,
        "1 < 180 1 INVITE\n1 * ringing 180\n2 ! break\n3 ! bye\n3 * ended by us Cancelled\n3 > CANCEL\n9 .",
    );
    assert!(usage.is_finished());
}

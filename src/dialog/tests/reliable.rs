//! Provisional responses that are acknowledged (RFC 3262), line A17 of the checklist.

use super::*;

const RELIABLE: &str = "h=Require:100rel";

// A leg that calls us.

/// A leg that wants its provisional responses acknowledged, after `ring`; and the number of that 180.
fn ringing() -> (Usage, u32) {
    let invite = peer_request(&["INVITE", "1", "to=-", "sdp=O", RELIABLE]);
    let mut usage = Usage::uas(ServerKey(1), &invite, local()).unwrap();
    usage.ring(Instant::ZERO);
    let response = sent(&mut usage).remove(0);
    assert_eq!((response.status.code(), response.headers.get("Require")), (180, Some("100rel")));
    (usage, number(&response))
}

fn number(response: &Response) -> u32 {
    let number = response.headers.get("RSeq").unwrap().parse().unwrap();
    assert!((1..1 << 31).contains(&number), "section 3");
    number
}

fn sent(usage: &mut Usage) -> Vec<Response> {
    let outputs = std::iter::from_fn(|| usage.poll_output());
    outputs
        .filter_map(|output| match output {
            Output::Respond { response, .. } => Some(response),
            Output::Request { .. } | Output::Ack { .. } | Output::Cancel { .. } | Output::Event(_) => None,
        })
        .collect()
}

fn prack(usage: &mut Usage, cseq: &str, rack: &str) -> Vec<Response> {
    let header = format!("h=RAck:{rack}");
    let words = ["PRACK", cseq, header.as_str()];
    let words = if rack.is_empty() { &words[..2] } else { &words[..] };
    usage.receive_request(Instant::from_millis(100), ServerKey(2), &peer_request(words));
    sent(usage)
}

#[test]
fn a17_a_prack_without_rack_gets_400_and_one_that_matches_nothing_481() {
    let (mut usage, rseq) = ringing();
    let status = |responses: Vec<Response>| responses.iter().map(|response| response.status.code()).collect::<Vec<_>>();
    assert_eq!(status(prack(&mut usage, "2", "")), [400]);
    assert_eq!(status(prack(&mut usage, "3", "junk")), [400]);
    assert_eq!(status(prack(&mut usage, "4", &format!("{}_1_INVITE", rseq + 1))), [481]);
    assert_eq!(status(prack(&mut usage, "5", &format!("{rseq}_2_INVITE"))), [481]);
    assert_eq!(status(prack(&mut usage, "6", &format!("{rseq}_1_INVITE"))), [200]);
    assert_eq!(usage.poll_timeout(), None, "it is not sent again");
    assert_eq!(status(prack(&mut usage, "7", &format!("{rseq}_1_INVITE"))), [481], "a second one");
    talking("1 < PRACK 2\n1 > 400 PRACK 2\n2 < PRACK 3 h=RAck:1_1_INVITE\n2 > 481 PRACK 3\n9 .");
}

#[test]
fn a17_without_a_prack_the_response_is_repeated_and_the_call_refused_after_64_t1() {
    let (mut usage, rseq) = ringing();
    let mut happened = Vec::new();
    while let Some(at) = usage.poll_timeout() {
        usage.handle_timeout(at);
        let codes = sent(&mut usage).into_iter().map(|response| {
            if response.status == Status::RINGING {
                assert_eq!(number(&response), rseq, "the same response");
            }
            response.status.code()
        });
        happened.extend(codes.map(|code| (at.as_micros() / 1_000, code)));
    }
    // Doubling without an upper end (section 3).
    let at = |ms| (ms, 180);
    assert_eq!(happened, [at(500), at(1_500), at(3_500), at(7_500), at(15_500), at(31_500), (32_000, 504)]);
    assert!(usage.has_ended() && usage.is_finished());
}

#[test]
fn a_second_provisional_response_waits_for_the_prack_of_the_first() {
    let (mut usage, rseq) = ringing();
    usage.progress(Instant::ZERO, Status::QUEUED, None);
    usage.progress(Instant::ZERO, Status::SESSION_PROGRESS, Some("E"));
    assert!(sent(&mut usage).is_empty());
    let responses = prack(&mut usage, "2", &format!("{rseq}_1_INVITE"));
    let codes: Vec<u16> = responses.iter().map(|response| response.status.code()).collect();
    assert_eq!((codes, number(&responses[1])), (vec![200, 183], rseq + 1), "the latest, with the next number");
    usage.answer(Instant::from_millis(200), "A");
    assert_eq!(sent(&mut usage)[0].status, Status::OK);
    assert_eq!(usage.poll_timeout(), Some(Instant::from_millis(700)), "only the 200 is repeated");
}

#[test]
fn a_caller_that_wants_100rel_is_answered_at_once_without_any_provisional_response() {
    let invite = peer_request(&["INVITE", "1", "to=-", "sdp=O", RELIABLE]);
    let mut usage = Usage::uas(ServerKey(1), &invite, local()).unwrap();
    usage.answer(Instant::ZERO, "A");
    let responses = sent(&mut usage);
    assert_eq!((responses.len(), responses[0].status), (1, Status::OK));
}

// A leg that we call.

#[test]
fn a17_each_reliable_response_is_acknowledged_once_and_in_order() {
    calling(
        false,
        "1 < 183 1 INVITE h=Require:100rel h=RSeq:7 sdp=A
         1 > PRACK 2 rack=7_1_INVITE
         1 * ringing 183
         1 * early A
         2 < 183 1 INVITE h=Require:100rel h=RSeq:7 sdp=A
         3 < 200 2 PRACK
         4 < 180 1 INVITE h=Require:100rel h=RSeq:9
         5 < 180 1 INVITE h=Require:100rel h=RSeq:8
         5 > PRACK 3 rack=8_1_INVITE
         5 * ringing 180
         6 < 180 1 INVITE h=Require:100rel h=RSeq:9
         6 > PRACK 4 rack=9_1_INVITE
         6 * ringing 180
         7 < 481 3 PRACK
         7 ! failed PRACK 4
         8 < 200 1 INVITE
         8 > ACK 1
         8 * answered A
         9 ! bye
         9 * ended by us Bye
         9 > BYE 5
         9 .",
    );
}

#[test]
fn a17_each_fork_counts_its_own_reliable_responses() {
    calling(
        false,
        "1 < 180 1 INVITE to=x h=Require:100rel h=RSeq:7
         1 > PRACK 2 to=x rack=7_1_INVITE
         1 * ringing 180
         2 < 180 1 INVITE to=y h=Require:100rel h=RSeq:30
         2 > PRACK 2 to=y rack=30_1_INVITE
         2 * ringing 180
         3 < 183 1 INVITE to=x h=Require:100rel h=RSeq:8
         3 > PRACK 3 to=x rack=8_1_INVITE
         3 * ringing 183
         9 .",
    );
}

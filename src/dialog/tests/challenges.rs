//! Challenges to our requests, lines C48 and C49 of the checklist.

use super::*;
use crate::sip::digest::{Algorithm, Authorization, Credentials, ha1};

fn credentials(realm: Option<&str>) -> Credentials {
    Credentials { username: "ward".to_owned(), realm: realm.map(str::to_owned), password: "Circle of Life".to_owned() }
}

/// A response that challenges, as `STATUS CSEQ METHOD`.
fn challenge(words: &[&str], challenges: &[&str]) -> Response {
    let mut response = peer_response(words);
    let name = if words[0] == "407" { "Proxy-Authenticate" } else { "WWW-Authenticate" };
    for value in challenges {
        response.headers.push(name, value);
    }
    response
}

const MD5: &str = "Digest realm=\"pbx\", nonce=\"n1\", qop=\"auth\"";
const SHA: &str = "Digest realm=\"pbx\", nonce=\"n2\", algorithm=SHA-256, qop=\"auth\"";
const STALE: &str = "Digest realm=\"pbx\", nonce=\"n3\", stale=true, qop=\"auth\"";

/// The request or ACK that comes out next.
fn next(usage: &mut Usage) -> Request {
    loop {
        match usage.poll_output().expect("something sent") {
            Output::Request { request, .. } | Output::Ack { request, .. } => return request,
            Output::Cancel { .. } | Output::Respond { .. } | Output::Event(_) => {}
        }
    }
}

fn authorization(request: &Request, name: &str) -> Authorization {
    Authorization::parse(request.headers.get(name).unwrap()).unwrap()
}

fn our_call() -> Usage {
    let mut usage = Usage::uac(our_invite(Some("O")));
    assert_eq!(next(&mut usage).headers.get("CSeq"), Some("1 INVITE"));
    usage
}

#[test]
fn c48_an_invite_is_sent_again_with_the_answer_to_its_challenge() {
    for (status, asked, answer, algorithm) in [
        ("401", MD5, "Authorization", Algorithm::Md5),
        ("401", SHA, "Authorization", Algorithm::Sha256),
        ("407", MD5, "Proxy-Authorization", Algorithm::Md5),
    ] {
        let mut usage = our_call();
        assert!(usage.answer_challenge(&challenge(&[status, "1", "INVITE"], &[asked]), &credentials(None)));
        let again = next(&mut usage);
        assert_eq!((again.headers.get("CSeq"), again.headers.call_id()), (Some("2 INVITE"), "c1"));
        assert_eq!(again.body, "O");
        let given = authorization(&again, answer);
        let named = (given.username.as_str(), given.realm.as_str(), given.uri.as_str(), given.count());
        assert_eq!(named, ("ward", "pbx", "sip:a@192.0.2.9", Some(1)));
        let secret = ha1(algorithm, "ward", "pbx", "Circle of Life");
        assert!(given.algorithm == algorithm && given.proves(&secret, &Method::Invite));
        usage.receive_response(Instant::ZERO, &peer_response(&["200", "2", "INVITE", "sdp=A"]));
        let ack = next(&mut usage);
        assert_eq!(ack.headers.get("CSeq"), Some("2 ACK"));
        assert_eq!(ack.headers.get(answer), again.headers.get(answer), "section 22.1");
    }
}

#[test]
fn c48_a_peer_that_challenges_for_ever_is_answered_twice_at_most() {
    let mut usage = our_call();
    assert!(usage.answer_challenge(&challenge(&["401", "1", "INVITE"], &[MD5]), &credentials(None)));
    next(&mut usage);
    // A new nonce without stale=true means that the password is wrong.
    assert!(!usage.answer_challenge(&challenge(&["401", "2", "INVITE"], &[MD5]), &credentials(None)));
    assert!(usage.answer_challenge(&challenge(&["401", "2", "INVITE"], &[STALE]), &credentials(None)));
    assert_eq!(authorization(&next(&mut usage), "Authorization").nonce, "n3");
    let third = challenge(&["401", "3", "INVITE"], &[STALE]);
    assert!(!usage.answer_challenge(&third, &credentials(None)));
    usage.receive_response(Instant::ZERO, &third);
    assert!(usage.has_ended());
}

#[test]
fn c49_another_realm_and_another_scheme_get_no_answer() {
    let response = |challenges: &[&str]| challenge(&["401", "1", "INVITE"], challenges);
    let known = credentials(Some("pbx"));
    let other = "Digest realm=\"elsewhere\", nonce=\"n\", qop=\"auth\"";
    for asked in [&[other][..], &["Basic realm=\"pbx\""], &["Digest realm=\"pbx\", nonce=\"n\", algorithm=MD4"], &[]] {
        let mut usage = our_call();
        assert!(!usage.answer_challenge(&response(asked), &known), "{asked:?}");
        assert_eq!(usage.poll_output(), None);
    }
    // The first that is ours and understood.
    let mut usage = our_call();
    assert!(usage.answer_challenge(&response(&[other, SHA, MD5]), &known));
    assert_eq!(authorization(&next(&mut usage), "Authorization").nonce, "n2");
    assert!(!format!("{known:?}{usage:?}").contains("Circle"), "no password is kept or shown");
}

#[test]
fn c48_a_bye_a_re_invite_and_an_info_are_sent_again_with_the_answer() {
    let mut usage = talking_to("9 .");
    usage.info("text/plain", Bytes::from_static(b"x"));
    assert_eq!(next(&mut usage).headers.get("CSeq"), Some("2 INFO"));
    assert!(usage.answer_challenge(&challenge(&["401", "2", "INFO"], &[MD5]), &credentials(None)));
    assert_eq!(next(&mut usage).headers.get("CSeq"), Some("3 INFO"));
    usage.receive_response(Instant::ZERO, &peer_response(&["481", "3", "INFO"]));
    assert!(usage.has_ended(), "the answer to the second one counts");

    let mut usage = talking_to("9 .");
    usage.reinvite(Some("X")).unwrap();
    next(&mut usage);
    assert!(usage.answer_challenge(&challenge(&["407", "2", "INVITE"], &[MD5]), &credentials(None)));
    let again = next(&mut usage);
    assert_eq!((again.headers.get("CSeq"), &again.body[..]), (Some("3 INVITE"), &b"X"[..]));
    usage.receive_response(Instant::ZERO, &peer_response(&["200", "3", "INVITE", "sdp=Y"]));
    assert_eq!(next(&mut usage).headers.get("CSeq"), Some("3 ACK"));

    usage.bye(None);
    assert_eq!(next(&mut usage).headers.get("CSeq"), Some("4 BYE"));
    assert!(usage.answer_challenge(&challenge(&["401", "4", "BYE"], &[MD5]), &credentials(None)));
    assert_eq!(next(&mut usage).headers.get("CSeq"), Some("5 BYE"));
    usage.receive_response(Instant::ZERO, &peer_response(&["200", "5", "BYE"]));
    while usage.poll_output().is_some() {}
    assert!(usage.is_finished());
}

#[test]
fn c48_an_invite_that_is_taken_back_is_not_sent_again() {
    let mut usage = our_call();
    usage.bye(None);
    assert!(!usage.answer_challenge(&challenge(&["401", "1", "INVITE"], &[MD5]), &credentials(None)));
    usage.receive_response(Instant::ZERO, &challenge(&["401", "1", "INVITE"], &[MD5]));
    while usage.poll_output().is_some() {}
    assert!(usage.is_finished());
}

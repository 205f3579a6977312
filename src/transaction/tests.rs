//! Packet scripts for the four machines, numbered by the lines of the behaviour checklist.
//!
//! A script is the ladder that must come out: `MS SIGN WORDS` a line. Signs that happen to us: `<` a message from the
//! network, `!` a command of the user. Signs that must follow: `=` what the message turned out to be, `>` a message sent,
//! `*` an event. The last line `MS .` says until when to run.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::ids::ConnId;
use crate::sip::{Flow, Message, Response, Status, Transport};
use crate::time::Instant;

struct Rig {
    table: Transactions,
    flow: Flow,
    log: Vec<String>,
    server: Option<ServerKey>,
    request: Option<Request>,
    client: Option<ClientKey>,
}

fn flow(transport: Transport) -> Flow {
    let conn = match transport {
        Transport::Udp => None,
        Transport::Tcp | Transport::Tls => Some(ConnId(1)),
    };
    let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap());
    Flow { transport, local, remote, conn }
}

fn request_text(method: &str, branch: &str, cseq: u32) -> String {
    let body = "Max-Forwards: 70\r\nFrom: <sip:w@192.0.2.9>;tag=f\r\nTo: <sip:desk@192.0.2.1>\r\nCall-ID: c1";
    let branch = match branch {
        "-" => String::new(),
        branch => format!(";branch=z9hG4bK{}", branch.trim_start_matches('~')),
    };
    format!(
        "{method} sip:desk@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060{branch}\r\n{body}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:w@192.0.2.9>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn response_text(status: &str, branch: &str, method: &str) -> String {
    format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch};rport\r\n\
         From: <sip:desk@192.0.2.1>;tag=us\r\nTo: <sip:a@192.0.2.9>;tag=peer\r\nCall-ID: c2\r\nCSeq: 1 {method}\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

fn parse(text: &str) -> Message {
    Message::parse(&Bytes::from(text.to_owned())).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn as_request(text: &str) -> Request {
    match parse(text) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("not a request: {text}"),
    }
}

fn own_request(method: &str) -> Request {
    let mut request = as_request(&request_text(method, "x", 1));
    request.headers.remove("Via");
    request
}

impl Rig {
    fn new(transport: Transport) -> Rig {
        let table = Transactions::new(BTreeMap::new());
        Rig { table, flow: flow(transport), log: Vec::new(), server: None, request: None, client: None }
    }

    fn drain(&mut self, ms: u64) {
        while let Some((_, bytes)) = self.table.poll_transmit() {
            let line = match Message::parse(&bytes).unwrap() {
                Message::Request(request) => {
                    let branch = request.headers.top_via().unwrap().branch().unwrap().to_owned();
                    format!("{} {}", request.method, branch.trim_start_matches("z9hG4bK"))
                }
                Message::Response(response) => {
                    format!("{} {}", response.status, response.headers.cseq().unwrap().method)
                }
            };
            self.log.push(format!("{ms} > {line}"));
        }
        while let Some(event) = self.table.poll_event() {
            let line = match event {
                Event::ClientTimedOut { cseq, .. } => format!("timed out {}", cseq.method),
                Event::ClientUnreachable { cseq, .. } => format!("unreachable {}", cseq.method),
                Event::ClientEnded { .. } => "ended".to_owned(),
                Event::ServerTimedOut { .. } => "no ACK".to_owned(),
                Event::ServerUnreachable { .. } => "caller gone".to_owned(),
            };
            self.log.push(format!("{ms} * {line}"));
        }
    }

    fn advance(&mut self, until_ms: u64) {
        while let Some(at) = self.table.poll_timeout().filter(|at| *at <= Instant::from_millis(until_ms)) {
            self.table.handle_timeout(at);
            self.drain(at.as_micros() / 1000);
        }
    }

    fn network(&mut self, ms: u64, words: &[&str]) {
        let text = match words {
            [status, branch, method] if status.starts_with(|c: char| c.is_ascii_digit()) => {
                response_text(status, branch, method)
            }
            [method, branch] => request_text(method, branch, 1),
            [method, branch, cseq] => request_text(method, branch, cseq.parse().unwrap()),
            other => panic!("{other:?}"),
        };
        let received = self.table.receive(Instant::from_millis(ms), self.flow, Peer::Trusted, parse(&text));
        let line = match received {
            Received::Request { server, request } => {
                (self.server, self.request) = (Some(server), Some(request));
                "request".to_owned()
            }
            Received::Ack { .. } => "ACK for a dialog".to_owned(),
            Received::Cancel { invite, .. } => match invite {
                Some(key) if Some(key) == self.server => "cancels it".to_owned(),
                Some(_) | None => "cancels nothing".to_owned(),
            },
            Received::Response { response, .. } => format!("response {}", response.status),
            Received::Stray { .. } => "stray".to_owned(),
            Received::Absorbed => "absorbed".to_owned(),
            Received::Refused(why) => format!("refused: {why}"),
        };
        self.log.push(format!("{ms} = {line}"));
    }

    fn command(&mut self, ms: u64, words: &[&str]) {
        let now = Instant::from_millis(ms);
        match words {
            ["respond", status] => {
                let status = Status::new(status.parse().unwrap()).unwrap();
                let response = Response::to_request(self.request.as_ref().unwrap(), status).with_to_tag("us");
                self.table.respond(now, &self.server.unwrap(), response);
            }
            ["send", method, branch] => {
                self.client = Some(self.table.request(now, self.flow, own_request(method), branch));
            }
            ["cancel"] => match self.table.cancel(now, &self.client.unwrap(), None) {
                Some(_) => {}
                None => self.log.push(format!("{ms} = not now")),
            },
            ["unreachable"] => self.table.unreachable(now, self.flow),
            ["closed"] => self.table.stream_closed(now, ConnId(1)),
            other => panic!("{other:?}"),
        }
    }
}

fn play(transport: Transport, script: &str) -> Transactions {
    let mut rig = Rig::new(transport);
    let lines: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for line in &lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ms: u64 = words[0].parse().unwrap();
        if !matches!(words[1], "<" | "!" | ".") {
            continue;
        }
        rig.advance(ms);
        rig.log.push(words.join(" "));
        match words[1] {
            "<" => rig.network(ms, &words[2..]),
            "!" => rig.command(ms, &words[2..]),
            _ => {}
        }
        rig.drain(ms);
    }
    assert_eq!(rig.log.join("\n"), lines.join("\n"), "left: what happened");
    rig.table
}

fn over(table: &Transactions) {
    assert!(table.is_empty(), "{} transactions left", table.len());
    assert_eq!(table.poll_timeout(), None);
}

#[test]
fn a1_seven_copies_of_an_invite_are_one_request_and_get_the_same_response() {
    play(
        Transport::Udp,
        "0 < INVITE a
         0 = request
         200 > 100 INVITE
         500 < INVITE a
         500 = absorbed
         500 > 100 INVITE
         600 ! respond 180
         600 > 180 INVITE
         1500 < INVITE a
         1500 = absorbed
         1500 > 180 INVITE
         3500 < INVITE a
         3500 = absorbed
         3500 > 180 INVITE
         7500 < INVITE a
         7500 = absorbed
         7500 > 180 INVITE
         15500 < INVITE a
         15500 = absorbed
         15500 > 180 INVITE
         31500 < INVITE a
         31500 = absorbed
         31500 > 180 INVITE
         31600 .",
    );
}

#[test]
fn trying_stays_unsent_when_the_user_answers_in_time() {
    play(Transport::Udp, "0 < INVITE a\n0 = request\n100 ! respond 180\n100 > 180 INVITE\n1000 .");
}

#[test]
fn a_copy_before_the_trying_brings_it_forward() {
    play(Transport::Udp, "0 < INVITE a\n0 = request\n50 < INVITE a\n50 = absorbed\n50 > 100 INVITE\n900 .");
}

#[test]
fn a4_a_refusal_is_repeated_until_timer_h_and_then_forgotten() {
    let table = play(
        Transport::Udp,
        "0 < INVITE a
         0 = request
         0 ! respond 486
         0 > 486 INVITE
         500 > 486 INVITE
         1500 > 486 INVITE
         3500 > 486 INVITE
         7500 > 486 INVITE
         11500 > 486 INVITE
         15500 > 486 INVITE
         19500 > 486 INVITE
         23500 > 486 INVITE
         27500 > 486 INVITE
         31500 > 486 INVITE
         32000 * no ACK
         60000 .",
    );
    over(&table);
}

#[test]
fn a4_a_refusal_is_repeated_until_its_ack_whose_copies_are_absorbed() {
    let table = play(
        Transport::Udp,
        "0 < INVITE a
         0 = request
         0 ! respond 486
         0 > 486 INVITE
         500 > 486 INVITE
         600 < ACK a
         600 = absorbed
         700 < INVITE a
         700 = absorbed
         800 < ACK a
         800 = absorbed
         9000 .",
    );
    over(&table);
}

#[test]
fn over_a_stream_a_refusal_is_sent_once_and_its_ack_ends_it() {
    let table = play(
        Transport::Tcp,
        "0 < INVITE a\n0 = request\n0 ! respond 486\n0 > 486 INVITE\n9000 < ACK a\n9000 = absorbed\n9000 .",
    );
    over(&table);
}

#[test]
fn a5_a_copy_of_the_invite_after_the_2xx_and_its_ack_is_absorbed() {
    let table = play(
        Transport::Udp,
        "0 < INVITE a
         0 = request
         0 ! respond 200
         0 > 200 INVITE
         50 < ACK other
         50 = ACK for a dialog
         60 < INVITE a
         60 = absorbed
         500 ! respond 200
         500 > 200 INVITE
         600 ! respond 486
         33000 .",
    );
    over(&table);
}

#[test]
fn a6_a_cancel_that_overtakes_its_invite_gets_481_and_the_invite_counts_as_new() {
    play(
        Transport::Udp,
        "0 < CANCEL a
         0 = cancels nothing
         0 > 481 CANCEL
         10 < INVITE a
         10 = request
         20 ! respond 180
         20 > 180 INVITE
         30 .",
    );
}

#[test]
fn a6_a_cancel_before_the_100_is_answered_200_and_told() {
    let table = play(
        Transport::Udp,
        "0 < INVITE a
         0 = request
         10 < CANCEL a
         10 = cancels it
         10 > 200 CANCEL
         10 ! respond 487
         10 > 487 INVITE
         20 < CANCEL a
         20 = absorbed
         20 > 200 CANCEL
         30 < ACK a
         30 = absorbed
         40000 .",
    );
    over(&table);
}

#[test]
fn a7_a_cancel_after_the_200_is_answered_200() {
    play(
        Transport::Udp,
        "0 < INVITE a\n0 = request\n0 ! respond 200\n0 > 200 INVITE\n10 < CANCEL a\n10 = cancels it\n10 > 200 CANCEL\n20 .",
    );
}

#[test]
fn a8_a_cancel_of_nothing_gets_481_once_for_all_its_copies() {
    let table = play(
        Transport::Udp,
        "0 < CANCEL zz\n0 = cancels nothing\n0 > 481 CANCEL\n500 < CANCEL zz\n500 = absorbed\n500 > 481 CANCEL\n40000 .",
    );
    over(&table);
}

#[test]
fn a18_an_ack_to_a_2xx_goes_to_the_dialog_even_with_the_branch_of_the_invite() {
    play(
        Transport::Udp,
        "0 < INVITE a\n0 = request\n0 ! respond 200\n0 > 200 INVITE\n10 < ACK a\n10 = ACK for a dialog\n20 .",
    );
}

#[test]
fn a18_an_ack_to_a_refusal_needs_the_branch() {
    play(
        Transport::Udp,
        "0 < INVITE a
         0 = request
         0 ! respond 486
         0 > 486 INVITE
         10 < ACK b
         10 = ACK for a dialog
         500 > 486 INVITE
         600 .",
    );
}

#[test]
fn a21_the_same_request_by_two_paths_gets_482_on_the_second() {
    play(
        Transport::Udp,
        "0 < INVITE a\n0 = request\n10 < INVITE b\n10 = refused: merged request\n10 > 482 INVITE\n20 .",
    );
}

#[test]
fn a_request_with_only_the_cookie_for_a_branch_is_known_by_the_whole() {
    // RFC 4475 3.2.1: `~` is the bare cookie, `-` no branch at all.
    for branch in ["~", "-"] {
        let script = format!(
            "0 < OPTIONS {branch}
             0 = request
             0 ! respond 200
             0 > 200 OPTIONS
             10 < OPTIONS {branch}
             10 = absorbed
             10 > 200 OPTIONS
             20 < OPTIONS {branch} 2
             20 = request
             30 ."
        );
        play(Transport::Udp, &script);
    }
}

#[test]
fn an_rfc_2543_invite_finds_its_ack_and_its_cancel() {
    play(
        Transport::Udp,
        "0 < INVITE -
         0 = request
         5 < CANCEL -
         5 = cancels it
         5 > 200 CANCEL
         5 ! respond 487
         5 > 487 INVITE
         10 < ACK -
         10 = absorbed
         20 .",
    );
}

#[test]
fn a_request_without_invite_is_answered_again_until_timer_j() {
    let table = play(
        Transport::Udp,
        "0 < BYE a
         0 = request
         10 < BYE a
         10 = absorbed
         20 ! respond 200
         20 > 200 BYE
         500 < BYE a
         500 = absorbed
         500 > 200 BYE
         33000 .",
    );
    over(&table);
}

#[test]
fn a_request_that_nobody_answers_is_forgotten_when_its_client_has() {
    over(&play(Transport::Udp, "0 < INFO a\n0 = request\n33000 ."));
}

#[test]
fn an_invite_of_ours_is_repeated_and_given_up_at_timer_b() {
    let table = play(
        Transport::Udp,
        "0 ! send INVITE a
         0 > INVITE a
         500 > INVITE a
         1500 > INVITE a
         3500 > INVITE a
         7500 > INVITE a
         15500 > INVITE a
         31500 > INVITE a
         32000 * timed out INVITE
         32000 * ended
         33000 .",
    );
    over(&table);
}

#[test]
fn over_a_stream_an_invite_of_ours_is_sent_once() {
    play(Transport::Tcp, "0 ! send INVITE a\n0 > INVITE a\n32000 * timed out INVITE\n32000 * ended\n33000 .");
}

#[test]
fn a_refusal_of_our_invite_is_acknowledged_and_so_are_its_copies() {
    let table = play(
        Transport::Udp,
        "0 ! send INVITE a
         0 > INVITE a
         10 < 180 a INVITE
         10 = response 180
         9000 < 486 a INVITE
         9000 = response 486
         9000 > ACK a
         9500 < 486 a INVITE
         9500 = absorbed
         9500 > ACK a
         41000 * ended
         50000 .",
    );
    over(&table);
}

#[test]
fn every_2xx_to_our_invite_is_passed_up_for_timer_m_and_a_later_one_is_a_stray() {
    play(
        Transport::Udp,
        "0 ! send INVITE a
         0 > INVITE a
         10 < 200 a INVITE
         10 = response 200
         500 < 200 a INVITE
         500 = response 200
         32010 * ended
         32500 < 200 a INVITE
         32500 = stray
         33000 .",
    );
}

#[test]
fn a_request_of_ours_is_repeated_up_to_every_4_s() {
    let table = play(
        Transport::Udp,
        "0 ! send BYE a
         0 > BYE a
         500 > BYE a
         1500 > BYE a
         3500 > BYE a
         7500 > BYE a
         8000 < 100 a BYE
         8000 = response 100
         12000 > BYE a
         13000 < 200 a BYE
         13000 = response 200
         13500 < 200 a BYE
         13500 = absorbed
         18000 * ended
         19000 .",
    );
    over(&table);
}

#[test]
fn a25_a_cancel_waits_for_a_1xx_and_an_unanswered_one_is_forgotten_after_64_t1() {
    let table = play(
        Transport::Tcp,
        "0 ! send INVITE a
         0 > INVITE a
         5 ! cancel
         5 = not now
         10 < 180 a INVITE
         10 = response 180
         20 ! cancel
         20 > CANCEL a
         25 ! cancel
         25 = not now
         32020 * timed out INVITE
         32020 * ended
         32020 * timed out CANCEL
         32020 * ended
         33000 .",
    );
    over(&table);
}

#[test]
fn d61_an_unreachable_phone_is_known_at_once_but_not_after_it_has_answered() {
    play(Transport::Udp, "0 ! send INVITE a\n0 > INVITE a\n5 ! unreachable\n5 * unreachable INVITE\n5 * ended\n9 .");
    play(Transport::Udp, "0 ! send INVITE a\n0 > INVITE a\n3 < 180 a INVITE\n3 = response 180\n5 ! unreachable\n9 .");
}

#[test]
fn d55_a_closed_stream_ends_everything_that_still_needs_it() {
    let table = play(
        Transport::Tcp,
        "0 < INVITE a
         0 = request
         200 > 100 INVITE
         300 ! send INVITE b
         300 > INVITE b
         400 < 180 b INVITE
         400 = response 180
         500 ! closed
         500 * unreachable INVITE
         500 * ended
         500 * caller gone
         600 .",
    );
    over(&table);
}

#[test]
fn d59_a_request_of_ours_that_comes_back_is_a_loop() {
    let mut table = Transactions::new(BTreeMap::new());
    let flow = flow(Transport::Udp);
    table.request(Instant::ZERO, flow, own_request("INVITE"), "a");
    let (_, sent) = table.poll_transmit().unwrap();
    let received = table.receive(Instant::ZERO, flow, Peer::Trusted, Message::parse(&sent).unwrap());
    assert!(matches!(received, Received::Refused("our own request came back")), "{received:?}");
    assert!(table.poll_transmit().unwrap().1.starts_with(b"SIP/2.0 482 "));
}

#[test]
fn a_response_to_nothing_is_refused() {
    play(
        Transport::Udp,
        "0 < 180 q INVITE\n0 = refused: response to no request of ours\n0 < 200 q INVITE\n0 = stray\n9 .",
    );
}

#[test]
fn responses_go_where_the_via_and_the_real_source_say() {
    let table = |via: &str, transport| {
        let mut table = Transactions::new(BTreeMap::new());
        let mut flow = flow(transport);
        flow.remote = "198.51.100.7:40000".parse().unwrap();
        let text = request_text("OPTIONS", "a", 1).replace("192.0.2.9:5060;branch", via);
        let Received::Request { server, request } = table.receive(Instant::ZERO, flow, Peer::Trusted, parse(&text))
        else {
            panic!()
        };
        table.respond(Instant::ZERO, &server, Response::to_request(&request, Status::OK));
        table.poll_transmit().unwrap().0.remote.to_string()
    };
    // RFC 3581: asked for rport. RFC 3261 18.2.2: the source address with the port of sent-by, or 5060.
    assert_eq!(table("10.0.0.9:5070;rport;branch", Transport::Udp), "198.51.100.7:40000");
    assert_eq!(table("10.0.0.9:5070;branch", Transport::Udp), "198.51.100.7:5070");
    assert_eq!(table("phone.example;branch", Transport::Udp), "198.51.100.7:5060");
    assert_eq!(table("10.0.0.9:5070;received=192.0.2.66;maddr=192.0.2.67;branch", Transport::Udp), "198.51.100.7:5070");
    assert_eq!(table("10.0.0.9:5070;branch", Transport::Tcp), "198.51.100.7:40000");
}

#[test]
fn our_via_names_what_the_listener_advertises() {
    let flow = flow(Transport::Udp);
    let sent_by = SentBy { host: crate::sip::Host::parse("desk.example").unwrap(), port: None };
    let mut table = Transactions::new(BTreeMap::from([(flow.local, sent_by)]));
    table.request(Instant::ZERO, flow, own_request("OPTIONS"), "a");
    let sent = String::from_utf8(table.poll_transmit().unwrap().1.to_vec()).unwrap();
    assert!(sent.contains("\r\nVia: SIP/2.0/UDP desk.example;branch=z9hG4bKa;rport\r\n"), "{sent}");
}

#[test]
fn the_ack_to_a_refusal_and_the_cancel_take_the_way_of_the_invite() {
    let mut table = Transactions::new(BTreeMap::new());
    let flow = flow(Transport::Udp);
    let mut invite = own_request("INVITE");
    invite.headers.push("Route", "<sip:proxy.example;lr>");
    let client = table.request(Instant::ZERO, flow, invite, "a");
    table.poll_transmit();
    table.receive(Instant::ZERO, flow, Peer::Trusted, parse(&response_text("180", "a", "INVITE")));
    table.cancel(Instant::ZERO, &client, Some("SIP;cause=200")).unwrap();
    table.receive(Instant::ZERO, flow, Peer::Trusted, parse(&response_text("487", "a", "INVITE")));
    let texts: Vec<String> = std::iter::from_fn(|| table.poll_transmit())
        .map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap())
        .collect();
    let [cancel, ack] = texts.as_slice() else { panic!("{texts:?}") };
    assert_eq!(
        cancel,
        "CANCEL sip:desk@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport\r\n\
         Max-Forwards: 70\r\nRoute: <sip:proxy.example;lr>\r\nFrom: <sip:w@192.0.2.9>;tag=f\r\n\
         To: <sip:desk@192.0.2.1>\r\nCall-ID: c1\r\nCSeq: 1 CANCEL\r\nReason: SIP;cause=200\r\nContent-Length: 0\r\n\r\n"
    );
    assert!(ack.starts_with("ACK sip:desk@192.0.2.1 SIP/2.0\r\n") && ack.contains("\r\nCSeq: 1 ACK\r\n"), "{ack}");
    assert!(ack.contains("\r\nTo: <sip:a@192.0.2.9>;tag=peer\r\n") && ack.contains("\r\nRoute: "), "{ack}");
}

#[test]
fn g93_a_full_table_refuses_invites_first_and_without_retry_after() {
    let mut table = Transactions::new(BTreeMap::new());
    let flow = flow(Transport::Udp);
    for n in 0..MAX_INVITE_TRANSACTIONS {
        table.request(Instant::ZERO, flow, own_request("OPTIONS"), &n.to_string());
        table.poll_transmit();
    }
    let refused = table.receive(Instant::ZERO, flow, Peer::Trusted, parse(&request_text("INVITE", "new", 1)));
    assert!(matches!(refused, Received::Refused("too many transactions")));
    let sent = String::from_utf8(table.poll_transmit().unwrap().1.to_vec()).unwrap();
    assert!(sent.starts_with("SIP/2.0 503 ") && !sent.contains("Retry-After") && sent.contains(";tag="), "{sent}");
    let bye = table.receive(Instant::ZERO, flow, Peer::Trusted, parse(&request_text("BYE", "bye", 1)));
    assert!(matches!(bye, Received::Request { .. }));
}

#[test]
fn g93_phones_and_strangers_together_never_take_the_room_of_trunks() {
    let mut table = Transactions::new(BTreeMap::new());
    let flow = flow(Transport::Udp);
    let mut cseq = 0;
    let mut ask = |table: &mut Transactions, now: Instant, peer: Peer, method: &str| {
        cseq += 1;
        let text = request_text(method, &format!("n{cseq}"), cseq);
        let received = table.receive(now, flow, peer, parse(&text));
        while table.poll_transmit().is_some() {}
        let Received::Request { server, request } = received else { return None };
        Some((server, request))
    };
    let others: Vec<_> = (0..13_000).filter_map(|_| ask(&mut table, Instant::ZERO, Peer::Other, "OPTIONS")).collect();
    assert_eq!(others.len(), 12_288);
    assert!(ask(&mut table, Instant::ZERO, Peer::Other, "CANCEL").is_none());
    assert_eq!(table.len(), 12_288, "a CANCEL of nothing takes none either");
    let trunk = (0..17_000).filter_map(|_| ask(&mut table, Instant::ZERO, Peer::Trusted, "INVITE")).count();
    assert_eq!(trunk, 28_672 - 12_288);
    // What is over makes room again.
    for (server, request) in others {
        table.respond(Instant::ZERO, &server, Response::to_request(&request, Status::OK));
    }
    let later = Instant::ZERO + TIMER_J;
    table.handle_timeout(later);
    assert!(ask(&mut table, later, Peer::Other, "OPTIONS").is_some());
    assert_eq!(table.len(), 28_672 - 12_288 + 1);
}

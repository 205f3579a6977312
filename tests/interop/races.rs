//! Messages that cross on the wire, and phones that are not there: real sockets, a few lines of SIP by hand.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::desk::{Analyst, Desk, HOTLINE};
use crate::node::Node;
use crate::peer::{LOCAL, beside_others, free_ports, until};

/// Answers on loopback come within milliseconds; a loaded machine needs more.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// A phone that says exactly what it is told to.
struct Wire {
    socket: UdpSocket,
    node: SocketAddr,
    call_id: String,
}

impl Wire {
    fn new(node: &Node, port: u16) -> Wire {
        let socket = UdpSocket::bind((LOCAL, port)).expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a live socket");
        Wire { socket, node: node.sip, call_id: format!("race-{}-{port}", std::process::id()) }
    }

    fn port(&self) -> u16 {
        self.socket.local_addr().expect("bound").port()
    }

    fn request(&self, method: &str, branch: &str, to_tag: &str, number: u32, body: &str) {
        let (port, node, call_id) = (self.port(), self.node, &self.call_id);
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let length = body.len();
        let text = format!(
            "{method} sip:{HOTLINE}@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {LOCAL}:{port};branch=z9hG4bK{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:4700@{LOCAL}>;tag=ward\r\nTo: <sip:{HOTLINE}@{node}>{to_tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {number} {method}\r\nContact: <sip:4700@{LOCAL}:{port}>\r\n{kind}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.socket.send_to(text.as_bytes(), self.node).expect("loopback takes it");
    }

    fn invite(&self) {
        self.request("INVITE", "inv", "", 1, &sdp(free_ports(2)));
    }

    /// The next message whose first line and CSeq hold these words.
    fn await_message(&self, first: &str, cseq: &str) -> String {
        until(&format!("{first} of {cseq}"), ANSWERS_WITHIN, || {
            let mut bytes = [0; 4_096];
            let (count, _) = self.socket.recv_from(&mut bytes).ok()?;
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            (text.starts_with(first) && line(&text, "CSeq").ends_with(cseq)).then_some(text)
        })
    }

    /// Answers a request of the node's.
    fn answer(&self, request: &str, status: &str, body: &str) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for line in request.lines().filter(|line| line.starts_with("Via:") || line.starts_with("From:")) {
            text += &format!("{line}\r\n");
        }
        let (to, call_id, cseq) = (line(request, "To"), line(request, "Call-ID"), line(request, "CSeq"));
        let tag = if to.contains("tag=") { "" } else { ";tag=desk" };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        text += &format!(
            "To: {to}{tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\nContact: <sip:desk@{LOCAL}:{}>\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            self.port(),
            body.len()
        );
        self.socket.send_to(text.as_bytes(), self.node).expect("loopback takes it");
    }
}

/// The value of a header that is written once.
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap_or_default().trim()
}

fn to_tag(response: &str) -> String {
    let tag = line(response, "To").split("tag=").nth(1).unwrap_or_default();
    format!(";tag={tag}")
}

fn sdp(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {LOCAL}\r\ns=-\r\nc=IN IP4 {LOCAL}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
         a=rtpmap:0 PCMU/8000\r\n"
    )
}

#[test]
fn a_cancel_that_crosses_our_answer_changes_nothing_and_bye_ends_the_call() {
    let _machine = beside_others();
    let node = Node::start(&Desk::of(vec![Analyst::fixed("ada", free_ports(2))]));
    let ward = Wire::new(&node, free_ports(2));
    // The answer is on its way before the CANCEL comes (RFC 3261 section 9.2).
    ward.invite();
    ward.request("CANCEL", "inv", "", 1, "");
    let answer = ward.await_message("SIP/2.0 200", "INVITE");
    let tag = to_tag(&answer);
    ward.request("ACK", "ack", &tag, 1, "");
    ward.request("BYE", "bye", &tag, 2, "");
    ward.await_message("SIP/2.0 200", "BYE");
    node.assert_empties();
    let ticket = node.only_ticket();
    assert_eq!((&ticket["up"], &ticket["end"]["by"]), (&json!(false), &json!("caller")), "{ticket:#}");
    node.stop();
}

#[test]
fn a_caller_who_leaves_while_a_phone_rings_stops_its_ringing() {
    let _machine = beside_others();
    let desk_port = free_ports(2);
    let node = Node::start(&Desk::of(vec![Analyst::fixed("ada", desk_port)]));
    let (desk, ward) = (Wire::new(&node, desk_port), Wire::new(&node, free_ports(2)));
    ward.invite();
    let tag = to_tag(&ward.await_message("SIP/2.0 200", "INVITE"));
    ward.request("ACK", "ack", &tag, 1, "");
    let invite = desk.await_message("INVITE ", "INVITE");
    desk.answer(&invite, "180 Ringing", "");
    ward.request("BYE", "bye", &tag, 2, "");
    ward.await_message("SIP/2.0 200", "BYE");
    let cancel = desk.await_message("CANCEL ", "CANCEL");
    desk.answer(&cancel, "200 OK", "");
    desk.answer(&invite, "487 Request Terminated", "");
    desk.await_message("ACK ", "ACK");
    node.assert_empties();
    let ticket = node.only_ticket();
    assert_eq!(ticket["end"]["cause"], "abandoned", "{ticket:#}");
    assert!(ticket["callback"].is_null(), "who leaves as soon as this has misdialled");
    node.stop();
}

#[test]
fn an_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up() {
    let _machine = beside_others();
    let desk_port = free_ports(2);
    let node = Node::start(&Desk::of(vec![Analyst::fixed("ada", desk_port)]));
    let (desk, ward) = (Wire::new(&node, desk_port), Wire::new(&node, free_ports(2)));
    ward.invite();
    let tag = to_tag(&ward.await_message("SIP/2.0 200", "INVITE"));
    ward.request("ACK", "ack", &tag, 1, "");
    let invite = desk.await_message("INVITE ", "INVITE");
    desk.answer(&invite, "180 Ringing", "");
    ward.request("BYE", "bye", &tag, 2, "");
    let cancel = desk.await_message("CANCEL ", "CANCEL");
    // Picked up in the very moment of the CANCEL.
    desk.answer(&cancel, "200 OK", "");
    desk.answer(&invite, "200 OK", &sdp(free_ports(2)));
    desk.await_message("ACK ", "ACK");
    let bye = desk.await_message("BYE ", "BYE");
    desk.answer(&bye, "200 OK", "");
    node.assert_empties();
    let ticket = node.only_ticket();
    assert_eq!(ticket["owners"], json!([]), "{ticket:#}");
    node.stop();
}

#[test]
fn a_phone_that_is_not_there_costs_less_than_a_second() {
    let _machine = beside_others();
    let (gone, present) = (free_ports(2), free_ports(2));
    let desk = Desk { at_once: 1, ..Desk::of(vec![Analyst::fixed("absent", gone), Analyst::fixed("bea", present)]) };
    // Signed in first, "absent" is idle longest and so is rung first; its port is closed (ICMP).
    let node = Node::start(&desk);
    let (next, ward) = (Wire::new(&node, present), Wire::new(&node, free_ports(2)));
    let start = Instant::now();
    ward.invite();
    let invite = next.await_message("INVITE ", "INVITE");
    let took = start.elapsed();
    println!("second analyst rung {took:?} after the INVITE");
    assert!(took < Duration::from_secs(1), "{took:?}");
    next.answer(&invite, "486 Busy Here", "");
    next.await_message("ACK ", "ACK");
    let tag = to_tag(&ward.await_message("SIP/2.0 200", "INVITE"));
    ward.request("ACK", "ack", &tag, 1, "");
    ward.request("BYE", "bye", &tag, 2, "");
    ward.await_message("SIP/2.0 200", "BYE");
    node.assert_empties();
    let ticket = node.only_ticket();
    let offers = ticket["offers"].as_array().expect("offers");
    assert_eq!((&offers[0]["analyst"], &offers[0]["outcome"]), (&json!("absent"), &json!("unreachable")), "{ticket:#}");
    assert_eq!((&offers[1]["analyst"], &offers[1]["outcome"]), (&json!("bea"), &json!("busy")));
    node.stop();
}

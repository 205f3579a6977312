//! Ten thousand short calls (line E71): none leaves a port, a transaction, or a row in any book of the switch.

use std::collections::VecDeque;

use bytes::Bytes;

use super::*;

const CALLS: u64 = 10_000;
/// Five a second: with thirty seconds of rest for each port, far from the thousand pairs that there are.
const APART: Duration = Duration::from_millis(200);
const PBX: &str = "127.0.0.1:5070";

/// How a caller leaves.
#[derive(Clone, Copy)]
enum Leaves {
    AtOnce,
    WithoutAck,
    /// Its BYE comes twice.
    Twice,
    /// A CANCEL that comes after the 200, and then the BYE.
    ByCancel,
}

const WAYS: [Leaves; 4] = [Leaves::AtOnce, Leaves::WithoutAck, Leaves::Twice, Leaves::ByCancel];

fn flow() -> Flow {
    let address = |text: &str| text.parse().expect("an address");
    Flow { transport: crate::sip::Transport::Udp, local: address("127.0.0.1:5060"), remote: address(PBX), conn: None }
}

/// A request of the call's caller, from outside the map, so that nobody is owed a call afterwards.
fn text(call: u64, method: &str, cseq: u32, to_tag: &str, body: &str) -> Input {
    let branch = if method == "CANCEL" { "INVITE" } else { method };
    let text = format!(
        "{method} sip:7100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bK-{call}-{branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:4999@pbx>;tag=a\r\nTo: <sip:7100@127.0.0.1>{to_tag}\r\nCall-ID: short-{call}\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:4999@{PBX}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Input::Message { flow: flow(), bytes: Bytes::from(text) }
}

/// What waits to be sent is sent, and each lease is granted; INVITEs of ours are refused as busy, every other time. The tag of the
/// 200, if there was one.
fn drained(switch: &mut Switch, now: Instant, serial: &mut u64) -> Option<String> {
    let (mut tag, mut answers) = (None, VecDeque::new());
    while let Some(action) = switch.poll_action() {
        if let Action::Query { id: query, .. } = action {
            answers.push_back(Input::Answer { query, answer: Answer::Reserved(true) });
            continue;
        }
        let Action::Transmit { flow, bytes } = action else { continue };
        match Message::parse(&bytes).expect("we write what can be read") {
            Message::Response(response) if response.status == Status::OK => {
                let to = response.headers.to().expect("To").to_string();
                tag = to.rsplit_once(";tag=").map(|(_, tag)| format!(";tag={tag}"));
            }
            Message::Response(_) => {}
            Message::Request(invite) if invite.method == Method::Invite => {
                *serial += 1;
                if serial.is_multiple_of(2) {
                    let busy = Response::to_request(&invite, Status::BUSY_HERE).with_to_tag("phone");
                    answers.push_back(Input::Message { flow, bytes: busy.to_bytes() });
                }
            }
            Message::Request(_) => {}
        }
    }
    for answer in answers {
        switch.handle(now, answer);
        tag = drained(switch, now, serial).or(tag);
    }
    tag
}

/// Every book that a call writes into while it is up, and how much stands in it. What is remembered of ended calls has bounds of
/// its own (`MAX_TICKETS`, `MAX_KNOWN`).
fn books(switch: &Switch) -> [(&'static str, usize); 16] {
    [
        ("calls", switch.calls.len()),
        ("legs", switch.legs.len()),
        ("dialogs", switch.dialogs.len()),
        ("servers", switch.servers.len()),
        ("clients", switch.clients.len()),
        ("queries", switch.queries.len()),
        ("unasked", switch.unasked.len()),
        ("promises", switch.promises.len()),
        ("wakes", switch.wakes.len()),
        ("order of wakes", switch.wake_order.len()),
        ("transactions", switch.transactions.len()),
        ("ports", switch.ports.used()),
        ("waiting", switch.line.len()),
        ("callbacks for a person", switch.callbacks.failed()),
        ("records", switch.records.len()),
        ("actions", switch.actions.len()),
    ]
}

#[test]
fn e71_ten_thousand_short_calls_leave_no_port_no_transaction_and_no_row_in_any_book() {
    let mut switch = owing(CallId(ulid::Ulid(7)));
    // Nothing is owed: the callback of the fixture is dealt with.
    switch.callbacks.settle(CallId(ulid::Ulid(7)), crate::ticket::DispositionCode::Solved);
    let (mut now, mut serial) = (Instant::ZERO, 0);
    drained(&mut switch, now, &mut serial);
    let pairs = switch.status().ports_free;
    for call in 0..CALLS {
        let way = WAYS[usize::try_from(call).expect("small") % WAYS.len()];
        switch.handle(now, text(call, "INVITE", 1, "", SDP));
        let tag = drained(&mut switch, now, &mut serial);
        let tag = tag.unwrap_or_else(|| panic!("call {call} is not answered: {:?}", switch.status()));
        let (cancel, ack, bye) = (("CANCEL", 1, ""), ("ACK", 1, tag.as_str()), ("BYE", 2, tag.as_str()));
        let sent = match way {
            Leaves::AtOnce => vec![ack, bye],
            Leaves::WithoutAck => vec![bye],
            Leaves::Twice => vec![ack, bye, bye],
            Leaves::ByCancel => vec![cancel, ack, bye],
        };
        for (method, cseq, tag) in sent {
            switch.handle(now, text(call, method, cseq, tag, ""));
            drained(&mut switch, now, &mut serial);
        }
        let next = now + APART;
        while let Some(at) = switch.poll_timeout().filter(|at| *at <= next) {
            switch.handle(at, Input::Timeout);
            drained(&mut switch, at, &mut serial);
        }
        now = next;
    }
    // The last transactions' 32 s, those of phones that never answered twice, and what rests.
    let end = now + Duration::from_secs(150);
    while let Some(at) = switch.poll_timeout().filter(|at| *at <= end) {
        switch.handle(at, Input::Timeout);
        drained(&mut switch, at, &mut serial);
    }
    let left: Vec<_> = books(&switch).into_iter().filter(|(_, rows)| *rows > 0).collect();
    assert_eq!(left, []);
    let status = switch.status();
    let counted = |name: &str| status.counters.get(name).copied().unwrap_or(0);
    assert_eq!((counted("calls"), counted("call_fault")), (CALLS, 0));
    assert!(serial > CALLS, "phones were rung: {serial}");
    assert!(switch.ports.has(end, pairs), "every port is to be had again: {status:?}");
}

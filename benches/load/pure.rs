//! The pure core without sockets: INVITEs read, and whole calls in the simulated world of tests/calls.

use std::time::{Duration, Instant};

use bytes::Bytes;
use wardline::sip::{Message, Transport};

use crate::figures::Figures;
use crate::phone::Pickup;
use crate::world::{GENERALISTS, World};

const PARSING: Duration = Duration::from_secs(2);
const SIMULATING: Duration = Duration::from_secs(4);
/// Lines of a description that is as large as it may be (line B30).
const LINES: usize = 10_000;
/// Calls of one world; then a new one, so that what it remembers for its ladder stays small.
const CALLS_A_WORLD: u64 = 20;

/// As a PBX sends it; its length is told when its addresses stand.
const INVITE: &str = "INVITE sip:7100@10.20.0.5:5060 SIP/2.0\r\n\
Via: SIP/2.0/UDP 10.20.0.9:5060;branch=z9hG4bK-524287-1---4c1e7d3f2a9b8c01;rport\r\n\
Max-Forwards: 68\r\n\
Record-Route: <sip:10.20.0.8;lr>\r\n\
Contact: <sip:4710@10.20.0.9:5060;transport=udp>\r\n\
To: <sip:7100@10.20.0.5>\r\n\
From: \"4 West Nurses\" <sip:4710@10.20.0.9>;tag=8f31c26d\r\n\
Call-ID: 6c8f2b1e-93a4-4f6e-8f0d-2b7c9f1a5e30@10.20.0.9\r\n\
CSeq: 102 INVITE\r\n\
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, UPDATE, PRACK\r\n\
Supported: replaces, timer, 100rel\r\n\
Session-Expires: 1800\r\n\
P-Asserted-Identity: \"4 West Nurses\" <sip:4710@10.20.0.9>\r\n\
User-Agent: Campus PBX 18.9\r\n\
Content-Type: application/sdp\r\n\r\n\
v=0\r\no=- 1762 1762 IN IP4 10.20.0.9\r\ns=call\r\nc=IN IP4 10.20.0.9\r\nt=0 0\r\n\
m=audio 16884 RTP/AVP 9 0 8 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

pub fn measure(figures: &mut Figures) {
    figures.add("parses_per_s", "INVITE parses, one core", parses(), "per second");
    figures.add(
        "simulated_calls_per_s",
        "simulated whole calls, one core, phones and network included",
        calls(),
        "per second",
    );
    let (plain, large) = (opening(""), opening(&"a=x\r\n".repeat(LINES)));
    figures.add("invite_opens_ms", "INVITE opens a call: read, answered, first offers out", plain, "ms");
    figures.add("large_invite_opens_ms", "the same with a description of 10,000 lines, 50 kB, over TCP", large, "ms");
}

/// The INVITE from the simulated PBX over a stream, with more lines in its description.
fn invite(lines: &str) -> Bytes {
    let text = INVITE.replace("10.20.0.9", "10.0.1.1").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    let (head, body) = text.split_once("\r\n\r\n").expect("a body");
    let length = body.len() + lines.len();
    Bytes::from(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}{lines}"))
}

fn parses() -> f64 {
    let invite = invite("");
    let (begun, mut parsed) = (Instant::now(), 0u32);
    while begun.elapsed() < PARSING {
        for _ in 0..100 {
            let message = Message::parse(std::hint::black_box(&invite)).expect("a good INVITE");
            std::hint::black_box(&message);
            parsed += 1;
        }
    }
    f64::from(parsed) / begun.elapsed().as_secs_f64()
}

/// Milliseconds from an INVITE with these lines in its description until all that it causes at once is done, the mean of many.
fn opening(lines: &str) -> f64 {
    const OPENED: u32 = 100;
    let mut spent = Duration::ZERO;
    for _ in 0..OPENED {
        let mut world = World::new(&GENERALISTS);
        let invite = invite(lines);
        let begun = Instant::now();
        world.send_raw("10.0.1.1:5060", Transport::Tcp, invite);
        spent += begun.elapsed();
        assert_eq!(world.status().calls, 1, "it is answered");
    }
    spent.as_secs_f64() * 1_000.0 / f64::from(OPENED)
}

/// Dialled, two phones rung, one picks up after a second, four seconds of talk, hung up, solved, wrapped up.
fn calls() -> f64 {
    let (begun, mut made) = (Instant::now(), 0u32);
    while begun.elapsed() < SIMULATING {
        let mut world = World::new(&GENERALISTS);
        for name in GENERALISTS {
            world.pickup(name, Pickup::Answers(1_000));
        }
        for _ in 0..CALLS_A_WORLD {
            world.dial("4710");
            world.run_to(5_000);
            world.hang_up("4710");
            world.run(60_000);
            made += 1;
        }
        assert!(world.status().calls == 0, "every call is over");
    }
    f64::from(made) / begun.elapsed().as_secs_f64()
}

//! The fuzz targets of media: session descriptions with the negotiation that follows from them, RTP and RTCP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wardline::bridge::{Hold, MediaEndpoint, MediaPolicy, MediaPort, Negotiation, Refusal};
use wardline::media::rtcp::{self, Item, ReportBlock, SenderInfo};
use wardline::media::rtp;
use wardline::sip::sdp::SessionDescription;

use super::mutate::{Rng, Target};

const SDP_ROUNDS: u64 = 20_000;
const PACKET_ROUNDS: u64 = 30_000;

const SDP_WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "v=0\r\n",
    "o=- 1 1 IN IP4 192.0.2.47\r\n",
    "o=ward 1 1 IN IP4 192.0.2.47\r\n",
    "c=IN IP4 0.0.0.0\r\n",
    "c=IN IP4 224.2.1.1/127/3\r\n",
    "c=IN IP6 ::1\r\n",
    "c=IN IP6 ::ffff:192.0.2.2\r\n",
    "c=IN IP4 ward.test\r\n",
    "m=audio 4000 RTP/AVP 0\r\n",
    "m=audio 0 RTP/AVP 0\r\n",
    "m=audio 65535 RTP/AVP 0 8 9 127\r\n",
    "m=audio 4000/2 RTP/SAVPF 256 x\r\n",
    "m=video 4002 RTP/AVP 31\r\n",
    "a=rtpmap:0 PCMA/8000\r\n",
    "a=rtpmap:96 telephone-event/8000\r\n",
    "a=rtpmap:0 telephone-event/16000\r\n",
    "a=rtpmap:",
    "a=fmtp:96 0-15\r\n",
    "a=ptime:0\r\n",
    "a=ptime:99999999999\r\n",
    "a=maxptime:1\r\n",
    "a=rtcp:0\r\n",
    "a=rtcp:53020 IN IP6 2001:db8::1\r\n",
    "a=sendonly\r\n",
    "a=recvonly\r\n",
    "a=inactive\r\n",
    "a=rtcp-mux\r\n",
    "a=",
    "18446744073709551616",
    "-1",
    " ",
    "\0",
];

const BYTES: &[&str] = &[
    "\0",
    "\0\0\0\u{1}",
    "\u{1}\u{2}\u{3}\u{4}",
    "    ",
    "\u{7f}",
    "ward",
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
];

fn leg(address: IpAddr) -> Negotiation {
    Negotiation::new(4710, MediaEndpoint { address, port: MediaPort(20_000) }, MediaPolicy::default())
}

/// Ours can be read, and has as many streams as it must.
fn ours(text: &str, streams: Option<usize>) -> Result<usize, String> {
    let read = SessionDescription::parse(text.as_bytes()).map_err(|error| format!("ours: {error}\n{text}"))?;
    match streams {
        Some(streams) if read.media.len() != streams => Err(format!("not {streams} streams:\n{text}")),
        Some(_) | None => Ok(read.media.len()),
    }
}

/// What a leg agreed to can be sent to, from where it is.
fn sound(leg: &Negotiation) -> Result<(), String> {
    let session = leg.session().ok_or("nothing was agreed")?;
    let family = |address: &std::net::SocketAddr| address.is_ipv4() == leg.local().address.is_ipv4();
    let remotes = [session.remote, session.remote_rtcp];
    if !remotes.iter().flatten().all(family) || !(10..=60).contains(&session.ptime_ms) {
        return Err(format!("cannot be served: {session:?}"));
    }
    Ok(())
}

/// A refusal fits into a response, and nothing came of it.
fn refused(refusal: &Refusal) -> Result<(), String> {
    let one_line = refusal.warning.iter().all(|warning| !warning.contains(['\r', '\n']));
    match refusal.status.code() {
        400 | 413 | 488 | 491 if one_line => Ok(()),
        _ => Err(format!("strange refusal: {refusal:?}")),
    }
}

fn sdp(input: &[u8], rng: &mut Rng) -> Result<(), String> {
    let offered = SessionDescription::parse(input).ok();
    if let Some(read) = &offered {
        let printed = read.to_bytes();
        if SessionDescription::parse(&printed).as_ref() != Ok(read) {
            return Err(format!("reads otherwise: {}", printed.escape_ascii()));
        }
    }
    let streams = offered.as_ref().map(|offer| offer.media.len());
    let address = match rng.below(4) {
        0 => IpAddr::V6(Ipv6Addr::LOCALHOST),
        _ => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    };
    first_offer(input, address, streams)?;
    our_offer(input, address)?;
    later_offer(input, streams)
}

/// Somebody calls with it, and then with the same again; then we hold them.
fn first_offer(input: &[u8], address: IpAddr, streams: Option<usize>) -> Result<(), String> {
    let mut leg = leg(address);
    let answer = match leg.answer(input) {
        Ok(answer) => answer,
        Err(refusal) if leg.session().is_none() => return refused(&refusal),
        Err(refusal) => return Err(format!("agreed in spite of {refusal}")),
    };
    ours(&answer, streams)?;
    sound(&leg)?;
    let again = leg.answer(input).map_err(|refusal| format!("refused the second time: {refusal}"))?;
    if again != answer {
        return Err(format!("answers otherwise:\n{answer}\n{again}"));
    }
    ours(&leg.hold(Hold::Music), streams)?;
    leg.rollback();
    ours(&leg.offer(), streams).map(drop)
}

/// It answers an offer of ours, and comes a second time.
fn our_offer(input: &[u8], address: IpAddr) -> Result<(), String> {
    let mut leg = leg(address);
    let streams = ours(&leg.offer(), Some(1))?;
    match leg.accept_answer(input) {
        Ok(()) => sound(&leg)?,
        Err(refusal) => refused(&refusal)?,
    }
    if let Err(refusal) = leg.accept_answer(input) {
        refused(&refusal)?;
    }
    leg.rollback();
    ours(&leg.reoffer(), Some(streams)).map(drop)
}

/// It comes in the middle of a call; refused, it changes nothing (line B35).
fn later_offer(input: &[u8], streams: Option<usize>) -> Result<(), String> {
    const BEFORE: &[u8] = b"v=0\r\no=ward 1 1 IN IP4 192.0.2.47\r\ns=-\r\nc=IN IP4 192.0.2.47\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let mut leg = leg(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    leg.answer(BEFORE).map_err(|refusal| refusal.to_string())?;
    let before = leg.session();
    match leg.answer(input) {
        Ok(answer) => {
            ours(&answer, streams)?;
            sound(&leg)?;
            ours(&leg.offer(), streams).map(drop)
        }
        Err(refusal) if leg.session() == before => refused(&refusal),
        Err(refusal) => Err(format!("changed in spite of {refusal}")),
    }
}

/// What is read is written and read again as the same.
fn rtp(input: &[u8], _: &mut Rng) -> Result<(), String> {
    let Ok(packet) = rtp::parse(input) else { return Ok(()) };
    if rtp::is_rtcp(input) != (64..=95).contains(&packet.payload_type) && packet.marker {
        return Err(format!("RTP and RTCP are confused: {packet:?}"));
    }
    let mut out = Vec::new();
    rtp::write(&packet, &mut out);
    match rtp::parse(&out) {
        Ok(again) if again == packet && out.len() <= input.len() => Ok(()),
        other => Err(format!("{packet:?} reads otherwise: {other:?}")),
    }
}

/// Every item that is read stands in the packet; whatever we may have to report is read as written.
fn rtcp(input: &[u8], rng: &mut Rng) -> Result<(), String> {
    let items: Vec<Item> = rtcp::parse(input).into_iter().flatten().collect();
    if items.len() > input.len() / 4 {
        return Err(format!("more than there is: {items:?}"));
    }
    let mut word = || rng.next() as u32;
    let info = SenderInfo { ntp: u64::from(word()) << 32, rtp: word(), packets: word(), octets: word() };
    let block = ReportBlock {
        ssrc: word(),
        fraction_lost: word() as u8,
        cumulative_lost: (word() & 0xFF_FFFF) as i32 - 0x80_0000,
        highest_sequence: word(),
        jitter: word(),
        last_sr: word(),
        delay_since_sr: word(),
    };
    let (ssrc, kinds) = (word(), word());
    let given = |bit: u32| kinds & bit != 0;
    let cname = String::from_utf8_lossy(input);
    let report = rtcp::Report {
        ssrc,
        sender: given(1).then_some(info),
        block: given(2).then_some(block),
        cname: &cname,
        goodbye: given(4),
    };
    let mut out = Vec::new();
    rtcp::write(&report, &mut out);
    let expected: Vec<Item> = [
        report.sender.map(|info| Item::Sender { ssrc, info }),
        report.block.map(Item::Block),
        report.goodbye.then_some(Item::Goodbye),
    ]
    .into_iter()
    .flatten()
    .collect();
    let read = rtcp::parse(&out).map(|items| items.collect::<Vec<_>>());
    match read {
        Ok(read) if read == expected && rtp::is_rtcp(&out) => Ok(()),
        other => Err(format!("{report:?} reads otherwise: {other:?}")),
    }
}

#[test]
fn mutated_session_descriptions_are_agreed_soundly_or_change_nothing() {
    Target { name: "sdp", samples: &[], dictionary: SDP_WORDS, feed: sdp }.run(SDP_ROUNDS);
}

#[test]
fn mutated_rtp_is_written_as_it_was_read() {
    Target { name: "rtp", samples: &[], dictionary: BYTES, feed: rtp }.run(PACKET_ROUNDS);
}

#[test]
fn mutated_rtcp_is_read_within_its_bounds() {
    Target { name: "rtcp", samples: &[], dictionary: BYTES, feed: rtcp }.run(PACKET_ROUNDS);
}

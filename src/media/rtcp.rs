//! RTCP (RFC 3550 section 6): compound packets, read only after every length in them has been checked, and the reports that
//! we send: SR or RR, then SDES with CNAME, then BYE when we leave.

use thiserror::Error;

/// Packet types (RFC 3550 section 12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// SDES item CNAME (section 6.5.1).
const CNAME: u8 = 1;

/// Why bytes are not a compound RTCP packet (the checks of RFC 3550 A.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Junk {
    #[error("a length points past the end")]
    Length,
    #[error("not RTP version 2")]
    Version,
    #[error("does not begin with a report")]
    FirstType,
    #[error("padding before the last packet, or more of it than packet")]
    Padding,
}

/// What a sender tells of itself (section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP time, 32.32 fixed point.
    pub ntp: u64,
    pub rtp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What a receiver tells of one source (section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// Since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Since the beginning; 24 bits, negative when duplicates outnumber losses.
    pub cumulative_lost: i32,
    pub highest_sequence: u32,
    /// In ticks of the RTP clock.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the last SR; 0 when none came.
    pub last_sr: u32,
    /// In 1/65536 s since that SR came.
    pub delay_since_sr: u32,
}

/// One thing a compound packet tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Sender { ssrc: u32, info: SenderInfo },
    Block(ReportBlock),
    Goodbye,
}

/// Checks the whole compound packet, then gives what we use of it. SDES, APP and unknown types are passed over.
pub fn parse(bytes: &[u8]) -> Result<impl Iterator<Item = Item> + '_, Junk> {
    check(bytes)?;
    Ok(packets(bytes).flat_map(|(count, kind, body)| items(count, kind, body)))
}

/// Walks the lengths of a compound packet.
fn check(bytes: &[u8]) -> Result<(), Junk> {
    match bytes {
        [flags, ..] if flags >> 6 != 2 => return Err(Junk::Version),
        [_, SENDER_REPORT | RECEIVER_REPORT, ..] => {}
        [_, _, ..] => return Err(Junk::FirstType),
        _ => return Err(Junk::Length),
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let ([flags, kind, w0, w1], body) = rest.split_first_chunk::<4>().ok_or(Junk::Length)?;
        if flags >> 6 != 2 {
            return Err(Junk::Version);
        }
        let words = usize::from(u16::from_be_bytes([*w0, *w1]));
        let (body, after) = body.split_at_checked(words * 4).ok_or(Junk::Length)?;
        let padding = if flags & 0x20 == 0 { 0 } else { usize::from(body.last().copied().unwrap_or(0)) };
        if flags & 0x20 != 0 && (!after.is_empty() || padding == 0 || padding > body.len()) {
            return Err(Junk::Padding);
        }
        let count = usize::from(flags & 0x1F);
        let needed = match *kind {
            SENDER_REPORT => 24 + count * 24,
            RECEIVER_REPORT => 4 + count * 24,
            GOODBYE => count * 4,
            _ => 0,
        };
        if body.len() - padding < needed {
            return Err(Junk::Length);
        }
        rest = after;
    }
    Ok(())
}

/// Count, type and body of each packet of a checked compound.
fn packets(mut rest: &[u8]) -> impl Iterator<Item = (usize, u8, &[u8])> {
    std::iter::from_fn(move || {
        let ([flags, kind, w0, w1], body) = rest.split_first_chunk::<4>()?;
        let (body, after) = body.split_at_checked(usize::from(u16::from_be_bytes([*w0, *w1])) * 4)?;
        rest = after;
        Some((usize::from(flags & 0x1F), *kind, body))
    })
}

fn items(count: usize, kind: u8, body: &[u8]) -> impl Iterator<Item = Item> + '_ {
    let (head, blocks) = match kind {
        SENDER_REPORT => (sender(body), body.get(24..).unwrap_or(&[])),
        RECEIVER_REPORT => (None, body.get(4..).unwrap_or(&[])),
        GOODBYE => (Some(Item::Goodbye), &[][..]),
        _ => (None, &[][..]),
    };
    head.into_iter().chain(blocks.chunks_exact(24).take(count).filter_map(block))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at * 4..)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word))
}

fn sender(body: &[u8]) -> Option<Item> {
    let ntp = u64::from(word(body, 1)?) << 32 | u64::from(word(body, 2)?);
    let info = SenderInfo { ntp, rtp: word(body, 3)?, packets: word(body, 4)?, octets: word(body, 5)? };
    Some(Item::Sender { ssrc: word(body, 0)?, info })
}

fn block(bytes: &[u8]) -> Option<Item> {
    let losses = word(bytes, 1)?;
    Some(Item::Block(ReportBlock {
        ssrc: word(bytes, 0)?,
        fraction_lost: (losses >> 24) as u8,
        // Moved to the top and back again, so that bit 23 becomes the sign.
        cumulative_lost: ((losses << 8) as i32) >> 8,
        highest_sequence: word(bytes, 2)?,
        jitter: word(bytes, 3)?,
        last_sr: word(bytes, 4)?,
        delay_since_sr: word(bytes, 5)?,
    }))
}

/// What we send each report interval.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub ssrc: u32,
    /// Present when we have sent RTP since the last report: then it is an SR.
    pub sender: Option<SenderInfo>,
    pub block: Option<ReportBlock>,
    pub cname: &'a str,
    pub goodbye: bool,
}

/// Appends the compound packet of `report`.
pub fn write(report: &Report<'_>, out: &mut Vec<u8>) {
    let blocks = u8::from(report.block.is_some());
    let kind = if report.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    let words = 1 + if report.sender.is_some() { 5 } else { 0 } + u16::from(blocks) * 6;
    header(blocks, kind, words, out);
    out.extend_from_slice(&report.ssrc.to_be_bytes());
    if let Some(info) = report.sender {
        out.extend_from_slice(&info.ntp.to_be_bytes());
        [info.rtp, info.packets, info.octets].iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
    }
    if let Some(block) = report.block {
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7F_FFFF) as u32 & 0xFF_FFFF;
        let losses = u32::from(block.fraction_lost) << 24 | lost;
        let words = [block.ssrc, losses, block.highest_sequence, block.jitter, block.last_sr, block.delay_since_sr];
        words.iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
    }
    // SDES: one chunk with CNAME, ended by one to four zero bytes up to the next word (section 6.5).
    let name = report.cname.as_bytes();
    let name = name.get(..255).unwrap_or(name);
    let chunk = (4 + 2 + name.len() + 1).next_multiple_of(4);
    header(1, SOURCE_DESCRIPTION, (chunk / 4) as u16, out);
    let end = out.len() + chunk;
    out.extend_from_slice(&report.ssrc.to_be_bytes());
    out.extend_from_slice(&[CNAME, name.len() as u8]);
    out.extend_from_slice(name);
    out.resize(end, 0);
    if report.goodbye {
        header(1, GOODBYE, 1, out);
        out.extend_from_slice(&report.ssrc.to_be_bytes());
    }
}

fn header(count: u8, kind: u8, words: u16, out: &mut Vec<u8>) {
    out.push(0x80 | count);
    out.push(kind);
    out.extend_from_slice(&words.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block_of(ssrc: u32) -> ReportBlock {
        ReportBlock {
            ssrc,
            fraction_lost: 26,
            cumulative_lost: -3,
            highest_sequence: 0x1_0005,
            jitter: 80,
            last_sr: 0xAABB_CCDD,
            delay_since_sr: 65_536,
        }
    }

    #[test]
    fn a_sender_report_is_read_as_written() {
        let info = SenderInfo { ntp: 0x1122_3344_5566_7788, rtp: 160, packets: 5, octets: 800 };
        let report =
            Report { ssrc: 7, sender: Some(info), block: Some(block_of(9)), cname: "w@192.0.2.1", goodbye: true };
        let mut bytes = Vec::new();
        write(&report, &mut bytes);
        // SR 28 + block 24, SDES 4 + 4 + 2 + 11 + 1 padded to 20 = 24, BYE 8.
        assert_eq!(bytes.len(), 28 + 24 + 24 + 8);
        let read: Vec<_> = parse(&bytes).unwrap().collect();
        assert_eq!(read, [Item::Sender { ssrc: 7, info }, Item::Block(block_of(9)), Item::Goodbye]);
    }

    #[test]
    fn a_receiver_report_without_blocks_is_valid() {
        let mut bytes = Vec::new();
        write(&Report { ssrc: 7, sender: None, block: None, cname: "w", goodbye: false }, &mut bytes);
        assert_eq!(&bytes[..8], [0x80, 201, 0, 1, 0, 0, 0, 7]);
        assert_eq!(&bytes[8..], [0x81, 202, 0, 2, 0, 0, 0, 7, 1, 1, b'w', 0]);
        assert_eq!(parse(&bytes).unwrap().count(), 0);
    }

    #[test]
    fn e69_lengths_that_lie_are_refused() {
        let error = |bytes: &[u8]| parse(bytes).map(|_| ()).unwrap_err();
        assert_eq!(error(&[]), Junk::Length);
        assert_eq!(error(&[0x80]), Junk::Length);
        assert_eq!(error(&[0x80, 201, 0, 1]), Junk::Length, "one word promised, none there");
        assert_eq!(error(&[0x80, 201, 0xFF, 0xFF, 0, 0, 0, 1]), Junk::Length);
        assert_eq!(error(&[0x81, 201, 0, 1, 0, 0, 0, 1]), Junk::Length, "one block promised, none there");
        assert_eq!(error(&[0x40, 201, 0, 1, 0, 0, 0, 1]), Junk::Version);
        assert_eq!(error(&[0x80, 202, 0, 1, 0, 0, 0, 1]), Junk::FirstType);
        assert_eq!(error(&[0x80, 201, 0, 1, 0, 0, 0, 1, 0x80]), Junk::Length, "a byte too many");
        assert_eq!(error(&[0xA0, 201, 0, 1, 0, 0, 0, 200]), Junk::Padding);
        assert_eq!(error(&[0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8]), Junk::Length, "padding eats the sender");
        assert_eq!(error(&[0x80, 201, 0, 1, 0, 0, 0, 1, 0x9F, 203, 0, 1, 0, 0, 0, 1]), Junk::Length);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..160), report: bool) {
            // Half of the cases begin like a report, so that the walk goes deeper.
            if report && bytes.len() > 4 {
                bytes[0] = 0x80 | bytes[0] & 0x3F;
                bytes[1] = 200 + bytes[1] % 2;
                bytes[2] = 0;
                bytes[3] %= 20;
            }
            if let Ok(items) = parse(&bytes) {
                prop_assert!(items.count() <= bytes.len());
            }
        }
    }
}

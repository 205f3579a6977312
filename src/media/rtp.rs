//! The RTP packet (RFC 3550 section 5.1): read without trusting a single length, written without extension or CSRC list.

use thiserror::Error;

/// Bytes of the fixed header.
pub const HEADER_BYTES: usize = 12;
/// The largest datagram taken: an Ethernet frame's worth. No audio packet comes near it.
pub const MAX_PACKET: usize = 1_500;
/// Comfort noise (RFC 3389), the static payload type.
pub const COMFORT_NOISE: u8 = 13;

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Junk {
    #[error("shorter than its headers say")]
    Short,
    #[error("longer than {MAX_PACKET} bytes")]
    Long,
    #[error("not RTP version 2")]
    Version,
    #[error("more padding than packet")]
    Padding,
}

/// One packet as received; the payload is borrowed from the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    /// In ticks of the payload's clock.
    pub timestamp: u32,
    pub ssrc: u32,
    /// Without padding, extension and CSRC list.
    pub payload: &'a [u8],
}

/// Reads one datagram.
pub fn parse(bytes: &[u8]) -> Result<Packet<'_>, Junk> {
    if bytes.len() > MAX_PACKET {
        return Err(Junk::Long);
    }
    let (head, mut rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Junk::Short)?;
    let [flags, kind, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *head;
    if flags >> 6 != 2 {
        return Err(Junk::Version);
    }
    rest = rest.get(usize::from(flags & 0x0F) * 4..).ok_or(Junk::Short)?;
    if flags & 0x10 != 0 {
        // Section 5.3.1: a profile's 16 bits, then the count of 32-bit words that follow.
        let ([_, _, w0, w1], body) = rest.split_first_chunk::<4>().ok_or(Junk::Short)?;
        rest = body.get(usize::from(u16::from_be_bytes([*w0, *w1])) * 4..).ok_or(Junk::Short)?;
    }
    if flags & 0x20 != 0 {
        // The last byte counts the padding, itself included.
        let padding = usize::from(*rest.last().ok_or(Junk::Padding)?);
        if padding == 0 {
            return Err(Junk::Padding);
        }
        rest = rest.get(..rest.len().checked_sub(padding).ok_or(Junk::Padding)?).ok_or(Junk::Padding)?;
    }
    Ok(Packet {
        marker: kind & 0x80 != 0,
        payload_type: kind & 0x7F,
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
        payload: rest,
    })
}

/// Appends a packet.
pub fn write(packet: &Packet<'_>, out: &mut Vec<u8>) {
    out.push(0x80);
    out.push(u8::from(packet.marker) << 7 | (packet.payload_type & 0x7F));
    out.extend_from_slice(&packet.sequence.to_be_bytes());
    out.extend_from_slice(&packet.timestamp.to_be_bytes());
    out.extend_from_slice(&packet.ssrc.to_be_bytes());
    out.extend_from_slice(packet.payload);
}

/// Whether a datagram on an RTP port is RTCP: packet types 192 to 223 can't be RTP payload types (RFC 5761 section 4).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [flags, 192..=223, ..] if flags >> 6 == 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: [u8; 14] = [0x80, 0x88, 0x12, 0x34, 0, 0, 0, 160, 0xCA, 0xFE, 0xBA, 0xBE, 1, 2];

    #[test]
    fn reads_a_plain_packet() {
        let packet = parse(&PLAIN).unwrap();
        assert_eq!((packet.marker, packet.payload_type, packet.sequence), (true, 8, 0x1234));
        assert_eq!((packet.timestamp, packet.ssrc, packet.payload), (160, 0xCAFE_BABE, &[1, 2][..]));
    }

    #[test]
    fn skips_sources_extension_and_padding() {
        let mut bytes = PLAIN[..12].to_vec();
        bytes[0] = 0x80 | 0x20 | 0x10 | 1;
        bytes.extend([9, 9, 9, 9]); // one contributing source
        bytes.extend([0xBE, 0xDE, 0, 1, 7, 7, 7, 7]); // one word of extension
        bytes.extend([42, 43, 0, 0, 3]); // two bytes of payload, three of padding
        assert_eq!(parse(&bytes).unwrap().payload, [42, 43]);
    }

    #[test]
    fn e69_junk_is_named_never_a_panic() {
        let with = |flags: u8, tail: &[u8]| {
            let mut bytes = PLAIN[..12].to_vec();
            bytes[0] = flags;
            bytes.extend_from_slice(tail);
            bytes
        };
        assert_eq!(parse(&[]), Err(Junk::Short));
        assert_eq!(parse(&PLAIN[..11]), Err(Junk::Short));
        assert_eq!(parse(&[0x80; 1_501]), Err(Junk::Long));
        assert_eq!(parse(&with(0x00, &[])), Err(Junk::Version));
        assert_eq!(parse(&with(0xC0, &[])), Err(Junk::Version));
        assert_eq!(parse(&with(0x8F, &[0; 59])), Err(Junk::Short), "15 sources need 60 bytes");
        assert_eq!(parse(&with(0x90, &[0, 0, 0xFF, 0xFF, 0, 0])), Err(Junk::Short), "extension of 65,535 words");
        assert_eq!(parse(&with(0x90, &[0, 0])), Err(Junk::Short), "half an extension header");
        assert_eq!(parse(&with(0xA0, &[1, 2, 200])), Err(Junk::Padding), "more padding than payload");
        assert_eq!(parse(&with(0xA0, &[1, 2, 0])), Err(Junk::Padding), "padding of nothing");
        assert_eq!(parse(&with(0xA0, &[])), Err(Junk::Padding), "padding without a byte to say so");
        assert_eq!(parse(&with(0x80, &[])).unwrap().payload, &[] as &[u8]);
    }

    #[test]
    fn tells_rtcp_from_rtp() {
        assert!(is_rtcp(&[0x80, 200, 0, 0]));
        assert!(!is_rtcp(&[0x80, 0x88, 0, 0]));
        assert!(!is_rtcp(&[0x40, 200]));
        assert!(!is_rtcp(&[]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(packet) = parse(&bytes) {
                prop_assert!(packet.payload.len() + HEADER_BYTES <= bytes.len());
            }
        }

        #[test]
        fn what_is_written_is_read(marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
                                   payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let packet = Packet { marker, payload_type, sequence, timestamp, ssrc, payload: &payload };
            let mut bytes = Vec::new();
            write(&packet, &mut bytes);
            prop_assert_eq!(parse(&bytes), Ok(packet));
        }
    }
}
